"""The thread in which a synchronous client runs the asynchronous calls, and how it ends."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import CancelledError, Future
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from scalekit_mcp.actions import Actions, open_actions
from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.settings import Settings

T = TypeVar("T")
START_SECONDS = 30.0
DRAIN_SECONDS = 5.0
"""How long a close waits for calls that are under way."""
CLOSE_SECONDS = DRAIN_SECONDS + 15.0


class Core:
    """What a client and its `actions` share: the last of them to be forgotten closes it.

    Threads do not survive a fork, so each process has its own (a client that is made before a server forks its workers
    works in each of them).
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._by_process: dict[int, CoreThread] = {}

    def call(self, use: Callable[[Actions], Awaitable[T]]) -> T:
        """Run one call in the core and wait for its answer; a Ctrl-C meanwhile cancels the call."""
        future = self.call_soon(use)
        try:
            return future.result()
        except CancelledError as error:
            raise _closed("was closed while this call was under way") from error
        except KeyboardInterrupt:
            future.cancel()
            raise

    def call_soon(self, use: Callable[[Actions], Awaitable[T]]) -> Future[T]:
        """Run one call in the core."""
        return self._thread().call_soon(use)

    @property
    def closed(self) -> bool:
        """Whether `close` was called, in this process."""
        found = self._by_process.get(os.getpid())
        return found is not None and found.closed

    def close(self) -> None:
        """End the thread; waits for it."""
        self._thread().close()

    def _thread(self) -> CoreThread:
        process = os.getpid()
        found = self._by_process.get(process)
        if found is None:
            made = CoreThread(self.settings)
            found = self._by_process.setdefault(process, made)
            if found is made:
                weakref.finalize(self, made.close)
        return found


class CoreThread:
    """The asynchronous calls in a daemon thread of their own, started by the first call.

    A daemon thread, because the interpreter joins all others before it runs the finalizer that would end them.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process = os.getpid()
        self._ready = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._portal: BlockingPortal | None = None
        self._actions: Actions | None = None
        self._failure: BaseException | None = None
        self._closed = False
        self._running = 0
        self._idle = anyio.Event()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def call_soon(self, use: Callable[[Actions], Awaitable[T]]) -> Future[T]:
        """Hand one call over to the thread."""
        portal, actions = self._started()
        try:
            return portal.start_task_soon(self._carry_out, use, actions)
        except RuntimeError as error:
            if not self._closed:
                raise
            raise _closed("is closed") from error

    def close(self) -> None:
        """Let the calls under way end, cancel what lasts longer, and wait for the thread."""
        if self._process != os.getpid():
            return  # the copy that a fork left in the child
        if self._thread is threading.current_thread():
            # Garbage was collected in here: the thread cannot wait for itself.
            threading.Thread(target=self.close, name="scalekit-mcp-close", daemon=True).start()
            return
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is None:
            return
        if self._ready.wait(START_SECONDS) and self._portal is not None:
            with suppress(RuntimeError):  # it has ended already
                self._portal.start_task_soon(self._stop, self._portal)
        thread.join(CLOSE_SECONDS)

    def _started(self) -> tuple[BlockingPortal, Actions]:
        with self._lock:
            if self._closed:
                raise _closed("is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="scalekit-mcp", daemon=True)
                self._thread.start()
        self._ready.wait(START_SECONDS)
        if self._failure is not None:
            raise self._failure
        if self._portal is None or self._actions is None:
            raise ConfigurationError("The client did not start in time.", next_step="Try again.")
        return self._portal, self._actions

    def _run(self) -> None:
        try:
            anyio.run(self._serve)
        except BaseException as failure:  # noqa: BLE001 - handed to the callers
            self._failure = failure
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        # the calls are closed last, after everything that uses them
        async with _composition(self._settings) as actions, BlockingPortal() as portal:
            self._portal, self._actions = portal, actions
            self._ready.set()
            await portal.sleep_until_stopped()

    async def _carry_out(self, use: Callable[[Actions], Awaitable[T]], actions: Actions) -> T:
        self._running += 1
        try:
            return await use(actions)
        finally:
            self._running -= 1
            self._idle.set()

    async def _stop(self, portal: BlockingPortal) -> None:
        with anyio.move_on_after(DRAIN_SECONDS):
            while self._running:
                self._idle = anyio.Event()
                await self._idle.wait()
        await portal.stop(cancel_remaining=True)


def _closed(what: str) -> ConfigurationError:
    return ConfigurationError(f"This ScalekitClient {what}.", next_step="Make a new one.")


@asynccontextmanager
async def _composition(settings: Settings) -> AsyncGenerator[Actions]:
    """The calls; where no public URL serves our pages, with a loopback listener, opened by the first link."""
    if settings.public_url:
        # Links go to strangers' browsers: as over HTTP, whoever consents has to prove to be the one who asked.
        async with open_actions(settings, user_verification="confirm") as actions:
            yield actions
        return
    from scalekit_mcp.server import Listener, brand_of

    async with (
        Listener(preferred_port=settings.port, sandbox=settings.sandbox, brand=brand_of(settings)) as listener,
        open_actions(settings, link_base=listener.base_url) as actions,
    ):
        listener.serve(actions)
        yield actions

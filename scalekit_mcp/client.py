"""`ScalekitClient`: the same calls for synchronous code, with the names of Scalekit's own SDK.

```python
import scalekit_mcp.client

scalekit = scalekit_mcp.client.ScalekitClient(sandbox=True)
actions = scalekit.actions
response = actions.get_or_create_connected_account(connection_name="outlook", identifier="user_outlook_789")
if response.connected_account.status != "ACTIVE":
    print(actions.get_authorization_link(connection_name="outlook", identifier="user_outlook_789").link)
```

The asynchronous core runs in a thread of its own, so the calls may come from several threads and from inside a running
event loop (where a call blocks that loop; `execute_tool_soon` does not). After a fork the child gets a core of its own.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import asynccontextmanager, suppress
from typing import Any, Self, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from scalekit_mcp.actions import Actions, open_actions
from scalekit_mcp.actions.models import (
    AuthorizationLinkResponse,
    ConnectedAccountResponse,
    ListConnectedAccountsResponse,
    ToolResult,
)
from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.settings import Settings, load_settings
from scalekit_mcp.tools import Arguments

__all__ = ["ScalekitClient", "SynchronousActions"]

T = TypeVar("T")
START_SECONDS = 30.0
DRAIN_SECONDS = 5.0
"""How long a close waits for calls that are under way."""
CLOSE_SECONDS = DRAIN_SECONDS + 15.0


class ScalekitClient:
    """Connected accounts and tools for synchronous code.

    With Scalekit credentials the calls are hosted by Scalekit; without any, the embedded settings come from the
    environment; `sandbox=True` uses the built-in Microsoft look-alike, whatever else is given. `settings` overrides all
    of it. Making one does
    no input or output: the vault, the connections and the sandbox wait for the first call.

    Closed by `close()`, by `with`, or when neither it nor its `actions` are referred to any more, also at the end of
    the program. Raises `ConfigurationError`, with one sentence per problem.
    """

    def __init__(
        self,
        env_url: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        *,
        sandbox: bool = False,
        settings: Settings | None = None,
    ) -> None:
        chosen = settings or _settings(env_url, client_id, client_secret, sandbox=sandbox)
        chosen.check()
        self._core = _Core(chosen)
        self.actions = SynchronousActions(self._core)
        self.connect = self.actions
        """The older name of `actions` in Scalekit's SDK."""

    def close(self) -> None:
        """Let calls under way end (at most 5 seconds), then close the vault and the connections; may be called twice.

        A call that had to be cut off, and any later one, raises `ConfigurationError`.
        """
        self._core.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SynchronousActions:
    """The calls of `scalekit_mcp.actions.Actions`, each waiting for its answer.

    Parameters stand in the order of Scalekit's SDK. `connection_name` left out is the connection of the settings;
    `identifier` is your own string for a user, 1 to 100 characters without control characters. Every call raises
    `ScalekitMCPError`, on purpose nothing else; a wrong argument is `InvalidInput`, and its `field` names it.
    """

    def __init__(self, core: _Core) -> None:
        self._core = core

    def get_or_create_connected_account(
        self, connection_name: str | None = None, identifier: str = ""
    ) -> ConnectedAccountResponse:
        """The account of `identifier`, created as PENDING if there is none; `response.connected_account.status`.

        Idempotent, also when several threads or processes call at once.
        """
        return self._core.call(
            lambda actions: actions.get_or_create_connected_account(
                connection_name=connection_name, identifier=identifier
            )
        )

    def get_connected_account(
        self, connection_name: str | None = None, identifier: str = ""
    ) -> ConnectedAccountResponse:
        """The account of `identifier`; raises `ConnectedAccountNotFound`. Never holds a token."""
        return self._core.call(
            lambda actions: actions.get_connected_account(connection_name=connection_name, identifier=identifier)
        )

    def list_connected_accounts(
        self,
        connection_name: str | None = None,
        identifier: str | None = None,
        *,
        status: str | None = None,
        page_size: int = 50,
        page_token: str | None = None,
    ) -> ListConnectedAccountsResponse:
        """One page of accounts, in the order of their identifiers; hand `next_page_token` back for the next."""
        return self._core.call(
            lambda actions: actions.list_connected_accounts(
                connection_name=connection_name,
                identifier=identifier,
                status=status,
                page_size=page_size,
                page_token=page_token,
            )
        )

    def get_authorization_link(
        self,
        identifier: str = "",
        connection_name: str | None = None,
        *,
        state: str | None = None,
        user_verify_url: str | None = None,
        reconnect: bool = False,
    ) -> AuthorizationLinkResponse:
        """The link that the user opens to consent: `link.link`, and `link.expires_at` (`link.expiry`), aware, in UTC.

        While an attempt is alive its link is returned again; only `reconnect=True` makes a new one. `state` and
        `user_verify_url` are for verification at your own page: the browser comes back there with both
        `auth_request_id` and this `state`.
        """
        return self._core.call(
            lambda actions: actions.get_authorization_link(
                connection_name=connection_name,
                identifier=identifier,
                state=state,
                user_verify_url=user_verify_url,
                reconnect=reconnect,
            )
        )

    def wait_for_authorization(
        self, identifier: str = "", connection_name: str | None = None, *, timeout_seconds: float = 300.0
    ) -> ConnectedAccountResponse:
        """Wait until the user has finished consenting or `timeout_seconds` are over; the account as it then is."""
        return self._core.call(
            lambda actions: actions.wait_for_authorization(
                connection_name=connection_name, identifier=identifier, timeout_seconds=timeout_seconds
            )
        )

    def verify_connected_account_user(self, auth_request_id: str, identifier: str) -> ConnectedAccountResponse:
        """Confirm that `identifier`, taken from your own session, is the person who consented.

        `auth_request_id` is what the browser brought to your `user_verify_url`; raises `InvalidInput` for another
        user's, an unknown or an expired one.
        """
        return self._core.call(
            lambda actions: actions.verify_connected_account_user(
                auth_request_id=auth_request_id, identifier=identifier
            )
        )

    def confirm_authorization(
        self, confirmation_code: str, identifier: str = "", connection_name: str | None = None
    ) -> ConnectedAccountResponse:
        """Redeem the code that the consent page showed to the user; raises `InvalidInput`."""
        return self._core.call(
            lambda actions: actions.confirm_authorization(
                connection_name=connection_name, identifier=identifier, confirmation_code=confirmation_code
            )
        )

    def disconnect(self, connection_name: str | None = None, identifier: str = "") -> ConnectedAccountResponse:
        """Forget the tokens and keep the record, as REVOKED with the reason `disconnected`."""
        return self._core.call(
            lambda actions: actions.disconnect(connection_name=connection_name, identifier=identifier)
        )

    def delete_connected_account(self, connection_name: str | None = None, identifier: str = "") -> None:
        """Remove the record and its tokens for good; no error if there is none."""
        return self._core.call(
            lambda actions: actions.delete_connected_account(connection_name=connection_name, identifier=identifier)
        )

    def execute_tool(
        self,
        tool_input: Mapping[str, Any] | Arguments | None = None,
        tool_name: str = "",
        identifier: str = "",
        *,
        connection_name: str | None = None,
    ) -> ToolResult:
        """Run one tool; the answer is the Graph-shaped dictionary itself, and the same under `.data`.

        Raises `AuthorizationRequired` when the account is not ACTIVE, with the link for the user in
        `details["authorization_url"]`, and the other classes of `scalekit_mcp.errors`.
        """
        return self._core.call(self._execution(tool_input, tool_name, identifier, connection_name))

    def execute_tool_soon(
        self,
        tool_input: Mapping[str, Any] | Arguments | None = None,
        tool_name: str = "",
        identifier: str = "",
        *,
        connection_name: str | None = None,
    ) -> Future[ToolResult]:
        """As `execute_tool`, without waiting: a future that asynchronous code can await by `asyncio.wrap_future`.

        Cancelling the future cancels the call.
        """
        return self._core.call_soon(self._execution(tool_input, tool_name, identifier, connection_name))

    @staticmethod
    def _execution(
        tool_input: Mapping[str, Any] | Arguments | None, tool_name: str, identifier: str, connection_name: str | None
    ) -> Callable[[Actions], Awaitable[ToolResult]]:
        return lambda actions: actions.execute_tool(
            identifier=identifier, tool_name=tool_name, tool_input=tool_input, connection_name=connection_name
        )


class _Core:
    """What a client and its `actions` share: the last of them to be forgotten closes it.

    Threads do not survive a fork, so each process has its own (a client that is made before a server forks its workers
    works in each of them).
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._by_process: dict[int, _CoreThread] = {}

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

    def close(self) -> None:
        """End the thread; waits for it."""
        self._thread().close()

    def _thread(self) -> _CoreThread:
        process = os.getpid()
        found = self._by_process.get(process)
        if found is None:
            made = _CoreThread(self._settings)
            found = self._by_process.setdefault(process, made)
            if found is made:
                weakref.finalize(self, made.close)
        return found


class _CoreThread:
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
    from scalekit_mcp.server.listener import Listener

    async with (
        Listener(preferred_port=settings.port, sandbox=settings.sandbox) as listener,
        open_actions(settings, link_base=listener.base_url) as actions,
    ):
        listener.serve(actions)
        yield actions


def _settings(env_url: str | None, client_id: str | None, client_secret: str | None, *, sandbox: bool) -> Settings:
    if sandbox or not (env_url or client_id or client_secret):
        return load_settings(sandbox=sandbox or None)
    return load_settings(
        mode="hosted", SCALEKIT_ENV_URL=env_url, SCALEKIT_CLIENT_ID=client_id, SCALEKIT_CLIENT_SECRET=client_secret
    )

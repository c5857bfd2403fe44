"""Tools for concurrent callers: shared runs, opening once, limits per key, and tasks that outlive their caller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import anyio

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

CANCEL_SECONDS = 1.0
"""How long a close waits for tasks that it cancelled."""


class RunningTasks:
    """Work that goes on to its end even if its caller is cancelled, until `aclose`."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` in a task of its own. What it raises is for whoever awaits the task, else asyncio logs it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for `work`; where the caller is cancelled meanwhile, it goes on and its failure is nobody's."""
        return await _shielded(self.start(work))

    async def aclose(self, seconds: float) -> None:
        """Wait up to `seconds` for what is running, then cancel it."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(set(self._tasks), timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=CANCEL_SECONDS)


class SingleFlight(Generic[K, T]):
    """At most one run for each key at a time: whoever asks while it runs gets its result.

    A run is not cancelled with a caller who waits for it. Nothing is kept of a key whose run has ended.
    """

    def __init__(self) -> None:
        self._flights: dict[K, asyncio.Task[T]] = {}
        self._tasks = RunningTasks()

    def __contains__(self, key: K) -> bool:
        """Whether a run for `key` is under way, which the next caller would join."""
        flight = self._flights.get(key)
        return flight is not None and not flight.done()

    async def run(self, key: K, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the run that is under way, or of a new one; raises what it raises."""
        return await _shielded(self.start(key, function))

    def start(self, key: K, function: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """The run that is under way, or a new one, without waiting for it."""
        flight = self._flights.get(key)
        if flight is None or flight.done():
            flight = self._flights[key] = self._tasks.start(function())
            flight.add_done_callback(lambda task: self._finished(key, task))
        return flight

    def forget(self, key: K) -> None:
        """From now on nobody joins the run that is under way; those who wait for it still get its result."""
        self._flights.pop(key, None)

    async def aclose(self, seconds: float) -> None:
        """Wait up to `seconds` for what is running, then cancel it."""
        await self._tasks.aclose(seconds)

    def _finished(self, key: K, task: asyncio.Task[T]) -> None:
        if self._flights.get(key) is task:
            del self._flights[key]


class OpenOnce(Generic[T]):
    """A resource that the first caller opens and all share; after a failed opening the next caller tries again."""

    def __init__(self, opener: Callable[[], Awaitable[T]]) -> None:
        self._opener = opener
        self._lock = asyncio.Lock()
        self._opened: list[T] = []

    async def get(self) -> T:
        """What was opened; raises what opening it raises."""
        if not self._opened:
            async with self._lock:
                if not self._opened:
                    self._opened.append(await self._opener())
        return self._opened[0]

    def take(self) -> T | None:
        """The open resource, for the caller to close, or None; the next `get` opens it again."""
        return self._opened.pop() if self._opened else None


class OnFirstUse(Generic[T]):
    """Opens a context manager on the first `get`, inside `run`.

    A context manager with a task group must be left by the task that entered it; a request handler cannot be that
    task, so the owner runs `run` in a task group of its own and handlers only wait.
    """

    def __init__(self, opener: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._opener = opener
        self._wanted = anyio.Event()
        self._ready = anyio.Event()
        self._value: list[T] = []
        self._failure: Exception | None = None

    async def run(self) -> None:
        """Wait until somebody asks, open, and keep open until cancelled."""
        await self._wanted.wait()
        try:
            async with self._opener() as value:
                self._value.append(value)
                self._ready.set()
                await anyio.sleep_forever()
        except Exception as failure:  # noqa: BLE001 - handed to whoever asked
            self._failure = failure
            self._ready.set()

    async def get(self) -> T:
        """The opened resource; raises what opening it raised."""
        self._wanted.set()
        await self._ready.wait()
        if self._failure is not None:
            raise self._failure
        return self._value[0]


class LimitReachedError(Exception):
    """The limit of a key is reached: its queue is full, or no place became free in time."""


@dataclass(slots=True)
class _KeyPlaces:
    """The places of one key, and how many callers hold or wait for one."""

    places: anyio.Semaphore
    members: int = 0


class KeyedLimiter(Generic[K]):
    """At most `places` at once for each key; the next ones wait in turn, at most `queue` of them (None: any number).

    Nothing is kept of a key that nobody uses.
    """

    def __init__(self, places: int, *, queue: int | None = None) -> None:
        self._places = places
        self._queue = queue
        self._lanes: dict[K, _KeyPlaces] = {}

    def __len__(self) -> int:
        """How many keys have somebody who holds or awaits a place."""
        return len(self._lanes)

    @asynccontextmanager
    async def place(self, key: K, *, wait_seconds: float) -> AsyncGenerator[None]:
        """Hold a place; raises `LimitReachedError` at once where the queue is full, else after `wait_seconds`."""
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _KeyPlaces(anyio.Semaphore(self._places, fast_acquire=True))
        if self._queue is not None and lane.members >= self._places + self._queue:
            raise LimitReachedError
        lane.members += 1
        try:
            await _acquire(lane.places, wait_seconds)
            try:
                yield
            finally:
                lane.places.release()
        finally:
            lane.members -= 1
            if not lane.members:
                del self._lanes[key]


async def _acquire(places: anyio.Semaphore, seconds: float) -> None:
    try:
        places.acquire_nowait()
    except anyio.WouldBlock:
        with anyio.move_on_after(seconds) as scope:
            await places.acquire()
        if scope.cancelled_caught:
            raise LimitReachedError from None


async def _shielded(task: asyncio.Task[T]) -> T:
    task.add_done_callback(_retrieve)
    return await asyncio.shield(task)


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # whoever waits has it; where nobody is left, nobody is to be told


LARGE_TEXT_CHARACTERS = 100_000
"""Text longer than this is worked on in a thread; what is shorter takes less time than handing it over is worth."""


async def off_loop(characters: int, work: Callable[[], T]) -> T:
    """What `work` returns: done here for a little text, in a thread for more than `LARGE_TEXT_CHARACTERS`."""
    if characters <= LARGE_TEXT_CHARACTERS:
        return work()
    return await anyio.to_thread.run_sync(work)

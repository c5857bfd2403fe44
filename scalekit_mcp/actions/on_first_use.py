"""A resource that opens when somebody first asks for it, in the task that will close it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")


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

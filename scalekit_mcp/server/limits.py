"""How many calls one caller may have in flight."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

from scalekit_mcp.errors import Throttled


@dataclass
class _Lane:
    semaphore: anyio.Semaphore
    members: int = field(default=0)


class CallLimiter:
    """At most `limit` calls of one caller run at once; the next ones wait their turn, bounded in number and time."""

    def __init__(self, limit: int = 16, *, queue: int = 64, wait_seconds: float = 30.0) -> None:
        self._limit = limit
        self._queue = queue
        self._wait_seconds = wait_seconds
        self._lanes: dict[str, _Lane] = {}

    @asynccontextmanager
    async def slot(self, identifier: str) -> AsyncGenerator[None]:
        """Hold one of the caller's places; raises `Throttled` when the queue is full or does not move."""
        lane = self._lanes.get(identifier)
        if lane is None:
            lane = self._lanes[identifier] = _Lane(anyio.Semaphore(self._limit))
        if lane.members >= self._limit + self._queue:
            raise self._refusal()
        lane.members += 1
        try:
            await self._acquire(lane)
            try:
                yield
            finally:
                lane.semaphore.release()
        finally:
            lane.members -= 1
            if not lane.members:
                self._lanes.pop(identifier, None)

    async def _acquire(self, lane: _Lane) -> None:
        with contextlib.suppress(anyio.WouldBlock):
            lane.semaphore.acquire_nowait()
            return
        with anyio.move_on_after(self._wait_seconds):
            await lane.semaphore.acquire()
            return
        raise self._refusal()

    def _refusal(self) -> Throttled:
        return Throttled(
            f"{self._limit} calls of this user are already running.",
            next_step="Wait for the running calls to finish, then repeat this one.",
            retry_after_seconds=5,
        )

"""How many calls one caller may have in flight."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from scalekit_mcp.concurrency import KeyedLimiter, LimitReachedError
from scalekit_mcp.errors import Throttled


class CallLimiter:
    """At most `limit` calls of one caller run at once; the next ones wait their turn, bounded in number and time."""

    def __init__(self, limit: int = 16, *, queue: int = 64, wait_seconds: float = 30.0) -> None:
        self._limit = limit
        self._wait_seconds = wait_seconds
        self._callers: KeyedLimiter[str] = KeyedLimiter(limit, queue=queue)

    @asynccontextmanager
    async def slot(self, identifier: str) -> AsyncGenerator[None]:
        """Hold one of the caller's places; raises `Throttled` when the queue is full or does not move."""
        try:
            async with self._callers.place(identifier, wait_seconds=self._wait_seconds):
                yield
        except LimitReachedError:
            raise Throttled(
                f"{self._limit} calls of this user are already running.",
                next_step="Wait for the running calls to finish, then repeat this one.",
                retry_after_seconds=5,
            ) from None

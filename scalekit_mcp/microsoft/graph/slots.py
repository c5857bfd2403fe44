"""How many requests to one mailbox may be in flight at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from scalekit_mcp.errors import Throttled

MAX_IN_FLIGHT_PER_MAILBOX = 4
"""Outlook's own limit for one application on one mailbox ("Microsoft Graph service-specific throttling limits")."""

MAX_WAIT_SECONDS = 60.0
_RETRY_AFTER_SECONDS = 10


@dataclass(slots=True)
class _Slots:
    """The slots of one mailbox, and how many requests hold or await one."""

    limiter: anyio.Semaphore
    users: int = 0


class MailboxSlots:
    """Four slots for each mailbox; nothing is kept of a mailbox that has no request."""

    def __init__(self) -> None:
        self._slots: dict[str, _Slots] = {}

    def __len__(self) -> int:
        """How many mailboxes have a request in flight or waiting."""
        return len(self._slots)

    @asynccontextmanager
    async def hold(self, mailbox: str, *, at_most: float = MAX_WAIT_SECONDS) -> AsyncGenerator[None]:
        """Hold a slot of the mailbox; raises `Throttled` if none comes free within `at_most` seconds."""
        slots = self._slots.get(mailbox)
        if slots is None:
            slots = self._slots[mailbox] = _Slots(anyio.Semaphore(MAX_IN_FLIGHT_PER_MAILBOX, fast_acquire=True))
        slots.users += 1
        try:
            await self._take(slots.limiter, min(at_most, MAX_WAIT_SECONDS))
            try:
                yield
            finally:
                slots.limiter.release()
        finally:
            slots.users -= 1
            if slots.users == 0:
                del self._slots[mailbox]

    async def _take(self, limiter: anyio.Semaphore, seconds: float) -> None:
        try:
            limiter.acquire_nowait()
        except anyio.WouldBlock:
            with anyio.move_on_after(seconds) as scope:
                await limiter.acquire()
            if scope.cancelled_caught:
                raise Throttled(
                    "Other calls on the same mailbox took all the time that this call may wait; it was not sent.",
                    retry_after_seconds=_RETRY_AFTER_SECONDS,
                ) from None

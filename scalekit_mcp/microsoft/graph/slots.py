"""How many requests to one mailbox may be in flight at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from scalekit_mcp.concurrency import KeyedLimiter, LimitReachedError
from scalekit_mcp.errors import Throttled

MAX_IN_FLIGHT_PER_MAILBOX = 4
"""Outlook's own limit for one application on one mailbox ("Microsoft Graph service-specific throttling limits")."""

MAX_WAIT_SECONDS = 60.0
_RETRY_AFTER_SECONDS = 10


class MailboxSlots:
    """Four slots for each mailbox; nothing is kept of a mailbox that has no request."""

    def __init__(self) -> None:
        self._mailboxes: KeyedLimiter[str] = KeyedLimiter(MAX_IN_FLIGHT_PER_MAILBOX)

    def __len__(self) -> int:
        """How many mailboxes have a request in flight or waiting."""
        return len(self._mailboxes)

    @asynccontextmanager
    async def hold(self, mailbox: str, *, at_most: float = MAX_WAIT_SECONDS) -> AsyncGenerator[None]:
        """Hold a slot of the mailbox; raises `Throttled` if none comes free within `at_most` seconds."""
        try:
            async with self._mailboxes.place(mailbox, wait_seconds=min(at_most, MAX_WAIT_SECONDS)):
                yield
        except LimitReachedError:
            raise Throttled(
                "Other calls on the same mailbox took all the time that this call may wait; it was not sent.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            ) from None

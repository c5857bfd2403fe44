"""Time, as an argument.

`SystemClock` is the one caller of `datetime.now` in the product; everything else is handed a `Clock`, so that a
test can move time by hand and a waiter can be bounded without a real pause.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

import anyio


class Clock(Protocol):
    """What the product asks of time: an instant and a pause."""

    def now(self) -> datetime:
        """The present instant, an aware datetime in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Pause for `seconds`; a cancellation point."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant, an aware datetime in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the one caller

    async def sleep(self, seconds: float) -> None:
        """Pause for `seconds`; a cancellation point."""
        await anyio.sleep(seconds)

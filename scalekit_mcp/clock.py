"""Time, as an argument, as a text and as a number.

`SystemClock` is the one caller of `datetime.now` in the product; everything else is handed a `Clock`, so that a
test can move time by hand and a waiter can be bounded without a real pause.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Literal, Protocol

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


def rfc3339(instant: datetime, *, timespec: Literal["auto", "seconds"] = "auto") -> str:
    """An aware `instant` as RFC 3339 writes it in UTC, with `Z` (section 5.6); `seconds` cuts the fraction off."""
    return instant.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def numeric_date(value: object) -> float | None:
    """A NumericDate (RFC 7519 section 2), in seconds; None for what is none, NaN and infinity among it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None  # an integer beyond every date

"""A clock that tests move by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio.lowlevel


class HandClock:
    """Stands still until moved. `sleep` records the pause and moves the clock by it, without really pausing."""

    def __init__(self, at: datetime = datetime(2026, 3, 30, 9, 0, tzinfo=UTC)) -> None:
        self.at = at
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.advance(seconds)
        await anyio.lowlevel.checkpoint()

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

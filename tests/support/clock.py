"""Clocks that tests move: one by hand, and the sandbox's."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import anyio.lowlevel

from scalekit_mcp.sandbox import Sandbox


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


@dataclass
class SandboxTime:
    """The sandbox's clock as the product's: a pause moves it, nobody waits."""

    sandbox: Sandbox
    sleeps: list[float] = field(default_factory=list[float])

    def now(self) -> datetime:
        return self.sandbox.clock.now()

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.sandbox.advance_clock(seconds)
        await anyio.lowlevel.checkpoint()

"""A line on stderr about what takes long: what is being done, how far it is, and since when.

It is shown after two seconds. On a terminal it is one line that is written over, and gone in the end, after Ctrl-C too.
Elsewhere (a pipe, a file) a plain line comes every ten seconds. stdout never gets any of it.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self, TextIO

from scalekit_mcp.clock import Clock, SystemClock
from scalekit_mcp.concurrency import RunningTasks

SHOWN_AFTER_SECONDS = 2.0
TERMINAL_SECONDS = 0.5
PLAIN_SECONDS = 10.0


Begin = Callable[[str], None]
"""Is told what is being done from now on."""


def unwatched(doing: str) -> None:
    """The `Begin` of whoever shows no progress."""


class Progress:
    """Shows `doing` while the block runs; `lines` writes plain lines on a terminal too, for commands that log there."""

    def __init__(
        self, doing: str, *, lines: bool = False, clock: Clock | None = None, stream: TextIO | None = None
    ) -> None:
        self._doing = doing
        self._so_far = ""
        self._clock = clock or SystemClock()
        self._stream = stream or sys.stderr
        terminal = self._stream.isatty()
        self._after_seconds = SHOWN_AFTER_SECONDS if terminal else PLAIN_SECONDS
        self._over = terminal and not lines
        self._begun_at = self._clock.now()
        self._shown = 0

    def begin(self, doing: str) -> None:
        """What is being done from now on."""
        self._doing, self._so_far = doing, ""

    def at(self, done: int, total: int | None = None) -> None:
        """How far it is, out of how many where that is known."""
        self._so_far = f" {done:,}" if total is None else f" {done:,} of {total:,}"

    def __enter__(self) -> Self:
        self._showing = RunningTasks().start(self._show())
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._showing.cancel()
        self._write("")

    async def _show(self) -> None:
        every = TERMINAL_SECONDS if self._over else PLAIN_SECONDS
        await self._clock.sleep(self._after_seconds)
        while True:
            seconds = (self._clock.now() - self._begun_at).total_seconds()
            self._write(f"{self._doing} ...{self._so_far} ({seconds:.0f} s)")
            await self._clock.sleep(every)

    def _write(self, text: str) -> None:
        """Show a text in place of what stands there; nobody may be there to read it."""
        with suppress(OSError, ValueError):
            if not self._over:
                if text:
                    self._stream.write(f"{text}\n")
            elif text or self._shown:
                text = text[: max(1, shutil.get_terminal_size().columns - 1)]
                # Spaces, and no control sequences, which not every console of Windows knows.
                self._stream.write(f"\r{text.ljust(self._shown)}" + ("" if text else "\r"))
                self._shown = len(text)
            self._stream.flush()

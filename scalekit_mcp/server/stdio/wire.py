"""The two pipes of stdio, with as few changes of thread as can be: each costs more than our own work on a call.

While serving, descriptor 0 is the null device, descriptor 1 is stderr and `sys.stdout` is `sys.stderr`, so that nothing
else touches the wire. The pipes may be shared with the parent, so they are never switched to answer at once: where a
read or write would wait, a thread of ours waits, and nobody waits for that thread when the process ends.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import logging
import os
import queue
import select
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)

WAITING_LINES = 256
"""How many lines are taken from stdin before the server has taken them; then reading pauses."""

LONGEST_LINE = 4 * 1024 * 1024
"""Characters of one message; a longer line is read over."""

STALLED_SECONDS = 600.0
"""A client that sends much, reads nothing and lets nothing go forward for so long is given up."""

_LOOK_SECONDS = 0.5
_CHUNK_BYTES = 65_536
_SURE_BYTES: int = getattr(select, "PIPE_BUF", 512)
"""A pipe that is ready takes so much without waiting (POSIX, `write`)."""


class LineQueue:
    """Lines on their way from the thread that reads them to the event loop; None stands for one that is too long."""

    def __init__(self) -> None:
        self.waiting: deque[str | None] = deque()
        self.ended = False
        self.stalled = False
        self.changed = asyncio.Event()
        self._room = threading.Semaphore(WAITING_LINES)

    def wait_for_room(self, seconds: float) -> bool:
        """In the thread: until another line may be put, at most `seconds`; whether it may."""
        return self._room.acquire(timeout=seconds)

    def put(self, line: str | None) -> None:
        """On the event loop: one more line, unless they have ended."""
        if not self.ended:
            self.waiting.append(line)
            self.changed.set()

    def make_room(self) -> None:
        """On the event loop: a line has been dealt with, another may come."""
        self._room.release()

    def end(self) -> None:
        """On the event loop: no more lines."""
        self.ended = True
        self.changed.set()

    def stall(self) -> None:
        """On the event loop: no more lines, and no use in waiting for those under way."""
        self.ended = self.stalled = True
        self.changed.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class StdinEnd:
    """What the thread that reads does about the end of stdin.

    `told` is called there when the client has closed it. A client that has closed it and lets nothing go forward for
    `patience_seconds` is given up, so that a full queue does not hide the end.
    """

    told: Callable[[], object] = lambda: None
    patience_seconds: float = STALLED_SECONDS


@asynccontextmanager
async def stdin_lines(end: StdinEnd) -> AsyncGenerator[LineQueue]:
    """The lines of stdin.

    A thread of our own reads them: a read of a pipe cannot be interrupted, and a thread of anyio's pool would hold up
    the end of the process.
    """
    lines = LineQueue()
    with _diverted(0, to=os.devnull) as descriptor:
        reader = _Reader(descriptor, lines, asyncio.get_running_loop(), end)
        threading.Thread(target=reader.run, name="stdin", daemon=True).start()
        try:
            yield lines
        finally:
            lines.end()


@contextmanager
def stdout_pipe(gone: Callable[[], object]) -> Generator[StdoutPipe]:
    """Stdout for the server's messages; `gone` is called when nobody is left to read them."""
    beside = sys.stdout
    beside.flush()
    with _diverted(1, to=2) as descriptor, contextlib.redirect_stdout(sys.stderr):
        try:
            yield StdoutPipe(descriptor, gone)
        finally:
            with contextlib.suppress(OSError, ValueError):
                beside.flush()  # what was printed beside the wire by whoever kept the stream


class StdoutPipe:
    """Writes at once while the pipe takes it, and in a thread of its own where the client does not read.

    Where the system does not tell whether a pipe is ready (Windows), the thread writes everything.
    """

    def __init__(self, descriptor: int, gone: Callable[[], object]) -> None:
        self._descriptor = descriptor
        self._gone = gone
        self._closed = False
        self._poll: Any = None
        if hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(descriptor, select.POLLOUT)
        self._work: queue.SimpleQueue[tuple[bytes, Callable[[bool], None]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._behind: set[asyncio.Future[None]] = set()

    @property
    def stuck(self) -> bool:
        """Whether something waits for the client to read."""
        return bool(self._behind)

    async def write(self, text: str) -> None:
        """The whole text, or nothing once the client has gone."""
        if self._closed:
            return
        rest = text.encode()
        if not self._behind:
            try:
                while rest and self._poll is not None and self._poll.poll(0):
                    rest = rest[self._written(rest[:_SURE_BYTES]) :]
            except OSError:
                self._break()
                return
        if rest:
            await self._hand_over(rest)

    def give_up(self) -> None:
        """Wait no longer for the client to read, and write nothing more."""
        self._closed = True
        for future in self._behind:
            if not future.done():
                future.set_result(None)

    async def _hand_over(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._behind.add(future)

        def done(written: bool) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed
                loop.call_soon_threadsafe(self._done, future, written)

        self._work.put((data, done))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="stdout", daemon=True)
            self._thread.start()
        await future

    def _done(self, future: asyncio.Future[None], written: bool) -> None:
        self._behind.discard(future)
        if not written:
            self._break()
        if not future.done():
            future.set_result(None)

    def _break(self) -> None:
        if not self._closed:
            logger.warning("The client has gone without closing its side; answers under way reach nobody")
            self.give_up()
            self._gone()

    def _run(self) -> None:
        while True:
            rest, done = self._work.get()
            try:
                while rest:
                    if self._poll is not None:
                        self._poll.poll()
                    rest = rest[self._written(rest) :]
            except OSError:
                done(False)
            else:
                done(True)

    def _written(self, data: bytes) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:  # whoever shares the descriptor made it answer at once instead of waiting
            return 0


class _Reader:
    """The thread that reads stdin."""

    def __init__(self, descriptor: int, lines: LineQueue, loop: asyncio.AbstractEventLoop, end: StdinEnd) -> None:
        self._descriptor = descriptor
        self._lines = lines
        self._loop = loop
        self._end = end
        self._parts: list[str] = []
        self._size = 0

    def run(self) -> None:
        """Read until the end."""
        decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        with contextlib.suppress(RuntimeError):  # the loop has closed
            while chunk := _read(self._descriptor):
                first, *whole = decoder.decode(chunk).split("\n")
                for following in whole:
                    if not self._put(first):
                        return
                    first = following
                self._keep(first)
            if self._put(""):
                self._end.told()
                self._loop.call_soon_threadsafe(self._lines.end)

    def _keep(self, part: str) -> None:
        self._size += len(part)
        if self._size <= LONGEST_LINE:
            self._parts.append(part)
        else:
            self._parts.clear()

    def _put(self, last: str) -> bool:
        """Pass on the line that `last` completes; whether anybody still takes lines."""
        self._keep(last)
        line = "".join(self._parts) if self._size <= LONGEST_LINE else None
        self._parts, self._size = [], 0
        if line is None or line.strip():
            if not self._wait_for_room():
                self._end.told()
                self._loop.call_soon_threadsafe(self._lines.stall)
                return False
            self._loop.call_soon_threadsafe(self._lines.put, line)
        return True

    def _wait_for_room(self) -> bool:
        began = time.monotonic()
        while not self._lines.wait_for_room(_LOOK_SECONDS):
            patience = self._end.patience_seconds if _hung_up(self._descriptor) else STALLED_SECONDS
            if time.monotonic() - began > patience:
                return False
        return True


def _hung_up(descriptor: int) -> bool:
    """Whether the other side has closed the pipe, whatever is left in it; False where the system does not tell."""
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))


def _read(descriptor: int) -> bytes:
    """What has come, or nothing at the end."""
    while True:
        try:
            return os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:  # whoever shares the descriptor made it answer at once instead of waiting
            select.select([descriptor], [], [])
        except OSError:
            return b""


@contextmanager
def _diverted(standard: int, *, to: int | str) -> Generator[int]:
    """A private duplicate of a standard descriptor, which leads elsewhere meanwhile."""
    private = os.dup(standard)
    elsewhere = os.open(to, os.O_RDONLY) if isinstance(to, str) else to
    os.dup2(elsewhere, standard)
    if isinstance(to, str):
        os.close(elsewhere)
    try:
        yield private
    finally:
        os.dup2(private, standard)

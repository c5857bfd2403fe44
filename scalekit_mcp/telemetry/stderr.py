"""A stderr that never blocks the server, even if nobody reads it.

A pipe takes 64 kB and then makes every writer wait, for good if its reader has stopped. So one thread of our own
writes, and everybody else puts text into a queue that never waits. The thread writes past Python's own buffers: their
lock, held by a write that waits, would stop the interpreter when it ends.
"""

from __future__ import annotations

import atexit
import io
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TextIO

WAITING_CHARACTERS = 1_048_576
"""How much text waits for the reader of stderr; what comes beyond it is dropped and counted."""

PAUSE_SECONDS = 0.02
"""How long the thread rests after it has written, so that the lines of a busy server are written together: each time
that it wakes up, the event loop has to hand over the interpreter."""

END_SECONDS = 1.0
"""How long the end of the process waits until the queued text is written."""

_LONGEST_PART = 65_536
"""A line without end is passed on in parts of this many characters."""


class LineWriter:
    """A bounded queue of text and the one thread that writes it; `put` never waits.

    `write` takes text and may wait as long as it likes; texts that come within `pause_seconds` after it are written
    together. `dropped` makes the line that tells how many texts were lost.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        *,
        most: int = WAITING_CHARACTERS,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self.dropped: Callable[[int], str] = _dropped
        self._write = write
        self._most = most
        self._pause_seconds = pause_seconds
        self._changed = threading.Condition()  # reentrant: a destructor may log while this thread logs
        self._waiting: deque[str] = deque()
        self._size = 0
        self._lost = 0
        self._busy = False
        self._asleep = False
        self._closing = False
        self._broken = False
        self._thread: threading.Thread | None = None

    def put(self, text: str) -> None:
        """Queue text, or drop it if too much is waiting."""
        with self._changed:
            if self._broken:
                return
            if self._size + len(text) > self._most:
                self._lost += 1
                return
            self._waiting.append(text)
            self._size += len(text)
            self._start()
            if self._asleep or self._is_urgent():
                self._changed.notify_all()

    def close(self, seconds: float = END_SECONDS) -> bool:
        """Wait until everything is written, at most `seconds`; whether it is. More may be put afterwards."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            try:
                return self._changed.wait_for(self._idle, seconds)
            finally:
                self._closing = False

    def _idle(self) -> bool:
        return not self._waiting and not self._busy and not self._lost

    def _is_urgent(self) -> bool:
        return self._closing or self._size * 2 > self._most

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="stderr", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._asleep = True
                self._changed.wait_for(lambda: self._waiting)
                self._asleep = False
                self._busy = True
                batch = "".join(self._waiting)
                self._waiting.clear()
                self._size = 0
                lost, self._lost = self._lost, 0
            try:
                self._write(batch + self.dropped(lost) if lost else batch)
            except (OSError, ValueError):  # closed: nobody will ever read
                with self._changed:
                    self._broken = True
                    self._waiting.clear()
                    self._lost, self._busy = 0, False
                    self._changed.notify_all()
                return
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(self._is_urgent, self._pause_seconds)


class QueuedStderr(io.TextIOBase):
    """Replaces `sys.stderr`: takes text like any text stream and passes whole lines to a `LineWriter`."""

    def __init__(self, stream: TextIO, *, most: int = WAITING_CHARACTERS) -> None:
        self._stream = stream
        self._encoding = stream.encoding or "utf-8"
        self._errors = "backslashreplace" if stream.errors in (None, "strict") else stream.errors
        self._lock = threading.RLock()
        self._part = ""
        self.writer = LineWriter(_unbuffered(stream, self._encoding, self._errors), most=most)

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base has an attribute
        """That of the stream behind."""
        return self._encoding

    @property
    def errors(self) -> str:  # type: ignore[override]  # the base has an attribute
        """What becomes of what cannot be encoded: as with the stream behind, or an escape."""
        return self._errors

    def write(self, text: str, /) -> int:
        """Take text; whole lines go to the writer at once."""
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # as every text stream does
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            whole, newline, self._part = (self._part + text).rpartition("\n")
            if newline:
                self._put(whole + newline)
            if len(self._part) > _LONGEST_PART:
                self.flush()
        return len(text)

    def flush(self) -> None:
        """Hand on a line that has not ended; does not wait until it is written."""
        with self._lock:
            part, self._part = self._part, ""
            if part:
                self._put(part)

    def _put(self, text: str) -> None:
        self.writer.put(text)

    def writable(self) -> bool:
        """Yes."""
        return True

    def isatty(self) -> bool:
        """Whether a person looks at the stream behind."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """That of the stream behind."""
        return self._stream.fileno()


def queue_stderr() -> QueuedStderr | None:
    """Put the queue in front of `sys.stderr` until the process ends; None in a process that has no stderr.

    Called again it answers the queue that stands there. What waits is still written at the end, for `END_SECONDS`.
    """
    stream = sys.stderr
    if stream is None or isinstance(stream, QueuedStderr):  # pyright: ignore[reportUnnecessaryComparison]  # pythonw
        return stream
    queued = QueuedStderr(stream)
    sys.stderr = queued
    atexit.register(_end, queued)
    return queued


def _end(queued: QueuedStderr) -> None:
    queued.flush()
    queued.writer.close()


def _dropped(number: int) -> str:
    return f"{number} texts were dropped: nobody read stderr\n"


def _unbuffered(stream: TextIO, encoding: str, errors: str) -> Callable[[str], object]:
    """How to write past the buffers of `stream`; through it where it has none of the ordinary kind."""
    raw: Any = getattr(getattr(stream, "buffer", None), "raw", None)
    if raw is None:

        def through(text: str) -> None:
            stream.write(text.encode(encoding, errors).decode(encoding))
            stream.flush()

        return through
    full = threading.Event()

    def write(text: str) -> None:
        rest = memoryview(text.encode(encoding, errors))
        while rest:
            taken = raw.write(rest[:_LONGEST_PART])
            if taken is None:  # whoever shares the descriptor made it answer at once instead of waiting
                full.wait(0.05)
            else:
                rest = rest[taken:]

    return write


__all__ = ["END_SECONDS", "WAITING_CHARACTERS", "LineWriter", "QueuedStderr", "queue_stderr"]

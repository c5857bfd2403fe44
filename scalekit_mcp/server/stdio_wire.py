"""The two pipes of stdio, with as few changes of thread as can be: each costs more than our own work on a call.

While serving, descriptor 0 is the null device and descriptor 1 is stderr, so that nothing else touches the wire.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import logging
import math
import os
import select
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager

import anyio
import anyio.to_thread

logger = logging.getLogger(__name__)

WAITING_LINES = 256
"""How many lines are taken from stdin before the server has looked at them."""

_CHUNK_BYTES = 65_536
_SURE_BYTES = getattr(select, "PIPE_BUF", 512)
"""A pipe that is ready takes so much without waiting (POSIX, `write`)."""


@asynccontextmanager
async def stdin_lines() -> AsyncGenerator[tuple[AsyncIterator[str], Callable[[], None]]]:
    """The lines of stdin, and a call that ends them early.

    A thread of our own reads them: a read of a pipe cannot be interrupted, and a thread of anyio's pool would hold up
    the end of the process.
    """
    lines = _Lines()
    with _diverted(0, to=os.devnull) as descriptor:
        arguments = (descriptor, lines, asyncio.get_running_loop())
        threading.Thread(target=_read_lines, args=arguments, name="stdin", daemon=True).start()
        try:
            yield lines, lines.end
        finally:
            lines.end()


@contextmanager
def stdout_pipe(gone: Callable[[], object]) -> Generator[StdoutPipe | None]:
    """Stdout for the server's messages; None on a system that does not tell whether a pipe is ready.

    `gone` is called when nobody is left to read them.
    """
    if not hasattr(select, "poll"):
        yield None
        return
    sys.stdout.flush()
    with _diverted(1, to=2) as descriptor:
        try:
            yield StdoutPipe(descriptor, gone)
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()  # what was printed beside the wire


class StdoutPipe:
    """Writes at once while the pipe takes it, and in a worker thread where the client does not read."""

    def __init__(self, descriptor: int, gone: Callable[[], object]) -> None:
        self._descriptor = descriptor
        self._gone = gone
        self._broken = False
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    async def write(self, text: str) -> None:
        """The whole text, or nothing once the client has gone."""
        if self._broken:
            return
        rest = text.encode()
        try:
            while rest and self._poll.poll(0):
                rest = self._written(rest)
            if rest:
                await anyio.to_thread.run_sync(self._write_waiting, rest)
        except BrokenPipeError:
            logger.warning("The client has gone without closing its side; answers under way reach nobody")
            self._broken = True
            self._gone()

    async def flush(self) -> None:
        """Nothing is held back."""

    def _write_waiting(self, rest: bytes) -> None:
        while rest:
            self._poll.poll()
            rest = self._written(rest)

    def _written(self, rest: bytes) -> bytes:
        return rest[os.write(self._descriptor, rest[:_SURE_BYTES]) :]


class _Lines:
    """Lines on their way from the thread that reads them to the event loop."""

    def __init__(self) -> None:
        self._sender, self._receiver = anyio.create_memory_object_stream[str](math.inf)
        self._room = threading.Semaphore(WAITING_LINES)

    def wait_for_room(self) -> None:
        """In the thread: until another line may be put."""
        self._room.acquire()

    def put(self, line: str) -> None:
        """On the event loop: one more line, unless they have ended."""
        with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            self._sender.send_nowait(line)

    def end(self) -> None:
        """On the event loop: no more lines."""
        self._sender.close()

    def __aiter__(self) -> _Lines:
        return self

    async def __anext__(self) -> str:
        try:
            line = await self._receiver.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None
        self._room.release()
        return line


def _read_lines(descriptor: int, lines: _Lines, loop: asyncio.AbstractEventLoop) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = ""

    def put(line: str) -> None:
        if line.strip():
            lines.wait_for_room()
            loop.call_soon_threadsafe(lines.put, line)

    with contextlib.suppress(RuntimeError):  # the loop has closed
        while chunk := os.read(descriptor, _CHUNK_BYTES):
            *whole, rest = (rest + decoder.decode(chunk)).split("\n")
            for line in whole:
                put(line)
        put(rest)
        loop.call_soon_threadsafe(lines.end)


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

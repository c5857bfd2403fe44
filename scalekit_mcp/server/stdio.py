"""Serving over stdin and stdout. Logs and stray output go to stderr; calls in flight finish before the process ends."""

from __future__ import annotations

import codecs
import contextlib
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any, cast

import anyio
import anyio.from_thread
import anyio.lowlevel
from anyio.abc import ObjectSendStream
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse, RequestId

from scalekit_mcp.server.signals import on_stop_signal

DRAIN_SECONDS = 20.0
_CHUNK_BYTES = 65_536


async def serve_stdio(
    server: Server[Any],
    *,
    listener: AbstractAsyncContextManager[Any] | None = None,
    drain_seconds: float = DRAIN_SECONDS,
) -> None:
    """Serve one client until it closes stdin or the process is told to stop (SIGINT, SIGTERM).

    Either way the calls in flight have `drain_seconds` to finish. `listener` (the browser pages) is open meanwhile.
    """
    async with contextlib.AsyncExitStack() as stack:
        if listener is not None:
            await stack.enter_async_context(listener)
        lines, end_of_lines = await stack.enter_async_context(_stdin_lines())
        stack.enter_context(on_stop_signal(end_of_lines))
        stdin = cast("anyio.AsyncFile[str]", lines)  # only iterated
        async with stdio_server(stdin=stdin) as (read_stream, write_stream):
            pending = _Pending(drain_seconds)
            await server.run(
                _ReadStream(read_stream, pending),
                _WriteStream(write_stream, pending),
                server.create_initialization_options(),
            )


class _Pending:
    """The requests that are not answered yet."""

    def __init__(self, drain_seconds: float) -> None:
        self._ids: set[RequestId] = set()
        self._idle = anyio.Event()
        self._drain_seconds = drain_seconds

    def received(self, message: object) -> None:
        if isinstance(message, JSONRPCRequest):
            self._ids.add(message.id)
        elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            # a cancelled request gets no answer
            self._settle((message.params or {}).get("requestId"))

    def sent(self, message: object) -> None:
        if isinstance(message, JSONRPCResponse | JSONRPCError):
            self._settle(message.id)

    async def drain(self) -> None:
        with anyio.move_on_after(self._drain_seconds):
            while self._ids:
                self._idle = anyio.Event()
                await self._idle.wait()

    def _settle(self, request_id: object) -> None:
        self._ids.discard(cast("RequestId", request_id))
        if not self._ids:
            self._idle.set()


class _ReadStream:
    """The client's messages; their end is held back until what they asked for is answered."""

    def __init__(self, inner: Any, pending: _Pending) -> None:
        self._inner = inner
        self._pending = pending

    async def receive(self) -> SessionMessage | Exception:
        try:
            item: SessionMessage | Exception = await self._inner.receive()
        except anyio.EndOfStream:
            await self._pending.drain()
            raise
        if isinstance(item, SessionMessage):
            self._pending.received(item.message)
        return item

    def __aiter__(self) -> _ReadStream:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> _ReadStream:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


class _WriteStream:
    """Our messages; notes which requests are answered."""

    def __init__(self, inner: Any, pending: _Pending) -> None:
        self._inner = inner
        self._pending = pending

    async def send(self, item: SessionMessage, /) -> None:
        await self._inner.send(item)
        self._pending.sent(item.message)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> _WriteStream:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


@asynccontextmanager
async def _stdin_lines() -> AsyncGenerator[tuple[AsyncIterator[str], Callable[[], None]]]:
    """The lines of stdin, and a call that ends them early.

    A thread of our own reads them: a read of a pipe cannot be interrupted, and a thread of anyio's pool would hold up
    the end of the process. While serving, descriptor 0 is the null device, so that nothing else reads the wire.
    """
    sender, receiver = anyio.create_memory_object_stream[str](0)
    descriptor = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    token = anyio.lowlevel.current_token()
    threading.Thread(target=_read_lines, args=(descriptor, sender, token), name="stdin", daemon=True).start()
    try:
        yield receiver, sender.close
    finally:
        os.dup2(descriptor, 0)
        sender.close()
        receiver.close()


def _read_lines(descriptor: int, sender: ObjectSendStream[str], token: Any) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = ""
    with contextlib.suppress(RuntimeError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        while chunk := os.read(descriptor, _CHUNK_BYTES):
            *lines, rest = (rest + decoder.decode(chunk)).split("\n")
            for line in lines:
                if line.strip():
                    anyio.from_thread.run(sender.send, line, token=token)
        if rest.strip():
            anyio.from_thread.run(sender.send, rest, token=token)
        anyio.from_thread.run(sender.aclose, token=token)


__all__ = ["DRAIN_SECONDS", "serve_stdio"]

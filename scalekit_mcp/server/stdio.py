"""Serving over stdin and stdout. Logs and stray output go to stderr; calls in flight finish before the process ends."""

from __future__ import annotations

import contextlib
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, cast

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse, RequestId

from scalekit_mcp.server.signals import on_stop_signal
from scalekit_mcp.server.stdio_wire import stdin_lines, stdout_pipe

DRAIN_SECONDS = 20.0


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
        lines, end_of_lines = await stack.enter_async_context(stdin_lines())
        stack.enter_context(on_stop_signal(end_of_lines))
        # The SDK only iterates the one, and writes and flushes the other.
        stdin = cast("anyio.AsyncFile[str]", lines)
        stdout = cast("anyio.AsyncFile[str] | None", stack.enter_context(stdout_pipe(end_of_lines)))
        async with stdio_server(stdin=stdin, stdout=stdout) as (read_stream, write_stream):
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


__all__ = ["DRAIN_SECONDS", "serve_stdio"]

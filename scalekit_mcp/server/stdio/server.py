"""Serving over stdin and stdout. Logs and stray output go to stderr; calls in flight finish before the process ends."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter, deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from mcp.types import (
    INVALID_REQUEST,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from scalekit_mcp.server.stdio.wire import LONGEST_LINE, LineQueue, StdinEnd, StdoutPipe, stdin_lines, stdout_pipe
from scalekit_mcp.server.stopping import StopDeadline, on_stop_signal

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 20.0
RUNNING_REQUESTS = 64
"""How many requests run at once. Further ones wait, and behind `WAITING_LINES` of them reading pauses.

They wait instead of being refused: a client that sends faster than Microsoft answers loses nothing, and a refusal would
have to go through the very pipe that is perhaps not read. Answers and cancellations pass the waiting requests, so that
a call that asks the person something gets its answer.
"""


async def serve_stdio(
    server: Server[Any],
    *,
    listener: AbstractAsyncContextManager[Any] | None = None,
    drain_seconds: float = DRAIN_SECONDS,
    deadline: StopDeadline | None = None,
    when_listed: Callable[[], object] = lambda: None,
) -> None:
    """Serve one client until it closes stdin or the process is told to stop (SIGINT, SIGTERM).

    Either way the calls in flight have `drain_seconds` to finish. `listener` (the browser pages) is open meanwhile.
    `deadline` ends a process that hangs nevertheless. `when_listed` is called once, when the client has the answer of
    its first tools/list and nobody waits for anything.
    """

    def begin_to_end() -> None:
        if deadline is not None:
            deadline.begin(drain_seconds)

    try:
        async with contextlib.AsyncExitStack() as stack:
            if listener is not None:
                await stack.enter_async_context(listener)
            lines = await stack.enter_async_context(
                stdin_lines(StdinEnd(told=begin_to_end, patience_seconds=drain_seconds))
            )

            def gone() -> None:
                begin_to_end()
                lines.end()

            stack.enter_context(on_stop_signal(lines.end, at_once=begin_to_end))
            pipe = stack.enter_context(stdout_pipe(gone))
            requests = _Requests(lines, pipe, drain_seconds, when_listed)
            reading: Any = _Reading(requests, pipe)
            writing: Any = _Writing(requests, pipe)
            options = server.create_initialization_options()
            await server.run(reading, writing, options)
            if requests.begin_anew():
                await server.run(reading, writing, options)
    finally:
        begin_to_end()


class _Requests:
    """The client's messages in order; at most `RUNNING_REQUESTS` of its requests run at once."""

    def __init__(
        self, lines: LineQueue, pipe: StdoutPipe, drain_seconds: float, when_listed: Callable[[], object]
    ) -> None:
        self._lines = lines
        self._pipe = pipe
        self._drain_seconds = drain_seconds
        self._when_listed: Callable[[], object] | None = when_listed
        self._listing: str | None = None
        self._end: float | None = None
        self._running: Counter[str] = Counter()
        self._held: deque[JSONRPCRequest] = deque()
        self._begun = False
        self._only_discovery = False
        self._initialize: JSONRPCRequest | None = None

    def begin_anew(self) -> bool:
        """Whether the client goes on with `initialize`, which is then the next message.

        The SDK refuses `initialize` on a connection that began with a request of protocol 2026-07-28. A client of both
        eras asks `server/discover` first and, when the answer is not there in time (the Vercel AI SDK waits one second,
        less than a cold start may take), goes on with `initialize` in the same pipe.
        """
        if self._initialize is None:
            return False
        self._held.appendleft(self._initialize)
        self._initialize = None
        return True

    async def next(self) -> SessionMessage | Exception | None:
        """The next message for the server; None once they have ended and what they asked for had its time.

        None too when the client begins anew: what it has asked so far is answered then.
        """
        while not self._lines.ended:
            found = self._next_now()
            if found is not None or (self._initialize is not None and not self._running):
                return found
            await self._change()
        if self._end is None:
            self._end = anyio.current_time() + self._drain_seconds
        with anyio.CancelScope(deadline=self._end):
            while not self._lines.stalled:
                found = self._next_now()
                if found is not None or not self._running:
                    return found
                await self._change()
        self._give_up()
        return None

    def answered(self, request_id: object) -> None:
        """A request has been answered, or needs no answer any more."""
        key = str(request_id)
        if self._running[key] > 1:
            self._running[key] -= 1
        else:
            del self._running[key]
        self._lines.changed.set()
        if key == self._listing and self._when_listed is not None:
            self._when_listed()
            self._when_listed = None

    def _give_up(self) -> None:
        self._initialize = None
        logger.warning(
            "%d requests were not answered within %g seconds of the end",
            self._running.total() + len(self._held),
            self._drain_seconds,
        )
        if self._pipe.stuck:
            self._pipe.give_up()

    async def _change(self) -> None:
        self._lines.changed.clear()
        await self._lines.changed.wait()

    def _next_now(self) -> SessionMessage | Exception | None:
        """What can be handed to the server without waiting."""
        if self._initialize is not None:
            return None
        if self._held and self._has_room():
            return self._run(self._held.popleft())
        while self._lines.waiting:
            line = self._lines.waiting.popleft()
            if line is None:
                self._lines.make_room()
                return _LineTooLongError()
            try:
                message = jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValidationError as exc:
                self._lines.make_room()
                return exc
            if isinstance(message, JSONRPCRequest):
                if message.method == "initialize" and self._only_discovery:
                    self._initialize = message
                    return None
                if self._has_room():
                    return self._run(message)
                self._held.append(message)
                continue
            self._lines.make_room()
            if isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
                self._cancelled((message.params or {}).get("requestId"))
            return SessionMessage(message)
        return None

    def _has_room(self) -> bool:
        return self._running.total() < RUNNING_REQUESTS

    def _run(self, request: JSONRPCRequest) -> SessionMessage:
        self._lines.make_room()
        discovery = request.method == "server/discover"
        self._only_discovery = discovery and (self._only_discovery or not self._begun)
        self._begun = True
        self._running[str(request.id)] += 1
        if request.method == "tools/list":
            self._listing = str(request.id)
        return SessionMessage(request)

    def _cancelled(self, request_id: object) -> None:
        """A cancelled request gets no answer; one that waits is never run."""
        for request in self._held:
            if str(request.id) == str(request_id):
                self._held.remove(request)
                self._lines.make_room()
                return
        self.answered(request_id)


class _LineTooLongError(Exception):
    """A message had more than `LONGEST_LINE` characters and was read over."""


class _Reading:
    """The client's messages as the SDK reads them."""

    def __init__(self, requests: _Requests, pipe: StdoutPipe) -> None:
        self._requests = requests
        self._pipe = pipe

    def __aiter__(self) -> _Reading:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def receive(self) -> SessionMessage | Exception:
        while isinstance(found := await self._requests.next(), _LineTooLongError):
            text = f"A message had more than {LONGEST_LINE} characters and was not read; send a shorter one."
            error = JSONRPCError(jsonrpc="2.0", id=None, error=ErrorData(code=INVALID_REQUEST, message=text))
            await self._pipe.write(error.model_dump_json(by_alias=True, exclude_unset=True) + "\n")
        if found is None:
            raise anyio.EndOfStream
        return found

    async def aclose(self) -> None:
        """Nothing to close: the thread that reads cannot be interrupted."""

    async def __aenter__(self) -> _Reading:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


class _Writing:
    """Our messages; notes which requests are answered."""

    def __init__(self, requests: _Requests, pipe: StdoutPipe) -> None:
        self._requests = requests
        self._pipe = pipe

    async def send(self, item: SessionMessage, /) -> None:
        message = item.message
        await self._pipe.write(message.model_dump_json(by_alias=True, exclude_unset=True) + "\n")
        if isinstance(message, JSONRPCResponse | JSONRPCError):
            self._requests.answered(message.id)

    async def aclose(self) -> None:
        """Nothing to close: the descriptor goes back to where it came from."""

    async def __aenter__(self) -> _Writing:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


__all__ = ["DRAIN_SECONDS", "RUNNING_REQUESTS", "serve_stdio"]

"""An HTTP/1.1 connection with limits on the time and the size of each part of a request.

uvicorn's own connection on httptools waits for good for a request that does not end, and takes headers without end.
Here every part has a deadline and a size (RFC 6585 section 5, RFC 9110 sections 15.5.9 and 15.5.15), for every route.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, ClassVar

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from scalekit_mcp.server.callers.vouching import extension_of
from scalekit_mcp.server.http.connections import SWEEP_SECONDS, ConnectionTable, DescriptorShare

MAX_HEAD_BYTES = 65_536
MAX_HEADERS = 100
MAX_TARGET_BYTES = 16_384
MAX_PIPELINED = 16
HEAD_SECONDS = 10.0
BODY_SECONDS = 30.0
IDLE_SECONDS = 75.0
"""How long a connection waits for its next request: longer than the minute for which most balancers keep one."""
CALLER_IDLE_SECONDS = 620.0
"""The same after an authenticated request; there are balancers that keep connections for ten minutes."""
UNREAD_ANSWER_SECONDS = 30.0
LINGER_SECONDS = 2.0
"""How long a client that was refused may go on sending, so that it reads the refusal instead of a reset."""

_PIECE = 16_384
_CHUNK_BYTES = 32
"""What one chunk may have around its data: its size, its line ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionTimes:
    """Seconds: a request's head from its first byte (or the connection's beginning), its body, an answer unread.

    `idle` is the time between two requests, `caller_idle` that on a connection that served a caller. Deadlines are
    looked at every `sweep` seconds.
    """

    head: float = HEAD_SECONDS
    body: float = BODY_SECONDS
    unread_answer: float = UNREAD_ANSWER_SECONDS
    idle: float = IDLE_SECONDS
    caller_idle: float = CALLER_IDLE_SECONDS
    linger: float = LINGER_SECONDS
    sweep: float = SWEEP_SECONDS


class BoundedHttp(HttpToolsProtocol):
    """One connection; `bounded_config` makes the class that a server uses."""

    table: ClassVar[ConnectionTable]
    times: ClassVar[ConnectionTimes]

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._wait_when_idle(self.times.idle)
        self._deadline: float | None = None
        self._unread_until: float | None = None
        self._deaf = False  # refused, or no longer HTTP: what still comes is dropped
        self._in_head = True
        self._message = 0
        self._head_bytes = 0  # complete header fields of this message
        self._loose_bytes = 0  # bytes of this message that are no body, as far as chunks do not explain them
        self._body_bytes = 0
        self._chunks = 0
        self._plain_head = b""
        self._fault: tuple[int, str] | None = None

    # -- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A client has connected; the head of its first request is due."""
        super().connection_made(transport)
        self._deadline = self.loop.time() + self.times.head
        if not self.table.open(self):
            self._deaf = True
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self.table.close(self)
        super().connection_lost(exc)

    def give_way(self) -> None:
        """End at once: another connection needs the place."""
        self._deaf = True
        self.transport.abort()

    def check_times(self, now: float) -> None:
        """End the connection if one of its deadlines has passed."""
        if self._unread_until is not None and now >= self._unread_until:
            self.transport.abort()
        elif self._deadline is not None and now >= self._deadline:
            self._deadline = None
            if self._deaf or self._answered_early():
                self.transport.abort()
            elif self._in_head and not self._message:
                self.transport.close()  # it never said a word
            else:
                self._refuse(408, "The request took too long to arrive.")

    def pause_writing(self) -> None:
        """The client does not read its answer."""
        self._unread_until = self.loop.time() + self.times.unread_answer
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._unread_until = None
        super().resume_writing()

    # -- what comes in

    def data_received(self, data: bytes) -> None:
        """Read what came, in pieces small enough that a limit is met soon after it is passed."""
        if self._deaf:
            return
        self._unset_keepalive_if_required()
        if self._deadline is None and self._in_head:
            self._deadline = self.loop.time() + self.times.head
        for start in range(0, len(data), _PIECE):
            if self._deaf:
                return
            self._take(data[start : start + _PIECE] if len(data) > _PIECE else data)

    def _take(self, piece: bytes) -> None:
        message, body_bytes, chunks = self._message, self._body_bytes, self._chunks
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            head, self._plain_head = self._plain_head, b""
            self.parser = httptools.HttpRequestParser(self)
            self._take(head + piece[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._refuse(*(self._fault or (400, "This is not a valid HTTP request.")))
            return
        if self._message != message:
            return  # another message began in this piece: its own limits hold from the next piece on
        explained = self._body_bytes - body_bytes + _CHUNK_BYTES * (self._chunks - chunks)
        self._loose_bytes = max(0, self._loose_bytes + len(piece) - explained)
        if self._loose_bytes > MAX_HEAD_BYTES:
            self._refuse(*(_HEAD_TOO_LARGE if self._in_head else _TOO_MUCH_AROUND_THE_BODY))

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.scope["extensions"] = extension_of(self._vouched)
        self._message += 1
        self._in_head = True
        self._head_bytes = self._loose_bytes = 0
        self.table.busy(self)

    def on_url(self, url: bytes) -> None:
        """Part of the request's target."""
        super().on_url(url)
        if len(self.url) > MAX_TARGET_BYTES:
            self._fail(414, f"The address is longer than {MAX_TARGET_BYTES} bytes.")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header field, or one after the body."""
        if not self._in_head:
            return  # a trailer field (RFC 9110 section 6.5): nothing here needs one
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > MAX_HEAD_BYTES or len(self.headers) >= MAX_HEADERS:
            self._fail(*_HEAD_TOO_LARGE)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there: the request is handed to the application."""
        if self.parser.should_upgrade() and not self._plain_head:
            self._plain_head = self._head_without_upgrade()
            return
        if len(self.pipeline) >= MAX_PIPELINED:
            self._fail(400, "Too many requests were sent before the answer to the first.")
        self._plain_target()
        self._in_head = False
        self._deadline = None
        self._loose_bytes = 0
        super().on_headers_complete()

    def _head_without_upgrade(self) -> bytes:
        """The head of a request to speak something else, which is answered in HTTP (RFC 9110 section 7.8).

        The parser stops at such a request, and would lose its body: it gets the head again without the wish.
        """
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":
            self._fail(400, "This server is no proxy.")
        lines = [b"%s %s HTTP/%s" % (method, self.url, version)]
        lines += [b"%s: %s" % field for field in self.headers if field[0] not in (b"upgrade", b"connection")]
        return b"\r\n".join([*lines, b"connection: close", b"", b""])

    def _plain_target(self) -> None:
        """Turn an absolute address into path and Host, which it overrides (RFC 9112 section 3.2.2)."""
        if self.url.startswith(b"/") or self.url == b"*":
            return
        parsed = httptools.parse_url(self.url)
        if (parsed.schema or b"").lower() not in (b"http", b"https") or not parsed.host or parsed.userinfo:
            self._fail(400, "The request's target must be a path, or an http or https address.")
        host = b"[%s]" % parsed.host if b":" in parsed.host else parsed.host
        authority = b"%s:%d" % (host, parsed.port) if parsed.port else host
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) <= 1:  # several are refused later
            self.headers[:] = [(n, v) for n, v in self.headers if n != b"host"] + [(b"host", authority)]
        self.url = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # from here on the body is read, also that of a request that had to wait for the answer to an earlier one
        if cycle.more_body:
            self._deadline = self.loop.time() + self.times.body
        super()._start_asgi_task(cycle, app)

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there as a whole."""
        if self._plain_head:
            return  # it begins again
        self._message += 1
        self._in_head = True
        self._deadline = None
        self._loose_bytes = 0
        super().on_message_complete()
        if self.cycle.response_complete:  # answered before its end: now the next request is waited for
            self.cycle.more_body = False
            self._wait_for_the_next()

    def on_response_complete(self) -> None:
        """The answer is written; what is left of the request may arrive for a moment."""
        super().on_response_complete()
        if self.transport.is_closing() or not self.cycle.response_complete:
            return
        if self.cycle.more_body:
            self._unset_keepalive_if_required()
            self._deadline = self.loop.time() + self.times.linger
        else:
            self.table.idle(self)

    def _wait_for_the_next(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
        self.table.idle(self)

    def _wait_when_idle(self, seconds: float) -> None:
        self.timeout_keep_alive = seconds  # pyright: ignore[reportAttributeAccessIssue] - call_later takes a fraction

    def _vouched(self) -> None:
        self.table.vouch(self)
        self._wait_when_idle(self.times.caller_idle)

    # -- refusals

    def _newest_cycle(self) -> RequestResponseCycle | None:
        """The request that came last and its answer; None before the first (uvicorn's types do not know this)."""
        return self.cycle

    def _answered_early(self) -> bool:
        """Whether the newest request has its answer and is still arriving."""
        cycle = self._newest_cycle()
        return cycle is not None and cycle.response_complete and cycle.more_body

    def _fail(self, status: int, sentence: str) -> None:
        """End the parser's run from within one of its calls; `_take` answers."""
        self._fault = (status, sentence)
        raise ValueError(sentence)

    def _refuse(self, status: int, sentence: str) -> None:
        """Answer without the application and end the connection; a request that is being answered is let finish."""
        self._deaf = True
        cycle = self._newest_cycle()
        if self.pipeline or self._answered_early():
            self.transport.abort()
            return
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                cycle.keep_alive = False
                return
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.abort()
                return
        lines = [
            b"HTTP/1.1 %d %s" % (status, http.HTTPStatus(status).phrase.encode()),
            *(name + b": " + value for name, value in self.server_state.default_headers),
            b"content-type: text/plain; charset=utf-8",
            b"content-length: %d" % len(sentence),
            b"cache-control: no-store",
            b"connection: close",
        ]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + sentence.encode("ascii"))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline = self.loop.time() + self.times.linger


class UnsignalledServer(uvicorn.Server):
    """A uvicorn server that installs no signal handlers; the process handles signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Change no signal handler."""
        yield


_HEAD_TOO_LARGE = (431, f"The headers are larger than {MAX_HEAD_BYTES} bytes, or more than {MAX_HEADERS}.")
_TOO_MUCH_AROUND_THE_BODY = (400, "The body has too many bytes around its data.")


def bounded_config(
    app: ASGIApp, *, share: DescriptorShare | None = None, times: ConnectionTimes | None = None, **options: Any
) -> uvicorn.Config:
    """Uvicorn's configuration with bounded connections, and with nothing that we do not serve.

    `share` is how many connections there may be; `options` are uvicorn's own.
    """
    share = share or DescriptorShare()
    times = times or ConnectionTimes()
    members = {"table": ConnectionTable(share.connections, sweep_seconds=times.sweep), "times": times}
    return uvicorn.Config(
        app,
        http=type("BoundedHttpOfOneServer", (BoundedHttp,), members),
        backlog=share.backlog,
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        **options,
    )

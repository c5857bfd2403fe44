"""Limits on what one caller has open at once: requests, streams, and sessions of clients before 2026-07-28.

A caller is an identifier, whatever clients and tokens it uses. Beyond a limit the caller alone is told so (429), or
loses the session that it has left alone longest; nobody else notices.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass, field

import anyio
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scalekit_mcp.errors import Throttled

MAX_REQUESTS = 128
MAX_STREAMS = 32
MAX_SESSIONS = 32
MAX_ALL_SESSIONS = 10_000
SESSION_IDLE_SECONDS = 1800.0
RETRY_SECONDS = 5
SESSION_HEADER = "mcp-session-id"


class RequestsPerCaller:
    """Counts the requests and the streams (`GET`) that each caller has open, and refuses further ones with 429.

    One instance counts for all applications that it is put `around`: a stream is a stream on every transport.
    """

    def __init__(self, *, max_requests: int = MAX_REQUESTS, max_streams: int = MAX_STREAMS) -> None:
        self._requests = _Places(max_requests, "requests of this caller are open")
        self._streams = _Places(max_streams, "event streams of this caller are open")

    def around(self, app: ASGIApp) -> ASGIApp:
        """The same application with the limits; the caller must already be verified in front of it."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            caller = _caller_of(scope)
            if caller is None:
                await app(scope, receive, send)
                return
            places = self._streams if scope["method"] == "GET" else self._requests
            try:
                with places.hold(caller):
                    await app(scope, receive, send)
            except _TooManyRequestsError as exc:
                await exc.answer()(scope, receive, send)

        return counted


class SessionsPerCaller:
    """Ends the sessions that a caller has left alone longest, so that nobody holds more than `max_sessions` of them.

    A session is in use while one of its requests or its stream is open, and is not ended then. Beyond `max_all` the
    session that was left alone longest ends, whoever's it is. Whoever uses an ended session is told 404, and begins a
    new one (MCP 2025-11-25, "Session Management"). Ending is the protocol's own DELETE, in its owner's name.
    """

    def __init__(self, app: ASGIApp, *, max_sessions: int = MAX_SESSIONS, max_all: int = MAX_ALL_SESSIONS) -> None:
        self._app = app
        self._max_sessions = max_sessions
        self._max_all = max_all
        self._all: dict[str, _Session] = {}  # left alone longest first
        self._of_caller: dict[str, dict[str, _Session]] = {}  # the same order

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request of a session, or one that may begin one."""
        caller = _caller_of(scope)
        if caller is None:
            await self._app(scope, receive, send)
            return
        session_id = Headers(scope=scope).get(SESSION_HEADER)
        session = self._all.get(session_id) if session_id is not None else None
        if session is None or session.caller != caller:
            await self._serve_opening(caller, scope, receive, send)
        else:
            await self._serve(session, scope, receive, send)

    async def _serve_opening(self, caller: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request of no known session; if it begins one, that is remembered before its client hears of it."""
        begun: list[_Session] = []

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                identity = Headers(raw=message.get("headers", [])).get(SESSION_HEADER)
                if identity is not None and identity not in self._all:
                    begun.append(_Session(identity, caller, scope["user"], anyio.current_time(), in_use=1))
                    self._remember(begun[0])
                    await self._make_room(caller, scope)
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            for session in begun:
                self._leave(session)

    async def _serve(self, session: _Session, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = message["status"]
                if status == 404 or (scope["method"] == "DELETE" and status < 300):
                    self._forget(session)
            await send(message)

        session.in_use += 1
        try:
            await self._app(scope, receive, watched)
        finally:
            self._leave(session)

    def _leave(self, session: _Session) -> None:
        session.in_use -= 1
        session.left_at = anyio.current_time()
        if session.identity in self._all:  # to the end of the order
            self._forget(session)
            self._remember(session)

    def _remember(self, session: _Session) -> None:
        self._all[session.identity] = session
        self._of_caller.setdefault(session.caller, {})[session.identity] = session

    def _forget(self, session: _Session) -> None:
        self._all.pop(session.identity, None)
        own = self._of_caller.get(session.caller, {})
        own.pop(session.identity, None)
        if not own:
            self._of_caller.pop(session.caller, None)

    async def _make_room(self, caller: str, scope: Scope) -> None:
        """End what is too much, and forget what has expired by itself."""
        long_ago = anyio.current_time() - SESSION_IDLE_SECONDS
        while (oldest := next(iter(self._all.values()), None)) and not oldest.in_use and oldest.left_at < long_ago:
            self._forget(oldest)
        own = self._of_caller.get(caller, {})
        for held, most in ((own, self._max_sessions), (self._all, self._max_all)):
            idle = (session for session in list(held.values()) if not session.in_use)
            while len(held) > most and (victim := next(idle, None)) is not None:
                self._forget(victim)
                await self._end(victim, scope)

    async def _end(self, session: _Session, scope: Scope) -> None:
        host = Headers(scope=scope).get("host", "")
        headers = [(b"host", host.encode("latin-1")), (SESSION_HEADER.encode(), session.identity.encode("latin-1"))]
        deletion = {**scope, "method": "DELETE", "headers": headers, "user": session.user}

        async def nothing() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def unheard(message: Message) -> None:
            del message

        await self._app(deletion, nothing, unheard)


@dataclass(eq=False)
class _Session:
    identity: str
    caller: str
    user: AuthenticatedUser
    left_at: float
    in_use: int = field(default=0)


class _TooManyRequestsError(Throttled):
    """A caller has reached the limit of open requests or streams."""

    def answer(self) -> Response:
        """The refusal as an HTTP answer (RFC 6585 section 4)."""
        headers = {"retry-after": str(RETRY_SECONDS)}
        return JSONResponse({"error": self.to_dict()}, status_code=429, headers=headers)


class _Places:
    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self._held: dict[str, int] = {}

    @contextlib.contextmanager
    def hold(self, caller: str) -> Generator[None]:
        """One of the caller's places; raises `_TooManyRequestsError`."""
        held = self._held.get(caller, 0)
        if held >= self._limit:
            raise _TooManyRequestsError(
                f"{self._limit} {self._what}, as many as one caller may have.",
                next_step="Close some of them, or wait until they end, then repeat this one.",
                who_acts="user",
                retry_after_seconds=RETRY_SECONDS,
            )
        self._held[caller] = held + 1
        try:
            yield
        finally:
            self._held[caller] -= 1
            if not self._held[caller]:
                del self._held[caller]


def _caller_of(scope: Scope) -> str | None:
    user = scope.get("user")
    return user.access_token.subject if isinstance(user, AuthenticatedUser) else None

"""`GraphApp`: the ASGI application for `/v1.0/...`.

One dispatch over the path's segments instead of a router: the look-alike must never be the slow part of a load test.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import format_datetime
from typing import Any, Protocol

from scalekit_mcp.sandbox.graph.errors import GraphError
from scalekit_mcp.sandbox.graph.request import (
    MOST_BODY_BYTES,
    Answer,
    Request,
    error_body,
    parse_prefer,
    parse_query,
    path_segments,
)
from scalekit_mcp.sandbox.graph.routes import Routes
from scalekit_mcp.sandbox.identity.tokens import AccessTokenInfo, InvalidTokenError
from scalekit_mcp.sandbox.world import GraphFault, Person, World
from scalekit_mcp.sandbox.world.faults import take_graph_fault

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Tokens(Protocol):
    """What Graph asks of the identity half."""

    def check(self, authorization_header: str | None) -> AccessTokenInfo:
        """What stands behind the header; raises `InvalidTokenError`."""
        ...


class GraphApp:
    """Answers Graph's calendar requests from the world's mailboxes.

    Args:
        world: people, mailboxes, switches and the record of requests.
        tokens: who is behind an `Authorization` header.
    """

    def __init__(self, world: World, tokens: Tokens) -> None:
        self._world = world
        self._tokens = tokens
        self._routes = Routes(world)
        self._under_way: Counter[str] = Counter()
        self._second, self._date = -1, b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request.

        Raises:
            ConnectionDropped: a switched fault closes the connection without an answer.
        """
        method: str = scope["method"]
        headers = _headers(scope["headers"])
        body = b"" if method == "GET" else await _read(receive)
        request = _request(scope, method, headers, body)
        request.id = self._world.new_guid()
        person, answer = self._authorize(request)
        switches = self._world.switches
        if switches.concurrency_limit:
            await self._limited(send, request, person, answer)
            return
        if switches.slow_seconds:
            await asyncio.sleep(switches.slow_seconds)
        await self._finish(send, request, person, answer)

    async def _limited(self, send: Send, request: Request, person: Person | None, answer: Answer | None) -> None:
        """Answer, or refuse with 429 while as many requests as allowed are under way."""
        switches = self._world.switches
        app = request.client_id or ""
        key = f"{app}/{person.oid}" if switches.concurrency_per == "mailbox" and person else app
        if self._under_way[key] >= switches.concurrency_limit:
            seconds = str(switches.retry_after_seconds)
            code, message = _USUAL[429]
            refused = self._refusal(request, GraphError(429, code, message, headers={"Retry-After": seconds}))
            self._record(request, person, 429)
            await self._respond(send, request, refused)
            return
        self._under_way[key] += 1
        try:
            await asyncio.sleep(switches.slow_seconds)
            await self._finish(send, request, person, answer)
        finally:
            self._under_way[key] -= 1

    async def _finish(self, send: Send, request: Request, person: Person | None, answer: Answer | None) -> None:
        fault = take_graph_fault(self._world, request.method, request.path, person)
        if fault is None:
            if answer is None:
                answer = self._carry_out(request)
            self._record(request, person, answer.status)
        else:
            answer = await self._with_fault(request, person, answer, fault)
        await self._respond(send, request, answer)

    async def _respond(self, send: Send, request: Request, answer: Answer) -> None:
        now = self._world.clock.now()
        if int(now.timestamp()) != self._second:
            self._second, self._date = int(now.timestamp()), format_datetime(now, usegmt=True).encode()
        await _respond(send, request, answer, self._date)

    def _authorize(self, request: Request) -> tuple[Person | None, Answer | None]:
        try:
            info = self._tokens.check(request.headers.get("authorization"))
        except InvalidTokenError as exc:
            error = GraphError(401, exc.code, exc.message, headers={"WWW-Authenticate": exc.www_authenticate})
            return None, self._refusal(request, error)
        request.person, request.scopes, request.client_id = info.person, info.scopes, info.client_id
        return info.person, None

    def _carry_out(self, request: Request) -> Answer:
        try:
            return self._routes.answer(request)
        except GraphError as exc:
            return self._refusal(request, exc)

    def _refusal(self, request: Request, error: GraphError) -> Answer:
        return Answer(error.status, error_body(self._world, request, error), error.headers)

    async def _with_fault(
        self, request: Request, person: Person | None, refused: Answer | None, fault: GraphFault
    ) -> Answer:
        if fault.delay_seconds:
            await asyncio.sleep(fault.delay_seconds)
        replaced = fault.status is not None or fault.drop is not None
        answer = refused
        if answer is None and (not replaced or fault.apply or fault.drop == "after"):
            answer = self._carry_out(request)
        if fault.drop is not None:
            from scalekit_mcp.sandbox.world.dropped import ConnectionDropped

            self._record(request, person, None)
            raise ConnectionDropped
        if fault.status is not None:
            answer = self._fault_answer(request, fault, fault.status)
        answer = answer or Answer(500, b"")
        self._record(request, person, answer.status)
        return answer

    def _fault_answer(self, request: Request, fault: GraphFault, status: int) -> Answer:
        if fault.body is not None:
            kind = "application/json" if fault.body.lstrip()[:1] in ("{", "[") else "text/html"
            return Answer(status, fault.body.encode(), {"Content-Type": kind, **fault.headers})
        code, message = _USUAL.get(status, ("UnknownError", ""))
        error = GraphError(status, fault.code or code, fault.message or message, headers=dict(fault.headers))
        if status == 429 and not any(name.lower() == "retry-after" for name in fault.headers):
            error.headers["Retry-After"] = str(self._world.switches.retry_after_seconds)
        return self._refusal(request, error)

    def _record(self, request: Request, person: Person | None, status: int | None) -> None:
        self._world.record(
            area="graph",
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
            body=request.recorded_body(),
            person=person.address if person is not None else None,
            status=status,
        )


_USUAL = {
    401: ("InvalidAuthenticationToken", "Access token validation failure."),
    403: ("ErrorAccessDenied", "Access is denied. Check credentials and try again."),
    404: ("ErrorItemNotFound", "The specified object was not found in the store."),
    412: (
        "ErrorIrresolvableConflict",
        (
            "The send or update operation could not be performed because the change key passed in the request does "
            "not match the current change key for the item."
        ),
    ),
    429: ("ApplicationThrottled", "Application is over its MailboxConcurrency limit."),
    500: ("ErrorInternalServerError", "An internal server error occurred. The operation failed."),
    503: ("serviceNotAvailable", "The service is temporarily unavailable."),
    504: ("UnknownError", ""),
}


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers by lower-case name; a repeated one is joined with commas."""
    headers: dict[str, str] = {}
    for name_bytes, value_bytes in raw:
        name, value = name_bytes.decode("latin-1").lower(), value_bytes.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _request(scope: Scope, method: str, headers: dict[str, str], body: bytes) -> Request:
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    query_string: bytes = scope.get("query_string", b"")
    return Request(
        method=method,
        path=scope["path"],
        segments=path_segments(raw_path),
        query_string=query_string.decode("latin-1"),
        query=parse_query(query_string),
        headers=headers,
        prefer=parse_prefer(headers.get("prefer", "")),
        body=body,
        base_url=f"{scope.get('scheme', 'http')}://{headers.get('host', 'localhost')}/v1.0",
    )


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        part: bytes = message.get("body", b"")
        size += len(part)
        if size - len(part) <= MOST_BODY_BYTES:  # the part that goes over is kept, so that the size shows
            parts.append(part)
        if not message.get("more_body", False):
            break
    return b"".join(parts)


async def _respond(send: Send, request: Request, answer: Answer, date: bytes) -> None:
    headers = [
        (b"date", date),
        (b"request-id", request.id.encode()),
        (b"client-request-id", (request.headers.get("client-request-id") or request.id).encode("latin-1")),
    ]
    given = {name.lower() for name in answer.headers}
    if answer.body and "content-type" not in given:
        headers.append((b"content-type", b"application/json;odata.metadata=minimal;odata.streaming=true"))
    headers += [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in answer.headers.items()]
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})

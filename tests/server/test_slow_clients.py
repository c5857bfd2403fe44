"""Clients that take their time: silent, dribbling, not reading. Each ends by its own bound, and nobody else notices."""

from __future__ import annotations

import itertools
import socket
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from http_support import SERVICE_KEY, Remote, remote, serving
from raw_support import answer_to, connected, everything, status_of
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from scalekit_mcp.server.http.protocol import ConnectionTimes, bounded_config
from tests.support.bounds import HANG_SECONDS
from tests.support.watched_actions import WatchedActions

LONG = 600.0
FAST = {"linger": 0.1, "sweep": 0.05}
"""So short that a test need not wait; what is not under test lasts for good."""


def times(**seconds: float) -> dict[str, Any]:
    given = {"head": LONG, "body": LONG, "unread_answer": LONG, "idle": LONG, "caller_idle": LONG, **FAST, **seconds}
    return {"times": ConnectionTimes(**given)}


HEADS = {
    "silence": ([b""], 0),
    "half a request line": ([b"GET /heal"], 408),
    "half a head": ([b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "], 408),
    "a dribbled header": (itertools.chain([b"GET /healthz HTTP/1.1\r\nX: "], itertools.repeat(b"a")), 408),
    "dribbled line ends": (itertools.repeat(b"\r\n", 30_000), 0),
}


@pytest.mark.parametrize("what", HEADS)
async def test_a_head_that_does_not_arrive_ends_the_connection(what: str) -> None:
    parts, status = HEADS[what]
    with anyio.fail_after(HANG_SECONDS):
        async with remote(bounds=times(head=0.1)) as server:
            answer = await answer_to(server, parts)
    assert status_of(answer) == status


async def test_a_kept_connection_has_the_same_time_for_its_next_head() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote(bounds=times(head=0.1)) as server, connected(server) as stream:
            await stream.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            first = await stream.receive()
            await stream.send(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
            then = await everything(stream)
    assert status_of(first) == 200
    assert b"HTTP/1.1 408" in first + then


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def test_a_connection_of_nobody_we_know_ends_when_no_further_request_comes() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote(bounds=times(idle=0.1)) as server, connected(server) as stream:
            await stream.send(HEALTH)
            answer = await everything(stream)
    assert status_of(answer) == 200


async def test_a_connection_that_served_a_caller_is_kept_longer_and_ends_too() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with (
            remote(bounds=times(idle=0.1)) as server,
            connected(server) as known,
            connected(server) as unknown,
        ):
            await known.send(call_of(server))
            assert status_of(await known.receive()) == 405
            await unknown.send(HEALTH)
            await everything(unknown)  # whose wait began later
            await known.send(HEALTH)
            assert status_of(await known.receive()) == 200
        async with remote(bounds=times(caller_idle=0.1)) as server, connected(server) as known:
            await known.send(call_of(server))
            assert status_of(await everything(known)) == 405


async def test_a_connection_waits_longer_than_balancers_keep_one() -> None:
    config = bounded_config(endless_silence)
    config.load()
    kind: Any = config.http_protocol_class
    connection = kind(config, ServerState(), {})
    assert connection.timeout_keep_alive > 60  # AWS's Application Load Balancer, by default
    connection._vouched()
    assert connection.timeout_keep_alive > 600  # Google Cloud's


async def endless_silence(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that nobody asks."""


def call_of(server: Remote) -> bytes:
    """An authenticated request that has an answer without a body of its own."""
    return (
        f"PUT /mcp HTTP/1.1\r\nHost: {server.base.removeprefix('http://')}\r\n"
        f"Authorization: Bearer {server.bearer('ana')}\r\n\r\n"
    ).encode()


ROUTES = {
    "MCP": "/mcp",
    "MCP, messages": "/messages?session_id=0123456789abcdef0123456789abcdef",
    "REST": "/api/v1/execute_tool",
    "REST, token": "/api/v1/session_tokens",
    "page": "/connect/{ticket}",
}


async def begun_post(server: Remote, what: str, *, chunked: bool) -> bytes:
    bearer = SERVICE_KEY if what.startswith("REST") else server.bearer("ana")
    link = (await server.actions.get_authorization_link(identifier="ana")).link
    lines = [
        f"POST {ROUTES[what].format(ticket=link.rsplit('/', 1)[1])} HTTP/1.1",
        f"Host: {server.base.removeprefix('http://')}",
        f"Authorization: Bearer {bearer}",
        "Accept: application/json, text/event-stream",
        f"Content-Type: {'application/x-www-form-urlencoded' if what == 'page' else 'application/json'}",
        "Transfer-Encoding: chunked" if chunked else "Content-Length: 1000",
        "",
        "1\r\n{\r\n" if chunked else "{",
    ]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize("dribbled", [False, True], ids=["stopped", "dribbled"])
@pytest.mark.parametrize("chunked", [False, True], ids=["by length", "by chunks"])
@pytest.mark.parametrize("what", ROUTES)
async def test_a_body_that_does_not_arrive_ends_the_connection_on_every_route(
    what: str, chunked: bool, dribbled: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote(bounds=times(body=0.1)) as server:
            rest = itertools.repeat(b"1\r\n \r\n" if chunked else b" ", 900) if dribbled else ()
            answer = await answer_to(server, await begun_post(server, what, chunked=chunked), rest)
            async with server.browser() as http:
                assert (await http.get("/healthz")).status_code == 200
    assert status_of(answer) == 408
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


async def test_a_body_that_goes_on_after_its_refusal_ends_the_connection() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote(bounds=times()) as server:
            head = f"POST /mcp HTTP/1.1\r\nHost: {server.base[7:]}\r\nContent-Length: 100000000\r\n\r\n"
            answer = await answer_to(server, head.encode(), itertools.repeat(b" " * 100))
    assert status_of(answer) == 401


async def test_an_answer_that_nobody_reads_ends() -> None:
    ended = anyio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async with anyio.create_task_group() as tasks:

            async def gone() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                ended.set()
                tasks.cancel_scope.cancel()

            tasks.start_soon(gone)
            while True:
                await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
                await anyio.lowlevel.checkpoint()

    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    with anyio.fail_after(HANG_SECONDS):
        async with (
            serving(endless, listening, **times(unread_answer=0.1)),
            await anyio.connect_tcp("127.0.0.1", listening.getsockname()[1]) as stream,
        ):
            await stream.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await ended.wait()


async def test_a_call_that_takes_long_and_a_stream_are_not_slow_clients(actions: WatchedActions) -> None:
    await actions.connect()
    gate = actions.gate = anyio.Event()
    bounds = times(head=0.1, body=0.1, unread_answer=0.1)
    results: list[Any] = []
    with anyio.fail_after(HANG_SECONDS):
        async with remote(actions, bounds=bounds) as server, server.client(transport="sse", era="legacy") as client:

            async def call() -> None:
                results.append(await client.call_tool("outlook_list_calendar_events", {}))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call)
                while not actions.entered:
                    await anyio.lowlevel.checkpoint()
                assert status_of(await answer_to(server, b"GET /slow")) == 408  # all deadlines were looked at
                gate.set()
    assert not results[0].is_error

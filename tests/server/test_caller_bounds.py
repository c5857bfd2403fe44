"""What one caller may hold open, on every transport, and that nobody else notices who holds too much."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import httpx2 as httpx
import pytest
from http_support import Remote, remote

from scalekit_mcp.server.http.sessions import MAX_REQUESTS, MAX_SESSIONS, MAX_STREAMS
from tests.support.bounds import HANG_SECONDS
from tests.support.mcp_messages import ACCEPT, INITIALIZE
from tests.support.watched_actions import WatchedActions

LIST = "outlook_list_calendar_events"
PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}


def headers_of(server: Remote, identifier: str) -> dict[str, str]:
    return {**ACCEPT, "authorization": f"Bearer {server.bearer(identifier)}"}


@contextlib.asynccontextmanager
async def http_of(server: Remote, identifier: str) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=400)
    async with httpx.AsyncClient(
        base_url=server.base, headers=headers_of(server, identifier), limits=limits, timeout=HANG_SECONDS
    ) as http:
        yield http


async def opened(http: httpx.AsyncClient) -> dict[str, str]:
    answer = await http.post("/mcp", json=INITIALIZE)
    assert answer.status_code == 200
    return {"mcp-session-id": answer.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}


async def alive(http: httpx.AsyncClient, session: dict[str, str]) -> bool:
    answer = await http.post("/mcp", headers=session, json=PING)
    assert answer.status_code in {200, 404}
    return answer.status_code == 200


async def test_a_caller_with_too_many_sessions_loses_those_left_alone_longest_and_nobody_else_any() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server, http_of(server, "ana") as ana, http_of(server, "bob") as bob:
            of_bob = [await opened(bob) for _ in range(3)]
            sessions = [await opened(ana) for _ in range(MAX_SESSIONS)]
            assert await alive(ana, sessions[0])  # so it is not the one that was left alone longest
            sessions += [await opened(ana) for _ in range(20)]
            living = [await alive(ana, session) for session in sessions]
            assert all([await alive(bob, session) for session in of_bob])
    assert living == [True, *[False] * 20, *[True] * (MAX_SESSIONS - 1)]


async def test_a_session_in_use_is_not_ended() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server, http_of(server, "ana") as ana:
            first = await opened(ana)
            async with ana.stream("GET", "/mcp", headers=first) as stream:
                assert stream.status_code == 200
                others = [await opened(ana) for _ in range(MAX_SESSIONS + 5)]
                living = [await alive(ana, session) for session in (first, *others)]
    assert living == [True, *[False] * 6, *[True] * (MAX_SESSIONS - 1)]


async def test_a_session_that_was_ended_by_its_client_makes_room() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server, http_of(server, "ana") as ana:
            kept = await opened(ana)
            for _ in range(3 * MAX_SESSIONS):
                session = await opened(ana)
                assert (await ana.delete("/mcp", headers=session)).status_code == 200
            assert await alive(ana, kept)


async def test_a_client_whose_session_was_ended_begins_a_new_one_and_modern_calls_begin_none() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server, http_of(server, "ana") as ana:
            await server.actions.connect("ana")
            first = await opened(ana)
            async with server.client("ana") as client:  # 2026-07-28
                for _ in range(2 * MAX_SESSIONS):
                    await client.call_tool(LIST, {})
            assert await alive(ana, first)
            for _ in range(MAX_SESSIONS):
                await opened(ana)
            assert not await alive(ana, first)
            assert await alive(ana, await opened(ana))


def refusal_of(answer: httpx.Response, text: str) -> dict[str, Any]:
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    error = json.loads(text)["error"]
    assert {"code", "message", "who_acts", "next_step", "retryable"} <= set(error)
    return error


async def test_a_caller_has_so_many_streams_on_all_transports_together() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with (
            remote() as server,
            http_of(server, "ana") as ana,
            http_of(server, "bob") as bob,
            contextlib.AsyncExitStack() as stack,
        ):
            sessions = [await opened(ana) for _ in range(MAX_STREAMS // 2)]
            for session in sessions:
                stream = await stack.enter_async_context(ana.stream("GET", "/mcp", headers=session))
                assert stream.status_code == 200
            for _ in range(MAX_STREAMS // 2):
                stream = await stack.enter_async_context(ana.stream("GET", "/sse"))
                assert stream.status_code == 200
            refused = [await ana.get("/sse"), await ana.get("/mcp", headers=await opened(ana))]
            errors = [refusal_of(answer, answer.text) for answer in refused]
            async with bob.stream("GET", "/sse") as his:
                assert his.status_code == 200
            assert (await ana.post("/mcp", headers=sessions[0], json=PING)).status_code == 200
            await stack.aclose()
            while True:  # the server notices the closed streams in its own time
                async with ana.stream("GET", "/sse") as again:
                    if again.status_code == 200:
                        break
    assert {error["code"] for error in errors} == {"throttled"}
    assert all(str(MAX_STREAMS) in error["message"] for error in errors)


async def test_a_caller_has_so_many_requests_open_and_the_next_caller_is_served(actions: WatchedActions) -> None:
    await actions.connect()
    actions.gate = anyio.Event()
    with anyio.fail_after(HANG_SECONDS):
        async with remote(actions) as server, http_of(server, "ana") as ana, http_of(server, "bob") as bob:
            host = server.base.removeprefix("http://")
            lines = ["POST /mcp HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {server.bearer('ana')}"]
            head = "\r\n".join([*lines, "Content-Length: 9", "", ""])
            async with contextlib.AsyncExitStack() as stack:
                for _ in range(MAX_REQUESTS):
                    stream = await anyio.connect_tcp("127.0.0.1", int(host.rsplit(":", 1)[1]))
                    await stack.enter_async_context(stream)
                    await stream.send(head.encode())  # a body that does not come
                while (answer := await ana.post("/mcp", json=INITIALIZE)).status_code != 429:
                    pass
                refusal_of(answer, answer.text)
                assert (await bob.post("/mcp", json=INITIALIZE)).status_code == 200
            while (await ana.post("/mcp", json=INITIALIZE)).status_code != 200:
                await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("path", ["/mcp", "/sse"])
async def test_a_stranger_takes_no_callers_place(path: str) -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server, http_of(server, "ana") as ana, server.browser() as http:
            for _ in range(2 * MAX_STREAMS):
                assert (await http.get(path, headers={**ACCEPT, "authorization": "Bearer x"})).status_code == 401
            async with ana.stream("GET", "/sse") as stream:
                assert stream.status_code == 200

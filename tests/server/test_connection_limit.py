"""As many connections as there is room for, and who gives way: strangers before callers, always."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream
from http_support import Remote, remote
from raw_support import answer_to, connected, everything, status_of

from scalekit_mcp.server.http.connections import MAX_BACKLOG, MAX_CONNECTIONS, DescriptorShare, descriptor_share
from tests.support.bounds import HANG_SECONDS

LIMIT = 8
SMALL: dict[str, Any] = {"share": DescriptorShare(connections=LIMIT, backlog=LIMIT)}
HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
PROGRAM = """
import resource
from scalekit_mcp.server.http.connections import descriptor_share, raise_descriptor_limit
limit = raise_descriptor_limit()
share = descriptor_share(limit)
print(limit, resource.getrlimit(resource.RLIMIT_NOFILE)[0], share.connections + 4 * share.backlog)
"""


@contextlib.asynccontextmanager
async def strangers(server: Remote, number: int, said: bytes = b"") -> AsyncIterator[list[SocketStream]]:
    async with contextlib.AsyncExitStack() as stack:
        streams: list[SocketStream] = []
        for _ in range(number):
            streams.append(await stack.enter_async_context(connected(server)))
            if said:
                await streams[-1].send(said)
        yield streams


def asked(server: Remote, what: str, identifier: str = "ana") -> bytes:
    """A request of a caller, without a body."""
    host, bearer = server.base.removeprefix("http://"), server.bearer(identifier)
    lines = [f"{what} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {bearer}", "Content-Length: 0", "", ""]
    return "\r\n".join(lines).encode()


@contextlib.asynccontextmanager
async def caller_stream(server: Remote, identifier: str = "ana") -> AsyncIterator[SocketStream]:
    """A caller's open `/sse`, its first event read."""
    async with connected(server) as stream:
        bearer = server.bearer(identifier)
        await stream.send(
            f"GET /sse HTTP/1.1\r\nHost: {server.base[7:]}\r\nAuthorization: Bearer {bearer}\r\n\r\n".encode()
        )
        answer = b""
        while b"session_id=" not in answer:
            answer += await stream.receive()
        yield stream


async def is_open(stream: SocketStream) -> bool:
    with anyio.move_on_after(0.05):
        await everything(stream)
        return False
    return True


@pytest.mark.parametrize(
    "said", [b"", b"POST /connect/abcdefghijklmnop HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"]
)
async def test_more_strangers_than_there_are_places_leave_the_server_answering(said: bytes) -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote(bounds=SMALL) as server, strangers(server, 5 * LIMIT, said):
            assert status_of(await answer_to(server, HEALTHZ)) == 200


async def test_the_oldest_stranger_gives_way() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote(bounds=SMALL) as server, strangers(server, LIMIT) as streams, connected(server):
            await everything(streams[0])
            assert await is_open(streams[1])
            assert await is_open(streams[-1])


async def test_strangers_never_displace_a_caller() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote(bounds=SMALL) as server, caller_stream(server) as stream:
            await server.actions.connect("bob")
            async with server.client("bob") as client:
                await client.list_tools()
                async with strangers(server, 5 * LIMIT):
                    assert status_of(await answer_to(server, HEALTHZ)) == 200
                    assert await is_open(stream)
                    result = await client.call_tool("outlook_list_calendar_events", {})
    assert not result.is_error


async def test_an_idle_caller_gives_way_where_there_is_no_stranger_and_a_busy_one_never() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote(bounds=SMALL) as server, contextlib.AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(caller_stream(server)) for _ in range(LIMIT - 1)]
            idle = await stack.enter_async_context(connected(server))
            await idle.send(asked(server, "POST /mcp"))
            assert status_of(await idle.receive()) in {400, 406}
            assert status_of(await answer_to(server, HEALTHZ)) == 200
            await everything(idle)
            last = await stack.enter_async_context(caller_stream(server))
            assert await answer_to(server, HEALTHZ) == b""  # every place serves a caller
            for stream in (*streams, last):
                assert await is_open(stream)


async def test_a_crowd_of_strangers_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote(bounds=SMALL) as server, strangers(server, 5 * LIMIT):
            assert status_of(await answer_to(server, HEALTHZ)) == 200
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1


@pytest.mark.parametrize("limit", [64, 256, 1024, 4096, 65_536, 1_048_576, 1_073_741_816])
def test_connections_leave_descriptors_for_everything_else(limit: int) -> None:
    share = descriptor_share(limit)
    assert share.connections >= limit // 2 or share.connections == MAX_CONNECTIONS
    assert share.connections + 4 * share.backlog <= limit - min(256, limit // 8)
    assert (share.connections <= MAX_CONNECTIONS, share.backlog <= MAX_BACKLOG) == (True, True)


def test_without_a_limit_of_descriptors_there_is_still_one_of_connections() -> None:
    assert descriptor_share(None) == DescriptorShare(MAX_CONNECTIONS, MAX_BACKLOG)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of descriptors")
@pytest.mark.parametrize(("soft", "hard", "expected"), [(256, 1024, 1024), (512, 512, 512)])
def test_the_limit_of_descriptors_is_raised_to_the_hard_one(soft: int, hard: int, expected: int) -> None:
    command = ["/bin/sh", "-c", f'ulimit -Sn {soft} && ulimit -Hn {hard} && exec "$0" -c "$1"', sys.executable, PROGRAM]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=HANG_SECONDS).stdout.split()
    assert told[:2] == [str(expected)] * 2
    assert int(told[2]) < expected

"""How large a request may be before anybody looks at it, and which requests two readers could read differently."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

import anyio
import pytest
from http_support import Remote, remote
from raw_support import answer_to, connected, status_of

from scalekit_mcp.server.http.protocol import MAX_HEAD_BYTES, MAX_HEADERS, MAX_PIPELINED, MAX_TARGET_BYTES
from tests.support.bounds import HANG_SECONDS
from tests.support.mcp_messages import INITIALIZE
from tests.support.watched_actions import WatchedActions

HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


def post(server: Remote, *headers: bytes) -> bytes:
    """The head of an authenticated MCP call, without the empty line at its end."""
    lines = [
        b"POST /mcp HTTP/1.1",
        b"Host: " + server.base.removeprefix("http://").encode(),
        b"Authorization: Bearer " + server.bearer("ana").encode(),
        b"Accept: application/json, text/event-stream",
        b"Content-Type: application/json",
        b"Connection: close",
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n"


def endless(first: bytes, then: bytes) -> Iterable[bytes]:
    """So much that no limit here allows it, and not more: a server without limits would wait for the rest."""
    return itertools.chain([first], itertools.repeat(then, 2_000_000 // len(then)))


TOO_LARGE: dict[str, tuple[Iterable[bytes], int]] = {
    "a header without end": (endless(HEAD + b"X-Long: ", b"a" * 4096), 431),
    "a header without end, in large pieces": (endless(HEAD + b"X-Long: ", b"a" * 300_000), 431),
    "a header's name without end": (endless(HEAD, b"a" * 4096), 431),
    "headers without end": (endless(HEAD, b"X-Many: 1\r\n" * 300), 431),
    "headers without end, one by one": (endless(HEAD, b"X-Many: 1\r\n"), 431),
    "one header too many": ([HEAD + b"X: 1\r\n" * MAX_HEADERS + b"\r\n"], 431),
    "one large header too many": ([HEAD + b"X: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n"], 431),
    "large headers, few": ([HEAD + b"X: " + b"a" * 40_000 + b"\r\nY: " + b"b" * 40_000 + b"\r\n\r\n"], 431),
    "an address without end": (endless(b"GET /", b"a" * 4096), 414),
    "an address that is too long": (
        [b"GET /" + b"a" * MAX_TARGET_BYTES + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"],
        414,
    ),
    "a query that is too long": ([b"GET /?" + b"a" * MAX_TARGET_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n"], 414),
    "line ends without end": (endless(b"\r\n", b"\r\n" * 2048), 431),
    "a method without end": (endless(b"GET", b"T" * 4096), 400),
}


@pytest.mark.parametrize("what", TOO_LARGE)
async def test_a_request_that_is_too_large_before_its_body_is_refused(what: str) -> None:
    parts, status = TOO_LARGE[what]
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server:
            answer = await answer_to(server, parts)
    assert status_of(answer) == status
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answer


async def test_a_request_up_to_the_limits_is_served() -> None:
    close = b"Connection: close\r\n"
    requests = [
        HEAD + close + b"X: 1\r\n" * (MAX_HEADERS - 2) + b"\r\n",
        HEAD + close + b"X: " + b"a" * (MAX_HEAD_BYTES - 200) + b"\r\n\r\n",
        b"\r\n" + HEAD + close + b"\r\n",
        b"GET /healthz?" + b"a" * (MAX_TARGET_BYTES - 9) + b" HTTP/1.1\r\nHost: x\r\n" + close + b"\r\n",
    ]
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server:
            whole = [status_of(await answer_to(server, request)) for request in requests]
            pieces = [
                status_of(await answer_to(server, [request[at : at + 997] for at in range(0, len(request), 997)]))
                for request in requests
            ]
    assert whole == pieces == [200, 200, 200, 200]


@pytest.mark.parametrize(
    "around",
    [
        pytest.param(endless(b"5;", b"x" * 4096), id="a chunk extension without end"),
        pytest.param(endless(b"", b"1;" + b"x" * 200 + b"\r\n \r\n"), id="an extension on each of many chunks"),
        pytest.param(endless(b"0\r\n", b"X-T: 1\r\n" * 300), id="trailer fields without end"),
        pytest.param(endless(b"0\r\nX-T: ", b"a" * 4096), id="a trailer field without end"),
        pytest.param(endless(b"2\r\n{}\r\n0\r\nX-T: ", b"a" * 300_000), id="a trailer field in large pieces"),
    ],
)
async def test_what_is_around_the_body_is_bounded(around: Iterable[bytes]) -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server:
            answer = await answer_to(server, post(server, b"Transfer-Encoding: chunked") + b"\r\n", around)
    assert status_of(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_body_in_many_small_chunks_with_a_trailer_is_served_and_the_trailer_is_no_header() -> None:
    body = json.dumps({**INITIALIZE, "padding": "x" * 60_000}).encode()
    chunks = b"".join(b"1\r\n" + body[at : at + 1] + b"\r\n" for at in range(len(body)))
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server:
            head = post(server, b"Transfer-Encoding: chunked", b"Trailer: Mcp-Session-Id") + b"\r\n"
            answer = await answer_to(server, head + chunks + b"0\r\nMcp-Session-Id: none\r\n\r\n")
    assert status_of(answer) == 200


def framed(*headers: bytes, body: bytes = b"{}") -> tuple[tuple[bytes, ...], bytes]:
    return headers, body


AMBIGUOUS = {
    "two lengths": framed(b"Content-Length: 2", b"Content-Length: 2"),
    "two lengths that differ": framed(b"Content-Length: 2", b"Content-Length: 5"),
    "a list of lengths": framed(b"Content-Length: 2, 2"),
    "a length and chunks": framed(b"Content-Length: 2", b"Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n"),
    "chunks and a length": framed(b"Transfer-Encoding: chunked", b"Content-Length: 2", body=b"2\r\n{}\r\n0\r\n\r\n"),
    "chunked not last": framed(b"Transfer-Encoding: chunked, identity", body=b"2\r\n{}\r\n0\r\n\r\n"),
    "a negative length": framed(b"Content-Length: -2"),
    "a length with a sign": framed(b"Content-Length: +2"),
    "a length in hexadecimal": framed(b"Content-Length: 0x2"),
    "a length beyond counting": framed(b"Content-Length: 99999999999999999999999999"),
    "a blank before the colon": framed(b"Content-Length : 2"),
    "a folded header": framed(b"Content-Length: 2", b" 3"),
    "a bare line feed inside": framed(b"X: a\nContent-Length: 2"),
    "a chunk size that is none": framed(b"Transfer-Encoding: chunked", body=b"2x\r\n{}\r\n0\r\n\r\n"),
    "a chunk size beyond counting": framed(b"Transfer-Encoding: chunked", body=b"f" * 20 + b"\r\n"),
}


@pytest.mark.parametrize("what", AMBIGUOUS)
async def test_a_body_whose_end_two_readers_could_see_in_two_places_is_refused(what: str) -> None:
    headers, body = AMBIGUOUS[what]
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server:
            answer = await answer_to(server, post(server, *headers) + b"\r\n" + body)
    assert status_of(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://{ours}/connect/abcdefghijklmnop", 404),
        ("HTTP://{ours}/connect/abcdefghijklmnop", 404),
        ("https://{ours}/connect/abcdefghijklmnop", 404),
        ("http://{ours}/connect/abcdefghijklmnop?a=b", 404),
        ("http://{ours}", 404),
        ("http://evil.example/connect/abcdefghijklmnop", 421),
        ("http://evil.example@{ours}/connect/abcdefghijklmnop", 400),
        ("ftp://{ours}/connect/abcdefghijklmnop", 400),
        ("{ours}", 400),
        ("//evil.example/healthz", 404),
        ("*", 404),
        ("http:///x", 400),
    ],
)
async def test_the_host_of_an_absolute_address_is_the_one_that_counts(target: str, status: int) -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server:
            ours = server.base.removeprefix("http://")
            line = f"GET {target.format(ours=ours)} HTTP/1.1\r\nHost: {ours}\r\nConnection: close\r\n\r\n"
            answers = [status_of(await answer_to(server, line.encode()))]
            if status == 404 and "://" in target:  # whatever the header says
                answers.append(status_of(await answer_to(server, line.replace(f"Host: {ours}", "Host: x").encode())))
                twice = line.replace(f"Host: {ours}", f"Host: {ours}\r\nHost: x")
                assert status_of(await answer_to(server, twice.encode())) == 400
    assert set(answers) == {status}


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 400, id="a tunnel"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="HTTP/2"),
        pytest.param(b"GET /healthz\r\n\r\n", 400, id="HTTP/0.9"),
        pytest.param(b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", 400, id="HTTP/9.9"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, id="TLS"),
        pytest.param(b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="an address that is not ASCII"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX\x00Y: 1\r\n\r\n", 400, id="NUL in a name"),
        pytest.param(b"GET /healthz HTTP/1.0\r\n\r\n", 200, id="HTTP/1.0"),
    ],
)
async def test_what_is_no_plain_request_gets_one_plain_answer(request_bytes: bytes, status: int) -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server:
            answer = await answer_to(server, request_bytes)
    assert status_of(answer) == status
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
async def test_a_request_to_speak_something_else_is_answered_in_http(protocol: bytes) -> None:
    upgrade = b"Connection: Upgrade\r\nUpgrade: " + protocol + b"\r\n"
    body = json.dumps(INITIALIZE).encode()
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server:
            got = await answer_to(server, HEAD + upgrade + b"\r\n\x81\x85garbage", [b"garbage"] * 3)
            head = post(server, b"Content-Length: %d" % len(body)).replace(b"Connection: close\r\n", upgrade)
            posted = await answer_to(server, head + b"\r\n" + body)
    assert status_of(got) == status_of(posted) == 200
    assert got.count(b"HTTP/1.1 ") == posted.count(b"HTTP/1.1 ") == 1


async def test_a_few_requests_may_be_sent_ahead_and_many_may_not() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server:
            few = [HEAD + b"\r\n"] * 7 + [HEAD + b"Connection: close\r\n\r\n"]
            answer = await answer_to(server, b"".join(few))
            many = await answer_to(server, (HEAD + b"\r\n") * (MAX_PIPELINED + 2000))
    assert answer.count(b"HTTP/1.1 200") == 8
    assert many.count(b"HTTP/1.1 200") <= 2


async def test_a_connection_is_used_again_after_a_request_whose_body_came_after_its_answer() -> None:
    """A refusal that does not read the body leaves a connection that works, as long as the body is short."""
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server, connected(server) as stream:
            await stream.send(b"POST /mcp HTTP/1.1\r\nHost: %s\r\nContent-Length: 4\r\n\r\n" % server.base[7:].encode())
            answer = b""
            while b"required" not in answer.partition(b"\r\n\r\n")[2]:
                answer += await stream.receive()
            await stream.send(b"true" + HEAD + b"Connection: close\r\n\r\n")
            again = b""
            while chunk := await receive(stream):
                again += chunk
    assert (status_of(answer), status_of(again)) == (401, 200)


async def receive(stream: Any) -> bytes:
    try:
        return await stream.receive()
    except anyio.EndOfStream:
        return b""


async def test_a_refusal_is_no_error_of_the_server(caplog: pytest.LogCaptureFixture, actions: WatchedActions) -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote(actions) as server:
            for parts, _ in [TOO_LARGE["a header without end"], TOO_LARGE["headers without end"]]:
                await answer_to(server, parts)
            await answer_to(server, b"GET /healthz HTTP/9.9\r\n\r\n")
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]

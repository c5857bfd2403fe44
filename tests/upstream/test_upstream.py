"""The client for services upstream reads an answer whole, up to its bounds."""

from __future__ import annotations

import gzip
import zlib

import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.upstream import AnswerTooLargeError, UpstreamClient
from tests.support import odd_service as odd
from tests.support.odd_service import MEGABYTE, odd_service

CAP = 2 * MEGABYTE


@pytest.mark.parametrize(
    "answer",
    [
        odd.plain(100 * MEGABYTE),
        odd.plain(CAP + 1),
        odd.endless(),
        odd.bomb("gzip", 300),
        odd.bomb("deflate", 300),
        odd.bomb("raw deflate", 300),
        odd.bomb("gzip", 3),
    ],
    ids=["100 MB", "one byte more", "endless", "gzip", "deflate", "bare deflate", "small bomb"],
)
async def test_an_answer_beyond_the_cap_is_refused_with_its_status(answer: odd.Bytes) -> None:
    async with odd_service(answer) as base, UpstreamClient(max_answer_bytes=CAP) as http:
        with pytest.raises(AnswerTooLargeError) as refused:
            await http.get(base)
    assert refused.value.status_code == 200


async def test_an_answer_of_exactly_the_cap_is_read() -> None:
    async with odd_service(odd.plain(CAP)) as base, UpstreamClient(max_answer_bytes=CAP) as http:
        assert len((await http.get(base)).content) == CAP


async def test_a_bomb_is_given_up_long_before_it_is_unpacked() -> None:
    import tracemalloc

    async with odd_service(odd.bomb("gzip", 1000)) as base, UpstreamClient(max_answer_bytes=CAP) as http:
        tracemalloc.start()
        with pytest.raises(AnswerTooLargeError):
            await http.get(base)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * CAP


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress"])
async def test_an_encoding_that_was_not_offered_is_refused(encoding: str) -> None:
    answer = odd.whole(b"{}", headers=f"content-encoding: {encoding}\r\n")
    async with odd_service(answer) as base, UpstreamClient() as http:
        with pytest.raises(httpx.DecodingError):
            await http.get(base)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize(
    "body", [b"not packed at all", gzip.compress(b"x" * 1000, mtime=0)[:-20]], ids=["plain", "cut off"]
)
async def test_broken_compression_is_refused(encoding: str, body: bytes) -> None:
    answer = odd.whole(body, headers=f"content-encoding: {encoding}\r\n")
    async with odd_service(answer) as base, UpstreamClient() as http:
        with pytest.raises(httpx.DecodingError):
            await http.get(base)


async def test_an_answer_that_never_ends_in_time_is_given_up() -> None:
    async with (
        odd_service(odd.cut_off(b"{")) as base,
        UpstreamClient(max_exchange_seconds=0.2, timeout=None) as http,
    ):
        with pytest.raises(httpx.ReadTimeout):
            await http.get(base)


async def test_an_ordinary_answer_keeps_status_headers_and_text() -> None:
    headers = "content-type: application/json; charset=utf-8\r\nrequest-id: one\r\nx-twice: a\r\nx-twice: b\r\n"
    answer = odd.whole('{"name": "Zoë"}'.encode(), status="201 Created", headers=headers)
    async with odd_service(answer) as base, UpstreamClient() as http:
        got = await http.post(base, json={})
    assert (got.status_code, got.json(), got.headers["request-id"]) == (201, {"name": "Zoë"}, "one")
    assert got.headers.get_list("x-twice") == ["a", "b"]


async def test_an_empty_answer_is_empty() -> None:
    answer = odd.whole(b"", status="204 No Content", headers="content-encoding: gzip\r\n")
    async with odd_service(answer) as base, UpstreamClient() as http:
        assert (await http.delete(base)).content == b""


@given(st.binary(max_size=5000), st.sampled_from(["gzip", "deflate", "raw"]), st.integers(1, 997))
async def test_what_was_packed_comes_back_as_it_was(body: bytes, encoding: str, cut: int) -> None:
    packer = zlib.compressobj(wbits={"gzip": 31, "deflate": 15, "raw": -15}[encoding])
    packed = packer.compress(body) + packer.flush()

    async def pieces():
        for start in range(0, len(packed), cut):
            yield packed[start : start + cut]

    name = {"raw": "deflate"}.get(encoding, encoding)
    transport = httpx.MockTransport(
        lambda request: httpx.Response(200, headers={"content-encoding": name}, content=pieces())
    )
    async with UpstreamClient(transport=transport) as http:
        assert (await http.get("http://service.example/")).content == body

"""Client ID Metadata Documents: which addresses are fetched, how, and what a document must say."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from scalekit_mcp.accounts.model.grants import ClientKind
from scalekit_mcp.network.public_addresses import is_public
from scalekit_mcp.server.oauth import documents as module
from scalekit_mcp.server.oauth.clients import OAuthClient
from scalekit_mcp.server.oauth.documents import MOST_BYTES, DocumentError, Documents, resolved
from scalekit_mcp.server.oauth.redirects import chosen
from scalekit_mcp.telemetry import Metrics
from tests.oauth.document_server import DocumentServer, document_server
from tests.oauth.oauth_support import CLAUDE, DOCUMENTS
from tests.support.clock import HandClock

NAME = "client.example"
PATH = "/oauth/client.json"


class Room:
    """Documents on a real server; `addresses` is what every name resolves to."""

    def __init__(self, server: DocumentServer) -> None:
        self.server = server
        self.clock = HandClock()
        self.metrics = Metrics()
        self.addresses: Sequence[str] = ["127.0.0.1"]
        self.lookups: list[str] = []
        self.documents = self.open(allowed=[NAME])

    def open(self, *, allowed: Sequence[str], tls: ssl.SSLContext | None = None) -> Documents:
        async def resolve(host: str, port: int) -> Sequence[str]:
            self.lookups.append(host)
            if not self.addresses:
                raise OSError("no such name")
            return self.addresses

        return Documents(
            self.clock,
            tls=tls or self.server.trusting,
            own_hosts=["mcp.example:8443"],
            allowed_hosts=allowed,
            metrics=self.metrics,
            resolve=resolve,
        )

    def url(self, path: str = PATH, name: str = NAME) -> str:
        return f"https://{name}:{self.server.port}{path}"

    def document(self, path: str = PATH, **members: Any) -> bytes:
        full = {"client_id": self.url(path), "client_name": "A client", "redirect_uris": [CLAUDE], **members}
        return json.dumps({name: value for name, value in full.items() if value is not None}).encode()

    def publish(self, path: str = PATH, *, headers: str = "", **members: Any) -> str:
        self.server.publish(path, self.document(path, **members), headers=headers)
        return self.url(path)

    async def refusal(self, client_id: str) -> str:
        with pytest.raises(DocumentError) as refused:
            await self.documents.find(client_id)
        return refused.value.rule

    def outcomes(self) -> dict[str, int]:
        lines = [line for line in self.metrics.render().splitlines() if "client_documents_total{" in line]
        return {line.split('"')[1]: int(line.split(" ")[1]) for line in lines}


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with document_server(tmp_path, NAME) as server:
        room = Room(server)
        yield room
        await room.documents.aclose()


async def test_a_client_is_read_from_its_document(room: Room):
    client = await room.documents.find(room.publish())
    assert client == OAuthClient(room.url(), ClientKind.DOCUMENT, "A client", (CLAUDE,), NAME)
    assert room.outcomes() == {"fetched": 1}


async def test_the_request_says_little_and_names_the_host(room: Room):
    await room.documents.find(room.publish("/c.json?version=1%2F2"))
    [(target, headers)] = room.server.requests
    assert target == "/c.json?version=1%2F2"
    assert headers["host"] == f"{NAME}:{room.server.port}"
    assert headers["accept"] == "application/json"
    assert not {"cookie", "authorization", "referer"} & set(headers)


@pytest.mark.parametrize("host", DOCUMENTS)
async def test_published_documents_are_taken(room: Room, host: str):
    members, redirect_uri = DOCUMENTS[host]
    client = await room.documents.find(room.publish(**members))
    assert client.name == members["client_name"]
    assert client.refreshes
    assert client.secret is None
    assert chosen(client.redirect_uris, redirect_uri) == redirect_uri


BAD_URLS = [
    "https://client.example",
    "https://client.example/",
    "https://client.example/a/../b",
    "https://client.example/a/./b",
    "https://client.example/a/%2e%2e/b",
    "https://client.example/a/%2E/b",
    "https://client.example/c#fragment",
    "https://client.example/c#",
    "https://user@client.example/c",
    "https://user:password@client.example/c",
    "https://client.example:443/c",
    "https://client.example:/c",
    "https://client.example:0/c",
    "https://client.example:99999/c",
    "https://client.example:8x/c",
    "https://127.0.0.1/c",
    "https://8.8.8.8/c",
    "https://[2606:4700::1]/c",
    "https://2130706433/c",
    "https://0x7f.1/c",
    "https://127.1/c",
    "https://1.0x7f/c",
    "https:///c",
    "https://client.example\\@evil.example/c",
    "https://client.example/a b",
    "https://client.example/a\nb",
    "https://cli\u00e9nt.example/c",
    "https://-client.example/c",
    "https://client..example/c",
    "http://client.example/c",
    "HTTPS://client.example/c",
    "https://client.example/" + "a" * 512,
]


@pytest.mark.parametrize("url", BAD_URLS)
async def test_an_address_that_is_none_is_refused_and_not_looked_up(room: Room, url: str):
    assert await room.refusal(url)
    assert room.lookups == []


async def test_an_address_of_512_characters_is_taken(room: Room):
    path = "/" + "a" * (512 - len(room.url("/")))
    assert len(room.url(path)) == 512
    await room.documents.find(room.publish(path))


@pytest.mark.parametrize("url", ["https://mcp.example/c", "https://MCP.example:8443/c"])
async def test_our_own_host_is_refused(room: Room, url: str):
    assert "this server" in await room.refusal(url)
    assert room.lookups == []


PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8", "2620:4f:8000::1"]
NOT_PUBLIC = [
    *("127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.1.2.3"),
    *("255.255.255.255", "224.0.0.1", "239.1.1.1", "240.0.0.1", "192.0.2.1", "198.18.0.1", "203.0.113.1"),
    *("::1", "::", "::7f00:1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00::1", "ff02::1", "ff0e::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::7f00:1"),
    *("192.0.0.8", "192.88.99.1", "198.51.100.1", "2002:808:808::1", "3fff::1", "2001:1::1"),
    *("2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:db8::1", "100::1", "4000::1"),
    "2606:4700:4700::1111%eth0",
    *("2130706433", "0x7f.1", "127.1", "localhost", ""),
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_public_internet(address: str):
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_that_are_not_of_the_public_internet(address: str):
    """Also those that `is_global` of some releases of Python takes for global."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["::ffff:7f00:1"]]
)
async def test_no_connection_is_made_if_any_address_is_not_public(room: Room, addresses: list[str]):
    room.documents = room.open(allowed=[])
    room.addresses = addresses
    assert "public internet" in await room.refusal(room.publish())
    assert room.lookups == [NAME]
    assert room.server.connections == 0


@pytest.mark.parametrize("written", [NAME.upper(), "{name}:{port}"])
async def test_a_host_that_the_operator_allows_may_be_private(room: Room, written: str):
    room.documents = room.open(allowed=[written.format(name=NAME, port=room.server.port)])
    await room.documents.find(room.publish())


@pytest.mark.parametrize("allowed", ["another.example", f"{NAME}:1", "example", "127.0.0.1"])
async def test_allowing_another_host_or_port_allows_nothing_else(room: Room, allowed: str):
    room.documents = room.open(allowed=[allowed])
    assert "public internet" in await room.refusal(room.publish())
    assert room.server.connections == 0


async def test_the_name_is_looked_up_once_so_that_it_cannot_change_in_between(room: Room):
    await room.documents.find(room.publish())
    assert room.lookups == [NAME]


async def test_a_name_without_an_address_is_refused(room: Room):
    room.addresses = []
    assert "no address" in await room.refusal(room.publish())


@pytest.mark.parametrize("name", ["localhost", "2130706433", "127.1"])
async def test_this_machine_resolves_names_as_the_guard_expects(name: str):
    found = await resolved(name, 443)
    assert found
    assert not any(map(is_public, found))


async def test_the_certificate_must_be_that_of_the_name(tmp_path: Path):
    """A pool knows connections by address: a second name on it must not be served over the first one's connection."""
    async with document_server(tmp_path, NAME) as server:
        room = Room(server)
        room.documents = room.open(allowed=[NAME, "other.example"])
        await room.documents.find(room.publish())
        server.publish("/o.json", room.document())
        assert "reached" in await room.refusal(room.url("/o.json", "other.example"))
        assert [target for target, _ in server.requests] == [PATH]
        assert server.connections == 2


async def test_a_certificate_of_a_stranger_is_refused(room: Room):
    room.documents = room.open(allowed=[NAME], tls=ssl.create_default_context())
    assert "reached" in await room.refusal(room.publish())
    assert room.server.requests == []


async def test_proxies_of_the_environment_are_not_used(room: Room, monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    await room.documents.find(room.publish())


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "204 No Content",
                                    "404 Not Found", "206 Partial Content"])  # fmt: skip
async def test_only_200_is_an_answer_and_redirects_are_not_followed(room: Room, status: str):
    room.publish("/other.json")
    room.server.publish(PATH, room.document(), status=status, headers="location: /other.json\r\n")
    assert "does not answer" in await room.refusal(room.url())
    assert [target for target, _ in room.server.requests] == [PATH]


@pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/octet-stream", "application/jsonp", ""])
async def test_what_is_not_sent_as_json_is_refused(room: Room, kind: str):
    room.server.publish(PATH, room.document(), headers=f"content-type: {kind}\r\n")
    assert "JSON" in await room.refusal(room.url())


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/cimd+json"])
async def test_json_media_types_are_taken(room: Room, kind: str):
    room.server.publish(PATH, room.document(), headers=f"content-type: {kind}\r\n")
    await room.documents.find(room.url())


async def test_a_document_has_at_most_five_kibibytes(room: Room):
    assert MOST_BYTES == 5_120
    padded = room.document(x="")
    room.server.publish(
        "/a.json", room.document("/a.json", x="a" * (MOST_BYTES - len(padded.replace(PATH.encode(), b"/a.json"))))
    )
    await room.documents.find(room.url("/a.json"))
    room.server.publish(
        "/b.json", room.document("/b.json", x="a" * (MOST_BYTES - len(padded.replace(PATH.encode(), b"/b.json")) + 1))
    )
    assert "longer" in await room.refusal(room.url("/b.json"))


async def test_a_compressed_bomb_is_not_unpacked(room: Room):
    room.server.publish(PATH, gzip.compress(b" " * 10_000_000), headers="content-encoding: gzip\r\n")
    assert "longer" in await room.refusal(room.url())


async def test_a_document_that_does_not_come_is_given_up(room: Room, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "FETCH_SECONDS", 0.05)
    room.server.hold = asyncio.Event()
    rule = await room.refusal(room.publish())
    assert "in time" in rule or "reached" in rule
    assert (module.CONNECT_SECONDS, 5.0) == (3.0, 5.0)


async def test_a_name_that_is_never_resolved_is_given_up(room: Room, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "FETCH_SECONDS", 0.05)
    never = asyncio.Event()

    async def resolve(host: str, port: int) -> Sequence[str]:
        await never.wait()
        return []

    room.documents = Documents(room.clock, tls=room.server.trusting, own_hosts=[], resolve=resolve)
    async with asyncio.timeout(5):
        assert "in time" in await room.refusal(room.publish())


BAD_DOCUMENTS: dict[str, tuple[bytes | dict[str, Any], str]] = {
    "not JSON": (b"<html>", "not JSON"),
    "not UTF-8": (b'{"client_id": "\xff"}', "not JSON"),
    "deep": (b"[" * 5_000, "not JSON"),
    "a list": (b"[]", "JSON object"),
    "another id": ({"client_id": "https://client.example/other"}, "another client_id"),
    "no id": ({"client_id": None}, "another client_id"),
    "no name": ({"client_name": None}, "client_name"),
    "a name of nothing visible": ({"client_name": "\u202e\u200b"}, "client_name"),
    "no redirect URIs": ({"redirect_uris": None}, "redirect URI"),
    "empty redirect URIs": ({"redirect_uris": []}, "redirect URI"),
    "text for redirect URIs": ({"redirect_uris": CLAUDE}, "redirect URI"),
    "unacceptable redirect URIs": ({"redirect_uris": ["javascript:x", "http://evil.example"]}, "redirect URI"),
    "a secret": ({"client_secret": "s"}, "secret"),
    "an empty secret": ({"client_secret": ""}, "secret"),
    "a shared secret's method": ({"token_endpoint_auth_method": "client_secret_basic"}, "secret"),
    "a shared secret beside none": (
        {"token_endpoint_auth_method": "client_secret_post", "token_endpoint_auth_methods_supported": ["none"]},
        "secret",
    ),
    "private_key_jwt alone": ({"token_endpoint_auth_method": "private_key_jwt"}, "private_key_jwt"),
    "private_key_jwt in a list": (
        {"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_methods_supported": ["private_key_jwt"]},
        "private_key_jwt",
    ),
}


@pytest.mark.parametrize("what", BAD_DOCUMENTS)
async def test_a_document_that_breaks_a_rule_is_refused_by_that_rule(room: Room, what: str):
    content, word = BAD_DOCUMENTS[what]
    room.server.publish(PATH, content if isinstance(content, bytes) else room.document(**content))
    rule = await room.refusal(room.url())
    assert word in rule
    assert "127.0.0.1" not in rule


async def test_the_id_is_compared_byte_for_byte(room: Room):
    room.server.publish("/C.json", room.document("/c.json"))
    assert "another client_id" in await room.refusal(room.url("/C.json"))


async def test_a_document_is_remembered_as_long_as_it_says_within_bounds(room: Room):
    for headers, seconds in (
        ("", 3600),
        ("cache-control: public, max-age=600\r\n", 600),
        ("cache-control: max-age=1\r\n", 300),
        ("cache-control: no-store\r\n", 300),
        ("cache-control: max-age=99999999\r\n", 86_400),
    ):
        path = f"/{seconds}{len(headers)}.json"
        url = room.publish(path, headers=headers)
        await room.documents.find(url)
        room.clock.advance(seconds - 1)
        await room.documents.find(url)
        assert len([1 for target, _ in room.server.requests if target == path]) == 1
        room.clock.advance(1)
        await room.documents.find(url)
        assert len([1 for target, _ in room.server.requests if target == path]) == 2


async def test_a_failure_is_remembered_for_half_a_minute(room: Room):
    for _ in range(2):
        await room.refusal(room.url())
    assert len(room.server.requests) == 1
    room.publish()
    room.clock.advance(30)
    await room.documents.find(room.url())


async def test_an_older_copy_serves_for_a_day_while_the_host_is_away(room: Room):
    url = room.publish()
    known = await room.documents.find(url)
    room.server.publish(PATH, b"", status="503 Service Unavailable")
    room.clock.advance(3600)
    assert await room.documents.find(url) == known
    assert await room.documents.find(url) == known
    assert len(room.server.requests) == 2
    room.clock.advance(86_400)
    await room.refusal(url)
    assert room.outcomes() == {"fetched": 1, "stale": 1, "cached": 1, "refused": 1}


async def test_a_document_that_breaks_a_rule_now_serves_no_longer(room: Room):
    url = room.publish()
    await room.documents.find(url)
    room.publish(redirect_uris=["http://evil.example"])
    room.clock.advance(3600)
    assert "redirect URI" in await room.refusal(url)


async def test_the_cache_is_bounded(room: Room, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MOST_CACHED", 3)
    for number in range(5):
        await room.documents.find(room.publish(f"/{number}.json"))
        await room.refusal(room.url(f"/missing{number}"))
    assert (len(room.documents._cache), len(room.documents._refusals)) == (3, 3)


async def test_one_address_is_fetched_once_at_a_time_and_few_for_one_host(room: Room):
    room.server.hold = asyncio.Event()
    same = [asyncio.ensure_future(room.documents.find(room.publish())) for _ in range(10)]
    others = [asyncio.ensure_future(room.documents.find(room.publish(f"/{number}.json"))) for number in range(4)]
    await room.server.requests_come(module.FETCHES_PER_HOST)
    room.server.hold.set()
    async with asyncio.timeout(5):
        clients = await asyncio.gather(*same, *others)
    assert len({client.client_id for client in clients}) == 5
    assert len(room.server.requests) == 5


async def test_eight_fetches_run_at_once(room: Room):
    hold = asyncio.Event()

    async def resolve(host: str, _: int) -> Sequence[str]:
        room.lookups.append(host)
        await hold.wait()
        return []

    documents = Documents(room.clock, tls=room.server.trusting, own_hosts=[], resolve=resolve)
    asked = [asyncio.ensure_future(documents.find(f"https://client{number}.example/c.json")) for number in range(10)]
    for _ in range(200):  # until everybody has a place or waits for one
        await asyncio.sleep(0)
    assert len(room.lookups) == 8
    hold.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [DocumentError] * 10
    assert len(room.lookups) == 10


async def test_a_slow_host_leaves_places_for_others(room: Room):
    room.server.hold = asyncio.Event()
    slow = [asyncio.ensure_future(room.documents.find(room.publish(f"/{number}.json"))) for number in range(20)]
    await room.server.requests_come(module.FETCHES_PER_HOST)
    for _ in range(50):
        await asyncio.sleep(0)
    assert room.server.connections == module.FETCHES_PER_HOST < module.FETCHES_AT_ONCE
    room.server.hold.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*slow)


async def test_the_log_names_the_host_and_the_rule_and_no_address(room: Room, caplog: pytest.LogCaptureFixture):
    room.documents = room.open(allowed=[])
    room.addresses = ["10.11.12.13"]
    with caplog.at_level(logging.INFO):
        await room.refusal(room.publish("/secret-path.json?token=x"))
    assert NAME in caplog.text
    assert "10.11.12.13" not in caplog.text
    assert "secret-path" not in caplog.text
    assert timedelta(seconds=30) == module.FAILURE_FRESH

"""The keys of an authorization server that is slow, down, or asked about keys that it does not have."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import anyio
import anyio.lowlevel
import httpx2 as httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.datastructures import Headers
from test_authentication import ISSUER, NOW, AuthorizationServer, HandClock

from scalekit_mcp.server.callers.authentication import AuthenticationError
from scalekit_mcp.server.callers.oidc import OidcOptions, OidcTokens
from scalekit_mcp.server.callers.oidc_keys import (
    FRESH_SECONDS,
    KEPT_SECONDS,
    LONGEST_PAUSE_SECONDS,
    LOOK_SECONDS,
    metadata_addresses,
)
from tests.support.bounds import HANG_SECONDS

LATER = NOW + 10 * 24 * 3600
STRANGE_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class SlowServer(AuthorizationServer):
    """Accepts and stays silent while it hangs."""

    def __init__(self) -> None:
        super().__init__()
        self.hanging = False
        self.published: list[Any] = []
        self.asked_in_silence = anyio.Event()
        self.go_on = anyio.Event()

    async def answer(self, request: httpx.Request) -> httpx.Response:
        if self.hanging:
            self.asked.append(request.url.path)
            self.asked_in_silence.set()
            await self.go_on.wait()
        document = self.document(request)
        if self.published and request.url.path == "/keys":
            document = httpx.Response(200, json={"keys": self.published + document.json()["keys"]})
        return document


@asynccontextmanager
async def verifier(server: SlowServer, clock: HandClock, **options: Any) -> AsyncIterator[OidcTokens]:
    given = OidcOptions(issuer=ISSUER, audience="api://outlook", **{"wait_seconds": 0.02, **options})
    async with httpx.AsyncClient(transport=httpx.MockTransport(server.answer)) as http:
        tokens = OidcTokens(given, http=http, clock=clock)
        try:
            with anyio.fail_after(HANG_SECONDS):
                yield tokens
        finally:
            await tokens.aclose()


def known(server: AuthorizationServer) -> Headers:
    return Headers({"authorization": f"Bearer {server.token(exp=LATER, iat=NOW)}"})


def unknown(kid: str) -> Headers:
    token = jwt.encode({"iss": ISSUER, "aud": "a", "exp": LATER}, STRANGE_KEY, algorithm="RS256", headers={"kid": kid})
    return Headers({"authorization": f"Bearer {token}"})


async def status(tokens: OidcTokens, headers: Headers) -> int:
    try:
        await tokens.authenticate(headers)
    except AuthenticationError as denied:
        return denied.status
    return 200


async def settle(condition: Any) -> None:
    while not condition():
        await anyio.lowlevel.checkpoint()


async def test_a_known_key_serves_while_the_issuer_hangs_and_one_fetch_runs_behind() -> None:
    server, clock = SlowServer(), HandClock()
    async with verifier(server, clock, wait_seconds=10 * HANG_SECONDS) as tokens:
        assert await status(tokens, known(server)) == 200
        clock.at += timedelta(seconds=FRESH_SECONDS + 1)
        server.hanging = True
        headers = known(server)
        assert [await status(tokens, headers) for _ in range(100)] == [200] * 100
        await server.asked_in_silence.wait()
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(tokens.authenticate, headers)
        assert len(server.asked) == 3  # two at the beginning, one that hangs
        server.go_on.set()
        await settle(lambda: len(server.asked) > 3)  # it was still waiting: no call ended with it


async def test_what_was_fetched_behind_serves_from_then_on() -> None:
    server, clock = SlowServer(), HandClock()
    async with verifier(server, clock) as tokens:
        assert await status(tokens, known(server)) == 200
        clock.at += timedelta(seconds=FRESH_SECONDS + 1)
        server.add("rsa2", STRANGE_KEY)
        assert await status(tokens, known(server)) == 200
        await settle(lambda: len(server.asked) == 4)
        rotated = Headers({"authorization": f"Bearer {server.token(kid='rsa2', exp=LATER, iat=NOW)}"})
        while await status(tokens, rotated) != 200:
            await anyio.lowlevel.checkpoint()
        assert len(server.asked) == 4


async def test_an_unknown_key_waits_for_a_hanging_issuer_only_so_long_and_a_known_one_not_at_all() -> None:
    server, clock = SlowServer(), HandClock()
    async with verifier(server, clock) as tokens:
        assert await status(tokens, known(server)) == 200
        clock.at += timedelta(seconds=LOOK_SECONDS)
        server.hanging = True
        statuses: list[int] = []

        async def stranger(number: int) -> None:
            statuses.append(await status(tokens, unknown(f"k{number}")))

        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(stranger, number)
            await server.asked_in_silence.wait()
            assert await status(tokens, known(server)) == 200
        assert statuses == [503] * 50
        assert len(server.asked) == 3


async def test_a_flood_of_unknown_keys_causes_one_fetch_in_half_a_minute() -> None:
    server, clock = SlowServer(), HandClock()
    async with verifier(server, clock) as tokens:
        assert [await status(tokens, unknown(f"k{number}")) for number in range(50)] == [401] * 50
        assert len(server.asked) == 2
        clock.at += timedelta(seconds=LOOK_SECONDS)
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(status, tokens, unknown(f"l{number}"))
        assert len(server.asked) == 4


async def test_failures_back_off_and_end_with_the_first_success() -> None:
    server, clock = SlowServer(), HandClock()
    server.down = True
    async with verifier(server, clock, wait_seconds=HANG_SECONDS) as tokens:
        asked = []
        for _ in range(300):
            assert await status(tokens, unknown("k")) == 503
            clock.at += timedelta(seconds=1)
            asked.append(len(server.asked))
        assert 8 <= asked[-1] <= 14  # 1, 2, 4 ... 60 seconds apart, not 300 times
        server.down = False
        clock.at += timedelta(seconds=LONGEST_PAUSE_SECONDS)
        assert await status(tokens, known(server)) == 200


async def test_a_key_that_nobody_could_confirm_for_a_day_no_longer_serves() -> None:
    server, clock = SlowServer(), HandClock()
    async with verifier(server, clock, wait_seconds=HANG_SECONDS) as tokens:
        assert await status(tokens, known(server)) == 200
        server.down = True
        clock.at += timedelta(seconds=KEPT_SECONDS - 1)
        assert await status(tokens, known(server)) == 200
        await settle(lambda: len(server.asked) == 3)
        clock.at += timedelta(hours=1)
        assert await status(tokens, known(server)) == 503
        server.down = False
        clock.at += timedelta(hours=1)
        assert await status(tokens, known(server)) == 200


async def test_keys_that_are_not_ours_to_understand_do_not_spoil_the_others() -> None:
    server, clock = SlowServer(), HandClock()
    server.published = [
        {"kty": "EC", "crv": "P-999", "kid": "x", "x": "a", "y": "b"},
        {"kty": "RSA"},
        None,
        7,
        {"kid": []},
    ]
    async with verifier(server, clock) as tokens:
        assert await status(tokens, known(server)) == 200


@pytest.mark.parametrize(
    "jwks_uri", ["http://login.example.com/keys", "ftp://x", "", None, 7, "https://[", "https://login.example.com/none"]
)
async def test_an_address_of_keys_that_cannot_be_is_an_outage(jwks_uri: Any) -> None:
    def document(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("openid-configuration"):
            return httpx.Response(200, content=json.dumps({"issuer": ISSUER, "jwks_uri": jwks_uri}))
        return httpx.Response(404)

    async with httpx.AsyncClient(transport=httpx.MockTransport(document)) as http:
        tokens = OidcTokens(OidcOptions(issuer=ISSUER, audience="a"), http=http, clock=HandClock())
        assert await status(tokens, unknown("k")) == 503
        await tokens.aclose()


def address_of(url: httpx.URL) -> str:
    """A URL without what nobody here asks about."""
    return f"{url.scheme}://{url.netloc.decode()}{url.path}"


OPENID, RFC_8414 = (
    f"{ISSUER}/.well-known/openid-configuration",
    "https://login.example.com/.well-known/oauth-authorization-server/tenant",
)


@pytest.mark.parametrize(
    ("issuer", "openid", "rfc_8414"),
    [
        (ISSUER, OPENID, RFC_8414),
        (
            "https://acme.example/",
            "https://acme.example/.well-known/openid-configuration",
            "https://acme.example/.well-known/oauth-authorization-server",
        ),
        (
            "https://acme.example:8443/a/b/",
            "https://acme.example:8443/a/b/.well-known/openid-configuration",
            "https://acme.example:8443/.well-known/oauth-authorization-server/a/b",
        ),
        (
            "http://127.0.0.1:9",
            "http://127.0.0.1:9/.well-known/openid-configuration",
            "http://127.0.0.1:9/.well-known/oauth-authorization-server",
        ),
    ],
)
def test_metadata_is_looked_for_by_openid_connect_first_and_by_rfc_8414_with_the_path_inserted(
    issuer: str, openid: str, rfc_8414: str
) -> None:
    assert metadata_addresses(issuer) == (openid, rfc_8414)


USABLE = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}


@pytest.mark.parametrize(
    ("openid", "expected"),
    [
        pytest.param(httpx.Response(404), 200, id="nothing there"),
        pytest.param(httpx.Response(403), 200, id="forbidden"),
        pytest.param(httpx.Response(302, headers={"location": "https://login.example.com/"}), 200, id="a redirect"),
        pytest.param(httpx.Response(200, content=b"<html>"), 200, id="a page"),
        pytest.param(httpx.Response(200, json=[]), 200, id="no object"),
        pytest.param(httpx.Response(200, json={"issuer": ISSUER}), 200, id="no keys"),
        pytest.param(httpx.Response(200, json={**USABLE, "issuer": f"{ISSUER}/"}), 200, id="almost the issuer"),
        pytest.param(httpx.Response(200, json={**USABLE, "issuer": "https://login.example.com"}), 200, id="its host"),
        pytest.param(httpx.Response(500), 503, id="an outage"),
        pytest.param(httpx.Response(429), 503, id="too many requests"),
    ],
)
async def test_without_a_usable_openid_document_the_one_of_rfc_8414_serves(
    openid: httpx.Response, expected: int
) -> None:
    server, asked = AuthorizationServer(), list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(address_of(request.url))
        if asked[-1] == OPENID:
            return openid
        return httpx.Response(200, json=USABLE) if asked[-1] == RFC_8414 else server.document(request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        tokens = OidcTokens(OidcOptions(issuer=ISSUER, audience="api://outlook"), http=http, clock=HandClock())
        assert await status(tokens, known(server)) == expected
        await tokens.aclose()
    assert asked == ([OPENID, RFC_8414, f"{ISSUER}/keys"] if expected == 200 else [OPENID])


@pytest.mark.parametrize("document", [{"jwks_uri": f"{ISSUER}/keys"}, {**USABLE, "issuer": f"{ISSUER}/"}])
async def test_metadata_of_another_issuer_is_used_at_neither_address(document: dict[str, str]) -> None:
    server, asked = AuthorizationServer(), list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(address_of(request.url))
        return httpx.Response(200, json=document)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        tokens = OidcTokens(OidcOptions(issuer=ISSUER, audience="api://outlook"), http=http, clock=HandClock())
        assert await status(tokens, known(server)) == 503
        await tokens.aclose()
    assert asked == [OPENID, RFC_8414]


@pytest.mark.parametrize("jwks_uri", ["http://keys.example/keys", "https://user@keys.example/keys"])
async def test_keys_of_an_issuer_on_this_machine_are_fetched_from_no_address_that_carries_no_trust(
    jwks_uri: str,
) -> None:
    issuer, asked = "http://127.0.0.1:9", list[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(address_of(request.url))
        return httpx.Response(200, json={"issuer": issuer, "jwks_uri": jwks_uri})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        tokens = OidcTokens(OidcOptions(issuer=issuer, audience="a"), http=http, clock=HandClock())
        bearer = jwt.encode({"iss": issuer, "aud": "a", "exp": LATER}, STRANGE_KEY, "RS256", headers={"kid": "k"})
        assert await status(tokens, Headers({"authorization": f"Bearer {bearer}"})) == 503
        await tokens.aclose()
    assert asked == [*metadata_addresses(issuer)]

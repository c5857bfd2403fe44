"""Callers that cannot be forged: session tokens, OIDC, the gateway, none."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anyio
import httpx2 as httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from http_support import SERVICE_KEY, remote
from jwt import algorithms
from starlette.datastructures import Headers

from scalekit_mcp.errors import ConfigurationError, InvalidInput
from scalekit_mcp.server.callers.authentication import AuthenticationError, Gateway, NoAuthentication
from scalekit_mcp.server.callers.oidc import OidcOptions, OidcTokens, resource_metadata
from scalekit_mcp.server.callers.session_tokens import SessionTokens, parse_keys
from tests.support.clock import HandClock

AUDIENCE = "https://mcp.example.com/mcp"
KEY = b"k" * 32
ISSUER = "https://login.example.com/tenant"


def session_tokens(clock: HandClock | None = None, keys: dict[str, bytes] | None = None) -> SessionTokens:
    return SessionTokens(keys or {"k1": KEY}, audience=AUDIENCE, clock=clock or HandClock())


def claims(**changes: Any) -> dict[str, Any]:
    now = int(HandClock().at.timestamp())
    given = {"sub": "ana", "aud": AUDIENCE, "iat": now, "exp": now + 3600, **changes}
    return {name: value for name, value in given.items() if value is not None}


def signed(payload: dict[str, Any], *, key: bytes = KEY, kid: str | None = "k1", algorithm: str = "HS256") -> str:
    return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def test_a_minted_token_names_its_user_with_both_scopes() -> None:
    tokens = session_tokens()
    token, expires_at = tokens.mint("ana", email="ana@contoso.example")
    caller = tokens.verify(token)
    assert (caller.subject, caller.scopes) == ("ana", ["calendar.read", "calendar.write"])
    assert caller.claims == {"iss": "session-token", "email": "ana@contoso.example"}
    assert caller.token == ""
    assert expires_at == HandClock().at + timedelta(hours=1)
    assert jwt.get_unverified_header(token)["kid"] == "k1"


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (None, ["calendar.read", "calendar.write"]),
        ("calendar.read", ["calendar.read"]),
        ("openid calendar.write mail.send", ["calendar.write"]),
        ("openid", []),
        ("", []),
    ],
)
def test_no_scope_means_both_and_unknown_scopes_are_ignored(scope: str | None, expected: list[str]) -> None:
    assert session_tokens().verify(signed(claims(scope=scope))).scopes == expected


NOW = int(HandClock().at.timestamp())


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(claims(aud="https://other.example.com/mcp"), id="wrong audience"),
        pytest.param(claims(aud="https://mcp.example.com"), id="audience of the base"),
        pytest.param(claims(aud=None), id="no audience"),
        pytest.param(claims(iat=None), id="no iat"),
        pytest.param(claims(exp=None), id="no exp"),
        pytest.param(claims(exp=NOW + 24 * 3600 + 1), id="lives too long"),
        pytest.param(claims(iat=NOW - 7200, exp=NOW - 60), id="expired"),
        pytest.param(claims(iat=NOW + 61, exp=NOW + 3600), id="from the future"),
        pytest.param(claims(nbf=NOW + 61), id="not yet"),
        pytest.param(claims(exp=NOW), id="no life"),
        pytest.param(claims(exp=True), id="exp is no number"),
        pytest.param(claims(sub=None), id="no subject"),
        pytest.param(claims(sub=""), id="empty subject"),
        pytest.param(claims(sub="a" * 101), id="long subject"),
        pytest.param(claims(sub="ana\x00"), id="C0 in the subject"),
        pytest.param(claims(sub="ana\x85"), id="C1 in the subject"),
        pytest.param(claims(scope=["calendar.read"]), id="scope is a list"),
    ],
)
def test_a_session_token_with_wrong_claims_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(AuthenticationError) as raised:
        session_tokens().verify(signed(payload))
    assert raised.value.status == 401


@pytest.mark.parametrize(
    "payload",
    [
        claims(iat=NOW - 3600, exp=NOW - 59),
        claims(iat=NOW + 60, exp=NOW + 3600),
        claims(exp=NOW + 24 * 3600),
        claims(aud=["https://x.example", AUDIENCE]),
    ],
)
def test_a_session_token_within_the_leeway_is_taken(payload: dict[str, Any]) -> None:
    assert session_tokens().verify(signed(payload)).subject == "ana"


def unsigned() -> str:
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "k1"}).encode()).decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps(claims()).encode()).decode().rstrip("=")
    return f"{header}.{body}."


def of_microsoft() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims(aud="00000003-0000-0000-c000-000000000000"), key, algorithm="RS256", headers={"kid": "k1"})


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(unsigned(), id="alg none"),
        pytest.param(signed(claims(), key=b"x" * 32), id="another key"),
        pytest.param(signed(claims(), kid="k9"), id="unknown kid"),
        pytest.param(signed(claims(), key=KEY * 2, algorithm="HS512"), id="another algorithm"),
        pytest.param(of_microsoft(), id="a token of Microsoft"),
        pytest.param("a.b.c", id="garbage"),
        pytest.param("", id="empty"),
    ],
)
def test_a_forged_session_token_is_refused(token: str) -> None:
    with pytest.raises(AuthenticationError) as raised:
        session_tokens().verify(token)
    assert raised.value.status == 401


def test_keys_rotate_and_a_missing_kid_is_taken_with_a_single_key_alone() -> None:
    old, new = session_tokens(), session_tokens(keys={"k2": b"n" * 32, "k1": KEY})
    assert new.verify(old.mint("ana")[0]).subject == "ana"
    assert jwt.get_unverified_header(new.mint("ana")[0])["kid"] == "k2"
    bare = signed(claims(), kid=None)
    assert old.verify(bare).subject == "ana"
    with pytest.raises(AuthenticationError):
        new.verify(bare)


@pytest.mark.parametrize("seconds", [0, -1, 24 * 3600 + 1])
def test_a_token_longer_than_a_day_is_not_minted(seconds: int) -> None:
    with pytest.raises(InvalidInput):
        session_tokens().mint("ana", ttl_seconds=seconds)


def test_a_token_for_an_invalid_identifier_is_not_minted() -> None:
    with pytest.raises(InvalidInput):
        session_tokens().mint("ana\n")


def test_session_keys_are_read_with_their_ids() -> None:
    plain = base64.b64encode(KEY).decode()
    urlsafe = base64.urlsafe_b64encode(b"\xfb\xff" * 16).decode().rstrip("=")
    assert parse_keys(f"a:{plain}, b:{urlsafe}") == {"a": KEY, "b": b"\xfb\xff" * 16}


@pytest.mark.parametrize("text", ["", "a:", "a:AAAA", ":" + "A" * 44, "a:%%%", "a:{0},a:{0}".format("A" * 44)])
def test_session_keys_that_are_missing_short_or_doubled_stop_the_start(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_keys(text)


async def denied_by(authentication: Any, headers: dict[str, str] | list[tuple[str, str]]) -> AuthenticationError:
    pairs = headers.items() if isinstance(headers, dict) else headers
    raw = [(name.encode(), value.encode("latin-1")) for name, value in pairs]
    with pytest.raises(AuthenticationError) as raised:
        await authentication.authenticate(Headers(raw=raw))
    return raised.value


async def test_the_gateway_names_its_user_in_percent_encoded_utf8() -> None:
    headers = {"authorization": f"Bearer {SERVICE_KEY}", "x-scalekit-identifier": "J%C3%BCrgen%2F7"}
    caller = await Gateway(SERVICE_KEY).authenticate(Headers(headers))
    assert (caller.subject, caller.client_id) == ("Jürgen/7", "gateway")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("x-scalekit-identifier", "ana")], id="no key"),
        pytest.param([("authorization", "Bearer wrong"), ("x-scalekit-identifier", "ana")], id="wrong key"),
        pytest.param([("authorization", f"Bearer {SERVICE_KEY}")], id="no identifier"),
        pytest.param(
            [
                ("authorization", f"Bearer {SERVICE_KEY}"),
                ("x-scalekit-identifier", "a"),
                ("x-scalekit-identifier", "b"),
            ],
            id="two identifiers",
        ),
        pytest.param(
            [("authorization", f"Bearer {SERVICE_KEY}"), ("authorization", "Bearer x"), ("x-scalekit-identifier", "a")],
            id="two credentials",
        ),
    ],
)
async def test_the_gateway_mode_refuses(headers: list[tuple[str, str]]) -> None:
    assert (await denied_by(Gateway(SERVICE_KEY), headers)).status == 401


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("ana", "ana"),
        ("ana@contoso.example", "ana@contoso.example"),
        ("ana%2Bwork", "ana+work"),
        ("Ana%20Lee", "Ana Lee"),
        ("%F0%9F%99%82", "🙂"),
        ("100%25", "100%"),
        ("x" * 100, "x" * 100),
    ],
)
async def test_the_gateways_header_is_read_in_one_way(sent: str, expected: str) -> None:
    headers = {"authorization": f"Bearer {SERVICE_KEY}", "x-scalekit-identifier": sent}
    assert (await Gateway(SERVICE_KEY).authenticate(Headers(headers))).subject == expected


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param("Jürgen".encode(), id="raw UTF-8"),
        pytest.param("Jürgen".encode("latin-1"), id="raw Latin-1"),
        pytest.param(b"J%FCrgen", id="percent-encoded Latin-1"),
        pytest.param(b"a%ED%A0%80", id="half of a surrogate pair"),
        pytest.param(b"a%C0%80", id="NUL in an overlong form"),
        pytest.param(b"a%C3", id="a sequence that ends early"),
        pytest.param(b"100%", id="a percent sign alone"),
        pytest.param(b"a%zz", id="a percent sign before no digits"),
        pytest.param(b"a%4", id="a percent sign before one digit"),
        pytest.param(b"ana+work", id="a plus"),
        pytest.param(b"Ana Lee", id="a blank"),
        pytest.param(b"a\x7f", id="a raw control character"),
        pytest.param(b"a%00", id="NUL"),
        pytest.param(b"a%0A", id="a line end"),
        pytest.param(b"%C2%85", id="a C1 control character"),
        pytest.param(b"%20%20", id="white space alone"),
        pytest.param(b"", id="empty"),
        pytest.param(b"x" * 101, id="too long"),
    ],
)
async def test_a_gateways_header_that_two_readers_could_read_as_two_users_is_refused_by_name(sent: bytes) -> None:
    raw = [(b"authorization", f"Bearer {SERVICE_KEY}".encode()), (b"x-scalekit-identifier", sent)]
    with pytest.raises(AuthenticationError) as raised:
        await Gateway(SERVICE_KEY).authenticate(Headers(raw=raw))
    assert (raised.value.status, raised.value.error) == (400, "invalid_request")
    assert "X-Scalekit-Identifier" in raised.value.description
    assert raised.value.description.isascii()
    assert not set(raised.value.description) & set('"\\')


async def test_without_authentication_there_is_one_caller_whatever_a_header_says() -> None:
    caller = await NoAuthentication("ana").authenticate(Headers({"x-scalekit-identifier": "bob"}))
    assert caller.subject == "ana"


class AuthorizationServer:
    """Publishes metadata and keys, signs tokens, and counts how often it was asked."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.asked: list[str] = []
        self.issuer = ISSUER
        self.down = False
        self.add("rsa1", rsa.generate_private_key(public_exponent=65537, key_size=2048))

    def add(self, kid: str, key: Any) -> None:
        self.keys[kid] = key

    def document(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.down:
            return httpx.Response(500)
        if request.url.path.endswith("/.well-known/openid-configuration"):
            return httpx.Response(200, json={"issuer": self.issuer, "jwks_uri": f"{ISSUER}/keys"})
        listed: list[dict[str, Any]] = []
        for kid, key in self.keys.items():
            is_curve = isinstance(key, ec.EllipticCurvePrivateKey)
            to_jwk: Callable[[Any], str] = algorithms.ECAlgorithm.to_jwk if is_curve else algorithms.RSAAlgorithm.to_jwk
            listed.append({**json.loads(to_jwk(key.public_key())), "kid": kid, "use": "sig"})
        return httpx.Response(200, json={"keys": listed})

    def token(self, *, kid: str = "rsa1", algorithm: str = "RS256", **changes: Any) -> str:
        payload = claims(**{"iss": ISSUER, "aud": "api://outlook", "scope": "calendar.read calendar.write", **changes})
        return jwt.encode(payload, self.keys[kid], algorithm=algorithm, headers={"kid": kid})


def oidc(server: AuthorizationServer, clock: HandClock | None = None, **options: Any) -> OidcTokens:
    http = httpx.AsyncClient(transport=httpx.MockTransport(server.document))
    given = OidcOptions(issuer=ISSUER, audience="api://outlook", metadata_url="https://m.example/meta", **options)
    return OidcTokens(given, http=http, clock=clock or HandClock())


async def test_an_access_token_of_the_authorization_server_names_its_user() -> None:
    server = AuthorizationServer()
    server.add("ec1", ec.generate_private_key(ec.SECP256R1()))
    tokens = oidc(server, identifier_claim="preferred_username")
    for token in (
        server.token(preferred_username="ana@contoso.example", azp="app"),
        server.token(
            preferred_username="ana@contoso.example", kid="ec1", algorithm="ES256", scope=None, scp="calendar.read"
        ),
    ):
        caller = await tokens.authenticate(Headers({"authorization": f"Bearer {token}"}))
        assert caller.subject == "ana@contoso.example"
        assert caller.claims == {"iss": ISSUER}
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "00000003-0000-0000-c000-000000000000"},
        {"iss": "https://login.example.com/other"},
        {"exp": NOW - 60, "iat": NOW - 3600},
        {"exp": None},
        {"nbf": NOW + 61},
        {"sub": None},
        {"sub": "a\x01"},
    ],
)
async def test_an_access_token_with_wrong_claims_is_refused_with_the_challenge(changes: dict[str, Any]) -> None:
    server = AuthorizationServer()
    tokens = oidc(server)
    denied = await denied_by(tokens, {"authorization": f"Bearer {server.token(**changes)}"})
    assert (denied.status, denied.scope) == (401, "calendar.read calendar.write")
    assert tokens.challenge == 'resource_metadata="https://m.example/meta"'


async def test_a_public_key_used_as_a_shared_secret_is_refused() -> None:
    server = AuthorizationServer()
    secret = json.dumps(algorithms.RSAAlgorithm.to_jwk(server.keys["rsa1"].public_key())).encode()
    forged = jwt.encode(claims(iss=ISSUER, aud="api://outlook"), secret, algorithm="HS256", headers={"kid": "rsa1"})
    assert (await denied_by(oidc(server), {"authorization": f"Bearer {forged}"})).status == 401
    assert not server.asked


async def test_an_unknown_key_is_looked_up_once_and_then_not_before_half_a_minute() -> None:
    server, clock = AuthorizationServer(), HandClock()
    tokens = oidc(server, clock)
    await tokens.authenticate(Headers({"authorization": f"Bearer {server.token()}"}))
    server.add("rsa2", rsa.generate_private_key(public_exponent=65537, key_size=2048))
    rotated = {"authorization": f"Bearer {server.token(kid='rsa2')}"}
    await denied_by(tokens, rotated)
    assert len(server.asked) == 2
    clock.at += timedelta(seconds=30)
    assert (await tokens.authenticate(Headers(rotated))).subject == "ana"
    assert len(server.asked) == 4
    for _ in range(3):
        await tokens.authenticate(Headers(rotated))
    assert len(server.asked) == 4


async def test_a_known_key_outlives_an_outage_of_the_authorization_server() -> None:
    server, clock = AuthorizationServer(), HandClock()
    tokens = oidc(server, clock)
    headers = Headers({"authorization": f"Bearer {server.token(exp=NOW + 20_000)}"})
    await tokens.authenticate(headers)
    server.down = True
    clock.at += timedelta(hours=2)
    assert (await tokens.authenticate(headers)).subject == "ana"


@pytest.mark.parametrize("fault", ["down", "another issuer"])
async def test_without_keys_the_answer_is_503_and_not_401(fault: str) -> None:
    server = AuthorizationServer()
    token = server.token()
    server.down = fault == "down"
    if fault == "another issuer":
        server.issuer = "https://evil.example"
    assert (await denied_by(oidc(server), {"authorization": f"Bearer {token}"})).status == 503


async def test_a_token_without_the_scope_gets_a_scope_challenge_at_the_door() -> None:
    server = AuthorizationServer()
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "outlook_delete_calendar_event", "arguments": {"event_id": "e"}, "_meta": {}},
    }
    base64_name = "=?base64?" + base64.b64encode(b"outlook_delete_calendar_event").decode() + "?="
    with anyio.fail_after(60):
        async with remote(authentication=oidc(server, HandClock())) as there, there.browser() as http:
            answers = []
            for scope, name in (
                ("calendar.read", "outlook_delete_calendar_event"),
                ("calendar.read", base64_name),
                ("openid", "outlook_get_calendar_event"),
            ):
                headers = {
                    "authorization": f"Bearer {server.token(scope=scope)}",
                    "mcp-protocol-version": "2026-07-28",
                    "mcp-method": "tools/call",
                    "mcp-name": name,
                    "accept": "application/json, text/event-stream",
                }
                answers.append(await http.post("/mcp", headers=headers, json=call))
    for answer in answers:
        assert answer.status_code == 403
        challenge = answer.headers["www-authenticate"]
        assert 'error="insufficient_scope"' in challenge
        assert 'scope="calendar.read calendar.write"' in challenge
        assert 'resource_metadata="https://m.example/meta"' in challenge


async def test_scopes_need_not_be_demanded() -> None:
    server = AuthorizationServer()
    tokens = oidc(server, require_scopes=False)
    caller = await tokens.authenticate(Headers({"authorization": f"Bearer {server.token(scope=None)}"}))
    assert caller.scopes == ["calendar.read", "calendar.write"]
    assert not tokens.demanded_scopes


PREFIXED = ("outlook/calendar.read", "https://as.example/outlook/calendar.write", "openid", "calendar.read.all")


@pytest.mark.parametrize(
    ("scopes", "granted", "permitted"),
    [
        pytest.param((), "calendar.read", ["calendar.read"], id="ours"),
        pytest.param((), ["calendar.write", "calendar.read"], ["calendar.read", "calendar.write"], id="a list"),
        pytest.param(PREFIXED, "outlook/calendar.read", ["calendar.read"], id="an advertised name"),
        pytest.param(PREFIXED, PREFIXED[1], ["calendar.write"], id="an advertised address"),
        pytest.param(PREFIXED, "calendar.write", ["calendar.write"], id="ours where other names are advertised"),
        pytest.param(PREFIXED, "outlook/calendar.write", [], id="a prefixed name that is not advertised"),
        pytest.param((), "outlook/calendar.read", [], id="a prefixed name where ours are advertised"),
        pytest.param(PREFIXED, "openid calendar.read.all CALENDAR.READ", [], id="names that permit nothing"),
        pytest.param(PREFIXED, ["openid", 7, ["calendar.read"], {}, None], [], id="a list of anything"),
        pytest.param(PREFIXED, {"calendar.read": 1}, [], id="an object"),
    ],
)
async def test_a_token_permits_what_its_scopes_say_by_our_names_or_the_advertised_ones(
    scopes: tuple[str, ...], granted: Any, permitted: list[str]
) -> None:
    server = AuthorizationServer()
    tokens = oidc(server, scopes=scopes)
    caller = await tokens.authenticate(Headers({"authorization": f"Bearer {server.token(scope=granted)}"}))
    assert caller.scopes == permitted
    assert tokens.demanded_scopes == (scopes or ("calendar.read", "calendar.write"))


@pytest.mark.parametrize("require_scopes", [True, False])
async def test_the_challenge_names_the_scopes_to_ask_for_as_they_are_set(require_scopes: bool) -> None:
    scopes = ("openid", "outlook/calendar.read")
    tokens = oidc(AuthorizationServer(), scopes=scopes, require_scopes=require_scopes)
    assert (await denied_by(tokens, {})).scope == "openid outlook/calendar.read"
    unnamed = oidc(AuthorizationServer(), require_scopes=False)
    assert not (await denied_by(unnamed, {})).scope


async def test_a_token_of_a_foreign_issuer_causes_no_fetch() -> None:
    server = AuthorizationServer()
    tokens = oidc(server, authorization_server="https://login.example.com/resources/1")
    for issuer in ("https://evil.example", "https://login.example.com/resources/2", 7, ["https://evil.example"], None):
        denied = await denied_by(tokens, {"authorization": f"Bearer {unchecked(server, iss=issuer)}"})
        assert (denied.status, denied.description) == (401, "The token is from another authorization server.")
    assert server.asked == []


def unchecked(server: AuthorizationServer, **changes: Any) -> str:
    """A token whose claims need not be what PyJWT signs."""
    return jwt.api_jws.encode(
        json.dumps({**claims(aud="api://outlook"), **changes}).encode(), server.keys["rsa1"], "RS256", {"kid": "rsa1"}
    )


async def test_the_protected_resource_metadata_names_the_authorization_server() -> None:
    document = resource_metadata(ISSUER, resource=AUDIENCE)
    with anyio.fail_after(60):
        async with remote(resource_metadata=document) as there, there.browser() as http:
            answer = await http.get("/.well-known/oauth-protected-resource/mcp")
    assert answer.json() == {
        "resource": AUDIENCE,
        "authorization_servers": [ISSUER],
        "scopes_supported": ["calendar.read", "calendar.write"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Outlook calendar over MCP",
    }


TENANT, PERSON = "8d9e6a2c-0000-4000-8000-000000000001", "5f2c0a61-0000-4000-8000-000000000002"
ENTRA = "https://login.microsoftonline.com"


@pytest.mark.parametrize(
    ("issuer", "login_url", "vouches"),
    [
        pytest.param(f"{ENTRA}/{TENANT}/v2.0", ENTRA, True, id="Entra"),
        pytest.param(f"https://sts.windows.net/{TENANT}/", ENTRA, True, id="Entra, version 1.0"),
        pytest.param(f"{ENTRA}/another-tenant/v2.0", ENTRA, False, id="another tenant's issuer"),
        pytest.param(f"https://as.example/{TENANT}/v2.0", ENTRA, False, id="an issuer that is not Microsoft"),
        pytest.param(f"{ENTRA}/{TENANT}/v2.0", "https://login.microsoftonline.us", False, id="another cloud"),
        pytest.param(f"{ENTRA}/{TENANT}/v2.0", None, False, id="no login host"),
    ],
)
async def test_only_a_token_of_the_connections_own_login_host_names_a_microsoft_account(
    issuer: str, login_url: str | None, vouches: bool
) -> None:
    server = AuthorizationServer()
    server.issuer = issuer
    http = httpx.AsyncClient(transport=httpx.MockTransport(server.document))
    options = OidcOptions(issuer=issuer, audience="api://outlook", login_url=login_url)
    token = server.token(iss=issuer, tid=TENANT, oid=PERSON)
    caller = await OidcTokens(options, http=http, clock=HandClock()).authenticate(
        Headers({"authorization": f"Bearer {token}"})
    )
    assert caller.claims is not None
    found = (caller.claims.get("tid"), caller.claims.get("oid"))
    assert found == ((TENANT, PERSON) if vouches else (None, None))


def test_a_token_that_was_taken_once_is_refused_when_its_time_is_over() -> None:
    clock = HandClock()
    tokens = session_tokens(clock)
    token, _ = tokens.mint("ana", ttl_seconds=60)
    assert tokens.verify(token).subject == "ana"
    clock.at += timedelta(seconds=120)
    with pytest.raises(AuthenticationError, match="expired"):
        tokens.verify(token)

"""Whatever is sent as a bearer token is refused in words or names exactly the user it was signed for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt import algorithms
from starlette.datastructures import Headers

from scalekit_mcp.server.callers.authentication import AuthenticationError
from scalekit_mcp.server.callers.oidc import OidcOptions, OidcTokens
from scalekit_mcp.server.callers.session_tokens import SessionTokens
from tests.support.clock import HandClock

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
AUDIENCE = "https://calendar.example/mcp"
NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
GOOD = {"sub": "ana", "aud": AUDIENCE, "iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 3600}
TOKENS = SessionTokens({"k1": KEY, "k2": OTHER_KEY}, audience=AUDIENCE, clock=HandClock(NOW))
BUDGET = settings(max_examples=300)

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


def part(value: Any) -> bytes:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def token(header: Any, payload: Any, key: bytes = KEY) -> str:
    """An HMAC-SHA256 token (RFC 7515) of any header and payload, right or wrong, as an attacker would build it."""
    signed = part(header) + b"." + part(payload)
    return (signed + b"." + part(hmac.new(key, signed, hashlib.sha256).digest())).decode()


def refused(text: str) -> bool:
    try:
        TOKENS.verify(text)
    except AuthenticationError as denied:
        return denied.status == 401
    return False


def test_the_token_that_the_others_are_made_from_is_good():
    assert TOKENS.verify(token({"alg": "HS256", "kid": "k1"}, GOOD)).subject == "ana"


@BUDGET
@given(st.text(max_size=200))
def test_no_text_is_a_token(text: str):
    assert refused(text)


@BUDGET
@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=40))
def test_no_three_parts_are_a_token(header: bytes, payload: bytes, signature: bytes):
    assert refused(b".".join((part(header), part(payload), part(signature))).decode())


@BUDGET
@given(st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "jku", "x5c"]), JSON))
def test_no_header_makes_a_token_of_an_unknown_key_good(header: dict[str, Any]):
    assert refused(token({"alg": "HS256", "kid": "k1", **header}, GOOD, b"attacker" * 4))


@BUDGET
@given(st.dictionaries(st.sampled_from(["sub", "aud", "iat", "exp", "nbf", "scope", "email", "iss"]), JSON))
def test_whatever_claims_a_known_key_signed_the_caller_is_that_subject_or_nobody(claims: dict[str, Any]):
    given_claims = {**GOOD, **claims}
    try:
        caller = TOKENS.verify(token({"alg": "HS256", "kid": "k1"}, given_claims))
    except AuthenticationError:
        return
    assert caller.subject == given_claims["sub"]
    assert set(caller.scopes) <= {"calendar.read", "calendar.write"}


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "kid": "k1"},
        {"alg": "None", "kid": "k1"},
        {"alg": "NONE"},
        {"alg": "", "kid": "k1"},
        {"alg": "RS256", "kid": "k1"},
        {"alg": "HS384", "kid": "k1"},
        {"alg": ["HS256"], "kid": "k1"},
        {"kid": "k1"},
        {"alg": "HS256"},
        {"alg": "HS256", "kid": "../../../../dev/null"},
        {"alg": "HS256", "kid": "k1' OR '1'='1"},
        {"alg": "HS256", "kid": "k1\x00"},
        {"alg": "HS256", "kid": ["k1"]},
        {"alg": "HS256", "kid": {"k1": 1}},
        {"alg": "HS256", "kid": None},
        {"alg": "HS256", "kid": ""},
        {"alg": "HS256", "kid": "K1"},
        {"alg": "HS256", "kid": "k2"},
        {"alg": "HS256", "kid": "x" * 100_000},
        {"alg": "HS256", "kid": "k1", "crit": ["exp"]},
        {"alg": "HS256", "kid": "k1", "b64": False},
    ],
    ids=lambda header: json.dumps(header)[:40],
)
def test_a_header_with_a_trick_is_refused(header: dict[str, Any]):
    text = token(header, GOOD)
    if header.get("alg") in ("none", "None", "NONE", ""):
        assert refused(text.rpartition(".")[0] + ".")
    assert refused(text)


@pytest.mark.parametrize(
    "text",
    [
        token(b"[" * 40_000, GOOD),
        token({"alg": "HS256", "kid": "k1"}, b"[" * 40_000),
        token(b'{"a":' * 40_000, GOOD),
        token({"alg": "HS256", "kid": "k1"}, b'{"sub":"ana","exp":' + b"9" * 6000 + b"}"),
        token({"alg": "HS256", "kid": "k1"}, {**GOOD, "exp": 10**400}),
        token({"alg": "HS256", "kid": "k1"}, {**GOOD, "exp": float("nan")}),
        token({"alg": "HS256", "kid": "k1"}, {**GOOD, "exp": float("inf")}),
        token({"alg": "HS256", "kid": "k1"}, {**GOOD, "iat": float("-inf")}),
        token({"alg": "HS256", "kid": "k1"}, {**GOOD, "sub": "a" * 101}),
        token({"alg": "HS256", "kid": "k1"}, {**GOOD, "sub": "ana\x00"}),
        token({"alg": "HS256", "kid": "k1"}, [GOOD]),
        token({"alg": "HS256", "kid": "k1"}, b"\xff\xfe"),
        token(b"\xff\xfe", GOOD),
        "." * 100_000,
        "=" * 50,
        "\udcff.\udcff.\udcff",
    ],
    ids=lambda text: f"{text.encode(errors='replace')[:24].decode()}-{len(text)}",
)
def test_a_token_that_is_deep_huge_or_not_a_number_is_refused(text: str):
    assert refused(text)


PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ISSUER = "https://login.example"


def jwks(request: httpx.Request) -> httpx.Response:
    if request.url.path.endswith("/openid-configuration"):
        return httpx.Response(200, json={"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"})
    public = json.loads(algorithms.RSAAlgorithm.to_jwk(PRIVATE.public_key()))
    return httpx.Response(200, json={"keys": [{**public, "kid": "r1", "use": "sig"}]})


@pytest.mark.parametrize(
    "text",
    [
        token({"alg": "none", "kid": "r1"}, {**GOOD, "iss": ISSUER}),
        token({"alg": "HS256", "kid": "r1"}, {**GOOD, "iss": ISSUER}),
        token(b"[" * 40_000, GOOD),
        token({"alg": "RS256", "kid": {"r1": 1}}, {**GOOD, "iss": ISSUER}),
        token({"alg": ["RS256"], "kid": "r1"}, {**GOOD, "iss": ISSUER}),
        jwt.encode({**GOOD, "iss": ISSUER, "exp": 10**400}, PRIVATE, algorithm="RS256", headers={"kid": "r1"}),
        jwt.encode({**GOOD, "iss": ISSUER, "exp": float("nan")}, PRIVATE, algorithm="RS256", headers={"kid": "r1"}),
        jwt.encode({**GOOD, "iss": "https://else.example"}, PRIVATE, algorithm="RS256", headers={"kid": "r1"}),
    ],
    ids=["none", "hs256", "deep", "kid-object", "alg-list", "huge-exp", "nan-exp", "other-issuer"],
)
async def test_an_access_token_with_a_trick_is_refused(text: str):
    options = OidcOptions(issuer=ISSUER, audience=AUDIENCE, require_scopes=False)
    async with httpx.AsyncClient(transport=httpx.MockTransport(jwks)) as http:
        tokens = OidcTokens(options, http=http, clock=HandClock(NOW))
        good = jwt.encode({**GOOD, "iss": ISSUER}, PRIVATE, algorithm="RS256", headers={"kid": "r1"})
        assert (await tokens.authenticate(Headers({"authorization": f"Bearer {good}"}))).subject == "ana"
        with pytest.raises(AuthenticationError) as raised:
            await tokens.authenticate(Headers({"authorization": f"Bearer {text}"}))
    assert raised.value.status == 401

"""Our own access tokens: what they hold, and everything that is not one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
from mcp.server.auth.provider import AccessToken
from starlette.datastructures import Headers

from scalekit_mcp.accounts.model.grants import Client, ClientGrant, ClientKind
from scalekit_mcp.accounts.vault.sealing.key_ring import sha256_text
from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.identifiers import identifier_naming
from scalekit_mcp.server.callers.authentication import AuthenticationError
from scalekit_mcp.server.callers.session_tokens import SessionTokens
from scalekit_mcp.server.oauth.access_tokens import AccessTokens
from tests.support.clock import HandClock

ISSUER = "https://mcp.example"
TID, OID = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
KEYS = {"k1": b"a" * 32, "k2": b"b" * 32}
CLIENT_ID = "dcr.client"


class OneGrant:
    """Knows one grant until it is taken away."""

    def __init__(self, clock: HandClock) -> None:
        client = Client(sha256_text(CLIENT_ID), None, "Claude", "claude.ai", ClientKind.REGISTRATION)
        times = (clock.now(), clock.now(), clock.now() + timedelta(days=90))
        scopes = ("calendar.read", "calendar.write")
        self.grant: ClientGrant | None = ClientGrant(
            "gr_1", "ca_1", "outlook", identifier_naming(TID, OID), client, scopes, *times
        )
        self.asked: list[tuple[str, str]] = []

    @property
    def known(self) -> ClientGrant:
        assert self.grant is not None
        return self.grant

    async def alive(self, grant_id: str, *, tid: str) -> ClientGrant | None:
        self.asked.append((grant_id, tid))
        return self.grant


class Room:
    def __init__(self, keys: dict[str, bytes] = KEYS) -> None:
        self.clock = HandClock()
        self.grants = OneGrant(self.clock)
        self.tokens = AccessTokens(keys, issuer=ISSUER, clock=self.clock, grants=self.grants)

    def mint(self, *scopes: str) -> str:
        return self.tokens.mint(self.grants.known, client_id=CLIENT_ID, scopes=scopes or self.grants.known.scopes)

    async def caller(self, token: str) -> AccessToken:
        return await self.tokens.authenticate(Headers({"authorization": f"Bearer {token}"}))

    async def denial(self, token: str) -> AuthenticationError:
        with pytest.raises(AuthenticationError) as denied:
            await self.caller(token)
        assert denied.value.status == 401
        assert denied.value.error == "invalid_token"
        assert token not in denied.value.description
        return denied.value

    def signed(self, *, key: bytes = KEYS["k1"], algorithm: str = "HS256", header: Any = None, **claims: Any) -> str:
        """A token with other claims; one that is None is left out."""
        plain = {**jwt.decode(self.mint(), options={"verify_signature": False}), **claims}
        kept = {name: value for name, value in plain.items() if value is not None}
        return jwt.encode(kept, key, algorithm=algorithm, headers={"kid": "k1", "typ": "at+jwt", **(header or {})})


@pytest.fixture
def room() -> Room:
    return Room()


async def test_a_token_says_whose_it_is(room: Room):
    token = room.mint()
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "at+jwt", "kid": "k1"}
    claims = jwt.decode(token, options={"verify_signature": False})
    now = int(room.clock.now().timestamp())
    assert claims.pop("jti")
    assert claims == {
        "iss": ISSUER,
        "sub": f"ms:{TID}:{OID}",
        "aud": f"{ISSUER}/mcp",
        "client_id": CLIENT_ID,
        "scope": "calendar.read calendar.write",
        "iat": now,
        "exp": now + 3600,
        "gid": "gr_1",
        "tid": TID,
        "oid": OID,
    }
    caller = await room.caller(token)
    assert caller.subject == f"ms:{TID}:{OID}"
    assert caller.claims == {"iss": ISSUER, "tid": TID, "oid": OID}
    assert caller.client_id == sha256_text(CLIENT_ID)[:32]
    assert caller.token == ""
    assert room.grants.asked == [("gr_1", TID)]


async def test_a_signature_that_holds_is_made_with_a_key_of_the_ring(room: Room):
    old = Room({"k2": KEYS["k2"]})
    assert (await room.caller(old.mint())).subject
    assert await old.denial(room.mint())


async def test_a_token_lives_an_hour_and_a_minute(room: Room):
    token = room.mint()
    room.clock.advance(3600 + 59)
    await room.caller(token)
    room.clock.advance(1)
    assert "expired" in (await room.denial(token)).description


async def test_a_token_of_an_ended_grant_is_refused_at_once(room: Room):
    token = room.mint()
    await room.caller(token)
    room.grants.grant = None
    assert "ended" in (await room.denial(token)).description


async def test_a_token_is_taken_only_for_the_account_of_its_grant(room: Room):
    token = room.mint()
    room.grants.grant = replace(room.grants.known, identifier=identifier_naming(TID, TID))
    await room.denial(token)


@pytest.mark.parametrize(
    ("of_token", "of_grant", "scopes"),
    [
        ("calendar.read", "calendar.read calendar.write", ["calendar.read"]),
        ("calendar.read calendar.write", "calendar.read", ["calendar.read"]),
        ("calendar.write", "calendar.read calendar.write", ["calendar.read", "calendar.write"]),
        ("calendar.write", "calendar.read", []),
        ("mail.read", "mail.read calendar.read", ["mail.read"]),
    ],
)
async def test_scopes_are_those_of_token_and_grant(room: Room, of_token: str, of_grant: str, scopes: list[str]):
    token = room.signed(scope=of_token)
    room.grants.grant = replace(room.grants.known, scopes=tuple(of_grant.split()))
    assert (await room.caller(token)).scopes == scopes


BAD: dict[str, Any] = {
    "another issuer": {"iss": "https://evil.example"},
    "an issuer with a slash": {"iss": ISSUER + "/"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "https://graph.microsoft.com"},
    "the issuer for audience": {"aud": ISSUER},
    "a list of audiences": {"aud": [f"{ISSUER}/mcp", "https://evil.example"]},
    "no audience": {"aud": None},
    "no subject": {"sub": None},
    "a subject that is none": {"sub": "a\nb"},
    "no times": {"exp": None},
    "no start": {"iat": None},
    "text for a time": {"exp": "9999999999"},
    "an endless life": {"exp": 9_999_999_999},
    "times in the wrong order": {"exp": 1},
    "issued in the future": {"iat": 9_999_999_000, "exp": 9_999_999_999},
    "no grant": {"gid": None},
    "a number for a grant": {"gid": 7},
    "no tenant": {"tid": None},
    "no object id": {"oid": None},
    "no client": {"client_id": None},
    "no scope": {"scope": None},
    "a list of scopes": {"scope": ["calendar.read"]},
    "a session token's type": {"header": {"typ": "JWT"}},
    "an id_token's lack of a type": {"header": {"typ": None}},
    "another type": {"header": {"typ": "application/at+jwt"}},
    "an unknown key": {"header": {"kid": "k9"}},
    "an empty name of a key": {"header": {"kid": ""}},
    "another key's signature": {"key": KEYS["k2"]},
    "another algorithm": {"algorithm": "HS512"},
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_a_token_with_anything_wrong_is_refused(room: Room, what: str):
    await room.denial(room.signed(**BAD[what]))


async def test_a_token_without_a_signature_is_refused(room: Room):
    unsigned = jwt.encode({"sub": "x"}, "", algorithm="none", headers={"kid": "k1", "typ": "at+jwt"})
    for token in (unsigned, room.mint().rpartition(".")[0] + ".", "a.b.c", "rt_x", "\u00e9", "." * 100, "a" * 50_000):
        await room.denial(token)


async def test_a_session_token_is_no_access_token_nor_the_reverse(room: Room):
    """The type tells them apart, and so do keys that are derived for one purpose."""
    sessions = SessionTokens(KEYS, audience=f"{ISSUER}/mcp", clock=room.clock)
    await room.denial(sessions.mint(identifier_naming(TID, OID))[0])
    derived = SessionTokens({"k1": b"z" * 32}, audience=f"{ISSUER}/mcp", clock=room.clock)
    with pytest.raises(AuthenticationError):
        derived.verify(room.mint())


async def test_a_client_finds_the_grant_of_its_own_token_only(room: Room):
    token = room.mint()
    assert room.tokens.grant_of(token, client_id=CLIENT_ID) == "gr_1"
    assert room.tokens.grant_of(token, client_id="another") is None
    assert room.tokens.grant_of("nonsense", client_id=CLIENT_ID) is None
    room.clock.advance(2 * 3600)
    assert room.tokens.grant_of(token, client_id=CLIENT_ID) is None


def test_keys_are_long_enough():
    for keys in ({}, {"k": b"short"}):
        with pytest.raises(ConfigurationError):
            Room(keys)

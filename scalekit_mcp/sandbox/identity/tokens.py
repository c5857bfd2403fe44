"""Access tokens: what the token endpoint hands out and what Graph accepts.

`AccessTokens` is shared by both halves of the look-alike. A token is looked up, not parsed: whatever this sandbox did
not issue is refused.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from scalekit_mcp.sandbox.identity.keys import SigningKeys
from scalekit_mcp.sandbox.world import Person, World

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
MOST_TOKENS = 50_000
"""Older tokens than this many are forgotten, so that a long load test does not grow without end."""


class InvalidTokenError(Exception):
    """Graph answers 401: `code` and `message` for the error body, `www_authenticate` for the header."""

    def __init__(self, code: str, message: str, www_authenticate: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.www_authenticate = www_authenticate


@dataclass(frozen=True, repr=False)
class AccessTokenInfo:
    """What stands behind an access token."""

    person: Person
    scopes: frozenset[str]
    """Short names, e.g. `Calendars.ReadWrite`."""
    client_id: str
    tenant_id: str
    issued_at: datetime
    expires_at: datetime
    claims: str | None = None
    """The claims request the token was issued for, JSON."""
    capabilities: frozenset[str] = frozenset()
    """Client capabilities; `cp1` asks for continuous access evaluation."""
    revoked_at: datetime | None = None
    """When the sessions of the person ended; only a cp1 token hears of it."""

    def __repr__(self) -> str:
        return f"AccessTokenInfo(person={self.person.oid}, client_id={self.client_id}, expires_at={self.expires_at})"


def parse_claims(claims: str | None) -> dict[str, Any]:
    """The claims request as a dictionary; {} for none.

    Raises ValueError for anything but a JSON object whose `access_token`, if there, is one too.
    """
    if not claims:
        return {}
    parsed: object = json.loads(claims)
    if not isinstance(parsed, dict):
        raise ValueError("the claims request is not a JSON object")  # noqa: TRY004 - a bad value from outside, not a bug
    found = cast("dict[str, Any]", parsed)
    if not isinstance(found.get("access_token") or {}, dict):
        raise ValueError("the claims request for the access token is not a JSON object")  # noqa: TRY004 - as above
    return found


def claims_cover(requested: str | None, demanded: str | None) -> bool:
    """True when the claims request `requested` contains everything that `demanded` asks of the access token."""
    if not demanded:
        return True
    have = cast("dict[str, Any]", parse_claims(requested).get("access_token") or {})
    want = cast("dict[str, Any]", parse_claims(demanded).get("access_token") or {})
    return all(have.get(name) == value for name, value in want.items())


def client_capabilities(claims: str | None) -> frozenset[str]:
    """The `xms_cc` values of a claims request, e.g. {'cp1'}."""
    access_token = cast("dict[str, Any]", parse_claims(claims).get("access_token") or {})
    declared = access_token.get("xms_cc")
    values = cast("dict[str, Any]", declared).get("values") if isinstance(declared, dict) else None
    return frozenset(str(value) for value in cast("list[Any]", values)) if isinstance(values, list) else frozenset()


class AccessTokens:
    """Every access token of one world."""

    def __init__(self, world: World) -> None:
        self.keys = SigningKeys()
        self._world = world
        self._tokens: dict[str, AccessTokenInfo] = {}

    def issue(
        self,
        person: Person,
        scopes: frozenset[str] | set[str],
        *,
        client_id: str,
        issuer_base: str | None = None,
        lifetime_seconds: int | None = None,
        claims: str | None = None,
    ) -> str:
        """A new access token for `person`.

        Scopes are short names. The lifetime defaults to the switch, else 3600 to 5399 seconds, else about a day for a
        client that declares continuous access evaluation (cp1). Organizations get a JWT, personal accounts an opaque
        text beginning `EwB`.
        """
        now = self._world.clock.now()
        capabilities = client_capabilities(claims)
        if lifetime_seconds is None:
            lifetime_seconds = self.lifetime_seconds(capabilities)
        tenant = self._world.tenants[person.tenant_id]
        expires_at = now + timedelta(seconds=lifetime_seconds)
        if tenant.personal:
            token = "EwB" + secrets.token_urlsafe(600)
        else:
            token = self._jwt(person, scopes, client_id, issuer_base or self._world.base_url, now, expires_at)
        if len(self._tokens) >= MOST_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[token] = AccessTokenInfo(
            person=person,
            scopes=frozenset(scopes),
            client_id=client_id,
            tenant_id=tenant.id,
            issued_at=now,
            expires_at=expires_at,
            claims=claims,
            capabilities=capabilities,
        )
        return token

    def lifetime_seconds(self, capabilities: frozenset[str] = frozenset()) -> int:
        """How long the next token lives: the switch, a day with cp1, else a random 3600 to 5399 seconds."""
        if self._world.switches.access_token_seconds is not None:
            return self._world.switches.access_token_seconds
        if "cp1" in capabilities:
            return self._world.random.randint(72_000, 100_800)
        return self._world.random.randint(3600, 5399)

    def check(self, authorization_header: str | None) -> AccessTokenInfo:
        """What stands behind the header `Authorization: Bearer ...`.

        Raises:
            InvalidTokenError: no token, not ours, expired, or a claims challenge is open.
        """
        if not authorization_header:
            raise self._refusal("Access token is empty.")
        kind, _, token = authorization_header.partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise self._refusal("Access token is empty.")
        info = self._tokens.get(token.strip())
        if info is None:
            shape = (
                "IDX14100: JWT is not well formed."
                if "." in token
                else "CompactToken parsing failed with error code: 80049217"
            )
            raise self._refusal(shape)
        if info.expires_at <= self._world.clock.now():
            raise self._refusal("Lifetime validation failed, the token is expired.")
        switches = self._world.switches
        challenged = switches.claims_challenge is not None and (
            switches.claims_challenge_person is None
            or switches.claims_challenge_person.lower() == info.person.address.lower()
        )
        if switches.claims_challenge and challenged and not claims_cover(info.claims, switches.claims_challenge):
            raise self._challenge(switches.claims_challenge, "TokenCreatedWithOutdatedPolicies")
        if "cp1" in info.capabilities:
            self._evaluate_continuously(info)
        return info

    def expire(self, address: str | None = None) -> int:
        """Let the access tokens of one person (or of everybody) end now; how many there were."""
        now = self._world.clock.now()
        ended = 0
        for token, info in self._tokens.items():
            if info.expires_at > now and (address is None or info.person.address.lower() == address.lower()):
                self._tokens[token] = replace(info, expires_at=now)
                ended += 1
        return ended

    def revoke_continuously(self, person: Person) -> None:
        """Challenge the cp1 tokens that the person holds now ("Continuous access evaluation")."""
        for token, info in self._tokens.items():
            if info.person is person and "cp1" in info.capabilities:
                self._tokens[token] = replace(info, revoked_at=self._world.clock.now())

    def _evaluate_continuously(self, info: AccessTokenInfo) -> None:
        """Critical events reach a cp1 token at once ("Continuous access evaluation")."""
        person = info.person
        if info.revoked_at is not None or not person.enabled or person.deleted:
            since = int((info.revoked_at or self._world.clock.now()).timestamp())
            demanded = {"access_token": {"nbf": {"essential": True, "value": str(since)}}}
            raise self._challenge(json.dumps(demanded), "TokenIssuedBeforeRevocationTimestamp")

    def _jwt(
        self,
        person: Person,
        scopes: frozenset[str] | set[str],
        client_id: str,
        issuer_base: str,
        now: datetime,
        expires_at: datetime,
    ) -> str:
        seconds = int(now.timestamp())
        claims = {
            "aud": "https://graph.microsoft.com",
            "iss": f"{issuer_base}/{person.tenant_id}/",
            "iat": seconds,
            "nbf": seconds,
            "exp": int(expires_at.timestamp()),
            "appid": client_id,
            "name": person.name,
            "oid": person.oid,
            "scp": " ".join(sorted(scopes)),
            "tid": person.tenant_id,
            "upn": person.address,
            "uti": secrets.token_urlsafe(16),
            "ver": "1.0",
        }
        return self.keys.organizations.sign(claims)

    def _authorization_uri(self) -> str:
        return f"{self._world.base_url}/common/oauth2/authorize"

    def _refusal(self, message: str) -> InvalidTokenError:
        header = f'Bearer realm="", authorization_uri="{self._authorization_uri()}", client_id="{GRAPH_APP_ID}"'
        return InvalidTokenError("InvalidAuthenticationToken", message, header)

    def _challenge(self, claims: str, reason: str) -> InvalidTokenError:
        encoded = base64.b64encode(claims.encode()).decode()
        result = f"result: InteractionRequired and code: {reason}"
        text = f"Continuous access evaluation resulted in claims challenge with {result}"
        # The real header leaves authorization_uri unquoted; clients have to survive that.
        header = (
            f'Bearer realm="", authorization_uri={self._authorization_uri()}, client_id="{GRAPH_APP_ID}", '
            f'error="insufficient_claims", claims="{encoded}", errorDescription="{text}"'
        )
        return InvalidTokenError("InvalidAuthenticationToken", text, header)

"""Our own access tokens: JWTs (RFC 9068) that this server signs for a grant and reads again at each request.

HS256, because whoever issues them is the only one who verifies them. The keys are derived for this purpose alone, so
that a session token is never an access token, nor the reverse, whatever its claims. A token says whose it is; its
grant, which is asked at every request, says whether it still counts.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mcp.server.auth.provider import AccessToken
from starlette.datastructures import Headers

from scalekit_mcp.accounts import ACCESS_SECONDS, KEY_BYTES, ClientGrant, same_text, sha256_text
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import ConfigurationError, ScalekitMCPError
from scalekit_mcp.identifiers import account_named_by
from scalekit_mcp.server.callers.authentication import (
    BOTH_SCOPES,
    AuthenticationError,
    bearer_of,
    caller_token,
    date_claim,
    plain_identifier,
)
from scalekit_mcp.server.callers.caller import READ_SCOPE, WRITE_SCOPE

ALGORITHM = "HS256"
TYPE = "at+jwt"
LEEWAY_SECONDS = 60
MOST_CHARACTERS = 40_000
_REMEMBERED_TOKENS = 2048
_SHORT_HASH = 32


class LiveGrants(Protocol):
    """Asks whether tokens of a grant are taken."""

    async def alive(self, grant_id: str, *, tid: str) -> ClientGrant | None:
        """The grant; None once it has ended or its tenant is no longer allowed."""
        ...


class AccessTokens:
    """Mints and verifies access tokens; a caller mode. `keys` are by their ids; the first signs, all verify."""

    challenge = ""
    demanded_scopes: tuple[str, ...] = BOTH_SCOPES

    def __init__(self, keys: Mapping[str, bytes], *, issuer: str, clock: Clock, grants: LiveGrants) -> None:
        if not keys or any(len(key) < KEY_BYTES for key in keys.values()):
            raise ConfigurationError("A key for access tokens needs 32 bytes or more.")
        self._keys = dict(keys)
        self._issuer = issuer.rstrip("/")
        self._audience = f"{self._issuer}/mcp"
        self._clock = clock
        self._grants = grants
        self._verified: dict[bytes, Mapping[str, Any]] = {}

    def mint(self, grant: ClientGrant, *, client_id: str, scopes: Sequence[str]) -> str:
        """An access token of a grant, good for an hour."""
        import jwt

        tid, oid = account_named_by(grant.identifier) or ("", "")
        issued_at = int(self._clock.now().timestamp())
        claims = {
            "iss": self._issuer,
            "sub": grant.identifier,
            "aud": self._audience,
            "client_id": client_id,
            "scope": " ".join(scopes),
            "iat": issued_at,
            "exp": issued_at + ACCESS_SECONDS,
            "jti": secrets.token_hex(8),
            "gid": grant.id,
            "tid": tid,
            "oid": oid,
        }
        key_id, key = next(iter(self._keys.items()))
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": key_id, "typ": TYPE})

    async def authenticate(self, headers: Headers) -> AccessToken:
        """The caller of a request; raises `AuthenticationError`."""
        claims = self.claims(bearer_of(headers))
        identifier = plain_identifier(claims.get("sub"))
        tid, oid, grant_id, client_id = (_text(claims, name) for name in ("tid", "oid", "gid", "client_id"))
        try:
            grant = await self._grants.alive(grant_id, tid=tid)
        except ScalekitMCPError as error:
            raise AuthenticationError(503, "temporarily_unavailable", error.message) from error
        if grant is None or grant.identifier != identifier:
            raise _invalid("The access that this token belongs to has ended.")
        scopes = set(_text(claims, "scope").split()) & set(grant.scopes)
        if WRITE_SCOPE in scopes:
            scopes.add(READ_SCOPE)
        return caller_token(
            identifier,
            # What sessions are bound to: the client, whole ids of which are long.
            client_id=sha256_text(client_id)[:_SHORT_HASH],
            scopes=scopes,
            issuer=self._issuer,
            account=(tid, oid),
        )

    def grant_of(self, token: str, *, client_id: str) -> str | None:
        """The grant of a token that its client gives back; None for one that is not ours, not its own, or over."""
        try:
            claims = self.claims(token)
            return _text(claims, "gid") if same_text(_text(claims, "client_id"), client_id) else None
        except AuthenticationError:
            return None

    def claims(self, token: str) -> Mapping[str, Any]:
        """The claims of a token of ours whose time is not over; raises `AuthenticationError`."""
        claims = self._signed(token)
        if claims.get("iss") != self._issuer or claims.get("aud") != self._audience:
            raise _invalid("The token was not issued by this server and for it.")
        issued_at, expires_at = date_claim(claims, "iat"), date_claim(claims, "exp")
        now = self._clock.now().timestamp()
        if not 0 < expires_at - issued_at <= ACCESS_SECONDS or issued_at > now + LEEWAY_SECONDS:
            raise _invalid("The times of the token are impossible.")
        if now >= expires_at + LEEWAY_SECONDS:
            raise _invalid("The token has expired.")
        return claims

    def _signed(self, token: str) -> Mapping[str, Any]:
        """The claims of a token whose signature holds; remembered, because a session sends the same one every time."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._verified.get(digest)
        if known is None:
            known = self._verify(token)
            if len(self._verified) >= _REMEMBERED_TOKENS:
                self._verified.clear()
            self._verified[digest] = known
        return known

    def _verify(self, token: str) -> Mapping[str, Any]:
        import jwt

        if len(token) > MOST_CHARACTERS:
            raise _invalid("The token is too long.")
        options: Any = dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss"), False)
        options |= dict.fromkeys(("verify_sub", "verify_jti"), False)
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.get(str(header.get("kid")))
            if header.get("typ") != TYPE or key is None:
                raise _invalid("The token is not an access token of this server.")
            return jwt.decode(token, key, algorithms=[ALGORITHM], options=options)
        except (jwt.PyJWTError, ValueError, RecursionError) as exc:
            raise _invalid("The token is malformed or its signature does not hold.") from exc


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise _invalid(f"The token must carry the claim {name}.")
    return value


def _invalid(description: str) -> AuthenticationError:
    return AuthenticationError(401, "invalid_token", description)

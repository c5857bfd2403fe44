"""Session tokens: short-lived HS256 JWTs (RFC 7519) that the operator's backend signs for one user."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from mcp.server.auth.provider import AccessToken
from starlette.datastructures import Headers

from scalekit_mcp.accounts import KEY_BYTES, read_keys
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import ConfigurationError, InvalidInput
from scalekit_mcp.server.callers.authentication import (
    BOTH_SCOPES,
    AuthenticationError,
    bearer_of,
    caller_token,
    date_claim,
    plain_identifier,
)
from scalekit_mcp.server.callers.caller import READ_SCOPE

ALGORITHM = "HS256"
LEEWAY_SECONDS = 60
MAX_LIFETIME_SECONDS = 24 * 3600
ISSUER = "session-token"
_REMEMBERED_TOKENS = 2048


class SessionTokens:
    """Mints and verifies session tokens. `keys` maps ids to keys of 32 bytes or more; the first signs, all verify."""

    challenge = ""
    demanded_scopes = ()

    def __init__(self, keys: Mapping[str, bytes], *, audience: str, clock: Clock) -> None:
        if not keys or any(len(key) < KEY_BYTES for key in keys.values()):
            raise ConfigurationError("A session key needs 32 bytes or more.")
        self._keys = dict(keys)
        self._audience = audience
        self._clock = clock
        self._verified: dict[bytes, Mapping[str, Any]] = {}

    def mint(
        self, identifier: str, *, ttl_seconds: int = 3600, read_only: bool = False, email: str | None = None
    ) -> tuple[str, datetime]:
        """A token for `identifier` and the instant at which it expires (UTC); raises `InvalidInput`."""
        import jwt

        if not 1 <= ttl_seconds <= MAX_LIFETIME_SECONDS:
            raise InvalidInput("A session token lives between 1 second and 24 hours.", field="ttl")
        try:
            subject = plain_identifier(identifier)
        except AuthenticationError as exc:
            raise InvalidInput("The identifier is not valid.", field="identifier") from exc
        issued_at = self._clock.now().replace(microsecond=0)
        expires_at = issued_at + timedelta(seconds=ttl_seconds)
        claims: dict[str, Any] = {
            "sub": subject,
            "aud": self._audience,
            "iat": int(issued_at.timestamp()),
            "exp": int(expires_at.timestamp()),
            "scope": READ_SCOPE if read_only else " ".join(BOTH_SCOPES),
            "jti": secrets.token_hex(8),
        }
        if email is not None:
            claims["email"] = email
        key_id, key = next(iter(self._keys.items()))
        return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": key_id}), expires_at

    async def authenticate(self, headers: Headers) -> AccessToken:
        """The caller of a request; raises `AuthenticationError`."""
        return self.verify(bearer_of(headers))

    def verify(self, token: str) -> AccessToken:
        """The caller that a token names; raises `AuthenticationError`."""
        claims = self._claims(token)
        identifier = plain_identifier(claims.get("sub"))
        audience = claims.get("aud")
        if audience != self._audience and not (isinstance(audience, list) and self._audience in audience):
            raise _invalid("The token was not issued for this server.")
        self._check_times(claims)
        email = claims.get("email")
        return caller_token(
            identifier,
            client_id=ISSUER,
            scopes=_scopes(claims),
            issuer=ISSUER,
            email=email if isinstance(email, str) else None,
        )

    def _claims(self, token: str) -> Mapping[str, Any]:
        """The claims of a token whose signature holds; remembered, because a session sends the same one every time."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._verified.get(digest)
        if known is None:
            known = self._verified_claims(token)
            if len(self._verified) >= _REMEMBERED_TOKENS:
                self._verified.clear()
            self._verified[digest] = known
        return known

    def _verified_claims(self, token: str) -> Mapping[str, Any]:
        import jwt

        options: Any = dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss"), False)
        try:
            key = self._key(jwt.get_unverified_header(token).get("kid"))
            return jwt.decode(token, key, algorithms=[ALGORITHM], options=options)
        except (jwt.PyJWTError, ValueError, RecursionError) as exc:
            raise _invalid("The token is malformed or its signature does not hold.") from exc

    def _key(self, key_id: object) -> bytes:
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if not isinstance(key_id, str) or key_id not in self._keys:
            raise _invalid("The token was signed with a key that this server does not know.")
        return self._keys[key_id]

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        issued_at, expires_at = date_claim(claims, "iat"), date_claim(claims, "exp")
        now = self._clock.now().timestamp()
        if not 0 < expires_at - issued_at <= MAX_LIFETIME_SECONDS:
            raise _invalid("The token's life must be at most 24 hours.")
        if issued_at > now + LEEWAY_SECONDS:
            raise _invalid("The token was issued in the future.")
        if "nbf" in claims and date_claim(claims, "nbf") > now + LEEWAY_SECONDS:
            raise _invalid("The token is not valid yet.")
        if now >= expires_at + LEEWAY_SECONDS:
            raise _invalid("The token has expired.")


def parse_keys(text: str) -> dict[str, bytes]:
    """The keys of `SCALEKIT_MCP_SESSION_KEYS` or of its file; raises `ConfigurationError`."""
    return read_keys(text, "session")


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    """The scopes that count; no `scope` means both, unknown ones are ignored."""
    scope = claims.get("scope")
    if scope is None:
        return list(BOTH_SCOPES)
    if not isinstance(scope, str):
        raise _invalid("The claim scope must be text.")
    return [name for name in BOTH_SCOPES if name in scope.split()]


def _invalid(description: str) -> AuthenticationError:
    return AuthenticationError(401, "invalid_token", description)

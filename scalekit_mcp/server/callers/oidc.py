"""OAuth 2.1 resource server: access tokens of an authorization server, as JWTs (RFC 9068), keys by discovery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
from mcp.server.auth.provider import AccessToken
from starlette.datastructures import Headers

from scalekit_mcp.clock import Clock
from scalekit_mcp.server.callers.authentication import (
    BOTH_SCOPES,
    AuthenticationError,
    bearer_of,
    caller_token,
    date_claim,
    plain_identifier,
)
from scalekit_mcp.server.callers.oidc_keys import WAIT_SECONDS, IssuerKeys

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcOptions:
    """Whose tokens are taken. `metadata_url` is where our protected-resource metadata stands (RFC 9728).

    `login_url` is the Microsoft login host of the connection: the `tid` and `oid` of a token that it issued itself name
    the Microsoft account of its caller ("Access token claims reference"). A token with an unknown key waits up to
    `wait_seconds` for the issuer.
    """

    issuer: str
    audience: str
    identifier_claim: str = "sub"
    require_scopes: bool = True
    metadata_url: str = ""
    login_url: str | None = None
    wait_seconds: float = WAIT_SECONDS


class OidcTokens:
    """Verifies access tokens: signature, issuer, audience, times. See `IssuerKeys` for the keys."""

    def __init__(self, options: OidcOptions, *, http: httpx.AsyncClient, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._keys = IssuerKeys(options.issuer, http=http, clock=clock, wait_seconds=options.wait_seconds)
        self.challenge = f'resource_metadata="{options.metadata_url}"' if options.metadata_url else ""
        self.demands_scopes = options.require_scopes

    async def aclose(self) -> None:
        """End what runs behind the calls."""
        await self._keys.aclose()

    async def authenticate(self, headers: Headers) -> AccessToken:
        """The caller of a request; raises `AuthenticationError`."""
        try:
            return await self._verify(bearer_of(headers))
        except AuthenticationError as denied:
            # the challenge names what to ask the authorization server for (RFC 6750 section 3)
            scope = " ".join(BOTH_SCOPES) if self._options.require_scopes and denied.status == 401 else denied.scope
            raise AuthenticationError(denied.status, denied.error, denied.description, scope) from denied

    async def _verify(self, token: str) -> AccessToken:
        import jwt

        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError) as exc:
            raise _invalid("The token is malformed.") from exc
        if header.get("alg") not in ALGORITHMS:
            raise _invalid("The token's algorithm is not allowed.")
        key = await self._keys.key(header.get("kid"))
        options: Any = dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat"), False)
        options["require"] = ["exp", "iss", "aud"]
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._options.audience,
                issuer=self._options.issuer,
                options=options,
            )
        except jwt.InvalidAudienceError as exc:
            raise _invalid("The token was not issued for this server.") from exc
        except jwt.InvalidIssuerError as exc:
            raise _invalid("The token is from another authorization server.") from exc
        except (jwt.PyJWTError, TypeError, ValueError, RecursionError) as exc:
            raise _invalid("The token's signature or claims do not hold.") from exc
        self._check_times(claims)
        client_id = claims.get("azp") or claims.get("client_id")
        return caller_token(
            plain_identifier(claims.get(self._options.identifier_claim)),
            client_id=client_id if isinstance(client_id, str) else "oidc",
            scopes=_scopes(claims) if self._options.require_scopes else BOTH_SCOPES,
            issuer=self._options.issuer,
            account=self._account(claims),
        )

    def _account(self, claims: Mapping[str, Any]) -> tuple[str, str] | None:
        """The Microsoft account that the token names, if the connection's own login host says so."""
        tid, oid, login_url = claims.get("tid"), claims.get("oid"), self._options.login_url
        if not (isinstance(tid, str) and isinstance(oid, str) and tid and oid and login_url):
            return None
        issuers = {f"{login_url.rstrip('/')}/{tid}/v2.0"}
        if login_url.rstrip("/") == "https://login.microsoftonline.com":
            issuers.add(f"https://sts.windows.net/{tid}/")  # the same authority in version 1.0 tokens
        return (tid, oid) if self._options.issuer in issuers else None

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self._clock.now().timestamp()
        expires_at = date_claim(claims, "exp")
        if now >= expires_at + LEEWAY_SECONDS:
            raise _invalid("The token has expired.")
        for name in ("nbf", "iat"):
            if name in claims and date_claim(claims, name) > now + LEEWAY_SECONDS:
                raise _invalid("The token is not valid yet.")


def resource_metadata(issuer: str, *, resource: str) -> dict[str, Any]:
    """What a client learns of the resource at the address `resource` (RFC 9728 section 2)."""
    return {
        "resource": resource,
        "authorization_servers": [issuer],
        "scopes_supported": list(BOTH_SCOPES),
        "bearer_methods_supported": ["header"],
        "resource_name": "Outlook calendar over MCP",
    }


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    """`scope` (RFC 9068) or `scp` (Entra), as text or as a list."""
    value = claims.get("scope", claims.get("scp", ""))
    names: object = value.split() if isinstance(value, str) else value
    if not isinstance(names, list):
        return []
    return [name for name in BOTH_SCOPES if name in names]


def _invalid(description: str) -> AuthenticationError:
    return AuthenticationError(401, "invalid_token", description)

"""OAuth 2.1 resource server: access tokens of an authorization server, as JWTs (RFC 9068), keys by discovery.

What a client is told to do (where to sign in, which scopes to ask for) may be spelled otherwise than what its token
then says: Entra is asked for `api://{app}/calendar.read` and writes `calendar.read`; Scalekit's MCP Auth is found at
`{environment}/resources/{resource}` and signs as `{environment}`. Both sides have settings.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

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

    `authorization_server` is where clients sign in, the issuer if it is empty; what it signs under its own name is
    taken too. `scopes` are the names that clients ask it for, ours if there are none. A token permits what its
    `calendar.read` and `calendar.write` say; so does an advertised name that ends in a slash and one of the two. Every
    other name permits nothing.

    `login_url` is the Microsoft login host of the connection: the `tid` and `oid` of a token that it issued itself name
    the Microsoft account of its caller ("Access token claims reference"). A token with an unknown key waits up to
    `wait_seconds` for the issuer.
    """

    issuer: str
    audience: str
    identifier_claim: str = "sub"
    require_scopes: bool = True
    authorization_server: str = ""
    scopes: tuple[str, ...] = ()
    metadata_url: str = ""
    login_url: str | None = None
    wait_seconds: float = WAIT_SECONDS

    def __post_init__(self) -> None:
        """Raises ValueError for scopes with which no token could permit anything."""
        if self.require_scopes and self.scopes and not any(map(permitted_by, self.scopes)):
            raise ValueError(
                "calendar.read or calendar.write must be among the scopes, alone or behind a prefix and a slash, "
                "unless SCALEKIT_MCP_OIDC_REQUIRE_SCOPES is false"
            )

    @property
    def issuers(self) -> tuple[str, ...]:
        """Whose signatures count."""
        return tuple(dict.fromkeys((self.issuer, self.advertised_server)))

    @property
    def advertised_server(self) -> str:
        """Where clients sign in."""
        return self.authorization_server or self.issuer

    @property
    def advertised_scopes(self) -> tuple[str, ...]:
        """What clients ask for."""
        return self.scopes or BOTH_SCOPES


class OidcTokens:
    """Verifies access tokens: signature, issuer, audience, times. See `IssuerKeys` for the keys."""

    def __init__(self, options: OidcOptions, *, http: httpx.AsyncClient, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._keys = {
            issuer: IssuerKeys(issuer, http=http, clock=clock, wait_seconds=options.wait_seconds)
            for issuer in options.issuers
        }
        self._permits = {name: scope for name in options.scopes if (scope := permitted_by(name))}
        self._permits |= {name: name for name in BOTH_SCOPES}
        self.challenge = f'resource_metadata="{options.metadata_url}"' if options.metadata_url else ""
        self.demanded_scopes = options.advertised_scopes if options.require_scopes else ()

    async def aclose(self) -> None:
        """Stop the background fetch of keys."""
        for keys in self._keys.values():
            await keys.aclose()

    async def authenticate(self, headers: Headers) -> AccessToken:
        """The caller of a request; raises `AuthenticationError`."""
        try:
            return await self._verify(bearer_of(headers))
        except AuthenticationError as denied:
            # the challenge names what to ask the authorization server for (RFC 6750 section 3)
            scope = " ".join(self.demanded_scopes or self._options.scopes) if denied.status == 401 else denied.scope
            raise AuthenticationError(denied.status, denied.error, denied.description, scope) from denied

    async def _verify(self, token: str) -> AccessToken:
        import jwt

        try:
            unverified = jwt.decode_complete(token, options={"verify_signature": False})
        except (jwt.PyJWTError, TypeError, ValueError, RecursionError) as exc:
            raise _invalid("The token is malformed.") from exc
        header, issuer = unverified["header"], unverified["payload"].get("iss")
        if header.get("alg") not in ALGORITHMS:
            raise _invalid("The token's algorithm is not allowed.")
        if not isinstance(issuer, str) or issuer not in self._keys:
            raise _invalid("The token is from another authorization server.")
        key = await self._keys[issuer].key(header.get("kid"))
        options: Any = dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat"), False)
        options["require"] = ["exp", "iss", "aud"]
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._options.audience,
                issuer=issuer,
                options=options,
            )
        except jwt.InvalidAudienceError as exc:
            raise _invalid("The token was not issued for this server.") from exc
        except (jwt.PyJWTError, TypeError, ValueError, RecursionError) as exc:
            raise _invalid("The token's signature or claims do not hold.") from exc
        self._check_times(claims)
        client_id = claims.get("azp") or claims.get("client_id")
        return caller_token(
            plain_identifier(claims.get(self._options.identifier_claim)),
            client_id=client_id if isinstance(client_id, str) else "oidc",
            scopes=self._scopes(claims) if self._options.require_scopes else BOTH_SCOPES,
            issuer=issuer,
            account=self._account(claims, issuer),
        )

    def _scopes(self, claims: Mapping[str, Any]) -> set[str]:
        """What `scope` (RFC 9068) or `scp` (Entra) permits, as text or as a list."""
        value = claims.get("scope", claims.get("scp", ""))
        names: object = value.split() if isinstance(value, str) else value
        if not isinstance(names, list):
            return set()
        return {
            self._permits[name]
            for name in cast("list[object]", names)
            if isinstance(name, str) and name in self._permits
        }

    def _account(self, claims: Mapping[str, Any], issuer: str) -> tuple[str, str] | None:
        """The Microsoft account that the token names, if the connection's own login host says so."""
        tid, oid, login_url = claims.get("tid"), claims.get("oid"), self._options.login_url
        if not (isinstance(tid, str) and isinstance(oid, str) and tid and oid and login_url):
            return None
        issuers = {f"{login_url.rstrip('/')}/{tid}/v2.0"}
        if login_url.rstrip("/") == "https://login.microsoftonline.com":
            issuers.add(f"https://sts.windows.net/{tid}/")  # the same authority in version 1.0 tokens
        return (tid, oid) if issuer in issuers else None

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self._clock.now().timestamp()
        expires_at = date_claim(claims, "exp")
        if now >= expires_at + LEEWAY_SECONDS:
            raise _invalid("The token has expired.")
        for name in ("nbf", "iat"):
            if name in claims and date_claim(claims, name) > now + LEEWAY_SECONDS:
                raise _invalid("The token is not valid yet.")


def permitted_by(name: str) -> str | None:
    """Which of our two scopes an advertised name stands for: its part behind the last slash (Entra, Cognito)."""
    last = name.rpartition("/")[2]
    return last if last in BOTH_SCOPES else None


def resource_metadata(
    authorization_server: str, *, resource: str, scopes: Collection[str] = BOTH_SCOPES
) -> dict[str, Any]:
    """The protected-resource metadata for the address `resource` (RFC 9728 section 2)."""
    return {
        "resource": resource,
        "authorization_servers": [authorization_server],
        "scopes_supported": list(scopes),
        "bearer_methods_supported": ["header"],
        "resource_name": "Outlook calendar over MCP",
    }


def _invalid(description: str) -> AuthenticationError:
    return AuthenticationError(401, "invalid_token", description)

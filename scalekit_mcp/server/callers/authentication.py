"""Who may call over HTTP. Each mode turns the headers of one request into a verified caller, or refuses it.

| mode            | credential                                            | identifier                                |
|-----------------|-------------------------------------------------------|-------------------------------------------|
| `session-token` | HS256 JWT signed by the operator's backend            | `sub`                                     |
| `oidc`          | access token of an OAuth 2.1 authorization server     | a claim, `sub` by default                 |
| `microsoft`     | our own access token, after a sign-in with Microsoft  | `ms:{tid}:{oid}`                          |
| `gateway`       | the service key, from a trusted proxy                 | `X-Scalekit-Identifier`, percent-encoded  |
| `none`          | none; loopback only                                   | fixed                                     |

No mode trusts a header, a query or `_meta` by itself.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.shared.inbound import decode_header_value
from starlette.authentication import AuthCredentials
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from scalekit_mcp.clock import numeric_date
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.identifiers import check_identifier
from scalekit_mcp.server.callers.caller import READ_SCOPE, WRITE_SCOPE
from scalekit_mcp.server.callers.vouching import vouch_for
from scalekit_mcp.tools import TOOLS

BOTH_SCOPES = (READ_SCOPE, WRITE_SCOPE)
IDENTIFIER_HEADER = "x-scalekit-identifier"
AUTHORIZE = "authorize"

_PERCENT_ENCODED = re.compile(r"(?:[!-$&-*,-~]|%[0-9A-Fa-f]{2})*")

logger = logging.getLogger(__name__)


class AuthenticationError(Exception):
    """A request without a valid caller (RFC 6750 section 3.1). `description` is a sentence and holds no credential."""

    def __init__(self, status: int, error: str, description: str, scope: str | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.error = error
        self.description = description
        self.scope = scope


class Authentication(Protocol):
    """One way to authenticate callers. `challenge` is added to `WWW-Authenticate` of every refusal.

    `demanded_scopes` are the names that a caller whose token permits too little is told to ask for; empty where a token
    needs no scope.
    """

    challenge: str
    demanded_scopes: tuple[str, ...]

    async def authenticate(self, headers: Headers) -> AccessToken:
        """The verified caller of a request; raises `AuthenticationError`."""
        ...


def caller_token(
    identifier: str,
    *,
    client_id: str,
    scopes: Collection[str] = BOTH_SCOPES,
    issuer: str | None = None,
    email: str | None = None,
    account: tuple[str, str] | None = None,
) -> AccessToken:
    """A verified caller as an `AccessToken` of the SDK, which binds sessions and request states to it; no credential.

    `email` and `account` (tid, oid) are what the credential vouches for.
    """
    tid, oid = account or (None, None)
    claims = {"iss": issuer, "email": email, "tid": tid, "oid": oid}
    return AccessToken(
        token="",  # the credential itself is not kept
        client_id=client_id,
        scopes=sorted(scopes),
        subject=identifier,
        claims={name: value for name, value in claims.items() if value is not None},
    )


def bearer_of(headers: Headers) -> str:
    """The bearer token of a request (RFC 6750 section 2.1); raises `AuthenticationError`."""
    values = headers.getlist("authorization")
    if not values:
        raise AuthenticationError(401, "invalid_token", "A bearer token is required.")
    scheme, _, token = values[0].partition(" ")
    if len(values) != 1 or scheme.casefold() != "bearer" or not token.strip():
        raise AuthenticationError(401, "invalid_token", "The Authorization header must hold one bearer token.")
    return token.strip()


def same_secret(given: str, expected: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(), expected.encode())


def plain_identifier(value: object) -> str:
    """The identifier that a credential names, checked; raises `AuthenticationError`."""
    if value is None:
        raise AuthenticationError(401, "invalid_token", "The token names no user.")
    try:
        return check_identifier(value)
    except InvalidInput as exc:
        raise AuthenticationError(
            401, "invalid_token", "The user that the token names is not a valid identifier."
        ) from exc


def _percent_decoded(value: str) -> str:
    """The identifier in the gateway's header; raises `AuthenticationError` where two readers could read two users.

    Anything but printable ASCII (a raw `é` arrives as one of several byte sequences), a `%` without two hexadecimal
    digits, and `+`, which is a blank in forms and itself elsewhere (RFC 3986 section 2.1).
    """
    if not _PERCENT_ENCODED.fullmatch(value):
        raise _malformed_identifier(
            "must be percent-encoded UTF-8, as in J%C3%BCrgen; write %2B for a plus and %20 for a blank."
        )
    try:
        return check_identifier(unquote_to_bytes(value).decode("utf-8"))
    except UnicodeDecodeError:
        raise _malformed_identifier("must be percent-encoded UTF-8; its bytes are not UTF-8.") from None
    except InvalidInput as exc:
        raise _malformed_identifier(f"names nobody. {exc.message}") from None


def _malformed_identifier(what: str) -> AuthenticationError:
    return AuthenticationError(400, "invalid_request", f"The header X-Scalekit-Identifier {what}")


def date_claim(claims: Mapping[str, Any], name: str) -> float:
    """A claim that is a NumericDate, in seconds; raises `AuthenticationError`."""
    seconds = numeric_date(claims.get(name))
    if seconds is None:
        raise AuthenticationError(401, "invalid_token", f"The token must carry the claim {name}, a number of seconds.")
    return seconds


class NoAuthentication:
    """One fixed identifier for everybody who reaches the port."""

    challenge = ""
    demanded_scopes = ()

    def __init__(self, identifier: str) -> None:
        self._token = caller_token(identifier, client_id="none")

    async def authenticate(self, headers: Headers) -> AccessToken:
        """The fixed caller."""
        del headers
        return self._token


class Gateway:
    """A trusted proxy: the service key proves the proxy, the header names its user."""

    challenge = ""
    demanded_scopes = ()

    def __init__(self, service_key: str) -> None:
        self._service_key = service_key

    async def authenticate(self, headers: Headers) -> AccessToken:
        """The caller that the proxy names; raises `AuthenticationError`."""
        if not same_secret(bearer_of(headers), self._service_key):
            raise AuthenticationError(401, "invalid_token", "The service key is wrong.")
        values = headers.getlist(IDENTIFIER_HEADER)
        if len(values) != 1:
            raise AuthenticationError(401, "invalid_token", "The header X-Scalekit-Identifier must be there, once.")
        return caller_token(_percent_decoded(values[0]), client_id="gateway")


class Refusal(Protocol):
    """Makes the answer to a request without a valid caller."""

    def __call__(self, path: str, denied: AuthenticationError, *, with_token: bool) -> Response:
        """The answer, with its challenge; `with_token` says whether the request brought a credential."""
        ...


class RequireCaller:
    """Lets only verified callers through, and hands the caller to the SDK for this very request.

    A 2026-07-28 call names its tool in a header, which the SDK compares with the body: a token that lacks the tool's
    scope gets the scope challenge of RFC 6750 there. `rejecting` answers 503 while the server is being shut down.
    `refusal` makes the answer to a request that is refused, where the mode has challenges of its own.
    """

    def __init__(
        self,
        app: ASGIApp,
        authentication: Authentication,
        *,
        rejecting: Callable[[], bool],
        refusal: Refusal | None = None,
    ) -> None:
        self._app = AuthContextMiddleware(app)
        self._authentication = authentication
        self._rejecting = rejecting
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request with a valid caller on; answer any other one with 401, 403 or 503."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._rejecting():
            await _shutting_down()(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            token = await self._authentication.authenticate(headers)
            if demanded := self._authentication.demanded_scopes:
                _check_scopes(headers, token, " ".join(demanded))
        except AuthenticationError as denied:
            log_denial(denied, scope["path"])
            await self._answer(scope["path"], headers, denied)(scope, receive, send)
            return
        vouch_for(scope)
        scope["user"] = AuthenticatedUser(token)
        scope["auth"] = AuthCredentials(token.scopes)
        await self._app(scope, receive, send)

    def _answer(self, path: str, headers: Headers, denied: AuthenticationError) -> Response:
        if self._refusal is None:
            return denial_response(denied, self._authentication.challenge)
        return self._refusal(path, denied, with_token="authorization" in headers)


def log_denial(denied: AuthenticationError, route: str) -> None:
    """Log a request that was refused because of its credential; nothing of its headers is logged."""
    logger.info(
        "A caller of %s was refused: %d %s",
        route,
        denied.status,
        denied.error,
        extra={"event": "caller_refused", "route": route, "status_code": denied.status, "code": denied.error},
    )


def denial_response(denied: AuthenticationError, challenge: str = "") -> Response:
    """The HTTP answer for a refused request, with the challenge."""
    parts = [f'error="{denied.error}"', f'error_description="{denied.description}"']
    if denied.scope:
        parts.append(f'scope="{denied.scope}"')
    if challenge:
        parts.append(challenge)
    body = json.dumps({"error": denied.error, "error_description": denied.description})
    headers = {"www-authenticate": "Bearer " + ", ".join(parts)}
    return Response(body, status_code=denied.status, media_type="application/json", headers=headers)


def _check_scopes(headers: Headers, token: AccessToken, to_ask_for: str) -> None:
    granted = set(token.scopes)
    if not granted & set(BOTH_SCOPES):
        raise AuthenticationError(403, "insufficient_scope", "The token grants no calendar scope.", to_ask_for)
    if headers.get("mcp-method") != "tools/call":
        return
    name = decode_header_value(headers.get("mcp-name") or "")
    spec = TOOLS.get(name) if name else None
    if spec is None or spec.name == AUTHORIZE or spec.required_scope in granted:
        return
    raise AuthenticationError(
        403, "insufficient_scope", f"{spec.name} needs the scope {spec.required_scope}.", to_ask_for
    )


def _shutting_down() -> Response:
    return Response(
        json.dumps({"error": "The server is being shut down."}),
        status_code=503,
        media_type="application/json",
        headers={"retry-after": "5", "connection": "close"},
    )

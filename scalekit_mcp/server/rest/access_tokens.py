"""Access tokens for REST: `POST /oauth/token` by client credentials, as clients of Scalekit begin (RFC 6749, 4.4).

The client's secret is the service key, its id is whatever the client is configured with. A token is signed with a key
that is derived from the service key, so that every replica takes it and another service key ends it.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from scalekit_mcp.clock import Clock, numeric_date
from scalekit_mcp.server.callers.authentication import AuthenticationError, same_secret
from scalekit_mcp.server.callers.caller import READ_SCOPE, WRITE_SCOPE
from scalekit_mcp.server.oauth.answers import OAuthError, form_of, json_answer
from scalekit_mcp.server.oauth.token import credentials_of

logger = logging.getLogger(__name__)

LIFE_SECONDS = 3600
ALGORITHM = "HS256"
TYPE = "scalekit-mcp-rest+jwt"
MOST_TOKEN_CHARACTERS = 4096
MOST_CLIENT_CHARACTERS = 200
_PURPOSE = b"scalekit-mcp REST access tokens"
_SCOPES = frozenset({READ_SCOPE, WRITE_SCOPE, "openid"})
"""What a client may ask for; `openid` is what Scalekit's answers say, and permits nothing by itself."""


@dataclass(frozen=True, slots=True)
class RestCaller:
    """Who calls REST: the holder of the service key, or of a token for it, which may permit reading alone."""

    read_only: bool = False


class RestTokens:
    """Mints and takes access tokens, and takes the service key itself."""

    def __init__(self, service_key: str, *, audience: str, clock: Clock) -> None:
        self._service_key = service_key
        self._key = hmac.digest(service_key.encode(), _PURPOSE, "sha256")
        self._audience = audience
        self._clock = clock

    def mint(self, client_id: str, *, read_only: bool) -> str:
        """A token, good for `LIFE_SECONDS`."""
        import jwt

        issued_at = int(self._clock.now().timestamp())
        claims = {
            "aud": self._audience,
            "client_id": client_id,
            "iat": issued_at,
            "exp": issued_at + LIFE_SECONDS,
            "jti": secrets.token_hex(8),
            "scope": READ_SCOPE if read_only else f"{READ_SCOPE} {WRITE_SCOPE}",
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"typ": TYPE})

    def caller(self, bearer: str) -> RestCaller:
        """The caller with this bearer; raises `AuthenticationError`."""
        if same_secret(bearer, self._service_key):
            return RestCaller()
        if bearer.count(".") != 2 or len(bearer) > MOST_TOKEN_CHARACTERS:
            raise _refused("The service key is wrong.")
        claims = self._signed(bearer)
        issued_at, expires_at = numeric_date(claims.get("iat")), numeric_date(claims.get("exp"))
        if claims.get("aud") != self._audience or issued_at is None or expires_at is None:
            raise _refused("The token is not one for this server.")
        if not 0 < expires_at - issued_at <= LIFE_SECONDS or self._clock.now().timestamp() >= expires_at:
            raise _refused("The token has expired; ask /oauth/token for another.")
        return RestCaller(read_only=WRITE_SCOPE not in str(claims.get("scope", "")).split())

    def _signed(self, token: str) -> dict[str, Any]:
        import jwt

        options: Any = dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss"), False)
        options |= dict.fromkeys(("verify_sub", "verify_jti"), False)
        try:
            if jwt.get_unverified_header(token).get("typ") != TYPE:
                raise _refused("The service key is wrong, or the token is not one for REST.")
            return jwt.decode(token, self._key, algorithms=[ALGORITHM], options=options)
        except (jwt.PyJWTError, ValueError, RecursionError) as exc:
            raise _refused("The service key is wrong, or the token's signature does not hold.") from exc

    async def token(self, request: Request) -> Response:
        """The token endpoint; raises `OAuthError`. `scope` may be `calendar.read`, for a token that only reads."""
        form, _ = await form_of(request)
        grant_type = form.get("grant_type")
        if grant_type is None:
            raise OAuthError("invalid_request", "The parameter grant_type is missing.")
        if grant_type != "client_credentials":
            raise OAuthError("unsupported_grant_type", "Use client_credentials.")
        credentials = credentials_of(request.headers.getlist("authorization"), form)
        if len(credentials.client_id) > MOST_CLIENT_CHARACTERS:
            raise OAuthError("invalid_request", "The client_id is too long.")
        if not same_secret(credentials.secret or "", self._service_key):
            logger.info("An access token for REST was refused: wrong secret", extra={"event": "rest_token_refused"})
            description = "The client secret is not the service key of this server."
            raise OAuthError("invalid_client", description, status=401, basic=credentials.basic)
        wanted = set(form.get("scope", "").split())
        if not wanted <= _SCOPES:
            raise OAuthError("invalid_scope", f"Scopes are {READ_SCOPE} and {WRITE_SCOPE}.")
        read_only = READ_SCOPE in wanted and WRITE_SCOPE not in wanted
        return json_answer(
            {
                "access_token": self.mint(credentials.client_id, read_only=read_only),
                "token_type": "Bearer",
                "expires_in": LIFE_SECONDS,
                "scope": READ_SCOPE if read_only else f"{READ_SCOPE} {WRITE_SCOPE}",
            }
        )


def _refused(description: str) -> AuthenticationError:
    return AuthenticationError(401, "invalid_token", description)

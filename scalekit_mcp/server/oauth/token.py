"""The token endpoint and revocation: a code or a refresh token for a pair of tokens, and the end of a grant.

Which client it is, is known from what is kept with the code or the grant: no document is fetched here, and a refresh
needs no registration to open.
"""

from __future__ import annotations

import base64
import hmac
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote_plus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scalekit_mcp.accounts import (
    ACCESS_SECONDS,
    REFRESH_TOKEN_PREFIX,
    ClientGrant,
    CodeError,
    CodePresented,
    CodeRefusal,
    GrantTokens,
    Refreshed,
    RefreshError,
    RefreshOutcome,
    RefreshPresented,
    sha256_text,
)
from scalekit_mcp.server.oauth.access_tokens import AccessTokens
from scalekit_mcp.server.oauth.answers import NO_STORE, OAuthError, form_of, json_answer, open_to_all
from scalekit_mcp.server.oauth.clients import Registrations
from scalekit_mcp.server.oauth.metadata import REVOKE, TOKEN
from scalekit_mcp.server.oauth.scopes import is_our_resource, refreshed_scopes
from scalekit_mcp.telemetry import Metrics

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_REFRESH_ERRORS = {
    RefreshOutcome.WIDER_SCOPE: ("invalid_scope", "The scope is wider than what was granted."),
    RefreshOutcome.ACCOUNT_REVOKED: ("invalid_grant", "The Microsoft account is disconnected. Sign in again."),
}
_NOT_SIGNED_OUT = (RefreshOutcome.OTHER_CLIENT, RefreshOutcome.WIDER_SCOPE)
"""Refusals after which the client that the token belongs to need not sign in again."""
_COUNTED = {
    RefreshOutcome.ROTATED: "rotated",
    RefreshOutcome.GRACE: "grace",
    RefreshOutcome.REUSED: "reuse",
}

logger = logging.getLogger(__name__)


class Codes(Protocol):
    """The sign-ins behind the endpoint."""

    async def redeem(self, presented: CodePresented) -> GrantTokens:
        """The grant of a code; raises `CodeError`."""
        ...


class TokenGrants(Protocol):
    """The grants behind the endpoint."""

    async def refresh(self, presented: RefreshPresented) -> Refreshed:
        """Replace a refresh token; raises `RefreshError`."""
        ...

    async def revoke_refresh_token(self, refresh_token: str, *, client_sha256: str, secret: str | None) -> bool:
        """End the grant of a refresh token; raises `RefreshError` for a wrong secret."""
        ...

    async def revoke(self, grant_id: str, *, client_sha256: str, secret: str | None) -> bool:
        """End a grant; raises `RefreshError` for a wrong secret."""
        ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a client says who it is; `basic` if by the Authorization header."""

    client_id: str = field(repr=False)
    secret: str | None = field(repr=False)
    basic: bool = False

    @property
    def client_sha256(self) -> str:
        """What grants know the client by."""
        return sha256_text(self.client_id)

    def refused(self) -> OAuthError:
        """The answer to a client that is unknown or does not prove itself (RFC 6749 section 5.2)."""
        description = "The client is unknown or did not prove itself. Register again."
        return OAuthError("invalid_client", description, status=401, basic=self.basic)


class TokenEndpoint:
    """`/token` and `/revoke` (RFC 6749 section 3.2, RFC 7009)."""

    def __init__(
        self,
        codes: Codes,
        grants: TokenGrants,
        access_tokens: AccessTokens,
        registrations: Registrations,
        *,
        issuer: str,
        metrics: Metrics | None = None,
    ) -> None:
        self._codes = codes
        self._grants = grants
        self._access_tokens = access_tokens
        self._registrations = registrations
        self._issuer = issuer.rstrip("/")
        self._metrics = metrics or Metrics()

    def routes(self) -> list[Route]:
        """The routes, open to pages of any origin: they read no cookie."""
        return [
            Route(TOKEN, open_to_all(self.token, methods="POST"), methods=["POST", "OPTIONS"]),
            Route(REVOKE, open_to_all(self.revoke, methods="POST"), methods=["POST", "OPTIONS"]),
        ]

    async def token(self, request: Request) -> Response:
        """Tokens for a code or a refresh token."""
        form, lists = await form_of(request, repeatable=("resource",))
        credentials = credentials_of(request.headers.getlist("authorization"), form)
        match form.get("grant_type"):
            case "authorization_code":
                return await self._for_code(form, lists["resource"], credentials)
            case "refresh_token":
                return await self._for_refresh_token(form, lists["resource"], credentials)
            case None:
                raise OAuthError("invalid_request", "The parameter grant_type is missing.")
            case _:
                raise OAuthError("unsupported_grant_type", "Use authorization_code or refresh_token.")

    async def revoke(self, request: Request) -> Response:
        """End the grant of a token; a token that is unknown, or another client's, is none of ours (RFC 7009)."""
        form, _ = await form_of(request)
        credentials = credentials_of(request.headers.getlist("authorization"), form)
        self._check_secret(credentials, must_be_known=False)
        token = form.get("token")
        if token is None:
            raise OAuthError("invalid_request", "The parameter token is missing.")
        client, secret = credentials.client_sha256, credentials.secret
        try:
            if token.startswith(REFRESH_TOKEN_PREFIX):
                await self._grants.revoke_refresh_token(token, client_sha256=client, secret=secret)
            else:
                grant_id = self._access_tokens.grant_of(token, client_id=credentials.client_id)
                if grant_id is not None:
                    await self._grants.revoke(grant_id, client_sha256=client, secret=secret)
        except RefreshError:
            raise credentials.refused() from None
        return Response(status_code=200, headers=NO_STORE)

    async def _for_code(self, form: Mapping[str, str], resources: Sequence[str], credentials: Credentials) -> Response:
        self._check_secret(credentials, must_be_known=True)
        code, verifier = form.get("code"), form.get("code_verifier")
        if code is None or verifier is None:
            raise OAuthError("invalid_request", "The parameters code and code_verifier are needed.")
        if not _VERIFIER.fullmatch(verifier):
            verifier = ""  # no challenge fits it; it counts as a wrong one
        presented = CodePresented(
            code=code,
            client_sha256=credentials.client_sha256,
            redirect_uri=form.get("redirect_uri"),
            code_verifier=verifier,
            resource_holds=self._are_ours(resources),
        )
        try:
            tokens = await self._codes.redeem(presented)
        except CodeError as refused:
            logger.info("A code was refused: %s", refused.why, extra={"event": "code_refused", "reason": refused.why})
            if refused.why is CodeRefusal.OTHER_RESOURCE:
                raise _foreign_resource() from None
            raise OAuthError("invalid_grant", "The code is unknown, used, over, or not for this request.") from None
        return self._answer(tokens.grant, tokens.refresh_token, tokens.grant.scopes, credentials)

    async def _for_refresh_token(
        self, form: Mapping[str, str], resources: Sequence[str], credentials: Credentials
    ) -> Response:
        refresh_token = form.get("refresh_token")
        if refresh_token is None:
            raise OAuthError("invalid_request", "The parameter refresh_token is missing.")
        if not self._are_ours(resources):
            raise _foreign_resource()
        presented = RefreshPresented(
            refresh_token, credentials.client_sha256, credentials.secret, refreshed_scopes(form.get("scope"))
        )
        try:
            refreshed = await self._grants.refresh(presented)
        except RefreshError as refused:
            self._count(refused.why)
            if refused.why is RefreshOutcome.WRONG_SECRET:
                raise credentials.refused() from None
            if refused.why not in _NOT_SIGNED_OUT:
                # An app with a registration that opens no more must hear it now: `/authorize` is a dead end for it.
                self._check_secret(credentials, must_be_known=True)
            default = ("invalid_grant", "The refresh token is unknown, over, or not this client's. Sign in again.")
            raise OAuthError(*_REFRESH_ERRORS.get(refused.why, default)) from None
        self._count(refreshed.outcome)
        tokens = refreshed.tokens
        return self._answer(tokens.grant, tokens.refresh_token, refreshed.scopes, credentials)

    def _answer(
        self, grant: ClientGrant, refresh_token: str | None, scopes: Sequence[str], credentials: Credentials
    ) -> Response:
        body: dict[str, Any] = {
            "access_token": self._access_tokens.mint(grant, client_id=credentials.client_id, scopes=scopes),
            "token_type": "Bearer",
            "expires_in": ACCESS_SECONDS,
            "scope": " ".join(scopes),
        }
        if refresh_token is not None:
            body["refresh_token"] = refresh_token
        return json_answer(body)

    def _are_ours(self, resources: Sequence[str]) -> bool:
        return all(is_our_resource(resource, self._issuer) for resource in resources)

    def _check_secret(self, credentials: Credentials, *, must_be_known: bool) -> None:
        """Refuse a client that is not known, or whose registration has a secret that it does not bring.

        A client with a document is known by what is kept with its code.
        """
        if credentials.client_id.startswith("https://"):
            return
        client = self._registrations.find(credentials.client_id)
        if client is None:
            if must_be_known:
                raise credentials.refused()
            return
        given = credentials.secret or ""
        if client.secret is not None and not hmac.compare_digest(client.secret.encode(), given.encode()):
            raise credentials.refused()

    def _count(self, outcome: RefreshOutcome) -> None:
        self._metrics.count("grant_refreshes_total", outcome=_COUNTED.get(outcome, "refused"))


def credentials_of(authorization: Sequence[str], form: Mapping[str, str]) -> Credentials:
    """Who a request says that it comes from (RFC 6749 section 2.3.1); raises `OAuthError`.

    By the Authorization header (Basic, both parts form-encoded) or by the form, not by both; an id in the form beside
    the header must be the same.
    """
    client_id, secret = form.get("client_id"), form.get("client_secret")
    if not authorization:
        if client_id is None:
            raise OAuthError("invalid_client", "The parameter client_id is missing.", status=401)
        return Credentials(client_id, secret)
    scheme, _, encoded = authorization[0].partition(" ")
    try:
        plain = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
        basic_id, colon, basic_secret = plain.partition(":")
        basic_id, basic_secret = (unquote_plus(part, errors="strict") for part in (basic_id, basic_secret))
    except ValueError:
        colon = basic_id = basic_secret = ""
    if scheme.lower() != "basic" or not colon or not basic_id or len(authorization) > 1:
        raise OAuthError("invalid_client", "The Authorization header must hold Basic once.", status=401, basic=True)
    if secret is not None or client_id not in (None, basic_id):
        raise OAuthError("invalid_request", "A client proves itself in one way, the header or the form.")
    return Credentials(basic_id, basic_secret or None, basic=True)


def _foreign_resource() -> OAuthError:
    return OAuthError("invalid_target", "The resource is not this server.")

"""The Microsoft identity platform as an OAuth 2.0 provider: consent page, code, refresh and device code grants.

Sources: "Microsoft identity platform and OAuth 2.0 authorization code flow", "Refresh tokens in the Microsoft identity
platform", "Admin consent on the Microsoft identity platform"; RFC 6749, 7636, 8628. One request per call, bounded,
never repeated here: whether to try again is the account manager's decision.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

import anyio
import httpx2 as httpx

from scalekit_mcp.accounts import AuthorizationRequest, Grant, GrantError, GrantFault, ProviderAccount, TokenSet
from scalekit_mcp.calendar import neutralise
from scalekit_mcp.clock import Clock
from scalekit_mcp.microsoft.identity.aadsts_rules import Phase, rule
from scalekit_mcp.microsoft.identity.challenge import json_object_text, retry_after_seconds
from scalekit_mcp.microsoft.identity.credentials import ClientCredentials
from scalekit_mcp.microsoft.identity.failures import (
    id_token_failure,
    number_of,
    redirect_failure,
    ruled_failure,
    token_failure,
    transient_failure,
)
from scalekit_mcp.microsoft.identity.id_token import MAX_NAME_CHARACTERS, IdTokenError, account_from_id_token, is_guid
from scalekit_mcp.microsoft.identity.scopes import granted_scopes, graph_resource, wire_scopes
from scalekit_mcp.microsoft.identity.verdicts import sentence
from scalekit_mcp.upstream import ROUTE, AnswerTooLargeError

logger = logging.getLogger(__name__)

TOKEN_REQUEST_SECONDS = 20.0
"""Bound on one token request, from the first byte sent to the last received."""
WHO_SECONDS = 5.0
"""Bound on asking Graph for the addresses of who signed in."""
MAX_RETRY_AFTER_SECONDS = 3600.0
DEFAULT_EXPIRES_IN = 600
"""Seconds assumed for an answer without `expires_in` (RFC 6749 section 5.1 only recommends it)."""
DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True, slots=True)
class DeviceAuthorization:
    """The code and address to show to a person who signs in on another device (RFC 8628 section 3.2)."""

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)
    verification_uri: str
    expires_at: datetime
    interval_seconds: float
    message: str = field(repr=False)


class MicrosoftOAuth:
    """One application registration at one Microsoft cloud; implements `accounts.provider.OAuthProvider`.

    `login_url` is the authority's base (`https://login.microsoftonline.com`), `tenant` its first path segment, `scopes`
    short names (`Calendars.ReadWrite`), `graph_url` the Graph base with its version. The HTTP client stays its owner's.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        client_id: str,
        credentials: ClientCredentials,
        login_url: str,
        tenant: str,
        scopes: Sequence[str],
        graph_url: str,
        clock: Clock,
        token_request_seconds: float = TOKEN_REQUEST_SECONDS,
    ) -> None:
        self.provider_name = "Microsoft"
        self.client_id = client_id
        self.login_host = urlsplit(login_url).netloc
        self.scopes: tuple[str, ...] = tuple(scopes)
        self._http = http
        self._credentials = credentials
        self._login_url = login_url.rstrip("/")
        self._tenant = tenant
        self._graph_url = graph_url.rstrip("/")
        self._clock = clock
        self._token_request_seconds = token_request_seconds
        self._resource = graph_resource(graph_url)

    def __repr__(self) -> str:
        return f"MicrosoftOAuth(client_id={self.client_id!r}, login_host={self.login_host!r})"

    # --- addresses -------------------------------------------------------------------------------------------------

    def authorization_url(self, request: AuthorizationRequest) -> str:
        """The address of the consent page (RFC 6749 section 4.1.1, RFC 7636 section 4.3).

        `login_hint` and `prompt=select_account` exclude each other at Microsoft; `select_account` wins.
        """
        parameters = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": request.redirect_uri,
            "response_mode": "query",
            "scope": self._wire_scopes(request.scopes),
            "state": request.state,
            "nonce": request.nonce,
            "code_challenge": request.code_challenge,
            "code_challenge_method": "S256",
        }
        if request.select_account:
            parameters["prompt"] = "select_account"
        elif request.login_hint:
            parameters["login_hint"] = request.login_hint
        if request.claims:
            parameters["claims"] = request.claims
        return f"{self._endpoint(self._tenant, 'authorize')}?{urlencode(parameters, quote_via=quote)}"

    def admin_consent_url(self, *, tid: str | None, redirect_uri: str, state: str, scopes: Sequence[str]) -> str:
        """The address where an administrator approves the application for a tenant (`organizations` if unknown)."""
        tenant = tid or (self._tenant if is_guid(self._tenant) or "." in self._tenant else "organizations")
        parameters = {
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
            "scope": self._wire_scopes(scopes),
        }
        address = f"{self._login_url}/{quote(tenant, safe='')}/v2.0/adminconsent"
        return f"{address}?{urlencode(parameters, quote_via=quote)}"

    # --- grants ----------------------------------------------------------------------------------------------------

    async def authorization_code_grant(
        self, *, code: str, redirect_uri: str, code_verifier: str, nonce: str, scopes: Sequence[str]
    ) -> Grant:
        """Redeem a code and validate the id_token; raises `GrantError`."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": code_verifier,
            "scope": self._wire_scopes(scopes),
        }
        answer = await self._token_request(self._tenant, fields, phase=Phase.CODE)
        return await self._grant(answer, scopes, nonce=nonce)

    async def refresh_token_grant(
        self, *, refresh_token: str, account: ProviderAccount, scopes: Sequence[str], claims: str | None = None
    ) -> TokenSet:
        """Trade a refresh token at the account's own authority; raises `GrantError`.

        `scopes` are the stored granted ones, so that a 65001 says that consent was withdrawn. `offline_access` is
        always sent: personal accounts give no new refresh token without it.
        """
        fields = {"grant_type": "refresh_token", "refresh_token": refresh_token, "scope": self._wire_scopes(scopes)}
        # The challenge goes back as it came: the client declares no capability (cp1) of its own to merge into it.
        challenge = json_object_text(claims) if claims else None
        if challenge is not None:
            fields["claims"] = challenge
        tenant = "consumers" if account.personal else account.tid
        answer = await self._token_request(tenant, fields, phase=Phase.REFRESH, personal=account.personal)
        return self._token_set(answer, scopes)

    async def device_authorization(self, scopes: Sequence[str]) -> DeviceAuthorization:
        """Begin a device authorization grant (RFC 8628 section 3.1); only for public registrations."""
        address = self._endpoint(self._tenant, "devicecode")
        form = {"client_id": self.client_id, "scope": self._wire_scopes(scopes)}
        answer = await self._post(address, form, phase=Phase.CODE, personal=None)
        device_code, user_code = answer.get("device_code"), answer.get("user_code")
        verification_uri = answer.get("verification_uri") or answer.get("verification_url")
        if not (isinstance(device_code, str) and isinstance(user_code, str) and isinstance(verification_uri, str)):
            raise transient_failure(sentence("device_answer"), code="bad_answer")
        message = answer.get("message")
        return DeviceAuthorization(
            device_code=device_code,
            user_code=user_code,
            verification_uri=verification_uri,
            expires_at=self._clock.now() + timedelta(seconds=_seconds(answer.get("expires_in"), 900)),
            interval_seconds=max(1.0, _seconds(answer.get("interval"), 5)),
            message=message if isinstance(message, str) else f"Open {verification_uri} and enter {user_code}.",
        )

    async def device_code_grant(self, device: DeviceAuthorization, *, scopes: Sequence[str]) -> Grant:
        """Poll until the person has signed in on another device (RFC 8628 section 3.4); raises `GrantError`.

        Ends by itself when the code expires. A passing failure of one poll is not the end.
        """
        fields = {"grant_type": DEVICE_CODE_GRANT, "device_code": device.device_code}
        interval = device.interval_seconds
        while self._clock.now() + timedelta(seconds=interval) < device.expires_at:
            await self._clock.sleep(interval)
            try:
                answer = await self._token_request(self._tenant, fields, phase=Phase.CODE)
            except GrantError as failure:
                if failure.fault is not GrantFault.TRANSIENT:
                    raise
                if failure.code not in _PENDING:
                    interval = max(interval + 5, failure.retry_after_seconds or 0.0)
                continue
            return await self._grant(answer, scopes, nonce=None)
        raise ruled_failure(rule("expired_token", None, (), phase=Phase.CODE))

    # --- refusals --------------------------------------------------------------------------------------------------

    def authorization_response_failure(self, query: dict[str, str]) -> GrantError:
        """Translate a callback query that carries `error` (RFC 6749 section 4.1.2.1).

        The query comes through a browser: nothing of its text is shown or logged.
        """
        return redirect_failure(query)

    # --- the wire --------------------------------------------------------------------------------------------------

    def _endpoint(self, tenant: str, name: str) -> str:
        return f"{self._login_url}/{quote(tenant, safe='')}/oauth2/v2.0/{name}"

    def _wire_scopes(self, scopes: Sequence[str]) -> str:
        return wire_scopes(scopes, resource=self._resource)

    async def _token_request(
        self, tenant: str, fields: dict[str, str], *, phase: Phase, personal: bool | None = None
    ) -> dict[str, Any]:
        endpoint = self._endpoint(tenant, "token")
        proof = self._credentials.token_parameters(
            client_id=self.client_id, token_endpoint=endpoint, now=self._clock.now()
        )
        form = {"client_id": self.client_id, **fields, **proof}
        return await self._post(endpoint, form, phase=phase, personal=personal)

    async def _post(self, url: str, form: dict[str, str], *, phase: Phase, personal: bool | None) -> dict[str, Any]:
        try:
            with anyio.fail_after(self._token_request_seconds):
                response = await self._http.post(
                    url,
                    data=form,
                    headers={"Accept": "application/json", "client-request-id": str(uuid4())},
                    timeout=self._token_request_seconds,
                    follow_redirects=False,
                )
        except (TimeoutError, httpx.TimeoutException) as exc:
            logger.info("token request timed out")
            raise transient_failure(sentence("no_answer"), code="timeout") from exc
        except AnswerTooLargeError as exc:
            logger.info("token request failed: the answer is too large")
            raise transient_failure(sentence("too_large"), code="bad_answer") from exc
        except httpx.HTTPError as exc:
            logger.info("token request failed: %s", type(exc).__name__)
            raise transient_failure(sentence("unreachable"), code="network_error") from exc
        body = _json_object(response.content)
        if response.is_success and body is not None:
            return body
        pause = retry_after_seconds(response.headers.get("retry-after"), now=self._clock.now())
        failure = token_failure(
            response.status_code,
            body,
            phase=phase,
            personal=personal,
            retry_after_seconds=None if pause is None else min(pause, MAX_RETRY_AFTER_SECONDS),
        )
        logger.info("token request refused: %s %s (%s)", response.status_code, failure.code, failure.fault)
        raise failure

    # --- answers ---------------------------------------------------------------------------------------------------

    async def _grant(self, answer: dict[str, Any], scopes: Sequence[str], *, nonce: str | None) -> Grant:
        tokens = self._token_set(answer, scopes)
        id_token = answer.get("id_token")
        if not isinstance(id_token, str):
            raise id_token_failure(IdTokenError("id_token", "missing"))
        try:
            account = account_from_id_token(
                id_token,
                client_id=self.client_id,
                login_url=self._login_url,
                tenant=self._tenant,
                nonce=nonce,
                now=self._clock.now(),
            )
        except IdTokenError as exc:
            raise id_token_failure(exc) from exc
        return Grant(tokens, await self._with_addresses(account, tokens))

    def _token_set(self, answer: dict[str, Any], scopes: Sequence[str]) -> TokenSet:
        access_token, refresh_token = answer.get("access_token"), answer.get("refresh_token")
        token_type = answer.get("token_type", "Bearer")
        if not isinstance(access_token, str) or not access_token or str(token_type).lower() != "bearer":
            raise transient_failure(sentence("no_token"), code="bad_answer")
        echoed = answer.get("scope")
        return TokenSet(
            access_token=access_token,
            refresh_token=refresh_token if isinstance(refresh_token, str) and refresh_token else None,
            expires_at=self._clock.now() + timedelta(seconds=_seconds(answer.get("expires_in"), DEFAULT_EXPIRES_IN)),
            granted_scopes=granted_scopes(echoed if isinstance(echoed, str) else None, requested=scopes),
        )

    async def _with_addresses(self, account: ProviderAccount, tokens: TokenSet) -> ProviderAccount:
        """Add `mail` and `userPrincipalName`, which no id_token holds; without them the account works all the same.

        Source: "user resource type".
        """
        if "User.Read" not in tokens.granted_scopes:
            return account
        try:
            with anyio.fail_after(WHO_SECONDS):
                response = await self._http.get(
                    f"{self._graph_url}/me?$select=displayName,mail,userPrincipalName",
                    headers={"Authorization": f"Bearer {tokens.access_token}", "Accept": "application/json"},
                    timeout=WHO_SECONDS,
                    follow_redirects=False,
                    extensions={ROUTE: "/me"},
                )
        except (TimeoutError, httpx.HTTPError):
            logger.info("Graph did not name the addresses of the account")
            return account
        body = _json_object(response.content) if response.is_success else None
        if body is None:
            return account
        return replace(
            account,
            mail=_text(body, "mail"),
            user_principal_name=_text(body, "userPrincipalName"),
            display_name=account.display_name or _text(body, "displayName"),
        )


_PENDING = frozenset({"AADSTS70016", "authorization_pending"})


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        body: object = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", body) if isinstance(body, dict) else None


def _seconds(value: object, default: int) -> int:
    number = number_of(value)
    return number if number is not None and number > 0 else default


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    return neutralise(value)[:MAX_NAME_CHARACTERS] if isinstance(value, str) and value else None

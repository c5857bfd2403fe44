"""The Microsoft identity platform as an OAuth 2.0 provider: consent page, code, refresh and device code grants.

Sources: "Microsoft identity platform and OAuth 2.0 authorization code flow", "Refresh tokens in the Microsoft identity
platform", "Admin consent on the Microsoft identity platform"; RFC 6749, 7636, 8628. One request per call, bounded,
never repeated here: whether to try again is the account manager's decision.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from uuid import uuid4

import anyio
import httpx2 as httpx

from scalekit_mcp.accounts.models import ProviderAccount, TokenSet
from scalekit_mcp.accounts.provider import AuthorizationRequest, Grant, GrantFailure, GrantFault
from scalekit_mcp.clock import Clock
from scalekit_mcp.microsoft import aadsts
from scalekit_mcp.microsoft.aadsts import Phase
from scalekit_mcp.microsoft.challenge import json_object_text, retry_after_seconds
from scalekit_mcp.microsoft.credentials import ClientCredentials
from scalekit_mcp.microsoft.id_token import IdTokenRefused, account_from_id_token, is_guid

logger = logging.getLogger(__name__)

TOKEN_REQUEST_SECONDS = 20.0
"""Bound on one token request, from the first byte sent to the last received."""
WHO_SECONDS = 5.0
"""Bound on asking Graph for the addresses of who signed in."""
MAX_RETRY_AFTER_SECONDS = 3600.0
DEFAULT_EXPIRES_IN = 600
"""Seconds assumed for an answer without `expires_in` (RFC 6749 section 5.1 only recommends it)."""
DEVICE_CODE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"

OIDC_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
"""Scopes of OpenID Connect, which belong to no resource and are echoed or not as Microsoft likes."""
GRAPH_HOSTS = frozenset(
    {"graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"}
)
_GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
_AADSTS_NUMBER = re.compile(r"AADSTS(\d{4,8})")
_GUID_IN_TEXT = re.compile(r"Correlation ID: ([0-9a-fA-F-]{36})")


@dataclass(frozen=True, slots=True)
class DeviceAuthorization:
    """What to show somebody who signs in on another device (RFC 8628 section 3.2)."""

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
        host = urlsplit(graph_url).hostname or ""
        # A Graph host that no cloud knows is a look-alike, and it imitates the global cloud.
        self._resource = f"https://{host if host in GRAPH_HOSTS else 'graph.microsoft.com'}"

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
        """Redeem a code and validate the id_token; raises `GrantFailure`."""
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
        """Trade a refresh token at the account's own authority; raises `GrantFailure`.

        `scopes` are the stored granted ones, so that a 65001 says that consent was withdrawn. `offline_access` is
        always sent: personal accounts give no new refresh token without it.
        """
        fields = {"grant_type": "refresh_token", "refresh_token": refresh_token, "scope": self._wire_scopes(scopes)}
        merged = merge_claims(claims)
        if merged is not None:
            fields["claims"] = merged
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
            raise _transient("Microsoft's answer to the device authorization cannot be understood.", code="bad_answer")
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
        """Poll until the person has signed in on another device (RFC 8628 section 3.4); raises `GrantFailure`.

        Ends by itself when the code expires. A passing failure of one poll is not the end.
        """
        fields = {"grant_type": DEVICE_CODE_GRANT, "device_code": device.device_code}
        interval = device.interval_seconds
        while self._clock.now() + timedelta(seconds=interval) < device.expires_at:
            await self._clock.sleep(interval)
            try:
                answer = await self._token_request(self._tenant, fields, phase=Phase.CODE)
            except GrantFailure as failure:
                if failure.fault is not GrantFault.TRANSIENT:
                    raise
                if failure.code != _PENDING:
                    interval = max(interval + 5, failure.retry_after_seconds or 0.0)
                continue
            return await self._grant(answer, scopes, nonce=None)
        ruling = aadsts.rule("expired_token", None, (), phase=Phase.CODE)
        raise _failure(ruling)

    # --- refusals --------------------------------------------------------------------------------------------------

    def authorization_response_failure(self, query: dict[str, str]) -> GrantFailure:
        """Translate a callback query that carries `error` (RFC 6749 section 4.1.2.1).

        The query comes through a browser: nothing of its text is shown or logged.
        """
        error = query.get("error", "")
        description = query.get("error_description", "")
        numbers = _numbers_of_redirect(query)
        if error == "access_denied" and query.get("error_subcode") == "cancel":
            numbers = tuple(number for number in numbers if _is_admin_approval(number))
        ruling = aadsts.rule(error, None, numbers, phase=Phase.AUTHORIZATION)
        correlation = _GUID_IN_TEXT.search(description)
        return _failure(ruling, correlation_id=correlation.group(1) if correlation else None)

    # --- the wire --------------------------------------------------------------------------------------------------

    def _endpoint(self, tenant: str, name: str) -> str:
        return f"{self._login_url}/{quote(tenant, safe='')}/oauth2/v2.0/{name}"

    def _wire_scopes(self, scopes: Iterable[str]) -> str:
        """Scopes as sent: OIDC names bare, Graph's under their host; `openid profile offline_access` always."""
        resource = [scope for scope in scopes if scope.lower() not in OIDC_SCOPES]
        email = ["email"] if any(scope.lower() == "email" for scope in scopes) else []
        named = [scope if "://" in scope else f"{self._resource}/{scope}" for scope in resource]
        return " ".join(["openid", "profile", *email, "offline_access", *named])

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
            raise _transient("Microsoft's sign-in service did not answer in time.", code="timeout") from exc
        except httpx.HTTPError as exc:
            logger.info("token request failed: %s", type(exc).__name__)
            raise _transient("Microsoft's sign-in service cannot be reached.", code="network_error") from exc
        body = _json_object(response.content)
        if response.is_success and body is not None:
            return body
        failure = self._refusal(response, body, phase=phase, personal=personal)
        logger.info("token request refused: %s %s (%s)", response.status_code, failure.code, failure.fault)
        raise failure

    def _refusal(
        self, response: httpx.Response, body: dict[str, Any] | None, *, phase: Phase, personal: bool | None
    ) -> GrantFailure:
        status = response.status_code
        pause = retry_after_seconds(response.headers.get("retry-after"), now=self._clock.now())
        if pause is not None:
            pause = min(pause, MAX_RETRY_AFTER_SECONDS)
        error = body.get("error") if body is not None else None
        if status in {408, 429} or status >= 500 or not isinstance(error, str) or body is None:
            message = (
                "Microsoft's sign-in service asks for a pause."
                if status == 429
                else "Microsoft's sign-in service does not work at the moment."
            )
            return _transient(message, code=f"http_{status}", retry_after_seconds=pause)
        suberror = body.get("suberror")
        ruling = aadsts.rule(
            error,
            suberror if isinstance(suberror, str) else None,
            _numbers_of_body(body),
            phase=phase,
            personal=personal,
        )
        claims, correlation = body.get("claims"), body.get("correlation_id")
        return _failure(
            ruling,
            retry_after_seconds=pause,
            claims=json_object_text(claims) if isinstance(claims, str) else None,
            correlation_id=correlation if isinstance(correlation, str) and is_guid(correlation) else None,
        )

    # --- answers ---------------------------------------------------------------------------------------------------

    async def _grant(self, answer: dict[str, Any], scopes: Sequence[str], *, nonce: str | None) -> Grant:
        tokens = self._token_set(answer, scopes)
        id_token = answer.get("id_token")
        if not isinstance(id_token, str):
            raise _refused_id_token(IdTokenRefused("id_token", "Microsoft sent no id_token."))
        try:
            account = account_from_id_token(
                id_token,
                client_id=self.client_id,
                login_url=self._login_url,
                tenant=self._tenant,
                nonce=nonce,
                now=self._clock.now(),
            )
        except IdTokenRefused as exc:
            raise _refused_id_token(exc) from exc
        return Grant(tokens, await self._with_addresses(account, tokens))

    def _token_set(self, answer: dict[str, Any], scopes: Sequence[str]) -> TokenSet:
        access_token, refresh_token = answer.get("access_token"), answer.get("refresh_token")
        token_type = answer.get("token_type", "Bearer")
        if not isinstance(access_token, str) or not access_token or str(token_type).lower() != "bearer":
            raise _transient("Microsoft's answer holds no access token.", code="bad_answer")
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


_PENDING = "AADSTS70016"


def granted_scopes(echoed: str | None, *, requested: Iterable[str]) -> tuple[str, ...]:
    """The resource scopes of an answer as short names, sorted; the requested ones if the answer echoes none.

    Microsoft echoes full or short names in any case, with or without OIDC scopes. Names that were asked for keep the
    spelling they were asked in. RFC 6749 section 5.1.
    """
    spelling = {short.lower(): short for scope in requested if (short := short_scope(scope)).lower() not in OIDC_SCOPES}
    if echoed is None or not echoed.strip():
        return tuple(sorted(spelling.values()))
    names = {short_scope(scope) for scope in echoed.split()}
    return tuple(sorted({spelling.get(name.lower(), name) for name in names if name.lower() not in OIDC_SCOPES}))


def short_scope(scope: str) -> str:
    """A Graph scope without its resource (`https://graph.microsoft.com/User.Read` -> `User.Read`); others unchanged."""
    resource, separator, name = scope.rpartition("/")
    if not separator:
        return scope
    host = (urlsplit(resource).hostname if "://" in resource else resource) or ""
    return name if host in GRAPH_HOSTS or host == _GRAPH_APP_ID else scope


def merge_claims(challenge: str | None, capabilities: Mapping[str, Any] | None = None) -> str | None:
    """A claims challenge merged with the client's own claims request, deeply, as a JSON text; None if there is neither.

    The capability `cp1` is not declared, so `capabilities` is empty unless a caller says otherwise. Source: "Claims
    challenges, claims requests and client capabilities".
    """
    merged: dict[str, Any] = json.loads(json.dumps(capabilities or {}))
    compact = json_object_text(challenge) if challenge else None
    if compact is not None:
        _merge_into(merged, json.loads(compact))
    return json.dumps(merged, separators=(",", ":")) if merged else None


def _merge_into(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    for name, value in source.items():
        held = target.get(name)
        if isinstance(held, dict) and isinstance(value, dict):
            _merge_into(cast("dict[str, Any]", held), cast("dict[str, Any]", value))
        else:
            target[name] = value


def _failure(
    ruling: aadsts.Ruling,
    *,
    retry_after_seconds: float | None = None,
    claims: str | None = None,
    correlation_id: str | None = None,
) -> GrantFailure:
    verdict = ruling.verdict
    return GrantFailure(
        verdict.fault,
        ruling.message,
        code=ruling.code,
        who_acts=verdict.who_acts,
        next_step=verdict.next_step,
        status=verdict.status,
        reason=verdict.reason,
        retry_after_seconds=retry_after_seconds if retry_after_seconds is not None else verdict.pause_seconds,
        claims=claims,
        missing_consent=ruling.missing_consent,
        correlation_id=correlation_id,
    )


def _transient(message: str, *, code: str, retry_after_seconds: float | None = None) -> GrantFailure:
    return GrantFailure(
        GrantFault.TRANSIENT,
        message,
        code=code,
        who_acts="nobody",
        next_step=aadsts.WAIT.next_step,
        retry_after_seconds=retry_after_seconds,
    )


def _refused_id_token(refused: IdTokenRefused) -> GrantFailure:
    another_try_helps = refused.claim == "nonce"
    verdict = aadsts.START_AGAIN if another_try_helps else aadsts.MISCONFIGURED
    return GrantFailure(
        verdict.fault,
        str(refused),
        code=f"id_token_{refused.claim}" if refused.claim != "id_token" else "id_token",
        who_acts=verdict.who_acts,
        next_step=verdict.next_step,
    )


def _numbers_of_body(body: dict[str, Any]) -> tuple[int, ...]:
    codes = body.get("error_codes")
    if isinstance(codes, list):
        numbers = [_number(code) for code in cast("list[object]", codes)[:16]]
        known = tuple(number for number in numbers if number is not None)
        if known:
            return known
    description = body.get("error_description")
    return _numbers_in(description) if isinstance(description, str) else ()


def _numbers_of_redirect(query: Mapping[str, str]) -> tuple[int, ...]:
    """A redirect has no `error_codes`: the number stands in the description and in the query of `error_uri`."""
    numbers = list(_numbers_in(query.get("error_description", "")))
    try:
        uri_codes = parse_qs(urlsplit(query.get("error_uri", "")).query).get("code", [])
    except ValueError:
        uri_codes = []
    numbers.extend(number for code in uri_codes if (number := _number(code)) is not None)
    return tuple(dict.fromkeys(numbers))


def _numbers_in(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _AADSTS_NUMBER.findall(text[:4096]))


def _number(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value < 1_000_000_000 else None
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9 else None


def _is_admin_approval(number: int) -> bool:
    row = aadsts.TABLE.get(number)
    return row is not None and row.verdict.fault is GrantFault.ADMIN_APPROVAL


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        body: object = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", body) if isinstance(body, dict) else None


def _seconds(value: object, default: int) -> int:
    number = _number(value)
    return number if number is not None and number > 0 else default


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    return value if isinstance(value, str) and value else None

"""Microsoft Graph over HTTP: one call, its retries and its limits.

`GraphClient` sends `GraphRequest`s for many mailboxes over one pooled HTTP client. What a lost answer allows is a
property of the request (`Repeat`), because only who builds a request knows whether doing it twice does harm.
"""

from __future__ import annotations

import json as json_codec
import logging
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, cast
from urllib.parse import quote, urlsplit
from uuid import uuid4

import anyio
import httpx2 as httpx

from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import ProviderUnavailable, ScalekitMCPError, Throttled
from scalekit_mcp.microsoft.challenge import claims_challenge, retry_after_seconds
from scalekit_mcp.microsoft.graph_errors import GraphFailure, error_for
from scalekit_mcp.microsoft.mailbox_slots import MailboxSlots

logger = logging.getLogger(__name__)

MAX_PAUSE_SECONDS = 30.0
"""The longest single pause of one call."""
MAX_CALL_SECONDS = 60.0
"""No pause of a call begins or ends later than this after the call began."""
MAX_ATTEMPTS = 6
FIRST_BACK_OFF_SECONDS = 1.0
REQUEST_SECONDS = 30.0
"""Bound on one request, from the first byte sent to the last received."""

_TIMEOUT = httpx.Timeout(20.0, connect=10.0, pool=10.0)

_IMMUTABLE_ID = 'IdType="ImmutableId"'
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
_PERHAPS_SENT = (httpx.WriteError, httpx.WriteTimeout)
_NOT_CARRIED_OUT = frozenset({429, 503})
_PERHAPS_CARRIED_OUT = frozenset({408, 500, 502, 504})
_QUERY_SAFE = "-._~!$'()*,;:@/"
_PLAIN = re.compile(r"[A-Za-z0-9\-._~!$'()*,;:@/]*")


class Repeat(StrEnum):
    """What a lost answer (dropped connection, timeout, 500, 502, 504) allows."""

    SAFE = "safe"
    """Send again: a read, or a create that carries a `transactionId`."""
    REFUSED_ONLY = "refused_only"
    """Send again only after an answer that says nothing was done (429, 503) or when nothing was sent at all."""


@dataclass(frozen=True, slots=True)
class GraphRequest:
    """One request to Graph. `path` begins with `/` and its ids are encoded by `segment`; a GET is always `SAFE`.

    `params` is the query, raw values; `prefer` holds further `Prefer` values beside the immutable id.
    """

    method: str
    path: str
    params: Mapping[str, str] | None = field(default=None, repr=False)
    json: Any = field(default=None, repr=False)
    prefer: tuple[str, ...] = ()
    headers: Mapping[str, str] | None = None
    repeat: Repeat = Repeat.REFUSED_ONLY

    @property
    def safe(self) -> bool:
        """Whether a lost answer may be followed by the same request."""
        return self.repeat is Repeat.SAFE or self.method == "GET"


@dataclass(frozen=True, slots=True)
class GraphResponse:
    """A success (2xx). `body` is the JSON object, empty for an answer without one (202, 204)."""

    status: int
    body: dict[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    request_id: str | None


class TokenSource(Protocol):
    """Where the access token of one mailbox comes from."""

    async def access_token(self, *, rejected: str | None = None, claims: str | None = None) -> str:
        """A token that lives; `rejected` is one that Graph refused, `claims` what a new one must satisfy.

        Raises `ScalekitMCPError` when there is none.
        """
        ...


class MailboxSession(Protocol):
    """One mailbox, for whoever knows calendars and not how a request reaches it."""

    async def send(self, request: GraphRequest) -> GraphResponse:
        """Send one request; raises what a `GraphClient` raises."""
        ...

    async def get_next(self, next_link: str, request: GraphRequest) -> GraphResponse:
        """The page that `next_link` of an answer to `request` leads to."""
        ...


class AnswerLost(Exception):
    """A request that must not simply be repeated went out and its answer was lost.

    `sent` is True when it left whole (Microsoft may have carried it out) and False when it broke off while being sent
    (Microsoft has hardly carried it out). Whoever built the request settles it by reading.
    """

    def __init__(self, request: GraphRequest, *, sent: bool, status: int | None, request_id: str | None) -> None:
        super().__init__(f"The answer to a {request.method} was lost.")
        self.sent = sent
        self.status = status
        self.request_id = request_id


def segment(value: str) -> str:
    """One path segment: an id with everything percent-encoded that has a meaning in a path (ids hold `/`, `+`, `=`)."""
    encoded = quote(value, safe="")
    return encoded.replace(".", "%2E") if encoded in {".", ".."} else encoded


@dataclass(slots=True)
class _Call:
    """What one call has seen so far."""

    request: GraphRequest
    url: str
    mailbox: str
    content: bytes | None
    began_at: datetime
    attempts: int = 0
    refreshed: bool = False
    lost: AnswerLost | None = None
    """The first answer that was lost, if the request may have been carried out."""


class GraphClient:
    """Sends requests to Microsoft Graph: immutable ids, retries within a budget, four requests in flight per mailbox.

    Takes an `httpx2.AsyncClient` that its owner closes, `base_url` with the version (`https://graph.microsoft.com/v1.0`)
    and `jitter`, a number in [0, 1) for each back-off. `request_seconds` bounds each single request.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        base_url: str,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._jitter = jitter
        self._request_seconds = request_seconds
        self.slots = MailboxSlots()

    async def send(self, request: GraphRequest, tokens: TokenSource, *, mailbox: str) -> GraphResponse:
        """Send one request and return its success.

        Raises the error of `graph_errors` for a refusal, `Throttled` or `ProviderUnavailable` when the budget is spent,
        `AnswerLost` for a request that may have been carried out and must not be repeated blindly, and whatever
        `tokens` raises. `mailbox` only groups requests that share the limit of four in flight.
        """
        return await self._send(request, self._base_url + request.path + _query(request.params), tokens, mailbox)

    async def send_next(
        self, next_link: str, request: GraphRequest, tokens: TokenSource, *, mailbox: str
    ) -> GraphResponse:
        """Follow an `@odata.nextLink` with the preferences of the first page ("Paging Microsoft Graph data").

        Only to the configured host and below the configured path, so that a token never leaves for somewhere else.
        """
        if not self._is_ours(next_link):
            raise ProviderUnavailable(
                "Microsoft Graph's answer points to its next page on another host, which is not followed.",
                retryable=False,
                who_acts="operator",
                next_step="The operator checks MICROSOFT_GRAPH_URL; without a further page, narrow the window.",
            )
        page = GraphRequest("GET", request.path, prefer=request.prefer, headers=request.headers, repeat=Repeat.SAFE)
        return await self._send(page, next_link, tokens, mailbox)

    def _is_ours(self, link: str) -> bool:
        try:
            target, base = urlsplit(link), urlsplit(self._base_url)
            same_host = (target.scheme, target.hostname, _port(target.port, target.scheme)) == (
                base.scheme,
                base.hostname,
                _port(base.port, base.scheme),
            )
        except ValueError:
            return False
        plain = link.isascii() and link.isprintable() and " " not in link and "\\" not in link
        clean = target.username is None and target.password is None and ".." not in target.path
        return plain and same_host and clean and target.path.startswith(base.path + "/")

    async def _send(self, request: GraphRequest, url: str, tokens: TokenSource, mailbox: str) -> GraphResponse:
        content = None if request.json is None else json_codec.dumps(request.json, separators=(",", ":")).encode()
        call = _Call(request, url, mailbox, content, self._clock.now())
        token = await tokens.access_token()
        while True:
            call.attempts += 1
            try:
                response = await self._exchange(call, token)
            except httpx.RequestError as exc:
                await self._after_transport_error(call, exc)
                continue
            if response.is_success:
                body = _json_object(response)
                if body is not None:
                    return GraphResponse(response.status_code, body, response.headers, _request_id(response))
                await self._after_lost_answer(call, status=None, request_id=_request_id(response), pause=None)
                continue
            failure = GraphFailure.read(response.status_code, response.content, _request_id(response))
            claims = claims_challenge(response.headers.get_list("www-authenticate"))
            if response.status_code == 401 or (response.status_code == 403 and claims is not None):
                if call.refreshed:
                    raise self._refusal(call, failure, claims=claims)
                call.refreshed = True
                logger.info(
                    "Graph refuses the access token (request-id %s); one refresh, one repeat", failure.request_id
                )
                token = await tokens.access_token(rejected=token, claims=claims)
                continue
            await self._after_refusal(call, failure, response)

    async def _exchange(self, call: _Call, token: str) -> httpx.Response:
        request = call.request
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Prefer": ", ".join((_IMMUTABLE_ID, *request.prefer)) if request.prefer else _IMMUTABLE_ID,
            "client-request-id": str(uuid4()),
        }
        if call.content is not None:
            headers["Content-Type"] = "application/json"
        if request.headers:
            headers.update(request.headers)
        async with self.slots.hold(call.mailbox):
            try:
                with anyio.fail_after(self._request_seconds):
                    return await self._http.request(
                        request.method,
                        call.url,
                        headers=headers,
                        content=call.content,
                        timeout=_TIMEOUT,
                        follow_redirects=False,
                    )
            except TimeoutError as exc:
                raise httpx.ReadTimeout("the answer did not come in time") from exc

    async def _after_transport_error(self, call: _Call, exc: httpx.RequestError) -> None:
        logger.info("Graph connection failed: %s", type(exc).__name__)
        if isinstance(exc, _NOT_SENT):
            if not await self._pause(call, None):
                raise self._given_up(call, "Microsoft Graph cannot be reached.") from exc
            return
        await self._after_lost_answer(call, status=None, request_id=None, pause=None, cause=exc)

    async def _after_refusal(self, call: _Call, failure: GraphFailure, response: httpx.Response) -> None:
        """Pause before the next attempt, or raise."""
        status = failure.status
        asked = retry_after_seconds(response.headers.get("retry-after"), now=self._clock.now())
        if status in _NOT_CARRIED_OUT:
            logger.info("Graph answers %s %s (request-id %s)", status, failure.code, failure.request_id)
            if not await self._pause(call, asked):
                raise call.lost or self._throttled(call, failure, asked)
        elif status in _PERHAPS_CARRIED_OUT:
            logger.info("Graph answers %s %s (request-id %s)", status, failure.code, failure.request_id)
            await self._after_lost_answer(
                call, status=status, request_id=failure.request_id, pause=asked, failure=failure
            )
        else:
            raise self._refusal(call, failure)

    async def _after_lost_answer(
        self,
        call: _Call,
        *,
        status: int | None,
        request_id: str | None,
        pause: float | None,
        failure: GraphFailure | None = None,
        cause: Exception | None = None,
    ) -> None:
        request = call.request
        if request.method != "GET" and call.lost is None:
            sent = not isinstance(cause, _PERHAPS_SENT)
            call.lost = AnswerLost(request, sent=sent, status=status, request_id=request_id)
        if not request.safe and call.lost is not None:
            raise call.lost from cause
        # An ordinary 500 is as likely a query that Graph chokes on as a passing fault: one more try tells them apart.
        hopeless = failure is not None and status == 500 and not failure.transient and call.attempts > 1
        if hopeless or not await self._pause(call, pause):
            if failure is not None and call.lost is None:
                raise self._refusal(call, failure) if pause is None else self._throttled(call, failure, pause)
            raise self._given_up(call, "Microsoft Graph does not answer.") from cause

    async def _pause(self, call: _Call, asked: float | None) -> bool:
        """Wait before the next attempt; False if the budget of the call does not allow it."""
        if call.attempts >= MAX_ATTEMPTS:
            return False
        seconds = asked
        if seconds is None:
            seconds = FIRST_BACK_OFF_SECONDS * 2 ** (call.attempts - 1) * (0.5 + self._jitter())
        elapsed = (self._clock.now() - call.began_at).total_seconds()
        if seconds > MAX_PAUSE_SECONDS or elapsed + seconds > MAX_CALL_SECONDS:
            return False
        await self._clock.sleep(seconds)
        return True

    def _refusal(self, call: _Call, failure: GraphFailure, *, claims: str | None = None) -> Exception:
        """The error of a refusal; one that concerns only the repeat says nothing about a first try that was lost."""
        if call.lost is not None and failure.status in {401, 403}:
            return call.lost
        request = call.request
        return error_for(failure, method=request.method, path=request.path, params=request.params, claims=claims)

    def _given_up(self, call: _Call, message: str) -> Exception:
        return call.lost or ProviderUnavailable(message)

    def _throttled(self, call: _Call, failure: GraphFailure, asked: float | None) -> ScalekitMCPError:
        if failure.status == 503 and asked is None:
            return error_for(failure, method=call.request.method, path=call.request.path, params=call.request.params)
        seconds = asked if asked is not None else MAX_PAUSE_SECONDS
        if asked is not None and asked > MAX_PAUSE_SECONDS:
            message = "Microsoft Graph asks for a longer pause than one call may wait"
        else:
            message = f"Microsoft Graph has had too many calls and still refuses this one after {call.attempts} tries"
        return Throttled(
            f"{message}; the request was not carried out.",
            retry_after_seconds=max(1, round(seconds)),
            request_id=failure.request_id,
        )


@dataclass(frozen=True, slots=True)
class GraphSession:
    """A `MailboxSession` at Microsoft Graph: a client bound to one mailbox and its tokens."""

    client: GraphClient
    tokens: TokenSource
    mailbox: str

    async def send(self, request: GraphRequest) -> GraphResponse:
        """As `GraphClient.send`."""
        return await self.client.send(request, self.tokens, mailbox=self.mailbox)

    async def get_next(self, next_link: str, request: GraphRequest) -> GraphResponse:
        """As `GraphClient.send_next`."""
        return await self.client.send_next(next_link, request, self.tokens, mailbox=self.mailbox)


def _port(port: int | None, scheme: str) -> int | None:
    return port or {"https": 443, "http": 80}.get(scheme)


def _query(params: Mapping[str, str] | None) -> str:
    if not params:
        return ""
    return "?" + "&".join([f"{_encoded(name)}={_encoded(value)}" for name, value in params.items()])


def _encoded(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else quote(text, safe=_QUERY_SAFE)


def _request_id(response: httpx.Response) -> str | None:
    return response.headers.get("request-id")


def _json_object(response: httpx.Response) -> dict[str, Any] | None:
    """The body of a success: `{}` for none, None for one that is not a JSON object."""
    if not response.content:
        return {} if response.status_code != 200 else None
    try:
        body: object = json_codec.loads(response.content)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", body) if isinstance(body, dict) else None

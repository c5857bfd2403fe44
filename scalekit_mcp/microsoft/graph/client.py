"""Microsoft Graph over HTTP: one call, its retries and its limits.

`GraphClient` sends `GraphRequest`s for many mailboxes over one pooled HTTP client. What a lost answer allows is a
property of the request (`Repeat`), because only who builds a request knows whether doing it twice does harm.
"""

from __future__ import annotations

import json as json_codec
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

import anyio
import httpx2 as httpx

from scalekit_mcp.calendar import AnswerTooLong, ChangeAnswerLostError, UnreadableAnswer
from scalekit_mcp.call_deadline import CallDeadline, call_deadline
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import OutcomeUnknown, ProviderUnavailable, ScalekitMCPError, Throttled
from scalekit_mcp.microsoft.graph.answers import json_object, on_host_of
from scalekit_mcp.microsoft.graph.errors import GraphFailure, Means, error_for
from scalekit_mcp.microsoft.graph.requests import (
    GraphRequest,
    GraphResponse,
    PassedAnswer,
    PassedRequest,
    Repeat,
    TokenSource,
    segment,
)
from scalekit_mcp.microsoft.graph.slots import MailboxSlots
from scalekit_mcp.microsoft.identity.challenge import claims_challenge, retry_after_seconds
from scalekit_mcp.upstream import ROUTE, AnswerTooLargeError

__all__ = [
    "GraphClient",
    "GraphRequest",
    "GraphResponse",
    "GraphSession",
    "Repeat",
    "TokenSource",
    "segment",
]

logger = logging.getLogger(__name__)

MAX_PAUSE_SECONDS = 30.0
"""The longest single pause of one call."""
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


@dataclass(frozen=True, slots=True)
class _Answer:
    """One HTTP answer; `content` is None if the body was larger than the limit."""

    status: int
    headers: httpx.Headers
    content: bytes | None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def request_id(self) -> str | None:
        return self.headers.get("request-id")


@dataclass(slots=True)
class _Call:
    """The state of one call over all its attempts."""

    request: GraphRequest
    url: str
    mailbox: str
    content: bytes | None
    deadline: CallDeadline
    attempts: int = 0
    refreshed: bool = False
    lost: ChangeAnswerLostError | None = None
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

    async def send(
        self, request: GraphRequest, tokens: TokenSource, *, mailbox: str, next_link: str | None = None
    ) -> GraphResponse:
        """Send one request and return its success.

        `next_link` is an `@odata.nextLink` to follow with the preferences of the first page ("Paging Microsoft Graph
        data"); only to the configured host and below the configured path, so that a token never leaves for somewhere
        else. `mailbox` only groups requests that share the limit of four in flight.

        Raises the error of `graph_errors` for a refusal, `Throttled` or `ProviderUnavailable` when the budget is spent,
        `ChangeAnswerLostError` for a request that may have been carried out and must not be repeated blindly, and
        whatever `tokens` raises.
        """
        url = self._base_url + request.address + request.query
        if next_link is not None:
            if not on_host_of(self._base_url, next_link):
                raise ProviderUnavailable(
                    "Microsoft Graph's answer points to its next page on another host, which is not followed.",
                    retryable=False,
                    who_acts="operator",
                    next_step="The operator checks MICROSOFT_GRAPH_URL; without a further page, narrow the window.",
                )
            request, url = replace(request, params=None), next_link  # the link has the parameters
        content = None if request.json is None else json_codec.dumps(request.json, separators=(",", ":")).encode()
        call = _Call(request, url, mailbox, content, call_deadline(self._clock))
        token = await self._token(call, tokens)
        while True:
            call.attempts += 1
            try:
                answer = await self._exchange(call, token)
            except httpx.RequestError as exc:
                await self._after_transport_error(call, exc)
                continue
            if answer.is_success:
                response = await self._read(call, answer)
                if response is not None:
                    return response
                continue
            failure = GraphFailure.read(answer.status, answer.content or b"", answer.request_id)
            claims = claims_challenge(answer.headers.get_list("www-authenticate"))
            if answer.status == 401 or (answer.status == 403 and claims is not None):
                if call.refreshed:
                    raise self._refusal(call, failure, claims=claims)
                call.refreshed = True
                logger.info(
                    "Graph refuses the access token (request-id %s); one refresh, one repeat", failure.request_id
                )
                token = await self._token(call, tokens, rejected=token, claims=claims)
                continue
            await self._after_refusal(call, failure, answer)

    async def pass_on(self, passed: PassedRequest, tokens: TokenSource, *, mailbox: str) -> PassedAnswer:
        """Send a request of the caller's own making once, and return what Graph answers, refusals too.

        Only an access token that Graph refuses is renewed, once. Raises `ProviderUnavailable` where no answer came,
        `OutcomeUnknown` for a change that may have been carried out, and whatever `tokens` raises.
        """
        url = self._base_url + passed.address
        call = _Call(passed.as_request, url, mailbox, passed.content, call_deadline(self._clock))
        token = await self._token(call, tokens)
        answer = await self._once(call, token)
        if answer.status == 401:
            claims = claims_challenge(answer.headers.get_list("www-authenticate"))
            token = await self._token(call, tokens, rejected=token, claims=claims)
            answer = await self._once(call, token)
        return PassedAnswer(answer.status, answer.headers, answer.content or b"")

    async def _once(self, call: _Call, token: str) -> _Answer:
        reads = call.request.method == "GET"
        try:
            answer = await self._exchange(call, token)
        except _NOT_SENT as exc:
            raise ProviderUnavailable("Microsoft Graph cannot be reached; nothing was sent.") from exc
        except httpx.RequestError as exc:
            if reads:
                raise ProviderUnavailable("Microsoft Graph gives no answer that can be read.") from exc
            raise OutcomeUnknown(
                "The request was sent to Microsoft Graph and no answer came: it may or may not have been carried out.",
                next_step="Read what it was to change before you repeat it.",
            ) from exc
        if answer.content is None and reads:
            raise ProviderUnavailable(
                "Microsoft Graph's answer is too large to be read.",
                retryable=False,
                next_step="Ask for less, by $top or $select.",
            )
        return answer

    async def _token(
        self, call: _Call, tokens: TokenSource, *, rejected: str | None = None, claims: str | None = None
    ) -> str:
        try:
            with anyio.fail_after(call.deadline.remaining()):
                return await tokens.access_token(rejected=rejected, claims=claims)
        except TimeoutError as exc:
            raise self._given_up(call, "The access to Microsoft Graph could not be renewed in time.") from exc

    async def _exchange(self, call: _Call, token: str) -> _Answer:
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
        async with self.slots.hold(call.mailbox, at_most=call.deadline.remaining()):
            seconds = min(self._request_seconds, call.deadline.remaining())
            if not seconds:
                raise self._given_up(call, "There was no time left in this call to ask Microsoft Graph.")
            return await self._answered(call, headers, seconds)

    async def _answered(self, call: _Call, headers: Mapping[str, str], seconds: float) -> _Answer:
        writes = call.request.method != "GET"
        if writes:
            call.deadline.change_sent()
        try:
            with anyio.fail_after(seconds):
                response = await self._http.request(
                    call.request.method,
                    call.url,
                    headers=headers,
                    content=call.content,
                    timeout=_TIMEOUT,
                    follow_redirects=False,
                    extensions={ROUTE: call.request.path},
                )
            answer = _Answer(response.status_code, response.headers, response.content)
        except TimeoutError as exc:
            raise httpx.ReadTimeout("the answer did not come in time") from exc
        except AnswerTooLargeError as exc:
            answer = _Answer(exc.status_code, exc.headers, None)
        except _NOT_SENT:
            if writes:
                call.deadline.change_answered(made=False)
            raise
        if writes and answer.status not in _PERHAPS_CARRIED_OUT:
            call.deadline.change_answered(made=answer.is_success)
        return answer

    async def _read(self, call: _Call, answer: _Answer) -> GraphResponse | None:
        """A success as a response; None where the same request is to be sent once more because its body makes no sense.

        A success is never taken back: a change whose answer cannot be read was made all the same.
        """
        request, content, request_id = call.request, answer.content, answer.request_id
        body = None
        if content is not None:
            # Only the answer to a change may be empty.
            empty = not content and (answer.status != 200 or request.method == "DELETE")
            body = {} if empty else json_object(content)
        if body is not None:
            return GraphResponse(answer.status, body, answer.headers, request_id, len(content or b""))
        if request.safe and content is not None and await self._pause(call, None):
            return None
        if request.method != "GET":
            raise ChangeAnswerLostError(sent=True, status=answer.status, request_id=request_id, carried_out=True)
        raise AnswerTooLong if content is None else UnreadableAnswer("it is not a JSON object")

    async def _after_transport_error(self, call: _Call, exc: httpx.RequestError) -> None:
        logger.info("Graph connection failed: %s", type(exc).__name__)
        if isinstance(exc, _NOT_SENT):
            if not await self._pause(call, None):
                raise self._given_up(call, "Microsoft Graph cannot be reached.") from exc
            return
        await self._after_lost_answer(call, status=None, request_id=None, pause=None, cause=exc)

    async def _after_refusal(self, call: _Call, failure: GraphFailure, answer: _Answer) -> None:
        """Pause before the next attempt, or raise."""
        status = failure.status
        asked = retry_after_seconds(answer.headers.get("retry-after"), now=self._clock.now())
        if status in _NOT_CARRIED_OUT:
            logger.info("Graph answers %s %s (request-id %s)", status, failure.code, failure.request_id)
            if not await self._pause(call, asked):
                raise call.lost or self._spent(call, failure, asked)
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
            call.lost = ChangeAnswerLostError(sent=sent, status=status, request_id=request_id)
        if not request.safe and call.lost is not None:
            raise call.lost from cause
        # An ordinary 500 is as likely a query that Graph chokes on as a passing fault: one more try tells them apart.
        hopeless = failure is not None and status == 500 and not failure.transient and call.attempts > 1
        if hopeless or not await self._pause(call, pause):
            if failure is not None and call.lost is None:
                raise self._refusal(call, failure) if pause is None else self._spent(call, failure, pause)
            raise self._given_up(call, "Microsoft Graph does not answer.") from cause

    async def _pause(self, call: _Call, asked: float | None) -> bool:
        """Wait before the next attempt; False if the budget of the call does not allow it."""
        if call.attempts >= MAX_ATTEMPTS:
            return False
        seconds = asked
        if seconds is None:
            seconds = FIRST_BACK_OFF_SECONDS * 2 ** (call.attempts - 1) * (0.5 + self._jitter())
        if seconds > min(MAX_PAUSE_SECONDS, call.deadline.remaining()):
            return False
        await self._clock.sleep(seconds)
        return True

    def _refusal(self, call: _Call, failure: GraphFailure, *, claims: str | None = None) -> Exception:
        """The error of a refusal; one that concerns only the repeat says nothing about a first try that was lost."""
        if call.lost is not None and failure.status in {401, 403}:
            return call.lost
        return error_for(failure, call.request.subject, claims=claims)

    def _given_up(self, call: _Call, message: str) -> Exception:
        return call.lost or ProviderUnavailable(message)

    def _spent(self, call: _Call, failure: GraphFailure, asked: float | None) -> ScalekitMCPError:
        """The error of a refusal that outlasted all tries, or asks for a pause that is too long."""
        if failure.status != 429 and failure.row.means is not Means.THROTTLED:
            error = error_for(failure, call.request.subject)
            if asked is not None:
                error.details["retry_after_seconds"] = max(1, round(asked))
            return error
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
    """A client bound to one mailbox and its tokens."""

    client: GraphClient
    tokens: TokenSource
    mailbox: str

    async def send(self, request: GraphRequest, *, next_link: str | None = None) -> GraphResponse:
        """As `GraphClient.send`."""
        return await self.client.send(request, self.tokens, mailbox=self.mailbox, next_link=next_link)

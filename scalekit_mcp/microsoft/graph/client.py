"""Microsoft Graph over HTTP: one call, its retries and its limits.

`GraphClient` sends `GraphRequest`s for many mailboxes over one pooled HTTP client. What a lost answer allows is a
property of the request (`Repeat`), because only who builds a request knows whether doing it twice does harm.
"""

from __future__ import annotations

import json as json_codec
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from uuid import uuid4

import anyio
import httpx2 as httpx

from scalekit_mcp.calendar import AnswerTooLong, ChangeAnswerLostError, UnreadableAnswer
from scalekit_mcp.call_deadline import CallDeadline, call_deadline
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import OutcomeUnknown, ProviderUnavailable, ScalekitMCPError, Throttled
from scalekit_mcp.microsoft.graph.answers import json_object
from scalekit_mcp.microsoft.graph.endpoint import GraphEndpoint, Refusal, Then
from scalekit_mcp.microsoft.graph.errors import Means, error_for
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
from scalekit_mcp.microsoft.identity.challenge import retry_after_seconds
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


@dataclass(frozen=True, slots=True)
class _Answer:
    """One HTTP answer; `content` is None if the body was larger than the limit, `refusal` None for a success."""

    status: int
    headers: httpx.Headers
    content: bytes | None
    refusal: Refusal | None

    @property
    def request_id(self) -> str | None:
        return self.headers.get("request-id")


@dataclass(slots=True)
class _Call:
    """The state of one call over all its attempts."""

    request: GraphRequest
    url: str
    mailbox: str
    headers: Mapping[str, str]
    content: bytes | None
    deadline: CallDeadline
    attempts: int = 0
    refreshed: bool = False
    lost: ChangeAnswerLostError | None = None
    """The first answer that was lost, if the request may have been carried out."""


class GraphClient:
    """Sends requests to Microsoft Graph: immutable ids, retries within a budget, four requests in flight per mailbox.

    Takes an `httpx2.AsyncClient` that its owner closes, the `endpoint` where Graph is reached, and `jitter`, a number
    in [0, 1) for each back-off. `request_seconds` bounds each single request.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        endpoint: GraphEndpoint,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        self._http = http
        self._endpoint = endpoint
        self._clock = clock
        self._jitter = jitter
        self._request_seconds = request_seconds
        self.slots = MailboxSlots()

    async def send(
        self,
        request: GraphRequest,
        tokens: TokenSource,
        *,
        mailbox: str,
        headers: Mapping[str, str] | None = None,
        next_link: str | None = None,
    ) -> GraphResponse:
        """Send one request and return its success.

        `next_link` is an `@odata.nextLink` to follow with the preferences of the first page, as far as the endpoint
        follows it. `mailbox` only groups requests that share the limit of four in flight; `headers` are what the
        endpoint has to be told about the mailbox.

        Raises the error of `graph_errors` for a refusal, `Throttled` or `ProviderUnavailable` when the budget is spent,
        `ChangeAnswerLostError` for a request that may have been carried out and must not be repeated blindly, and
        whatever `tokens` raises.
        """
        if next_link is None:
            url = self._endpoint.url(request.address + request.query)
        else:
            request, url = replace(request, params=None), self._endpoint.url_of_next(next_link)  # it has the parameters
        content = None if request.json is None else json_codec.dumps(request.json, separators=(",", ":")).encode()
        call = _Call(request, url, mailbox, headers or {}, content, call_deadline(self._clock))
        token = await self._token(call, tokens)
        while True:
            call.attempts += 1
            try:
                answer = await self._exchange(call, token)
            except httpx.RequestError as exc:
                await self._after_transport_error(call, exc)
                continue
            refusal = answer.refusal
            if refusal is None:
                response = await self._read(call, answer)
                if response is not None:
                    return response
            elif refusal.then is Then.RENEW and not call.refreshed:
                call.refreshed = True
                logger.info(
                    "%s refuses the access token (request-id %s); one refresh, one repeat",
                    self._endpoint.name,
                    refusal.failure.request_id,
                )
                token = await self._token(call, tokens, rejected=token, claims=refusal.claims)
            else:
                await self._after_refusal(call, refusal, answer)

    async def pass_on(self, passed: PassedRequest, tokens: TokenSource, *, mailbox: str) -> PassedAnswer:
        """Send a request of the caller's own making once, and return what Graph answers, refusals too.

        Only an access token that Graph refuses is renewed, once. Raises `ProviderUnavailable` where no answer came,
        `OutcomeUnknown` for a change that may have been carried out, and whatever `tokens` raises.
        """
        url = self._endpoint.url(passed.address)
        call = _Call(passed.as_request, url, mailbox, {}, passed.content, call_deadline(self._clock))
        token = await self._token(call, tokens)
        answer = await self._once(call, token)
        if answer.status == 401 and answer.refusal is not None:
            token = await self._token(call, tokens, rejected=token, claims=answer.refusal.claims)
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
            raise self._given_up(call, f"The access to {self._endpoint.name} could not be renewed in time.") from exc

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
        headers.update(call.headers)
        async with self.slots.hold(call.mailbox, at_most=call.deadline.remaining()):
            seconds = min(self._request_seconds, call.deadline.remaining())
            if not seconds:
                raise self._given_up(call, f"There was no time left in this call to ask {self._endpoint.name}.")
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
                    headers=httpx.Headers(headers, encoding="utf-8") if call.headers else headers,
                    content=call.content,
                    timeout=_TIMEOUT,
                    follow_redirects=False,
                    extensions={ROUTE: call.request.path},
                )
            answer = self._answer(response.status_code, response.headers, response.content)
        except TimeoutError as exc:
            raise httpx.ReadTimeout("the answer did not come in time") from exc
        except AnswerTooLargeError as exc:
            answer = self._answer(exc.status_code, exc.headers, None)
        except _NOT_SENT:
            if writes:
                call.deadline.change_answered(made=False)
            raise
        refusal = answer.refusal
        if writes and (refusal is None or refusal.then is not Then.SETTLE):
            call.deadline.change_answered(made=refusal is None)
        return answer

    def _answer(self, status: int, headers: httpx.Headers, content: bytes | None) -> _Answer:
        refusal = None if 200 <= status < 300 else self._endpoint.refusal(status, headers, content or b"")
        return _Answer(status, headers, content, refusal)

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
        logger.info("The connection to %s failed: %s", self._endpoint.name, type(exc).__name__)
        if isinstance(exc, _NOT_SENT):
            if not await self._pause(call, None):
                raise self._given_up(call, f"{self._endpoint.name} cannot be reached.") from exc
            return
        await self._after_lost_answer(call, status=None, request_id=None, pause=None, cause=exc)

    async def _after_refusal(self, call: _Call, refusal: Refusal, answer: _Answer) -> None:
        """Pause before the next attempt, or raise."""
        failure = refusal.failure
        asked = retry_after_seconds(answer.headers.get("retry-after"), now=self._clock.now())
        if refusal.then in (Then.WAIT, Then.SETTLE):
            logger.info(
                "%s answers %s %s (request-id %s)",
                self._endpoint.name,
                failure.status,
                failure.code,
                failure.request_id,
            )
        if refusal.then is Then.WAIT:
            if not await self._pause(call, asked):
                raise call.lost or self._spent(call, refusal, asked)
        elif refusal.then is Then.SETTLE:
            await self._after_lost_answer(
                call, status=failure.status, request_id=failure.request_id, pause=asked, refusal=refusal
            )
        else:
            raise self._refusal(call, refusal)

    async def _after_lost_answer(
        self,
        call: _Call,
        *,
        status: int | None,
        request_id: str | None,
        pause: float | None,
        refusal: Refusal | None = None,
        cause: Exception | None = None,
    ) -> None:
        request = call.request
        if request.method != "GET" and call.lost is None:
            sent = not isinstance(cause, _PERHAPS_SENT)
            call.lost = ChangeAnswerLostError(sent=sent, status=status, request_id=request_id)
        if not request.safe and call.lost is not None:
            raise call.lost from cause
        # An ordinary 500 is as likely a query that Graph chokes on as a passing fault: one more try tells them apart.
        hopeless = refusal is not None and status == 500 and not refusal.failure.transient and call.attempts > 1
        if hopeless or not await self._pause(call, pause):
            if refusal is not None and call.lost is None:
                raise self._refusal(call, refusal) if pause is None else self._spent(call, refusal, pause)
            raise self._given_up(call, f"{self._endpoint.name} does not answer.") from cause

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

    def _refusal(self, call: _Call, refusal: Refusal) -> Exception:
        """The error of a refusal; one that concerns only the repeat says nothing about a first try that was lost."""
        if call.lost is not None and refusal.failure.status in {401, 403}:
            return call.lost
        return refusal.error or error_for(refusal.failure, call.request.subject, claims=refusal.claims)

    def _given_up(self, call: _Call, message: str) -> Exception:
        return call.lost or ProviderUnavailable(message)

    def _spent(self, call: _Call, refusal: Refusal, asked: float | None) -> ScalekitMCPError:
        """The error of a refusal that outlasted all tries, or asks for a pause that is too long."""
        failure = refusal.failure
        if refusal.error is not None or (failure.status != 429 and failure.row.means is not Means.THROTTLED):
            error = refusal.error or error_for(failure, call.request.subject)
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
    """A client bound to one mailbox and its tokens; `headers` are what the endpoint is told about the mailbox."""

    client: GraphClient
    tokens: TokenSource
    mailbox: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    async def send(self, request: GraphRequest, *, next_link: str | None = None) -> GraphResponse:
        """As `GraphClient.send`."""
        return await self.client.send(
            request, self.tokens, mailbox=self.mailbox, headers=self.headers, next_link=next_link
        )

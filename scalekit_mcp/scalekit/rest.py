"""Scalekit's REST API: JSON in, JSON or `ScalekitError` out.

Source: Scalekit's REST API reference, "Error handling"; the error body is the gRPC status as JSON.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, cast

import anyio
import httpx2 as httpx

from scalekit_mcp.calendar import microsofts_words
from scalekit_mcp.call_deadline import call_deadline
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import (
    ConnectionMisconfigured,
    PermissionMissing,
    ProviderUnavailable,
    ScalekitMCPError,
    Throttled,
)
from scalekit_mcp.microsoft import json_object
from scalekit_mcp.scalekit.machine_tokens import MachineTokens, seconds_of
from scalekit_mcp.upstream import AnswerTooLargeError

logger = logging.getLogger(__name__)

CALL_SECONDS = 20.0
TOOL_SECONDS = 65.0
"""Scalekit's load balancer cuts a tool call after 62 s."""

MAX_READ_ATTEMPTS = 3
FIRST_BACK_OFF_SECONDS = 1.0
MAX_RETRY_AFTER_SECONDS = 30.0
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
TOOL_ERROR = "TOOL_ERROR"


class Sending(Enum):
    """Whether a request may be sent again when its answer is lost."""

    READ = "read"
    """The request changes nothing: it may be sent again."""
    WRITE = "write"
    """It may have been carried out: it is never sent again."""


@dataclass(eq=False)
class ScalekitError(Exception):
    """An error answer of Scalekit; `tool_*` are set if the provider refused (`TOOL_ERROR`), at any HTTP status."""

    status: int
    error_code: str = ""
    message: str = field(default="", repr=False)
    tool_error_code: str | None = None
    tool_error_message: str | None = field(default=None, repr=False)
    execution_id: str | None = None
    request_id: str | None = None
    fields: tuple[str, ...] = ()
    asks_for: str | None = None
    """The parameter that would allow what was refused. A server of this product says it; Scalekit does not."""
    retry_after_seconds: float | None = None

    @property
    def from_provider(self) -> bool:
        """Whether Microsoft refused the call, not Scalekit itself."""
        return self.error_code == TOOL_ERROR or self.tool_error_code is not None

    @classmethod
    def read(cls, response: httpx.Response) -> ScalekitError:
        """Read an error answer, whatever its body is."""
        return cls.of(response.status_code, response.headers, response.content)

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], content: bytes) -> ScalekitError:
        """The same from the parts of an answer."""
        members = json_object(content) or {}
        details: list[Any] = members["details"] if isinstance(members.get("details"), list) else []
        infos = [cast("dict[str, Any]", info) for info in details if isinstance(info, dict)]
        tool = _first(infos, "tool_error_info")
        violations: object = _first(infos, "validation_error_info").get("field_violations")
        named = cast("list[dict[str, Any]]", violations) if isinstance(violations, list) else []
        return cls(
            status=status,
            error_code=next((str(info["error_code"]) for info in infos if info.get("error_code")), ""),
            message=microsofts_words(str(members.get("message") or "")),
            tool_error_code=_text(tool.get("tool_error_code")),
            tool_error_message=_text(tool.get("tool_error_message")),
            execution_id=safe_id(tool.get("execution_id")),
            request_id=safe_id(_first(infos, "request_info").get("request_id")),
            fields=tuple(str(violation.get("field")) for violation in named if violation.get("field")),
            asks_for=_text(_first(infos, "error").get("field")) if status == 409 else None,
            retry_after_seconds=seconds_of(headers.get("retry-after")),
        )

    def as_error(self, what: str) -> ScalekitMCPError:
        """The general error for this answer; `what` names in a few words what Scalekit was asked to do."""
        details: dict[str, Any] = {"execution_id": self.execution_id, "request_id": self.request_id}
        said = f": {self.message}" if self.message else "."
        if self.status == 401:
            return ConnectionMisconfigured(
                f"Scalekit refuses the API credentials while it was asked to {what}.",
                next_step="The operator checks SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET and SCALEKIT_ENV_URL.",
                **details,
            )
        if self.status == 403:
            return PermissionMissing(
                f"Scalekit does not allow this API client to {what}{said}",
                who_acts="operator",
                next_step="The operator checks what the API client may do in the Scalekit dashboard.",
                **details,
            )
        if self.status == 429:
            return Throttled(
                f"Scalekit has had too many calls and did not {what}.",
                retry_after_seconds=max(1, round(self.retry_after_seconds or MAX_RETRY_AFTER_SECONDS)),
                **details,
            )
        if self.status == 404:
            return ConnectionMisconfigured(
                f"Scalekit does not know what it needs to {what}{said}",
                next_step="The operator checks SCALEKIT_MCP_CONNECTION and SCALEKIT_ENV_URL.",
                **details,
            )
        if self.status >= 500:
            return ProviderUnavailable(f"Scalekit failed to {what} (HTTP {self.status}).", **details)
        if self.status < 400:
            return ConnectionMisconfigured(
                f"Scalekit answers with a redirect, which is not followed, and did not {what}.",
                next_step="The operator checks SCALEKIT_ENV_URL.",
                **details,
            )
        return ProviderUnavailable(
            f"Scalekit refused to {what} (HTTP {self.status}){said}",
            who_acts="operator",
            retryable=False,
            next_step="The operator checks the connection in the Scalekit dashboard, or reports this to Scalekit.",
            **details,
        )


class RefusedBy(Enum):
    """Who refused a call that Scalekit hands on to a provider."""

    PROVIDER = "provider"
    SCALEKIT = "scalekit"
    UNSAID = "unsaid"
    """The answer has neither's form: a page in HTML, an empty body, a word of something in between."""


def refused_by(content: bytes) -> RefusedBy:
    """Who wrote the body of an error answer: a provider's error object, or the gRPC status of Scalekit as JSON."""
    body = json_object(content) or {}
    error: object = body.get("error")
    if isinstance(error, dict) and "code" in error:
        return RefusedBy.PROVIDER
    if type(body.get("code")) is int and ("message" in body or "details" in body):
        from_provider = ScalekitError.of(0, {}, content).from_provider
        return RefusedBy.PROVIDER if from_provider else RefusedBy.SCALEKIT
    return RefusedBy.UNSAID


class AnswerLostError(Exception):
    """A request that changes something was sent and its answer was lost; `status` is the HTTP status if one came."""

    def __init__(self, status: int | None) -> None:
        super().__init__("the answer was lost")
        self.status = status


class ScalekitRest:
    """The client of one environment. Takes an `httpx2.AsyncClient` that its owner closes.

    Raises `ScalekitError` for an error answer, `AnswerLostError` for a write whose answer was lost, and
    `ScalekitMCPError` for what concerns the machine's own credentials and the network.
    """

    def __init__(
        self, http: httpx.AsyncClient, *, env_url: str, client_id: str, client_secret: str, clock: Clock
    ) -> None:
        self._http = http
        self._env_url = env_url.rstrip("/")
        self._clock = clock
        self.tokens = MachineTokens(
            http, env_url=env_url, client_id=client_id, client_secret=client_secret, clock=clock
        )

    async def get(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """A read below `/api/v1`; repeated when Scalekit is unavailable, at most three times in all."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._call("GET", path, params=_present(query), sending=Sending.READ)
            except ScalekitError as failure:
                if failure.status != 503 or failure.from_provider or attempt >= MAX_READ_ATTEMPTS:
                    raise
            except ProviderUnavailable:
                if attempt >= MAX_READ_ATTEMPTS:
                    raise
            await self._clock.sleep(FIRST_BACK_OFF_SECONDS * 2 ** (attempt - 1))

    async def post(
        self, path: str, body: Mapping[str, Any], *, sending: Sending = Sending.WRITE, seconds: float = CALL_SECONDS
    ) -> dict[str, Any]:
        """A POST below `/api/v1`, sent once (and once more where the machine token was refused)."""
        return await self._call("POST", path, json=_present(body), sending=sending, seconds=seconds)

    async def _call(
        self, method: str, path: str, *, sending: Sending, seconds: float = CALL_SECONDS, **keywords: Any
    ) -> dict[str, Any]:
        token = await self.tokens.access_token()
        response = await self._exchange(method, path, token, sending, seconds, keywords)
        failure = None if response.is_success else ScalekitError.read(response)
        if failure is not None and failure.status == 401 and not failure.from_provider:
            # Refused before anything was done, so that a repeat with another token is safe for writes, too.
            logger.info("Scalekit refuses the machine token; it is renewed once")
            token = await self.tokens.access_token(rejected=token)
            response = await self._exchange(method, path, token, sending, seconds, keywords)
            failure = None if response.is_success else ScalekitError.read(response)
        if failure is not None:
            raise failure
        return _object(response, sending)

    async def _exchange(
        self, method: str, path: str, token: str, sending: Sending, seconds: float, keywords: dict[str, Any]
    ) -> httpx.Response:
        deadline = call_deadline(self._clock)
        if deadline.remaining() <= 0:
            raise ProviderUnavailable("The time of the call was over before Scalekit was asked; nothing was sent.")
        changes = sending is Sending.WRITE and path == "/execute_tool"
        if changes:
            deadline.change_sent()
        try:
            with anyio.fail_after(min(seconds, deadline.remaining())):
                response = await self._http.request(
                    method,
                    f"{self._env_url}/api/v1{path}",
                    headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
                    timeout=seconds,
                    follow_redirects=False,
                    **keywords,
                )
        except _NOT_SENT as exc:
            if changes:
                deadline.change_answered(made=False)
            raise ProviderUnavailable("Scalekit cannot be reached; nothing was sent.") from exc
        except (httpx.RequestError, TimeoutError) as exc:
            if sending is Sending.WRITE:
                raise AnswerLostError(exc.status_code if isinstance(exc, AnswerTooLargeError) else None) from exc
            if isinstance(exc, AnswerTooLargeError):
                raise ProviderUnavailable("Scalekit's answer is too large to be read.", retryable=False) from exc
            raise ProviderUnavailable("Scalekit gives no answer that can be read.") from exc
        if changes:
            deadline.change_answered(made=response.is_success)
        return response


def _object(response: httpx.Response, sending: Sending) -> dict[str, Any]:
    if not response.content.strip():
        return {}
    body = json_object(response.content)
    if body is not None:
        return body
    if sending is Sending.WRITE:
        raise AnswerLostError(response.status_code)
    raise ProviderUnavailable("Scalekit's answer is not a JSON object.", who_acts="operator", retryable=False)


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _first(infos: list[dict[str, Any]], name: str) -> dict[str, Any]:
    found = next((info[name] for info in infos if isinstance(info.get(name), dict)), None)
    return cast("dict[str, Any]", found) if found is not None else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def safe_id(value: object) -> str | None:
    """An id of Scalekit's for a message or an address; None for what does not look like one."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None

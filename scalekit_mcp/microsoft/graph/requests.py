"""A request to Microsoft Graph and what comes of it, as values: who builds one need not know how it travels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import quote

from scalekit_mcp.errors import ProviderUnavailable

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

    @property
    def query(self) -> str:
        """The encoded query with its `?`; empty without parameters."""
        if not self.params:
            return ""
        return "?" + "&".join([f"{_encoded(name)}={_encoded(value)}" for name, value in self.params.items()])


@dataclass(frozen=True, slots=True)
class GraphResponse:
    """A success (2xx). `body` is the JSON object, empty for an answer without one (202, 204); `size` its bytes."""

    status: int
    body: dict[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    request_id: str | None
    size: int = 0


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
    (Microsoft has hardly carried it out). `carried_out`: the status said that it was, only the answer's body cannot be
    read. Whoever built the request settles it by reading.
    """

    def __init__(
        self,
        request: GraphRequest,
        *,
        sent: bool,
        status: int | None,
        request_id: str | None,
        carried_out: bool = False,
    ) -> None:
        super().__init__(f"The answer to a {request.method} was lost.")
        self.sent = sent
        self.status = status
        self.request_id = request_id
        self.carried_out = carried_out


class AnswerTooLong(ProviderUnavailable):
    """Graph answered a read with more than is read of one answer; a list may be asked for in smaller pages."""

    def __init__(self) -> None:
        super().__init__(
            "Microsoft Graph's answer is too large to be read.",
            retryable=False,
            next_step="Ask for less: a smaller `top`, a shorter window, or a `select` without `body`.",
        )


def segment(value: str) -> str:
    """One path segment: an id with everything percent-encoded that has a meaning in a path (ids hold `/`, `+`, `=`)."""
    encoded = quote(value, safe="")
    return encoded.replace(".", "%2E") if encoded in {".", ".."} else encoded


def _encoded(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else quote(text, safe=_QUERY_SAFE)

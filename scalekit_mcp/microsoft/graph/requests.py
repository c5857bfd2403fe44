"""A request to Microsoft Graph and its response, as values without any HTTP library."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol
from urllib.parse import quote

PASSED_ROUTE = "/me"
"""The route of requests that are a caller's own, for spans: nothing of their path."""

_QUERY_SAFE = "-._~!$'()*,;:@/"
_PLAIN = re.compile(r"[A-Za-z0-9\-._~!$'()*,;:@/]*")


class Repeat(StrEnum):
    """Whether a request may be sent again after a lost answer (dropped connection, timeout, 500, 502, 504)."""

    SAFE = "safe"
    """Send again: a read, or a create that carries a `transactionId`."""
    REFUSED_ONLY = "refused_only"
    """Send again only after an answer that says nothing was done (429, 503) or when nothing was sent at all."""


Named = Literal["event", "calendar"]
"""What kind of thing the id in a request names."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a request is about, by which a refusal is understood: an event or a calendar by its id, or neither.

    `reads`: it changes nothing. `alone`: the event's id is all that whoever calls has given, so an address that
    Microsoft cannot read is that id's fault. `options` are the names of the query options (`filter`, `orderby`,
    `select`).
    """

    about: Named | None
    reads: bool
    alone: bool = False
    options: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class GraphRequest:
    """One request to Graph; a GET is always `SAFE`.

    `path` begins with `/` and has `{id}` for each of the `ids`: it is the route, which spans may name, because it holds
    nothing of a user's. `params` is the query, raw values; `prefer` holds further `Prefer` values beside the immutable
    id. `about` and `alone` are those of its `subject`.
    """

    method: str
    path: str
    ids: tuple[str, ...] = field(default=(), repr=False)
    params: Mapping[str, str] | None = field(default=None, repr=False)
    json: Any = field(default=None, repr=False)
    prefer: tuple[str, ...] = ()
    headers: Mapping[str, str] | None = None
    repeat: Repeat = Repeat.REFUSED_ONLY
    about: Named | None = None
    alone: bool = False

    @property
    def subject(self) -> Subject:
        """What the request is about."""
        options = frozenset(name.removeprefix("$") for name in self.params or ())
        return Subject(self.about, reads=self.method == "GET", alone=self.alone, options=options)

    @property
    def address(self) -> str:
        """The path with its ids, encoded."""
        address = self.path
        for value in self.ids:
            address = address.replace("{id}", segment(value), 1)
        return address

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
class PassedRequest:
    """A request of the caller's own making, which is checked already.

    `path` is percent-encoded, without the version. `headers` may have `Prefer`; immutable ids are asked for beside it
    unless it says itself which ids are wanted.
    """

    method: str
    path: str = field(repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    content: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @property
    def address(self) -> str:
        """The path and the encoded query."""
        query = "&".join([f"{_encoded(name)}={_encoded(value)}" for name, value in self.query])
        return f"{self.path}?{query}" if query else self.path

    @property
    def as_request(self) -> GraphRequest:
        """What the client has to know of it: its route is that of all of them, because the path is the caller's."""
        own, prefer = dict(self.headers), self.headers.get("Prefer", "")
        if "idtype" in prefer.casefold():
            return GraphRequest(self.method, PASSED_ROUTE, headers=own)
        own.pop("Prefer", None)
        return GraphRequest(self.method, PASSED_ROUTE, headers=own, prefer=(prefer,) if prefer else ())


@dataclass(frozen=True, slots=True)
class PassedAnswer:
    """Graph's answer to such a request, whatever its status; `content` is empty where it was too large to be read."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)


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
        """A valid token; `rejected` is one that Graph refused, `claims` the claims challenge that a new one must meet.

        Raises `ScalekitMCPError` when there is none.
        """
        ...


def segment(value: str) -> str:
    """One path segment: an id with everything percent-encoded that has a meaning in a path (ids hold `/`, `+`, `=`)."""
    encoded = quote(value, safe="")
    return encoded.replace(".", "%2E") if encoded in {".", ".."} else encoded


def _encoded(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else quote(text, safe=_QUERY_SAFE)

"""A request to Microsoft Graph and what comes of it, as values: who builds one need not know how it travels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import quote

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
    """One request to Graph; a GET is always `SAFE`.

    `path` begins with `/` and has `{id}` for each of the `ids`: it is the route, which spans may name, because it holds
    nothing of a user's. `params` is the query, raw values; `prefer` holds further `Prefer` values beside the immutable
    id.
    """

    method: str
    path: str
    ids: tuple[str, ...] = field(default=(), repr=False)
    params: Mapping[str, str] | None = field(default=None, repr=False)
    json: Any = field(default=None, repr=False)
    prefer: tuple[str, ...] = ()
    headers: Mapping[str, str] | None = None
    repeat: Repeat = Repeat.REFUSED_ONLY

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


def segment(value: str) -> str:
    """One path segment: an id with everything percent-encoded that has a meaning in a path (ids hold `/`, `+`, `=`)."""
    encoded = quote(value, safe="")
    return encoded.replace(".", "%2E") if encoded in {".", ".."} else encoded


def _encoded(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else quote(text, safe=_QUERY_SAFE)

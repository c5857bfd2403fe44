"""One request as the look-alike reads it, one answer as it writes it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from scalekit_mcp.sandbox.graph.errors import GraphError, bad_request
from scalekit_mcp.sandbox.world import Person, World

MOST_BODY_BYTES = 4 * 1024 * 1024
_PREFERENCE = re.compile(r'([A-Za-z.\-]+)\s*=\s*(?:"([^"]*)"|([^\s,;"]*))')


@dataclass(slots=True)
class Answer:
    """Status, body and further headers."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Prefer:
    """The understood preferences of a `Prefer` header; None where it says nothing."""

    zone: str | None = None
    text_body: bool = False
    immutable: bool = False
    applied: str = ""
    """The value of `Preference-Applied`."""


@dataclass(slots=True)
class Request:
    """One received request; the dictionaries may be shared with other requests and are never changed."""

    method: str
    path: str
    segments: tuple[str, ...]
    query_string: str
    query: dict[str, str]
    headers: dict[str, str]
    prefer: Prefer
    body: bytes
    base_url: str
    id: str = ""
    person: Person | None = None
    scopes: frozenset[str] = frozenset()
    client_id: str | None = None

    def json(self) -> Any:
        """The parsed body.

        Raises:
            GraphError: 400 `BadRequest`, no JSON; 413, too large.
        """
        if len(self.body) > MOST_BODY_BYTES:
            raise GraphError(413, "ErrorMessageSizeExceeded", "The request exceeds the maximum size.")
        try:
            return json.loads(self.body, parse_constant=_no_constant)
        except (ValueError, RecursionError) as exc:
            raise bad_request(
                "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid "
                "JSON format."
            ) from exc

    def recorded_body(self) -> Any:
        """The body for the record: parsed where it is JSON, else its text, None without one."""
        if not self.body:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return self.body.decode("utf-8", "replace")


@lru_cache(maxsize=4096)
def path_segments(raw_path: bytes) -> tuple[str, ...]:
    """The decoded segments of a path: an escaped slash stays inside its segment.

    msgraph-sdk for Python sends `/v1.0//me` since its base address ends with a slash.
    """
    version, *rest = raw_path.partition(b"?")[0].decode("latin-1").strip("/").split("/")
    return tuple(unquote(part) for part in (version, *(rest[1:] if rest[:1] == [""] else rest)))


@lru_cache(maxsize=4096)
def parse_query(query_string: bytes) -> dict[str, str]:
    """The options of a query; `+` is a space."""
    return dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True))


@lru_cache(maxsize=1024)
def parse_prefer(header: str) -> Prefer:
    """The preferences that calendars know (Graph pages "List events", "Obtain immutable identifiers")."""
    zone, text_body, immutable = None, False, False
    applied: list[str] = []
    for match in _PREFERENCE.finditer(header):
        name = match.group(1).lower()
        value = match.group(2) if match.group(2) is not None else match.group(3)
        if name == "outlook.timezone":
            zone = value
        elif name == "outlook.body-content-type" and value.lower() in ("text", "html"):
            text_body = value.lower() == "text"
        elif name == "idtype" and value.lower() == "immutableid":
            immutable = True
        else:
            continue
        applied.append(f'{match.group(1)}="{value}"')
    return Prefer(zone, text_body, immutable, ", ".join(applied))


def _no_constant(name: str) -> object:
    raise ValueError(name)


def error_body(world: World, request: Request, error: GraphError) -> bytes:
    """Graph's error object; no body for an error without a code."""
    if not error.code:
        return b""
    inner = {
        "date": world.clock.now().strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": request.id,
        "client-request-id": request.headers.get("client-request-id") or request.id,
    }
    shaped = {"code": error.code, "message": error.message, **error.extra, "innerError": inner}
    return json.dumps({"error": shaped}, separators=(",", ":")).encode()

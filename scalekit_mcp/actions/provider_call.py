"""A call of the caller's own making to the provider's API, and its answer: values, and what may be in them.

Who sends it is the implementation's matter. The access token is added where the request leaves, so that neither value
ever holds it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qsl, quote, unquote, urlencode

from scalekit_mcp.errors import InvalidInput, ProviderUnavailable

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
MAX_CALL_BYTES = 4 * 1024 * 1024
"""Longest body that is sent; Microsoft Graph takes no more in one request ("Microsoft Graph throttling limits")."""
MAX_PATH_CHARACTERS = 4_000
MAX_HEADER_CHARACTERS = 1_000

PASSED_ON = {
    name.casefold(): name
    for name in ("Accept", "Accept-Language", "ConsistencyLevel", "Content-Type", "If-Match", "If-None-Match", "Prefer")
}
"""Headers of a caller that reach the provider. None of them says who calls, or where to."""
HANDED_BACK = frozenset(
    {
        *("content-type", "etag", "location", "preference-applied", "retry-after"),
        *("date", "request-id", "client-request-id", "odata-version"),
    }
)
"""Headers of an answer that reach the caller."""

_SAFE = "/-._~!$&'()*+,;=:@%"
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_VALUE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """One request to the provider; made by `ProviderCall.of`, which checks it.

    `path` is percent-encoded and begins with `/`; `query` are raw names and values; `headers` have the names of
    `PASSED_ON`.
    """

    method: str
    path: str = field(repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    content: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @classmethod
    def of(
        cls,
        path: str,
        method: str = "GET",
        *,
        query: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ProviderCall:
        """Check what a caller asks for; raises `InvalidInput` that names what is wrong.

        `path` may bring a query of its own. A list in `query` is its name several times; None is left out.
        """
        method = method.upper()
        if method not in METHODS:
            raise InvalidInput(f"method must be one of {', '.join(METHODS)}.", field="method")
        if content is not None and len(content) > MAX_CALL_BYTES:
            raise InvalidInput(f"The body is larger than {MAX_CALL_BYTES // 1024 // 1024} MiB.", field="body")
        path, _, own_query = path.partition("?")
        pairs = parse_qsl(own_query, keep_blank_values=True) + _pairs(query or {})
        return cls(method, _checked_path(path), tuple(pairs), content, _checked_headers(headers or {}))

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.method == "GET"

    def own_path(self) -> str:
        """The path below the version: `/me`, or below it, where everything belongs to the user who calls.

        Raises `InvalidInput` for any other, also of another version than `v1.0`.
        """
        path = self.path.removeprefix("/v1.0")
        if path != "/me" and not path.startswith("/me/"):
            raise InvalidInput(
                "Only paths below /me (or /v1.0/me) are called, as in /v1.0/me/events: the user's own.", field="path"
            )
        return path


@dataclass(frozen=True, slots=True)
class ProviderResponse:
    """The provider's answer, whatever its status, with the members that code reads of a `requests.Response`."""

    status_code: int
    content: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @classmethod
    def of(cls, status_code: int, headers: Mapping[str, str], content: bytes) -> ProviderResponse:
        """An answer, with those of its headers that reach the caller, in small letters."""
        shown = {name.casefold(): value for name, value in headers.items() if name.casefold() in HANDED_BACK}
        return cls(status_code, content, shown)

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < 400

    @property
    def text(self) -> str:
        """The body as text in UTF-8."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as a JSON value; raises `ValueError` where it is none."""
        return json.loads(self.content)

    def raise_for_status(self) -> None:
        """Raise `ProviderUnavailable` for a status of 400 or more; the body is not in the message."""
        if not self.ok:
            raise ProviderUnavailable(
                f"The provider refused the call (HTTP {self.status_code}).",
                retryable=self.status_code in (429, 503, 504),
                next_step="Read the answer's body for the provider's reason.",
            )


def passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """Those headers of a request that reach the provider."""
    return {name: headers[name] for name in PASSED_ON if name in headers}


def request_body(
    body: object = None, form_data: Mapping[str, Any] | None = None, raw_body: bytes | str | None = None
) -> tuple[bytes | None, dict[str, str]]:
    """The bytes of a body and the header that names their kind; `raw_body` wins, and names none.

    Raises `InvalidInput` for a body that is no JSON.
    """
    if raw_body is not None:
        return (raw_body.encode() if isinstance(raw_body, str) else bytes(raw_body)), {}
    if body is not None:
        try:
            content = json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidInput("body cannot be written as JSON.", field="body") from error
        return content, {"Content-Type": "application/json"}
    if form_data:
        return urlencode(form_data, doseq=True).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    return None, {}


def _checked_path(path: str) -> str:
    """The percent-encoded path; nothing in it climbs up, names a host, or is read one way here and another way there.

    RFC 3986 sections 3.3 and 5.2.4.
    """
    if not path.startswith("/") or len(path) > MAX_PATH_CHARACTERS:
        raise InvalidInput(
            f"path begins with / and has at most {MAX_PATH_CHARACTERS} characters, as in /v1.0/me/events.", field="path"
        )
    encoded, plain = _encoded(path)
    segments = encoded.rstrip("/").split("/")[1:]
    if "" in segments or {".", ".."} & set(plain.split("/")):
        raise InvalidInput("path holds an empty segment, a single dot or two dots.", field="path")
    return encoded


def _encoded(path: str) -> tuple[str, str]:
    """The path with everything percent-encoded that needs it, and as it is meant; raises `InvalidInput`."""
    try:
        encoded = quote(path, safe=_SAFE)
        plain = unquote(encoded, errors="strict")
    except UnicodeError:
        encoded, plain = "", "\\"
    halves = encoded.count("%") != len(_ESCAPE.findall(encoded)) or _ESCAPE.search(plain) is not None
    if halves or any(character in plain for character in "\\?#") or not plain.isprintable():
        raise InvalidInput("path holds characters that no path has, or an escape inside an escape.", field="path")
    return encoded, plain


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    checked: dict[str, str] = {}
    for name, value in headers.items():
        known = PASSED_ON.get(name.casefold())
        if known is None:
            raise InvalidInput(
                f"The header {name[:60]!r} is not passed on; these are: {', '.join(PASSED_ON.values())}.",
                field="headers",
            )
        if len(value) > MAX_HEADER_CHARACTERS or not _VALUE.fullmatch(value):
            raise InvalidInput(f"The header {known} must be one line of plain ASCII.", field="headers")
        checked[known] = value
    return checked


def _pairs(query: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in query.items():
        values = cast("Sequence[object]", value) if isinstance(value, list | tuple) else [value]
        found += [(name, _query_text(one)) for one in values if one is not None]
    return found


def _query_text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)

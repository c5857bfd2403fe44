"""Reads the response headers `WWW-Authenticate` (claims challenge) and `Retry-After` (pause).

Pure functions. Microsoft's challenges stray from RFC 9110 section 11: values without quotes that hold `:` and `/`,
base64 with `=` padding, standard or url-safe alphabet, several challenges in one header or in several headers.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import cast

MAX_HEADER_LENGTH = 32_768
"""Longer headers are not read at all."""

_TOKEN = re.compile(r"[^\s,=\"]+")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"?')
_UNQUOTED = re.compile(r"[^,]*")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge: its scheme in lower case and its parameters by lower-case name."""

    scheme: str
    parameters: dict[str, str]


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """The challenges of all `WWW-Authenticate` headers of one response; nonsense is skipped, never raised.

    RFC 9110 section 11.6.1.
    """
    challenges: list[Challenge] = []
    for header in headers:
        if len(header) <= MAX_HEADER_LENGTH:
            challenges.extend(_parse_header(header))
    return tuple(challenges)


def _parse_header(header: str) -> list[Challenge]:
    challenges: list[Challenge] = []
    position = 0
    while position < len(header):
        token = _TOKEN.match(header, position)
        if token is None:
            position += 1
            continue
        position = token.end()
        equals = _EQUALS.match(header, position)
        if equals is None:
            challenges.append(Challenge(token.group().lower(), {}))
            continue
        position = equals.end()
        quoted = _QUOTED.match(header, position)
        if quoted is not None:
            value, position = _ESCAPED.sub(r"\1", quoted.group(1)), quoted.end()
        else:
            unquoted = cast("re.Match[str]", _UNQUOTED.match(header, position))
            value, position = unquoted.group().strip(), unquoted.end()
        if challenges:
            challenges[-1].parameters.setdefault(token.group().lower(), value)
    return challenges


def claims_challenge(headers: Iterable[str]) -> str | None:
    """The claims (a JSON text) that a response demands of the next token; None if it demands none.

    Source: "Claims challenges, claims requests and client capabilities".
    """
    for challenge in parse_challenges(headers):
        encoded = challenge.parameters.get("claims")
        if challenge.scheme == "bearer" and encoded:
            claims = _decode_claims(encoded)
            if claims is not None:
                return claims
    return None


def _decode_claims(encoded: str) -> str | None:
    text = encoded
    if not encoded.lstrip().startswith("{"):
        alphabet = encoded.replace("-", "+").replace("_", "/").rstrip("=")
        try:
            text = base64.b64decode(alphabet + "=" * (-len(alphabet) % 4), validate=True).decode()
        except (binascii.Error, ValueError):
            return None
    return json_object_text(text)


def json_object_text(text: str) -> str | None:
    """`text` again in compact form if it is a JSON object, else None."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else None


def retry_after_seconds(header: str | None, *, now: datetime) -> float | None:
    """How long a `Retry-After` header asks to wait: seconds or an HTTP date (RFC 9110 section 10.2.3).

    None if the header is missing or makes no sense; never negative.
    """
    if header is None:
        return None
    value = header.strip()
    if value.isascii() and value.isdigit() and len(value) <= 9:
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())

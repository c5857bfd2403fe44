"""Answers as Microsoft Graph sends them: strictly read JSON, and links to a next page.

Sources: "Paging Microsoft Graph data"; RFC 8259.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from scalekit_mcp.calendar import UnreadableAnswer

MAX_NEXT_LINK_CHARACTERS = 16_000
"""Longest link to a next page: it repeats the query of the first one."""


def json_object(content: bytes) -> dict[str, Any] | None:
    """The JSON object in `content`, strictly read (no NaN, no lone surrogates); None for anything else."""
    try:
        body = json_value(content.decode(json.detect_encoding(content)))
    except ValueError:
        return None
    return cast("dict[str, Any]", body) if isinstance(body, dict) else None


def json_value(text: str) -> object:
    """The JSON value that a text is, as strictly read; raises `ValueError`, also where it is nested without end."""
    try:
        value: object = _decode(text)
        return _without_surrogates(value) if "\\ud" in text.lower() else value
    except RecursionError:
        raise ValueError("nested too deep") from None


def next_link_of(body: Mapping[str, Any]) -> str | None:
    """The link to the next page; raises `UnreadableAnswer` for one that cannot be followed."""
    link: object = body.get("@odata.nextLink")
    if link is None:
        return None
    if not isinstance(link, str) or not link or len(link) > MAX_NEXT_LINK_CHARACTERS or not link.isprintable():
        raise UnreadableAnswer("the link to its next page is none")
    return link


def on_host_of(base_url: str, link: str) -> bool:
    """Whether a link leads to the host of `base_url` and below its path."""
    try:
        target, base = urlsplit(link), urlsplit(base_url)
        same_host = (target.scheme, target.hostname, _port(target.port, target.scheme)) == (
            base.scheme,
            base.hostname,
            _port(base.port, base.scheme),
        )
    except ValueError:
        return False
    clean = target.username is None and target.password is None and ".." not in target.path
    return _is_plain(link) and same_host and clean and target.path.startswith(base.path + "/")


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


_decode = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite).decode


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value).items()
        return {_without_surrogates(name): _without_surrogates(member) for name, member in members}
    if isinstance(value, list):
        return [_without_surrogates(member) for member in cast("list[Any]", value)]
    return value


def _is_plain(link: str) -> bool:
    return link.isascii() and link.isprintable() and " " not in link and "\\" not in link


def _port(port: int | None, scheme: str) -> int | None:
    return port or {"https": 443, "http": 80}.get(scheme)

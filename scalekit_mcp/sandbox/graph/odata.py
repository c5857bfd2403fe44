"""OData query options on events beside `$filter`: `$orderby`, `$select`, `$expand`, `$top`, `$skip`, and windows."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

from scalekit_mcp.sandbox.graph.calendar.schema import ENUMS
from scalekit_mcp.sandbox.graph.errors import GraphError, bad_request
from scalekit_mcp.sandbox.graph.properties import EVENT_TYPE, EXPANDABLE, FIELDS, PROPERTIES, Getter, unknown_property
from scalekit_mcp.sandbox.world.mailbox import Event


@lru_cache(maxsize=512)
def parse_orderby(text: str) -> tuple[tuple[Getter, bool], ...]:
    """The keys of an `$orderby`, each with whether it descends.

    Raises:
        GraphError: 400 `BadRequest`, an unknown or complex property or direction.
    """
    keys: list[tuple[Getter, bool]] = []
    for part in text.split(","):
        name, _, direction = part.strip().partition(" ")
        direction = direction.strip() or "asc"
        if direction not in ("asc", "desc") or not name:
            raise bad_request(f"Syntax error at position {text.find(part)} in '{text}'.")
        field = FIELDS.get(name)
        if field is None:
            root = name.split("/")[0]
            if root not in PROPERTIES:
                raise unknown_property(root)
            raise bad_request("The $orderby expression must evaluate to a single value of primitive type.")
        keys.append((_sortable(*field), direction == "desc"))
    return tuple(keys)


def _sortable(kind: str, get: Getter) -> Getter:
    if kind in ("string", *ENUMS):
        return lambda event: str(get(event) or "").lower()
    if kind == "instant":
        return lambda event: get(event) or datetime.min.replace(tzinfo=UTC)
    return get


def ordered(events: list[Event], keys: tuple[tuple[Getter, bool], ...]) -> list[Event]:
    """The events sorted by an `$orderby`, the first key counting most."""
    for key, descending in reversed(keys):
        events = sorted(events, key=key, reverse=descending)
    return events


@lru_cache(maxsize=512)
def parse_select(text: str) -> frozenset[str]:
    """The property names of a `$select`; `*` is everything (the empty set).

    Raises:
        GraphError: 400 `BadRequest`, an unknown property.
    """
    names = {name.strip().split("/")[0] for name in text.split(",") if name.strip()}
    if "*" in names:
        return frozenset()
    for name in sorted(names):
        if name not in PROPERTIES:
            raise unknown_property(name)
    return frozenset(names)


@lru_cache(maxsize=128)
def parse_expand(text: str) -> frozenset[str]:
    """The names of an `$expand`; nested options are read over.

    Raises:
        GraphError: 400 `BadRequest`, not an expandable property.
    """
    names = {name.strip() for name in re.sub(r"\([^()]*(?:\([^()]*\)[^()]*)*\)", "", text).split(",") if name.strip()}
    for name in sorted(names):
        if name not in EXPANDABLE:
            raise bad_request(f"Could not find a navigation property named '{name}' on type '{EVENT_TYPE}'.")
    return frozenset(names)


def number_option(name: str, text: str) -> int:
    """The value of `$top` or `$skip`.

    Raises:
        GraphError: 400 `BadRequest`, not a whole number from 0.
    """
    if not text.isascii() or not text.isdigit():
        raise bad_request(f"Invalid value '{text}' for {name} query option found. It must be a non-negative integer.")
    return int(text)


def window_bound(name: str, text: str | None) -> datetime:
    """`startDateTime` or `endDateTime` of a calendar view, as an instant; UTC without an offset.

    Raises:
        GraphError: 400, missing or not ISO 8601.
    """
    if not text:
        raise GraphError(
            400,
            "ErrorInvalidParameter",
            "This request requires a time window specified by the query string parameters StartDateTime and "
            "EndDateTime.",
        )
    shortened = re.sub(r"(\.\d{6})\d+", r"\1", text.strip())
    try:
        at = datetime.fromisoformat(shortened)
    except ValueError as exc:
        raise GraphError(400, "ErrorInvalidParameter", f"The value '{text}' of parameter '{name}' is invalid.") from exc
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)

"""Reads places: the name of one, or a list of Graph's locations (location resource type)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from scalekit_mcp.tools.inputs.values import (
    MAXIMUM_LIST_TEXT,
    ArgumentError,
    EmptyListError,
    Parse,
    has,
    is_absent,
    nearest,
    shown,
    text,
)

_TEXT_MEMBERS = ("displayName", "locationEmailAddress", "locationUri")
_ADDRESS_MEMBERS = ("street", "city", "state", "countryOrRegion", "postalCode")
_COORDINATES = {
    "latitude": 90.0,
    "longitude": 180.0,
    "altitude": 1e6,
    "accuracy": 1e6,
    "altitudeAccuracy": 1e6,
}
_LOCATION_TYPES = (
    "default", "conferenceRoom", "homeAddress", "businessAddress", "geoCoordinates", "streetAddress", "hotel",
    "restaurant", "localBusiness", "postalAddress",
)  # fmt: skip
_COMPUTED = frozenset({"uniqueid", "uniqueidtype"})
"""Members that Microsoft adds to a place; they come back when an event's places are given again."""
_MEMBERS = (*_TEXT_MEMBERS, "locationType", "address", "coordinates")
MAXIMUM_LOCATIONS = 50


def place_name(maximum: int) -> Parse:
    """The name of one place: text, or Graph's location with nothing but a name that could get lost."""
    name = text(maximum)

    def parse(value: object) -> str:
        decoded = _decoded(value)
        if isinstance(decoded, list) and len(cast("list[object]", decoded)) == 1:
            decoded = cast("list[object]", decoded)[0]
        if not isinstance(decoded, Mapping | str):
            decoded = value
        if isinstance(decoded, Mapping):
            place = _location(cast("object", decoded), "it")
            further = [member for member in place if member not in {"displayName", "locationType"}]
            if further or "displayName" not in place:
                raise ArgumentError(
                    f"is a place with {further[0] if further else 'no displayName'}; give it in locations"
                )
            decoded = place["displayName"]
        return cast(str, name(decoded))

    return parse


def _decoded(value: object) -> object:
    """The array or object whose JSON text this is, if it is one."""
    if not isinstance(value, str) or value.strip()[:1] not in {"{", "["} or len(value) > MAXIMUM_LIST_TEXT:
        return value
    try:
        decoded: object = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return decoded


def locations(value: object) -> tuple[dict[str, Any], ...]:
    """Graph locations out of a JSON array, its text, one object, or an array of plain names (location resource)."""
    decoded: object = value
    if isinstance(value, str):
        if len(value) > MAXIMUM_LIST_TEXT:
            raise ArgumentError(f"has {len(value)} characters; at most {MAXIMUM_LIST_TEXT} are allowed")
        try:
            decoded = json.loads(value)
        except (ValueError, RecursionError):
            raise ArgumentError('must be the JSON text of an array, such as [{"displayName": "Room 1"}]') from None
    members = cast("list[object]", decoded) if isinstance(decoded, list | tuple) else [decoded]
    if not members:
        raise EmptyListError
    if len(members) > MAXIMUM_LOCATIONS:
        raise ArgumentError(f"has {len(members)} places; at most {MAXIMUM_LOCATIONS} are allowed")
    return tuple(_location(member, f"[{index}]") for index, member in enumerate(members))


def _location(member: object, path: str) -> dict[str, Any]:
    if isinstance(member, str):
        member = {"displayName": member}
    if not isinstance(member, Mapping):
        raise ArgumentError(f"{path} must be an object with displayName")
    result: dict[str, Any] = {}
    for name, value in _known(cast("Mapping[str, object]", member), _MEMBERS, path).items():
        if name == "address":
            result[name] = _postal_address(value, f"{path}.address")
        elif name == "coordinates":
            result[name] = _coordinates(value, f"{path}.coordinates")
        elif name == "locationType":
            result[name] = _location_type(value, f"{path}.locationType")
        else:
            result[name] = _short_text(value, f"{path}.{name}")
    if not result:
        raise ArgumentError(f"{path} is empty; give at least displayName")
    return result


def _known(member: Mapping[str, object], names: tuple[str, ...], path: str) -> dict[str, object]:
    by_folded = {n.casefold(): n for n in names}
    result: dict[str, object] = {}
    for name, value in member.items():
        known = by_folded.get(str(name).casefold())
        if names is _MEMBERS and str(name).casefold() in _COMPUTED:
            continue
        if known is None:
            hint = nearest(str(name), names)
            advice = f"did you mean {hint[0]}?" if hint else f"known are {', '.join(names)}"
            raise ArgumentError(f"{path} has the unknown member {shown(name)}; {advice}")
        if not is_absent(value):
            result[known] = value
    return result


def _short_text(value: object, path: str) -> str:
    if not isinstance(value, str) or len(value) > 1024 or has(value, "Cc", "Cs"):
        raise ArgumentError(f"{path} must be one line of text")
    return value.strip()


def _location_type(value: object, path: str) -> str:
    for known in _LOCATION_TYPES:
        if isinstance(value, str) and value.casefold() == known.casefold():
            return known
    raise ArgumentError(f"{path} is {shown(value)}; it must be one of: {', '.join(_LOCATION_TYPES)}")


def _postal_address(value: object, path: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ArgumentError(f"{path} must be an object with {', '.join(_ADDRESS_MEMBERS)}")
    known = _known(cast("Mapping[str, object]", value), _ADDRESS_MEMBERS, path)
    return {
        n: _short_text(str(v) if isinstance(v, int) and not isinstance(v, bool) else v, f"{path}.{n}")
        for n, v in known.items()
    }


def _coordinates(value: object, path: str) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise ArgumentError(f"{path} must be an object with latitude and longitude")
    result: dict[str, float] = {}
    for name, number in _known(cast("Mapping[str, object]", value), tuple(_COORDINATES), path).items():
        try:
            parsed = float(cast(str, number)) if not isinstance(number, bool) else float("nan")
        except (TypeError, ValueError):
            parsed = float("nan")
        if not abs(parsed) <= _COORDINATES[name]:
            raise ArgumentError(
                f"{path}.{name} must be a number between -{_COORDINATES[name]:g} and {_COORDINATES[name]:g}"
            )
        result[name] = parsed
    if ("latitude" in result) != ("longitude" in result):
        raise ArgumentError(f"{path} needs both latitude and longitude")
    return result

"""Attendees and places: the two parameters that have a shape of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from scalekit_mcp.tools.values import EMPTY_LIST, Refused, has, is_absent, items, nearest, shown

MAXIMUM_TEXT = 200_000
MAXIMUM_ATTENDEES = 500
"""Microsoft's limit for one event (Create event)."""

_FORBIDDEN = re.compile(r"[\s@<>()\[\]\\,;:\"]")
_NAMED = re.compile(r"\s*(?P<name>.*?)\s*<\s*(?P<address>[^<>]*)\s*>\s*", re.DOTALL)

_NO_ADDRESS = "which is not an e-mail address; ask the user for one that is not known"


@dataclass(frozen=True, slots=True)
class Attendee:
    """A person, room or other resource by mail address; `name` is only for display."""

    address: str = field(repr=False)
    name: str | None = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """What two spellings of one address have in common."""
        return self.address.casefold()

    def wire(self) -> str:
        """`a@x.com`, or `"Ann" <a@x.com>`."""
        name = (self.name or "").replace('"', "'")
        return f'"{name}" <{self.address}>' if name else self.address


def attendees(value: object) -> tuple[Attendee, ...]:
    """Attendees out of `a@x.com, Bob <b@x.com>`, an array of such text, or an array of objects; doubles folded."""
    parts = _split(value) if isinstance(value, str) and not value.strip().startswith("[") else items(value)
    found: dict[str, Attendee] = {}
    for part in parts:
        if is_absent(part):
            continue
        attendee = _attendee(part)
        before = found.get(attendee.key)
        found[attendee.key] = attendee if before is None else Attendee(before.address, before.name or attendee.name)
    if not found:
        raise Refused(EMPTY_LIST)
    if len(found) > MAXIMUM_ATTENDEES:
        raise Refused(f"names {len(found)} people; an event takes at most {MAXIMUM_ATTENDEES}")
    return tuple(found.values())


def _split(text: str) -> list[object]:
    """Split at commas and semicolons outside quotes; `Doe, Jane <j@x.com>` stays one."""
    if len(text) > MAXIMUM_TEXT:
        raise Refused(f"has {len(text)} characters; at most {MAXIMUM_TEXT} are allowed")
    parts = [""]
    closing = ""
    for character in text:
        if not closing and character in ",;\n":
            parts.append("")
            continue
        parts[-1] += character
        if character == closing:
            closing = ""
        elif not closing:
            closing = {'"': '"', "<": ">"}.get(character, "")
    merged: list[object] = []
    pending = ""
    for part in parts:
        if not part.strip():
            continue
        whole = f"{pending}, {part.strip()}" if pending else part.strip()
        if "@" not in part:
            pending = whole
            continue
        if pending and "<" not in part:
            raise Refused(f"holds {shown(pending)}, {_NO_ADDRESS}")
        merged.append(whole)
        pending = ""
    if pending:
        raise Refused(f"holds {shown(pending)}, {_NO_ADDRESS}")
    return merged


def _attendee(part: object) -> Attendee:
    if isinstance(part, Mapping):
        return _attendee_object(cast("Mapping[str, object]", part))
    if not isinstance(part, str):
        raise Refused(f"holds {shown(part)}; each attendee is an e-mail address as text")
    if len(part) > 600:
        raise Refused(f"holds {shown(part)}, which is too long for a name and an address")
    named = _NAMED.fullmatch(part)
    if named is None:
        return Attendee(_address(part))
    name = named["name"].strip().strip('"').strip()
    return Attendee(_address(named["address"]), _name(name))


def _attendee_object(part: Mapping[str, object]) -> Attendee:
    inner = part.get("emailAddress")
    source = cast("Mapping[str, object]", inner) if isinstance(inner, Mapping) else part
    unknown = sorted(set(source) - {"address", "email", "emailAddress", "name"})
    if unknown:
        raise Refused(f"holds an object with {shown(unknown[0])}; an attendee has address and name")
    address = source.get("address") or source.get("email") or source.get("emailAddress")
    name = source.get("name")
    if not isinstance(address, str) or not (name is None or isinstance(name, str)):
        raise Refused("holds an object without an address; write e-mail addresses as text")
    return Attendee(_address(address), _name(name or ""))


def _address(text: str) -> str:
    address = text.strip().removeprefix("mailto:")
    if not _is_address(address):
        raise Refused(f"holds {shown(text.strip())}, {_NO_ADDRESS}")
    return address


def _is_address(address: str) -> bool:
    """A local part and a dotted domain, as Exchange Online has them; no quoting, no literals, no blanks."""
    local, _, domain = address.partition("@")
    labels = domain.split(".")
    return (
        len(address) <= 254
        and not _FORBIDDEN.search(local + domain)
        and 0 < len(local) <= 64
        and ".." not in local
        and len(labels) > 1
        and all(0 < len(label) <= 63 for label in labels)
        and len(labels[-1]) > 1
        and not _has_controls(address)
    )


def _name(name: str) -> str | None:
    if len(name) > 256 or _has_controls(name):
        raise Refused("holds a name that is too long or has control characters")
    return name or None


def _has_controls(text: str) -> bool:
    return has(text, "Cc", "Cf", "Cs")


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
_MEMBERS = (*_TEXT_MEMBERS, "locationType", "address", "coordinates")
MAXIMUM_LOCATIONS = 50


def locations(value: object) -> tuple[dict[str, Any], ...]:
    """Graph locations out of a JSON array, its text, one object, or an array of plain names (location resource)."""
    decoded: object = value
    if isinstance(value, str):
        if len(value) > MAXIMUM_TEXT:
            raise Refused(f"has {len(value)} characters; at most {MAXIMUM_TEXT} are allowed")
        try:
            decoded = json.loads(value)
        except (ValueError, RecursionError):
            raise Refused('must be the JSON text of an array, such as [{"displayName": "Room 1"}]') from None
    members = cast("list[object]", decoded) if isinstance(decoded, list | tuple) else [decoded]
    if not members:
        raise Refused(EMPTY_LIST)
    if len(members) > MAXIMUM_LOCATIONS:
        raise Refused(f"has {len(members)} places; at most {MAXIMUM_LOCATIONS} are allowed")
    return tuple(_location(member, f"[{index}]") for index, member in enumerate(members))


def _location(member: object, path: str) -> dict[str, Any]:
    if isinstance(member, str):
        member = {"displayName": member}
    if not isinstance(member, Mapping):
        raise Refused(f"{path} must be an object with displayName")
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
        raise Refused(f"{path} is empty; give at least displayName")
    return result


def _known(member: Mapping[str, object], names: tuple[str, ...], path: str) -> dict[str, object]:
    by_folded = {n.casefold(): n for n in names}
    result: dict[str, object] = {}
    for name, value in member.items():
        known = by_folded.get(str(name).casefold())
        if known is None:
            hint = nearest(str(name), names)
            advice = f"did you mean {hint[0]}?" if hint else f"known are {', '.join(names)}"
            raise Refused(f"{path} has the unknown member {shown(name)}; {advice}")
        if not is_absent(value):
            result[known] = value
    return result


def _short_text(value: object, path: str) -> str:
    if not isinstance(value, str) or len(value) > 1024 or has(value, "Cc", "Cs"):
        raise Refused(f"{path} must be one line of text")
    return value.strip()


def _location_type(value: object, path: str) -> str:
    for known in _LOCATION_TYPES:
        if isinstance(value, str) and value.casefold() == known.casefold():
            return known
    raise Refused(f"{path} is {shown(value)}; it must be one of: {', '.join(_LOCATION_TYPES)}")


def _postal_address(value: object, path: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise Refused(f"{path} must be an object with {', '.join(_ADDRESS_MEMBERS)}")
    known = _known(cast("Mapping[str, object]", value), _ADDRESS_MEMBERS, path)
    return {
        n: _short_text(str(v) if isinstance(v, int) and not isinstance(v, bool) else v, f"{path}.{n}")
        for n, v in known.items()
    }


def _coordinates(value: object, path: str) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise Refused(f"{path} must be an object with latitude and longitude")
    result: dict[str, float] = {}
    for name, number in _known(cast("Mapping[str, object]", value), tuple(_COORDINATES), path).items():
        try:
            parsed = float(cast(str, number)) if not isinstance(number, bool) else float("nan")
        except (TypeError, ValueError):
            parsed = float("nan")
        if not abs(parsed) <= _COORDINATES[name]:
            raise Refused(f"{path}.{name} must be a number between -{_COORDINATES[name]:g} and {_COORDINATES[name]:g}")
        result[name] = parsed
    if ("latitude" in result) != ("longitude" in result):
        raise Refused(f"{path} needs both latitude and longitude")
    return result

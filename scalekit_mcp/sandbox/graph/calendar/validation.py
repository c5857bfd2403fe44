"""Request bodies, checked the way Microsoft checks them (Graph pages "event resource type", "Create event").

`checked` walks a body along the published types and gives it back with enum members in their own spelling; it refuses
undeclared names (`RequestBodyRead`), wrong JSON types (`UnableToDeserializePostBody`) and unknown enum members.
"""

from __future__ import annotations

import re
from collections.abc import Container
from datetime import date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from scalekit_mcp.sandbox.graph.calendar.schema import ENUMS, TYPES
from scalekit_mcp.sandbox.graph.errors import GraphError, bad_request, invalid_request, validation_failure
from scalekit_mcp.sandbox.graph.errors import zone_not_supported as zone_refused
from scalekit_mcp.sandbox.world import Switches
from scalekit_mcp.sandbox.world.mailbox import LAST_YEAR, Moment
from scalekit_mcp.sandbox.world.zones import UnknownZoneError, in_gap, to_utc, zone_named

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATE_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,7}))?)?(Z|[+-]\d{2}:\d{2})?")
_NAMESPACE = "Microsoft.OutlookServices"
_FIRST_YEAR = 1601  # Outlook's calendar; it also keeps zone arithmetic inside what Python's datetime can hold


def undeclared(name: str, owner: str) -> GraphError:
    """400: the type has no such property."""
    return GraphError(
        400,
        "RequestBodyRead",
        f"The property '{name}' does not exist on type '{_NAMESPACE}.{owner[0].upper()}{owner[1:]}'. Make sure to only "
        "use property names that are defined by the type or mark the type as open type.",
    )


def _not_deserialized(name: str) -> GraphError:
    return GraphError(
        400, "UnableToDeserializePostBody", f"The property '{name}' of the request body: were unable to deserialize "
    )


def checked(body: Any, type_name: str, *, keep_unknown: bool = False) -> dict[str, Any]:
    """The body of a request for `type_name`, annotations dropped, enum members in Microsoft's spelling.

    Args:
        body: the parsed JSON.
        type_name: a key of `TYPES`.
        keep_unknown: drop undeclared names instead of refusing them.

    Raises:
        GraphError: 400, see the module.
    """
    if not isinstance(body, dict):
        raise bad_request("Unable to read JSON request payload. Please ensure payload is a JSON object.")
    return _object(cast("dict[str, Any]", body), type_name, keep_unknown)


def checked_parameters(body: Any, action: str) -> dict[str, Any]:
    """The parameters of an action, by their names in the metadata; they are given in any letter case.

    Raises:
        GraphError: 400, as `checked`.
    """
    names = {name.lower(): name for name in TYPES[action]}
    if isinstance(body, dict):
        given = cast("dict[str, Any]", body)
        body = {names.get(name.lower(), name): value for name, value in given.items()}
    return checked(body, action)


def _object(body: dict[str, Any], type_name: str, keep_unknown: bool) -> dict[str, Any]:
    declared = TYPES[type_name]
    result: dict[str, Any] = {}
    for name, value in body.items():
        if "@" in name:
            continue
        kind = declared.get(name)
        if kind is not None:
            result[name] = None if value is None else _value(value, kind, name, keep_unknown)
        elif not keep_unknown:
            raise undeclared(name, type_name)
    return result


def _value(value: Any, kind: str, name: str, keep_unknown: bool) -> Any:
    if kind.startswith("Collection("):
        if not isinstance(value, list):
            raise _not_deserialized(name)
        inner = kind[11:-1]
        return [_value(item, inner, name, keep_unknown) for item in cast("list[Any]", value)]
    if kind in TYPES:
        if not isinstance(value, dict):
            raise _not_deserialized(name)
        return _object(cast("dict[str, Any]", value), kind, keep_unknown)
    if kind in ENUMS:
        return _member(value, kind, name)
    if not _is_primitive(value, kind):
        raise _not_deserialized(name)
    return value


def _member(value: Any, kind: str, name: str) -> str:
    if not isinstance(value, str):
        raise _not_deserialized(name)
    for member in ENUMS[kind]:
        if member.lower() == value.lower():
            return member
    raise GraphError(400, "RequestBodyRead", f"Requested value '{value}' was not found.")


def _is_primitive(value: Any, kind: str) -> bool:
    if kind == "Any":
        return True
    if kind == "Edm.Boolean":
        return isinstance(value, bool)
    if kind == "Edm.Int32":
        return isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31
    if kind == "Edm.Double":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "Edm.Date":
        return isinstance(value, str) and _is_date(value)
    return isinstance(value, str)


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def moment(value: dict[str, Any] | None, switches: Switches) -> Moment:
    """The moment of a `dateTimeTimeZone`.

    Raises:
        GraphError: 400, the zone is missing or unknown, or the date-time unreadable.
    """
    zone_name = (value or {}).get("timeZone")
    if zone_name is None and value and switches.missing_time_zone == "utc":
        zone_name = "UTC"
    if not zone_name:
        raise zone_refused("" if zone_name is None else zone_name)
    try:
        zone = zone_named(zone_name, documented_only=switches.iana_zones == "documented")
    except UnknownZoneError as exc:
        raise zone_refused(zone_name) from exc
    local, offset = _local((value or {}).get("dateTime"))
    if offset:
        if switches.datetime_offset == "refuse":
            raise validation_failure()
        if switches.datetime_offset == "convert":
            local = _in_zone(local, offset, zone)
    if not _FIRST_YEAR <= local.year <= LAST_YEAR:
        raise validation_failure()
    if switches.dst_gap == "refuse" and in_gap(local, zone):
        raise validation_failure()
    return Moment(local, zone_name, to_utc(local, zone))


def _local(text: Any) -> tuple[datetime, str]:
    match = _DATE_TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise _not_deserialized("dateTime")
    day, clock, fraction, offset = match.groups()
    try:
        local = datetime.fromisoformat(f"{day}T{clock or '00:00:00'}")
    except ValueError as exc:
        raise _not_deserialized("dateTime") from exc
    return local + timedelta(microseconds=int(f"{fraction or '0':0<7}") // 10), offset or ""


def _in_zone(local: datetime, offset: str, zone: ZoneInfo) -> datetime:
    try:
        aware = datetime.fromisoformat(local.isoformat() + offset.replace("Z", "+00:00"))
        return aware.astimezone(zone).replace(tzinfo=None)
    except (OverflowError, ValueError) as exc:
        raise validation_failure() from exc


def check_span(start: Moment, end: Moment, *, all_day: bool) -> None:
    """Refuse an end before its start, and an all-day event that does not run from midnight to a later midnight.

    Raises:
        GraphError: 400 `ErrorPropertyValidationFailure`.
    """
    if end.instant < start.instant:
        raise validation_failure()
    if all_day:
        at_midnight = start.local.time() == end.local.time() == datetime.min.time()
        if not at_midnight or start.zone != end.zone or end.local - start.local < timedelta(days=1):
            raise validation_failure()


def check_attendees(attendees: list[dict[str, Any]], most: int, known: Container[tuple[str, str]] = ()) -> None:
    """Refuse attendees without a mail address and more of them than an event may have.

    Args:
        attendees: the whole list.
        most: how many an event takes.
        known: address and name of people whom the event has already, with whatever address.

    Raises:
        GraphError: 400 `ErrorInvalidRecipients` or `ErrorInvalidRequest`.
    """
    if len(attendees) > most:
        raise invalid_request(f"The number of attendees is greater than {most}.")
    for attendee in attendees:
        mail: dict[str, Any] = attendee.get("emailAddress") or {}
        address = str(mail.get("address") or "")
        if "@" not in address.strip("@") and (address, str(mail.get("name") or "")) not in known:
            raise GraphError(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")


_NEEDED = {
    "daily": (),
    "weekly": ("daysOfWeek",),
    "absoluteMonthly": ("dayOfMonth",),
    "relativeMonthly": ("daysOfWeek",),
    "absoluteYearly": ("dayOfMonth", "month"),
    "relativeYearly": ("daysOfWeek", "month"),
}


def complete_recurrence(given: dict[str, Any], start: Moment, switches: Switches) -> dict[str, Any]:
    """A recurrence as it is stored and echoed: every member present, unused ones zero.

    Raises:
        GraphError: 400, a member is missing for the type or out of bounds.
    """
    pattern: dict[str, Any] = given.get("pattern") or {}
    span: dict[str, Any] = given.get("range") or {}
    _check_pattern(pattern)
    _check_range(span)
    zone = span.get("recurrenceTimeZone") or start.zone
    try:
        zone_named(zone, documented_only=switches.iana_zones == "documented")
    except UnknownZoneError as exc:
        raise zone_refused(zone) from exc
    return {
        "pattern": {
            "type": pattern["type"],
            "interval": pattern["interval"],
            "month": pattern.get("month") or 0,
            "dayOfMonth": pattern.get("dayOfMonth") or 0,
            "daysOfWeek": pattern.get("daysOfWeek") or [],
            "firstDayOfWeek": pattern.get("firstDayOfWeek") or "sunday",
            "index": pattern.get("index") or "first",
        },
        "range": {
            "type": span["type"],
            "startDate": span["startDate"],
            "endDate": span["endDate"] if span["type"] == "endDate" else "0001-01-01",
            "recurrenceTimeZone": zone,
            "numberOfOccurrences": span["numberOfOccurrences"] if span["type"] == "numbered" else 0,
        },
    }


def _check_pattern(pattern: dict[str, Any]) -> None:
    kind = pattern.get("type")
    if kind is None:
        raise _broken("The recurrence pattern has no type.")
    if (pattern.get("interval") or 0) < 1:
        raise _broken("The interval of a recurrence pattern must be greater than 0.")
    for name in _NEEDED[kind]:
        if not pattern.get(name):
            raise _broken(f"A recurrence pattern of type {kind} needs {name}.")
    for name, most in (("dayOfMonth", 31), ("month", 12)):
        if not 0 <= (pattern.get(name) or 0) <= most:
            raise _broken(f"The {name} of a recurrence pattern must be from 1 to {most}.")


def _check_range(span: dict[str, Any]) -> None:
    kind = span.get("type")
    if kind is None or not span.get("startDate"):
        raise _broken("The recurrence range needs a type and a startDate.")
    if kind == "numbered" and (span.get("numberOfOccurrences") or 0) < 1:
        raise _broken("The numberOfOccurrences of a recurrence range must be greater than 0.")
    if kind == "endDate":
        if not span.get("endDate"):
            raise _broken("A recurrence range of type endDate needs endDate.")
        if date.fromisoformat(span["endDate"]) < date.fromisoformat(span["startDate"]):
            raise _broken("The endDate of a recurrence range is before its startDate.")


def _broken(rule: str) -> GraphError:
    return invalid_request(rule)

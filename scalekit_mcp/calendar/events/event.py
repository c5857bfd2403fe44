"""Microsoft's answers, made into results: pure functions from a Graph event to what a caller reads.

Results keep Graph's shape. Unknown properties and enum values pass through; annotations of the transport
(`@odata.*`) are left out; all-day events show dates, because their midnights must never be converted between zones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Any, cast

from scalekit_mcp.calendar.text import MAX_TEXT_CHARACTERS, is_harmless, neutralised
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools import NO_REMARKS, ArgumentError, Remarks, Zone, resolve_zone, to_json, warned

Event = dict[str, Any]

CUT = f"Text longer than {MAX_TEXT_CHARACTERS} characters was cut; '[...]' stands where it ends."

_DATES = frozenset({"occurrence", "exception"})
"""The types of a date of a series."""

_UTC_NAMES = frozenset({"", "utc", "tzone://microsoft/utc", "tzone://microsoft/custom"})
"""Also a legacy custom zone: its rules are unknown, its instants come in UTC (event resource type)."""


def instant_of(moment: Mapping[str, Any], asked: Zone | None = None) -> datetime:
    """The instant in UTC of a dateTimeTimeZone; `asked` is the zone that the request preferred, if any.

    Seconds are exact; fractions are cut (Graph writes seven digits, calendars use none).
    """
    local = datetime.fromisoformat(str(moment["dateTime"])[:19])
    return local.replace(tzinfo=zone_rules(moment.get("timeZone"), asked)).astimezone(UTC)


def zone_rules(name: str | None, asked: Zone | None = None) -> tzinfo:
    """The rules of a zone as an answer names it; UTC for a custom or unknown one."""
    if name is None or name.lower() in _UTC_NAMES:
        return UTC
    if asked is not None and name in (asked.windows, asked.given):
        return asked.tzinfo
    try:
        return resolve_zone(name).tzinfo
    except ArgumentError:
        return UTC


def date_of(moment: Mapping[str, Any]) -> date:
    """The date of an all-day start or end; never converted between zones."""
    return date.fromisoformat(str(moment["dateTime"])[:10])


def join_url(event: Mapping[str, Any]) -> str | None:
    """The address for joining the online meeting, without the legacy property `onlineMeetingUrl`."""
    meeting = event.get("onlineMeeting")
    if not isinstance(meeting, dict):
        return None
    url = cast("Event", meeting).get("joinUrl")
    return url if isinstance(url, str) and url else None


def address_of(person: Any) -> str | None:
    """The mail address of an attendee, organizer or recipient, as it is written."""
    mail = cast("Event", person).get("emailAddress") if isinstance(person, dict) else None
    address = cast("Event", mail).get("address") if isinstance(mail, dict) else None
    return address if isinstance(address, str) and address else None


def event_result(event: Mapping[str, Any], *, asked: Zone | None = None, remarks: Remarks = NO_REMARKS) -> Event:
    """One event as a tool's result, with remarks; `asked` is the zone that the request preferred."""
    shown = presented(event, asked)
    if is_harmless(to_json(shown)):
        return shown | remarks.members()
    clean, cut = neutralised(shown)
    return clean | (remarks + warned(CUT if cut else None)).members()


def shown_moment(moment: Event, asked: Zone | None, *, whole_day: bool) -> Event:
    """A start or end as it is shown: a date alone for whole days, the zone under the name that was asked for."""
    shown = {**moment}
    if whole_day:
        shown["dateTime"] = str(moment.get("dateTime"))[:10]
    if asked is not None and moment.get("timeZone") == asked.windows:
        shown["timeZone"] = asked.given
    return shown


def presented(event: Mapping[str, Any], asked: Zone | None) -> Event:
    """The event without annotations of the transport, its times as they are shown."""
    shown = {name: value for name, value in event.items() if name[:1] != "@"}
    whole_day = bool(shown.get("isAllDay"))
    for name in ("start", "end"):
        if isinstance(shown.get(name), dict):
            shown[name] = shown_moment(shown[name], asked, whole_day=whole_day)
    return shown


def body_characters(events: Iterable[Mapping[str, Any] | None]) -> int:
    """The number of characters of all bodies of these events."""
    total = 0
    for event in events:
        body = (event or {}).get("body")
        if isinstance(body, dict):
            total += len(str(cast("dict[str, Any]", body).get("content") or ""))
    return total


def series_meant(event: Event, apply_to: str | None) -> str | None:
    """The id of the series that is meant by the id of one of its dates; None where the event itself is meant.

    Raises `InvalidInput` where the event is not what `apply_to` says.
    """
    kind = event.get("type")
    if apply_to == "following" and kind == "seriesMaster":
        raise InvalidInput(
            "The id names a whole series, not the date from which on it shall change.",
            field="apply_to",
            next_step="Give the id of that date (a window list shows them), or apply_to=series.",
        )
    if apply_to == "this" and kind == "seriesMaster":
        raise InvalidInput(
            "The id names a whole series, not one of its events.",
            field="apply_to",
            next_step="Give the id of one occurrence (a window list shows them), or apply_to=series.",
        )
    if apply_to in ("series", "following") and kind == "singleInstance":
        raise InvalidInput(
            "The id names a single event, not a series.", field="apply_to", next_step="Leave apply_to out."
        )
    return str(event["seriesMasterId"]) if apply_to in ("series", "following") and kind in _DATES else None

"""Microsoft's answers, made into results: pure functions from a Graph event to what a caller reads.

Results keep Graph's shape. Unknown properties and enum values pass through; annotations of the transport
(`@odata.*`) are left out; all-day events show dates, because their midnights must never be converted between zones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from typing import Any, cast

from scalekit_mcp.microsoft.text import MAX_TEXT_CHARACTERS, neutralised
from scalekit_mcp.tools.values import Refused
from scalekit_mcp.tools.zones import Zone, resolve_zone

Event = dict[str, Any]

LIST_FIELDS = (
    "id",
    "subject",
    "start",
    "end",
    "isAllDay",
    "location",
    "attendees",
    "organizer",
    "isOrganizer",
    "responseStatus",
    "showAs",
    "isOnlineMeeting",
    "isCancelled",
    "type",
    "sensitivity",
)
"""What a scheduler reads of a list; without `select` nothing else is asked for."""

ROW_BYTES = 460
"""What a row of a list without `select` may weigh on average as JSON: twenty rows with all that stands around them
(the next page, now, warnings) stay below ten kilobytes."""

_USUAL = {
    "isAllDay": False,
    "isOrganizer": True,
    "isOnlineMeeting": False,
    "isCancelled": False,
    "showAs": "busy",
    "type": "singleInstance",
    "sensitivity": "normal",
}
"""What most events say; a row of a list without `select` is silent about it."""

_CUT = f"Text longer than {MAX_TEXT_CHARACTERS} characters was cut; '[...]' stands where it ends."

_UTC_NAMES = frozenset({"", "utc", "tzone://microsoft/utc", "tzone://microsoft/custom"})
"""Also a legacy custom zone: its rules are unknown, its instants come in UTC (event resource type)."""


def instant_of(moment: Mapping[str, Any], asked: Zone | None = None) -> datetime:
    """The instant, in UTC, of a dateTimeTimeZone; `asked` is the zone that the request preferred, if any.

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
    except Refused:
        return UTC


def date_of(moment: Mapping[str, Any]) -> date:
    """The date of an all-day start or end; never converted between zones."""
    return date.fromisoformat(str(moment["dateTime"])[:10])


def join_url(event: Mapping[str, Any]) -> str | None:
    """The address that joins the online meeting; `onlineMeetingUrl` is a legacy property and not it."""
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


def event_result(event: Mapping[str, Any], *, asked: Zone | None = None, warnings: Iterable[str] = ()) -> Event:
    """One event as a result, with `warnings` when there are any; `asked` is the zone that the request preferred."""
    clean, cut = neutralised(_presented(event, asked))
    told = [*warnings, *([_CUT] if cut else [])]
    if told:
        clean["warnings"] = told
    return clean


def rows_result(
    events: Sequence[Mapping[str, Any]], selected: frozenset[str] | None, asked: Zone | None = None
) -> tuple[list[Event], list[str]]:
    """The rows of a list and the warnings about them.

    `selected` are the properties that were asked for; None is a list without `select`: its rows leave out what most
    events say and are held to `ROW_BYTES` on average by shortening lists of attendees.
    """
    rows = [_presented(event, asked) for event in events]
    warnings: list[str] = []
    if selected is None:
        rows = [_lean(row) for row in rows]
        warnings += _hold_to_size(rows)
    else:
        rows = [{name: value for name, value in row.items() if name in selected} for row in rows]
    clean, cut = neutralised(rows)
    return clean, [*warnings, *([_CUT] if cut else [])]


def _presented(event: Mapping[str, Any], asked: Zone | None) -> Event:
    shown = {name: value for name, value in event.items() if not name.startswith("@odata.")}
    whole_day = bool(shown.get("isAllDay"))
    for name in ("start", "end"):
        moment = shown.get(name)
        if not isinstance(moment, dict):
            continue
        moment = {**cast("Event", moment)}
        if whole_day:
            moment["dateTime"] = str(moment.get("dateTime"))[:10]
        if asked is not None and moment.get("timeZone") == asked.windows:
            moment["timeZone"] = asked.given
        shown[name] = moment
    return shown


def _lean(row: Event) -> Event:
    invited = row.get("isOrganizer") is False
    lean: Event = {}
    for name, value in row.items():
        if value is None or value == _USUAL.get(name) or (name in _OF_THE_INVITED and not invited):
            continue
        shape = _SHAPES.get(name)
        shown = value if shape is None else shape(value)
        if shown is not None:
            lean[name] = shown
    return lean


def _without_fraction(moment: Event) -> Event:
    text = str(moment.get("dateTime"))
    return {**moment, "dateTime": text[:19] if text[19:].strip(".0") == "" else text}


def _place(location: Event) -> Event | None:
    name = location.get("displayName")
    return {"displayName": name} if name else None


def _people(people: list[Event]) -> list[Event] | None:
    return [_lean_attendee(person) for person in people if address_of(person)] or None


def _organizer(person: Event) -> Event | None:
    address = address_of(person)
    return {"emailAddress": {"address": address}} if address else None


def _lean_attendee(person: Event) -> Event:
    lean: Event = {"emailAddress": {"address": address_of(person)}}
    if (kind := person.get("type", "required")) != "required":
        lean["type"] = kind
    status: Event = person.get("status") or {}
    response = status.get("response")
    if response not in (None, "none", "notResponded"):
        lean["status"] = {"response": response}
    return lean


_OF_THE_INVITED = frozenset({"organizer", "responseStatus"})
"""Said only of other people's meetings, which is also how a row tells whose meeting it is."""

_SHAPES: Mapping[str, Callable[[Any], Any]] = {
    "start": _without_fraction,
    "end": _without_fraction,
    "location": _place,
    "attendees": _people,
    "organizer": _organizer,
    "responseStatus": lambda status: {"response": status.get("response")},
    "isOrganizer": lambda _: None,
}


def _hold_to_size(rows: list[Event]) -> list[str]:
    """Make rows smaller in place, step by step, until they keep to the limit; says what was left out."""
    excess = len(_json(rows).encode()) - ROW_BYTES * max(len(rows), 10)
    if excess <= 0:
        return []
    touched: dict[str, None] = {}
    for name, reduce in _REDUCTIONS:
        for row in rows:
            if (value := row.get(name)) is None:
                continue
            reduced = reduce(value)
            saved = len(_json(value).encode()) - len(_json(reduced).encode())
            if saved <= 0:
                continue
            touched[name] = None
            if reduced:
                row[name] = reduced
            else:
                del row[name]
                saved += len(name) + 6
            excess -= saved
        if excess <= 0:
            break
    left_out = " and ".join(touched)
    return [f"To keep this answer small, {left_out} were shortened or left out; `select` gives them whole."]


def _first(count: int) -> Callable[[list[Event]], list[Event]]:
    return lambda people: people[:count]


def _without_answers(people: list[Event]) -> list[Event]:
    return [{name: value for name, value in person.items() if name != "status"} for person in people]


_REDUCTIONS: Sequence[tuple[str, Callable[[Any], Any]]] = (
    ("attendees", _first(10)),
    ("attendees", _first(5)),
    ("attendees", _without_answers),
    ("attendees", _first(3)),
    ("attendees", _first(2)),
    ("responseStatus", lambda _: {}),
    ("attendees", _first(1)),
    ("attendees", _first(0)),
    ("organizer", lambda _: {}),
    ("subject", lambda text: text if len(text) <= 60 else f"{text[:57]}..."),
    ("location", lambda place: {"displayName": str(place.get("displayName"))[:40]}),
)
"""What a list without `select` gives up first, last what is missed most."""


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)

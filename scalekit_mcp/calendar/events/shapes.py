"""Checks the shape of events from an answer before other code reads them.

Whoever reads an event further on relies on the shapes below: a member of another shape is left out and named. What is
not known passes through, as long as it is not nested without end. Sources: event resource type, dateTimeTimeZone,
patternedRecurrence.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, cast

from scalekit_mcp.calendar.failures import UnreadableAnswer

MAX_DEPTH = 32
"""Deepest nesting of one member of an event; Graph's own is 5."""
MAX_TOKEN_CHARACTERS = 2000
"""Longest id or etag; Outlook's have some 200."""

Checked = tuple[Any, bool]
"""A value as it may be used, and whether it was whole."""
Check = Callable[[Any], Checked]
Shape = type | Check
"""What a value must be: of exactly this type, or what the check makes of it."""
_BAD: Checked = (None, False)
_NESTED = (dict, list)


@dataclass(frozen=True, slots=True)
class Rows:
    """The usable rows of one page, and how many were left out."""

    events: list[dict[str, Any]] = field(repr=False)
    odd: int


def rows_of(rows: Iterable[object], *, required: Iterable[str] = ()) -> Rows:
    """The events among the rows of a page.

    A row that is no event, lacks one of the `required` members or repeats another one's id is left out.
    """
    events: dict[str, dict[str, Any]] = {}
    odd = 0
    needed = ("id", *required)
    for row in rows:
        event, _ = checked_event(row)
        if event is None or any(event.get(name) is None for name in needed):
            odd += 1
        else:
            events.setdefault(event["id"], event)
    return Rows(list(events.values()), odd)


def objects_of(rows: Iterable[object]) -> list[dict[str, Any]]:
    """The objects among the rows of a page of anything, unchecked."""
    return [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict)]


def event_of(body: object, *, required: Iterable[str] = ()) -> dict[str, Any]:
    """An event that is whole, for whoever decides by it; raises `UnreadableAnswer` naming what is odd or missing."""
    event, odd = checked_event(body)
    if event is None:
        raise UnreadableAnswer("it is not an event")
    missing = [name for name in required if name not in event and name not in odd]
    if odd or missing:
        raise UnreadableAnswer(f"the event's {', '.join([*odd, *missing])} cannot be read")
    return event


def shown_event(body: object) -> tuple[dict[str, Any], list[str]]:
    """An event to be shown, without its odd members, and the warning about them; raises `UnreadableAnswer`."""
    event, odd = checked_event(body)
    if event is None:
        raise UnreadableAnswer("it is not an event")
    if not odd:
        return event, []
    return event, [f"Microsoft's answer was odd: {', '.join(odd)} could not be read and is left out."]


def checked_event(body: object) -> tuple[dict[str, Any] | None, list[str]]:
    """The event without its odd members, and their names; None for what is no event at all."""
    if not isinstance(body, dict):
        return None, []
    event, odd = _members(cast("dict[str, Any]", body), _EVENT)
    if not event.get("id"):
        return None, odd
    return event, odd


# --- shapes


def _token(value: Any) -> Checked:
    """An id or etag, which is sent back to Microsoft in a path or a header."""
    good = isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= MAX_TOKEN_CHARACTERS
    return (value, True) if good else _BAD


def _date(value: Any) -> Checked:
    try:
        date.fromisoformat(value[:10])
    except (ValueError, TypeError):
        return _BAD
    return value, True


def _moment(value: Any) -> Checked:
    """A dateTimeTimeZone; half of one is of no use."""
    moment, whole = _MOMENT(value)
    return (moment, True) if whole and moment.get("dateTime") is not None else _BAD


def _local_time(value: Any) -> Checked:
    try:
        moment = datetime.fromisoformat(value[:19])
    except (ValueError, TypeError):
        return _BAD
    return (value, True) if moment.tzinfo is None and len(value) >= 10 and 1 < moment.year < 9999 else _BAD


def _whole(check: Check) -> Check:
    """The value if all of it is whole, else nothing of it."""

    def checked(value: Any) -> Checked:
        found, whole = check(value)
        return (found, True) if whole else _BAD

    return checked


class _Shapes:
    """The shapes of an object's known members; types beside checks, so that most members cost a look at their type."""

    def __init__(self, shapes: Mapping[str, Shape], *, never_null: Collection[str] = ()) -> None:
        self.types = {name: shape for name, shape in shapes.items() if isinstance(shape, type)}
        self.checks = {name: _check(shape) for name, shape in shapes.items()}
        self.never_null = frozenset(never_null)


def _object(members: Mapping[str, Shape]) -> Check:
    """An object without its odd members."""
    shapes = _Shapes(members)

    def checked(value: Any) -> Checked:
        if not isinstance(value, dict):
            return _BAD
        found, odd = _members(cast("dict[str, Any]", value), shapes)
        return found, not odd

    return checked


def _members(value: dict[str, Any], shapes: _Shapes) -> tuple[dict[str, Any], list[str]]:
    """The object without its odd members, and their names; what is whole is not copied."""
    found = value
    odd: list[str] = []
    type_of, check_of = shapes.types.get, shapes.checks.get
    for name, member in value.items():
        if type(member) is type_of(name) or (member is None and name not in shapes.never_null):
            continue
        usable, whole = check_of(name, _anything)(member)
        if whole and usable is member:
            continue
        if found is value:
            found = value.copy()
        if not whole:
            odd.append(name if name in shapes.checks else "an unknown member")
        if usable is None:
            del found[name]
        else:
            found[name] = usable
    return found, odd


def _check(shape: Shape) -> Check:
    if not isinstance(shape, type):
        return shape
    return lambda value: (value, True) if type(value) is shape else _BAD


def _list(shape: Shape) -> Check:
    """A list without its odd entries."""
    check = _check(shape)

    def checked(value: Any) -> Checked:
        if not isinstance(value, list):
            return _BAD
        if not value:
            return cast("list[Any]", value), True
        entries = [check(entry) for entry in cast("list[Any]", value)]
        good = [entry for entry, whole in entries if whole or entry is not None]
        return good, all(whole for _, whole in entries)

    return checked


def _anything(value: Any) -> Checked:
    if not isinstance(value, _NESTED):
        return value, True
    nested = cast("Any", value)
    level: list[Any] = [nested]
    for _ in range(MAX_DEPTH):
        level = [
            member
            for holder in level
            for member in (cast("dict[str, Any]", holder).values() if isinstance(holder, dict) else holder)
            if isinstance(member, _NESTED)
        ]
        if not level:
            return nested, True
    return _BAD


_MOMENT = _object({"dateTime": _local_time, "timeZone": str})
_MAIL = _object({"name": str, "address": str})
_ANSWER = _object({"response": str, "time": str})
_PLACE = _object(
    {
        "displayName": str,
        "locationType": str,
        "locationUri": str,
        "locationEmailAddress": str,
        "uniqueId": str,
        "address": _object({}),
        "coordinates": _object({}),
    }
)
_ATTENDEE = _object(
    {
        "type": str,
        "emailAddress": _MAIL,
        "status": _ANSWER,
        "proposedNewTime": _object({"start": _moment, "end": _moment}),
    }
)
_PATTERN = _object(
    {
        "type": str,
        "interval": int,
        "daysOfWeek": _list(str),
        "firstDayOfWeek": str,
        "index": str,
        "dayOfMonth": int,
        "month": int,
    }
)
_RANGE = _object(
    {
        "type": str,
        "startDate": _date,
        "endDate": _date,
        "numberOfOccurrences": int,
        "recurrenceTimeZone": str,
    }
)


def _recurrence(value: Any) -> Checked:
    """A patternedRecurrence with both its halves, each without members that are null; else nothing of it."""
    if not isinstance(value, dict):
        return _BAD
    found = dict(cast("dict[str, Any]", value))
    for name, check, needed in (("pattern", _PATTERN, ("type",)), ("range", _RANGE, ("type", "startDate"))):
        part, whole = check(found.get(name))
        if not whole:
            return _BAD
        found[name] = {key: member for key, member in part.items() if member is not None}
        if any(key not in found[name] for key in needed):
            return _BAD
    return found, True


def _exception(value: Any) -> Checked:
    event, odd = checked_event(value)
    return (event, True) if event is not None and not odd else _BAD


_TEXTS = (
    *("subject", "bodyPreview", "type", "showAs", "sensitivity"),
    *("importance", "onlineMeetingProvider", "onlineMeetingUrl", "webLink", "iCalUId", "changeKey"),
    *("originalStart", "originalStartTimeZone", "originalEndTimeZone", "transactionId"),
    *("createdDateTime", "lastModifiedDateTime"),
)
_TOKENS = ("id", "@odata.etag", "seriesMasterId")
_FLAGS = (
    *("isAllDay", "isCancelled", "isOrganizer", "isOnlineMeeting", "isDraft", "isReminderOn", "hasAttachments"),
    *("responseRequested", "allowNewTimeProposals", "hideAttendees"),
)

_EVENT = _Shapes(
    {
        **dict.fromkeys(_TEXTS, str),
        **dict.fromkeys(_TOKENS, _token),
        **dict.fromkeys(_FLAGS, bool),
        "reminderMinutesBeforeStart": int,
        "start": _moment,
        "end": _moment,
        "body": _whole(_object({"contentType": str, "content": str})),
        "location": _PLACE,
        "locations": _list(_PLACE),
        "attendees": _list(_ATTENDEE),
        "organizer": _object({"emailAddress": _MAIL}),
        "responseStatus": _ANSWER,
        "onlineMeeting": _object({"joinUrl": str}),
        "recurrence": _recurrence,
        "categories": _list(str),
        "cancelledOccurrences": _list(str),
        "exceptionOccurrences": _list(_exception),
    },
    never_null=("id", "start", "end"),
)

"""What Microsoft Graph's answers have to look like before anything is made of them.

Whoever reads an event further on relies on the shapes below: a member of another shape is left out and named. What is
not known passes through, as long as it is not nested without end. Sources: event resource type, dateTimeTimeZone,
patternedRecurrence, "Paging Microsoft Graph data"; RFC 8259.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, cast
from urllib.parse import urlsplit

from scalekit_mcp.errors import ProviderUnavailable

MAX_DEPTH = 32
"""Deepest nesting of one member of an event; Graph's own is 5."""
MAX_TOKEN_CHARACTERS = 2000
"""Longest id or etag; Outlook's have some 200."""
MAX_NEXT_LINK_CHARACTERS = 16_000
"""Longest link to a next page: it repeats the query of the first one."""

Checked = tuple[Any, bool]
"""A value as it may be used, and whether it was whole."""
Check = Callable[[Any], Checked]
_BAD: Checked = (None, False)


class UnreadableAnswer(ProviderUnavailable):
    """Graph answered with something else than was asked for; `details` never hold it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"Microsoft Graph's answer cannot be used: {what}.")


@dataclass(frozen=True, slots=True)
class Rows:
    """The usable rows of one page, how many were left out, and the link to the next page."""

    events: list[dict[str, Any]] = field(repr=False)
    odd: int
    next_link: str | None


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


def rows_of(body: Mapping[str, Any], *, required: Iterable[str] = ()) -> Rows:
    """The events of a page; raises `UnreadableAnswer` for a body that is no page.

    A row that is no event, lacks one of the `required` members or repeats another one's id is left out.
    """
    listed: object = body.get("value")
    if not isinstance(listed, list):
        raise UnreadableAnswer("it holds no list of events")
    events: dict[str, dict[str, Any]] = {}
    odd = 0
    needed = ("id", *required)
    for row in cast("list[object]", listed):
        event, _ = checked_event(row)
        if event is None or any(event.get(name) is None for name in needed):
            odd += 1
        else:
            events.setdefault(event["id"], event)
    return Rows(list(events.values()), odd, next_link_of(body))


def objects_of(body: Mapping[str, Any]) -> Rows:
    """The objects of a page of anything, unchecked; raises `UnreadableAnswer` for a body that is no page."""
    listed: object = body.get("value")
    if not isinstance(listed, list):
        raise UnreadableAnswer("it holds no list")
    rows = cast("list[object]", listed)
    objects = [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict)]
    return Rows(objects, len(rows) - len(objects), next_link_of(body))


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


def _text(value: Any) -> Checked:
    return (value, True) if isinstance(value, str) else _BAD


def _token(value: Any) -> Checked:
    """What goes back to Microsoft in a path or a header: an id, an etag."""
    good = isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= MAX_TOKEN_CHARACTERS
    return (value, True) if good else _BAD


def _flag(value: Any) -> Checked:
    return (value, True) if isinstance(value, bool) else _BAD


def _number(value: Any) -> Checked:
    return (value, True) if isinstance(value, int) and not isinstance(value, bool) else _BAD


def _date(value: Any) -> Checked:
    try:
        date.fromisoformat(value[:10])
    except (ValueError, TypeError):
        return _BAD
    return value, True


def _moment(value: Any) -> Checked:
    """A dateTimeTimeZone; half of one is of no use."""
    moment, whole = _object({"dateTime": _local_time, "timeZone": _text})(value)
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


def _list(check: Check) -> Check:
    """A list without its odd entries."""

    def checked(value: Any) -> Checked:
        if not isinstance(value, list):
            return _BAD
        entries = [check(entry) for entry in cast("list[Any]", value)]
        good = [entry for entry, whole in entries if whole or entry is not None]
        return good, all(whole for _, whole in entries)

    return checked


def _object(shape: Mapping[str, Check]) -> Check:
    """An object without its odd members."""

    def checked(value: Any) -> Checked:
        if not isinstance(value, dict):
            return _BAD
        found, odd = _members(cast("dict[str, Any]", value), shape)
        return found, not odd

    return checked


def _members(value: dict[str, Any], shape: Mapping[str, Check]) -> tuple[dict[str, Any], list[str]]:
    found: dict[str, Any] = {}
    odd: list[str] = []
    for name, member in value.items():
        if member is None:
            if name in _NEVER_NULL and shape is _EVENT:
                odd.append(name)
            else:
                found[name] = None
            continue
        check = shape.get(name, _anything)
        usable, whole = check(member)
        if not whole:
            odd.append(name if name in shape else "an unknown member")
        if whole or usable is not None:
            found[name] = usable
    return found, odd


def _anything(value: Any) -> Checked:
    if not isinstance(value, dict | list):
        return value, True
    nested = cast("Any", value)
    level: list[Any] = [nested]
    for _ in range(MAX_DEPTH):
        level = [
            member
            for holder in level
            for member in (cast("dict[str, Any]", holder).values() if isinstance(holder, dict) else holder)
            if isinstance(member, dict | list)
        ]
        if not level:
            return nested, True
    return _BAD


_MAIL = _object({"name": _text, "address": _text})
_ANSWER = _object({"response": _text, "time": _text})
_PLACE = _object(
    {
        "displayName": _text,
        "locationType": _text,
        "locationUri": _text,
        "locationEmailAddress": _text,
        "uniqueId": _text,
        "address": _object({}),
        "coordinates": _object({}),
    }
)
_ATTENDEE = _object(
    {
        "type": _text,
        "emailAddress": _MAIL,
        "status": _ANSWER,
        "proposedNewTime": _object({"start": _moment, "end": _moment}),
    }
)
_PATTERN = _object(
    {
        "type": _text,
        "interval": _number,
        "daysOfWeek": _list(_text),
        "firstDayOfWeek": _text,
        "index": _text,
        "dayOfMonth": _number,
        "month": _number,
    }
)
_RANGE = _object(
    {
        "type": _text,
        "startDate": _date,
        "endDate": _date,
        "numberOfOccurrences": _number,
        "recurrenceTimeZone": _text,
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


_NEVER_NULL = frozenset({"id", "start", "end"})

_EVENT: Mapping[str, Check] = {
    **dict.fromkeys(
        (
            *("subject", "bodyPreview", "type", "showAs", "sensitivity"),
            *("importance", "onlineMeetingProvider", "onlineMeetingUrl", "webLink", "iCalUId", "changeKey"),
            *("originalStart", "originalStartTimeZone", "originalEndTimeZone", "transactionId"),
            *("createdDateTime", "lastModifiedDateTime"),
        ),
        _text,
    ),
    **dict.fromkeys(("id", "@odata.etag", "seriesMasterId"), _token),
    **dict.fromkeys(
        (
            *("isAllDay", "isCancelled", "isOrganizer", "isOnlineMeeting", "isDraft", "isReminderOn", "hasAttachments"),
            *("responseRequested", "allowNewTimeProposals", "hideAttendees"),
        ),
        _flag,
    ),
    "reminderMinutesBeforeStart": _number,
    "start": _moment,
    "end": _moment,
    "body": _whole(_object({"contentType": _text, "content": _text})),
    "location": _PLACE,
    "locations": _list(_PLACE),
    "attendees": _list(_ATTENDEE),
    "organizer": _object({"emailAddress": _MAIL}),
    "responseStatus": _ANSWER,
    "onlineMeeting": _object({"joinUrl": _text}),
    "recurrence": _recurrence,
    "categories": _list(_text),
    "cancelledOccurrences": _list(_text),
    "exceptionOccurrences": _list(lambda value: _exception(value)),
}


def _exception(value: Any) -> Checked:
    event, odd = checked_event(value)
    return (event, True) if event is not None and not odd else _BAD


# --- JSON


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

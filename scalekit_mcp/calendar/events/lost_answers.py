"""Whether a change whose answer was lost has been made, told from the event as it is now.

Microsoft makes a PATCH whole or not at all. So an unchanged etag means "not made", and an event that says everything
that the change said means "made". What Microsoft rewrites on its own (HTML, online meetings) proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, cast

from scalekit_mcp.calendar.events.attendees import identity
from scalekit_mcp.calendar.events.event import Event, address_of, date_of, instant_of
from scalekit_mcp.calendar.html_tags import text_of


class Settled(Enum):
    """What reading the event says about a change."""

    APPLIED = "applied"
    NOT_APPLIED = "not_applied"
    UNKNOWN = "unknown"


_PROVES_NOTHING = frozenset({"isOnlineMeeting", "onlineMeetingProvider"})


def settle(body: Mapping[str, Any], *, before: Event | None, now: Event) -> Settled:
    """Hold the event as it is `now` against the `body` of a PATCH and against the event `before` it, if known."""
    if before is not None and before.get("@odata.etag") and before.get("@odata.etag") == now.get("@odata.etag"):
        return Settled.NOT_APPLIED
    telling = [name for name in body if name not in _PROVES_NOTHING]
    if not telling:
        return Settled.UNKNOWN if before is None else _by_link(now)
    if all(says(now, name, body[name]) for name in telling):
        return Settled.APPLIED
    # Without the event before, a mismatch is all there is: a change made whole would show.
    return Settled.NOT_APPLIED if before is None else Settled.UNKNOWN


def says(event: Mapping[str, Any], name: str, value: Any) -> bool:
    """Whether the event's property has this value, in the sense of the property."""
    there = event.get(name)
    if value is None or there is None:
        return value is None and there is None
    if name in ("start", "end"):
        if event.get("isAllDay"):
            return date_of(there) == date_of(value)
        return instant_of(there) == instant_of(value)
    if name == "attendees":
        host = (address_of(event.get("organizer")) or "").casefold()  # answers may list the organizer, too
        return _people(there, host) == _people(value, host)
    if name == "body":
        return _words(there) == _words(value)
    if name == "recurrence":
        return same_recurrence(there, value)
    if name == "categories":
        return sorted(there) == sorted(value)
    if name == "locations":
        return [place.get("displayName") for place in there] == [place.get("displayName") for place in value]
    if name == "location":
        return (there.get("displayName") or "") == (value.get("displayName") or "")
    if isinstance(value, str) and isinstance(there, str):
        return there.strip().casefold() == value.strip().casefold()
    return bool(there == value)


def same_recurrence(one: Any, other: Any) -> bool:
    """Whether two patternedRecurrence objects mean the same; fields that a type does not use are zero or absent."""
    if one is None or other is None:
        return one is other
    return _rule(one) == _rule(other)


def _rule(recurrence: Event) -> dict[str, Any]:
    pattern, span = cast("Event", recurrence["pattern"]), cast("Event", recurrence["range"])
    kind, end = str(pattern.get("type")).casefold(), str(span.get("type")).casefold()
    rule: dict[str, Any] = {"type": kind, "interval": pattern.get("interval", 1), "range": end}
    rule["startDate"] = span.get("startDate")
    if kind == "weekly" or kind.startswith("relative"):
        rule["daysOfWeek"] = sorted(str(day).casefold() for day in pattern.get("daysOfWeek") or ())
    if kind == "weekly" and rule["interval"] > 1:
        rule["firstDayOfWeek"] = str(pattern.get("firstDayOfWeek") or "sunday").casefold()
    if kind.startswith("relative"):
        rule["index"] = str(pattern.get("index") or "first").casefold()
    if kind.startswith("absolute"):
        rule["dayOfMonth"] = pattern.get("dayOfMonth")
    if kind.endswith("yearly"):
        rule["month"] = pattern.get("month")
    if end == "enddate":
        rule["endDate"] = span.get("endDate")
    if end == "numbered":
        rule["numberOfOccurrences"] = span.get("numberOfOccurrences")
    return rule


def _by_link(now: Event) -> Settled:
    return Settled.APPLIED if now.get("isOnlineMeeting") else Settled.UNKNOWN


def _people(people: Sequence[Event], host: str) -> set[tuple[str, str]]:
    kinds = {identity(person): str(person.get("type") or "required") for person in people}
    return {(who, kind.casefold()) for who, kind in kinds.items() if who != host}


def _words(body: Event) -> str:
    content = str(body.get("content") or "")
    if str(body.get("contentType")).casefold() == "html":
        content = text_of(content)
    return "".join(content.split())

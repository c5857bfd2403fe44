"""Whether a change whose answer was lost has been made, judged from the event as it is now.

Microsoft makes a PATCH whole or not at all. So an unchanged etag means "not made", and an event in which every property
has the value of the change means "made". What Microsoft rewrites on its own (HTML, online meetings) proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, cast

from scalekit_mcp.calendar.events.event import Event, address_of, date_of, instant_of
from scalekit_mcp.calendar.events.writing.attendees import identity
from scalekit_mcp.calendar.html_tags import text_of


class ChangeOutcome(Enum):
    """Whether a change was made, as far as reading the event can show."""

    APPLIED = "applied"
    NOT_APPLIED = "not_applied"
    UNKNOWN = "unknown"


_PROVES_NOTHING = frozenset({"isOnlineMeeting", "onlineMeetingProvider"})


def change_outcome(body: Mapping[str, Any], *, before: Event | None, now: Event) -> ChangeOutcome:
    """Whether a PATCH with this `body` was made, judged from the event `now` and, if known, the event `before` it."""
    if before is not None and before.get("@odata.etag") and before.get("@odata.etag") == now.get("@odata.etag"):
        return ChangeOutcome.NOT_APPLIED
    telling = [name for name in body if name not in _PROVES_NOTHING]
    if not telling:
        return ChangeOutcome.UNKNOWN if before is None else _by_link(now)
    if all(property_equals(now, name, body[name]) for name in telling):
        return ChangeOutcome.APPLIED
    # Without the event before, a mismatch is all there is: a change made whole would show.
    return ChangeOutcome.NOT_APPLIED if before is None else ChangeOutcome.UNKNOWN


def property_equals(event: Mapping[str, Any], name: str, value: Any) -> bool:
    """Whether a property of the event equals `value`, compared by meaning: times as instants, people by address, ..."""
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
        return _plain_text(there) == _plain_text(value)
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


def _by_link(now: Event) -> ChangeOutcome:
    return ChangeOutcome.APPLIED if now.get("isOnlineMeeting") else ChangeOutcome.UNKNOWN


def _people(people: Sequence[Event], host: str) -> set[tuple[str, str]]:
    kinds = {identity(person): str(person.get("type") or "required") for person in people}
    return {(who, kind.casefold()) for who, kind in kinds.items() if who != host}


def _plain_text(body: Event) -> str:
    content = str(body.get("content") or "")
    if str(body.get("contentType")).casefold() == "html":
        content = text_of(content)
    return "".join(content.split())

"""Events as models read them: silent about what most events say, with nothing twice.

Names and shapes stay Graph's. A meeting of somebody else is told by its `organizer`; times have no fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from scalekit_mcp.calendar.events.event import Event, address_of, shown_moment
from scalekit_mcp.calendar.events.join_block import without_text_block
from scalekit_mcp.tools import NO_DATE, Zone

USUAL = {
    "isAllDay": False,
    "isOrganizer": True,
    "isOnlineMeeting": False,
    "isCancelled": False,
    "showAs": "busy",
    "type": "singleInstance",
    "sensitivity": "normal",
    "importance": "normal",
    "isReminderOn": True,
    "responseRequested": True,
    "allowNewTimeProposals": True,
    "hideAttendees": False,
    "isDraft": False,
    "hasAttachments": False,
}
"""What most events say; a lean event is silent about it."""

_OF_THE_INVITED = frozenset({"organizer", "responseStatus"})
"""Said only of other people's meetings, which is also how a row tells whose meeting it is."""

_NOT_SHOWN = frozenset(
    {
        *("changeKey", "iCalUId", "uid", "occurrenceId", "transactionId", "webLink"),
        *("createdDateTime", "lastModifiedDateTime", "originalStartTimeZone", "originalEndTimeZone"),
        *("onlineMeetingUrl", "onlineMeetingProvider", "bodyPreview"),
    }
)
"""Of no use to a scheduler, or said by another member; `select` gives them."""

_EMPTY: tuple[object, ...] = (None, "", [], {})
_UNUSED: tuple[object, ...] = (None, 0, "", [], NO_DATE)


def lean_event(event: Mapping[str, Any], asked: Zone | None = None) -> Event:
    """The event without what is usual, empty, or of no use to a scheduler."""
    invited = event.get("isOrganizer") is False
    whole_day = bool(event.get("isAllDay"))
    lean: Event = {}
    for name, value in event.items():
        if value == USUAL.get(name) or name in _NOT_SHOWN or name[:1] == "@" or (not value and value in _EMPTY):
            continue
        if name in _OF_THE_INVITED and not invited:
            continue
        if name in ("start", "end"):
            lean[name] = _without_fraction(shown_moment(value, asked, whole_day=whole_day))
            continue
        shape = _SHAPES.get(name)
        shown = value if shape is None else shape(value)
        if shown is not None:
            lean[name] = shown
    return lean


def _without_fraction(moment: Event) -> Event:
    text = str(moment.get("dateTime"))
    if text[19:].strip(".0") == "":
        moment["dateTime"] = text[:19]
    return moment


def _place(location: Event) -> Event | None:
    name = location.get("displayName")
    return {"displayName": name} if name else None


def _places(locations: list[Event]) -> list[Event] | None:
    """Several places; a single one is the `location`."""
    return [place for each in locations if (place := _place(each))] if len(locations) > 1 else None


def _people(people: list[Event]) -> list[Event] | None:
    return [_lean_attendee(person) for person in people] or None


def _lean_attendee(person: Event) -> Event:
    address = address_of(person)
    mail: Event = person.get("emailAddress") or {}
    lean: Event = {"emailAddress": _named(mail.get("name"), address)}
    if (kind := person.get("type", "required")) != "required":
        lean["type"] = kind
    status: Event = person.get("status") or {}
    if (response := status.get("response")) not in (None, "none", "notResponded"):
        lean["status"] = {"response": response}
    return lean


def _organizer(person: Event) -> Event | None:
    address = address_of(person)
    return {"emailAddress": _named(person["emailAddress"].get("name"), address)} if address else None


def _named(name: Any, address: str | None) -> Event:
    """A mail address with its name, where that says more; a list of people may have a name alone."""
    if address is None:
        return {"name": name}
    told = isinstance(name, str) and name.strip().casefold() not in ("", address.casefold())
    return {"name": name, "address": address} if told else {"address": address}


def _meeting(meeting: Event) -> Event | None:
    url = meeting.get("joinUrl")
    return {"joinUrl": url} if url else None


def _body(body: Event) -> Event | None:
    """The text that people wrote, without what joins the online meeting: `onlineMeeting` has the link."""
    content = str(body.get("content") or "")
    if body.get("contentType") == "text":
        content = without_text_block(content)
    return {**body, "content": content} if content.strip() else None


def _recurrence(recurrence: Event) -> Event:
    """Both halves without members that their types do not use, which Graph fills with zeros."""
    relative = "relative" in str(cast("Event", recurrence.get("pattern") or {}).get("type"))
    return {
        half: {name: value for name, value in part.items() if value not in _UNUSED and (relative or name != "index")}
        for half, part in cast("Mapping[str, Event]", recurrence).items()
    }


_SHAPES: Mapping[str, Callable[[Any], Any]] = {
    "location": _place,
    "attendees": _people,
    "organizer": _organizer,
    "responseStatus": lambda status: {"response": status.get("response")},
    "isOrganizer": lambda _: None,
    "locations": _places,
    "onlineMeeting": _meeting,
    "body": _body,
    "recurrence": _recurrence,
}

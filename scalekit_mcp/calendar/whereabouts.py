"""Whether an event that can be read is in a calendar, or only in Deleted Items.

An immutable id goes on finding an event after its deletion, so that reading it proves nothing. Sources: "Obtain
immutable identifiers for Outlook resources", List calendars, List calendarView.
"""

from __future__ import annotations

from datetime import timedelta

from scalekit_mcp.calendar.events.event import Event, instant_of
from scalekit_mcp.calendar.events.shapes import objects_of
from scalekit_mcp.calendar.reading import events_path
from scalekit_mcp.clock import rfc3339
from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.microsoft.graph.client import GraphRequest, MailboxSession

MAX_CALENDARS = 20
"""Most calendars of a mailbox that are looked through."""
MAX_PAGES = 5
_ROWS = 200
_DAY = timedelta(days=1)


async def is_listed(session: MailboxSession, event: Event) -> bool:
    """Whether a calendar of the mailbox shows the event; True where that cannot be found out."""
    if not event.get("start") or not event.get("end"):
        return True
    try:
        if await _is_in(session, None, event):
            return True
        calendars = await session.send(GraphRequest("GET", "/me/calendars", params={"$select": "id"}))
        for calendar in objects_of(calendars.body).events[:MAX_CALENDARS]:
            if await _is_in(session, str(calendar.get("id")), event):
                return True
    except ScalekitMCPError:
        return True
    return False


async def _is_in(session: MailboxSession, calendar_id: str | None, event: Event) -> bool:
    # A day more on both sides: all-day events are matched by their day in UTC.
    params = {
        "startDateTime": rfc3339(instant_of(event["start"]) - _DAY, timespec="seconds"),
        "endDateTime": rfc3339(instant_of(event["end"]) + _DAY, timespec="seconds"),
        "$select": "id,seriesMasterId",
        "$top": str(_ROWS),
    }
    request = GraphRequest("GET", events_path(calendar_id, "calendarView"), params=params)
    response = await session.send(request)
    for _ in range(MAX_PAGES):
        page = objects_of(response.body)
        if any(event["id"] in (row.get("id"), row.get("seriesMasterId")) for row in page.events):
            return True
        if page.next_link is None:
            return False
        response = await session.get_next(page.next_link, request)
    return True

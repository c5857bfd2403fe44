"""Whether an event that can be read is in a calendar, or only in Deleted Items.

An immutable id goes on finding an event after its deletion, so that reading it proves nothing. Sources: "Obtain
immutable identifiers for Outlook resources", List calendars, List calendarView.
"""

from __future__ import annotations

from datetime import timedelta

from scalekit_mcp.calendar.events.event import Event, instant_of
from scalekit_mcp.calendar.events.shapes import objects_of
from scalekit_mcp.calendar.mailbox import EventQuery, Form, Mailbox, Span
from scalekit_mcp.errors import Conflict, ScalekitMCPError

MAX_CALENDARS = 20
"""Most calendars of a mailbox that are looked through."""
MAX_PAGES = 5
_ROWS = 200
_DAY = timedelta(days=1)


async def is_listed(mailbox: Mailbox, event: Event) -> bool:
    """Whether a calendar of the mailbox shows the event; True where that cannot be found out."""
    if not event.get("start") or not event.get("end"):
        return True
    try:
        if await _is_in(mailbox, None, event):
            return True
        calendars = await mailbox.calendars(("id",))
        for calendar in objects_of(calendars.rows)[:MAX_CALENDARS]:
            if await _is_in(mailbox, str(calendar.get("id")), event):
                return True
    except ScalekitMCPError:
        return True
    return False


async def calendar_of(mailbox: Mailbox, event: Event) -> str | None:
    """The id of the calendar that shows the event, None for the default one; raises `Conflict` where none does."""
    if await _is_in(mailbox, None, event):
        return None
    for calendar in objects_of((await mailbox.calendars(("id",), top=MAX_CALENDARS)).rows)[:MAX_CALENDARS]:
        if await _is_in(mailbox, str(calendar.get("id")), event):
            return str(calendar["id"])
    raise Conflict("It cannot be found out in which calendar the event lies. Nothing was changed.")


async def _is_in(mailbox: Mailbox, calendar_id: str | None, event: Event) -> bool:
    query = EventQuery(Form(select=("id", "seriesMasterId")), _ROWS, calendar_id)
    # A day more on both sides: all-day events are matched by their day in UTC.
    span = Span(instant_of(event["start"]) - _DAY, instant_of(event["end"]) + _DAY)
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await mailbox.view(query, span, cursor)
        if any(event["id"] in (row.get("id"), row.get("seriesMasterId")) for row in objects_of(page.rows)):
            return True
        cursor = page.cursor
        if cursor is None:
            return False
    return True

"""Finds the calendar that an argument names, by id or by name. Source: List calendars.

No tool lists calendars to a model by default, but people call theirs by name. A name is looked up once a call; what
looks like an id is used as one first.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from scalekit_mcp.calendar.events.shapes import objects_of
from scalekit_mcp.calendar.mailbox import Mailbox
from scalekit_mcp.calendar.text import neutralise
from scalekit_mcp.errors import CalendarNotFound, InvalidInput
from scalekit_mcp.tools import comparable, shown

MAX_CALENDARS = 300
"""Most calendars that are looked through for a name."""

NAMES_IN_A_REFUSAL = 30

_PAGE = 100
_FIELDS = ("id", "name", "owner")
_ID = re.compile(r"[A-Za-z0-9_\-+/=]{40,}")
"""Ids of Outlook are long and have no blanks."""

T = TypeVar("T")
Calendar = dict[str, Any]


async def in_calendar(mailbox: Mailbox, wanted: str | None, call: Callable[[str | None], Awaitable[T]]) -> T:
    """What `call` answers with the id of the calendar that is meant; None is the default calendar.

    Raises `CalendarNotFound` with the names there are for a calendar that the mailbox does not have, and for a name
    that several have.
    """
    if wanted is None:
        return await call(None)
    if _ID.fullmatch(wanted):
        try:
            return await call(wanted)
        except (CalendarNotFound, InvalidInput) as refused:
            if isinstance(refused, InvalidInput) and refused.details.get("field") != "calendar_id":
                raise
    return await call(await _id_of(mailbox, wanted))


async def _id_of(mailbox: Mailbox, name: str) -> str:
    calendars = await read_calendars(mailbox, _FIELDS)
    wanted = comparable(neutralise(name))
    called = [calendar for calendar in calendars if comparable(neutralise(str(calendar.get("name")))) == wanted]
    if len(called) == 1:
        return str(called[0]["id"])
    if called:
        raise CalendarNotFound(
            f"{len(called)} calendars are called {shown(name)}: {'; '.join(_with_owner(c) for c in called[:5])}.",
            field="calendar_id",
            next_step="Ask the user which one is meant, and give its id in calendar_id.",
        )
    names = [shown(neutralise(str(calendar.get("name")))) for calendar in calendars]
    more = f" and {len(names) - NAMES_IN_A_REFUSAL} more" if len(names) > NAMES_IN_A_REFUSAL else ""
    raise CalendarNotFound(
        f"The mailbox has no calendar {shown(name)}. It has {', '.join(names[:NAMES_IN_A_REFUSAL])}{more}.",
        field="calendar_id",
        next_step="Give one of these names, or leave calendar_id out for the default calendar.",
    )


async def read_calendars(mailbox: Mailbox, fields: tuple[str, ...]) -> list[Calendar]:
    """The calendars of a mailbox that have an id, at most `MAX_CALENDARS`."""
    found: list[Calendar] = []
    cursor: str | None = None
    for _ in range(MAX_CALENDARS // _PAGE):
        page = await mailbox.calendars(fields, top=_PAGE, cursor=cursor)
        found += [row for row in objects_of(page.rows) if isinstance(row.get("id"), str)]
        cursor = page.cursor
        if cursor is None or len(found) >= MAX_CALENDARS:
            break
    return found


def _with_owner(calendar: Calendar) -> str:
    owner = calendar.get("owner")
    address = cast("dict[str, Any]", owner).get("address") if isinstance(owner, dict) else None
    return f"of {shown(neutralise(str(address or 'somebody')))} with the id {calendar.get('id')}"

"""The calendars of a mailbox, as a model chooses one of them. Source: List calendars, calendar resource type."""

from __future__ import annotations

from typing import Any, cast

from scalekit_mcp.calendar.mailbox import SchedulingMailbox
from scalekit_mcp.calendar.names import MAX_CALENDARS, Calendar, read_calendars
from scalekit_mcp.calendar.text import neutralised
from scalekit_mcp.tools import Remarks, noted

_FIELDS = ("id", "name", "owner", "canEdit", "isDefaultCalendar")


async def list_calendars(mailbox: SchedulingMailbox) -> tuple[list[dict[str, Any]], Remarks]:
    """`{id, name, owner?, is_default, can_edit}` of each calendar, the default one first."""
    calendars = await read_calendars(mailbox, _FIELDS)
    # The property is younger than the service: where no row has it, the default calendar itself tells its id.
    default_id = None
    if not any("isDefaultCalendar" in calendar for calendar in calendars):
        default_id = (await mailbox.default_calendar(("id",))).get("id")
    rows = [_row(calendar, default_id) for calendar in calendars]
    rows.sort(key=lambda row: not row["is_default"])
    clean, _ = neutralised(rows)
    full = len(calendars) >= MAX_CALENDARS
    return clean, noted(f"Only the first {MAX_CALENDARS} calendars are looked at." if full else None)


def _row(calendar: Calendar, default_id: object) -> dict[str, Any]:
    owner = calendar.get("owner")
    person = cast("dict[str, Any]", owner) if isinstance(owner, dict) else {}
    shown = {name: person[name] for name in ("name", "address") if isinstance(person.get(name), str) and person[name]}
    is_default = calendar.get("isDefaultCalendar")
    return {
        "id": calendar["id"],
        "name": str(calendar.get("name") or ""),
        **({"owner": shown} if shown else {}),
        "is_default": is_default is True or (default_id is not None and calendar["id"] == default_id),
        "can_edit": calendar.get("canEdit") is True,
    }

"""Which of the user's own events take time. Sources: event resource type (showAs, responseStatus)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time

from scalekit_mcp.calendar.events.event import Event, date_of, instant_of
from scalekit_mcp.calendar.events.taken_time import takes_time
from scalekit_mcp.calendar.scheduling.schedules import Block, Status
from scalekit_mcp.tools import Zone

EVENT_FIELDS = ("id", "start", "end", "isAllDay", "showAs", "isCancelled", "responseStatus")

_STATUSES: dict[str, Status] = {
    "tentative": "tentative",
    "busy": "busy",
    "oof": "oof",
    "workingelsewhere": "workingElsewhere",
}


def blocks_of(events: Iterable[Event], zone: Zone) -> list[Block]:
    """The time that events take. Free, cancelled and declined ones take none; whole days are those of `zone`."""
    found: list[Block] = []
    for event in events:
        status = _STATUSES.get(str(event.get("showAs") or "busy").casefold(), "unknown")
        if not takes_time(event):
            continue
        if event.get("isAllDay"):
            start, end = (_midnight(event[edge], zone) for edge in ("start", "end"))
        else:
            start, end = (instant_of(event[edge], zone) for edge in ("start", "end"))
        if start < end:
            found.append(Block(start, end, status))
    return found


def _midnight(moment: Event, zone: Zone) -> datetime:
    return datetime.combine(date_of(moment), time(), tzinfo=zone.tzinfo).astimezone(UTC)

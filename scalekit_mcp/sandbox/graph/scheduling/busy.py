"""Somebody's busy time: the blocks of a default calendar, and the line of digits that stands for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scalekit_mcp.sandbox.graph.calendar.store import listed, view
from scalekit_mcp.sandbox.graph.shape import date_time_in
from scalekit_mcp.sandbox.world import Switches
from scalekit_mcp.sandbox.world.mailbox import Event, Mailbox, Moment

_OPEN = frozenset({"normal", "personal"})
_DAY = timedelta(days=1)
_WEIGHTS = ("free", "unknown", "workingElsewhere", "tentative", "busy", "oof")
"""From what holds least of a time to what holds most."""


@dataclass(frozen=True, slots=True)
class Window:
    """A requested time, and the minutes for which one digit of a view stands."""

    begin: datetime
    end: datetime
    minutes: int


@dataclass(frozen=True, slots=True)
class Block:
    """One event of somebody's time; `start` and `end` are those of a schedule, `event` has the rest."""

    event: Event
    start: Moment
    end: Moment


def blocks(mailbox: Mailbox, window: Window, switches: Switches) -> list[Block]:
    """What meets the window in the default calendar, by start; all-day events by the midnights of their own zone."""
    events = listed(mailbox, mailbox.default_calendar)
    near = view(events, window.begin - _DAY, window.end + _DAY, switches)
    found = [_block(event, switches) for event in near if _is_shown(event, switches)]
    return sorted((block for block in found if _meets(block, window)), key=lambda block: block.start.instant)


def _is_shown(event: Event, switches: Switches) -> bool:
    if event.is_cancelled or event.response == "declined":
        return switches.schedule_cancelled == "free"
    return event.response != "notResponded" or switches.schedule_unanswered == "tentative"


def _block(event: Event, switches: Switches) -> Block:
    if event.is_all_day and switches.schedule_all_day == "utc_day":
        return Block(event, Moment.of(event.start.local, "UTC"), Moment.of(event.end.local, "UTC"))
    return Block(event, event.start, event.end)


def _meets(block: Block, window: Window) -> bool:
    start, end = block.start.instant, block.end.instant
    return start < window.end and (end > window.begin or (start == end and start >= window.begin))


def item(block: Block, *, zone: str | None, named: bool, own: bool, title_case: bool) -> dict[str, Any]:
    """A `scheduleItem`, whole also where it reaches out of the window.

    Args:
        block: what is shown.
        zone: of the times in the answer, UTC without one.
        named: subject and place are shared; those of private events only with oneself.
        own: the calendar is that of the person who asks.
        title_case: write `Busy` instead of `busy`.
    """
    event, status = block.event, status_of(block)
    shaped: dict[str, Any] = {"status": status[0].upper() + status[1:] if title_case else status}
    if own or (named and event.sensitivity in _OPEN):
        shaped["isPrivate"] = event.sensitivity not in _OPEN
        shaped["subject"] = event.subject or ""
        shaped["location"] = event.location.get("displayName") or ""
    return {**shaped, "start": date_time_in(block.start, zone), "end": date_time_in(block.end, zone)}


def status_of(block: Block) -> str:
    """The status of a block; a cancelled meeting is free."""
    return "free" if block.event.is_cancelled else block.event.show_as


def availability_view(found: Iterable[Block], window: Window, *, elsewhere: str) -> str:
    """One digit for each interval: the worst status in it.

    0 is free or working elsewhere (`elsewhere` is the digit of the latter), 1 tentative, 2 busy, 3 out of office.
    """
    digits = {"free": "0", "unknown": "0", "workingElsewhere": elsewhere, "tentative": "1", "busy": "2", "oof": "3"}
    length = timedelta(minutes=window.minutes)
    count = -((window.begin - window.end) // length)
    worst = [(0, "0")] * count
    for block in found:
        if block.start.instant == block.end.instant:
            continue  # it holds no time
        status = status_of(block)
        weight = (_WEIGHTS.index(status), digits[status])
        first = max(0, (block.start.instant - window.begin) // length)
        last = min(count, -((window.begin - block.end.instant) // length))
        for place in range(first, last):
            worst[place] = max(worst[place], weight)
    return "".join(digit for _, digit in worst)

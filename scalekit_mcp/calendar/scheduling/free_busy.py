"""outlook_get_free_busy_schedule: what is taken of people's time, in the asked zone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scalekit_mcp.calendar.listing.window import Window
from scalekit_mcp.calendar.reading import asked_zone
from scalekit_mcp.calendar.scheduling.meeting_times import unread
from scalekit_mcp.calendar.scheduling.reading_schedules import ScheduleReader
from scalekit_mcp.calendar.scheduling.schedules import Block, PersonSchedule
from scalekit_mcp.calendar.scheduling.working_hours import WorkingHours
from scalekit_mcp.calendar.text import neutralised
from scalekit_mcp.clock import Clock
from scalekit_mcp.tools import WEEKDAYS, GetFreeBusySchedule, Remarks, Zone, noted, present, to_json, to_local, warned

_ROOM_AROUND = 2_000
"""Characters of an answer that are not anybody's schedule."""


async def free_busy_schedule(
    reader: ScheduleReader, args: GetFreeBusySchedule, *, clock: Clock, timezone: str
) -> dict[str, Any]:
    """`{value: [{address, busy, working_hours?, error?}], now, notes?, warnings?}`."""
    zone = asked_zone(args.timezone or timezone)
    window = Window.of(args.start_datetime, args.end_datetime, zone)
    addresses = [person.address for person in args.people]
    people = await reader.read(addresses, window.start_instant, window.end_instant, zone)
    rows, about_size = _rows(people, zone, args.answer_characters)
    remarks = args.remarks + noted(*window.remarks.notes) + unread(people) + about_size
    clean, _ = neutralised(rows)
    return {"value": clean, "now": present(clock.now(), zone)} | remarks.members()


def _rows(people: Sequence[PersonSchedule], zone: Zone, limit: int | None) -> tuple[list[dict[str, Any]], Remarks]:
    """One row for each, with the first of their blocks where all do not fit into the answer."""
    rows = [_row(person, zone) for person in people]
    if limit is None:
        return rows, Remarks()
    share = (limit - _ROOM_AROUND) // max(len(rows), 1)
    cut: list[str] = []
    for row in rows:
        busy = row["busy"]
        excess = len(to_json(row)) - share
        if excess <= 0:
            continue
        while busy and excess > 0:
            excess -= len(to_json(busy.pop())) + 1
        cut.append(row["address"])
    if not cut:
        return rows, Remarks()
    return rows, warned(
        f"The answer would be too long: of {', '.join(cut[:10])} only the first blocks are shown. "
        "Ask for fewer people or a shorter window."
    )


def _row(person: PersonSchedule, zone: Zone) -> dict[str, Any]:
    row: dict[str, Any] = {"address": person.address, "busy": [_shown(block, zone) for block in _joined(person.blocks)]}
    if person.hours is not None:
        row["working_hours"] = _hours(person.hours)
    if person.problem:
        row["error"] = person.problem
    return row


def _joined(blocks: Sequence[Block]) -> list[Block]:
    """In order; those of one status that touch or overlap are one, unless they show a subject."""
    found: list[Block] = []
    last: dict[str, int] = {}
    for block in sorted(blocks, key=lambda block: (block.start, block.end)):
        at = last.get(block.status)
        if block.subject is None and at is not None and block.start <= found[at].end:
            found[at] = Block(found[at].start, max(found[at].end, block.end), block.status)
            continue
        if block.subject is None:
            last[block.status] = len(found)
        found.append(block)
    return found


def _shown(block: Block, zone: Zone) -> dict[str, Any]:
    times = {name: to_local(at, zone).isoformat() for name, at in (("start", block.start), ("end", block.end))}
    return {"status": block.status, **times, **({} if block.subject is None else {"subject": block.subject})}


def _hours(hours: WorkingHours) -> dict[str, Any]:
    return {
        "days": [WEEKDAYS[day] for day in sorted(hours.days)],
        "start": f"{hours.opens:%H:%M}",
        "end": f"{hours.closes:%H:%M}",
        "timeZone": hours.zone_name,
    }

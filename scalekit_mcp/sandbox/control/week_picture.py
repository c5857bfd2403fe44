"""A person's week as a picture: days as columns, events at their hours, side by side where they overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scalekit_mcp.sandbox.graph.calendar.week_entries import WeekEntry

FIRST_HOUR, LAST_HOUR = 8, 18
SHORTEST_HOURS = 0.5
"""Shorter events are drawn this high, so that their subject can be read."""


@dataclass(frozen=True)
class Block:
    """One event as drawn: `begins` and `hours` in hours from the picture's first, `lane` of `lanes` side by side."""

    time: str
    subject: str
    show_as: str
    begins: float = 0.0
    hours: float = 0.0
    lane: int = 0
    lanes: int = 1


@dataclass(frozen=True)
class DayColumn:
    """One day."""

    date: date
    all_day: list[Block]
    timed: list[Block]


@dataclass(frozen=True)
class WeekPicture:
    """Seven days and the hours that the picture shows."""

    first_hour: int
    last_hour: int
    days: list[DayColumn]


def week_picture(entries: Sequence[WeekEntry], monday: date) -> WeekPicture:
    """The picture of the seven days from `monday`."""
    days = [monday + timedelta(days=number) for number in range(7)]
    timed = {day: [entry for entry in entries if not entry.all_day and _touches(entry, day)] for day in days}
    spans = [_hours(entry, day) for day in days for entry in timed[day]]
    first = int(min([FIRST_HOUR, *(begins for begins, _ in spans)]))
    last = int(max([LAST_HOUR, *(-(-ends // 1) for _, ends in spans)]))
    columns = [
        DayColumn(
            day,
            [
                Block("all day", entry.subject, entry.show_as)
                for entry in entries
                if entry.all_day and _touches(entry, day)
            ],
            _blocks(timed[day], day, first),
        )
        for day in days
    ]
    return WeekPicture(first, last, columns)


def _touches(entry: WeekEntry, day: date) -> bool:
    midnight = datetime.combine(day, datetime.min.time())
    return entry.start < midnight + timedelta(days=1) and entry.end > midnight


def _hours(entry: WeekEntry, day: date) -> tuple[float, float]:
    midnight = datetime.combine(day, datetime.min.time())
    begins = max((entry.start - midnight).total_seconds() / 3600, 0.0)
    ends = min((entry.end - midnight).total_seconds() / 3600, 24.0)
    return begins, max(ends, min(begins + SHORTEST_HOURS, 24.0))


def _blocks(entries: Sequence[WeekEntry], day: date, first_hour: int) -> list[Block]:
    """Groups of overlapping events share the width; each takes the first lane that is free."""
    blocks: list[Block] = []
    group: list[tuple[WeekEntry, int]] = []
    lanes: list[float] = []

    def close() -> None:
        blocks.extend(_block(entry, day, first_hour, lane, len(lanes)) for entry, lane in group)
        group.clear()
        lanes.clear()

    for entry in sorted(entries, key=lambda entry: entry.start):
        begins, ends = _hours(entry, day)
        if lanes and begins >= max(lanes):
            close()
        lane = next((number for number, free_at in enumerate(lanes) if free_at <= begins), len(lanes))
        lanes[lane : lane + 1] = [ends]
        group.append((entry, lane))
    close()
    return blocks


def _block(entry: WeekEntry, day: date, first_hour: int, lane: int, lanes: int) -> Block:
    begins, ends = _hours(entry, day)
    shown = f"{_clock(entry.start, day)} to {_clock(entry.end, day)}"
    return Block(shown, entry.subject, entry.show_as, begins - first_hour, ends - begins, lane, lanes)


def _clock(at: datetime, day: date) -> str:
    return f"{at:%H:%M}" if at.date() == day else "..."

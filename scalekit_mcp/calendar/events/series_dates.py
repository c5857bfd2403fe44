"""The dates of a series: whether a new date fits its pattern, and which dates a change would lose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from scalekit_mcp.calendar.events.recurrence import recurrence_from_graph
from scalekit_mcp.tools import WEEKDAYS, ArgumentError, Recurrence

_FARTHEST = timedelta(days=1500)
"""How far dates are looked for: every pattern has one within four years and some."""


def weekday_of(day: date) -> str:
    """The English name of a date's weekday."""
    return WEEKDAYS[day.weekday()].capitalize()


def check_occurrence_date(asked: date, held: date, change: Recurrence | None, master: Mapping[str, Any]) -> None:
    """Refuse a new date of an occurrence, which is on `held`, where its series cannot follow; raises `ArgumentError`.

    The series follows where the recurrence that is given along has a date there. Otherwise the one way is named that
    moves the series, or that there is none and the occurrence can be moved alone.
    """
    recurrence = master.get("recurrence")
    if asked == held or not recurrence:
        return
    before = recurrence_from_graph(recurrence)
    if change is not None and change.changes_pattern:
        if before.merged(change).matches(asked):
            return
        raise ArgumentError(
            f"is on {asked}, a {weekday_of(asked)}, where the new recurrence has no date; give {held} with the time of "
            "day: the recurrence parameters say on which dates the series falls",
            "start_datetime",
        )
    alone = (
        f"to move this date alone leave apply_to out; for another time of day of the series give {held} with that time"
    )
    parts = _moving_parts(before, held, asked)
    if not parts:
        raise ArgumentError(f"moves this date from {held} to {asked}, which moves no series; {alone}", "start_datetime")
    wanted = " and ".join(f"recurrence_{name}={value}" for name, value in parts.items())
    raise ArgumentError(
        f"moves this date from {weekday_of(held)}, {held}, to {weekday_of(asked)}, {asked}; to move the whole series "
        f"give {wanted} as well; {alone}",
        "start_datetime",
    )


def _moving_parts(before: Recurrence, held: date, asked: date) -> dict[str, str]:
    """The recurrence parameters that move a series along with one of its dates; none where the pattern stays."""
    if before.matches(asked):
        return {}
    parts: dict[str, str] = {}
    if before.days_of_week is not None:
        shift = (asked - held).days
        moved = {(WEEKDAYS.index(name) + shift) % 7 for name in before.days_of_week}
        parts["days_of_week"] = ",".join(WEEKDAYS[number] for number in sorted(moved))
    if before.week_index is not None:
        parts["week_index"] = _week_index(before, parts["days_of_week"], asked)
    if before.day_of_month is not None:
        parts["day_of_month"] = str(asked.day)
    if before.month is not None:
        parts["month"] = str(asked.month)
    return parts


def _week_index(before: Recurrence, days: str, asked: date) -> str:
    for index in ("first", "second", "third", "fourth"):
        pattern = Recurrence(type=before.type, days_of_week=tuple(days.split(",")), week_index=index)
        if pattern.matches(asked):
            return index
    return "last"


def dates_of(series: Recurrence, first: date, last: date) -> Iterator[date]:
    """The dates of a whole recurrence from its first one on, at most until `last`."""
    if series.end_date is not None:
        last = min(last, series.end_date)
    count = 0
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        if series.matches(day) and in_step(series, first, day):
            yield day
            count += 1
            if count == series.occurrences:
                return


def vanishing_dates(pattern: Recurrence, begins: date, first: date) -> bool:
    """Whether a series that now starts on `first` would have had dates from `begins` on, were it continued backwards.

    A series that merely moves, each date by the same few days, has none.
    """
    days = min(first - begins, _FARTHEST).days
    earlier = (begins + timedelta(days=n) for n in range(days))
    return any(pattern.matches(day) and in_step(pattern, day, first) for day in earlier)


def in_step(pattern: Recurrence, day: date, first: date) -> bool:
    """Whether a whole number of intervals lies between two dates of a pattern."""
    interval = pattern.interval or 1
    kind = str(pattern.type)
    if kind == "daily":
        distance = (first - day).days
    elif kind == "weekly":
        begin = WEEKDAYS.index(pattern.first_day_of_week or "sunday")
        weeks = [(d.toordinal() - (d.weekday() - begin) % 7) // 7 for d in (day, first)]
        distance = weeks[1] - weeks[0]
    elif kind.endswith("Monthly"):
        distance = (first.year - day.year) * 12 + first.month - day.month
    else:
        distance = first.year - day.year
    return distance % interval == 0

"""Which dates a `patternedRecurrence` names (Graph pages "recurrencePattern resource type", "recurrenceRange").

Pure functions on dates: wall-clock times and zones are added by the store, so daylight saving never shifts a series.

Three readings that Microsoft's pages fix: a `dayOfMonth` beyond the end of a month means its last day;
`firstDayOfWeek` says where the weeks counted by `interval` begin; several `daysOfWeek` in a relative pattern name one
date a month. Which one depends on the set: the sets that Outlook offers as "day", "weekday" and "weekend day" count
through the set; for any other set the earliest of the n-th of each day is taken (`several_days="first_match"`) or, if
so wished, the n-th day of the set (`several_days="nth_listed"`).
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from typing import Any

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
INDEXES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}
PATTERN_TYPES = ("daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly")
RANGE_TYPES = ("endDate", "noEnd", "numbered")
_NAMED_SETS = ({0, 1, 2, 3, 4, 5, 6}, {0, 1, 2, 3, 4}, {5, 6})


@dataclass(frozen=True, slots=True)
class Rule:
    """A checked recurrence: days are 0 (Monday) to 6, `index` counts from 0, -1 is the last."""

    kind: str
    start_date: date
    interval: int = 1
    days: frozenset[int] = frozenset()
    first_day: int = 6
    day_of_month: int = 1
    month: int = 1
    index: int = 0
    end_date: date | None = None
    count: int | None = None
    several_days: str = "first_match"


def rule_from(recurrence: dict[str, Any], *, several_days: str = "first_match") -> Rule:
    """The rule of a recurrence as it is echoed (complete, member names in camelCase)."""
    pattern, span = recurrence["pattern"], recurrence["range"]
    return Rule(
        kind=pattern["type"],
        start_date=date.fromisoformat(span["startDate"]),
        interval=pattern["interval"],
        days=frozenset(DAYS.index(day) for day in pattern.get("daysOfWeek", ())),
        first_day=DAYS.index(pattern["firstDayOfWeek"]),
        day_of_month=pattern["dayOfMonth"],
        month=pattern["month"],
        index=INDEXES[pattern["index"]],
        end_date=date.fromisoformat(span["endDate"]) if span["type"] == "endDate" else None,
        count=span["numberOfOccurrences"] if span["type"] == "numbered" else None,
        several_days=several_days,
    )


def dates(rule: Rule, first: date | None = None, last: date | None = None) -> Iterator[date]:
    """The dates of the series in order, from `first` to `last` inclusive where given.

    A series without an end is endless up to the last representable date: give `last`.
    """
    end = min(bound for bound in (rule.end_date, last, date.max) if bound is not None)
    begin = first if first is not None and first > rule.start_date else rule.start_date
    seen = 0
    for day in _candidates(rule, rule.start_date if rule.count is not None else begin):
        if day > end:
            return
        if day < rule.start_date:
            continue
        seen += 1
        if rule.count is not None and seen > rule.count:
            return
        if day >= begin:
            yield day


def _candidates(rule: Rule, begin: date) -> Iterator[date]:
    """Dates of the pattern in order, starting at or a little before `begin`, never beyond the calendar's end."""
    try:
        if rule.kind == "daily":
            skipped = max(0, (begin - rule.start_date).days // rule.interval)
            for step in count(skipped):
                yield rule.start_date + timedelta(days=step * rule.interval)
        elif rule.kind == "weekly":
            yield from _weekly(rule, begin)
        else:
            yield from _by_month(rule, begin)
    except (OverflowError, ValueError):
        return  # past the year 9999


def _weekly(rule: Rule, begin: date) -> Iterator[date]:
    week = rule.start_date.toordinal() - (rule.start_date.weekday() - rule.first_day) % 7
    offsets = sorted((day - rule.first_day) % 7 for day in rule.days)
    skipped = max(0, (begin.toordinal() - week) // (7 * rule.interval))
    for step in count(skipped):
        for offset in offsets:
            yield date.fromordinal(week + step * 7 * rule.interval + offset)


def _by_month(rule: Rule, begin: date) -> Iterator[date]:
    yearly = rule.kind in ("absoluteYearly", "relativeYearly")
    months = rule.interval * (12 if yearly else 1)
    origin = rule.start_date.year * 12 + ((rule.month if yearly else rule.start_date.month) - 1)
    skipped = max(0, (begin.year * 12 + begin.month - 1 - origin) // months)
    for step in count(skipped):
        year, month = divmod(origin + step * months, 12)
        if year > date.max.year:
            return
        if rule.kind.startswith("absolute"):
            yield date(year, month + 1, min(rule.day_of_month, calendar.monthrange(year, month + 1)[1]))
        else:
            yield _nth_of_month(rule, year, month + 1)


def _nth_of_month(rule: Rule, year: int, month: int) -> date:
    length = calendar.monthrange(year, month)[1]
    days = [date(year, month, number) for number in range(1, length + 1)]
    if rule.several_days == "nth_listed" or set(rule.days) in _NAMED_SETS:
        return [day for day in days if day.weekday() in rule.days][rule.index]
    return min([day for day in days if day.weekday() == weekday][rule.index] for weekday in rule.days)

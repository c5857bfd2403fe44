"""Recurrence: six patterns and three ranges, checked against each other and the start of the first event.

Follows Microsoft's "recurrencePattern resource type" and "recurrenceRange resource type".
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta

from scalekit_mcp.tools.inputs.values import ArgumentError

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
TYPES = ("daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly")
SHORT_TYPES = {"monthly": "absoluteMonthly", "yearly": "absoluteYearly"}
RANGE_TYPES = ("endDate", "noEnd", "numbered")
WEEK_INDEXES = ("first", "second", "third", "fourth", "last")
_SETS = (frozenset(WEEKDAYS), frozenset(WEEKDAYS[:5]), frozenset(WEEKDAYS[5:]))

_USED: dict[str, frozenset[str]] = {
    "daily": frozenset(),
    "weekly": frozenset({"days_of_week", "first_day_of_week"}),
    "absoluteMonthly": frozenset({"day_of_month"}),
    "relativeMonthly": frozenset({"days_of_week", "week_index"}),
    "absoluteYearly": frozenset({"day_of_month", "month"}),
    "relativeYearly": frozenset({"days_of_week", "week_index", "month"}),
}
_FARTHEST_DATE = 1500
"""Days until every pattern has had a date: four years and some, for the 29th of February."""

_PATTERN_FIELDS = ("days_of_week", "day_of_month", "month", "week_index", "first_day_of_week")


def _frequency(pattern_type: str) -> str:
    return pattern_type.removeprefix("absolute").removeprefix("relative")


@dataclass(frozen=True, slots=True)
class Recurrence:
    """The `recurrence_*` parameters without their prefix; None is "not given".

    A value may be partial (an update gives what changes); `complete` makes it whole or refuses it.
    """

    type: str | None = None
    interval: int | None = None
    days_of_week: tuple[str, ...] | None = None
    day_of_month: int | None = None
    month: int | None = None
    week_index: str | None = None
    first_day_of_week: str | None = None
    range_type: str | None = None
    start_date: date | None = None
    end_date: date | None = None
    occurrences: int | None = None

    def given(self) -> tuple[str, ...]:
        """The names of the parts that are there."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) is not None)

    def check_parts(self) -> None:
        """Refuse parts that contradict each other whatever the rest may be."""
        self._check_pattern_parts()
        if self.end_date is not None and self.occurrences is not None:
            raise ArgumentError(
                "and recurrence_end_date exclude each other; give one of them, and leave recurrence_range_type out",
                "recurrence_occurrences",
            )
        for name, range_type in (("end_date", "endDate"), ("occurrences", "numbered")):
            if getattr(self, name) is not None and self.range_type not in {None, range_type}:
                raise ArgumentError(
                    f"does not belong to the range '{self.range_type}'; use recurrence_range_type={range_type}",
                    f"recurrence_{name}",
                )
        if self.start_date is not None and self.end_date is not None and self.end_date < self.start_date:
            raise ArgumentError(
                f"lies before the start of the series, {self.start_date}; give that date or a later one",
                "recurrence_end_date",
            )

    def _check_pattern_parts(self) -> None:
        """Refuse parts that the pattern does not use, naming the pattern that does, if there is one.

        The first day of the week may stand beside any pattern: Graph answers it with each.
        """
        given = [name for name in _PATTERN_FIELDS[:-1] if getattr(self, name) is not None]
        if self.type is None or not (foreign := [name for name in given if name not in _USED[self.type]]):
            return
        kind = _frequency(self.type)
        fitting = [other for other in TYPES if _USED[other].issuperset(given)]
        fitting.sort(key=lambda other: _frequency(other) != kind)
        others = "".join(f" and recurrence_{name}" for name in foreign[1:])
        advice = f"leave it{others} out"
        if fitting:
            advice = f"use recurrence_type={fitting[0]}, which has it, or {advice} if '{self.type}' alone is meant"
        raise ArgumentError(f"does not belong to the pattern '{self.type}'; {advice}", f"recurrence_{foreign[0]}")

    def complete(self, start: date) -> Recurrence:
        """The whole pattern and range of a series whose first event is on `start`; raises `ArgumentError`.

        What is not said follows from the start: its weekday, its day of the month, its month, its week.
        """
        self.check_parts()
        if self.type is None:
            raise ArgumentError("is missing: the other recurrence parameters need it", "recurrence_type")
        if self.start_date is not None and self.start_date != start:
            raise ArgumentError(
                f"is {self.start_date}, but the first event starts on {start}; leave it out, or give start_datetime on "
                "that date",
                "recurrence_start_date",
            )
        first_day = self.first_day_of_week if "first_day_of_week" in _USED[self.type] else None
        whole = replace(
            self._with_pattern(start), start_date=start, interval=self.interval or 1, first_day_of_week=first_day
        )
        whole = whole.with_range()
        whole._check_start(start)
        return whole

    def first_fitting(self, day: date) -> date:
        """The first date on or after `day` that the pattern can have; raises `ArgumentError` where there is none.

        What the pattern leaves open follows from `day`; which week of the month, from the date that is found.
        """
        self.check_parts()
        pattern = self if self.type is None else replace(self._with_pattern(day), week_index=self.week_index)
        found = next((d for d in (day + timedelta(days=n) for n in range(_FARTHEST_DATE)) if pattern.matches(d)), None)
        if found is None:
            raise ArgumentError("names a day that does not exist in that month", "recurrence_day_of_month")
        return found

    @property
    def changes_pattern(self) -> bool:
        """Whether a part is there that says on which dates the series falls, and not only when it ends."""
        return any(getattr(self, name) is not None for name in ("type", "interval", *_PATTERN_FIELDS))

    def merged(self, change: Recurrence) -> Recurrence:
        """This recurrence with the parts of `change` put in; parts that no longer apply fall away."""
        given = {name: getattr(change, name) for name in change.given()}
        result = replace(self, **given)
        if change.type is not None and change.type != self.type:
            result = replace(result, **{n: getattr(change, n) for n in _PATTERN_FIELDS}, interval=change.interval)
        range_type = change.range_type
        if range_type is None and change.end_date is not None:
            range_type = "endDate"
        elif range_type is None and change.occurrences is not None:
            range_type = "numbered"
        if range_type is not None:
            result = replace(
                result,
                range_type=range_type,
                end_date=result.end_date if range_type == "endDate" else change.end_date,
                occurrences=result.occurrences if range_type == "numbered" else change.occurrences,
            )
        return result

    def _with_pattern(self, start: date) -> Recurrence:
        assert self.type is not None  # noqa: S101 - the caller has looked
        used = _USED[self.type]
        result = self
        if "days_of_week" in used and self.days_of_week is None:
            result = replace(result, days_of_week=(WEEKDAYS[start.weekday()],))
        if "week_index" in used and self.week_index is None:
            fitting = (i for i in WEEK_INDEXES if replace(result, week_index=i).matches(start))
            result = replace(result, week_index=next(fitting, "first"))
        if "day_of_month" in used and self.day_of_month is None:
            result = replace(result, day_of_month=start.day)
        if "month" in used and self.month is None:
            result = replace(result, month=start.month)
        return result

    def with_range(self) -> Recurrence:
        """The same with a whole range; raises `ArgumentError` where its end is missing or lies before the start."""
        range_type = self.range_type
        if range_type is None:
            range_type = "endDate" if self.end_date else "numbered" if self.occurrences else "noEnd"
        if range_type == "endDate" and self.end_date is None:
            raise ArgumentError("is missing: the range 'endDate' needs it", "recurrence_end_date")
        if range_type == "numbered" and self.occurrences is None:
            raise ArgumentError("is missing: the range 'numbered' needs it", "recurrence_occurrences")
        if self.end_date is not None and self.start_date is not None and self.end_date < self.start_date:
            raise ArgumentError(
                f"lies before the first event, {self.start_date}; give that date or a later one", "recurrence_end_date"
            )
        return replace(self, range_type=range_type)

    def _check_start(self, start: date) -> None:
        fitting = self.first_fitting(start)
        if fitting == start:
            return
        field = "recurrence_days_of_week" if self.days_of_week else "recurrence_day_of_month"
        if self.month is not None and self.month != start.month:
            field = "recurrence_month"
        raise ArgumentError(
            f"does not fit the first event: {start} is a {WEEKDAYS[start.weekday()].capitalize()}. Start on {fitting} "
            f"({WEEKDAYS[fitting.weekday()].capitalize()}), or change the pattern",
            field,
        )

    def matches(self, day: date) -> bool:
        """Whether the pattern can have an occurrence on `day`, interval aside."""
        if self.month is not None and day.month != self.month:
            return False
        last = calendar.monthrange(day.year, day.month)[1]
        if self.day_of_month is not None:
            # A day past the end of the month falls on its last day (recurrencePattern resource type).
            return day.day == min(self.day_of_month, last)
        if self.days_of_week is None:
            return True
        if WEEKDAYS[day.weekday()] not in self.days_of_week:
            return False
        return self.week_index is None or self._is_indexed(day, last)

    def _is_indexed(self, day: date, last: int) -> bool:
        """Whether `day` is the first, ..., last of its weekday in the month; of several days the earliest counts.

        All days, the working days and the weekend are one set each, of which the first, ..., last day is meant.
        """
        assert self.week_index is not None  # noqa: S101 - the caller has looked
        assert self.days_of_week is not None  # noqa: S101 - the caller has looked
        position = -1 if self.week_index == "last" else WEEK_INDEXES.index(self.week_index)
        numbers: dict[str, list[int]] = {}
        for number in range(1, last + 1):
            numbers.setdefault(WEEKDAYS[day.replace(day=number).weekday()], []).append(number)
        listed = [numbers[name] for name in self.days_of_week]
        if frozenset(self.days_of_week) in _SETS:
            return day.day == sorted(number for days in listed for number in days)[position]
        return day.day == min(days[position] for days in listed)

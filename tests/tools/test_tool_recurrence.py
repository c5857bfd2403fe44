"""Six patterns and three ranges, against each other and against the first event."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
from dateutil import rrule
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools import CreateCalendarEvent, Recurrence, parse_arguments
from scalekit_mcp.tools.inputs.recurrence import RANGE_TYPES, TYPES, WEEK_INDEXES, WEEKDAYS
from scalekit_mcp.tools.inputs.values import ArgumentError

START = "2026-04-06"  # a Monday


def series(start: str = START, **parts: Any) -> Recurrence:
    arguments = {
        "subject": "x",
        "start_datetime": f"{start}T09:00:00",
        "end_datetime": f"{start}T09:30:00",
        "start_timezone": "America/Chicago",
        "end_timezone": "America/Chicago",
    }
    args = parse_arguments(
        "outlook_create_calendar_event", arguments | {f"recurrence_{name}": value for name, value in parts.items()}
    )
    assert isinstance(args, CreateCalendarEvent)
    assert args.recurrence is not None
    return args.recurrence


def test_the_published_example_of_a_series_is_understood() -> None:
    assert series(
        type="weekly",
        interval=1,
        days_of_week="Monday",
        range_type="endDate",
        start_date="2026-04-06",
        end_date="2026-06-30",
    ) == Recurrence(
        type="weekly",
        interval=1,
        days_of_week=("monday",),
        range_type="endDate",
        start_date=date(2026, 4, 6),
        end_date=date(2026, 6, 30),
    )


@pytest.mark.parametrize(
    ("kind", "start", "expected"),
    [
        ("daily", START, {}),
        ("weekly", START, {"days_of_week": ("monday",)}),
        ("absoluteMonthly", "2026-04-15", {"day_of_month": 15}),
        ("relativeMonthly", "2026-04-09", {"days_of_week": ("thursday",), "week_index": "second"}),
        ("relativeMonthly", "2026-04-30", {"days_of_week": ("thursday",), "week_index": "last"}),
        ("absoluteYearly", "2026-03-15", {"day_of_month": 15, "month": 3}),
        ("relativeYearly", "2026-11-24", {"days_of_week": ("tuesday",), "week_index": "fourth", "month": 11}),
    ],
)
def test_what_a_pattern_leaves_open_follows_from_the_first_event(
    kind: str, start: str, expected: dict[str, Any]
) -> None:
    whole = series(start, type=kind, occurrences=3)
    fields = ("days_of_week", "day_of_month", "month", "week_index", "first_day_of_week")
    assert {n: getattr(whole, n) for n in fields if getattr(whole, n) is not None} == expected
    assert (whole.interval, whole.range_type, whole.start_date) == (1, "numbered", date.fromisoformat(start))


@pytest.mark.parametrize(
    ("parts", "range_type"),
    [({"end_date": "2026-06-30"}, "endDate"), ({"occurrences": 5}, "numbered"), ({}, "noEnd")],
)
def test_the_range_follows_from_what_is_given(parts: dict[str, Any], range_type: str) -> None:
    assert series(type="daily", **parts).range_type == range_type


def test_a_series_that_was_given_no_end_is_told() -> None:
    args = parse_arguments(
        "outlook_create_calendar_event",
        {
            "subject": "x",
            "start_datetime": "2026-04-06T09:00:00",
            "end_datetime": "2026-04-06T09:30:00",
            "start_timezone": "UTC",
            "end_timezone": "UTC",
            "recurrence_type": "daily",
        },
    )
    assert "no end" in args.remarks.notes[0]


@pytest.mark.parametrize(
    ("parts", "field", "fragment"),
    [
        ({"interval": 2}, "recurrence_type", "is missing"),
        ({"type": "hourly"}, "recurrence_type", "daily, weekly"),
        ({"type": "weekly", "days_of_week": "Moonday"}, "recurrence_days_of_week", "monday"),
        ({"type": "weekly", "days_of_week": "tuesday,friday"}, "recurrence_days_of_week", "2026-04-07 (Tuesday)"),
        ({"type": "weekly", "day_of_month": 6}, "recurrence_day_of_month", "does not belong"),
        ({"type": "monthly", "days_of_week": "monday"}, "recurrence_days_of_week", "relativeMonthly"),
        ({"type": "daily", "days_of_week": "monday,friday"}, "recurrence_days_of_week", "use recurrence_type=weekly"),
        ({"type": "weekly", "month": 4}, "recurrence_month", "use recurrence_type=absoluteYearly"),
        ({"type": "weekly", "days_of_week": "monday", "month": 4}, "recurrence_month", "relativeYearly"),
        ({"type": "yearly", "days_of_week": "monday"}, "recurrence_days_of_week", "relativeYearly"),
        ({"type": "relativeMonthly", "day_of_month": 6}, "recurrence_day_of_month", "absoluteMonthly"),
        ({"type": "absoluteMonthly", "day_of_month": 15}, "recurrence_day_of_month", "2026-04-15"),
        ({"type": "absoluteYearly", "day_of_month": 6, "month": 5}, "recurrence_month", "2026-05-06"),
        ({"type": "absoluteYearly", "day_of_month": 32}, "recurrence_day_of_month", "1 to 31"),
        ({"type": "absoluteYearly", "month": 13}, "recurrence_month", "1 to 12"),
        ({"type": "relativeMonthly", "week_index": "second"}, "recurrence_days_of_week", "2026-04-13 (Monday)"),
        ({"type": "daily", "interval": -1}, "recurrence_interval", "1 to 999"),
        ({"type": "daily", "occurrences": 1000}, "recurrence_occurrences", "999"),
        ({"type": "daily", "occurrences": -1}, "recurrence_occurrences", "1 to 999"),
        ({"type": "daily", "range_type": "endDate"}, "recurrence_end_date", "is missing"),
        ({"type": "daily", "range_type": "numbered"}, "recurrence_occurrences", "is missing"),
        ({"type": "daily", "range_type": "noEnd", "occurrences": 3}, "recurrence_occurrences", "noEnd"),
        ({"type": "daily", "range_type": "numbered", "end_date": "2026-06-30"}, "recurrence_end_date", "numbered"),
        ({"type": "daily", "occurrences": 3, "end_date": "2026-06-30"}, "recurrence_occurrences", "exclude"),
        ({"type": "daily", "end_date": "2026-04-05"}, "recurrence_end_date", "before"),
        ({"type": "daily", "start_date": "2026-04-07"}, "recurrence_start_date", "2026-04-06"),
        ({"type": "daily", "end_date": "30.06.2026"}, "recurrence_end_date", "2026-04-01"),
        ({"type": "daily", "end_date": "2026-06-31"}, "recurrence_end_date", "not in the calendar"),
    ],
)
def test_a_recurrence_that_does_not_hold_together_is_refused(parts: dict[str, Any], field: str, fragment: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        series(**parts)
    assert caught.value.details["field"] == field
    assert fragment in caught.value.message


def test_microsofts_own_form_of_a_weekly_series_can_be_given_back() -> None:
    """Graph writes zeros and the year 1 for what a pattern and a range do not use, and a first day with each."""
    unused = {"day_of_month": 0, "month": "0", "occurrences": 0.0, "end_date": "0001-01-01"}
    whole = series(type="weekly", days_of_week="monday", first_day_of_week="sunday", interval=1, **unused)
    assert (whole.day_of_month, whole.month, whole.range_type) == (None, None, "noEnd")
    daily = series(type="daily", first_day_of_week="sunday", occurrences=5, end_date="0001-01-01")
    assert (daily.range_type, daily.occurrences) == ("numbered", 5)


def followed(arguments: dict[str, Any], message: str) -> dict[str, Any]:
    """The arguments after doing what a refusal says first."""
    changed = dict(arguments)
    if use := re.search(r"use (recurrence_\w+)=(\w+)", message):
        changed[use[1]] = use[2]
    elif start := re.search(r"Start on (\S+)", message):
        changed |= {"start_datetime": f"{start[1]}T09:00:00", "end_datetime": f"{start[1]}T10:00:00"}
    elif "give one of them" in message:
        del changed["recurrence_end_date"]
        changed.pop("recurrence_range_type", None)
    elif later := re.search(r"before the first event, (\S+);", message):
        changed["recurrence_end_date"] = later[1]
    elif missing := re.search(r"`(\w+)` is missing", message):
        changed[missing[1]] = {"recurrence_end_date": "2030-01-01", "recurrence_occurrences": 3}[missing[1]]
    else:
        named = re.findall(r"recurrence_\w+", message)
        assert "out" in message, message
        for name in named:
            changed.pop(name, None)
    assert changed != arguments, message
    return changed


@given(
    kind=st.sampled_from(TYPES),
    parts=st.fixed_dictionaries(
        {},
        optional={
            "recurrence_days_of_week": st.sampled_from(
                ["monday", "monday,tuesday,wednesday,thursday,friday", "sunday"]
            ),
            "recurrence_day_of_month": st.integers(1, 31),
            "recurrence_month": st.integers(1, 12),
            "recurrence_week_index": st.sampled_from(WEEK_INDEXES),
            "recurrence_first_day_of_week": st.sampled_from(WEEKDAYS),
            "recurrence_range_type": st.sampled_from(RANGE_TYPES),
            "recurrence_end_date": st.sampled_from(["2026-04-01", "2027-04-01"]),
            "recurrence_occurrences": st.integers(1, 20),
        },
    ),
)
def test_whoever_does_what_each_refusal_says_is_accepted_in_the_end(kind: str, parts: dict[str, Any]) -> None:
    times = {"start_datetime": "2026-04-06T09:00:00", "end_datetime": "2026-04-06T10:00:00"}
    zones = {"start_timezone": "UTC", "end_timezone": "UTC"}
    arguments: dict[str, Any] = {"subject": "x", "recurrence_type": kind, **times, **zones, **parts}
    for _ in range(6):
        try:
            parse_arguments("outlook_create_calendar_event", arguments)
        except InvalidInput as refusal:
            arguments = followed(arguments, refusal.message)
        else:
            return
    raise AssertionError(arguments)


def test_the_31st_falls_on_the_last_day_of_a_shorter_month() -> None:
    assert series("2026-04-30", type="absoluteMonthly", day_of_month=31, occurrences=3).day_of_month == 31


def test_of_several_days_the_earliest_that_fits_is_meant() -> None:
    """The page "recurrencePattern resource type": the event falls on the first day that satisfies the pattern."""
    days = "thursday,friday"
    assert series("2026-04-09", type="relativeMonthly", days_of_week=days).week_index == "second"
    with pytest.raises(InvalidInput, match="2026-05-01"):
        series("2026-04-10", type="relativeMonthly", days_of_week=days, week_index="first")


def test_working_days_are_one_set_of_which_the_second_can_be_meant() -> None:
    days = "monday,tuesday,wednesday,thursday,friday"
    assert series("2026-04-02", type="relativeMonthly", days_of_week=days).week_index == "second"


def test_the_last_of_several_days_is_the_last_working_day() -> None:
    days = "monday,tuesday,wednesday,thursday,friday"
    assert series("2026-05-29", type="relativeMonthly", days_of_week=days, week_index="last").week_index == "last"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Recurrence(interval=2), {"interval": 2, "days_of_week": ("monday",), "end_date": date(2026, 6, 30)}),
        (Recurrence(occurrences=5), {"range_type": "numbered", "occurrences": 5, "end_date": None}),
        (Recurrence(range_type="noEnd"), {"range_type": "noEnd", "end_date": None, "occurrences": None}),
        (Recurrence(end_date=date(2026, 7, 31)), {"range_type": "endDate", "end_date": date(2026, 7, 31)}),
        (Recurrence(type="daily"), {"type": "daily", "days_of_week": None, "end_date": date(2026, 6, 30)}),
        (Recurrence(days_of_week=("monday", "friday")), {"days_of_week": ("monday", "friday"), "interval": 3}),
    ],
)
def test_parts_are_merged_into_what_a_series_has(change: Recurrence, expected: dict[str, Any]) -> None:
    before = series(type="weekly", interval=3, end_date="2026-06-30")
    merged = before.merged(change)
    assert {name: getattr(merged, name) for name in expected} == expected


@given(
    start=st.dates(date(2026, 1, 1), date(2031, 12, 31)),
    kind=st.sampled_from(TYPES),
    index=st.sampled_from(WEEK_INDEXES),
    day=st.sampled_from(WEEKDAYS),
    day_of_month=st.integers(1, 31),
)
def test_a_first_event_is_accepted_exactly_where_the_pattern_has_one(
    start: date, kind: str, index: str, day: str, day_of_month: int
) -> None:
    """Held against dateutil's own reading of the rule."""
    relative, absolute = kind.startswith("relative"), kind.startswith("absolute")
    recurrence = Recurrence(
        type=kind,
        days_of_week=(day,) if relative or kind == "weekly" else None,
        week_index=index if relative else None,
        day_of_month=day_of_month if absolute else None,
        month=start.month if kind.endswith("Yearly") else None,
    )
    weekday = rrule.weekdays[WEEKDAYS.index(day)]
    if relative:
        position = [1, 2, 3, 4, -1][WEEK_INDEXES.index(index)]
        rule = rrule.rrule(rrule.MONTHLY, byweekday=weekday(position), dtstart=start.replace(day=1), count=1)
        fits = rule[0].date() == start
    elif kind == "weekly":
        fits = start.weekday() == WEEKDAYS.index(day)
    elif absolute:
        last = (start.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        fits = start.day == min(day_of_month, last.day)
    else:
        fits = True
    try:
        recurrence.complete(start)
        accepted = True
    except ArgumentError:
        accepted = False
    assert accepted == fits

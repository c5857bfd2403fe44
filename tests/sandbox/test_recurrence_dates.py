"""The dates of a recurrence equal python-dateutil's.

Where the two agree by themselves the same rule is given to both. They differ in two places, and there dateutil is asked
in other words: a day of the month that a month lacks (dateutil leaves the month out, Graph takes its last day) is asked
as the last of the days up to it; several days in a relative pattern are asked as the earliest of one rule per day.
"""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta
from typing import Any, Literal

import pytest
from dateutil import rrule
from hypothesis import given, settings
from hypothesis import strategies as st

from scalekit_mcp.sandbox.graph.calendar.recurrence import DAYS, INDEXES, Rule, dates, rule_from

MOST = 60
HORIZON = date(2200, 1, 1)
days = st.frozensets(st.integers(0, 6), min_size=1)
starts = st.dates(date(1990, 1, 1), date(2060, 12, 31))
indexes = st.sampled_from(sorted(INDEXES.values()))
NAMED_SETS = [frozenset(range(7)), frozenset(range(5)), frozenset({5, 6})]


@st.composite
def ends(draw: st.DrawFn, start: date) -> dict[str, Any]:
    kind = draw(st.sampled_from(["endDate", "noEnd", "numbered"]))
    if kind == "numbered":
        return {"count": draw(st.integers(1, 50))}
    if kind == "endDate":
        return {"end_date": start + timedelta(days=draw(st.integers(0, 5000)))}
    return {}


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    start = draw(starts)
    kind = draw(
        st.sampled_from(["daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly"])
    )
    return Rule(
        kind=kind,
        start_date=start,
        interval=draw(st.integers(1, 7)),
        days=draw(days),
        first_day=draw(st.integers(0, 6)),
        day_of_month=draw(st.integers(1, 31)),
        month=draw(st.integers(1, 12)),
        index=draw(indexes),
        several_days=draw(st.sampled_from(["first_match", "nth_listed"])),
        **draw(ends(start)),
    )


def expected(rule: Rule) -> list[date]:
    """The first dates of the rule as dateutil sees them, bounded by the horizon."""
    base: dict[str, Any] = {
        "dtstart": datetime.combine(rule.start_date, datetime.min.time()),
        "interval": rule.interval,
        "until": datetime.combine(min(rule.end_date or HORIZON, HORIZON), datetime.min.time()),
    }
    if rule.kind == "daily":
        found = iter(rrule.rrule(rrule.DAILY, **base))
    elif rule.kind == "weekly":
        found = iter(rrule.rrule(rrule.WEEKLY, byweekday=sorted(rule.days), wkst=rule.first_day, **base))
    else:
        frequency: Literal[0, 1] = rrule.YEARLY if rule.kind.endswith("Yearly") else rrule.MONTHLY
        if frequency == rrule.YEARLY:
            base["bymonth"] = rule.month
        if rule.kind.startswith("absolute"):
            found = iter(rrule.rrule(frequency, bymonthday=range(1, rule.day_of_month + 1), bysetpos=-1, **base))
        else:
            found = _relative(rule, frequency, base)
    return [at.date() for at in itertools.islice(found, min(MOST, rule.count or MOST))]


def _relative(rule: Rule, frequency: Literal[0, 1], base: dict[str, Any]) -> Any:
    position = rule.index + 1 if rule.index >= 0 else -1
    if rule.several_days == "nth_listed" or rule.days in NAMED_SETS:
        return iter(rrule.rrule(frequency, byweekday=sorted(rule.days), bysetpos=position, **base))
    # The earliest of the months' n-th days, judged by whole months, then cut at the start.
    whole = {**base, "dtstart": base["dtstart"].replace(day=1)}
    each = [rrule.rrule(frequency, byweekday=rrule.weekday(day)(position), **whole) for day in rule.days]
    merged = rrule.rruleset()
    for one in each:
        merged.rrule(one)
    by_month = itertools.groupby(merged, key=lambda at: (at.year, at.month))
    earliest = (next(group) for _, group in by_month)
    return (at for at in earliest if at >= base["dtstart"])


@settings(max_examples=400)
@given(rules())
def test_the_dates_of_a_rule_equal_dateutils(rule: Rule):
    assert list(itertools.islice(dates(rule, last=HORIZON), MOST)) == expected(rule)


@settings(max_examples=200)
@given(rules(), st.integers(-400, 4000), st.integers(0, 800))
def test_a_window_shows_exactly_the_dates_of_the_whole_series_inside_it(rule: Rule, offset: int, length: int):
    first = rule.start_date + timedelta(days=offset)
    last = first + timedelta(days=length)
    whole = itertools.takewhile(lambda day: day <= last, dates(rule, last=last))
    assert list(dates(rule, first, last)) == [day for day in whole if day >= first]


def test_a_thirty_first_falls_on_the_last_day_of_a_shorter_month():
    rule = Rule("absoluteMonthly", date(2027, 1, 31), day_of_month=31, count=4)
    assert list(dates(rule)) == [date(2027, 1, 31), date(2027, 2, 28), date(2027, 3, 31), date(2027, 4, 30)]


def test_the_first_day_of_the_week_decides_which_sunday_belongs_to_every_second_week():
    monday = Rule("weekly", date(2026, 4, 7), interval=2, days=frozenset({1, 6}), first_day=0, count=4)
    sunday = Rule("weekly", date(2026, 4, 7), interval=2, days=frozenset({1, 6}), first_day=6, count=4)
    assert list(dates(monday)) == [date(2026, 4, 7), date(2026, 4, 12), date(2026, 4, 21), date(2026, 4, 26)]
    assert list(dates(sunday)) == [date(2026, 4, 7), date(2026, 4, 19), date(2026, 4, 21), date(2026, 5, 3)]


def test_an_end_date_is_the_last_possible_date():
    rule = Rule("daily", date(2026, 4, 1), interval=2, end_date=date(2026, 4, 5))
    assert list(dates(rule)) == [date(2026, 4, 1), date(2026, 4, 3), date(2026, 4, 5)]


def test_the_last_weekday_of_a_month_counts_through_the_whole_set():
    rule = Rule("relativeMonthly", date(2026, 5, 1), days=frozenset(range(5)), index=-1, count=2)
    assert list(dates(rule)) == [date(2026, 5, 29), date(2026, 6, 30)]


@pytest.mark.parametrize(("several_days", "day"), [("first_match", date(2026, 5, 8)), ("nth_listed", date(2026, 5, 7))])
def test_the_second_thursday_or_friday_is_read_as_the_switch_says(several_days: str, day: date):
    rule = Rule("relativeMonthly", date(2026, 5, 1), days=frozenset({3, 4}), index=1, several_days=several_days)
    assert next(dates(rule)) == day


def test_a_series_without_end_stops_at_the_end_of_the_calendar():
    rule = Rule("absoluteYearly", date(9990, 2, 28), day_of_month=29, month=2)
    assert list(dates(rule))[-1] == date(9999, 2, 28)


def test_a_rule_is_read_from_its_echo():
    rule = rule_from(
        {
            "pattern": {
                "type": "weekly",
                "interval": 2,
                "month": 0,
                "dayOfMonth": 0,
                "daysOfWeek": ["monday", "wednesday"],
                "firstDayOfWeek": "monday",
                "index": "first",
            },
            "range": {
                "type": "numbered",
                "startDate": "2026-04-06",
                "endDate": "0001-01-01",
                "numberOfOccurrences": 10,
            },
        }
    )
    assert rule == Rule(
        "weekly",
        date(2026, 4, 6),
        2,
        frozenset({0, 2}),
        first_day=DAYS.index("monday"),
        day_of_month=0,
        month=0,
        count=10,
    )

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from dateutil import tz
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.calendar.listing.window import Window
from scalekit_mcp.calendar.mailbox import Span
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools.remarks import NO_REMARKS
from scalekit_mcp.tools.zones.zone import resolve_zone

ZONES = ["UTC", "America/New_York", "Asia/Tokyo", "Europe/Berlin", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kolkata"]


def window(start: str, end: str, zone: str = "UTC") -> Window:
    return Window.of(datetime.fromisoformat(start), datetime.fromisoformat(end), resolve_zone(zone))


def timed(start: str, end: str, zone: str = "UTC", name: str = "e") -> dict[str, Any]:
    return {"id": name, "isAllDay": False, "start": moment(start, zone), "end": moment(end, zone)}


def all_day(first: str, end: str, name: str = "d") -> dict[str, Any]:
    return {"id": name, "isAllDay": True, "start": moment(first + "T00:00:00"), "end": moment(end + "T00:00:00")}


def moment(text: str, zone: str = "UTC") -> dict[str, Any]:
    return {"dateTime": f"{text}.0000000", "timeZone": zone}


def test_the_request_is_a_day_wider_on_both_sides_and_in_utc():
    week = window("2026-04-01T00:00:00", "2026-04-08T00:00:00", "America/New_York")
    assert week.span() == Span(datetime(2026, 3, 31, 4, tzinfo=UTC), datetime(2026, 4, 9, 4, tzinfo=UTC))


def test_a_later_page_asks_from_a_day_before_its_first_event():
    week = window("2026-04-01T00:00:00", "2026-04-08T00:00:00")
    assert week.span(after=datetime(2026, 4, 5, tzinfo=UTC)).begin == datetime(2026, 4, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "held"),
    [
        (timed("2026-04-01T09:00:00", "2026-04-01T10:00:00"), True),
        (timed("2026-03-31T23:00:00", "2026-04-01T00:00:00"), False),
        (timed("2026-03-31T23:00:00", "2026-04-01T00:00:01"), True),
        (timed("2026-04-02T00:00:00", "2026-04-02T01:00:00"), False),
        (timed("2026-03-01T00:00:00", "2026-05-01T00:00:00"), True),
        (timed("2026-04-01T00:00:00", "2026-04-01T00:00:00"), True),
        (timed("2026-04-02T00:00:00", "2026-04-02T00:00:00"), False),
        (all_day("2026-04-01", "2026-04-02"), True),
        (all_day("2026-03-31", "2026-04-01"), False),
        (all_day("2026-04-02", "2026-04-03"), False),
        (all_day("2026-03-30", "2026-04-05"), True),
    ],
)
def test_a_day_holds_exactly_what_overlaps_it(event: dict[str, Any], held: bool):
    assert window("2026-04-01T00:00:00", "2026-04-02T00:00:00").holds(event) is held


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day", range(-2, 3))
def test_all_day_events_are_cut_by_their_dates_in_every_zone(zone: str, day: int):
    wanted = date(2026, 4, 1)
    first = wanted + timedelta(days=day)
    event = all_day(str(first), str(first + timedelta(days=1)))
    assert window("2026-04-01T00:00:00", "2026-04-02T00:00:00", zone).holds(event) is (first == wanted)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("day", [0, 1])
def test_the_wider_request_reaches_every_all_day_event_of_the_window_as_a_utc_day(zone: str, day: int):
    asked = window("2026-04-01T00:00:00", "2026-04-03T00:00:00", zone).span()
    midnight = datetime(2026, 4, 1 + day, tzinfo=UTC)
    assert asked.begin < midnight + timedelta(days=1)
    assert asked.end > midnight


@given(st.integers(0, 4 * 24 * 12), st.integers(0, 300), st.sampled_from(ZONES))
def test_timed_events_are_cut_by_the_overlap_of_instants(start: int, length: int, zone: str):
    begin = datetime.fromisoformat("2026-03-31") + timedelta(minutes=5 * start)
    end = begin + timedelta(minutes=5 * length)
    low = datetime(2026, 4, 1, tzinfo=tz.gettz(zone)).astimezone(UTC)
    high = datetime(2026, 4, 3, tzinfo=tz.gettz(zone)).astimezone(UTC)
    first, last = begin.replace(tzinfo=UTC), end.replace(tzinfo=UTC)
    overlaps = first < high and (last > low or first == last == low)
    held = window("2026-04-01T00:00:00", "2026-04-03T00:00:00", zone).holds(timed(begin.isoformat(), end.isoformat()))
    assert held is overlaps


def test_times_in_the_answers_zone_are_read_in_that_zone():
    tokyo = window("2026-04-01T00:00:00", "2026-04-02T00:00:00", "Asia/Tokyo")
    assert tokyo.holds(timed("2026-04-01T08:00:00", "2026-04-01T09:00:00", "Tokyo Standard Time"))
    assert not tokyo.holds(timed("2026-04-01T16:00:00", "2026-04-01T17:00:00", "UTC"))


def test_all_day_events_stand_at_their_local_midnight_before_timed_ones():
    york = window("2026-04-01T00:00:00", "2026-04-03T00:00:00", "America/New_York")
    events = [
        timed("2026-04-02T00:00:00", "2026-04-02T01:00:00", "Eastern Standard Time", "midnight"),
        all_day("2026-04-02", "2026-04-03", "day"),
        timed("2026-04-01T21:00:00", "2026-04-01T22:00:00", "Eastern Standard Time", "evening"),
    ]
    assert [event["id"] for event in sorted(events, key=york.key)] == ["evening", "day", "midnight"]


@given(st.sampled_from(ZONES), st.booleans(), st.booleans(), st.integers(0, 96), st.integers(0, 96))
def test_no_later_row_of_microsofts_order_comes_before_what_is_settled(
    zone: str, first_all_day: bool, second_all_day: bool, first: int, second: int
):
    view = window("2026-03-25T00:00:00", "2026-04-10T00:00:00", zone)

    def row(hours: int, whole_day: bool) -> tuple[datetime, dict[str, Any]]:
        at = datetime.fromisoformat("2026-04-01") + timedelta(hours=hours)
        if whole_day:
            at = datetime.combine(at.date(), datetime.min.time())
            return at, all_day(str(at.date()), str(at.date() + timedelta(days=1)))
        return at, timed(at.isoformat(), at.isoformat())

    (_, earlier), (_, later) = sorted([row(first, first_all_day), row(second, second_all_day)], key=lambda r: r[0])
    assert view.key(later)[0] >= view.settled_before(earlier)


def test_a_window_of_ten_years_is_refused_with_the_limit_in_the_message():
    with pytest.raises(InvalidInput, match="1825 days") as refused:
        window("2020-01-01T00:00:00", "2030-01-01T00:00:00")
    assert refused.value.details["field"] == "end_datetime"


def test_the_longest_window_keeps_within_microsofts_limit_and_tells_what_it_may_miss():
    longest = window("2026-01-01T00:00:00", "2030-12-31T00:00:00")
    asked = longest.span()
    assert asked.end - asked.begin == timedelta(days=1825)
    assert "all-day" in " ".join(longest.remarks.warnings)
    assert window("2026-01-01T00:00:00", "2026-12-31T00:00:00").remarks == NO_REMARKS


def test_an_empty_window_is_refused():
    with pytest.raises(InvalidInput) as refused:
        window("2026-04-01T00:00:00", "2026-04-01T00:00:00")
    assert refused.value.details["field"] == "end_datetime"


def test_a_window_that_begins_inside_a_gap_is_refused():
    with pytest.raises(InvalidInput, match="does not exist") as refused:
        window("2026-03-08T02:30:00", "2026-03-09T00:00:00", "America/New_York")
    assert refused.value.details["field"] == "start_datetime"

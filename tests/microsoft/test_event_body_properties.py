"""Laws of the mapping, over many events and many clocks."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import available_timezones

import pytest
from dateutil import tz
from hypothesis import given
from hypothesis import strategies as st
from tzlocal.windows_tz import win_tz

from scalekit_mcp.calendar.events.recurrence import graph_recurrence, recurrence_from_graph
from scalekit_mcp.calendar.events.writing.body import create_body, patch_body
from scalekit_mcp.calendar.events.zones import GRAPH_IANA_NAMES, graph_zone
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools import CreateCalendarEvent, Recurrence, UpdateCalendarEvent, parse_arguments, resolve_zone
from scalekit_mcp.tools.inputs.recurrence import TYPES, WEEK_INDEXES, WEEKDAYS
from scalekit_mcp.tools.inputs.values import ArgumentError

ZONES = sorted(available_timezones() - {"Factory", "localtime", "posixrules", "Antarctica/Troll"})
FIRST, LAST = datetime.fromisoformat("2026-01-01T00:00:00"), datetime.fromisoformat("2030-12-31T00:00:00")

CURRENT: dict[str, Any] = {
    "type": "singleInstance",
    "start": {"dateTime": "2026-04-01T14:00:00.0000000", "timeZone": "UTC"},
    "end": {"dateTime": "2026-04-01T15:00:00.0000000", "timeZone": "UTC"},
    "originalStartTimeZone": "Eastern Standard Time",
    "isAllDay": False,
    "isOnlineMeeting": False,
    "recurrence": None,
    "attendees": [],
    "body": {"contentType": "html", "content": "<html><body>old</body></html>"},
}

GROUPS: dict[str, dict[str, Any]] = {
    "subject": {"subject": "x"},
    "body": {"body_content": "x"},
    "location": {"location": "Room"},
    "attendees": {"attendees_optional": "a@x.com"},
    "hideAttendees": {"hideAttendees": True},
    "isOnlineMeeting": {"isOnlineMeeting": True},
    "isReminderOn": {"isReminderOn": True},
    "reminderMinutesBeforeStart": {"reminderMinutesBeforeStart": 5},
    "importance": {"importance": "low"},
    "sensitivity": {"sensitivity": "private"},
    "showAs": {"showAs": "free"},
    "categories": {"categories": "Red"},
    "recurrence": {"recurrence_type": "daily", "recurrence_occurrences": 3},
    "end": {"end_datetime": "2026-04-01T12:00:00", "end_timezone": "America/New_York"},
}


@given(st.sets(st.sampled_from(sorted(GROUPS)), min_size=1))
def test_a_patch_body_holds_exactly_the_given_fields(names: set[str]) -> None:
    arguments = {"event_id": "A"} | {key: value for name in names for key, value in GROUPS[name].items()}
    args = parse_arguments("outlook_update_calendar_event", arguments)
    assert isinstance(args, UpdateCalendarEvent)
    assert set(patch_body(args, CURRENT).body) == names


@given(
    zones=st.tuples(st.sampled_from(ZONES), st.sampled_from(ZONES)),
    start=st.datetimes(FIRST, LAST).map(lambda d: d.replace(microsecond=0)),
    minutes=st.integers(24 * 60 + 30 * 60, 60 * 24 * 60),
)
def test_the_wall_time_and_zone_asked_for_are_the_ones_sent(
    zones: tuple[str, str], start: datetime, minutes: int
) -> None:
    assert_sent(zones, start, start + timedelta(minutes=minutes))


def clock_changes(name: str) -> list[datetime]:
    """The wall times around each change of a zone's clock in five years, read from dateutil."""
    zone, hour = tz.gettz(name), timedelta(hours=1)
    assert zone is not None
    found: list[datetime] = []
    day = datetime(2026, 1, 1, tzinfo=UTC)
    offset = day.astimezone(zone).utcoffset()
    while day.year < 2031:
        following = day + timedelta(days=1)
        if (after := following.astimezone(zone).utcoffset()) != offset:
            moment = day
            while (moment + hour).astimezone(zone).utcoffset() == offset:
                moment += hour
            wall = moment.astimezone(zone).replace(tzinfo=None)
            found += [wall + timedelta(minutes=m) for m in (-60, -30, 0, 30, 59, 60, 90, 120)]
        day, offset = following, after
    return found


@pytest.mark.parametrize("block", range(8))
def test_around_every_change_of_every_clock_times_arrive_or_are_refused_as_gaps(block: int) -> None:
    seen = 0
    for name in ZONES[block::8]:
        for wall in clock_changes(name):
            seen += assert_sent((name, name), wall, wall + timedelta(days=1))
    assert seen > 400


def assert_sent(zones: tuple[str, str], start: datetime, end: datetime) -> int:
    """Held against dateutil, which reads the tz database by itself."""
    arguments = {
        "subject": "x",
        "start_datetime": start.isoformat(),
        "start_timezone": zones[0],
        "end_datetime": end.isoformat(),
        "end_timezone": zones[1],
    }
    edges = {"start": (start, zones[0]), "end": (end, zones[1])}
    gaps = [edge for edge, (wall, name) in edges.items() if not tz.datetime_exists(wall, tz.gettz(name))]
    if gaps:
        with pytest.raises(InvalidInput) as caught:
            parse_arguments("outlook_create_calendar_event", arguments)
        assert caught.value.details["field"] == f"{gaps[0]}_datetime"
        return 1
    args = parse_arguments("outlook_create_calendar_event", arguments)
    assert isinstance(args, CreateCalendarEvent)
    body = create_body(args, transaction_id="t")
    folds = 0
    for edge, (wall, name) in edges.items():
        assert body[edge]["dateTime"] == wall.isoformat()
        sent = body[edge]["timeZone"]
        assert sent in GRAPH_IANA_NAMES or sent in win_tz
        theirs, ours = tz.gettz(win_tz.get(sent, sent)), tz.gettz(name)
        assert wall.replace(tzinfo=theirs).utcoffset() == wall.replace(tzinfo=ours).utcoffset()
        folds += tz.datetime_ambiguous(wall, ours)
    assert sum("happens twice" in warning for warning in args.remarks.notes) == folds
    return 1


def test_a_zone_goes_out_under_a_name_that_graph_takes() -> None:
    for name in ZONES:
        sent = graph_zone(name)
        assert sent in GRAPH_IANA_NAMES or sent in win_tz


def test_every_listed_iana_name_is_one() -> None:
    assert available_timezones() >= GRAPH_IANA_NAMES
    for name in GRAPH_IANA_NAMES:
        assert graph_zone(name) == name
        resolve_zone(name)


@given(
    start=st.dates(date(2026, 1, 1), date(2031, 12, 31)),
    parts=st.fixed_dictionaries(
        {"type": st.sampled_from(TYPES)},
        optional={
            "interval": st.integers(1, 999),
            "occurrences": st.integers(1, 999),
            "first_day_of_week": st.sampled_from(WEEKDAYS),
            "week_index": st.sampled_from(WEEK_INDEXES),
            "range_type": st.sampled_from(["noEnd", "numbered"]),
        },
    ),
)
def test_a_recurrence_keeps_every_field_through_graphs_json(start: date, parts: dict[str, Any]) -> None:
    try:
        whole = Recurrence(**parts).complete(start)
    except ArgumentError:
        return
    assert recurrence_from_graph(graph_recurrence(whole, "UTC")) == whole


@given(
    start=st.datetimes(FIRST, LAST).map(lambda d: d.replace(microsecond=0)),
    name=st.sampled_from(ZONES),
    minutes=st.integers(1, 3 * 24 * 60),
)
def test_a_start_alone_keeps_the_duration_to_the_minute(start: datetime, name: str, minutes: int) -> None:
    end = datetime.fromisoformat("2026-04-01T14:00:00") + timedelta(minutes=minutes)
    current = CURRENT | {"end": {"dateTime": f"{end.isoformat()}.0000000", "timeZone": "UTC"}}
    if not tz.datetime_exists(start, tz.gettz(name)):
        return
    args = parse_arguments(
        "outlook_update_calendar_event", {"event_id": "A", "start_datetime": start.isoformat(), "start_timezone": name}
    )
    assert isinstance(args, UpdateCalendarEvent)
    body = patch_body(args, current).body
    sent = [
        datetime.fromisoformat(body[edge]["dateTime"])
        .replace(tzinfo=tz.gettz(win_tz.get(body[edge]["timeZone"], body[edge]["timeZone"])))
        .astimezone(UTC)
        for edge in ("start", "end")
    ]
    assert sent[1] - sent[0] == timedelta(minutes=minutes)

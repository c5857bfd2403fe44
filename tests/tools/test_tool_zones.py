"""Zone names of every family, and the two hours of the year that need care."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from tzlocal.windows_tz import win_tz

from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools import CreateCalendarEvent, parse_arguments, present, resolve_zone
from scalekit_mcp.tools.inputs.values import ArgumentError
from scalekit_mcp.tools.zones.zone import to_instant

MEETING = {"subject": "x", "start_timezone": "America/New_York", "end_timezone": "America/New_York"}
NOT_PLACES = {"Factory", "localtime", "posixrules"}
WITHOUT_EQUAL = {"Antarctica/Troll"}


def create(**arguments: object) -> CreateCalendarEvent:
    args = parse_arguments("outlook_create_calendar_event", MEETING | arguments)
    assert isinstance(args, CreateCalendarEvent)
    return args


@pytest.mark.parametrize(
    ("name", "iana", "windows"),
    [
        ("America/New_York", "America/New_York", "Eastern Standard Time"),
        ("america/new_york", "America/New_York", "Eastern Standard Time"),
        ("Eastern Standard Time", "America/New_York", "Eastern Standard Time"),
        (" eastern  standard time ", "America/New_York", "Eastern Standard Time"),
        ("US/Eastern", "US/Eastern", "Eastern Standard Time"),
        ("Asia/Calcutta", "Asia/Calcutta", "India Standard Time"),
        ("Asia/Kolkata", "Asia/Kolkata", "India Standard Time"),
        ("Africa/Casablanca", "Africa/Casablanca", "Morocco Standard Time"),
        ("Europe/Kyiv", "Europe/Kyiv", "FLE Standard Time"),
        ("UTC", "UTC", "UTC"),
        ("GMT", "GMT", "UTC"),
        ("EST5EDT", "EST5EDT", "Eastern Standard Time"),
    ],
)
def test_a_zone_is_known_by_its_iana_windows_and_older_names(name: str, iana: str, windows: str) -> None:
    zone = resolve_zone(name)
    assert (ZoneInfo(zone.iana).key, zone.windows) in {(iana, windows), (win_tz[windows], windows)}
    assert zone.windows == windows


def test_every_iana_name_but_one_without_an_equal_has_a_windows_name() -> None:
    for name in available_timezones() - NOT_PLACES - WITHOUT_EQUAL:
        assert resolve_zone(name).windows in win_tz
    with pytest.raises(ArgumentError):
        resolve_zone("Antarctica/Troll")


def test_the_windows_name_of_a_zone_shows_the_same_clock_for_five_years() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for name in available_timezones() - NOT_PLACES - WITHOUT_EQUAL:
        zone = resolve_zone(name)
        own, microsofts = zone.tzinfo, ZoneInfo(win_tz[zone.windows])
        for hours in range(0, 5 * 366 * 24, 24 * 7):
            instant = start + timedelta(hours=hours)
            assert instant.astimezone(own).utcoffset() == instant.astimezone(microsofts).utcoffset(), (name, instant)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("America/NewYork", "America/New_York"),
        ("New York", "America/New_York"),
        ("Eastern Standard", "Eastern Standard Time"),
        ("Europe/Berln", "Europe/Berlin"),
    ],
)
def test_an_unknown_zone_is_refused_with_the_nearest_names(name: str, hint: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        resolve_zone(name)
    assert hint in caught.value.message


def test_a_time_that_the_clock_skips_is_refused_with_the_next_one_that_exists() -> None:
    with pytest.raises(InvalidInput) as caught:
        create(start_datetime="2026-03-08T02:30:00", end_datetime="2026-03-08T04:00:00")
    assert caught.value.details["field"] == "start_datetime"
    assert "2026-03-08T03:30:00" in caught.value.message
    with pytest.raises(InvalidInput) as caught:
        create(start_datetime="2026-03-08T01:30:00", end_datetime="2026-03-08T02:00:00")
    assert caught.value.details["field"] == "end_datetime"


def test_of_a_time_that_happens_twice_the_first_is_taken_and_said() -> None:
    args = create(start_datetime="2026-11-01T01:30:00", end_datetime="2026-11-01T02:30:00")
    assert args.start_datetime == datetime.fromisoformat("2026-11-01T01:30:00")
    assert len(args.remarks.notes) == 1
    assert "start_datetime" in args.remarks.notes[0]
    assert "-04:00" in args.remarks.notes[0]


def test_the_instant_of_a_fold_is_the_first_of_the_two() -> None:
    instant = to_instant(datetime.fromisoformat("2026-11-01T01:30:00"), resolve_zone("America/New_York"))
    assert instant == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_half_an_hour_of_daylight_saving_is_understood() -> None:
    """Lord Howe Island puts its clock forward by thirty minutes."""
    zone = resolve_zone("Australia/Lord_Howe")
    with pytest.raises(ArgumentError, match="02:45:00"):
        to_instant(datetime.fromisoformat("2026-10-04T02:15:00"), zone)


def test_midnight_of_an_all_day_event_may_be_skipped_by_the_clock() -> None:
    """Santiago puts its clock forward at midnight; the day exists all the same."""
    args = create(
        isAllDay=True,
        start_datetime="2026-09-06",
        end_datetime="2026-09-07",
        start_timezone="America/Santiago",
        end_timezone="America/Santiago",
    )
    assert args.start_datetime == datetime.fromisoformat("2026-09-06T00:00:00")


def test_now_tells_local_time_with_offset_zone_and_weekday():
    assert present(datetime(2026, 4, 1, 2, 30, tzinfo=UTC), resolve_zone("America/New_York")) == {
        "dateTime": "2026-03-31T22:30:00-04:00",
        "timeZone": "America/New_York",
        "weekday": "Tuesday",
    }

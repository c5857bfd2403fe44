"""Offsets, abbreviations and misspelt names where a zone is asked for: nothing is booked at another hour than meant."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from scalekit_mcp.errors import ConfigurationError, InvalidInput
from scalekit_mcp.settings import Settings
from scalekit_mcp.tools import CreateCalendarEvent, ListCalendarEvents, UpdateCalendarEvent, parse_arguments
from scalekit_mcp.tools.inputs.values import ArgumentError
from scalekit_mcp.tools.zones.zone import resolve_zone

MARCH, JANUARY, JULY = "2026-03-16", "2026-01-12", "2026-07-06"


def create(zone: str, day: str, **more: object) -> CreateCalendarEvent:
    times = {"start_datetime": f"{day}T10:00:00", "end_datetime": f"{day}T11:00:00"}
    zones = {"start_timezone": zone, "end_timezone": zone}
    args = parse_arguments("outlook_create_calendar_event", {"subject": "x", **times, **zones, **more})
    assert isinstance(args, CreateCalendarEvent)
    return args


def refused(tool: str, arguments: Mapping[str, object]) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parse_arguments(tool, arguments)
    return caught.value


OFFSETS = [
    "GMT+1", "UTC+2", "+02:00", "-5", "utc-05:30", "GMT +1", "UTC\N{MINUS SIGN}5", "Etc/GMT+15", "Etc/UTC+2", "UTC2",
    "(UTC+01:00) Amsterdam, Berlin", "GMT+1 (Paris)", "CET+1", "UTC-8", "+0530",
]  # fmt: skip


@pytest.mark.parametrize("name", OFFSETS)
def test_an_offset_is_refused_and_no_zone_is_named_for_it(name: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        resolve_zone(name)
    assert "an offset" in caught.value.message
    assert "ask the user for their city" in caught.value.message
    assert not re.search(r"Etc/|did you mean|UTC", caught.value.message.replace(name, ""))


@pytest.mark.parametrize("name", ["UTC+0", "+00:00", "GMT+00:00", "utc-0"])
def test_an_offset_of_nothing_may_be_utc(name: str) -> None:
    with pytest.raises(ArgumentError, match="write UTC if that is meant"):
        resolve_zone(name)


def test_an_offset_that_is_a_name_of_the_tz_database_is_taken_as_it_is_and_its_sign_is_noted() -> None:
    args = create("Etc/GMT+1", MARCH)
    assert args.start_timezone == "Etc/GMT+1"
    assert args.remarks.members() == {"notes": ["Etc/GMT+1 is UTC-1: the sign of these names is reversed."]}


@pytest.mark.parametrize(
    "name",
    ["local", "here", "my time", "home", "office", "system", "default", "user", "local time", "timezone", "north",
     "West Standard Time", "N. Europe Standard Time", "Asia/local", "America/Orlal", "NYC", "Lime", "tz",
     "../etc/passwd", "qqqqqqqqqqqqq"],
)  # fmt: skip
def test_a_word_that_names_no_place_brings_up_none(name: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        resolve_zone(name)
    assert "did you mean" not in caught.value.message
    assert "ask the user for their city" in caught.value.message


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CET/Paris", "Europe/Paris"),
        ("Paris, France", "Europe/Paris"),
        ("Eastern", "Eastern Standard Time"),
        ("Eastern Time (US & Canada)", "Eastern Standard Time"),
        ("Pacific Daylight Time", "Pacific Standard Time"),
        ("Central", "Central Standard Time"),
        ("Central European Summer Time", "Central European Standard Time"),
        ("Berlin", "Europe/Berlin"),
        ("berlin time", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("new_york", "America/New_York"),
        ("Europe/New_York", "America/New_York"),
        ("Asia/Berlin", "Europe/Berlin"),
        ("America/Los Angelos", "America/Los_Angeles"),
        ("Eastern Standrd Time", "Eastern Standard Time"),
        ("Easter Standard Time", "Eastern Standard Time"),
        ("Tokyo Standart Time", "Tokyo Standard Time"),
        ("E. Europe Standard Tim", "E. Europe Standard Time"),
    ],
)
def test_a_misspelt_name_brings_up_the_one_place_it_is_like(name: str, meant: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        resolve_zone(name)
    assert caught.value.message.endswith(f"did you mean {meant}?")
    resolve_zone(meant)


@pytest.mark.parametrize(
    ("name", "place", "day"),
    [
        ("EST", "America/New_York", JANUARY),
        ("est", "America/New_York", JANUARY),
        ("EDT", "America/New_York", MARCH),
        ("CST", "America/Chicago", JANUARY),
        ("CDT", "America/Chicago", JULY),
        ("MST", "America/Denver", JANUARY),
        ("PST", "America/Los_Angeles", JANUARY),
        ("PDT", "America/Los_Angeles", JULY),
        ("CEST", "Europe/Berlin", JULY),
        ("JST", "Asia/Tokyo", JULY),
        ("HST", "Pacific/Honolulu", JULY),
        ("AEST", "Australia/Sydney", JULY),
        ("NZDT", "Pacific/Auckland", JANUARY),
    ],
)
def test_an_abbreviation_is_its_citys_zone_where_the_clock_there_agrees(name: str, place: str, day: str) -> None:
    args = create(name, day)
    assert (args.start_timezone, args.end_timezone) == (place, place)
    assert args.remarks.warnings == ()
    assert args.remarks.members()["notes"] == [f"'{name.upper()}' was read as {place}."]


@pytest.mark.parametrize(
    ("name", "place", "hours", "day"),
    [
        ("EST", "America/New_York", -5, MARCH),
        ("EDT", "America/New_York", -4, JANUARY),
        ("CST", "America/Chicago", -6, JULY),
        ("MST", "America/Denver", -7, JULY),
        ("PST", "America/Los_Angeles", -8, JULY),
        ("PDT", "America/Los_Angeles", -7, JANUARY),
        ("CEST", "Europe/Berlin", 2, JANUARY),
        ("AEST", "Australia/Sydney", 10, JANUARY),
    ],
)
def test_an_abbreviation_that_the_clock_contradicts_is_refused_with_two_readings_that_work(
    name: str, place: str, hours: int, day: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        create(name, day)
    assert caught.value.details["field"] == "start_timezone"
    found = re.search(r"write (\S+) if that clock is meant, or (\S+) and start_datetime (\S+) if", caught.value.message)
    assert found is not None
    assert found[1] == place
    assert create(found[1], day).start_timezone == place
    start = datetime.fromisoformat(found[3]).replace(tzinfo=ZoneInfo(found[2]))
    assert start == datetime.fromisoformat(f"{day}T10:00:00").replace(tzinfo=UTC) - timedelta(hours=hours)


def test_each_end_of_an_event_is_held_against_its_own_date() -> None:
    with pytest.raises(InvalidInput) as caught:
        create("EST", "2026-03-07", end_datetime="2026-03-08T10:00:00")
    assert caught.value.details["field"] == "end_timezone"


def test_the_second_of_two_equal_hours_is_not_taken_for_the_first() -> None:
    first, second = ({"start_datetime": "2026-11-01T01:30:00", "start_timezone": name} for name in ("EDT", "EST"))
    args = parse_arguments("outlook_update_calendar_event", {"event_id": "x", **first})
    assert isinstance(args, UpdateCalendarEvent)
    assert args.start_timezone == "America/New_York"
    error = refused("outlook_update_calendar_event", {"event_id": "x", **second})
    assert "UTC and start_datetime 2026-11-01T06:30:00" in error.message


def test_whole_days_know_no_offset_so_that_their_abbreviation_is_the_place() -> None:
    days = {"start_datetime": JULY, "end_datetime": "2026-07-07", "isAllDay": True}
    assert create("EST", JULY, **days).start_timezone == "America/New_York"


@pytest.mark.parametrize("name", ["IST", "BST", "AST"])
def test_an_abbreviation_of_several_places_is_refused_naming_them(name: str) -> None:
    for day in (JANUARY, JULY):
        with pytest.raises(InvalidInput) as caught:
            create(name, day)
        named = re.findall(r"[A-Z]\w+/\w+", caught.value.message)
        assert len(named) > 1
        assert all(resolve_zone(place).iana == place for place in named)


def test_a_winter_name_that_has_summer_time_is_taken_and_told() -> None:
    assert create("CET", JULY).remarks.members() == {"notes": ["'CET' has summer time: on 2026-07-06 it is at UTC+2."]}
    assert create("CET", JANUARY).remarks.members() == {}


def test_a_window_is_read_by_the_same_rule_at_both_ends() -> None:
    window = {"start_datetime": "2026-03-02T00:00:00", "end_datetime": "2026-03-08T00:00:00", "timezone": "EST"}
    args = parse_arguments("outlook_list_calendar_events", window)
    assert isinstance(args, ListCalendarEvents)
    assert args.timezone == "America/New_York"
    error = refused("outlook_list_calendar_events", {**window, "end_datetime": "2026-03-16T00:00:00"})
    assert error.details["field"] == "timezone"
    assert "end_datetime 2026-03-16T05:00:00" in error.message


@pytest.mark.parametrize("tool", ["outlook_get_calendar_event", "outlook_list_calendar_events"])
def test_without_a_date_only_an_abbreviation_that_lasts_all_year_is_taken(tool: str) -> None:
    arguments = {"event_id": "x"} if "get" in tool else {}
    assert "America/New_York" in refused(tool, {**arguments, "timezone": "EST"}).message
    assert getattr(parse_arguments(tool, {**arguments, "timezone": "JST"}), "timezone") == "Asia/Tokyo"  # noqa: B009


@pytest.mark.parametrize("name", ["EST", "MST", "JST", "IST", "UTC+2", "GMT+1", "local"])
async def test_the_zone_of_answers_in_the_settings_is_held_to_the_same_names(name: str) -> None:
    from scalekit_mcp.actions import open_actions

    with pytest.raises(ConfigurationError, match="SCALEKIT_MCP_TIMEZONE"):
        async with open_actions(Settings.model_validate({"sandbox": True, "timezone": name})):
            raise AssertionError("opened")


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-04-01T11:00:00Z", "2026-04-01T11:00:00"),
        ("2026-04-01 11:00Z", "2026-04-01T11:00:00"),
        ("2026-04-01T11:00:00.000+02:00", "2026-04-01T09:00:00"),
        ("2026-04-01T23:30:00-0500", "2026-04-02T04:30:00"),
        ("2026-04-01T11:00:00\N{MINUS SIGN}05:30", "2026-04-01T16:30:00"),
        ("2026-04-01T11:00 UTC", "2026-04-01T11:00:00"),
    ],
)
@pytest.mark.parametrize("parameter", ["start_datetime", "end_datetime"])
def test_a_time_with_an_offset_is_refused_with_two_readings_that_work(
    parameter: str, written: str, instant: str
) -> None:
    times = {"start_datetime": "2026-03-01T10:00:00", "end_datetime": "2026-05-01T10:00:00"}
    window = {**times, "timezone": "Europe/Berlin"}
    for tool, arguments in (("outlook_list_calendar_events", window), ("outlook_update_calendar_event", {})):
        zone_field = "timezone" if arguments else parameter.replace("datetime", "timezone")
        needed = arguments or {"event_id": "x", zone_field: "Europe/Berlin"}
        message = refused(tool, {**needed, parameter: written}).message
        found = re.search(r"write (\S+) if the clock in (\w+) shows that, or (\S+) and (\w+) UTC if", message)
        assert found is not None
        assert found[2] == found[4] == zone_field
        assert found[3] == instant
        parse_arguments(tool, {**needed, parameter: found[1]})
        parse_arguments(tool, {**needed, parameter: found[3], zone_field: "UTC"})

"""What a model sends, and what becomes of it."""

import json
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools import TOOLS, Attendee, CreateCalendarEvent, ListCalendarEvents, UpdateCalendarEvent
from scalekit_mcp.tools import parse_arguments as parse
from scalekit_mcp.tools.remarks import NO_REMARKS
from tests.support.least_arguments import LEAST

CREATE = "outlook_create_calendar_event"
GET = "outlook_get_calendar_event"
LIST = "outlook_list_calendar_events"
UPDATE = "outlook_update_calendar_event"
DELETE = "outlook_delete_calendar_event"

MEETING = {
    "subject": "Q2 Planning Kickoff",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "America/New_York",
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": "America/New_York",
}
WEEKLY = MEETING | {"start_datetime": "2026-04-06T09:00:00", "end_datetime": "2026-04-06T09:30:00"}


def created(**arguments: Any) -> CreateCalendarEvent:
    result = parse(CREATE, MEETING | arguments)
    assert isinstance(result, CreateCalendarEvent)
    return result


def updated(**arguments: Any) -> UpdateCalendarEvent:
    result = parse(UPDATE, {"event_id": "AAMk="} | arguments)
    assert isinstance(result, UpdateCalendarEvent)
    return result


def refusal(tool: str, arguments: dict[str, Any]) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parse(tool, arguments)
    error = caught.value
    for noise in ("pydantic", "Traceback", "type=", "ValidationError"):
        assert noise not in error.message
    assert len(error.message) < 2000
    assert error.next_step
    return error


def test_the_published_example_of_a_meeting_is_understood() -> None:
    args = created(
        body_content="Please review the Q2 roadmap doc before joining.",
        body_contentType="Text",
        attendees_required="alice@company.com, bob@company.com",
        attendees_optional="carol@company.com",
        isOnlineMeeting=True,
        reminderMinutesBeforeStart=15,
    )
    assert args.start_datetime == datetime.fromisoformat("2026-04-01T10:00:00")
    assert args.start_timezone == "America/New_York"
    assert args.body_contentType == "text"
    assert args.attendees_required == (Attendee("alice@company.com"), Attendee("bob@company.com"))
    assert args.recurrence is None
    assert args.remarks == NO_REMARKS


def test_null_and_empty_text_are_absent() -> None:
    args = created(location="", body_content=None, isAllDay=None, categories="  ", attendees_optional=[])
    assert args.given == set(MEETING)


def test_given_names_what_was_supplied_and_nothing_else() -> None:
    assert updated(subject="New", showAs=None).given == {"event_id", "subject"}


def test_numbers_and_booleans_may_come_as_text() -> None:
    args = created(isAllDay="False", reminderMinutesBeforeStart="15", isReminderOn="true")
    assert (args.isAllDay, args.reminderMinutesBeforeStart, args.isReminderOn) == (False, 15, True)
    listed = parse(LIST, {"top": 20.0, "skip": "40"})
    assert isinstance(listed, ListCalendarEvents)
    assert (listed.top, listed.skip) == (20, 40)


@pytest.mark.parametrize(
    ("name", "sent", "expected"),
    [
        ("body_contentType", "HTML", "html"),
        ("importance", "High", "high"),
        ("showAs", "WORKINGELSEWHERE", "workingElsewhere"),
        ("sensitivity", "Private", "private"),
    ],
)
def test_enum_values_match_without_regard_to_letter_case(name: str, sent: str, expected: str) -> None:
    assert getattr(created(**{name: sent}, body_content="x"), name) == expected


@pytest.mark.parametrize(("short", "meaning"), [("monthly", "absoluteMonthly"), ("Yearly", "absoluteYearly")])
def test_short_recurrence_names_mean_the_absolute_pattern(short: str, meaning: str) -> None:
    recurrence = created(recurrence_type=short, recurrence_occurrences=3).recurrence
    assert recurrence is not None
    assert recurrence.type == meaning
    assert recurrence.day_of_month == 1


@pytest.mark.parametrize(
    "value",
    [
        "Ann Lee <ANN@x.com>, bob@x.com; ann@X.com",
        ["Ann Lee <ANN@x.com>", "bob@x.com", "ann@X.com"],
        '["Ann Lee <ANN@x.com>", "bob@x.com"]',
        [{"address": "ANN@x.com", "name": "Ann Lee"}, {"email": "bob@x.com"}],
        [{"emailAddress": {"address": "ANN@x.com", "name": "Ann Lee"}}, "bob@x.com"],
    ],
)
def test_attendees_come_as_text_or_arrays_and_doubles_are_folded(value: Any) -> None:
    assert created(attendees_required=value).attendees_required == (
        Attendee("ANN@x.com", "Ann Lee"),
        Attendee("bob@x.com"),
    )


@pytest.mark.parametrize("value", ['"Doe, Jane" <j@x.com>, b@x.com', "Doe, Jane <j@x.com>, b@x.com"])
def test_a_comma_in_a_name_does_not_split_an_attendee(value: str) -> None:
    assert created(attendees_required=value).attendees_required == (
        Attendee("j@x.com", "Doe, Jane"),
        Attendee("b@x.com"),
    )


@pytest.mark.parametrize(
    "address",
    [
        "alice",
        "alice@",
        "@x.com",
        "alice@x",
        "a b@x.com",
        "a@x..com",
        "a@b@x.com",
        "a@x.com\u202e",
        "<>",
    ],
)
def test_an_invalid_address_is_refused_by_its_value(address: str) -> None:
    error = refusal(CREATE, MEETING | {"attendees_required": f"bob@x.com, {address}"})
    assert error.details["field"] == "attendees_required"
    assert "e-mail address" in error.message
    assert address.strip("<>\u202e") in error.message


def test_a_long_value_is_not_echoed() -> None:
    assert "a" * 100 not in refusal(CREATE, MEETING | {"attendees_required": "a" * 5000}).message
    assert "Z" * 100 not in refusal(CREATE, MEETING | {"start_timezone": "Z" * 5000}).message


def test_one_address_in_two_kinds_is_refused() -> None:
    error = refusal(CREATE, MEETING | {"attendees_required": "a@x.com", "attendees_optional": "A@X.com"})
    assert error.details["field"] == "attendees_optional"
    assert "attendees_required" in error.message


def test_more_than_500_attendees_are_refused() -> None:
    people = [f"p{n}@x.com" for n in range(501)]
    assert "500" in refusal(CREATE, MEETING | {"attendees_required": people}).message
    split = {"attendees_required": people[:300], "attendees_optional": people[300:]}
    assert "500" in refusal(CREATE, MEETING | split).message
    assert len(created(attendees_required=people[:500]).attendees_required or ()) == 500


def test_locations_come_as_json_text_or_an_array() -> None:
    places = [
        {"displayName": "Room 1", "address": {"street": "1 Main St", "postalCode": 12345}},
        {"DisplayName": "Roof", "coordinates": {"latitude": "47.6", "longitude": -122.3}, "locationType": "hotel"},
    ]
    expected = (
        {"displayName": "Room 1", "address": {"street": "1 Main St", "postalCode": "12345"}},
        {"displayName": "Roof", "coordinates": {"latitude": 47.6, "longitude": -122.3}, "locationType": "hotel"},
    )
    assert created(locations=json.dumps(places)).locations == expected
    assert created(locations=places).locations == expected


@pytest.mark.parametrize(
    ("value", "fragment"),
    [
        ("Room 1, Room 2", "JSON"),
        ('[{"name": "x"}]', "displayName"),
        ('[{"displayName": 5}]', "[0].displayName"),
        ('[{"displayName": "x", "coordinates": {"latitude": 91, "longitude": 0}}]', "latitude"),
        ('[{"displayName": "x", "coordinates": {"latitude": 1}}]', "longitude"),
        ('[{"displayName": "x", "coordinates": {"latitude": NaN, "longitude": 0}}]', "latitude"),
        ('[{"displayName": "x", "address": "1 Main St"}]', "street"),
        ("[" * 50_000, "JSON"),
        ("5", "object"),
    ],
)
def test_malformed_locations_are_refused_with_their_place(value: str, fragment: str) -> None:
    error = refusal(CREATE, MEETING | {"locations": value})
    assert error.details["field"] == "locations"
    assert fragment in error.message


@pytest.mark.parametrize(
    ("tool", "arguments", "field", "fragment"),
    [
        (CREATE, MEETING | {"attendes_required": "a@x.com"}, "attendes_required", "did you mean attendees_required?"),
        (GET, {"event_id": "A", "user": "ann"}, "user", "not a parameter"),
        (CREATE, {k: v for k, v in MEETING.items() if k != "start_timezone"}, "start_timezone", "is missing"),
        (CREATE, MEETING | {"start_datetime": ""}, "start_datetime", "is missing"),
        (
            CREATE,
            MEETING | {"start_datetime": "2026-04-01T10:00:00Z"},
            "start_datetime",
            "write 2026-04-01T10:00:00 if the clock",
        ),
        (CREATE, MEETING | {"end_datetime": "2026-04-01T11:00:00+02:00"}, "end_datetime", "end_timezone"),
        (CREATE, MEETING | {"end_datetime": "2026-04-01T11:00:00-0400"}, "end_datetime", "offset"),
        (CREATE, MEETING | {"start_datetime": "tomorrow at 10"}, "start_datetime", "2026-04-01T10:00:00"),
        (CREATE, MEETING | {"start_datetime": "2026-02-30T10:00:00"}, "start_datetime", "not in the calendar"),
        (CREATE, MEETING | {"end_datetime": "2026-04-01T24:00:00"}, "end_datetime", "2026-04-02T00:00:00"),
        (CREATE, MEETING | {"start_datetime": "0026-04-01T10:00:00"}, "start_datetime", "year"),
        (CREATE, MEETING | {"start_datetime": "2026-04-01"}, "start_datetime", "isAllDay"),
        (CREATE, MEETING | {"start_datetime": 1775037600}, "start_datetime", "local time"),
        (CREATE, MEETING | {"end_datetime": "2026-04-01T09:00:00"}, "end_datetime", "after start_datetime"),
        (CREATE, MEETING | {"end_datetime": "2026-04-01T10:00:00"}, "end_datetime", "after start_datetime"),
        (CREATE, MEETING | {"subject": "x" * 256}, "subject", "255"),
        (CREATE, MEETING | {"subject": "a\nb"}, "subject", "one line"),
        (CREATE, MEETING | {"body_content": "\ud800"}, "body_content", "surrogate"),
        (CREATE, MEETING | {"body_content": "x" * 100_001}, "body_content", "at most 100000 are allowed"),
        (CREATE, MEETING | {"subject": "\ud800"}, "subject", "one line"),
        (CREATE, MEETING | {"subject": ["x"]}, "subject", "text"),
        (CREATE, MEETING | {"isAllDay": "perhaps"}, "isAllDay", "true or false"),
        (CREATE, MEETING | {"reminderMinutesBeforeStart": 1.5}, "reminderMinutesBeforeStart", "whole number"),
        (CREATE, MEETING | {"reminderMinutesBeforeStart": -1}, "reminderMinutesBeforeStart", "from 0"),
        (CREATE, MEETING | {"reminderMinutesBeforeStart": True}, "reminderMinutesBeforeStart", "whole number"),
        (CREATE, MEETING | {"importance": "urgent"}, "importance", "low, normal, high"),
        (CREATE, MEETING | {"body_contentType": "html"}, "body_contentType", "body_content"),
        (CREATE, MEETING | {"onlineMeetingProvider": "teamsForBusiness"}, "onlineMeetingProvider", "isOnlineMeeting"),
        (
            CREATE,
            MEETING | {"isReminderOn": False, "reminderMinutesBeforeStart": 5},
            "reminderMinutesBeforeStart",
            "isReminderOn",
        ),
        (UPDATE, {"subject": "x"}, "event_id", "is missing"),
        (UPDATE, {"event_id": "A"}, "event_id", "changes nothing"),
        (UPDATE, {"event_id": "A B", "subject": "x"}, "event_id", "not an id"),
        (UPDATE, {"event_id": "A", "start_datetime": "2026-04-01T10:00:00"}, "start_timezone", "is missing"),
        (UPDATE, {"event_id": "A", "start_timezone": "UTC"}, "start_datetime", "is missing"),
        (UPDATE, {"event_id": "A", "attendees_required": []}, "attendees_required", "clear"),
        (UPDATE, {"event_id": "A", "categories": []}, "categories", "clear"),
        (UPDATE, {"event_id": "A", "clear": "subject"}, "clear", "attendees_required"),
        (UPDATE, {"event_id": "A", "clear": "location", "location": "x"}, "clear", "location"),
        (UPDATE, {"event_id": "A", "clear": "locations", "location": "x"}, "clear", "location"),
        (UPDATE, {"event_id": "A", "clear": "recurrence", "recurrence_interval": 2}, "clear", "recurrence_interval"),
        (UPDATE, {"event_id": "A", "attendees_add": "a@x.com", "attendees_remove": "A@x.com"}, "attendees_add", "both"),
        (UPDATE, {"event_id": "A", "subject": "x", "apply_to": "all"}, "apply_to", "this, series"),
        (
            DELETE,
            {"event_id": "A", "permanent": True, "cancellation_message": "Bye"},
            "cancellation_message",
            "permanent",
        ),
        (GET, {"event_id": "A", "select": "subjct"}, "select", "subject"),
        (LIST, {"top": -1}, "top", "1 to 1000"),
        (LIST, {"top": 1001}, "top", "1 to 1000"),
        (LIST, {"orderby": "start"}, "orderby", "start/dateTime"),
        (LIST, {"orderby": "subject; drop"}, "orderby", "asc or desc"),
        (LIST, {"start_datetime": "2026-04-01T00:00:00"}, "end_datetime", "is missing"),
        (LIST, {"end_datetime": "2026-04-01T00:00:00"}, "start_datetime", "is missing"),
        ("authorize", {"confirmation_code": "ABC"}, "confirmation_code", "8 characters"),
        ("authorize", {"confirmation_code": "ABCD1234", "reconnect": True}, "reconnect", "void"),
    ],
)
def test_a_wrong_argument_is_refused_with_its_name_and_the_fix(
    tool: str, arguments: dict[str, Any], field: str, fragment: str
) -> None:
    error = refusal(tool, arguments)
    assert error.details["field"] == field
    assert error.message.startswith(f"`{field}` ")
    assert fragment in error.message


def test_several_wrong_arguments_report_the_first_and_name_the_others() -> None:
    error = refusal(CREATE, MEETING | {"colour": "red", "importance": "urgent", "isAllDay": "perhaps"})
    assert error.details["field"] == "colour"
    assert "Also wrong: isAllDay, importance." in error.message


@pytest.mark.parametrize("arguments", [[], "x", 5])
def test_arguments_that_are_no_object_are_refused(arguments: Any) -> None:
    if arguments:
        with pytest.raises(InvalidInput, match="JSON object"):
            parse(LIST, arguments)
    else:
        with pytest.raises(InvalidInput):
            parse(GET, arguments)


def test_a_wrong_confirmation_code_is_not_repeated_in_the_message() -> None:
    assert "SECRET-7" not in refusal("authorize", {"confirmation_code": "SECRET-7"}).message


@pytest.mark.parametrize("typed", ["ABCD-1234", "abcd\u20131234", "\u201cAbCd1234.\u201d", "ABCDI234", "abcdl234"])
def test_a_confirmation_code_is_read_as_people_type_it(typed: str) -> None:
    assert parse("authorize", {"confirmation_code": typed}).to_wire() == {"confirmation_code": "ABCD1234"}


def test_an_all_day_event_is_midnight_to_midnight_with_an_exclusive_end() -> None:
    args = created(isAllDay=True, start_datetime="2026-04-01", end_datetime="2026-04-03T00:00:00")
    assert (args.start_datetime, args.end_datetime) == (
        datetime.fromisoformat("2026-04-01T00:00:00"),
        datetime.fromisoformat("2026-04-03T00:00:00"),
    )


@pytest.mark.parametrize(
    ("change", "field", "fix"),
    [
        ({"end_datetime": "2026-04-01T23:59:00"}, "end_datetime", "2026-04-02T00:00:00"),
        ({"end_datetime": "2026-04-02T23:59:59"}, "end_datetime", "2026-04-03T00:00:00"),
        ({"end_datetime": "2026-04-01"}, "end_datetime", "2026-04-02T00:00:00"),
        ({"start_datetime": "2026-04-01T09:00:00"}, "start_datetime", "2026-04-01T00:00:00"),
        ({"end_timezone": "Europe/Berlin"}, "end_timezone", "America/New_York"),
    ],
)
def test_all_day_mistakes_are_refused_with_the_right_value(change: dict[str, str], field: str, fix: str) -> None:
    day = {"isAllDay": True, "start_datetime": "2026-04-01T00:00:00", "end_datetime": "2026-04-02T00:00:00"}
    error = refusal(CREATE, MEETING | day | change)
    assert error.details["field"] == field
    assert fix in error.message


def test_start_and_end_in_different_zones_are_compared_as_instants() -> None:
    flight = {"start_timezone": "Asia/Tokyo", "end_timezone": "America/Los_Angeles"}
    args = created(**flight, start_datetime="2026-04-01T17:00:00", end_datetime="2026-04-01T10:30:00")
    assert args.end_datetime < args.start_datetime
    error = refusal(CREATE, MEETING | {"start_timezone": "America/Los_Angeles", "end_timezone": "Asia/Tokyo"})
    assert error.details["field"] == "end_datetime"
    assert "zones" in error.message


def test_a_window_is_complete_forward_and_short_enough() -> None:
    window = {
        "start_datetime": "2026-04-01T00:00:00",
        "end_datetime": "2026-04-08T00:00:00",
        "timezone": "Europe/Berlin",
    }
    args = parse(LIST, window)
    assert isinstance(args, ListCalendarEvents)
    assert args.start_datetime is not None
    assert args.end_datetime is not None
    assert refusal(LIST, window | {"skip": 10}).details["field"] == "skip"
    assert "1825" in refusal(LIST, window | {"end_datetime": "2032-04-08T00:00:00"}).message
    assert "2026-04-09T00:00:00" in refusal(LIST, window | {"end_datetime": "2026-04-08"}).message


def test_a_page_needs_nothing_beside_it() -> None:
    assert parse(LIST, {"page": "opaque"}).given == {"page"}


def test_a_selected_path_selects_its_property() -> None:
    args = parse(LIST, {"select": "subject,START/dateTime, end,start"})
    assert isinstance(args, ListCalendarEvents)
    assert args.select == ("subject", "start", "end")


def test_event_content_stays_out_of_a_repr() -> None:
    args = created(body_content="salary", attendees_required="ann@x.com")
    for text in (repr(args), str(args), repr(args.attendees_required)):
        assert "salary" not in text
        assert "ann@x.com" not in text
        assert "Kickoff" not in text


EVERYTHING = MEETING | {
    "attendees_required": '"Lee, Ann" <ann@x.com>, bob@x.com',
    "attendees_resource": ["room@x.com"],
    "locations": [{"displayName": "Room 1", "coordinates": {"latitude": 1, "longitude": 2}}],
    "categories": ["Red", "Blue"],
    "recurrence_type": "weekly",
    "recurrence_days_of_week": ["Wednesday", "Fri"],
    "recurrence_end_date": "2026-06-30",
    "isOnlineMeeting": "true",
}


def test_wire_values_read_back_as_the_same_arguments() -> None:
    args = created(**EVERYTHING)
    wire = args.to_wire()
    assert set(wire) == args.given
    assert all(isinstance(value, str | int | bool) for value in wire.values())
    assert parse(CREATE, wire) == args
    assert args.recurrence_end_date == date(2026, 6, 30)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(data=st.data(), tool=st.sampled_from(list(TOOLS)))
def test_whatever_json_brings_is_read_or_refused_in_words(data: st.DataObject, tool: str) -> None:
    names = st.sampled_from([*TOOLS[tool].input_schema["properties"], "nothing"])
    stamps = st.sampled_from(
        ["2026-04-01T10:00:00", "UTC", "Europe/Berlin", "weekly", "monday", "a@x.com", "AAMk", "3"]
    )
    arguments = data.draw(st.dictionaries(names | st.text(max_size=10), anything | stamps, max_size=8))
    message = ""
    try:
        args = parse(tool, arguments)
    except InvalidInput as refused:
        message = refused.message
    else:
        assert args.given <= set(arguments)
    assert "\n" not in message


@pytest.mark.parametrize("name", ["\ud800", "x\u202ey", "a\nb", "n" * 5000])
def test_what_is_echoed_fits_on_a_line_and_into_utf_8(name: str) -> None:
    for arguments in (
        {"event_id": "A", name: "x"},
        {"event_id": "A", "select": name},
        {"event_id": "A", "timezone": name},
    ):
        message = refusal(GET, arguments).message
        assert message.encode().decode() == message
        assert "\n" not in message
        assert "\u202e" not in message
        assert len(message) < 1200


NUMBERS = [
    (tool, name, schema["minimum"])
    for tool, spec in TOOLS.items()
    for name, schema in spec.input_schema["properties"].items()
    if schema["type"] == "integer"
]


@pytest.mark.parametrize("zero", [0, 0.0, "0", " 0.0 ", "-0"])
@pytest.mark.parametrize(("tool", "name", "minimum"), NUMBERS)
def test_zero_counts_as_not_given_exactly_for_numbers_that_cannot_be_zero(
    tool: str, name: str, minimum: int, zero: object
) -> None:
    if name == "reminderMinutesBeforeStart":
        assert minimum == 0
    if name in TOOLS[tool].input_schema.get("required", ()):
        assert "is missing" in refusal(tool, {**LEAST[tool], name: zero}).message
    else:
        assert (name in parse(tool, {**LEAST[tool], name: zero}).given) == (minimum == 0)


def test_skipping_nothing_goes_with_a_window() -> None:
    window = {"start_datetime": "2026-04-01T00:00:00", "end_datetime": "2026-04-02T00:00:00"}
    assert "skip" not in parse(LIST, window | {"skip": 0}).given
    assert parse(LIST, {"skip": 0}).given == {"skip"}


@pytest.mark.parametrize("tool", [CREATE, GET, UPDATE, DELETE])
def test_what_is_missing_is_described_in_the_words_of_the_catalogue(tool: str) -> None:
    spec = TOOLS[tool]
    for name in spec.input_schema["required"]:
        present = {other: "x" for other in spec.input_schema["required"] if other != name}
        present |= {other: "2026-04-01T10:00:00" for other in present if other.endswith("_datetime")}
        present |= {other: "UTC" for other in present if other.endswith("_timezone")}
        with pytest.raises(InvalidInput) as caught:
            parse(tool, present)
        description = spec.input_schema["properties"][name]["description"].rstrip(".")
        assert caught.value.message == f"`{name}` is missing: {description}."

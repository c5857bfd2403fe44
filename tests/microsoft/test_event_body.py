"""Arguments to Graph's JSON: what is sent, what is kept, what is refused."""

from typing import Any

import pytest

from scalekit_mcp.calendar.events.writing.body import Patch, create_body, patch_body
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools import CreateCalendarEvent, UpdateCalendarEvent, parse_arguments
from scalekit_mcp.tools.remarks import NO_REMARKS

MEETING = {
    "subject": "Q2 Planning Kickoff",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "America/New_York",
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": "America/New_York",
}


def posted(personal: bool = False, **arguments: Any) -> dict[str, Any]:
    args = parse_arguments("outlook_create_calendar_event", MEETING | arguments)
    assert isinstance(args, CreateCalendarEvent)
    return create_body(args, transaction_id="key-1", personal=personal)


def update(**arguments: Any) -> UpdateCalendarEvent:
    args = parse_arguments("outlook_update_calendar_event", {"event_id": "AAMk="} | arguments)
    assert isinstance(args, UpdateCalendarEvent)
    return args


def moment(text: str, zone: str = "UTC") -> dict[str, str]:
    return {"dateTime": f"{text}.0000000", "timeZone": zone}


def invited(address: str, kind: str = "required", response: str = "none", name: str | None = None) -> dict[str, Any]:
    return {
        "type": kind,
        "status": {"response": response, "time": "0001-01-01T00:00:00Z"},
        "emailAddress": {"address": address, "name": name or address},
    }


def single(**members: Any) -> dict[str, Any]:
    """10:00 to 11:00 in New York, as Graph answers it in UTC."""
    return {
        "id": "AAMk=",
        "type": "singleInstance",
        "start": moment("2026-04-01T14:00:00"),
        "end": moment("2026-04-01T15:00:00"),
        "originalStartTimeZone": "Eastern Standard Time",
        "isAllDay": False,
        "isOnlineMeeting": False,
        "onlineMeeting": None,
        "recurrence": None,
        "organizer": {"emailAddress": {"address": "dana@contoso.example", "name": "Dana"}},
        "attendees": [
            invited("Alice@company.com", response="accepted", name="Alice Doe"),
            invited("bob@company.com"),
            invited("carol@company.com", "optional", "tentativelyAccepted"),
            invited("room1@company.com", "resource", "accepted"),
        ],
        "body": {"contentType": "html", "content": "<html><body>old</body></html>"},
    } | members


def master(**members: Any) -> dict[str, Any]:
    """Mondays 09:00 to 09:30 in Chicago, until the end of June."""
    return (
        single(
            type="seriesMaster",
            start=moment("2026-04-06T14:00:00"),
            end=moment("2026-04-06T14:30:00"),
            originalStartTimeZone="Central Standard Time",
            recurrence={
                "pattern": {
                    "type": "weekly",
                    "interval": 1,
                    "month": 0,
                    "dayOfMonth": 0,
                    "daysOfWeek": ["monday"],
                    "firstDayOfWeek": "sunday",
                    "index": "first",
                },
                "range": {
                    "type": "endDate",
                    "startDate": "2026-04-06",
                    "endDate": "2026-06-30",
                    "recurrenceTimeZone": "Central Standard Time",
                    "numberOfOccurrences": 0,
                },
            },
        )
        | members
    )


def all_day(**members: Any) -> dict[str, Any]:
    return single(isAllDay=True, start=moment("2026-04-01T00:00:00"), end=moment("2026-04-03T00:00:00"), **members)


def refusal(args: UpdateCalendarEvent, current: dict[str, Any], **keywords: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        patch_body(args, current, **keywords)
    return caught.value


def addresses(patch: Patch) -> dict[str, str]:
    return {a["emailAddress"]["address"]: a["type"] for a in patch.body["attendees"]}


# Create


def test_a_meeting_becomes_the_json_of_microsofts_own_example() -> None:
    assert posted(
        body_content="Please review the Q2 roadmap doc before joining.",
        body_contentType="text",
        attendees_required="alice@company.com",
        attendees_optional="Carol <carol@company.com>",
        isOnlineMeeting=True,
        onlineMeetingProvider="teamsForBusiness",
        isReminderOn=True,
        reminderMinutesBeforeStart=15,
    ) == {
        "subject": "Q2 Planning Kickoff",
        "body": {"contentType": "text", "content": "Please review the Q2 roadmap doc before joining."},
        "start": {"dateTime": "2026-04-01T10:00:00", "timeZone": "America/New_York"},
        "end": {"dateTime": "2026-04-01T11:00:00", "timeZone": "America/New_York"},
        "attendees": [
            {"type": "required", "emailAddress": {"address": "alice@company.com"}},
            {"type": "optional", "emailAddress": {"address": "carol@company.com", "name": "Carol"}},
        ],
        "isOnlineMeeting": True,
        "onlineMeetingProvider": "teamsForBusiness",
        "isReminderOn": True,
        "reminderMinutesBeforeStart": 15,
        "transactionId": "key-1",
    }


def test_every_other_property_of_create_arrives() -> None:
    body = posted(
        hideAttendees=True,
        importance="high",
        sensitivity="private",
        showAs="oof",
        categories="Red,Blue",
        responseRequested=False,
        allowNewTimeProposals=False,
        isReminderOn=False,
        attendees_resource="room1@company.com",
    )
    assert (
        body.items()
        >= {
            "hideAttendees": True,
            "importance": "high",
            "sensitivity": "private",
            "showAs": "oof",
            "categories": ["Red", "Blue"],
            "responseRequested": False,
            "allowNewTimeProposals": False,
            "isReminderOn": False,
        }.items()
    )
    assert [a["type"] for a in body["attendees"]] == ["resource"]


def test_minutes_of_a_reminder_switch_it_on() -> None:
    assert posted(reminderMinutesBeforeStart=0)["isReminderOn"] is True


def test_a_personal_account_is_not_asked_for_the_teams_provider() -> None:
    body = posted(personal=True, isOnlineMeeting=True, onlineMeetingProvider="teamsForBusiness")
    assert body["isOnlineMeeting"] is True
    assert "onlineMeetingProvider" not in body


def test_a_place_beside_several_places_comes_first_among_them() -> None:
    assert posted(location="Room 1")["location"] == {"displayName": "Room 1"}
    body = posted(location="room 2", locations=[{"displayName": "Room 1"}, {"displayName": "Room 2"}])
    assert "location" not in body
    assert [p["displayName"] for p in body["locations"]] == ["Room 2", "Room 1"]
    body = posted(location="Lobby", locations=[{"displayName": "Room 1"}])
    assert [p["displayName"] for p in body["locations"]] == ["Lobby", "Room 1"]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("America/New_York", "America/New_York"),
        ("Eastern Standard Time", "Eastern Standard Time"),
        ("US/Eastern", "Eastern Standard Time"),
        ("Asia/Calcutta", "India Standard Time"),
        ("Africa/Casablanca", "Morocco Standard Time"),
        ("Europe/Kyiv", "FLE Standard Time"),
        ("Europe/Vienna", "W. Europe Standard Time"),
        ("America/Chihuahua", "Central Standard Time (Mexico)"),
        ("utc", "UTC"),
    ],
)
def test_iana_zones_outside_the_list_go_as_their_windows_name(given: str, sent: str) -> None:
    assert posted(start_timezone=given, end_timezone=given)["start"]["timeZone"] == sent


def test_a_series_carries_a_whole_pattern_before_its_range() -> None:
    body = posted(
        recurrence_type="weekly",
        recurrence_days_of_week="Wednesday,Friday",
        recurrence_interval=2,
        recurrence_first_day_of_week="Monday",
        recurrence_occurrences=10,
    )
    assert list(body["recurrence"]) == ["pattern", "range"]
    assert body["recurrence"] == {
        "pattern": {
            "type": "weekly",
            "interval": 2,
            "daysOfWeek": ["wednesday", "friday"],
            "firstDayOfWeek": "monday",
        },
        "range": {"type": "numbered", "startDate": "2026-04-01", "numberOfOccurrences": 10},
    }


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("daily", {}),
        ("absoluteMonthly", {"dayOfMonth": 1}),
        ("relativeMonthly", {"daysOfWeek": ["wednesday"], "index": "first"}),
        ("absoluteYearly", {"dayOfMonth": 1, "month": 4}),
        ("relativeYearly", {"daysOfWeek": ["wednesday"], "index": "first", "month": 4}),
    ],
)
def test_a_pattern_sends_only_the_fields_of_its_type(kind: str, pattern: dict[str, Any]) -> None:
    sent = posted(recurrence_type=kind, recurrence_end_date="2027-06-30")["recurrence"]
    assert sent["pattern"] == {"type": kind, "interval": 1} | pattern
    assert sent["range"] == {"type": "endDate", "startDate": "2026-04-01", "endDate": "2027-06-30"}


def test_days_of_an_all_day_event_are_midnights() -> None:
    body = posted(isAllDay=True, start_datetime="2026-04-01", end_datetime="2026-04-03")
    assert (body["start"]["dateTime"], body["end"]["dateTime"]) == ("2026-04-01T00:00:00", "2026-04-03T00:00:00")


# Update: what needs the current event


@pytest.mark.parametrize(
    "arguments",
    [
        {"subject": "New"},
        {"location": "Room 2"},
        {"clear": "location,categories"},
        {"importance": "low", "showAs": "free", "categories": "Red"},
    ],
)
def test_plain_properties_need_no_reading_before(arguments: dict[str, Any]) -> None:
    patch = patch_body(update(**arguments))
    assert not patch.needs_current
    assert patch.body


@pytest.mark.parametrize(
    "arguments",
    [
        {"attendees_required": "a@x.com"},
        {"attendees_add": "a@x.com"},
        {"attendees_remove": "a@x.com"},
        {"clear": "attendees_optional"},
        {"clear": "body_content"},
        {"clear": "recurrence"},
        {"body_content": "x"},
        {"start_datetime": "2026-04-01T10:00:00", "start_timezone": "UTC"},
        {"end_datetime": "2026-04-01T10:00:00", "end_timezone": "UTC"},
        {"recurrence_interval": 2},
        {"isAllDay": True},
    ],
)
def test_parts_of_something_are_made_only_with_the_whole_at_hand(arguments: dict[str, Any]) -> None:
    assert patch_body(update(**arguments)) == Patch(needs_current=True)


# Update: people


def test_giving_required_attendees_keeps_optional_and_resource_ones_with_their_answers() -> None:
    patch = patch_body(update(attendees_required="alice@company.com, dave@company.com"), single())
    assert addresses(patch) == {
        "Alice@company.com": "required",
        "dave@company.com": "required",
        "carol@company.com": "optional",
        "room1@company.com": "resource",
    }
    assert patch.body["attendees"][0] == invited("Alice@company.com", response="accepted", name="Alice Doe")
    assert set(patch.body) == {"attendees"}


def test_people_are_added_and_removed_one_by_one() -> None:
    patch = patch_body(update(attendees_add="Dave <dave@company.com>", attendees_remove="BOB@company.com"), single())
    assert addresses(patch) == {
        "Alice@company.com": "required",
        "dave@company.com": "required",
        "carol@company.com": "optional",
        "room1@company.com": "resource",
    }
    assert patch.remarks == NO_REMARKS


def test_removing_somebody_who_is_not_there_is_a_warning_and_nothing_is_sent() -> None:
    patch = patch_body(update(attendees_remove="zoe@company.com"), single())
    assert patch.body == {}
    assert "zoe@company.com" in patch.remarks.warnings[0]


def test_somebody_added_who_was_optional_becomes_required_and_it_is_said() -> None:
    patch = patch_body(update(attendees_add="carol@company.com"), single())
    assert addresses(patch)["carol@company.com"] == "required"
    assert "optional" in patch.remarks.notes[0]


def test_somebody_named_under_another_kind_moves_there() -> None:
    patch = patch_body(update(attendees_optional="bob@company.com"), single())
    assert addresses(patch)["bob@company.com"] == "optional"
    assert "carol@company.com" not in addresses(patch)


@pytest.mark.parametrize("kind", ["required", "optional", "resource"])
def test_a_kind_of_attendees_is_emptied_only_by_clear(kind: str) -> None:
    patch = patch_body(update(clear=f"attendees_{kind}"), single())
    assert kind not in addresses(patch).values()
    assert set(addresses(patch).values()) == {"required", "optional", "resource"} - {kind}


def test_the_organizer_never_becomes_an_attendee() -> None:
    listed = [invited("dana@contoso.example", response="organizer"), invited("bob@company.com")]
    patch = patch_body(update(attendees_add="DANA@contoso.example, eve@x.com"), single(attendees=listed))
    assert addresses(patch) == {"bob@company.com": "required", "eve@x.com": "required"}
    assert any("organizer" in warning for warning in patch.remarks.warnings)


def test_a_merged_list_of_more_than_500_is_refused() -> None:
    many = [invited(f"p{n}@x.com") for n in range(500)]
    error = refusal(update(attendees_add="one.more@x.com"), single(attendees=many))
    assert error.details["field"] == "attendees_add"


# Update: times


def test_start_and_end_given_together_are_sent_as_they_are() -> None:
    args = update(
        start_datetime="2026-04-01T14:00:00",
        start_timezone="America/New_York",
        end_datetime="2026-04-01T15:00:00",
        end_timezone="America/New_York",
    )
    assert patch_body(args, single()) == Patch(
        {
            "start": {"dateTime": "2026-04-01T14:00:00", "timeZone": "America/New_York"},
            "end": {"dateTime": "2026-04-01T15:00:00", "timeZone": "America/New_York"},
        }
    )


def test_a_start_alone_keeps_the_duration_and_says_so() -> None:
    patch = patch_body(update(start_datetime="2026-04-02T09:30:00", start_timezone="Europe/Berlin"), single())
    assert patch.body == {
        "start": {"dateTime": "2026-04-02T09:30:00", "timeZone": "Europe/Berlin"},
        "end": {"dateTime": "2026-04-02T10:30:00", "timeZone": "Europe/Berlin"},
    }
    assert "60 minute(s)" in patch.remarks.notes[0]


def test_a_duration_is_kept_across_a_change_of_the_clock() -> None:
    """An hour that begins before the gap of 8 March ends after it, at 03:30."""
    patch = patch_body(update(start_datetime="2026-03-08T01:30:00", start_timezone="America/New_York"), single())
    assert patch.body["end"] == {"dateTime": "2026-03-08T03:30:00", "timeZone": "America/New_York"}


def test_an_end_that_only_utc_can_name_is_sent_in_utc() -> None:
    """An hour from the first 01:30 of 1 November ends at the second 01:30."""
    patch = patch_body(update(start_datetime="2026-11-01T01:30:00", start_timezone="America/New_York"), single())
    assert patch.body["end"] == {"dateTime": "2026-11-01T06:30:00", "timeZone": "UTC"}


def test_an_end_alone_must_lie_after_the_start_that_the_event_has() -> None:
    patch = patch_body(update(end_datetime="2026-04-01T11:30:00", end_timezone="America/New_York"), single())
    assert patch.body == {"end": {"dateTime": "2026-04-01T11:30:00", "timeZone": "America/New_York"}}
    error = refusal(update(end_datetime="2026-04-01T16:00:00", end_timezone="Europe/Berlin"), single())
    assert error.details["field"] == "end_datetime"
    assert "2026-04-01T16:00:00 Europe/Berlin" in error.message


def test_an_all_day_event_moves_by_days_and_keeps_their_number() -> None:
    args = update(start_datetime="2026-05-01T00:00:00", start_timezone="Asia/Tokyo")
    assert patch_body(args, all_day()).body == {
        "start": {"dateTime": "2026-05-01T00:00:00", "timeZone": "Asia/Tokyo"},
        "end": {"dateTime": "2026-05-03T00:00:00", "timeZone": "Asia/Tokyo"},
    }


def test_an_all_day_event_takes_no_time_of_day() -> None:
    error = refusal(update(start_datetime="2026-05-01T09:00:00", start_timezone="Asia/Tokyo"), all_day())
    assert "2026-05-01T00:00:00" in error.message
    error = refusal(update(end_datetime="2026-04-04T23:59:00", end_timezone="Asia/Tokyo"), all_day())
    assert "2026-04-05T00:00:00" in error.message


def test_the_end_of_an_all_day_event_goes_with_its_start_in_one_zone() -> None:
    patch = patch_body(update(end_datetime="2026-04-05T00:00:00", end_timezone="Asia/Tokyo"), all_day())
    assert patch.body == {
        "start": {"dateTime": "2026-04-01T00:00:00", "timeZone": "Asia/Tokyo"},
        "end": {"dateTime": "2026-04-05T00:00:00", "timeZone": "Asia/Tokyo"},
    }


@pytest.mark.parametrize(("current", "wanted"), [(single(), True), (all_day(), False)])
def test_changing_between_all_day_and_timed_needs_both_times(current: dict[str, Any], wanted: bool) -> None:
    assert refusal(update(isAllDay=wanted), current).details["field"] == "start_datetime"
    begin = {"start_datetime": "2026-04-01T00:00:00", "start_timezone": "UTC"}
    assert refusal(update(isAllDay=wanted, **begin), current).details["field"] == "end_datetime"
    finish = {"end_datetime": "2026-04-02T00:00:00", "end_timezone": "UTC"}
    assert set(patch_body(update(isAllDay=wanted, **begin, **finish), current).body) == {"isAllDay", "start", "end"}


def test_saying_again_that_an_event_lasts_whole_days_changes_nothing_else() -> None:
    assert patch_body(update(isAllDay=True), all_day()).body == {"isAllDay": True}


# Update: recurrence


def recurrence(patch: Patch) -> tuple[dict[str, Any], dict[str, Any]]:
    return patch.body["recurrence"]["pattern"], patch.body["recurrence"]["range"]


def test_a_part_of_a_recurrence_is_sent_with_the_whole() -> None:
    pattern, span = recurrence(patch_body(update(recurrence_end_date="2026-07-31"), master()))
    assert pattern == {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "sunday"}
    assert span == {
        "type": "endDate",
        "startDate": "2026-04-06",
        "endDate": "2026-07-31",
        "recurrenceTimeZone": "Central Standard Time",
    }


def test_a_number_of_occurrences_replaces_the_end_date() -> None:
    _, span = recurrence(patch_body(update(recurrence_occurrences=5), master()))
    assert (span["type"], span["numberOfOccurrences"]) == ("numbered", 5)
    assert "endDate" not in span


def test_another_pattern_replaces_the_old_ones_days() -> None:
    pattern, _ = recurrence(patch_body(update(recurrence_type="monthly"), master()))
    assert pattern == {"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 6}


def test_a_single_event_becomes_a_series_in_its_own_zone() -> None:
    late = single(start=moment("2026-04-02T02:00:00"), end=moment("2026-04-02T03:00:00"))
    patch = patch_body(update(recurrence_type="weekly", recurrence_occurrences=4), late)
    pattern, span = recurrence(patch)
    assert pattern["daysOfWeek"] == ["wednesday"]
    assert span["startDate"] == "2026-04-01"


def test_recurrence_parts_of_an_event_that_does_not_recur_are_refused() -> None:
    assert refusal(update(recurrence_interval=2), single()).details["field"] == "recurrence_type"


@pytest.mark.parametrize("kind", ["occurrence", "exception"])
def test_the_recurrence_of_a_single_occurrence_is_refused(kind: str) -> None:
    one = single(type=kind, seriesMasterId="AAMaster=")
    assert "apply_to" in refusal(update(recurrence_interval=2), one).message
    assert refusal(update(clear="recurrence"), one).details["field"] == "clear"


def test_clearing_the_recurrence_makes_one_event_of_a_series() -> None:
    assert patch_body(update(clear="recurrence"), master()).body == {"recurrence": None}
    patch = patch_body(update(clear="recurrence"), single())
    assert patch.body == {}
    assert patch.remarks.notes


def test_another_time_of_day_leaves_the_recurrence_alone() -> None:
    patch = patch_body(update(start_datetime="2026-04-06T10:00:00", start_timezone="America/Chicago"), master())
    assert set(patch.body) == {"start", "end"}


def test_a_series_that_starts_on_another_fitting_date_is_told_its_range() -> None:
    patch = patch_body(update(start_datetime="2026-04-13T09:00:00", start_timezone="America/Chicago"), master())
    assert recurrence(patch)[1]["startDate"] == "2026-04-13"


def test_a_series_moved_to_a_day_that_its_pattern_lacks_is_refused() -> None:
    error = refusal(update(start_datetime="2026-04-07T09:00:00", start_timezone="America/Chicago"), master())
    assert error.details["field"] == "start_datetime"
    assert "recurrence_days_of_week" in error.message


def test_a_series_moves_to_another_weekday_when_its_pattern_does_too() -> None:
    patch = patch_body(
        update(
            start_datetime="2026-04-07T09:00:00", start_timezone="America/Chicago", recurrence_days_of_week="tuesday"
        ),
        master(),
    )
    pattern, span = recurrence(patch)
    assert (pattern["daysOfWeek"], span["startDate"]) == (["tuesday"], "2026-04-07")


def test_a_series_in_another_zone_recurs_in_that_zone() -> None:
    patch = patch_body(update(start_datetime="2026-04-06T09:00:00", start_timezone="Europe/Berlin"), master())
    assert recurrence(patch)[1]["recurrenceTimeZone"] == "Europe/Berlin"


def test_a_custom_zone_is_read_and_never_sent_back() -> None:
    custom = master(originalStartTimeZone="tzone://Microsoft/Custom")
    custom["recurrence"]["range"]["recurrenceTimeZone"] = "tzone://Microsoft/Custom"
    _, span = recurrence(patch_body(update(recurrence_interval=2), custom))
    assert "recurrenceTimeZone" not in span  # then Microsoft takes the event's own (recurrenceRange resource type)


@pytest.mark.parametrize("starts", ["2026-04-01", "2026-04-07"])
def test_another_end_keeps_the_start_of_the_range_also_where_the_pattern_has_no_date(starts: str) -> None:
    """Outlook writes ranges that start before their first event; they are none of this change's business."""
    odd = master()
    odd["recurrence"]["range"]["startDate"] = starts
    patch = patch_body(update(recurrence_end_date="2026-12-31"), odd)
    _, span = recurrence(patch)
    assert (span["startDate"], span["endDate"]) == (starts, "2026-12-31")
    assert set(patch.body) == {"recurrence"}
    assert patch.remarks == NO_REMARKS


OCCURRENCE = {"start": moment("2026-04-13T14:00:00"), "end": moment("2026-04-13T14:30:00"), "isAllDay": False}


def test_the_time_of_an_occurrence_moves_the_time_of_day_of_its_series() -> None:
    args = update(
        start_datetime="2026-04-13T11:00:00",
        start_timezone="America/Chicago",
        end_datetime="2026-04-13T12:00:00",
        end_timezone="America/Chicago",
        apply_to="series",
    )
    patch = patch_body(args, master(), occurrence=OCCURRENCE)
    assert patch.body == {
        "start": {"dateTime": "2026-04-06T11:00:00", "timeZone": "America/Chicago"},
        "end": {"dateTime": "2026-04-06T12:00:00", "timeZone": "America/Chicago"},
    }


def test_another_date_for_an_occurrence_does_not_move_its_series() -> None:
    args = update(start_datetime="2026-04-14T11:00:00", start_timezone="America/Chicago", apply_to="series")
    error = refusal(args, master(), occurrence=OCCURRENCE)
    assert error.details["field"] == "start_datetime"
    assert "2026-04-13" in error.message
    assert "recurrence_days_of_week" in error.message


# Update: the rest


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("location", {"location": {"displayName": ""}, "locations": []}),
        ("locations", {"location": {"displayName": ""}, "locations": []}),
        ("categories", {"categories": []}),
        ("body_content", {"body": {"contentType": "text", "content": ""}}),
    ],
)
def test_clear_empties_what_it_names(name: str, body: dict[str, Any]) -> None:
    assert patch_body(update(clear=name), single()).body == body


def test_a_body_of_an_ordinary_event_is_sent_as_given() -> None:
    assert patch_body(update(body_content="<b>"), single()).body == {"body": {"contentType": "text", "content": "<b>"}}
    html = patch_body(update(body_content="<b>x</b>", body_contentType="HTML"), single())
    assert html.body == {"body": {"contentType": "html", "content": "<b>x</b>"}}


def test_what_microsoft_will_not_change_about_an_online_meeting_is_said() -> None:
    online = single(isOnlineMeeting=True, onlineMeetingProvider="teamsForBusiness")
    assert "join link stays" in patch_body(update(isOnlineMeeting=False), online).remarks.warnings[0]
    other = update(isOnlineMeeting=True, onlineMeetingProvider="skypeForBusiness")
    assert "teamsForBusiness" in patch_body(other, online).remarks.warnings[0]
    assert patch_body(update(isOnlineMeeting=True), single()) == Patch({"isOnlineMeeting": True})


def test_event_content_stays_out_of_the_repr_of_a_patch() -> None:
    assert "salary" not in repr(patch_body(update(subject="salary")))

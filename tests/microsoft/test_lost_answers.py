from typing import Any

import pytest

from scalekit_mcp.calendar.events.writing.lost_answers import (
    ChangeOutcome,
    change_outcome,
    property_equals,
    same_recurrence,
)

EVENT: dict[str, Any] = {
    "@odata.etag": 'W/"2"',
    "subject": "Review",
    "isAllDay": False,
    "start": {"dateTime": "2026-04-01T14:00:00.0000000", "timeZone": "UTC"},
    "end": {"dateTime": "2026-04-01T15:00:00.0000000", "timeZone": "UTC"},
    "attendees": [
        {"type": "required", "emailAddress": {"address": "Alice@company.com"}},
        {"type": "required", "emailAddress": {"address": "dana@company.com"}},
    ],
    "organizer": {"emailAddress": {"address": "dana@company.com"}},
    "body": {"contentType": "html", "content": "<head><style>p{}</style></head><body>A &amp; B<br>\r\nC</body>"},
    "location": {"displayName": "Room 1", "locationType": "default"},
    "locations": [{"displayName": "Room 1"}],
    "categories": ["b", "a"],
    "showAs": "busy",
    "isOnlineMeeting": True,
    "recurrence": None,
}
WEEKLY = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"]},
    "range": {"type": "endDate", "startDate": "2026-04-06", "endDate": "2026-06-30"},
}
ECHOED = {
    "pattern": {
        "type": "weekly", "interval": 1, "month": 0, "dayOfMonth": 0, "daysOfWeek": ["monday"],
        "firstDayOfWeek": "sunday", "index": "first",
    },
    "range": {
        "type": "endDate", "startDate": "2026-04-06", "endDate": "2026-06-30",
        "recurrenceTimeZone": "Central Standard Time", "numberOfOccurrences": 0,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "same"),
    [
        ("subject", "Review ", True),
        ("subject", "Other", False),
        ("start", {"dateTime": "2026-04-01T10:00:00", "timeZone": "America/New_York"}, True),
        ("start", {"dateTime": "2026-04-01T10:00:00", "timeZone": "UTC"}, False),
        ("attendees", [{"emailAddress": {"address": "alice@company.com"}}], True),
        ("attendees", [{"type": "optional", "emailAddress": {"address": "alice@company.com"}}], False),
        ("attendees", [], False),
        ("body", {"contentType": "text", "content": "A & B\nC"}, True),
        ("body", {"contentType": "text", "content": "A & B"}, False),
        ("location", {"displayName": "Room 1"}, True),
        ("location", {"displayName": ""}, False),
        ("locations", [{"displayName": "Room 1"}], True),
        ("categories", ["a", "b"], True),
        ("categories", ["a"], False),
        ("showAs", "Busy", True),
        ("recurrence", None, True),
        ("recurrence", WEEKLY, False),
    ],
)
def test_an_event_says_what_a_change_said_in_the_sense_of_the_property(name: str, value: Any, same: bool) -> None:
    assert property_equals(EVENT, name, value) is same


def test_all_day_events_are_compared_by_date() -> None:
    event = {"isAllDay": True, "start": {"dateTime": "2026-04-01T00:00:00.0000000", "timeZone": "UTC"}}
    assert property_equals(event, "start", {"dateTime": "2026-04-01T00:00:00", "timeZone": "Asia/Tokyo"})


def test_a_recurrence_is_the_same_without_the_fields_that_its_type_does_not_use() -> None:
    assert same_recurrence(WEEKLY, ECHOED)
    assert not same_recurrence(WEEKLY, {**ECHOED, "range": {**ECHOED["range"], "endDate": "2026-07-31"}})
    monthly = {"pattern": {"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["monday"], "index": "last"}}
    assert same_recurrence({**WEEKLY, **monthly}, {**ECHOED, **monthly})
    assert not same_recurrence({**WEEKLY, **monthly}, ECHOED)


def test_an_unchanged_etag_means_that_the_change_was_not_made() -> None:
    assert change_outcome({"subject": "Review"}, before=EVENT, now=EVENT) is ChangeOutcome.NOT_APPLIED


def test_an_event_that_says_everything_means_that_the_change_was_made() -> None:
    before = {**EVENT, "@odata.etag": 'W/"1"', "subject": "Old"}
    assert change_outcome({"subject": "Review", "showAs": "busy"}, before=before, now=EVENT) is ChangeOutcome.APPLIED
    assert change_outcome({"subject": "Review"}, before=None, now=EVENT) is ChangeOutcome.APPLIED


def test_another_etag_and_another_content_tell_nothing() -> None:
    before = {**EVENT, "@odata.etag": 'W/"1"'}
    assert change_outcome({"subject": "Mine"}, before=before, now=EVENT) is ChangeOutcome.UNKNOWN


def test_a_mismatch_without_a_reading_before_means_not_made() -> None:
    assert change_outcome({"subject": "Mine"}, before=None, now=EVENT) is ChangeOutcome.NOT_APPLIED


def test_an_online_meeting_alone_is_settled_by_what_the_event_is_now() -> None:
    before = {**EVENT, "@odata.etag": 'W/"1"', "isOnlineMeeting": False}
    asked = {"isOnlineMeeting": True, "onlineMeetingProvider": "teamsForBusiness"}
    assert change_outcome(asked, before=before, now=EVENT) is ChangeOutcome.APPLIED
    assert change_outcome(asked, before=before, now={**EVENT, "isOnlineMeeting": False}) is ChangeOutcome.UNKNOWN
    assert change_outcome(asked, before=None, now=EVENT) is ChangeOutcome.UNKNOWN

"""Bodies held against Microsoft's published schema, where GRAPH_CSDL names a copy of the v1.0 metadata."""

from pathlib import Path
from typing import Any

import pytest

from scalekit_mcp.calendar.events.writing.body import create_body, patch_body
from scalekit_mcp.tools import CreateCalendarEvent, UpdateCalendarEvent, parse_arguments
from tests.support.csdl import CSDL, REASON, Schema

pytestmark = pytest.mark.skipif(not CSDL, reason=REASON)

EVERYTHING: dict[str, Any] = {
    "subject": "x",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "America/New_York",
    "end_datetime": "2026-04-01T17:00:00",
    "end_timezone": "Europe/Berlin",
    "body_content": "x",
    "body_contentType": "html",
    "location": "Room 1",
    "locations": [
        {
            "displayName": "Room 2",
            "locationType": "conferenceRoom",
            "locationEmailAddress": "room2@x.com",
            "locationUri": "https://x.com",
            "address": {"street": "a", "city": "b", "state": "c", "countryOrRegion": "d", "postalCode": "e"},
            "coordinates": {"latitude": 1, "longitude": 2, "altitude": 3, "accuracy": 4, "altitudeAccuracy": 5},
        }
    ],
    "attendees_required": "Ann <a@x.com>",
    "attendees_optional": "b@x.com",
    "attendees_resource": "room2@x.com",
    "hideAttendees": True,
    "isOnlineMeeting": True,
    "onlineMeetingProvider": "teamsForBusiness",
    "reminderMinutesBeforeStart": 5,
    "importance": "high",
    "sensitivity": "confidential",
    "showAs": "workingElsewhere",
    "categories": "Red",
}
SERIES: list[dict[str, Any]] = [
    {},
    {"recurrence_type": "daily"},
    {"recurrence_type": "weekly", "recurrence_first_day_of_week": "monday", "recurrence_occurrences": 3},
    {"recurrence_type": "absoluteMonthly", "recurrence_end_date": "2027-01-01"},
    {"recurrence_type": "relativeMonthly", "recurrence_occurrences": 3},
    {"recurrence_type": "absoluteYearly", "recurrence_occurrences": 3},
    {"recurrence_type": "relativeYearly", "recurrence_occurrences": 3},
]


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema(Path(CSDL))


def test_the_schema_refuses_what_it_does_not_declare(schema: Schema) -> None:
    assert schema.problems({"subject": 5, "colour": "red", "importance": "urgent"}, "microsoft.graph.event", "")


@pytest.mark.parametrize("series", SERIES, ids=lambda s: s.get("recurrence_type", "single"))
def test_every_created_body_fits_microsofts_schema(schema: Schema, series: dict[str, Any]) -> None:
    extra = {"responseRequested": False, "allowNewTimeProposals": True}
    args = parse_arguments("outlook_create_calendar_event", EVERYTHING | series | extra)
    assert isinstance(args, CreateCalendarEvent)
    body = create_body(args, transaction_id="t")
    assert schema.problems(body, "microsoft.graph.event", "") == []


@pytest.mark.parametrize("series", SERIES, ids=lambda s: s.get("recurrence_type", "single"))
def test_every_patched_body_fits_microsofts_schema(schema: Schema, series: dict[str, Any]) -> None:
    current = {
        "start": {"dateTime": "2026-04-01T14:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2026-04-01T15:00:00.0000000", "timeZone": "UTC"},
        "attendees": [
            {
                "type": "optional",
                "status": {"response": "accepted", "time": "2026-03-01T10:00:00Z"},
                "emailAddress": {"address": "b@x.com", "name": "Bob"},
                "proposedNewTime": None,
            }
        ],
        "body": {"contentType": "html", "content": ""},
    }
    changes = EVERYTHING | series | {"event_id": "A", "attendees_add": "c@x.com", "attendees_remove": "d@x.com"}
    args = parse_arguments("outlook_update_calendar_event", changes)
    assert isinstance(args, UpdateCalendarEvent)
    assert schema.problems(patch_body(args, current).body, "microsoft.graph.event", "") == []
    cleared = parse_arguments(
        "outlook_update_calendar_event",
        {"event_id": "A", "clear": "attendees_optional,location,categories,body_content,recurrence"},
    )
    assert isinstance(cleared, UpdateCalendarEvent)
    assert schema.problems(patch_body(cleared, current).body, "microsoft.graph.event", "") == []

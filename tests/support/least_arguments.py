"""The fewest arguments with which each tool can be called."""

from __future__ import annotations

from typing import Any

LEAST: dict[str, dict[str, Any]] = {
    "outlook_create_calendar_event": {
        "subject": "Review",
        "start_datetime": "2026-04-01T10:00:00",
        "start_timezone": "UTC",
        "end_datetime": "2026-04-01T11:00:00",
        "end_timezone": "UTC",
    },
    "outlook_get_calendar_event": {"event_id": "A"},
    "outlook_list_calendar_events": {},
    "outlook_update_calendar_event": {"event_id": "A", "subject": "Review"},
    "outlook_delete_calendar_event": {"event_id": "A"},
    "authorize": {},
    "outlook_find_meeting_times": {
        "duration_minutes": 60,
        "start_datetime": "2026-04-01T09:00:00",
        "end_datetime": "2026-04-01T17:00:00",
    },
    "outlook_get_free_busy_schedule": {
        "people": "a@x.com",
        "start_datetime": "2026-04-01T09:00:00",
        "end_datetime": "2026-04-01T17:00:00",
    },
    "outlook_respond_to_event": {"event_id": "A", "response": "accept"},
    "outlook_list_calendars": {},
    "outlook_search_people": {"query": "alice"},
}

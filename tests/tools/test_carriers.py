"""What models are offered where Scalekit's tools carry out calls, and that it is one with what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.scalekit.outlook_tools.params import check_supported
from scalekit_mcp.tools import HOSTED_LIMITS, TOOLS, Carrier, carried_tools, offered_tools, parse_arguments

SNAPSHOT = Path(__file__).parent / "schemas" / "by_scalekits_tools.json.txt"
CREATE = "outlook_create_calendar_event"
UPDATE = "outlook_update_calendar_event"
DELETE = "outlook_delete_calendar_event"
BASE: dict[str, dict[str, Any]] = {
    CREATE: {
        "subject": "Review",
        "start_datetime": "2026-04-08T10:00:00",
        "start_timezone": "UTC",
        "end_datetime": "2026-04-08T11:00:00",
        "end_timezone": "UTC",
    },
    UPDATE: {"event_id": "AAMk", "subject": "Review"},
    DELETE: {"event_id": "AAMk"},
    "outlook_get_calendar_event": {"event_id": "AAMk"},
    "outlook_list_calendar_events": {},
    "authorize": {},
}
WITH = {
    "recurrence": {"recurrence_type": "weekly"},
    "start_datetime": {"start_timezone": "UTC"},
    "end_datetime": {"end_timezone": "UTC"},
    "start_timezone": {"start_datetime": "2026-04-08T10:00:00"},
    "end_timezone": {"end_datetime": "2026-04-08T11:00:00"},
    "body_contentType": {"body_content": "Text."},
    "onlineMeetingProvider": {"isOnlineMeeting": True},
}
"""What a parameter cannot be without; that of `recurrence` is for all of them."""
WINDOW = {"start_datetime": "2026-04-06T00:00:00", "end_datetime": "2026-04-07T00:00:00", "timezone": "UTC"}
TEXTS = {
    "start_datetime": "2026-04-08T10:00:00",
    "end_datetime": "2026-04-08T11:00:00",
    "locations": '[{"displayName": "Room 1"}]',
    "recurrence_days_of_week": "wednesday",
    "recurrence_start_date": "2026-04-08",
    "recurrence_end_date": "2026-06-30",
    "clear": "attendees_optional",
    "select": "subject",
    "orderby": "start/dateTime asc",
    "confirmation_code": "ABCD2345",
}


def values_of(name: str, schema: dict[str, Any]) -> list[Any]:
    if "enum" in schema:
        return list(schema["enum"])
    if schema["type"] == "boolean":
        return [True, False]
    if schema["type"] == "integer":
        return [max(1, schema.get("minimum", 1))]
    if name in TEXTS:
        return [TEXTS[name]]
    if "attendees" in name:
        return ["alice@company.com"]
    return ["UTC"] if "timezone" in name else ["text"]


def listed() -> list[tuple[str, str, Any]]:
    return [
        (name, parameter, value)
        for name, spec in carried_tools(Carrier.HOSTED_TOOLS).items()
        for parameter, schema in spec.input_schema["properties"].items()
        for value in values_of(parameter, schema)
    ]


@pytest.mark.parametrize(("tool", "parameter", "value"), listed())
def test_nothing_that_is_listed_is_refused(tool: str, parameter: str, value: Any) -> None:
    given = {**BASE[tool], **WITH.get(parameter, {}), parameter: value}
    if parameter.startswith("recurrence_") and parameter != "recurrence_type":
        given |= WITH["recurrence"]
    if parameter == "recurrence_range_type":
        given |= {"endDate": {"recurrence_end_date": "2026-06-30"}, "numbered": {"recurrence_occurrences": 3}}.get(
            value, {}
        )
    if tool == "outlook_list_calendar_events" and parameter in WINDOW:
        given = dict(WINDOW)
    if parameter == "isAllDay" and value:
        given |= {"start_datetime": "2026-04-08T00:00:00", "end_datetime": "2026-04-09T00:00:00"}
        given |= {"start_timezone": "UTC", "end_timezone": "UTC"}
    check_supported(parse_arguments(tool, given))


@pytest.mark.parametrize("limit", HOSTED_LIMITS, ids=lambda limit: limit.parameter)
def test_what_is_left_out_is_refused_by_its_name(limit: Any) -> None:
    if limit.refuses is None:
        return  # it depends on the event
    refused = {
        "transaction_id": "t-1",
        "allowNewTimeProposals": False,
        "responseRequested": False,
        "calendar_id": "Private",
        "apply_to": "following",
        "clear": "location",
        "permanent": True,
        "recurrence_type": "absoluteYearly",
        "recurrence_day_of_month": 8,
        "recurrence_month": 4,
        "recurrence_week_index": "second",
        "recurrence_first_day_of_week": "monday",
        "categories": ["a,b"],
    }[limit.parameter]
    for tool in limit.tools:
        given = {**BASE[tool], limit.parameter: refused}
        if limit.parameter == "recurrence_first_day_of_week":
            given |= {"recurrence_type": "weekly"}
        if tool == UPDATE and limit.parameter == "apply_to":
            given |= {"location": "Room 2"}
        if limit.parameter == "recurrence_month" or limit.parameter == "recurrence_day_of_month":
            given |= {"recurrence_type": "absoluteYearly"} if tool == CREATE else {}
        if limit.parameter == "recurrence_week_index":
            given |= {"recurrence_type": "relativeYearly"} if tool == CREATE else {}
        with pytest.raises(InvalidInput) as caught:
            check_supported(parse_arguments(tool, given))
        named = caught.value.details["field"]
        assert named == limit.parameter or (tool == CREATE and named == "recurrence_type")
        assert "SCALEKIT_MCP_HOSTED_CALLS" in caught.value.next_step


@pytest.mark.parametrize("name", [n for n in TOOLS if n not in carried_tools(Carrier.HOSTED_TOOLS)])
def test_a_tool_without_counterpart_is_refused(name: str) -> None:
    given = {
        "outlook_find_meeting_times": {"duration_minutes": 30, **WINDOW},
        "outlook_get_free_busy_schedule": {"people": "alice@company.com", **WINDOW},
        "outlook_respond_to_event": {"event_id": "AAMk", "response": "accept"},
        "outlook_search_people": {"query": "Alice"},
    }.get(name, {})
    with pytest.raises(InvalidInput, match=name):
        check_supported(parse_arguments(name, given))


def test_graph_carries_every_tool_with_all_its_parameters() -> None:
    assert carried_tools(Carrier.GRAPH) == dict(TOOLS)


def test_the_listing_by_scalekits_tools_is_as_its_snapshot_says() -> None:
    """Run with UPDATE_SCHEMAS=1 to accept a change; it then shows in the diff."""
    offered = offered_tools(["calendar", "scheduling"], carrier=Carrier.HOSTED_TOOLS)
    text = json.dumps({name: spec.input_schema for name, spec in offered.items()}, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_SCHEMAS"):
        SNAPSHOT.write_text(text, encoding="utf-8")
    assert SNAPSHOT.read_text(encoding="utf-8") == text


def test_a_limit_names_a_parameter_that_its_tools_have_and_values_that_it_can_take() -> None:
    for limit in HOSTED_LIMITS:
        for tool in limit.tools:
            schema = TOOLS[tool].input_schema["properties"][limit.parameter]
            if limit.listed is not None:
                assert set(limit.listed.values) < set(schema.get("enum", [None])) or not limit.listed.values

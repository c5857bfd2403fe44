"""Bodies held against Microsoft's published schema, where GRAPH_CSDL names a copy of the v1.0 metadata."""

import os
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from scalekit_mcp.microsoft.event_body import create_body, patch_body
from scalekit_mcp.tools import CreateCalendarEvent, UpdateCalendarEvent, parse_arguments

CSDL = os.environ.get("GRAPH_CSDL", "")
pytestmark = pytest.mark.skipif(not CSDL, reason="GRAPH_CSDL does not name Microsoft's metadata")

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
SCALARS = {
    "Edm.String": lambda v: isinstance(v, str),
    "Edm.Boolean": lambda v: isinstance(v, bool),
    "Edm.Int32": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "Edm.Double": lambda v: isinstance(v, float | int) and not isinstance(v, bool),
    "Edm.Date": lambda v: isinstance(v, str) and bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", v)),
    "Edm.DateTimeOffset": lambda v: isinstance(v, str) and v.endswith("Z"),
}

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


class Schema:
    def __init__(self, path: Path) -> None:
        self.types: dict[str, tuple[str | None, dict[str, str]]] = {}
        self.enums: dict[str, set[str]] = {}
        for schema in ET.parse(path).getroot().iter(f"{EDM}Schema"):  # noqa: S314 - a file of ours
            prefixes = [schema.get("Namespace"), schema.get("Alias")]
            for element in schema:
                for prefix in filter(None, prefixes):
                    self._read(element, f"{prefix}.{element.get('Name')}")

    def _read(self, element: ET.Element, name: str) -> None:
        if element.tag in {f"{EDM}EntityType", f"{EDM}ComplexType"}:
            properties = {p.get("Name", ""): p.get("Type", "") for p in element.findall(f"{EDM}Property")}
            self.types[name] = (element.get("BaseType"), properties)
        if element.tag == f"{EDM}EnumType":
            self.enums[name] = {m.get("Name", "") for m in element.findall(f"{EDM}Member")}

    def problems(self, value: Any, kind: str, path: str) -> list[str]:
        """What does not fit; names that the schema does not declare are refused, as the service does."""
        if value is None:
            return []
        if kind.startswith("Collection("):
            if not isinstance(value, list):
                return [f"{path}: no list"]
            return [p for n, v in enumerate(value) for p in self.problems(v, kind[11:-1], f"{path}[{n}]")]
        if kind in self.enums:
            return [] if value in self.enums[kind] else [f"{path}: {value}"]
        if kind in SCALARS:
            return [] if SCALARS[kind](value) else [f"{path}: {value!r} is no {kind}"]
        declared: dict[str, str] = {}
        base: str | None = kind
        while base is not None:
            base, own = self.types[base]
            declared |= own
        found: list[str] = []
        for name, member in value.items():
            if name not in declared:
                found.append(f"{path}.{name}: not declared")
            else:
                found += self.problems(member, declared[name], f"{path}.{name}")
        return found


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

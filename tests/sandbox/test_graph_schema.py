"""Names, types, enum members and actions are those of Microsoft's published metadata.

The metadata file is not part of this project: `GRAPH_CSDL` names a copy (`https://graph.microsoft.com/v1.0/$metadata`).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from graph_client import Graph, create, event_body, path
from scheduling_client import ALICE, BOB, DANA, LISBON, NOW, TEAM, at, client_of, fixed_sandbox, schedules

from scalekit_mcp.sandbox.graph.calendar.schema import ENUMS, TYPES, WRITABLE
from scalekit_mcp.sandbox.graph.properties import EXPANDABLE, PROPERTIES

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
ACTIONS = ("accept", "decline", "tentativelyAccept", "cancel", "permanentDelete")
NOT_TYPES = {*ACTIONS, "getSchedule"}
WEEK = {"startDateTime": "2026-03-01T00:00:00Z", "endDateTime": "2026-05-01T00:00:00Z", "$top": "100"}
LITERALS = {
    "Edm.String": lambda value: isinstance(value, str),
    "Edm.Boolean": lambda value: isinstance(value, bool),
    "Edm.Int32": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "Edm.Double": lambda value: isinstance(value, int | float),
    "Edm.Date": lambda value: re.fullmatch(r"\d{4}-\d\d-\d\d", value),
    "Edm.TimeOfDay": lambda value: re.fullmatch(r"\d\d:\d\d:\d\d\.\d{7}", value),
    "Edm.DateTimeOffset": lambda value: re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{7})?Z", value),
}


@dataclass
class Metadata:
    """Structured types with the members they inherit, enums, and the parameters of actions on events."""

    types: dict[str, dict[str, str]] = field(default_factory=dict)
    navigation: dict[str, dict[str, str]] = field(default_factory=dict)
    enums: dict[str, list[str]] = field(default_factory=dict)
    actions: dict[str, dict[str, str]] = field(default_factory=dict)


def local(name: str) -> str:
    return re.sub(r"\b(?:microsoft\.)?graph\.", "", name)


@pytest.fixture(scope="module")
def metadata() -> Metadata:
    place = os.environ.get("GRAPH_CSDL")
    if not place or not Path(place).is_file():
        pytest.skip("GRAPH_CSDL names no copy of Microsoft Graph's v1.0 metadata")
    root = ElementTree.parse(place).getroot()  # noqa: S314 - Microsoft's own file
    found, bases = Metadata(), dict[str, str]()
    for tag in ("EntityType", "ComplexType"):
        for element in root.iter(f"{EDM}{tag}"):
            name = element.attrib["Name"]
            found.types[name] = {p.attrib["Name"]: local(p.attrib["Type"]) for p in element.iter(f"{EDM}Property")}
            found.navigation[name] = {
                p.attrib["Name"]: local(p.attrib["Type"]) for p in element.iter(f"{EDM}NavigationProperty")
            }
            bases[name] = local(element.attrib.get("BaseType", ""))
    for name in found.types:
        base = bases[name]
        while base:
            found.types[name] = {**found.types[base], **found.types[name]}
            base = bases[base]
    for element in root.iter(f"{EDM}EnumType"):
        found.enums[element.attrib["Name"]] = [member.attrib["Name"] for member in element.iter(f"{EDM}Member")]
    for element in root.iter(f"{EDM}Action"):
        parameters = {p.attrib["Name"]: local(p.attrib["Type"]) for p in element.iter(f"{EDM}Parameter")}
        if parameters.pop("bindingParameter", "") == "event" or element.attrib["Name"] == "getSchedule":
            found.actions[element.attrib["Name"]] = parameters
    return found


def problems(metadata: Metadata, value: Any, kind: str, where: str) -> list[str]:
    """What in an answer is not as the metadata says."""
    if value is None:
        return []
    if kind.startswith("Collection("):
        inner = kind[11:-1]
        return [p for n, item in enumerate(value) for p in problems(metadata, item, inner, f"{where}[{n}]")]
    if kind in metadata.enums:
        return [] if value in metadata.enums[kind] else [f"{where}: {value!r} is no member of {kind}"]
    if kind in LITERALS:
        return [] if LITERALS[kind](value) else [f"{where}: {value!r} is no {kind}"]
    found: list[str] = []
    for name, member in value.items():
        if "@" in name:
            continue
        declared = metadata.types[kind].get(name) or metadata.navigation[kind].get(name)
        if declared is None:
            found.append(f"{where}: {kind} has no {name}")
        else:
            found += problems(metadata, member, declared, f"{where}.{name}")
    return found


def test_every_accepted_property_has_the_name_and_type_of_the_metadata(metadata: Metadata):
    for name, members in TYPES.items():
        if name in NOT_TYPES:
            continue
        for member, kind in members.items():
            if kind == "Collection(Any)":
                assert member in metadata.navigation[name], f"{name}.{member}"
            else:
                assert metadata.types[name].get(member) == kind, f"{name}.{member}"


def test_every_property_of_the_metadata_is_accepted(metadata: Metadata):
    for name in set(TYPES) - NOT_TYPES:
        assert set(metadata.types[name]) <= set(TYPES[name]), name
    assert set(metadata.types["event"]) | set(metadata.navigation["event"]) >= WRITABLE


def test_every_enum_has_the_members_of_the_metadata(metadata: Metadata):
    for name, members in ENUMS.items():
        published = [member for member in metadata.enums[name] if member != "unknownFutureValue"]
        assert sorted(members) == sorted(published), name


def test_every_action_has_the_parameters_of_the_metadata(metadata: Metadata):
    for name in (*ACTIONS, "getSchedule"):
        assert TYPES[name] == metadata.actions[name], name


def test_every_name_in_a_query_is_a_property_of_the_metadata(metadata: Metadata):
    assert set(metadata.types["event"]) | set(metadata.navigation["event"]) == PROPERTIES
    assert set(metadata.navigation["event"]) > EXPANDABLE


async def test_every_event_answered_is_as_the_metadata_says(metadata: Metadata):
    graph = Graph()
    everything = event_body(
        attendees=[{"emailAddress": {"address": "alice@company.com"}, "type": "optional"}],
        isOnlineMeeting=True,
        location={
            "displayName": "Room",
            "address": {"city": "Ulm"},
            "coordinates": {"latitude": 48.4, "longitude": 10},
        },
        categories=["Red"],
        recurrence={
            "pattern": {"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["Wednesday"], "index": "first"},
            "range": {"type": "noEnd", "startDate": "2026-04-01"},
        },
    )
    async with graph.signed_in() as dana, graph.signed_in("alice@company.com") as alice:
        master = await create(dana, **everything)
        occurrence = (await dana.get(path(master, "/instances"), params=WEEK)).json()["value"][0]
        exception = (await dana.patch(path(occurrence), json={"subject": "Other"})).json()
        events = [master, occurrence, exception]
        for client in (dana, alice):
            for where in ("/me/events", "/me/calendarView"):
                events += (await client.get(where, params=WEEK)).json()["value"]
        names = ",".join(PROPERTIES - EXPANDABLE)
        events.append((await dana.get(path(master), params={"$expand": ",".join(EXPANDABLE)})).json())
        assert set(events[-1]) >= EXPANDABLE
        events.append((await dana.get(path(master), params={"$select": names})).json())
    kinds = {event["type"] for event in events if "type" in event}
    assert kinds == {"singleInstance", "seriesMaster", "occurrence", "exception"}
    assert [p for event in events for p in problems(metadata, event, "event", event["type"])] == []
    assert set(metadata.types["event"]) - set(master) == {"cancelledOccurrences", "originalStart"}
    assert set(metadata.types["event"]) <= set(events[-1])


async def test_calendars_people_and_settings_are_as_the_metadata_says(metadata: Metadata):
    graph = Graph()
    scopes = frozenset({"User.Read", "Calendars.Read", "MailboxSettings.Read"})
    async with graph.signed_in(scopes=scopes) as client:
        calendars = (await client.get("/me/calendars")).json()["value"]
        assert [p for entry in calendars for p in problems(metadata, entry, "calendar", "calendar")] == []
        assert set(calendars[0]) == set(metadata.types["calendar"])
        for where, kind in (("/me", "user"), ("/me/mailboxSettings", "mailboxSettings")):
            assert problems(metadata, (await client.get(where)).json(), kind, kind) == []
        rows = (await client.get("/me/outlook/supportedTimeZones")).json()["value"]
        assert problems(metadata, rows, "Collection(timeZoneInformation)", "zones") == []


async def test_every_schedule_answered_is_as_the_metadata_says(metadata: Metadata):
    sandbox = fixed_sandbox(ALICE)
    sandbox.scheduling.share_schedule(ALICE, "details")
    sandbox.scheduling.add_busy(ALICE, NOW, NOW + timedelta(hours=1), subject="Pitch", location="Hall")
    sandbox.scheduling.set_working_hours(BOB, zone_rules="custom")
    async with client_of(sandbox) as dana:
        window: dict[str, Any] = {"startTime": at("2029-03-01T08:00:00")}
        entries = await schedules(dana, DANA, ALICE, BOB, LISBON, TEAM, "nobody@company.com", **window)
    custom = entries[2]["workingHours"]["timeZone"]
    assert problems(metadata, custom, "customTimeZone", "zone") == []
    entries[2]["workingHours"]["timeZone"] = None
    assert problems(metadata, entries, "Collection(scheduleInformation)", "value") == []
    names = {name for entry in entries for name in entry}
    assert names == set(metadata.types["scheduleInformation"])
    assert {name for item in entries[1]["scheduleItems"] for name in item} == set(metadata.types["scheduleItem"])

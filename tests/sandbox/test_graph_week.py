"""The week that everybody finds in their calendar."""

from __future__ import annotations

from datetime import date, datetime
from itertools import combinations, pairwise
from typing import Any

import httpx2 as httpx
import pytest
from graph_client import Graph, create

from scalekit_mcp.sandbox.graph import WeekEntry, calendar_week
from scalekit_mcp.sandbox.graph.calendar.week import week_start
from scalekit_mcp.sandbox.world import Person

MONDAY = date(2026, 3, 23)
PEOPLE = ["dana@company.com", "bob@company.com", "fiona@fabrikam.example", "pat@outlook.example"]


async def week(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    window = {"startDateTime": "2026-03-22T12:00:00Z", "endDateTime": "2026-03-29T12:00:00Z", "$top": "100"}
    return (await client.get("/me/calendarView", params=window)).json()["value"]


@pytest.mark.parametrize("name", PEOPLE)
async def test_everybody_has_every_kind_of_event_in_the_week(name: str):
    graph = Graph()
    async with graph.signed_in(name) as client:
        events = await week(client)
        series = [e for e in (await client.get("/me/events?$top=50")).json()["value"] if e["type"] == "seriesMaster"]
        options = {"$select": "cancelledOccurrences"}
        cancelled = (await client.get(f"/me/events/{series[0]['id']}", params=options)).json()["cancelledOccurrences"]
    assert {event["type"] for event in events} == {"singleInstance", "exception"}
    assert len(series) == len(cancelled) == 1
    assert any(event["isAllDay"] for event in events)
    assert any(event["sensitivity"] == "private" for event in events)
    assert any(not event["isOrganizer"] for event in events)
    assert any(event["isOnlineMeeting"] for event in events) is (name != "pat@outlook.example")


async def test_colleagues_share_their_meetings():
    graph = Graph()
    async with graph.signed_in() as dana, graph.signed_in("alice@company.com") as alice:
        mine = {event["iCalUId"] for event in await week(dana) if event["attendees"]}
        theirs = {event["iCalUId"] for event in await week(alice)}
    assert mine & theirs


async def test_the_week_is_the_same_in_every_world():
    shown: list[list[WeekEntry]] = []
    for _ in range(2):
        graph = Graph()
        shown.append(calendar_week(graph.world, graph.world.people["bob@company.com"], MONDAY))
    assert shown[0] == shown[1]
    assert len(shown[0]) > 6


async def test_the_picture_is_in_the_persons_zone_all_day_events_first():
    graph = Graph()
    async with graph.signed_in("bob@company.com") as client:
        start = {"dateTime": "2026-03-24T22:00:00", "timeZone": "UTC"}
        await create(client, subject="Late in London", start=start, end={**start, "dateTime": "2026-03-24T23:00:00"})
    entries = calendar_week(graph.world, graph.world.people["bob@company.com"], MONDAY)
    assert [entry.all_day for entry in entries] == sorted((entry.all_day for entry in entries), reverse=True)
    late = next(entry for entry in entries if entry.subject == "Late in London")
    assert late == WeekEntry(datetime(2026, 3, 24, 18), datetime(2026, 3, 24, 19), "Late in London", False, "busy")  # noqa: DTZ001


async def test_the_next_week_misses_the_cancelled_date_and_the_one_after_has_the_series_again():
    graph = Graph()
    person = graph.world.people["dana@company.com"]
    has_sync = [
        any(entry.subject == "Weekly sync" for entry in calendar_week(graph.world, person, day))
        for day in (MONDAY, date(2026, 3, 30), date(2026, 4, 6))
    ]
    assert has_sync == [True, False, True]


async def test_somebody_who_joins_later_gets_a_week_too():
    graph = Graph()
    calendar_week(graph.world, graph.world.people["dana@company.com"], MONDAY)
    dana = graph.world.people["dana@company.com"]
    newcomer = Person(graph.world.new_guid(), dana.tenant_id, "Nils New", "nils@company.com", "Asia/Tokyo")
    graph.world.people[newcomer.address] = newcomer
    assert any(entry.subject == "Weekly sync" for entry in calendar_week(graph.world, newcomer, MONDAY))


@pytest.mark.parametrize("day", ["2026-03-09", "2026-03-25", "2026-04-06", "2026-07-01", "2026-10-28", "2026-12-02"])
async def test_nobody_has_two_appointments_at_a_time_or_one_twice(day: str):
    graph = Graph(at=f"{day}T09:00:00+00:00")
    for person in graph.world.people.values():
        if not person.has_mailbox:
            continue
        entries = calendar_week(graph.world, person, week_start(graph.world))
        timed = [entry for entry in entries if not entry.all_day]
        clashes = [(a, b) for a, b in pairwise(timed) if b.start < a.end]
        assert not clashes, (person.name, clashes)
        subjects = [entry.subject for entry in entries]
        assert len(set(subjects)) == len(subjects), person.name


async def test_colleagues_have_different_weeks():
    graph = Graph()
    weeks = [
        {(entry.subject, entry.start) for entry in calendar_week(graph.world, person, MONDAY)}
        for person in graph.world.people.values()
        if person.has_mailbox
    ]
    assert max(len(a & b) for a, b in combinations(weeks, 2)) < min(map(len, weeks))

"""The switches around other people's time, over HTTP, on the start page and in Python."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest
from scheduling_client import ALICE, BOB, LISBON, at, client_of, fixed_sandbox, schedules, shown

from scalekit_mcp.sandbox import Sandbox

HOUR = {"start": "2029-03-05T09:00", "end": "2029-03-05T10:00"}


async def turn(sandbox: Sandbox, name: str, arguments: dict[str, Any]) -> httpx.Response:
    transport = httpx.ASGITransport(app=sandbox.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.post(f"/_sandbox/{name}", json=arguments)


async def test_every_switch_can_be_turned_over_http() -> None:
    sandbox = fixed_sandbox()
    for name, arguments in (
        ("clear_calendar", {"address": BOB}),
        ("add_alias", {"address": BOB, "alias": "robert@company.com"}),
        ("add_busy", {"address": BOB, **HOUR, "subject": "Pitch"}),
        ("set_working_hours", {"address": BOB, "starts": "07:30", "ends": "15:00", "days": "Monday"}),
        ("share_schedule", {"address": BOB, "shows": "details"}),
        ("add_room", {"address": "hall@company.com", "name": "Hall", "answers": "never"}),
        ("add_list", {"address": "two@company.com", "members": f"{BOB}, {LISBON}"}),
    ):
        answer = await turn(sandbox, name, arguments)
        assert answer.json() == {"ok": True, "switch": name, "result": None}, name
    async with client_of(sandbox) as dana:
        bob, hall, two = await schedules(dana, "robert@company.com", "hall@company.com", "two@company.com")
    assert shown(bob) == shown(two) == [("busy", "2029-03-05T14:00", "2029-03-05T15:00")]
    assert bob["scheduleItems"][0]["subject"] == "Pitch"
    assert "subject" not in two["scheduleItems"][0]
    assert (bob["workingHours"]["startTime"], bob["workingHours"]["daysOfWeek"]) == ("07:30:00.0000000", ["monday"])
    assert hall["scheduleItems"] == []
    state = sandbox.state()
    assert {room["account"]["name"]: room["answers"] for room in state["rooms"]}["Hall"] == "never"
    assert [entry["members"] for entry in state["lists"] if entry["address"] == "two@company.com"] == [(BOB, LISBON)]


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        (
            "add_busy",
            {"address": "nobody@company.com", **HOUR},
            "nobody",
        ),
        ("add_busy", {"address": BOB, "start": HOUR["end"], "end": HOUR["start"]}, "before"),
        (
            "add_busy",
            {"address": BOB, **HOUR, "status": "away"},
            "status",
        ),
        (
            "add_busy",
            {"address": BOB, **HOUR, "time_zone": "Mars"},
            "Mars",
        ),
        ("set_working_hours", {"address": BOB, "starts": "8"}, "HH:MM"),
        ("set_working_hours", {"address": BOB, "starts": "25:00"}, "hour"),
        ("set_working_hours", {"address": BOB, "days": "monday,moonday"}, "moonday"),
        ("set_working_hours", {"address": BOB, "time_zone": "Mars"}, "Mars"),
        ("share_schedule", {"address": BOB, "shows": "everything"}, "shows"),
        ("add_room", {"address": "hall@company.com", "tenant": "Nowhere"}, "Nowhere"),
        ("add_room", {"address": "hall@company.com", "time_zone": "Mars"}, "Mars"),
        ("clear_calendar", {}, "address"),
    ],
)
async def test_a_wrong_argument_is_named_and_changes_nothing(name: str, arguments: dict[str, Any], text: str) -> None:
    sandbox = fixed_sandbox()
    before = sandbox.state()
    answer = await turn(sandbox, name, arguments)
    assert answer.status_code == 400
    assert text in answer.json()["error"]
    assert sandbox.state() == before


async def test_a_form_of_the_start_page_blocks_somebodys_time_and_the_week_shows_it() -> None:
    sandbox = fixed_sandbox()
    async with sandbox.browser() as browser:
        await browser.open("http://localhost/")
        url = await browser.press("Block somebody's time", address=ALICE, subject="Blocked by hand")
        assert url.startswith("http://localhost/?turned=add_busy")
        assert "Done: Block somebody&#39;s time" in browser.text
        assert "Blocked by hand" in browser.text
    async with client_of(sandbox) as dana:
        window: dict[str, Any] = {"startTime": at("2029-03-01T08:00:00"), "endTime": at("2029-03-01T23:00:00")}
        (alice,) = await schedules(dana, ALICE, zone="America/Chicago", **window)
    assert ("busy", "2029-03-01T09:00", "2029-03-01T10:00") in shown(alice)


async def test_times_with_an_offset_are_instants_also_in_the_hour_that_comes_twice() -> None:
    sandbox = fixed_sandbox(ALICE)
    for hour in (6, 7):  # 01:00 in Chicago, both times
        start = datetime(2029, 11, 4, hour, tzinfo=UTC)
        sandbox.scheduling.add_busy(ALICE, start, start.replace(minute=30))
    async with client_of(sandbox) as dana:
        window: dict[str, Any] = {"startTime": at("2029-11-04T00:00:00"), "endTime": at("2029-11-05T00:00:00")}
        (alice,) = await schedules(dana, ALICE, **window)
    assert [start for _, start, _ in shown(alice)] == ["2029-11-04T06:00", "2029-11-04T07:00"]


async def test_a_reset_forgets_rooms_hours_and_blocks() -> None:
    sandbox = fixed_sandbox()
    before = sandbox.state()["rooms"]
    sandbox.scheduling.add_room("hall@company.com")
    sandbox.scheduling.set_working_hours(ALICE, "05:00", "06:00")
    sandbox.reset()
    assert sandbox.state()["rooms"] == before
    hours = sandbox.people[ALICE].working_hours
    assert hours is not None
    assert hours.starts == "08:00"

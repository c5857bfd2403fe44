from datetime import date
from typing import Any

import pytest

from scalekit_mcp.errors import EventNotFound, InvalidInput
from scalekit_mcp.sandbox import Sandbox
from tests.support.microsoft import signed_in

MEETING: dict[str, Any] = {
    "subject": "Review",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "America/New_York",
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": "America/New_York",
    "body_content": "<p>One &amp; <b>two</b></p>",
    "body_contentType": "html",
    "attendees_required": "alice@company.com",
    "isOnlineMeeting": True,
}


def sandbox() -> Sandbox:
    return Sandbox(week_of=date(2026, 3, 30))


async def test_an_event_is_shown_in_the_asked_zone_with_responses_join_url_and_its_body_as_text() -> None:
    same = sandbox()
    async with signed_in(same) as me, signed_in(same, "alice@company.com") as alice:
        event = await me.create(**MEETING)
        hers = (await alice.list())["value"][0]["id"]
        await alice.graph("POST", f"/me/events/{hers}/accept", {"sendResponse": True})
        got = await me.get(event["id"], timezone="Asia/Tokyo")
        assert got["start"] == {"dateTime": "2026-04-01T23:00:00.0000000", "timeZone": "Asia/Tokyo"}
        assert got["attendees"][0]["status"]["response"] == "accepted"
        assert got["onlineMeeting"]["joinUrl"]
        assert got["type"] == "singleInstance"
        assert got["body"]["contentType"] == "text"
        assert "<b>" not in got["body"]["content"]
        assert "One & two" in got["body"]["content"]


async def test_the_body_comes_as_html_when_asked_for() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        got = await me.get(event["id"], body_format="HTML")
        assert got["body"]["contentType"] == "html"
        assert "<b>two</b>" in got["body"]["content"]


async def test_without_a_zone_times_come_in_the_servers_own() -> None:
    async with signed_in(sandbox(), timezone="Europe/Berlin") as me:
        event = await me.create(**MEETING)
        assert (await me.get(event["id"]))["start"] == {
            "dateTime": "2026-04-01T16:00:00.0000000",
            "timeZone": "Europe/Berlin",
        }


@pytest.mark.parametrize("zone", ["America/New_York", "Eastern Standard Time", "US/Eastern", "america/new_york"])
async def test_every_name_of_a_zone_gives_the_same_wall_time(zone: str) -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        assert (await me.get(event["id"], timezone=zone))["start"]["dateTime"][:19] == "2026-04-01T10:00:00"


async def test_select_gives_what_was_asked_and_the_id() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        got = await me.get(event["id"], select="subject,onlineMeeting")
        assert got.keys() == {"id", "subject", "onlineMeeting", "isOnlineMeeting"}
        assert got["onlineMeeting"]["joinUrl"]


async def test_an_occurrence_says_which_series_it_belongs_to() -> None:
    async with signed_in(sandbox()) as me:
        master = await me.create(**MEETING, recurrence_type="daily", recurrence_occurrences=2)
        window = await me.list(
            start_datetime="2026-04-01T00:00:00", end_datetime="2026-04-03T00:00:00", timezone="America/New_York"
        )
        got = await me.get(window["value"][1]["id"], timezone="America/New_York")
        assert (got["type"], got["seriesMasterId"]) == ("occurrence", master["id"])
        assert got["start"]["dateTime"][:19] == "2026-04-02T10:00:00"
        assert (await me.get(master["id"]))["type"] == "seriesMaster"


async def test_an_id_stays_good_when_the_event_moves_because_it_is_immutable() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        assert all('IdType="ImmutableId"' in request.headers["prefer"] for request in me.received())
        stored = next(iter(me.sandbox.world.mailboxes[me.account.oid].events.values()))
        stored.moves += 1
        assert (await me.get(event["id"]))["id"] == event["id"]


async def test_an_event_that_is_not_there_is_said_not_to_be_there() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        await me.delete(event["id"], permanent=True)
        with pytest.raises(EventNotFound):
            await me.get(event["id"])
        for nonsense in ("AAMkAGI1AAAt9AHjAAA=", "a/b+c", ".."):
            with pytest.raises((EventNotFound, InvalidInput)):
                await me.get(nonsense)


async def test_an_unknown_zone_is_refused_before_the_call() -> None:
    async with signed_in(sandbox()) as me:
        with pytest.raises(InvalidInput) as refused:
            await me.get("x", timezone="Mars/Olympus")
        assert refused.value.details["field"] == "timezone"
        assert me.received() == []


async def test_a_long_body_is_bounded_and_the_cut_is_told() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**{**MEETING, "body_content": "word " * 20_000, "body_contentType": "text"})
        got = await me.get(event["id"])
        assert len(got["body"]["content"]) < 20_100
        assert any("20000" in warning for warning in got["warnings"])

"""What a model gets of an event over MCP, and what code gets of the same."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.tools import MAX_ANSWER_CHARACTERS, parse_arguments
from tests.support.microsoft import SignedIn, signed_in

CREATE, GET = "outlook_create_calendar_event", "outlook_get_calendar_event"
LIST, UPDATE = "outlook_list_calendar_events", "outlook_update_calendar_event"
MEETING = {
    "subject": "Planning meeting",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "America/New_York",
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": "America/New_York",
    "attendees_required": "Alice Mill <alice@company.com>, bob@company.com",
    "isOnlineMeeting": True,
    "body_content": "Let us plan.\nSee you",
    "location": "Room 1",
}
WINDOW = {"start_datetime": "2026-04-01T00:00:00", "end_datetime": "2026-04-30T00:00:00", "timezone": "UTC"}


async def as_model(me: SignedIn, tool: str, **arguments: Any) -> dict[str, Any]:
    return await me.calendar.run(parse_arguments(tool, arguments).with_limit(MAX_ANSWER_CHARACTERS))


def size(answer: Any) -> int:
    return len(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode())


def sandbox() -> Sandbox:
    return Sandbox(week_of=date(2026, 3, 30))


async def test_an_ordinary_create_answers_what_a_scheduler_needs_in_1200_bytes() -> None:
    async with signed_in(sandbox()) as me:
        answer = await as_model(me, CREATE, **MEETING)
        url = answer["onlineMeeting"]["joinUrl"]
        assert answer.pop("id")
        answer.pop("told", None)
        assert answer == {
            "subject": "Planning meeting",
            "start": {"dateTime": "2026-04-01T10:00:00", "timeZone": "America/New_York"},
            "end": {"dateTime": "2026-04-01T11:00:00", "timeZone": "America/New_York"},
            "location": {"displayName": "Room 1"},
            "attendees": [
                {"emailAddress": {"name": "Alice Mill", "address": "alice@company.com"}},
                {"emailAddress": {"name": "Bob Tanaka", "address": "bob@company.com"}},
            ],
            "isOnlineMeeting": True,
            "onlineMeeting": {"joinUrl": url},
            "reminderMinutesBeforeStart": 15,
        }
        assert size(await as_model(me, CREATE, **MEETING)) <= 1_200


async def test_code_gets_graphs_whole_event() -> None:
    async with signed_in(sandbox()) as me:
        whole = await me.create(**MEETING)
        assert {"changeKey", "iCalUId", "webLink", "bodyPreview", "body", "organizer", "responseStatus"} <= set(whole)


async def test_a_read_event_has_its_text_once_and_without_what_joins_the_meeting() -> None:
    async with signed_in(sandbox()) as me:
        event_id = (await me.create(**MEETING))["id"]
        answer = await as_model(me, GET, event_id=event_id)
        assert answer["body"] == {"contentType": "text", "content": "Let us plan.\nSee you"}
        assert "bodyPreview" not in answer
        assert answer["onlineMeeting"]["joinUrl"].startswith("https://teams.")
        html = await as_model(me, GET, event_id=event_id, body_format="html")
        assert "meetup-join" in html["body"]["content"]


async def test_what_is_selected_is_answered_also_where_it_is_usual() -> None:
    async with signed_in(sandbox()) as me:
        event_id = (await me.create(**MEETING))["id"]
        answer = await as_model(me, GET, event_id=event_id, select="showAs,changeKey,webLink,bodyPreview")
        assert {"showAs", "changeKey", "webLink", "bodyPreview"} <= set(answer)


async def test_somebody_elses_meeting_names_its_organizer_and_the_own_answer() -> None:
    box = sandbox()
    async with signed_in(box, "alice@company.com") as alice, signed_in(box) as me:
        await alice.create(**{**MEETING, "attendees_required": me.address})
        [row] = (await as_model(me, LIST, **WINDOW))["value"]
        answer = await as_model(me, GET, event_id=row["id"])
        assert answer["organizer"]["emailAddress"]["address"] == "alice@company.com"
        assert answer["responseStatus"] == {"response": "notResponded"}


async def test_a_series_shows_its_pattern_without_the_zeros_of_other_patterns() -> None:
    async with signed_in(sandbox()) as me:
        weekly = {"recurrence_type": "weekly", "recurrence_days_of_week": "wednesday", "recurrence_occurrences": 4}
        answer = await as_model(me, CREATE, **MEETING, **weekly)
        assert answer["recurrence"]["pattern"] == {
            "type": "weekly",
            "interval": 1,
            "daysOfWeek": ["wednesday"],
            "firstDayOfWeek": "sunday",
        }
        assert answer["type"] == "seriesMaster"


async def test_twenty_ordinary_rows_stay_below_nine_kilobytes_and_name_each_person_once() -> None:
    people = ("alice@company.com", "bob@company.com", "carol@company.com")
    async with signed_in(sandbox()) as me:
        for hour in range(20):
            start = f"2026-04-{1 + hour:02}T09:00:00"
            await me.create(
                **{**MEETING, "start_datetime": start, "end_datetime": start.replace("T09", "T10")}
                | {"attendees_required": people[hour % 3], "isOnlineMeeting": False}
            )
        answer = await as_model(me, LIST, **{**WINDOW, "timezone": "America/Chicago"})
        assert answer["count"] == 20
        assert answer["value"][0]["start"] == {"dateTime": "2026-04-01T08:00:00", "timeZone": "America/Chicago"}
        assert answer["value"][0]["end"] == {"dateTime": "2026-04-01T09:00:00"}
        names = [person["emailAddress"].get("name") for row in answer["value"] for person in row["attendees"]]
        assert names == ["Alice Moreau", "Bob Tanaka", "Carol Adeyemi", *[None] * 17]
        assert [row["attendees"][0]["emailAddress"]["address"] for row in answer["value"]] == [*people * 6, *people[:2]]
        assert "warnings" not in answer
        assert size(answer) <= 9_000
        for_code = await me.calendar.run(parse_arguments(LIST, {**WINDOW, "timezone": "America/Chicago"}))
        assert all(row["end"]["timeZone"] == "America/Chicago" for row in for_code["value"])
        few = await as_model(me, LIST, **WINDOW, top=5)
        assert few["value"][0]["attendees"][0]["emailAddress"]["name"]
        assert "warnings" not in few


async def test_an_update_answers_as_lean_as_a_create() -> None:
    async with signed_in(sandbox()) as me:
        event_id = (await me.create(**MEETING))["id"]
        answer = await as_model(me, UPDATE, event_id=event_id, subject="Moved")
        assert answer["subject"] == "Moved"
        assert not {"body", "bodyPreview", "changeKey", "organizer"} & set(answer)

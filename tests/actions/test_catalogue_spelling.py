"""Scalekit's names of the scheduling tools, over REST, from asynchronous and from synchronous Python."""

from __future__ import annotations

import asyncio
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from actions_support import ALICE, DANA, MONDAY, PAGES, Bench, fast_bench, link_base
from starlette.applications import Starlette
from starlette.routing import Mount

from scalekit_mcp import ScalekitClient, open_actions
from scalekit_mcp.actions import Actions
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.serving import serving
from scalekit_mcp.server.rest.app import Rest, RestOptions
from tests.support.settings import sandbox_settings

FIND = "outlook_find_meeting_times"
SCHEDULE = "outlook_get_free_busy_schedule"
CALENDARS = "outlook_list_calendars"
PEOPLE = "outlook_search_people"
DECLINE = "outlook_decline_event"
ANSWERS = {
    "outlook_accept_event": "accepted",
    "outlook_decline_event": "declined",
    "outlook_tentatively_accept_event": "tentativelyAccepted",
}
KEY = "service-key-of-the-tests"
WINDOW = {"start_date_time": "2040-04-04T08:00:00Z", "end_date_time": "2040-04-04T18:00:00Z"}
WANTED: dict[str, Any] = {**WINDOW, "attendee_emails": [ALICE], "meeting_duration": "PT1H"}
OURS: dict[str, Any] = {
    "duration_minutes": 60,
    "start_datetime": "2040-04-04T08:00:00",
    "end_datetime": "2040-04-04T18:00:00",
    "timezone": "UTC",
    "attendees": ALICE,
}
PROPOSAL = {
    "start": {"dateTime": "2040-04-05T10:00:00", "timeZone": "Europe/Berlin"},
    "end": {"dateTime": "2040-04-05T09:00:00Z"},
}

Call = Callable[[str, dict[str, Any], str], Awaitable[dict[str, Any]]]


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2040, 4, 4, hour, minute)  # noqa: DTZ001 - the zone stands beside it


class RefusedError(Exception):
    """A call was refused as wrong input."""

    def __init__(self, field: str | None, message: str, next_step: str) -> None:
        super().__init__(message)
        self.field = field
        self.next_step = next_step


@dataclass
class Face:
    """One way of calling the tools, and the sandbox behind it. Dana and Alice are connected under their addresses."""

    box: Sandbox
    call: Call

    async def run(self, tool: str, as_user: str = DANA, /, **params: Any) -> dict[str, Any]:
        return await self.call(tool, params, as_user)

    async def refused(self, tool: str, /, **params: Any) -> RefusedError:
        with pytest.raises(RefusedError) as refused:
            await self.run(tool, **params)
        return refused.value

    async def invitation(self, **members: Any) -> str:
        """The id in Dana's calendar of a meeting to which Alice invites her."""
        times = {"start_datetime": "2040-04-04T10:00:00", "end_datetime": "2040-04-04T11:00:00"}
        zones = {"start_timezone": "UTC", "end_timezone": "UTC"}
        event = {"subject": "Review", "attendees_required": DANA, **times, **zones, **members}
        await self.run("outlook_create_calendar_event", ALICE, **event)
        rows = await self.run("outlook_list_calendar_events", filter="subject eq 'Review'")
        return rows["value"][0]["id"]

    async def answer_seen_by_alice(self) -> str:
        rows = await self.run("outlook_list_calendar_events", ALICE, filter="subject eq 'Review'", select="attendees")
        return rows["value"][0]["attendees"][0]["status"]["response"]


def over_rest(http: httpx.AsyncClient) -> Call:
    async def call(tool: str, params: dict[str, Any], identifier: str) -> dict[str, Any]:
        answer = await http.post("/execute_tool", json={"tool_name": tool, "identifier": identifier, "params": params})
        if answer.status_code == 400:
            error = answer.json()["details"][1]["error"]
            raise RefusedError(error.get("field"), error["message"], error["next_step"])
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    return call


def from_python(actions: Actions) -> Call:
    async def call(tool: str, params: dict[str, Any], identifier: str) -> dict[str, Any]:
        try:
            return await actions.execute_tool(identifier=identifier, tool_name=tool, tool_input=params)
        except InvalidInput as error:
            raise RefusedError(error.details.get("field"), str(error), error.next_step) from error

    return call


def from_synchronous_python(client: ScalekitClient) -> Call:
    async def call(tool: str, params: dict[str, Any], identifier: str) -> dict[str, Any]:
        try:
            return await asyncio.to_thread(
                client.actions.execute_tool, tool_name=tool, tool_input=params, identifier=identifier
            )
        except InvalidInput as error:
            raise RefusedError(error.details.get("field"), str(error), error.next_step) from error

    return call


@pytest.fixture(params=["rest", "python", "synchronous python"])
async def face(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Face]:
    box = Sandbox(week_of=MONDAY)
    async with AsyncExitStack() as stack:
        settings = sandbox_settings(
            box,
            await stack.enter_async_context(box.serve()),
            public_url=PAGES,
            database_url=f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}",
            vault_keys=f"k:{b64encode(secrets.token_bytes(32)).decode()}",
        )
        actions = await stack.enter_async_context(open_actions(settings, link_base=link_base, user_verification="off"))
        bench = Bench("embedded", actions, box)
        for address in (DANA, ALICE):
            await bench.connect(address, address)
            box.scheduling.clear_calendar(address)
            box.scheduling.set_working_hours(address, "08:00", "18:00", time_zone="UTC")
        call = from_python(actions)
        if request.param == "rest":
            rest = Rest(actions, RestOptions(service_key=KEY, public_url=PAGES))
            app = Starlette(routes=[Mount("/api/v1", routes=rest.routes())])
            base = await stack.enter_async_context(serving(app, port=0, host="127.0.0.1"))
            headers = {"Authorization": f"Bearer {KEY}"}
            http = httpx.AsyncClient(base_url=f"{base}/api/v1", headers=headers, timeout=20)
            call = over_rest(await stack.enter_async_context(http))
        elif request.param == "synchronous python":
            client = ScalekitClient(settings=settings)
            stack.push_async_callback(asyncio.to_thread, client.close)
            call = from_synchronous_python(client)
        yield Face(box, call)


async def test_meeting_times_come_as_microsoft_writes_them(face: Face) -> None:
    face.box.scheduling.add_busy(ALICE, at(8), at(10), time_zone="UTC")
    face.box.scheduling.add_busy(ALICE, at(10), at(17), "tentative", time_zone="UTC")
    answer = await face.run(FIND, **WANTED, max_candidates=2)
    first, second = answer["meetingTimeSuggestions"]
    assert first["meetingTimeSlot"]["start"] == {"dateTime": "2040-04-04T17:00:00", "timeZone": "UTC"}
    assert (first["order"], first["confidence"], first["organizerAvailability"]) == (1, 100, "free")
    assert second["attendeeAvailability"] == [
        {"availability": "tentative", "attendee": {"type": "required", "emailAddress": {"address": ALICE}}}
    ]
    assert (second["order"], second["confidence"]) == (2, 74.5)
    assert answer["emptySuggestionsReason"] == ""
    assert not {"suggestions", "now"} & set(answer)


async def test_up_to_forty_meeting_times_are_found_in_the_zone_of_the_call(face: Face) -> None:
    late = {"end_date_time": "2040-04-09T18:00:00Z", "meeting_duration": "PT15M", "max_candidates": 40}
    answer = await face.run(FIND, **WANTED | late, time_zone="America/New_York")
    suggestions = answer["meetingTimeSuggestions"]
    assert len(suggestions) == 40
    start = {"dateTime": "2040-04-04T04:00:00", "timeZone": "America/New_York"}
    assert suggestions[0]["meetingTimeSlot"]["start"] == start


async def test_a_meeting_can_be_without_its_organizer(face: Face) -> None:
    face.box.scheduling.add_busy(DANA, at(8), at(18), time_zone="UTC")
    none = await face.run(FIND, **WANTED)
    assert (none["meetingTimeSuggestions"], none["emptySuggestionsReason"]) == ([], "unknown")
    assert DANA in none["reason"]
    some = (await face.run(FIND, **WANTED, is_organizer_optional=True))["meetingTimeSuggestions"]
    assert (some[0]["organizerAvailability"], some[0]["confidence"]) == ("busy", 50)
    assert some[0]["attendeeAvailability"][0]["attendee"]["emailAddress"]["address"] == ALICE


async def test_schedules_come_as_microsoft_writes_them(face: Face) -> None:
    face.box.scheduling.add_busy(ALICE, at(9, 30), at(10), "oof", time_zone="UTC")
    face.box.scheduling.add_busy(ALICE, at(12), at(13), "tentative", time_zone="UTC")
    answer = await face.run(SCHEDULE, schedules=[ALICE, "nobody@company.com"], **WINDOW, availability_view_interval=120)
    alice, nobody = answer["value"]
    assert (alice["scheduleId"], alice["availabilityView"]) == (ALICE, "30100")
    assert [(item["status"], item["start"]) for item in alice["scheduleItems"]] == [
        ("oof", {"dateTime": "2040-04-04T09:30:00", "timeZone": "UTC"}),
        ("tentative", {"dateTime": "2040-04-04T12:00:00", "timeZone": "UTC"}),
    ]
    assert alice["workingHours"]["startTime"] == "08:00:00.0000000"
    assert nobody["error"]["message"]
    assert "availabilityView" not in nobody


async def test_a_window_without_offsets_is_local_in_the_zone_of_the_call(face: Face) -> None:
    face.box.scheduling.add_busy(ALICE, at(8), at(9), time_zone="UTC")
    window = {"start_date_time": "2040-04-04T10:00:00", "end_date_time": "2040-04-04T13:00:00"}
    answer = await face.run(SCHEDULE, schedules=[ALICE], **window, time_zone="Europe/Berlin")
    assert answer["value"][0]["availabilityView"] == "200"


async def test_calendars_come_as_microsoft_writes_them_a_page_at_a_time(face: Face) -> None:
    every = (await face.run(CALENDARS, skip=0))["value"]
    assert every[0]["isDefaultCalendar"] is True
    assert every[0]["canEdit"] is True
    assert every[0]["owner"]["address"] == DANA
    assert (await face.run(CALENDARS, skip=1, top=1))["value"] == every[1:2]
    ours = await face.run(CALENDARS)
    assert [row["id"] for row in ours["value"]] == [row["id"] for row in every]
    assert ours["value"][0]["is_default"] is True


async def test_people_come_as_microsoft_writes_them(face: Face) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    await face.invitation(start_datetime=f"{tomorrow}T10:00:00", end_datetime=f"{tomorrow}T11:00:00")
    [alice] = (await face.run(PEOPLE, search="alice", top=1000))["value"]
    assert alice["scoredEmailAddresses"] == [{"address": ALICE}]
    assert alice["personType"] == {"class": "Person"}
    assert alice["displayName"]
    assert (await face.run(PEOPLE, query="alice"))["value"][0]["address"] == ALICE


@pytest.mark.parametrize("tool", list(ANSWERS))
async def test_an_invitation_is_answered_under_each_of_the_three_names(face: Face, tool: str) -> None:
    event_id = await face.invitation()
    await face.run(tool, event_id=event_id, comment="As agreed.", schema_version="1", tool_version="2")
    assert await face.answer_seen_by_alice() == ANSWERS[tool]
    mails = [mail for mail in face.box.world.mails if mail.to == ALICE]
    assert [mail.comment for mail in mails][-1] == "As agreed."


async def test_another_time_is_proposed_in_microsofts_form(face: Face) -> None:
    event_id = await face.invitation()
    await face.run("outlook_tentatively_accept_event", event_id=event_id, proposed_new_time=PROPOSAL)
    [sent] = [request.body for request in face.box.requests if request.path.endswith("/tentativelyAccept")]
    assert sent["proposedNewTime"] == {
        "start": {"dateTime": "2040-04-05T08:00:00", "timeZone": "UTC"},
        "end": {"dateTime": "2040-04-05T09:00:00", "timeZone": "UTC"},
    }


async def test_what_an_invitation_does_not_allow_is_refused_under_the_catalogues_name(face: Face) -> None:
    event_id = await face.invitation(allowNewTimeProposals=False)
    refused = await face.refused("outlook_decline_event", event_id=event_id, proposed_new_time=PROPOSAL)
    assert refused.field == "proposed_new_time"
    assert await face.answer_seen_by_alice() == "none"


async def test_no_answer_is_sent_about_ones_own_meeting(face: Face) -> None:
    await face.invitation()
    rows = await face.run("outlook_list_calendar_events", ALICE, filter="subject eq 'Review'")
    with pytest.raises(RefusedError) as refused:
        await face.run("outlook_accept_event", ALICE, event_id=rows["value"][0]["id"])
    assert refused.value.field == "event_id"


async def test_our_spelling_answers_in_our_form(face: Face) -> None:
    answer = await face.run(FIND, **OURS, schema_version="1")
    assert answer["suggestions"][0]["availability"] == {DANA: "free", ALICE: "free"}
    assert "meetingTimeSuggestions" not in answer


@pytest.mark.parametrize(
    ("tool", "params", "named"),
    [
        (FIND, OURS | {"attendee_emails": [ALICE]}, ("attendee_emails", "duration_minutes")),
        (SCHEDULE, WINDOW | {"people": ALICE}, ("start_date_time", "people")),
        (PEOPLE, {"query": "alice", "top": 3}, ("top", "query")),
    ],
)
async def test_a_mixture_of_both_spellings_is_refused_naming_both(
    face: Face, tool: str, params: dict[str, Any], named: tuple[str, str]
) -> None:
    refused = await face.refused(tool, **params)
    assert all(f"`{name}`" in str(refused) and name in refused.next_step for name in named)
    assert refused.field == named[0]


WRONG: tuple[tuple[str, dict[str, Any], str], ...] = (
    (FIND, WANTED | {"meeting_duration": "30 minutes"}, "meeting_duration"),
    (FIND, WANTED | {"meeting_duration": "PT1H0M30S"}, "meeting_duration"),
    (FIND, WANTED | {"meeting_duration": "PT25H"}, "meeting_duration"),
    (FIND, WANTED | {"meeting_duration": "P"}, "meeting_duration"),
    (FIND, WANTED | {"attendee_emails": []}, "attendee_emails"),
    (FIND, WANTED | {"attendee_emails": ["not an address"]}, "attendee_emails"),
    (FIND, WANTED | {"max_candidates": 41}, "max_candidates"),
    (FIND, WANTED | {"end_date_time": "2040-04-04T07:00:00Z"}, "end_date_time"),
    (FIND, WANTED | {"end_date_time": "2041-04-04T07:00:00Z"}, "end_date_time"),
    (FIND, WANTED | {"time_zone": "Mars/Olympus"}, "time_zone"),
    (FIND, WANTED | {"start_date_time": "soon"}, "start_date_time"),
    (SCHEDULE, WINDOW, "schedules"),
    (SCHEDULE, WINDOW | {"schedules": [ALICE], "availability_view_interval": 4}, "availability_view_interval"),
    (SCHEDULE, WINDOW | {"schedules": [ALICE], "availability_view_interval": 1440}, "availability_view_interval"),
    (CALENDARS, {"top": "many"}, "top"),
    *((PEOPLE, {"search": "alice", name: "x"}, name) for name in ("filter", "select", "order_by", "skip", "$top")),
    ("outlook_accept_event", {"event_id": "x", "proposed_new_time": PROPOSAL}, "proposed_new_time"),
    ("outlook_accept_event", {"comment": "Yes."}, "event_id"),
    (DECLINE, {"event_id": "x", "proposed_new_time": "tomorrow"}, "proposed_new_time"),
    (DECLINE, {"event_id": "x", "proposed_new_time": {"start": PROPOSAL["start"]}}, "proposed_new_time"),
    (DECLINE, {"event_id": "x", "proposed_new_time": {**PROPOSAL, "where": "x"}}, "proposed_new_time"),
    (
        DECLINE,
        {"event_id": "x", "proposed_new_time": {"start": PROPOSAL["end"], "end": PROPOSAL["start"]}},
        "proposed_new_time",
    ),
    (DECLINE, {"event_id": "x", "send_response": False, "comment": "No."}, "comment"),
)
"""Calls with something wrong in them, each with the parameter that is to be named."""


async def test_what_is_wrong_is_named_by_the_catalogues_parameter(face: Face) -> None:
    for tool, params, field in WRONG:
        refused = await face.refused(tool, **params)
        assert (tool, params, refused.field) == (tool, params, field)
        assert field in str(refused)


async def test_the_events_of_a_window_are_listed_from_python_as_over_rest(face: Face) -> None:
    await face.invitation()
    window = {"startDateTime": "2040-04-04T00:00:00Z", "endDateTime": "2040-04-05T00:00:00Z"}
    rows = (await face.run("outlook_get_calendar_view", **window))["value"]
    assert [row["subject"] for row in rows] == ["Review"]


@pytest.mark.parametrize(
    ("tool", "params"),
    [(name, {"event_id": "x"}) for name in ANSWERS]
    + [
        (FIND, WANTED),
        (SCHEDULE, WINDOW | {"schedules": [ALICE]}),
        (CALENDARS, {"top": 5}),
        (PEOPLE, {"search": "alice"}),
    ],
)
async def test_what_scalekit_does_not_do_for_us_is_refused_by_the_name_that_was_called(
    tool: str, params: dict[str, Any]
) -> None:
    async with fast_bench() as bench:
        with pytest.raises(InvalidInput, match=f"^{tool} cannot be used on a connection that Scalekit hosts"):
            await bench.run(tool, **params)


async def test_a_hosted_account_takes_the_catalogues_names_of_what_it_can_do() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        window = {"startDateTime": "2026-04-06T00:00:00Z", "endDateTime": "2026-04-11T00:00:00Z"}
        answer = await bench.actions.execute_tool(
            identifier="user_outlook_789", tool_name="outlook_get_calendar_view", tool_input=window
        )
    assert answer["value"]
    assert answer.execution_id

"""Behaviours that Microsoft does not document, each at its default and turned."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import httpx2 as httpx
import pytest
from graph_client import event_body
from identity_client import Application

from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.world.switches import behaviours

DANA, ALICE, PAT = "dana@company.com", "alice@company.com", "pat@outlook.example"


def graph_of(sandbox: Sandbox, address: str = DANA) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=sandbox.app),
        base_url="http://localhost/v1.0",
        headers={"Authorization": f"Bearer {sandbox.access_token(address)}"},
    )


def invited(*addresses: str) -> list[dict[str, Any]]:
    return [{"emailAddress": {"address": address}} for address in addresses]


async def book(client: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    return await client.post("/me/events", json=event_body(**changes))


@pytest.mark.parametrize("resets", [True, False])
async def test_a_moved_meeting_asks_everybody_again_unless_switched_off(resets: bool) -> None:
    sandbox = Sandbox()
    sandbox.behaviour("reset_answers", resets)
    async with graph_of(sandbox) as dana, graph_of(sandbox, ALICE) as alice:
        event = (await book(dana, attendees=invited(ALICE))).json()
        sandbox.answer_invitation(ALICE, event["subject"], "accept", "See you there.")
        noted = (await dana.get(f"/me/events/{event['id']}")).json()["attendees"][0]["status"]["response"]
        renamed = await dana.patch(f"/me/events/{event['id']}", json={"location": {"displayName": "Room 2"}})
        later = {"start": {"dateTime": "2026-04-01T12:00:00", "timeZone": "America/New_York"},
                 "end": {"dateTime": "2026-04-01T13:00:00", "timeZone": "America/New_York"}}  # fmt: skip
        moved = await dana.patch(f"/me/events/{event['id']}", json=later)
        copies = (await alice.get("/me/events", params={"$filter": f"subject eq '{event['subject']}'"})).json()["value"]
    assert noted == "accepted"
    assert renamed.json()["attendees"][0]["status"]["response"] == "accepted"
    assert moved.json()["attendees"][0]["status"]["response"] == ("none" if resets else "accepted")
    assert [copy["responseStatus"]["response"] for copy in copies] == ["notResponded" if resets else "accepted"]


async def test_an_answer_to_one_date_of_a_series_outlives_a_change_of_the_others() -> None:
    sandbox = Sandbox()
    weekly = {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["wednesday"]},
        "range": {"type": "numbered", "startDate": "2026-04-01", "numberOfOccurrences": 3},
    }
    async with graph_of(sandbox) as dana, graph_of(sandbox, ALICE) as alice:
        series = (await book(dana, subject="Standup", attendees=invited(ALICE), recurrence=weekly)).json()
        window = {"startDateTime": "2026-04-01T00:00:00Z", "endDateTime": "2026-04-02T00:00:00Z", "$top": "50"}
        mine = [
            one
            for one in (await alice.get("/me/calendarView", params=window)).json()["value"]
            if one["subject"] == "Standup"
        ]
        await alice.post(f"/me/events/{mine[0]['id']}/tentativelyAccept", json={})
        await dana.patch(f"/me/events/{series['id']}", json={"location": {"displayName": "Room 2"}})
        again = (await alice.get(f"/me/events/{mine[0]['id']}")).json()
    assert again["responseStatus"]["response"] == "tentativelyAccepted"


async def test_somebody_without_that_invitation_cannot_answer_it() -> None:
    with pytest.raises(LookupError, match="no invitation with the subject 'Nothing'"):
        Sandbox().answer_invitation(ALICE, "Nothing")


@pytest.mark.parametrize(("value", "status"), [("refuse", 400), ("utc", 201)])
async def test_a_time_without_a_zone(value: str, status: int) -> None:
    sandbox = Sandbox()
    sandbox.behaviour("missing_time_zone", value)
    times = {"start": {"dateTime": "2026-04-01T10:00:00"}, "end": {"dateTime": "2026-04-01T11:00:00"}}
    async with graph_of(sandbox) as client:
        assert (await book(client, **times)).status_code == status


@pytest.mark.parametrize(("value", "left"), [("discard", 0), ("keep", 1)])
async def test_edited_dates_after_the_end_alone_of_a_series_has_changed(value: str, left: int) -> None:
    sandbox = Sandbox()
    sandbox.behaviour("series_end_update", value)
    pattern = {"type": "weekly", "interval": 1, "daysOfWeek": ["wednesday"]}
    window = {"startDateTime": "2026-04-01T00:00:00Z", "endDateTime": "2026-05-01T00:00:00Z"}
    async with graph_of(sandbox) as client:
        span = {"type": "noEnd", "startDate": "2026-04-01"}
        series = (await book(client, recurrence={"pattern": pattern, "range": span})).json()
        rows = (await client.get(f"/me/events/{series['id']}/instances", params=window)).json()["value"]
        for row in rows[1:4:2]:
            assert (await client.patch(f"/me/events/{row['id']}", json={"subject": "Edited"})).status_code == 200
        ends = {"pattern": pattern, "range": {**span, "type": "endDate", "endDate": "2026-04-15"}}
        assert (await client.patch(f"/me/events/{series['id']}", json={"recurrence": ends})).status_code == 200
        read = await client.get(f"/me/events/{series['id']}", params={"$expand": "exceptionOccurrences"})
    assert len(read.json()["exceptionOccurrences"]) == left


@pytest.mark.parametrize(("value", "status"), [("replace", 400), ("merge", 200)])
async def test_half_a_recurrence_in_a_patch(value: str, status: int) -> None:
    sandbox = Sandbox()
    sandbox.behaviour("recurrence_update", value)
    weekly = {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["wednesday"]},
        "range": {"type": "noEnd", "startDate": "2026-04-01"},
    }
    async with graph_of(sandbox) as client:
        series = (await book(client, recurrence=weekly)).json()
        answer = await client.patch(f"/me/events/{series['id']}", json={"recurrence": {"pattern": {"interval": 2}}})
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["recurrence"]["pattern"]["interval"] == 2
        assert answer.json()["recurrence"]["pattern"]["daysOfWeek"] == ["wednesday"]


@pytest.mark.parametrize(("allowed", "status"), [(True, 204), (False, 400)])
async def test_permanent_delete_below_me(allowed: bool, status: int) -> None:
    sandbox = Sandbox()
    sandbox.behaviour("me_permanent_delete", allowed)
    async with graph_of(sandbox) as client:
        event = (await book(client)).json()
        assert (await client.post(f"/me/events/{event['id']}/permanentDelete")).status_code == status
        if not allowed:
            whose = sandbox.people[DANA].oid
            assert (await client.post(f"/users/{whose}/events/{event['id']}/permanentDelete")).status_code == 204


async def test_more_attendees_than_allowed_are_refused() -> None:
    sandbox = Sandbox()
    sandbox.behaviour("most_attendees", 2)
    async with graph_of(sandbox) as client:
        assert (await book(client, attendees=invited("a@x.example", "b@x.example"))).status_code == 201
        assert (await book(client, attendees=invited("a@x.example", "b@x.example", "c@x.example"))).status_code == 400


async def test_a_transaction_id_is_forgotten_after_its_days() -> None:
    sandbox = Sandbox()
    sandbox.behaviour("transaction_memory_days", 1)
    async with graph_of(sandbox) as client:
        first = (await book(client, transactionId="key-1")).json()["id"]
        assert (await book(client, transactionId="key-1")).json()["id"] == first
        sandbox.advance_clock(86_400)
        client.headers["Authorization"] = f"Bearer {sandbox.access_token(DANA)}"
        assert (await book(client, transactionId="key-1")).json()["id"] != first


@pytest.mark.parametrize(("value", "found"), [("utc_day", True), ("zone", False)])
async def test_an_all_day_event_meets_a_window_by_its_utc_day_or_by_its_own(value: str, found: bool) -> None:
    sandbox = Sandbox(week_of=date(2027, 1, 4))
    sandbox.behaviour("all_day_window", value)
    midnight = {"timeZone": "Asia/Tokyo"}
    async with graph_of(sandbox) as client:
        start, end = ({**midnight, "dateTime": f"2026-04-0{day}T00:00:00"} for day in (1, 2))
        made = await book(client, subject="Holiday", isAllDay=True, start=start, end=end)
        assert made.status_code == 201
        window = {"startDateTime": "2026-04-01T16:00:00Z", "endDateTime": "2026-04-01T17:00:00Z"}
        events = (await client.get("/me/calendarView", params=window)).json()["value"]
    assert [event["subject"] for event in events] == (["Holiday"] if found else [])


@pytest.mark.parametrize(("per", "statuses"), [("mailbox", [200, 200, 429]), ("app", [200, 429, 429])])
async def test_as_many_requests_at_once_as_allowed(per: str, statuses: list[int]) -> None:
    sandbox = Sandbox()
    sandbox.behaviour("concurrency_limit", 1)
    sandbox.behaviour("concurrency_per", per)
    sandbox.slow(0.05)
    async with graph_of(sandbox) as dana, graph_of(sandbox, ALICE) as alice:
        answers = await asyncio.gather(dana.get("/me"), dana.get("/me"), alice.get("/me"))
        assert sorted(answer.status_code for answer in answers) == statuses
        assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 429)
        assert (await dana.get("/me")).status_code == 200


async def test_personal_accounts_can_have_a_rotation_and_a_life_of_their_own() -> None:
    sandbox = Sandbox()
    sandbox.behaviour("personal_rotation", "one_time")
    sandbox.behaviour("personal_refresh_token_days", 1)
    app = Application(sandbox)
    for address, used_again, after_two_days in ((PAT, 400, 400), (DANA, 200, 200)):
        tokens = await app.connect(address)
        newer = (await app.refresh(tokens["refresh_token"])).json()["refresh_token"]
        assert (await app.refresh(tokens["refresh_token"])).status_code == used_again
        sandbox.advance_clock(2 * 86_400)
        assert (await app.refresh(newer)).status_code == after_two_days


@pytest.mark.parametrize("form", ["full", "short"])
async def test_scopes_are_echoed_in_one_form(form: str) -> None:
    sandbox = Sandbox()
    sandbox.behaviour("scope_echo", form)
    app = Application(sandbox)
    for address in (DANA, PAT):
        echoed = (await app.connect(address))["scope"].split()
        assert ("https://graph.microsoft.com/Calendars.ReadWrite" in echoed) is (form == "full")
        assert ("Calendars.ReadWrite" in echoed) is (form == "short")


def test_every_choice_of_every_behaviour_can_be_set_also_as_the_text_of_a_form() -> None:
    sandbox = Sandbox()
    for known in behaviours():
        for choice in (known.default, *known.choices):
            sandbox.behaviour(known.name, choice)
            assert getattr(sandbox.world.switches, known.name) == choice
            if known.choices:
                sandbox.behaviour(known.name, str(choice))
                assert getattr(sandbox.world.switches, known.name) == choice
    assert sandbox.state()["switches"]["page_size"] == 10


def test_an_unknown_behaviour_or_value_is_refused() -> None:
    with pytest.raises(LookupError, match="no behaviour 'colour'"):
        Sandbox().behaviour("colour", "red")
    with pytest.raises(ValueError, match="convert"):
        Sandbox().behaviour("datetime_offset", "keep")


async def test_answers_carry_the_time_of_the_sandbox() -> None:
    sandbox = Sandbox()
    async with graph_of(sandbox) as client:
        await client.get("/me")
        sandbox.advance_clock(3 * 365 * 86_400)
        graph = await client.get("/me")
        identity = await client.get("http://localhost/common/discovery/v2.0/keys")
    assert str(sandbox.clock.now().year) in graph.headers["date"]
    assert str(sandbox.clock.now().year) in identity.headers["date"]

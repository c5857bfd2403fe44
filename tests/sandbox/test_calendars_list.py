"""`/me/calendars`: own and shared calendars, their pages, and what may be done in them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx2 as httpx
import pytest
from scheduling_client import ALICE, CREATED, DANA, PAT, WRITE, client_of, fixed_sandbox, path, schedules, shown

SHARED = f"{WRITE} Calendars.ReadWrite.Shared"
READ_SHARED = f"{WRITE} Calendars.Read.Shared"
SPAN = {"startDateTime": "2029-03-01T00:00:00Z", "endDateTime": "2029-04-01T00:00:00Z"}


async def calendars(client: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """Every calendar by name, through all pages."""
    found: list[dict[str, Any]] = []
    where = "/me/calendars"
    while where:
        page = (await client.get(where)).json()
        found += page["value"]
        where = page.get("@odata.nextLink", "")
    return {entry["name"]: entry for entry in found}


def inside(calendar: dict[str, Any], rest: str = "events") -> str:
    return f"/me/calendars/{quote(calendar['id'])}/{rest}"


def status(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"] if answer.status_code >= 400 else ""


async def test_calendars_come_in_pages_of_ten_and_a_name_may_be_there_twice() -> None:
    sandbox = fixed_sandbox()
    for number in range(9):
        sandbox.add_calendar(DANA, f"Project {number}")
    sandbox.add_calendar(DANA, "Team")
    sandbox.add_calendar(DANA, "Team", owner=ALICE, can_edit=False)
    async with client_of(sandbox) as dana:
        first = (await dana.get("/me/calendars")).json()
        second = (await dana.get(first["@odata.nextLink"])).json()
        third = (await dana.get("/me/calendars", params={"$top": "3", "$skip": "3", "$select": "name"})).json()
    assert (len(first["value"]), len(second["value"])) == (10, 4)
    assert "@odata.nextLink" not in second
    assert [set(entry) for entry in third["value"]] == [{"id", "name"}] * 3
    everything = [*first["value"], *second["value"]]
    assert [entry["isDefaultCalendar"] for entry in everything].count(True) == 1
    teams = [entry for entry in everything if entry["name"] == "Team"]
    assert [(entry["owner"]["address"], entry["canEdit"]) for entry in teams] == [(DANA, True), (ALICE, False)]
    assert teams[0]["id"] != teams[1]["id"]


async def test_which_calendar_is_the_default_one_may_be_left_out() -> None:
    sandbox = fixed_sandbox()
    sandbox.behaviour("is_default_calendar", "omit")
    async with client_of(sandbox) as dana:
        listed = (await dana.get("/me/calendars")).json()["value"]
        default = (await dana.get("/me/calendar")).json()
    assert all("isDefaultCalendar" not in entry for entry in [*listed, default])
    assert default["id"] in {entry["id"] for entry in listed}


@pytest.mark.parametrize(("scope", "read", "write"), [(WRITE, 403, 403), (READ_SHARED, 200, 403), (SHARED, 200, 201)])
async def test_a_shared_calendar_is_listed_for_everybody_but_opened_only_with_a_shared_scope(
    scope: str, read: int, write: int
) -> None:
    sandbox = fixed_sandbox()
    sandbox.add_calendar(DANA, "Team", owner=ALICE)
    async with client_of(sandbox, scope=scope) as dana:
        team = (await calendars(dana))["Team"]
        for rest in ("events", "calendarView"):
            answer = await dana.get(inside(team, rest), params=SPAN)
            assert status(answer) == (read, "ErrorAccessDenied" if read == 403 else "")
        assert (await dana.post(inside(team), json=CREATED)).status_code == write


async def test_the_shared_scope_can_be_left_out_by_switch() -> None:
    sandbox = fixed_sandbox()
    sandbox.behaviour("shared_calendars_need_scope", False)
    sandbox.add_calendar(DANA, "Team", owner=ALICE)
    async with client_of(sandbox) as dana:
        team = (await calendars(dana))["Team"]
        assert (await dana.post(inside(team), json=CREATED)).status_code == 201
        assert [event["subject"] for event in (await dana.get(inside(team))).json()["value"]] == ["Review"]


async def test_a_shared_calendar_is_the_owners_own_and_so_are_its_events() -> None:
    sandbox = fixed_sandbox(ALICE)
    sandbox.add_calendar(DANA, "Alice", owner=ALICE, source="Calendar")
    async with client_of(sandbox, scope=SHARED) as dana, client_of(sandbox, ALICE) as alice:
        shared = (await calendars(dana))["Alice"]
        made = (await dana.post(inside(shared), json=CREATED)).json()
        assert made["organizer"]["emailAddress"]["address"] == ALICE
        assert (await alice.get(path(made))).json()["subject"] == "Review"
        assert status(await dana.get(path(made))) == (404, "ErrorItemNotFound")
        where = inside(shared, f"events/{quote(made['id'])}")
        assert (await dana.get(where)).json()["subject"] == "Review"
        assert (await dana.patch(where, json={"subject": "Changed"})).json()["subject"] == "Changed"
        (entry,) = await schedules(dana, ALICE)
        assert shown(entry) == [("busy", "2029-03-05T10:00", "2029-03-05T11:00")]
        view = (await dana.get(inside(shared, "calendarView"), params=SPAN)).json()["value"]
        assert [event["subject"] for event in view] == ["Changed"]
        assert (await dana.delete(where)).status_code == 204
        assert "Alice" not in await calendars(alice)


async def test_what_somebody_shares_is_their_own_calendar_not_one_that_they_were_given() -> None:
    sandbox = fixed_sandbox()
    sandbox.add_calendar(ALICE, "Team", owner="bob@company.com")
    sandbox.add_calendar(DANA, "Team", owner=ALICE)
    async with client_of(sandbox, scope=SHARED) as dana:
        team = (await calendars(dana))["Team"]
        assert (await dana.post(inside(team), json=CREATED)).status_code == 201
    async with client_of(sandbox, ALICE) as alice:
        listed = (await alice.get("/me/calendars")).json()["value"]
        own = [entry for entry in listed if entry["name"] == "Team" and entry["owner"]["address"] == ALICE]
        assert [event["subject"] for event in (await alice.get(inside(own[0]))).json()["value"]] == ["Review"]


async def test_a_calendar_shared_for_reading_refuses_writes() -> None:
    sandbox = fixed_sandbox()
    sandbox.add_calendar(DANA, "Team", owner=ALICE, can_edit=False)
    async with client_of(sandbox, scope=SHARED) as dana, client_of(sandbox, ALICE) as alice:
        team = (await calendars(dana))["Team"]
        theirs = (await calendars(alice))["Team"]
        made = (await alice.post(inside(theirs), json=CREATED)).json()
        where = inside(team, f"events/{quote(made['id'])}")
        assert (await dana.get(where)).status_code == 200
        for answer in (
            await dana.post(inside(team), json=CREATED),
            await dana.patch(where, json={"subject": "x"}),
            await dana.delete(where),
            await dana.post(f"{where}/cancel", json={}),
        ):
            assert status(answer) == (403, "ErrorAccessDenied")


async def test_an_owner_who_shares_busy_times_alone_keeps_the_events_closed() -> None:
    sandbox = fixed_sandbox()
    sandbox.add_calendar(DANA, "Team", owner=ALICE, readable=False)
    async with client_of(sandbox, scope=SHARED) as dana:
        team = (await calendars(dana))["Team"]
        assert status(await dana.get(inside(team))) == (403, "ErrorAccessDenied")


async def test_personal_accounts_have_calendars_too() -> None:
    sandbox = fixed_sandbox()
    sandbox.add_calendar(PAT, "Family")
    async with client_of(sandbox, PAT) as pat:
        found = await calendars(pat)
    assert set(found) == {"Calendar", "Birthdays", "Private", "Family"}
    assert found["Family"]["owner"]["address"] == PAT

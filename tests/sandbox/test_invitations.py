"""Answers to invitations: what is refused, what the two calendars show, and answers that get lost."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx2 as httpx
import pytest
from scheduling_client import (
    ALICE,
    BOB,
    DANA,
    answers_of,
    at,
    book,
    client_of,
    copy_of,
    fixed_sandbox,
    invited,
    path,
    schedules,
    shown,
)

from scalekit_mcp.sandbox import Sandbox

IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}
SLOT = {"start": at("2029-03-06T10:00:00"), "end": at("2029-03-06T11:00:00")}
VERBS = ("accept", "tentativelyAccept", "decline")
SPAN = {"startDateTime": "2029-03-01T00:00:00Z", "endDateTime": "2029-04-01T00:00:00Z", "$orderby": "start/dateTime"}
WEEKLY: dict[str, Any] = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"]},
    "range": {"type": "numbered", "startDate": "2029-03-05", "numberOfOccurrences": 4},
}


async def copied(client: httpx.AsyncClient, event: dict[str, Any]) -> dict[str, Any]:
    found = await copy_of(client, event)
    assert found is not None
    return found


async def dates(client: httpx.AsyncClient, series: dict[str, Any]) -> list[dict[str, Any]]:
    return (await client.get(path(series, "/instances"), params=SPAN, headers=IMMUTABLE)).json()["value"]


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("send", [True, False, None])
async def test_a_meeting_whose_organizer_asked_for_no_answers_refuses_every_answer(
    verb: str, send: bool | None
) -> None:
    sandbox = fixed_sandbox()
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        mine = await copied(alice, await book(dana, attendees=invited(ALICE), responseRequested=False))
        body = {} if send is None else {"sendResponse": send}
        answer = await alice.post(path(mine, f"/{verb}"), json=body)
        assert code_of(answer) == (400, "ErrorInvalidRequest")
        assert "The meeting organizer hasn't requested a response." in answer.json()["error"]["message"]
        sandbox.behaviour("response_not_requested", "accept")
        assert (await alice.post(path(mine, f"/{verb}"), json=body)).status_code == 202


@pytest.mark.parametrize(("send", "status"), [(True, 400), (False, 202)])
async def test_such_an_answer_may_be_refused_only_when_it_is_sent(send: bool, status: int) -> None:
    sandbox = fixed_sandbox()
    sandbox.behaviour("response_not_requested", "refuse_sent")
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        mine = await copied(alice, await book(dana, attendees=invited(ALICE), responseRequested=False))
        answer = await alice.post(path(mine, "/accept"), json={"sendResponse": send})
    assert answer.status_code == status


@pytest.mark.parametrize(("switch", "status"), [("accept", 202), ("refuse", 400)])
async def test_answers_to_what_is_cancelled_or_over_can_be_switched(switch: str, status: int) -> None:
    sandbox = fixed_sandbox()
    sandbox.behaviour("response_too_late", switch)
    over = {"start": at("2029-03-01T07:00:00"), "end": at("2029-03-01T08:00:00")}
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        cancelled = await book(dana, attendees=invited(ALICE))
        mine = await copied(alice, cancelled)
        await dana.delete(path(cancelled))
        past = await copied(alice, await book(dana, attendees=invited(ALICE), **over))
        ahead = await copied(alice, await book(dana, attendees=invited(ALICE)))
        for event, expected in ((mine, status), (past, status), (ahead, 202)):
            assert (await alice.post(path(event, "/accept"), json={})).status_code == expected


async def test_answers_that_break_a_rule_are_refused_and_change_nothing() -> None:
    sandbox = fixed_sandbox()
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        made = await book(dana, attendees=invited(ALICE), allowNewTimeProposals=False)
        mine = await copied(alice, made)
        own = await alice.post(path(await book(alice), "/accept"), json={})
        silent = {"comment": "x", "sendResponse": False}
        assert code_of(await alice.post(path(mine, "/decline"), json=silent)) == (400, "ErrorInvalidRequest")
        sandbox.behaviour("comment_without_response", "ErrorInvalidParameter")
        assert code_of(await alice.post(path(mine, "/decline"), json=silent)) == (400, "ErrorInvalidParameter")
        for verb, body in (
            ("decline", {"proposedNewTime": SLOT}),
            ("tentativelyAccept", {"proposedNewTime": SLOT, "sendResponse": False}),
            ("accept", {"proposedNewTime": SLOT}),
            ("decline", {"proposedNewTime": {**SLOT, "end": at("2029-03-06T09:00:00")}}),
        ):
            assert (await alice.post(path(mine, f"/{verb}"), json=body)).status_code == 400, (verb, body)
        theirs = await alice.post(path(made, "/accept"), json={})
        unchanged = (await alice.get(path(mine), headers=IMMUTABLE)).json()
    assert code_of(own) == (400, "ErrorInvalidRequest")
    assert "you're the meeting organizer" in own.json()["error"]["message"]
    assert code_of(theirs) == (404, "ErrorItemNotFound")
    assert unchanged["responseStatus"]["response"] == "notResponded"
    assert [mail.kind for mail in sandbox.world.mails if mail.sender == ALICE] == []


@pytest.mark.parametrize(("readable", "status"), [(False, 404), (True, 200)])
async def test_a_declined_event_leaves_the_calendar_and_cannot_be_read_unless_switched(
    readable: bool, status: int
) -> None:
    sandbox = fixed_sandbox()
    sandbox.behaviour("declined_readable", readable)
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        made = await book(dana, attendees=invited(ALICE))
        mine = await copied(alice, made)
        assert (await alice.post(path(mine, "/decline"), json={"comment": "Away"})).status_code == 202
        assert await copy_of(alice, made) is None
        read = await alice.get(path(mine), headers=IMMUTABLE)
        assert read.status_code == status
        assert code_of(await alice.post(path(mine, "/accept"), json={})) == (404, "ErrorItemNotFound")
        assert await answers_of(dana, made) == {ALICE: "declined"}
        if readable:
            assert read.json()["responseStatus"] == {"response": "declined", "time": "2029-03-01T09:00:00Z"}


async def test_a_mailbox_may_keep_declined_events_as_free_and_answer_them_again() -> None:
    sandbox = fixed_sandbox(ALICE)
    sandbox.behaviour("declined", "kept")
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        made = await book(dana, attendees=invited(ALICE))
        mine = await copied(alice, made)
        assert (await alice.post(path(mine, "/decline"), json={})).status_code == 202
        kept = (await alice.get(path(mine), headers=IMMUTABLE)).json()
        assert (kept["showAs"], kept["responseStatus"]["response"]) == ("free", "declined")
        (entry,) = await schedules(dana, ALICE)
        assert [status for status, _, _ in shown(entry)] == ["free"]
        sandbox.advance_clock(60)
        assert (await alice.post(path(mine, "/accept"), json={})).status_code == 202
        again = (await alice.get(path(mine), headers=IMMUTABLE)).json()
        assert (again["showAs"], again["responseStatus"]) == (
            "busy",
            {"response": "accepted", "time": "2029-03-01T09:01:00Z"},
        )
        assert await answers_of(dana, made) == {ALICE: "accepted"}
    assert [mail.kind for mail in sandbox.world.mails] == ["invitation", "response", "response"]


async def test_an_accepted_event_shows_as_what_the_organizer_set() -> None:
    sandbox = fixed_sandbox()
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        mine = await copied(alice, await book(dana, attendees=invited(ALICE), showAs="oof"))
        await alice.post(path(mine, "/tentativelyAccept"), json={})
        assert (await copied(alice, mine))["showAs"] == "tentative"
        await alice.post(path(mine, "/accept"), json={})
        assert (await copied(alice, mine))["showAs"] == "oof"


async def test_the_organizer_learns_the_proposal_and_nothing_moves_by_itself() -> None:
    sandbox = fixed_sandbox()
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        made = await book(dana, attendees=invited(ALICE, BOB))
        mine = await copied(alice, made)
        body = {"comment": "Tuesday?", "proposedNewTime": SLOT}
        assert (await alice.post(path(mine, "/tentativelyAccept"), json=body)).status_code == 202
        seen = (await dana.get(path(made))).json()
        assert seen["attendees"][0]["proposedNewTime"]["start"] == at("2029-03-06T10:00:00.0000000")
        assert seen["attendees"][0]["status"]["response"] == "tentativelyAccepted"
        assert "proposedNewTime" not in seen["attendees"][1]
        assert seen["start"]["dateTime"].startswith("2029-03-05T10:00")
        moved = (await dana.patch(path(made), json=SLOT)).json()
        assert "proposedNewTime" not in moved["attendees"][0]
        assert (await copied(alice, made))["responseStatus"]["response"] == "notResponded"
    assert [(mail.kind, mail.sender, mail.comment) for mail in sandbox.world.mails if mail.kind == "response"] == [
        ("response", ALICE, "Tuesday?")
    ]


async def test_a_series_is_answered_whole_but_dates_answered_by_themselves_keep_their_answer() -> None:
    sandbox = fixed_sandbox()
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        made = await book(dana, attendees=invited(ALICE), recurrence=WEEKLY)
        mine = await copied(alice, made)
        rows = await dates(alice, mine)
        await dana.patch(path((await dates(dana, made))[3]), json={"subject": "Special"})
        await alice.post(path(rows[0], "/tentativelyAccept"), json={})
        await alice.post(path(rows[1], "/decline"), json={})
        sandbox.advance_clock(60)
        await alice.post(path(mine, "/accept"), json={})
        seen = [(row["start"]["dateTime"][:10], row["responseStatus"]["response"]) for row in await dates(alice, mine)]
        assert seen == [
            ("2029-03-05", "tentativelyAccepted"),
            ("2029-03-19", "accepted"),
            ("2029-03-26", "accepted"),
        ]
        theirs = [(row["attendees"][0]["status"]["response"], row["type"]) for row in await dates(dana, made)]
        assert theirs == [
            ("tentativelyAccepted", "exception"),
            ("declined", "exception"),
            ("accepted", "occurrence"),
            ("accepted", "exception"),
        ]
        assert (await alice.get(path(rows[1]), headers=IMMUTABLE)).status_code == 404
        await dana.patch(path(made), json={"location": {"displayName": "Hall"}})
        left = [row["start"]["dateTime"][:10] for row in await dates(alice, mine)]
        assert left == ["2029-03-05", "2029-03-19", "2029-03-26"]


async def test_an_answer_to_one_date_that_was_not_sent_outlives_the_organizers_update_too() -> None:
    sandbox = fixed_sandbox()
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        made = await book(dana, attendees=invited(ALICE), recurrence=WEEKLY)
        mine = await copied(alice, made)
        await alice.post(path((await dates(alice, mine))[1], "/accept"), json={"sendResponse": False})
        await dana.patch(path(made), json={"location": {"displayName": "Hall"}})
        rows = await dates(alice, mine)
    assert [row["responseStatus"]["response"] for row in rows] == ["notResponded", "accepted", *["notResponded"] * 2]
    assert {row["location"]["displayName"] for row in rows} == {"Hall"}


async def test_a_declined_date_comes_back_when_the_organizer_moves_it() -> None:
    sandbox = fixed_sandbox()
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        made = await book(dana, attendees=invited(ALICE), recurrence=WEEKLY)
        mine = await copied(alice, made)
        await alice.post(path((await dates(alice, mine))[1], "/decline"), json={})
        later = {"start": at("2029-03-12T13:00:00"), "end": at("2029-03-12T14:00:00")}
        await dana.patch(path((await dates(dana, made))[1]), json=later)
        rows = await dates(alice, mine)
    assert [row["start"]["dateTime"][:16] for row in rows] == [
        "2029-03-05T10:00", "2029-03-12T13:00", "2029-03-19T10:00", "2029-03-26T10:00"
    ]  # fmt: skip
    assert rows[1]["responseStatus"]["response"] == "notResponded"


async def test_a_declined_series_may_be_kept_too() -> None:
    sandbox = fixed_sandbox()
    sandbox.behaviour("declined", "kept")
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        made = await book(dana, attendees=invited(ALICE), recurrence=WEEKLY)
        mine = await copied(alice, made)
        await alice.post(path((await dates(alice, mine))[1], "/decline"), json={})
        assert [row["showAs"] for row in await dates(alice, mine)] == ["tentative", "free", "tentative", "tentative"]
        await alice.post(path(mine, "/decline"), json={})
        assert [row["showAs"] for row in await dates(alice, mine)] == ["free"] * 4


def lose(sandbox: Sandbox, way: str) -> None:
    if way in ("before", "after"):
        sandbox.drop_connection("before" if way == "before" else "after", path_contains="/decline")
    else:
        sandbox.graph_error(504, path_contains="/decline", apply=way == "504 after")


@pytest.mark.parametrize(
    ("way", "carried_out"), [("before", False), ("after", True), ("504", False), ("504 after", True)]
)
async def test_an_answer_can_be_lost_before_or_after_it_was_carried_out(way: str, carried_out: bool) -> None:
    sandbox = fixed_sandbox()
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        made = await book(dana, attendees=invited(ALICE))
        mine = await copied(alice, made)
        lose(sandbox, way)
        if way in ("before", "after"):
            with pytest.raises(httpx.RemoteProtocolError):
                await alice.post(path(mine, "/decline"), json={})
        else:
            assert (await alice.post(path(mine, "/decline"), json={})).status_code == 504
        assert (await alice.get(path(mine), headers=IMMUTABLE)).status_code == (404 if carried_out else 200)
        assert await answers_of(dana, made) == {ALICE: "declined" if carried_out else "none"}


async def test_somebody_invited_by_another_address_of_theirs_answers_too() -> None:
    sandbox = fixed_sandbox()
    sandbox.scheduling.add_alias(ALICE, "a.moreau@company.com")
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        made = await book(dana, attendees=invited("A.Moreau@company.com"))
        mine = await copied(alice, made)
        await alice.post(path(mine, "/accept"), json={})
        assert await answers_of(dana, made) == {"A.Moreau@company.com": "accepted"}


async def test_an_invitation_is_answered_below_its_calendar_too() -> None:
    sandbox = fixed_sandbox()
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        made = await book(dana, attendees=invited(ALICE))
        mine = await copied(alice, made)
        calendar = (await alice.get("/me/calendar")).json()["id"]
        where = f"/me/calendars/{quote(calendar)}/events/{quote(mine['id'])}/microsoft.graph.accept"
        assert (await alice.post(where, json={})).status_code == 202
        assert await answers_of(dana, made) == {ALICE: "accepted"}
    assert DANA != ALICE

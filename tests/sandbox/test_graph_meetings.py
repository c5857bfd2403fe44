"""Invitations, copies, answers, cancellations and Teams."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx
import pytest
from graph_client import Graph, create, event_body, path, refusal

DANA, ALICE, BOB, PAT = "dana@company.com", "alice@company.com", "bob@company.com", "pat@outlook.example"
STRANGER = "guest@elsewhere.example"
SEPARATOR = "_" * 80


def guests(*addresses: str, kind: str = "required") -> list[dict[str, Any]]:
    return [{"type": kind, "emailAddress": {"address": address}} for address in addresses]


def mails(graph: Graph) -> list[tuple[str, str, str]]:
    """Kind, sender and receiver of what was mailed, then forgotten."""
    found = [(mail.kind, mail.sender, mail.to) for mail in graph.world.mails]
    graph.world.mails.clear()
    return found


async def copy_of(client: httpx.AsyncClient, event: dict[str, Any]) -> dict[str, Any] | None:
    listed = (await client.get("/me/events", params={"$top": "100"})).json()["value"]
    return next((entry for entry in listed if entry["iCalUId"] == event["iCalUId"]), None)


async def test_seeding_the_week_mails_nobody():
    graph = Graph()
    async with graph.signed_in() as client:
        assert (await client.get("/me/events")).status_code == 200
    assert graph.world.mails == []


async def test_every_attendee_is_mailed_and_people_of_the_world_get_a_copy():
    graph = Graph()
    async with graph.signed_in() as dana, graph.signed_in(ALICE) as alice:
        made = await create(dana, attendees=guests(ALICE, STRANGER))
        assert mails(graph) == [("invitation", DANA, ALICE), ("invitation", DANA, STRANGER)]
        copy = await copy_of(alice, made)
        assert copy is not None
        assert copy["id"] != made["id"]
        assert (copy["isOrganizer"], made["isOrganizer"]) == (False, True)
        assert copy["organizer"]["emailAddress"] == {"name": "Dana Lindqvist", "address": DANA}
        assert copy["responseStatus"]["response"] == "notResponded"
        assert made["responseStatus"] == {"response": "organizer", "time": "0001-01-01T00:00:00Z"}
        assert made["attendees"][0] == {
            "type": "required",
            "status": {"response": "none", "time": "0001-01-01T00:00:00Z"},
            "emailAddress": {"name": "Alice Moreau", "address": ALICE},
        }


async def test_the_organizer_is_not_invited_to_their_own_meeting():
    graph = Graph()
    async with graph.signed_in() as dana:
        made = await create(dana, attendees=guests("DANA@company.com", ALICE))
        assert [attendee["emailAddress"]["address"] for attendee in made["attendees"]] == [ALICE]


@pytest.mark.parametrize(
    ("verb", "response", "show_as"),
    [("accept", "accepted", "busy"), ("tentativelyAccept", "tentativelyAccepted", "tentative")],
)
async def test_an_answer_reaches_the_organizer(verb: str, response: str, show_as: str):
    graph = Graph()
    async with graph.signed_in() as dana, graph.signed_in(ALICE) as alice:
        made = await create(dana, attendees=guests(ALICE))
        mails(graph)
        copy = await copy_of(alice, made)
        assert copy is not None
        answer = await alice.post(path(copy, f"/{verb}"), json={"comment": "Fine", "sendResponse": True})
        assert (answer.status_code, answer.content) == (202, b"")
        assert graph.world.mails[0].comment == "Fine"
        assert mails(graph) == [("response", ALICE, DANA)]
        seen = (await dana.get(path(made))).json()
        assert seen["attendees"][0]["status"] == {"response": response, "time": "2026-03-25T09:00:00Z"}
        own = (await alice.get(path(copy))).json()
        assert (own["responseStatus"]["response"], own["showAs"]) == (response, show_as)


async def test_declining_moves_the_copy_to_deleted_items_and_tells_the_organizer():
    graph = Graph()
    async with graph.signed_in() as dana, graph.signed_in(ALICE) as alice:
        made = await create(dana, attendees=guests(ALICE))
        copy = await copy_of(alice, made)
        assert copy is not None
        proposal = {
            "start": {"dateTime": "2026-04-02T10:00:00", "timeZone": "UTC"},
            "end": {"dateTime": "2026-04-02T11:00:00", "timeZone": "UTC"},
        }
        body = {"sendResponse": True, "proposedNewTime": proposal}
        assert (await alice.post(path(copy, "/decline"), json=body)).status_code == 202
        assert await copy_of(alice, made) is None
        attendee = (await dana.get(path(made))).json()["attendees"][0]
        assert attendee["status"]["response"] == "declined"
        assert attendee["proposedNewTime"]["start"]["dateTime"] == "2026-04-02T10:00:00.0000000"
        for subject in ("Again", "And again"):
            await dana.patch(path(made), json={"subject": subject})
        listed = (await alice.get("/me/events", params={"$top": "100"})).json()["value"]
        assert [entry["subject"] for entry in listed if entry["iCalUId"] == made["iCalUId"]] == ["And again"]


async def test_an_answer_without_sending_stays_with_the_attendee():
    graph = Graph()
    async with graph.signed_in() as dana, graph.signed_in(ALICE) as alice:
        made = await create(dana, attendees=guests(ALICE))
        mails(graph)
        copy = await copy_of(alice, made)
        assert copy is not None
        assert (await alice.post(path(copy, "/accept"), json={"sendResponse": False})).status_code == 202
        assert mails(graph) == []
        assert (await dana.get(path(made))).json()["attendees"][0]["status"]["response"] == "none"


async def test_answers_that_break_a_rule_are_refused():
    graph = Graph()
    slot = {"start": {"dateTime": "2026-04-02T10:00:00", "timeZone": "UTC"},
            "end": {"dateTime": "2026-04-02T11:00:00", "timeZone": "UTC"}}  # fmt: skip
    async with graph.signed_in() as dana, graph.signed_in(ALICE) as alice:
        made = await create(dana, attendees=guests(ALICE), allowNewTimeProposals=False)
        silent = await create(dana, attendees=guests(ALICE), responseRequested=False)
        copy, quiet = await copy_of(alice, made), await copy_of(alice, silent)
        assert copy is not None
        assert quiet is not None
        assert refusal(await dana.post(path(made, "/accept"), json={})) == (400, "ErrorInvalidRequest")
        assert refusal(await alice.post(path(quiet, "/accept"), json={})) == (400, "ErrorInvalidRequest")
        unsent = {"comment": "x", "sendResponse": False}
        assert refusal(await alice.post(path(copy, "/accept"), json=unsent)) == (400, "ErrorInvalidRequest")
        proposed = {"proposedNewTime": slot}
        assert refusal(await alice.post(path(copy, "/decline"), json=proposed)) == (400, "ErrorInvalidParameter")
        assert refusal(await alice.post(path(copy, "/accept"), json=proposed)) == (400, "RequestBodyRead")


async def test_a_change_of_attendees_alone_mails_only_those_added_or_removed():
    graph = Graph()
    async with graph.signed_in() as dana, graph.signed_in(ALICE) as alice, graph.signed_in(BOB) as bob:
        made = await create(dana, attendees=guests(ALICE, STRANGER))
        copy = await copy_of(alice, made)
        assert copy is not None
        await alice.post(path(copy, "/accept"), json={})
        mails(graph)
        changed = (await dana.patch(path(made), json={"attendees": guests(ALICE, BOB)})).json()
        assert mails(graph) == [("invitation", DANA, BOB), ("cancellation", DANA, STRANGER)]
        assert [attendee["status"]["response"] for attendee in changed["attendees"]] == ["accepted", "none"]
        assert await copy_of(bob, made) is not None


async def test_a_change_that_matters_mails_everybody_and_the_copies_follow():
    graph = Graph()
    async with graph.signed_in() as dana, graph.signed_in(ALICE) as alice:
        made = await create(dana, attendees=guests(ALICE, STRANGER))
        mails(graph)
        await dana.patch(path(made), json={"subject": "Moved", "location": {"displayName": "Room 1"}})
        assert mails(graph) == [("update", DANA, ALICE), ("update", DANA, STRANGER)]
        copy = await copy_of(alice, made)
        assert copy is not None
        assert (copy["subject"], copy["location"]["displayName"]) == ("Moved", "Room 1")
        await dana.patch(path(made), json={"categories": ["Red"], "isReminderOn": False, "showAs": "free"})
        assert mails(graph) == []


async def test_a_removed_attendees_copy_is_marked_as_cancelled():
    graph = Graph()
    async with graph.signed_in() as dana, graph.signed_in(ALICE) as alice:
        made = await create(dana, attendees=guests(ALICE))
        await dana.patch(path(made), json={"attendees": []})
        copy = await copy_of(alice, made)
        assert copy is not None
        assert (copy["isCancelled"], copy["subject"]) == (True, "Canceled: Q2 Planning Kickoff")


async def test_an_attendees_change_stays_their_own_until_the_organizer_changes_something():
    graph = Graph()
    async with graph.signed_in() as dana, graph.signed_in(ALICE) as alice:
        made = await create(dana, attendees=guests(ALICE))
        copy = await copy_of(alice, made)
        assert copy is not None
        mails(graph)
        assert (await alice.patch(path(copy), json={"subject": "Mine"})).status_code == 200
        assert mails(graph) == []
        assert (await dana.get(path(made))).json()["subject"] == "Q2 Planning Kickoff"
        await dana.patch(path(made), json={"location": {"displayName": "Room 1"}})
        assert (await alice.get(path(copy))).json()["subject"] == "Q2 Planning Kickoff"


@pytest.mark.parametrize("way", ["cancel", "delete"])
async def test_the_organizer_takes_a_meeting_away_and_everybody_is_told(way: str):
    graph = Graph()
    async with graph.signed_in() as dana, graph.signed_in(ALICE) as alice:
        made = await create(dana, attendees=guests(ALICE, STRANGER))
        mails(graph)
        if way == "cancel":
            answer = await dana.post(path(made, "/cancel"), json={"comment": "Sorry"})
            assert (answer.status_code, answer.content) == (202, b"")
        else:
            assert (await dana.delete(path(made))).status_code == 204
        assert {mail.comment for mail in graph.world.mails} == {"Sorry" if way == "cancel" else ""}
        assert mails(graph) == [("cancellation", DANA, ALICE), ("cancellation", DANA, STRANGER)]
        assert await copy_of(dana, made) is None
        copy = await copy_of(alice, made)
        assert copy is not None
        assert copy["isCancelled"]


async def test_an_attendee_cannot_cancel_and_deletes_only_their_copy():
    graph = Graph()
    async with graph.signed_in() as dana, graph.signed_in(ALICE) as alice:
        made = await create(dana, attendees=guests(ALICE))
        copy = await copy_of(alice, made)
        assert copy is not None
        mails(graph)
        assert refusal(await alice.post(path(copy, "/cancel"), json={})) == (400, "ErrorInvalidRequest")
        assert (await alice.delete(path(copy))).status_code == 204
        assert mails(graph) == []
        assert (await dana.get(path(made))).json()["isCancelled"] is False


async def test_a_series_reaches_the_attendee_with_its_exceptions_and_deleted_dates():
    graph = Graph()
    span = {"startDateTime": "2026-04-01T00:00:00Z", "endDateTime": "2026-05-30T00:00:00Z"}
    weekly = {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["wednesday"]},
        "range": {"type": "numbered", "startDate": "2026-04-01", "numberOfOccurrences": 4},
    }
    async with graph.signed_in() as dana, graph.signed_in(ALICE) as alice:
        made = await create(dana, attendees=guests(ALICE), recurrence=weekly)
        found = (await dana.get(path(made, "/instances"), params=span)).json()["value"]
        await dana.patch(path(found[1]), json={"subject": "Special"})
        await dana.delete(path(found[2]))
        copy = await copy_of(alice, made)
        assert copy is not None
        seen = (await alice.get(path(copy, "/instances"), params=span)).json()["value"]
        assert sorted(event["subject"] for event in seen) == ["Q2 Planning Kickoff", "Q2 Planning Kickoff", "Special"]
        await alice.post(path(seen[-1], "/accept"), json={})
        again = (await dana.get(path(made, "/instances"), params=span)).json()["value"]
        answers = [event["attendees"][0]["status"]["response"] for event in again]
        assert sorted(answers) == ["accepted", "none", "none"]


async def test_hidden_attendees_see_only_themselves():
    graph = Graph()
    async with graph.signed_in() as dana, graph.signed_in(ALICE) as alice:
        made = await create(dana, attendees=guests(ALICE, BOB), hideAttendees=True)
        copy = await copy_of(alice, made)
        assert copy is not None
        assert [entry["emailAddress"]["address"] for entry in copy["attendees"]] == [ALICE]
        assert len(made["attendees"]) == 2


async def test_a_teams_meeting_carries_its_join_block_between_separators():
    graph = Graph()
    async with graph.signed_in() as dana:
        made = await create(dana, isOnlineMeeting=True, onlineMeetingProvider="teamsForBusiness")
        assert (made["isOnlineMeeting"], made["onlineMeetingProvider"]) == (True, "teamsForBusiness")
        link = made["onlineMeeting"]["joinUrl"]
        html = made["body"]["content"]
        before, block, _ = html.split(SEPARATOR)
        assert "Please review the roadmap." in before
        assert link in block
        assert made["onlineMeetingUrl"] is None
        assert "Microsoft Teams meeting" in made["bodyPreview"]


async def test_isonlinemeeting_without_a_provider_uses_the_default_one():
    graph = Graph()
    async with graph.signed_in() as dana:
        assert (await create(dana, isOnlineMeeting=True))["onlineMeetingProvider"] == "teamsForBusiness"
        calendar = (await dana.get("/me/calendar")).json()
        assert calendar["allowedOnlineMeetingProviders"] == ["teamsForBusiness"]
        skype = await create(dana, isOnlineMeeting=True, onlineMeetingProvider="skypeForBusiness")
        assert (skype["isOnlineMeeting"], skype["onlineMeeting"]) == (False, None)


async def test_a_provider_that_is_not_allowed_is_silently_left_out():
    graph = Graph()
    graph.world.people[ALICE].teams_allowed = False
    for name in (PAT, ALICE):
        async with graph.signed_in(name) as client:
            answer = await client.post("/me/events", json=event_body(isOnlineMeeting=True))
            made = answer.json()
            assert answer.status_code == 201
            assert (made["isOnlineMeeting"], made["onlineMeetingProvider"]) == (False, "unknown")
            assert made["onlineMeeting"] is None
            assert (await client.get("/me/calendar")).json()["allowedOnlineMeetingProviders"] == []


async def test_a_body_with_the_block_keeps_the_meeting_and_one_without_ends_it():
    graph = Graph()
    async with graph.signed_in() as dana:
        made = await create(dana, isOnlineMeeting=True)
        link = made["onlineMeeting"]["joinUrl"]
        kept = made["body"]["content"].replace("Please review", "Please do review")
        same = (await dana.patch(path(made), json={"body": {"contentType": "html", "content": kept}})).json()
        assert same["onlineMeeting"]["joinUrl"] == link
        assert "Please do review" in same["body"]["content"]
        text = {"body": {"contentType": "text", "content": "Only text"}}
        ended = (await dana.patch(path(made), json=text)).json()
        assert (ended["isOnlineMeeting"], ended["onlineMeeting"]) == (False, None)
        renewed = (await dana.patch(path(made), json=text)).json()
        assert renewed["onlineMeeting"]["joinUrl"] != link


async def test_a_change_without_a_body_keeps_the_link_and_online_cannot_be_switched_off():
    graph = Graph()
    async with graph.signed_in() as dana:
        made = await create(dana, isOnlineMeeting=True)
        changed = (await dana.patch(path(made), json={"subject": "x", "isOnlineMeeting": False})).json()
        assert changed["isOnlineMeeting"]
        assert changed["onlineMeeting"] == made["onlineMeeting"]


async def test_an_event_becomes_online_later():
    graph = Graph()
    async with graph.signed_in() as dana:
        made = await create(dana)
        assert (await dana.patch(path(made), json={"isOnlineMeeting": True})).json()["onlineMeeting"] is not None

"""outlook_respond_to_event over the sandbox's Graph: who is told, what is refused, and what a lost answer did."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import httpx2 as httpx
import pytest

from scalekit_mcp.errors import EventNotFound, InvalidInput, OutcomeUnknown
from scalekit_mcp.sandbox import Sandbox
from tests.support.microsoft import SignedIn, signed_in

RESPOND = "outlook_respond_to_event"
DANA, ALICE = "dana@company.com", "alice@company.com"
RESPONSES = {"accept": "accepted", "tentative": "tentativelyAccepted", "decline": "declined"}
PROPOSAL = {
    "proposed_start_datetime": "2026-04-02T10:00:00",
    "proposed_end_datetime": "2026-04-02T11:00:00",
    "proposed_timezone": "Europe/Berlin",
}
WEEKLY = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["wednesday"], "firstDayOfWeek": "sunday"},
    "range": {"type": "numbered", "startDate": "2026-04-01", "numberOfOccurrences": 4},
}


@asynccontextmanager
async def invited(
    *, between: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport] | None = None, **members: Any
) -> AsyncGenerator[tuple[SignedIn, SignedIn, str]]:
    """Dana, whom Alice invited to a review on Wednesday, Alice, and the id of Dana's copy."""
    box = Sandbox(week_of=date(2026, 3, 30))
    async with signed_in(box, DANA, between=between) as me, signed_in(box, ALICE) as alice:
        body = {
            "subject": "Review",
            "start": {"dateTime": "2026-04-01T10:00:00", "timeZone": "UTC"},
            "end": {"dateTime": "2026-04-01T11:00:00", "timeZone": "UTC"},
            "attendees": [{"type": "required", "emailAddress": {"address": DANA}}],
            **members,
        }
        await alice.graph("POST", "/me/events", body)
        [copy] = (await me.graph("GET", "/me/events"))["value"]
        box.world.requests.clear()
        yield me, alice, copy["id"]


def posts(me: SignedIn) -> list[str]:
    return [request.path.rsplit("/", 1)[-1] for request in me.received("POST")]


async def answer_seen_by(alice: SignedIn) -> str:
    [event] = (await alice.graph("GET", "/me/events"))["value"]
    return event["attendees"][0]["status"]["response"]


@pytest.mark.parametrize("response", list(RESPONSES))
async def test_an_answer_reaches_the_organizer_once_and_says_so(response: str) -> None:
    async with invited() as (me, alice, event_id):
        answer = await me.schedule(RESPOND, event_id=event_id, response=response, comment="See you")
        assert answer["responded"] == response
        assert answer["told"] == [ALICE]
        assert answer["event"]["subject"] == "Review"
        assert answer["event"]["start"]["dateTime"].startswith("2026-04-01T10:00")
        assert await answer_seen_by(alice) == RESPONSES[response]
        assert len(posts(me)) == 1


async def test_an_answer_that_is_not_sent_changes_the_own_copy_and_tells_nobody() -> None:
    async with invited() as (me, alice, event_id):
        answer = await me.schedule(RESPOND, event_id=event_id, response="accept", send_response=False)
        assert "told" not in answer
        assert "The organizer was not told." in answer["notes"]
        assert await answer_seen_by(alice) == "none"
        assert (await me.get(event_id))["responseStatus"]["response"] == "accepted"


async def test_the_same_answer_again_is_a_success_without_a_second_mail() -> None:
    async with invited() as (me, _, event_id):
        await me.schedule(RESPOND, event_id=event_id, response="accept")
        again = await me.schedule(RESPOND, event_id=event_id, response="accept")
        assert "told" not in again
        assert "already" in again["notes"][0]
        assert posts(me) == ["accept"]
        changed = await me.schedule(RESPOND, event_id=event_id, response="tentative")
        assert changed["told"] == [ALICE]


async def test_a_proposal_goes_to_the_organizer_and_moves_nothing() -> None:
    async with invited() as (me, alice, event_id):
        answer = await me.schedule(RESPOND, event_id=event_id, response="tentative", **PROPOSAL)
        assert any("until its organizer accepts" in note for note in answer["notes"])
        [event] = (await alice.graph("GET", "/me/events"))["value"]
        proposed = event["attendees"][0]["proposedNewTime"]
        assert proposed["start"]["dateTime"].startswith("2026-04-02T08:00")
        assert event["start"]["dateTime"].startswith("2026-04-01T10:00")


async def test_a_declined_event_is_said_to_leave_the_calendar_and_an_answer_to_it_again_finds_none() -> None:
    async with invited() as (me, _, event_id):
        answer = await me.schedule(RESPOND, event_id=event_id, response="decline")
        assert any("Deleted Items" in note for note in answer["notes"])
        assert (await me.list())["value"] == []
        with pytest.raises(EventNotFound):
            await me.schedule(RESPOND, event_id=event_id, response="accept")


async def test_an_event_that_is_kept_after_declining_can_be_answered_again() -> None:
    async with invited() as (me, alice, event_id):
        me.sandbox.behaviour("declined", "kept")
        await me.schedule(RESPOND, event_id=event_id, response="decline")
        await me.schedule(RESPOND, event_id=event_id, response="accept")
        assert await answer_seen_by(alice) == "accepted"


async def test_a_series_is_answered_whole_or_one_date_of_it() -> None:
    async with invited(recurrence=WEEKLY) as (me, _, master_id):
        window = {"start_datetime": "2026-04-01T00:00:00", "end_datetime": "2026-05-01T00:00:00", "timezone": "UTC"}
        second = (await me.list(**window))["value"][1]["id"]
        await me.schedule(RESPOND, event_id=second, response="tentative", apply_to="this")
        whole = await me.schedule(RESPOND, event_id=second, response="accept", apply_to="series")
        assert whole["event"]["type"] == "seriesMaster"
        assert any("All dates" in note for note in whole["notes"])
        answers = [row["responseStatus"]["response"] for row in (await me.list(**window))["value"]]
        assert answers == ["accepted", "tentativelyAccepted", "accepted", "accepted"]
        assert (await me.get(master_id))["responseStatus"]["response"] == "accepted"


@pytest.mark.parametrize(
    ("members", "arguments", "word"),
    [
        ({"responseRequested": False}, {}, "asked for no answers"),
        ({"allowNewTimeProposals": False}, {"response": "tentative", **PROPOSAL}, "takes no proposals"),
    ],
)
async def test_what_the_organizer_does_not_want_is_refused_before_anything_is_sent(
    members: dict[str, Any], arguments: dict[str, Any], word: str
) -> None:
    async with invited(**members) as (me, _, event_id):
        with pytest.raises(InvalidInput, match=word):
            await me.schedule(RESPOND, **{"event_id": event_id, "response": "accept", **arguments})
        assert posts(me) == []


async def test_the_users_own_meeting_and_a_cancelled_one_are_refused() -> None:
    async with invited() as (me, alice, event_id):
        [own] = (await alice.graph("GET", "/me/events"))["value"]
        with pytest.raises(InvalidInput, match="own meeting"):
            await alice.schedule(RESPOND, event_id=own["id"], response="accept")
        await alice.graph("POST", f"/me/events/{own['id']}/cancel", {"comment": "off"})
        me.sandbox.world.requests.clear()
        with pytest.raises(InvalidInput, match="cancelled"):
            await me.schedule(RESPOND, event_id=event_id, response="accept")
        assert posts(me) == []


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"send_response": False, "comment": "late"}, "comment"),
        ({"response": "decline", "send_response": False, **PROPOSAL}, "proposed_start_datetime"),
        ({"response": "accept", **PROPOSAL}, "proposed_start_datetime"),
        ({"response": "decline", "proposed_start_datetime": "2026-04-02T10:00:00"}, "proposed_end_datetime"),
        ({"response": "decline", **PROPOSAL, "proposed_end_datetime": "2026-04-02T10:00:00"}, "proposed_end_datetime"),
        ({"response": "decline", **PROPOSAL, "proposed_start_datetime": "2026-04-02"}, "proposed_start_datetime"),
        ({"response": "maybe"}, "response"),
        ({"apply_to": "series"}, "apply_to"),
    ],
)
async def test_arguments_that_do_not_go_together_are_refused_by_name(arguments: dict[str, Any], field: str) -> None:
    async with invited() as (me, _, event_id):
        with pytest.raises(InvalidInput) as refused:
            await me.schedule(RESPOND, **{"event_id": event_id, "response": "accept", **arguments})
        assert refused.value.details["field"] == field
        assert posts(me) == []


LOST = [{"status": 500}, {"status": 504}, {"status": 500, "apply": True}, {"status": 504, "apply": True}]


@pytest.mark.parametrize("fault", LOST, ids=str)
@pytest.mark.parametrize("kept", ["deleted", "kept"])
@pytest.mark.parametrize("response", list(RESPONSES))
async def test_an_answer_is_given_once_although_microsofts_was_lost(
    response: str, kept: str, fault: dict[str, Any]
) -> None:
    async with invited() as (me, alice, event_id):
        me.sandbox.behaviour("declined", kept)
        me.sandbox.graph_error(method="POST", times=1, **fault)
        answer = await me.schedule(RESPOND, event_id=event_id, response=response)
        assert answer["told"] == [ALICE]
        assert await answer_seen_by(alice) == RESPONSES[response]
        assert len(posts(me)) == (1 if fault.get("apply") else 2)


async def test_a_comment_on_the_same_answer_whose_fate_is_not_known_is_not_sent_twice() -> None:
    async with invited() as (me, _, event_id):
        me.sandbox.freeze_clock()
        await me.schedule(RESPOND, event_id=event_id, response="accept")
        me.sandbox.graph_error(504, method="POST", apply=True)
        with pytest.raises(OutcomeUnknown, match="same answer before"):
            await me.schedule(RESPOND, event_id=event_id, response="accept", comment="Looking forward")
        assert posts(me) == ["accept", "accept"]


class BlindAfterPost(httpx.AsyncBaseTransport):
    """Answers every read with 503 once something was posted."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self._posted = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._posted and request.method == "GET":
            return httpx.Response(503, json={"error": {"code": "serviceNotAvailable", "message": "x"}})
        self._posted = self._posted or request.url.path.endswith("/accept")
        return await self._inner.handle_async_request(request)


async def test_an_event_that_cannot_be_read_after_a_lost_answer_is_not_answered_again() -> None:
    async with invited(between=BlindAfterPost) as (me, _, event_id):
        me.sandbox.graph_error(504, method="POST", apply=True)
        with pytest.raises(OutcomeUnknown, match="cannot be read now"):
            await me.schedule(RESPOND, event_id=event_id, response="accept")
        assert posts(me) == ["accept"]

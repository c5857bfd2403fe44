"""Connections that drop, services that stumble: one event, the truth in the result, no mail twice."""

import json
from collections import Counter
from collections.abc import Awaitable
from datetime import date
from typing import Any

import httpx2 as httpx
import pytest

from scalekit_mcp.errors import OutcomeUnknown, ProviderUnavailable, ScalekitMCPError, Throttled
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.world import GraphFault
from tests.support.microsoft import SignedIn, signed_in

MEETING: dict[str, Any] = {
    "subject": "Review",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": "UTC",
    "attendees_required": "alice@company.com",
    "body_content": "Agenda",
}
LATER = {
    "start_datetime": "2026-04-01T14:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-01T15:00:00",
    "end_timezone": "UTC",
}
FAULTS = {
    "dropped before": GraphFault(drop="before"),
    "dropped after": GraphFault(drop="after"),
    "503": GraphFault(status=503),
    "503 with Retry-After": GraphFault(status=503, headers={"Retry-After": "3"}),
    "504": GraphFault(status=504),
    "504 carried out": GraphFault(status=504, apply=True),
    "500 carried out": GraphFault(status=500, apply=True),
    "502 as HTML": GraphFault(status=502, body="<html>Bad gateway</html>"),
    "429": GraphFault(status=429),
    "200 cut off": GraphFault(status=200, body='{"id":', apply=True),
}
CHANGES: dict[str, dict[str, Any]] = {
    "time": LATER,
    "subject": {"subject": "Renamed"},
    "attendees": {"attendees_add": "dave@company.com"},
    "body": {"body_content": "A new agenda & more"},
    "online": {"isOnlineMeeting": True},
    "recurrence": {"recurrence_type": "weekly", "recurrence_occurrences": 3},
    "place": {"location": "Room 2", "categories": "Red category"},
}


def sandbox() -> Sandbox:
    return Sandbox(week_of=date(2026, 3, 30))


def break_writes(me: SignedIn, fault: GraphFault, times: int, method: str) -> None:
    copy = GraphFault(
        status=fault.status, headers=dict(fault.headers), body=fault.body, drop=fault.drop, apply=fault.apply,
        method=method, times=times,
    )  # fmt: skip
    me.sandbox.world.switches.graph_faults.append(copy)


def mails(me: SignedIn) -> Counter[tuple[str, str]]:
    return Counter((mail.kind, mail.to) for mail in me.sandbox.world.mails)


async def attempt(call: Awaitable[dict[str, Any]]) -> dict[str, Any] | ScalekitMCPError:
    try:
        return await call
    except ScalekitMCPError as exc:
        return exc


# An ordinary 500 is tried only twice, because a request that Microsoft chokes on answers the same way.
@pytest.mark.parametrize(
    ("name", "times"), [(name, times) for name in FAULTS for times in (1, 2, 3) if times == 1 or "500" not in name]
)
async def test_a_create_that_stumbles_books_exactly_one_event_and_invites_once(name: str, times: int) -> None:
    async with signed_in(sandbox()) as me:
        break_writes(me, FAULTS[name], times, "POST")
        event = await me.create(**MEETING)
        assert [row["id"] for row in (await me.list())["value"]] == [event["id"]]
        assert mails(me) == {("invitation", "alice@company.com"): 1}
        assert len({request.body["transactionId"] for request in me.received("POST")}) == 1


@pytest.mark.parametrize("name", ["dropped before", "dropped after", "504", "504 carried out", "500 carried out"])
async def test_a_create_whose_answers_are_all_lost_tells_how_to_repeat_it_without_booking_twice(name: str) -> None:
    async with signed_in(sandbox()) as me:
        break_writes(me, FAULTS[name], 50, "POST")
        unknown = await attempt(me.create(**MEETING))
        assert isinstance(unknown, OutcomeUnknown)
        me.sandbox.world.switches.graph_faults.clear()
        key = unknown.next_step.split("transaction_id=")[1].split(":")[0]
        event = await me.create(**MEETING, transaction_id=key)
        assert [row["id"] for row in (await me.list())["value"]] == [event["id"]]
        assert mails(me) == {("invitation", "alice@company.com"): 1}


@pytest.mark.parametrize("name", ["503", "429"])
async def test_a_create_that_microsoft_never_carried_out_may_be_repeated(name: str) -> None:
    async with signed_in(sandbox()) as me:
        break_writes(me, FAULTS[name], 50, "POST")
        failure = await attempt(me.create(**MEETING))
        assert isinstance(failure, Throttled | ProviderUnavailable)
        assert failure.retryable
        assert (await me.list())["value"] == []


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("change", CHANGES)
async def test_an_update_that_stumbles_is_made_once_or_said_to_be_unknown(change: str, name: str, times: int) -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        me.sandbox.world.mails.clear()
        etag = (await me.graph("GET", f"/me/events/{event['id']}"))["@odata.etag"]
        break_writes(me, FAULTS[name], times, "PATCH")
        result = await attempt(me.update(event["id"], **CHANGES[change]))
        now = await me.graph("GET", f"/me/events/{event['id']}")
        if isinstance(result, ScalekitMCPError):
            # A failure that calls itself harmless must be harmless; only "unknown" may have changed something.
            assert isinstance(result, OutcomeUnknown) or now["@odata.etag"] == etag
            assert times > 1
        else:
            assert now["@odata.etag"] != etag
            assert (result["subject"], result["recurrence"]) == (now["subject"], now["recurrence"])
        assert all(count == 1 for count in mails(me).values())


@pytest.mark.parametrize("name", ["dropped before", "dropped after", "503", "504", "504 carried out", "429"])
async def test_an_update_that_stumbles_once_is_made(name: str) -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        me.sandbox.world.mails.clear()
        break_writes(me, FAULTS[name], 1, "PATCH")
        updated = await me.update(event["id"], **LATER, attendees_add="dave@company.com")
        assert updated["start"]["dateTime"][:19] == "2026-04-01T14:00:00"
        assert mails(me) == {("update", "alice@company.com"): 1, ("invitation", "dave@company.com"): 1}


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("message", [None, "Moved to May."])
async def test_a_delete_that_stumbles_deletes_and_mails_once_or_says_what_is_known(
    message: str | None, name: str, times: int
) -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        me.sandbox.world.mails.clear()
        break_writes(me, FAULTS[name], times, "DELETE" if message is None else "POST")
        more = {} if message is None else {"cancellation_message": message}
        result = await attempt(me.delete(event["id"], **more))
        there = bool((await me.list())["value"])
        if isinstance(result, ScalekitMCPError):
            assert isinstance(result, OutcomeUnknown) or (there and result.retryable)
            assert times > 1
        else:
            assert (result["deleted"], result["already_gone"]) == (True, False)
            assert result["event"]["subject"] == MEETING["subject"]
            assert result["told"] == ["alice@company.com"]
            assert not there
        assert all(count == 1 for count in mails(me).values())


@pytest.mark.parametrize(("method", "arguments"), [("PATCH", {"subject": "Renamed"}), ("DELETE", {})])
async def test_an_outcome_that_cannot_be_read_is_said_to_be_unknown(method: str, arguments: dict[str, Any]) -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        break_writes(me, FAULTS["dropped after"], 1, method)
        if method == "DELETE":
            me.sandbox.world.switches.graph_faults.append(GraphFault(method="GET"))  # the read before it
        me.sandbox.world.switches.graph_faults.append(GraphFault(status=503, method="GET", times=20))
        call = me.update if method == "PATCH" else me.delete
        assert isinstance(await attempt(call(event["id"], **arguments)), OutcomeUnknown)
        assert len(me.received(method)) == 1


async def test_a_change_that_arrives_late_is_found_and_not_made_twice() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        me.sandbox.world.mails.clear()
        break_writes(me, FAULTS["dropped before"], 1, "PATCH")
        patches: list[str] = []

        async def first_try_arrives_late(request: httpx.Request) -> None:
            patches.extend([request.method] if request.method == "PATCH" else [])
            if len(patches) == 2:
                patches.append("the first one, at last")
                await me.graph("PATCH", f"/me/events/{event['id']}", json.loads(request.content))

        me.http.event_hooks = {"request": [first_try_arrives_late]}
        updated = await me.update(event["id"], **LATER)
        assert updated["start"]["dateTime"][:19] == "2026-04-01T14:00:00"
        assert mails(me) == {("update", "alice@company.com"): 1}


async def test_a_change_that_somebody_else_overwrote_meanwhile_is_said_to_be_unknown() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        break_writes(me, FAULTS["dropped after"], 1, "PATCH")
        mine = await me.graph("GET", f"/me/events/{event['id']}")
        other = {**mine, "@odata.etag": 'W/"other"', "start": {"dateTime": "2026-04-02T08:00:00", "timeZone": "UTC"}}
        # The first read comes before the change, the second one settles it.
        me.sandbox.world.switches.graph_faults.append(GraphFault(method="GET"))
        me.sandbox.world.switches.graph_faults.append(GraphFault(status=200, method="GET", body=json.dumps(other)))
        with pytest.raises(OutcomeUnknown):
            await me.update(event["id"], **LATER)
        assert len(me.received("PATCH")) == 1


async def test_a_lost_answer_followed_by_somebody_elses_change_is_said_to_be_unknown() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        break_writes(me, FAULTS["dropped before"], 1, "PATCH")
        me.sandbox.world.switches.graph_faults.append(GraphFault(status=412, method="PATCH"))
        assert isinstance(await attempt(me.update(event["id"], **LATER)), OutcomeUnknown)
        assert len(me.received("PATCH")) == 2


async def test_a_pause_longer_than_a_call_may_wait_is_throttled_and_nothing_was_done() -> None:
    async with signed_in(sandbox()) as me:
        me.sandbox.world.switches.graph_faults.append(
            GraphFault(status=429, headers={"Retry-After": "120"}, method="POST")
        )
        with pytest.raises(Throttled) as throttled:
            await me.create(**MEETING)
        assert throttled.value.details["retry_after_seconds"] == 120
        assert (await me.list())["value"] == []

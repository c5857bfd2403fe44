"""What Microsoft does not promise, taken away in the sandbox: a second way, or a refusal that says what to do."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx
import pytest

from scalekit_mcp.errors import Conflict, EventNotFound, InvalidInput, OutcomeUnknown, ProviderUnavailable
from scalekit_mcp.sandbox import Sandbox
from tests.support.microsoft import SignedIn, signed_in

SERIES: dict[str, Any] = {
    "subject": "Stand-up",
    "start_datetime": "2026-04-06T09:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-06T09:30:00",
    "end_timezone": "UTC",
    "recurrence_type": "weekly",
    "recurrence_days_of_week": "monday",
    "recurrence_occurrences": 6,
}
MEETING = {name: value for name, value in SERIES.items() if not name.startswith("recurrence")}
APRIL = {"start_datetime": "2026-04-01T00:00:00", "end_datetime": "2026-05-01T00:00:00"}
NEW_TIME = {
    "start_datetime": "2026-04-06T10:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-06T10:30:00",
    "end_timezone": "UTC",
}


async def a_series(me: SignedIn, *, edited: bool = False, deleted: bool = False) -> str:
    master = await me.create(**SERIES)
    rows = (await me.list(**APRIL))["value"]
    if edited:
        await me.update(rows[1]["id"], subject="Stand-up, in the garden")
    if deleted:
        await me.delete(rows[2]["id"])
    return master["id"]


@pytest.mark.parametrize("expand", ["answer", "refuse", "ignore"])
async def test_the_times_of_a_series_change_however_graph_takes_the_expansion(expand: str) -> None:
    sandbox = Sandbox()
    sandbox.behaviour("expand_exceptions", expand)
    async with signed_in(sandbox) as me:
        updated = await me.update(await a_series(me), **NEW_TIME)
        assert updated["start"]["dateTime"].startswith("2026-04-06T10:00:00")


@pytest.mark.parametrize(("status", "times"), [(400, 1), (404, 1), (405, 1), (500, 2), (501, 1)])
async def test_an_expansion_may_be_refused_with_any_status(status: int, times: int) -> None:
    sandbox = Sandbox()
    async with signed_in(sandbox) as me:
        master = await a_series(me)

        async def refuse_the_expansion(request: httpx.Request) -> None:
            if "expand" in str(request.url) and not sandbox.world.switches.graph_faults:
                sandbox.graph_error(status, method="GET", times=times)

        me.http.event_hooks = {"request": [refuse_the_expansion]}
        updated = await me.update(master, **NEW_TIME)
        assert updated["start"]["dateTime"].startswith("2026-04-06T10:00:00")


@pytest.mark.parametrize("expand", ["answer", "refuse", "ignore"])
async def test_edited_and_deleted_dates_are_found_either_way(expand: str) -> None:
    sandbox = Sandbox()
    async with signed_in(sandbox) as me:
        master = await a_series(me, edited=True, deleted=True)
        sandbox.behaviour("expand_exceptions", expand)
        with pytest.raises(Conflict) as refused:
            await me.update(master, **NEW_TIME)
    assert refused.value.details["edited_occurrences"] == ["2026-04-13 (edited)", "2026-04-20 (deleted)"]


async def test_where_deleted_dates_cannot_be_read_that_is_said() -> None:
    sandbox = Sandbox()
    sandbox.behaviour("expand_exceptions", "refuse")
    sandbox.behaviour("select_cancelled", "refuse")
    async with signed_in(sandbox) as me:
        updated = await me.update(await a_series(me, deleted=True), **NEW_TIME)
    assert "cannot be seen" in updated["warnings"][0]


async def test_without_any_way_to_see_edited_dates_the_change_needs_consent() -> None:
    sandbox = Sandbox()
    sandbox.behaviour("expand_exceptions", "ignore")
    sandbox.behaviour("instances", False)
    async with signed_in(sandbox) as me:
        master = await a_series(me)
        with pytest.raises(Conflict) as refused:
            await me.update(master, **NEW_TIME)
        assert refused.value.details["field"] == "discard_exceptions"
        assert me.received("PATCH") == []
        await me.update(master, **NEW_TIME, discard_exceptions=True)


async def test_a_change_is_made_where_no_condition_ever_fits() -> None:
    sandbox = Sandbox()
    sandbox.behaviour("if_match_never_fits", True)
    async with signed_in(sandbox) as me:
        event = await me.create(**MEETING)
        updated = await me.update(event["id"], attendees_add="dave@company.com")
    assert [person["emailAddress"]["address"] for person in updated["attendees"]] == ["dave@company.com"]


@pytest.mark.parametrize("order", ["keep", "refuse", "ignore"])
@pytest.mark.parametrize("top", [2, 50])
async def test_a_window_is_in_order_whatever_order_graph_keeps(order: str, top: int) -> None:
    sandbox = Sandbox()
    sandbox.behaviour("view_order", order)
    async with signed_in(sandbox) as me:
        for day in (9, 7, 8, 6, 10, 3):
            times = {
                "start_datetime": f"2026-04-{day:02}T09:00:00",
                "end_datetime": f"2026-04-{day:02}T09:30:00",
            }
            await me.create(**{**MEETING, **times})
        found: list[str] = []
        answer = await me.list(**APRIL, top=top)
        found += [row["start"]["dateTime"][8:10] for row in answer["value"]]
        while "next_page" in answer:
            answer = await me.list(page=answer["next_page"])
            found += [row["start"]["dateTime"][8:10] for row in answer["value"]]
    assert found == ["03", "06", "07", "08", "09", "10"]


@pytest.mark.parametrize("order", ["keep", "refuse", "ignore"])
async def test_a_window_of_several_pages_is_in_order_too(order: str) -> None:
    sandbox = Sandbox()
    sandbox.behaviour("view_order", order)
    async with signed_in(sandbox) as me:
        daily = {**SERIES, "recurrence_type": "daily", "recurrence_occurrences": 120}
        del daily["recurrence_days_of_week"]
        await me.create(**daily)
        answer = await me.list(start_datetime="2026-04-01T00:00:00", end_datetime="2027-04-01T00:00:00", top=3)
        assert [row["start"]["dateTime"][:10] for row in answer["value"]] == ["2026-04-06", "2026-04-07", "2026-04-08"]
        answer = await me.list(page=answer["next_page"])
        assert [row["start"]["dateTime"][:10] for row in answer["value"]] == ["2026-04-09", "2026-04-10", "2026-04-11"]


async def test_a_refused_filter_in_a_window_is_told_as_such() -> None:
    sandbox = Sandbox()
    async with signed_in(sandbox) as me:
        with pytest.raises(InvalidInput) as refused:
            await me.list(**APRIL, filter="nonsense eq 1")
    assert refused.value.details["field"] == "filter"


@pytest.mark.parametrize("address", ["dana@company.com", "pat@outlook.example"])
async def test_where_nothing_is_deleted_for_good_the_refusal_says_so_and_nothing_is_claimed(address: str) -> None:
    sandbox = Sandbox()
    sandbox.behaviour("permanent_delete", False)
    async with signed_in(sandbox, address) as me:
        event = await me.create(**MEETING)
        with pytest.raises(InvalidInput) as refused:
            await me.delete(event["id"], permanent=True)
        assert refused.value.details["field"] == "permanent"
        assert (await me.get(event["id"]))["id"] == event["id"]


async def test_a_personal_account_without_a_purge_below_me_is_refused_and_keeps_its_event() -> None:
    sandbox = Sandbox()
    sandbox.behaviour("me_permanent_delete", False)
    async with signed_in(sandbox, "pat@outlook.example") as me:
        event = await me.create(**MEETING)
        with pytest.raises(InvalidInput):
            await me.delete(event["id"], permanent=True)
        assert (await me.get(event["id"]))["id"] == event["id"]


GONE_CALLS = {
    "delete": {},
    "cancel": {"cancellation_message": "No."},
}


@pytest.mark.parametrize("readable", [True, False])
@pytest.mark.parametrize("status", [400, 404, 409, 410])
@pytest.mark.parametrize("call", GONE_CALLS)
async def test_a_deletion_that_graph_refuses_because_the_event_is_gone_is_a_success(
    call: str, status: int, readable: bool
) -> None:
    sandbox = Sandbox()
    sandbox.behaviour("gone_status", status)
    sandbox.behaviour("deleted_readable", readable)
    async with signed_in(sandbox) as me:
        event = await me.create(**MEETING, attendees_required="alice@company.com")
        await me.delete(event["id"])
        again = await me.delete(event["id"], **GONE_CALLS[call])
        assert (again["deleted"], again["already_gone"]) == (True, True)
        assert "Nothing was deleted by this call" in again["warnings"][0]
        plain = await me.create(**MEETING)
        await me.delete(plain["id"])
        assert (await me.delete(plain["id"]))["already_gone"] is True


@pytest.mark.parametrize("status", [400, 409, 410, 412])
async def test_a_refused_deletion_of_what_is_still_there_stays_a_refusal(status: int) -> None:
    sandbox = Sandbox()
    async with signed_in(sandbox) as me:
        event = await me.create(**MEETING)
        sandbox.graph_error(status, "ErrorInvalidRequest", method="DELETE")
        with pytest.raises((InvalidInput, Conflict, EventNotFound)) as refused:
            await me.delete(event["id"])
        assert not isinstance(refused.value, EventNotFound)
        assert (await me.get(event["id"]))["id"] == event["id"]


@pytest.mark.parametrize("status", [400, 404, 409, 410])
async def test_the_repeat_of_a_deletion_whose_answer_was_lost_may_be_refused(status: int) -> None:
    sandbox = Sandbox()
    sandbox.behaviour("gone_status", status)
    async with signed_in(sandbox) as me:
        event = await me.create(**MEETING)
        sandbox.drop_connection("after", method="DELETE")
        deleted = await me.delete(event["id"])
        assert (deleted["deleted"], deleted["already_gone"]) == (True, False)


@pytest.mark.parametrize("status", [400, 409, 412])
async def test_the_repeat_of_a_change_whose_answer_was_lost_may_be_refused(status: int) -> None:
    """The first try is made late: it does not show when the event is read, and the second one is refused."""
    sandbox = Sandbox()
    async with signed_in(sandbox) as me:
        event = await me.create(**MEETING)
        sandbox.drop_connection("before", method="PATCH")
        sandbox.graph_error(status, "ErrorInvalidRequest", method="PATCH", apply=True)
        try:
            updated = await me.update(event["id"], subject="Retro")
        except OutcomeUnknown:
            updated = await me.get(event["id"])
        assert updated["subject"] == "Retro"
        assert len(me.received("PATCH")) == 2


@pytest.mark.parametrize("lost", [True, False])
async def test_a_repeated_transaction_that_graph_refuses_answers_with_the_event_all_the_same(lost: bool) -> None:
    sandbox = Sandbox()
    sandbox.behaviour("repeated_transaction", "refuse")
    async with signed_in(sandbox) as me:
        if lost:
            sandbox.drop_connection("after", method="POST")
            event = await me.create(**MEETING)
        else:
            first = await me.create(**MEETING, transaction_id="one")
            event = await me.create(**MEETING, transaction_id="one")
            assert event["id"] == first["id"]
            with pytest.raises(Conflict):
                await me.create(**{**MEETING, "subject": "Other"}, transaction_id="one")
        assert (await me.get(event["id"]))["subject"] == "Stand-up"
        assert len((await me.list(**APRIL))["value"]) == 1


async def test_a_window_that_is_too_long_to_be_sorted_here_asks_for_a_shorter_one() -> None:
    sandbox = Sandbox()
    sandbox.behaviour("view_order", "ignore")
    async with signed_in(sandbox) as me:
        daily = {**SERIES, "recurrence_type": "daily", "recurrence_occurrences": 900}
        del daily["recurrence_days_of_week"]
        await me.create(**daily)
        with pytest.raises(ProviderUnavailable) as refused:
            await me.list(start_datetime="2026-04-01T00:00:00", end_datetime="2029-04-01T00:00:00", top=1)
    assert "shorter" in refused.value.next_step

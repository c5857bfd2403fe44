from datetime import date
from typing import Any

import pytest

from scalekit_mcp.errors import EventNotFound, InvalidInput
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.world import GraphFault
from tests.support.microsoft import SignedIn, signed_in

MEETING: dict[str, Any] = {
    "subject": "Review",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": "UTC",
}
INVITED = {**MEETING, "attendees_required": "alice@company.com"}
SERIES = {**MEETING, "recurrence_type": "daily", "recurrence_occurrences": 5}
APRIL = {"start_datetime": "2026-04-01T00:00:00", "end_datetime": "2026-05-01T00:00:00", "timezone": "UTC"}


def sandbox() -> Sandbox:
    return Sandbox(week_of=date(2026, 3, 30))


async def in_april(me: SignedIn) -> list[dict[str, Any]]:
    return (await me.list(**APRIL, select="subject,start"))["value"]


def mails(me: SignedIn) -> list[tuple[str, str, str]]:
    return [(mail.kind, mail.to, mail.comment) for mail in me.sandbox.world.mails if mail.kind != "invitation"]


def succeeded(answer: dict[str, Any]) -> bool:
    return (answer["deleted"], answer["already_gone"], "warnings" in answer) == (True, False, False)


async def test_a_deleted_event_is_gone_and_deleting_it_again_is_success() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        assert succeeded(await me.delete(event["id"]))
        assert await in_april(me) == []
        again = await me.delete(event["id"])
        assert (again["deleted"], again["already_gone"]) == (True, True)
        assert "Nothing was deleted by this call" in again["warnings"][0]


async def test_a_plain_delete_reads_the_event_once() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        await me.delete(event["id"])
        assert [request.method for request in me.received()] == ["POST", "GET", "DELETE"]


async def test_another_400_is_not_taken_for_already_gone() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        me.sandbox.world.switches.graph_faults.append(
            GraphFault(status=400, code="ErrorInvalidRequest", message="No.", method="DELETE")
        )
        with pytest.raises(InvalidInput):
            await me.delete(event["id"])


async def test_a_cancellation_message_is_mailed_by_the_organizer() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**INVITED)
        result = await me.delete(event["id"], cancellation_message="Moved to May.")
        assert succeeded(result)
        assert mails(me) == [("cancellation", "alice@company.com", "Moved to May.")]
        assert await in_april(me) == []


async def test_a_cancellation_message_by_somebody_who_is_not_the_organizer_is_refused() -> None:
    same = sandbox()
    async with signed_in(same, "alice@company.com") as alice, signed_in(same) as me:
        await alice.create(**{**MEETING, "attendees_required": "dana@company.com"})
        mine = (await in_april(me))[0]
        with pytest.raises(InvalidInput) as refused:
            await me.delete(mine["id"], cancellation_message="No.")
        assert refused.value.details["field"] == "cancellation_message"
        assert len(await in_april(me)) == 1
        assert mails(me) == []


async def test_a_cancellation_message_with_permanent_is_refused() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**INVITED)
        with pytest.raises(InvalidInput) as refused:
            await me.delete(event["id"], cancellation_message="No.", permanent=True)
        assert refused.value.details["field"] == "cancellation_message"


async def test_a_cancellation_message_for_an_event_without_guests_is_told_to_have_reached_nobody() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        result = await me.delete(event["id"], cancellation_message="No.")
        assert "Nobody is invited" in result["warnings"][0]
        assert await in_april(me) == []


@pytest.mark.parametrize("address", ["dana@company.com", "pat@outlook.example"])
async def test_permanent_purges_the_event(address: str) -> None:
    async with signed_in(sandbox(), address) as me:
        event = await me.create(**MEETING)
        assert succeeded(await me.delete(event["id"], permanent=True))
        with pytest.raises(EventNotFound):
            await me.get(event["id"])
        assert (await me.delete(event["id"], permanent=True))["already_gone"] is True


async def test_an_occurrence_id_takes_away_one_date_and_with_series_all_of_them() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**SERIES)
        rows = await in_april(me)
        await me.delete(rows[1]["id"])
        assert [row["start"]["dateTime"][8:10] for row in await in_april(me)] == ["01", "03", "04", "05"]
        await me.delete(rows[2]["id"], apply_to="this")
        assert len(await in_april(me)) == 3
        await me.delete(rows[0]["id"], apply_to="series")
        assert await in_april(me) == []


async def test_series_on_a_single_event_is_refused() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        with pytest.raises(InvalidInput) as refused:
            await me.delete(event["id"], apply_to="series")
        assert refused.value.details["field"] == "apply_to"


async def test_apply_to_on_what_is_gone_is_already_gone() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        await me.delete(event["id"], permanent=True)
        assert (await me.delete(event["id"], apply_to="this"))["already_gone"] is True


async def test_a_guests_delete_removes_only_the_own_copy_and_mails_nobody() -> None:
    same = sandbox()
    async with signed_in(same, "alice@company.com") as alice, signed_in(same) as me:
        await alice.create(**{**MEETING, "attendees_required": "dana@company.com"})
        await me.delete((await in_april(me))[0]["id"])
        assert await in_april(me) == []
        assert len(await in_april(alice)) == 1
        assert mails(me) == []

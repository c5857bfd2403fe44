"""Who is said to have been mailed, held against the mails that the sandbox really sent."""

import json
from typing import Any

import pytest

from scalekit_mcp.calendar.events.answers.told import invited
from scalekit_mcp.sandbox.world import GraphFault
from scalekit_mcp.tools import parse_arguments
from tests.microsoft.test_calendar_update import MEETING, STANDUP, at, occurrences, sandbox
from tests.support.microsoft import SignedIn, signed_in

EVERYBODY = ["alice@company.com", "bob@company.com", "carol@company.com", "room1@company.com"]
ALONE = {name: value for name, value in MEETING.items() if not name.startswith("attendees_")}
FROM_ALICE = {**ALONE, "attendees_required": "dana@company.com,bob@company.com"}


def mailed(me: SignedIn) -> list[str]:
    """Those who were mailed since the last look, in order."""
    people = sorted(mail.to for mail in me.sandbox.world.mails)
    me.sandbox.world.mails.clear()
    return people


async def test_create_tells_everybody_invited_rooms_too_and_not_the_organizer() -> None:
    async with signed_in(sandbox()) as me:
        created = await me.create(**{**MEETING, "attendees_optional": "carol@company.com,dana@company.com"})
        assert created["told"] == EVERYBODY
        assert set(created["told"]) <= set(mailed(me))


@pytest.mark.parametrize("marked", [{}, {"status": {"response": "organizer"}}])
def test_the_organizer_among_the_attendees_is_not_told(marked: dict[str, Any]) -> None:
    organizer = {"emailAddress": {"address": "Dana@company.com" if not marked else "other@company.com"}}
    host = {"emailAddress": {"address": "dana@company.com"}, **marked}
    guest = {"emailAddress": {"address": "bob@company.com"}}
    directory = {"emailAddress": {"address": "/o=Company/cn=carol"}}
    assert invited({"organizer": organizer, "attendees": [host, guest, directory, guest]}) == ["bob@company.com"]


async def test_an_appointment_tells_nobody() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**ALONE)
        assert "told" not in event
        assert "told" not in await me.update(event["id"], subject="Renamed")
        deleted = await me.delete(event["id"])
        assert "told" not in deleted
        assert "notes" not in deleted
        assert mailed(me) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"subject": "Renamed"}, EVERYBODY),
        (at("2026-04-01", "14:00:00", "15:00:00"), EVERYBODY),
        ({"location": "Room 2"}, EVERYBODY),
        ({"attendees_add": "dave@company.com"}, ["dave@company.com"]),
        ({"attendees_remove": "bob@company.com"}, ["bob@company.com"]),
        (
            {"attendees_add": "dave@company.com", "attendees_remove": "Carol@company.com"},
            ["dave@company.com", "carol@company.com"],
        ),
        ({"subject": "Renamed", "attendees_remove": "alice@company.com"}, [*EVERYBODY[1:], "alice@company.com"]),
        ({"categories": "Red category"}, None),
        ({"reminderMinutesBeforeStart": 5, "showAs": "free"}, None),
        ({"isReminderOn": False, "subject": "Renamed"}, EVERYBODY),
    ],
)
async def test_update_tells_those_whom_it_concerns(arguments: dict[str, Any], told: list[str] | None) -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        mailed(me)
        updated = await me.update(event["id"], **arguments)
        assert updated.get("told") == told
        assert mailed(me) == sorted(told or [])


async def test_an_update_that_changes_nothing_tells_nobody() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        mailed(me)
        assert "told" not in await me.update(event["id"], attendees_add="alice@company.com")
        assert mailed(me) == []


async def test_a_change_of_the_own_copy_of_somebody_elses_meeting_tells_nobody() -> None:
    same = sandbox()
    async with signed_in(same, "alice@company.com") as alice, signed_in(same) as me:
        await alice.create(**FROM_ALICE)
        mine = (await occurrences(me))[0]
        mailed(me)
        assert "told" not in await me.update(mine["id"], subject="Renamed")
        deleted = await me.delete(mine["id"])
        assert "told" not in deleted
        assert any("organizer was not told" in note for note in deleted["notes"])
        assert mailed(me) == []


@pytest.mark.parametrize("message", [None, "Moved to May."])
async def test_delete_by_the_organizer_tells_the_attendees(message: str | None) -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        mailed(me)
        deleted = await me.delete(event["id"], cancellation_message=message)
        assert deleted["told"] == EVERYBODY
        assert mailed(me) == sorted(EVERYBODY)
        assert "told" not in await me.delete(event["id"])


async def test_nobody_is_told_of_the_deletion_of_a_meeting_that_was_cancelled_before() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        cancelled = {**await me.graph("GET", f"/me/events/{event['id']}"), "isCancelled": True}
        fault = GraphFault(status=200, method="GET", body=json.dumps(cancelled))
        me.sandbox.world.switches.graph_faults.append(fault)
        assert "told" not in await me.delete(event["id"])


async def test_what_is_not_known_of_a_deletion_for_good_is_said() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        deleted = await me.delete(event["id"], permanent=True)
        assert "told" not in deleted
        assert "not known" in deleted["notes"][0]
        assert "alice@company.com" in deleted["notes"][0]


async def test_lost_answers_that_are_settled_by_reading_are_told_as_such() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        mailed(me)
        faults = me.sandbox.world.switches.graph_faults
        faults.append(GraphFault(method="PATCH", drop="after"))
        updated = await me.update(event["id"], subject="Renamed")
        assert updated["told"] == EVERYBODY == mailed(me)
        assert any("answer was lost" in note for note in updated["notes"])
        faults.append(GraphFault(method="DELETE", drop="after"))
        deleted = await me.delete(event["id"])
        assert deleted["told"] == EVERYBODY == mailed(me)
        assert any("answer was lost" in note for note in deleted["notes"])


async def test_where_the_event_cannot_be_read_before_its_deletion_that_is_said() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        fault = GraphFault(status=400, code="ErrorInvalidRequest", message="No.", method="GET")
        me.sandbox.world.switches.graph_faults.append(fault)
        deleted = await me.delete(event["id"])
        assert (deleted["deleted"], deleted["already_gone"]) == (True, False)
        assert {"event", "told"}.isdisjoint(deleted)
        assert "not known" in deleted["notes"][0]


async def test_a_create_with_a_key_of_the_callers_own_says_that_it_invites_once() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**MEETING, transaction_id="t1")
        mailed(me)
        again = await me.create(**MEETING, transaction_id="t1")
        assert mailed(me) == []
        assert any("not again" in note for note in again["notes"])
        assert "notes" not in await me.create(**ALONE, transaction_id="t2")


async def test_a_model_is_told_of_the_first_of_many_people() -> None:
    async with signed_in(sandbox()) as me:
        many = {**ALONE, "attendees_required": [f"p{n}@company.com" for n in range(30)]}
        assert len((await me.create(**many))["told"]) == 30
        shown = await me.calendar.run(parse_arguments("outlook_create_calendar_event", many).with_limit(60_000))
        assert shown["told"] == [f"p{n}@company.com" for n in range(20)]
        assert any("30 people were mailed" in note for note in shown["notes"])


async def test_delete_says_what_was_deleted() -> None:
    async with signed_in(sandbox(), timezone="America/Chicago") as me:
        event = await me.create(**MEETING)
        deleted = await me.delete(event["id"])
        assert deleted["event"] == {
            "subject": "Review",
            "start": {"dateTime": "2026-04-01T10:00:00.0000000", "timeZone": "America/Chicago"},
            "end": {"dateTime": "2026-04-01T11:00:00.0000000", "timeZone": "America/Chicago"},
            "type": "singleInstance",
        }
        assert [request.method for request in me.received()] == ["POST", "GET", "DELETE"]
        assert "event" not in await me.delete(event["id"])


async def test_delete_says_whether_a_date_or_the_series_was_deleted() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**{**STANDUP, "isAllDay": True, "start_datetime": "2026-04-06", "end_datetime": "2026-04-07"})
        second, third = (await occurrences(me))[1:3]
        one = (await me.delete(second["id"]))["event"]
        assert (one["type"], one["start"]["dateTime"]) == ("occurrence", "2026-04-13")
        whole = (await me.delete(third["id"], apply_to="series"))["event"]
        assert (whole["type"], whole["start"]["dateTime"]) == ("seriesMaster", "2026-04-06")
        assert "isAllDay" not in whole

"""Changing who is invited when somebody on the event has no mail address, or the entries come from an answer."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.world.mailbox import Attendee, Event
from tests.support.microsoft import SignedIn, signed_in

MEETING: dict[str, Any] = {
    "subject": "Review",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": "UTC",
    "attendees_required": "alice@company.com,bob@company.com",
    "attendees_optional": "carol@company.com",
    "attendees_resource": "room1@company.com",
}
DIRECTORY_ENTRY = Attendee("/O=EXCHANGELABS/OU=EXCHANGE/CN=RECIPIENTS/CN=BOARD", "The Board")
LIST = Attendee("", "Sales list")
NOBODY = Attendee("", "")


def sandbox() -> Sandbox:
    return Sandbox(week_of=date(2026, 3, 30))


def stored(me: SignedIn, event_id: str) -> Event:
    box = me.sandbox
    mailbox = box.world.mailboxes[box.people[me.address].oid]
    (event,) = mailbox.events.values()
    return event


async def meeting_with(me: SignedIn, *further: Attendee) -> str:
    event_id: str = (await me.create(**MEETING))["id"]
    event = stored(me, event_id)
    event.attendees += further
    event.touch(me.clock.now())
    return event_id


def invited(me: SignedIn, event_id: str) -> dict[str, str]:
    return {attendee.address or attendee.name: attendee.kind for attendee in stored(me, event_id).attendees}


BEFORE = {
    "alice@company.com": "required",
    "bob@company.com": "required",
    "carol@company.com": "optional",
    "room1@company.com": "resource",
}


@pytest.mark.parametrize("person", [DIRECTORY_ENTRY, LIST], ids=["directory", "list"])
@pytest.mark.parametrize(
    ("arguments", "gone", "added"),
    [
        ({"attendees_add": "eve@company.com"}, set[str](), {"eve@company.com": "required"}),
        ({"attendees_add_optional": "eve@company.com"}, set[str](), {"eve@company.com": "optional"}),
        ({"attendees_remove": "bob@company.com"}, {"bob@company.com"}, {}),
        ({"attendees_optional": "eve@company.com"}, {"carol@company.com"}, {"eve@company.com": "optional"}),
        ({"clear": "attendees_resource"}, {"room1@company.com"}, {}),
        (
            {"attendees_required": "eve@company.com"},
            {"alice@company.com", "bob@company.com"},
            {"eve@company.com": "required"},
        ),
    ],
    ids=["add", "add optional", "remove", "optional", "clear", "required"],
)
async def test_somebody_without_a_mail_address_stays_invited(
    person: Attendee, arguments: dict[str, str], gone: set[str], added: dict[str, str]
) -> None:
    async with signed_in(sandbox()) as me:
        event_id = await meeting_with(me, person)
        answer = await me.update(event_id, **arguments)
        left = {name: kind for name, kind in BEFORE.items() if name not in gone}
        assert invited(me, event_id) == left | {person.address or person.name: "required"} | added
        said = "has no e-mail address and stays invited as required" in str(answer.get("warnings"))
        assert said is ("attendees_required" in arguments)


async def test_clearing_their_kind_uninvites_people_without_a_mail_address_too() -> None:
    async with signed_in(sandbox()) as me:
        event_id = await meeting_with(me, DIRECTORY_ENTRY, LIST)
        await me.update(event_id, clear="attendees_required")
        assert invited(me, event_id) == {"carol@company.com": "optional", "room1@company.com": "resource"}


@pytest.mark.parametrize("person", [DIRECTORY_ENTRY, LIST, NOBODY], ids=["directory", "list", "nobody"])
async def test_where_microsoft_refuses_them_the_refusal_names_them_and_nothing_changes(person: Attendee) -> None:
    async with signed_in(box := sandbox()) as me:
        box.behaviour("people_without_address", "refuse")
        event_id = await meeting_with(me, person)
        before = invited(me, event_id)
        with pytest.raises(InvalidInput) as refused:
            await me.update(event_id, attendees_add="eve@company.com")
        assert f"'{person.name or 'somebody without a name'}'" in refused.value.message
        assert refused.value.details["field"] == "attendees_add"
        assert invited(me, event_id) == before


@pytest.mark.parametrize("parameter", ["attendees_required", "attendees_optional", "attendees_add"])
async def test_the_attendees_of_an_answer_can_be_given_back(parameter: str) -> None:
    async with signed_in(sandbox()) as me:
        event_id = await meeting_with(me, DIRECTORY_ENTRY, LIST)
        before = invited(me, event_id)
        shown = (await me.get(event_id))["attendees"]
        assert len(shown) == 6
        answer = await me.update(event_id, **{parameter: shown})
        assert invited(me, event_id) == before
        assert "warnings" not in answer or "Nothing was changed" in answer["warnings"][0]


async def test_an_optional_person_among_the_required_uninvites_no_optional_one() -> None:
    async with signed_in(sandbox()) as me:
        event_id = await meeting_with(me)
        eve = {"type": "optional", "emailAddress": {"address": "eve@company.com"}}
        await me.update(event_id, attendees_required=[eve, "alice@company.com"])
        assert invited(me, event_id) == {
            "alice@company.com": "required",
            "carol@company.com": "optional",
            "eve@company.com": "optional",
            "room1@company.com": "resource",
        }


async def test_a_stranger_without_a_mail_address_cannot_be_added() -> None:
    async with signed_in(sandbox()) as me:
        event_id = await meeting_with(me)
        with pytest.raises(InvalidInput, match="'The Board', who is not on the event"):
            await me.update(event_id, attendees_add=[{"name": "The Board", "address": DIRECTORY_ENTRY.address}])


async def test_a_list_shows_people_without_an_address_by_their_names() -> None:
    async with signed_in(sandbox()) as me:
        await meeting_with(me, LIST)
        (row,) = (await me.list())["value"]
        assert {"emailAddress": {"name": "Sales list"}} in row["attendees"]


async def test_somebody_whose_address_holds_an_invisible_character_can_be_removed_as_shown() -> None:
    async with signed_in(sandbox()) as me:
        event_id = await meeting_with(me, Attendee("eve\u200b@company.com", "Eve"))
        shown = (await me.get(event_id))["attendees"][-1]["emailAddress"]["address"]
        assert shown == "eve@company.com"
        await me.update(event_id, attendees_remove=shown)
        assert invited(me, event_id) == BEFORE

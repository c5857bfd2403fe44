"""A calendar may be called by its name wherever a tool takes one."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from scalekit_mcp.calendar.names import MAX_CALENDARS
from scalekit_mcp.errors import CalendarNotFound
from scalekit_mcp.sandbox import Sandbox
from tests.support.microsoft import SignedIn, signed_in

EVENT: dict[str, Any] = {
    "subject": "Review",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": "UTC",
}
WINDOW = {"start_datetime": "2026-04-01T00:00:00", "end_datetime": "2026-04-02T00:00:00", "timezone": "UTC"}


def sandbox() -> Sandbox:
    return Sandbox(week_of=date(2026, 3, 30))


async def subjects(me: SignedIn, **arguments: Any) -> list[str]:
    return [event["subject"] for event in (await me.list(**arguments))["value"]]


def look_ups(me: SignedIn) -> int:
    return sum(request.path.endswith("/me/calendars") for request in me.received("GET"))


@pytest.mark.parametrize(
    "spelling", ["Team calendar", "team CALENDAR", "  Team calendar ", "Team\u200b calendar"], ids=ascii
)
async def test_a_calendar_is_found_by_its_name_to_book_and_to_list(spelling: str) -> None:
    async with signed_in(box := sandbox()) as me:
        box.add_calendar(me.address, "Team calendar")
        await me.create(**EVENT, calendar_id=spelling)
        assert await subjects(me, calendar_id=spelling, **WINDOW) == ["Review"]
        assert await subjects(me, calendar_id=spelling) == ["Review"]
        assert await subjects(me, calendar_id="Calendar", **WINDOW) == []
        assert await subjects(me, **WINDOW) == []
        assert look_ups(me) == 4


async def test_a_calendar_that_a_colleague_shares_is_found_like_an_own_one() -> None:
    async with signed_in(box := sandbox()) as me:
        box.behaviour("shared_calendars_need_scope", False)  # this account's grant has no .Shared scope
        box.add_calendar(me.address, "Überblick 🗓\ufe0f", owner="alice@company.com")
        await me.create(**EVENT, calendar_id="überblick 🗓")
        assert await subjects(me, calendar_id="ÜBERBLICK 🗓\ufe0f", **WINDOW) == ["Review"]


async def test_an_unknown_name_is_refused_with_the_names_there_are_and_nothing_is_booked() -> None:
    async with signed_in(box := sandbox()) as me:
        box.add_calendar(me.address, "Team\u202e \u200bcalendar")
        for attempt in (me.create(**EVENT, calendar_id="Team"), me.list(calendar_id="Team", **WINDOW)):
            with pytest.raises(CalendarNotFound) as refused:
                await attempt
            assert "no calendar 'Team'" in refused.value.message
            assert "It has 'Calendar', 'Birthdays', 'Private', 'Team\ufffd calendar'." in refused.value.message
            assert refused.value.details["field"] == "calendar_id"
        assert me.received("POST") == []


async def test_a_name_that_two_calendars_have_is_refused_with_whose_they_are() -> None:
    async with signed_in(box := sandbox()) as me:
        box.behaviour("shared_calendars_need_scope", False)
        box.add_calendar(me.address, "Team")
        box.add_calendar(me.address, "team", owner="alice@company.com")
        with pytest.raises(CalendarNotFound) as refused:
            await me.create(**EVENT, calendar_id="Team")
        assert "2 calendars are called 'Team'" in refused.value.message
        assert "of 'alice@company.com' with the id " in refused.value.message
        given = refused.value.message.rpartition("with the id ")[2].rstrip(".")
        await me.create(**EVENT, calendar_id=given)
        assert await subjects(me, calendar_id=given, **WINDOW) == ["Review"]


async def test_an_id_needs_no_look_up_and_a_wrong_one_is_refused_with_the_names() -> None:
    async with signed_in(sandbox()) as me:
        private = next(c["id"] for c in (await me.graph("GET", "/me/calendars"))["value"] if c["name"] == "Private")
        before = look_ups(me)
        await me.create(**EVENT, calendar_id=private)
        assert look_ups(me) == before
        for wrong in (private[:-4], private[:-1] + "A", "A" * 120):
            with pytest.raises(CalendarNotFound, match="It has 'Calendar', 'Birthdays', 'Private'"):
                await me.list(calendar_id=wrong, **WINDOW)


async def test_a_name_that_looks_like_an_id_is_found_all_the_same() -> None:
    async with signed_in(box := sandbox()) as me:
        name = "x" * 60
        box.add_calendar(me.address, name)
        await me.create(**EVENT, calendar_id=name)
        assert await subjects(me, calendar_id=name, **WINDOW) == ["Review"]


async def test_further_pages_stay_with_the_calendar_of_the_first_whatever_it_is_called_then() -> None:
    async with signed_in(box := sandbox()) as me:
        box.add_calendar(me.address, "Team calendar")
        for hour in ("10", "11", "12"):
            await me.create(
                **{**EVENT, "start_datetime": f"2026-04-01T{hour}:00:00", "end_datetime": f"2026-04-01T{hour}:30:00"},
                calendar_id="Team calendar",
            )
        first = await me.list(calendar_id="Team calendar", top=2, **WINDOW)
        before = look_ups(me)
        mailbox = box.world.mailboxes[box.people[me.address].oid]
        for calendar in mailbox.calendars.values():
            calendar.name = f"Old {calendar.name}"
        rest = await me.list(page=first["next_page"])
        assert (first["count"], rest["count"]) == (2, 1)
        assert look_ups(me) == before
        assert (await me.list(page=first["next_page"], calendar_id="Team calendar"))["count"] == 1


async def test_a_look_through_hundreds_of_calendars_ends_and_its_refusal_is_short() -> None:
    async with signed_in(box := sandbox()) as me:
        for number in range(MAX_CALENDARS + 50):
            box.add_calendar(me.address, f"Calendar {number}")
        await me.create(**EVENT, calendar_id="Calendar 250")
        with pytest.raises(CalendarNotFound) as refused:
            await me.create(**EVENT, calendar_id="Nowhere")
        assert len(refused.value.message) < 2000
        assert look_ups(me) == 6

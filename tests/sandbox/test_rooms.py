"""Rooms answer their invitations by themselves, later and by mail."""

from __future__ import annotations

from typing import Any

import pytest
from scheduling_client import (
    ALICE,
    BOB,
    DANA,
    LISBON,
    OSLO,
    answers_of,
    at,
    book,
    client_of,
    fixed_sandbox,
    invited,
    path,
    schedules,
    shown,
)

LATER = {"start": at("2029-03-05T10:30:00"), "end": at("2029-03-05T11:30:00")}
NEXT = {"start": at("2029-03-05T11:00:00"), "end": at("2029-03-05T12:00:00")}
WEEKLY: dict[str, Any] = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"]},
    "range": {"type": "numbered", "startDate": "2029-02-26", "numberOfOccurrences": 4},
}
SERIES: dict[str, Any] = {
    "recurrence": WEEKLY,
    "start": at("2029-02-26T10:00:00"),
    "end": at("2029-02-26T11:00:00"),
}


def room(address: str = LISBON) -> list[dict[str, Any]]:
    return invited(address, kind="resource")


async def test_a_free_room_accepts_after_the_answer_of_create_and_a_taken_one_declines() -> None:
    sandbox = fixed_sandbox()
    async with client_of(sandbox) as dana, client_of(sandbox, BOB) as bob:
        first = await book(dana, attendees=room())
        assert first["attendees"][0]["status"]["response"] == "none"
        assert await answers_of(dana, first) == {LISBON: "accepted"}
        second = await book(bob, attendees=room(), **LATER)
        assert await answers_of(bob, second) == {LISBON: "declined"}
        third = await book(bob, attendees=[*room(), *room(OSLO)], **NEXT)
        assert await answers_of(bob, third) == {LISBON: "accepted", OSLO: "accepted"}
        (lisbon,) = await schedules(bob, LISBON)
    assert shown(lisbon) == [
        ("busy", "2029-03-05T10:00", "2029-03-05T11:00"),
        ("busy", "2029-03-05T11:00", "2029-03-05T12:00"),
    ]
    mails = [(mail.kind, mail.sender, mail.to) for mail in sandbox.world.mails]
    assert mails[:4] == [
        ("invitation", DANA, LISBON),
        ("response", LISBON, DANA),
        ("invitation", BOB, LISBON),
        ("response", LISBON, BOB),
    ]
    assert "conflicts" in sandbox.world.mails[3].comment


async def test_a_room_answers_only_after_the_time_that_it_takes() -> None:
    sandbox = fixed_sandbox()
    sandbox.behaviour("room_answer_seconds", 60)
    async with client_of(sandbox) as dana:
        made = await book(dana, attendees=room())
        assert await answers_of(dana, made) == {LISBON: "none"}
        second = await book(dana, attendees=room())
        withdrawn = await book(dana, attendees=room(OSLO))
        await dana.delete(path(withdrawn))
        sandbox.advance_clock(60)
        assert await answers_of(dana, made) == {LISBON: "accepted"}
        assert await answers_of(dana, second) == {LISBON: "declined"}
    assert [mail.sender for mail in sandbox.world.mails if mail.kind == "response"] == [LISBON, LISBON]


async def test_a_room_keeps_no_declined_events_whatever_people_do() -> None:
    sandbox = fixed_sandbox()
    sandbox.behaviour("declined", "kept")
    sandbox.scheduling.add_room(OSLO, answers="decline")
    async with client_of(sandbox) as dana:
        made = await book(dana, attendees=room(OSLO))
        assert await answers_of(dana, made) == {OSLO: "declined"}
        (oslo,) = await schedules(dana, OSLO)
    assert oslo["scheduleItems"] == []


async def test_a_blocked_room_declines_and_a_freed_one_accepts() -> None:
    sandbox = fixed_sandbox()
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        made = await book(dana, attendees=room())
        await dana.delete(path(made))
        again = await book(alice, attendees=room())
        assert await answers_of(alice, again) == {LISBON: "accepted"}
        await alice.patch(path(again), json={"attendees": []})
        await alice.patch(path(again), json={"attendees": room(OSLO)})
        (lisbon, _) = await schedules(dana, LISBON, OSLO)
        assert await answers_of(alice, again) == {OSLO: "accepted"}
    assert [status for status, _, _ in shown(lisbon)] in ([], ["free"], ["free", "free"])


@pytest.mark.parametrize(("answers", "response"), [("accept", "accepted"), ("decline", "declined"), ("never", "none")])
async def test_a_room_can_have_a_policy_of_its_own(answers: Any, response: str) -> None:
    sandbox = fixed_sandbox()
    sandbox.scheduling.add_room("hall@company.com", "Hall", answers=answers)
    from datetime import datetime

    block = datetime(2029, 3, 5, 10), datetime(2029, 3, 5, 11)  # noqa: DTZ001 - in UTC, the zone of the room
    sandbox.scheduling.add_busy("hall@company.com", *block)
    async with client_of(sandbox) as dana:
        made = await book(dana, attendees=room("hall@company.com"))
        assert await answers_of(dana, made) == {"hall@company.com": response}
        assert made["attendees"][0]["emailAddress"]["name"] == "Hall"


async def test_a_moved_meeting_asks_the_room_again_and_a_renamed_one_does_not() -> None:
    sandbox = fixed_sandbox()
    async with client_of(sandbox) as dana, client_of(sandbox, BOB) as bob:
        await book(bob, attendees=room(), **NEXT)
        made = await book(dana, attendees=room())
        assert await answers_of(dana, made) == {LISBON: "accepted"}
        await dana.patch(path(made), json={"subject": "Renamed"})
        assert await answers_of(dana, made) == {LISBON: "accepted"}
        assert sum(mail.sender == LISBON for mail in sandbox.world.mails) == 2
        await dana.patch(path(made), json=LATER)
        assert await answers_of(dana, made) == {LISBON: "declined"}
        await dana.patch(path(made), json={"start": at("2029-03-05T14:00:00"), "end": at("2029-03-05T15:00:00")})
        assert await answers_of(dana, made) == {LISBON: "accepted"}


async def test_a_series_is_declined_for_one_date_that_is_taken_and_a_moved_date_is_asked_for_alone() -> None:
    sandbox = fixed_sandbox()
    window = {"startDateTime": "2029-02-26T00:00:00Z", "endDateTime": "2029-04-01T00:00:00Z"}
    async with client_of(sandbox) as dana, client_of(sandbox, BOB) as bob:
        blocker = await book(bob, attendees=room(), **LATER)
        made = await book(dana, attendees=room(), **SERIES)
        assert await answers_of(dana, made) == {LISBON: "declined"}
        await bob.delete(path(blocker))
        await dana.patch(path(made), json={"attendees": []})
        await dana.patch(path(made), json={"attendees": room()})
        assert await answers_of(dana, made) == {LISBON: "accepted"}
        rows = (await dana.get(path(made, "/instances"), params=window)).json()["value"]
        await book(bob, attendees=room(), **NEXT)
        second = next(row for row in rows if row["start"]["dateTime"].startswith("2029-03-05"))
        await dana.patch(path(second), json=LATER)
        assert await answers_of(dana, second) == {LISBON: "declined"}
        others = [row for row in rows if row["id"] != second["id"]]
        assert [await answers_of(dana, row) for row in others] == [{LISBON: "accepted"}] * 3


async def test_a_new_series_is_declined_while_the_old_one_still_holds_the_room() -> None:
    sandbox = fixed_sandbox()
    rest = {**WEEKLY, "range": {"type": "numbered", "startDate": "2029-03-12", "numberOfOccurrences": 2}}
    times = {"start": at("2029-03-12T10:00:00"), "end": at("2029-03-12T11:00:00")}
    ends = {**WEEKLY, "range": {"type": "endDate", "startDate": "2029-02-26", "endDate": "2029-03-11"}}
    async with client_of(sandbox) as dana:
        old = await book(dana, attendees=room(), **SERIES)
        early = await book(dana, attendees=room(), recurrence=rest, **times)
        assert await answers_of(dana, early) == {LISBON: "declined"}
        await dana.patch(path(old), json={"recurrence": ends})
        assert await answers_of(dana, old) == {LISBON: "accepted"}
        late = await book(dana, attendees=room(), recurrence=rest, **times)
        assert await answers_of(dana, late) == {LISBON: "accepted"}


async def test_a_room_answers_also_when_no_response_was_requested_but_only_to_itself() -> None:
    sandbox = fixed_sandbox()
    async with client_of(sandbox) as dana:
        made = await book(dana, attendees=room(), responseRequested=False)
        assert await answers_of(dana, made) == {LISBON: "none"}
        (lisbon,) = await schedules(dana, LISBON)
    assert [status for status, _, _ in shown(lisbon)] == ["busy"]


async def test_rooms_cannot_sign_in_and_are_no_people_of_the_sign_in_page() -> None:
    sandbox = fixed_sandbox()
    async with sandbox.browser() as browser:
        await browser.open("http://localhost/")
        assert LISBON in browser.text
    assert LISBON not in sandbox.people
    assert LISBON in {entry["account"]["address"] for entry in sandbox.state()["rooms"]}

"""An answer to a model has a bound, and what did not fit is reached by `next_page`, everything exactly once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from typing import Any

import pytest

from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.world.mailbox import Moment
from scalekit_mcp.tools.answer_size import MAX_ANSWER_CHARACTERS, fitted, shortened, to_json
from scalekit_mcp.tools.calendar.arguments import ListCalendarEvents
from tests.support.microsoft import SignedIn, signed_in

WINDOW = {"start_datetime": "2026-04-01T00:00:00", "end_datetime": "2026-04-20T00:00:00", "timezone": "UTC"}


def size(answer: dict[str, Any]) -> int:
    return len(json.dumps(answer, ensure_ascii=False, separators=(",", ":")))


async def fill(me: SignedIn, count: int, **further: Any) -> set[str]:
    """This many events, one every half hour; their subjects."""
    await me.create(
        subject="Event",
        start_datetime="2026-04-01T00:00:00",
        start_timezone="UTC",
        end_datetime="2026-04-01T00:20:00",
        end_timezone="UTC",
        **further,
    )
    mailbox = me.sandbox.world.mailboxes[me.account.oid]
    (pattern,) = mailbox.events.values()
    mailbox.events.clear()
    for number in range(count):
        start = (
            datetime.combine(date(2026, 4, 1), time())
            + number // 40 * timedelta(days=1)
            + number % 40 * timedelta(minutes=30)
        )
        mailbox.add(
            replace(
                pattern,
                key=sha256(str(number).encode()).hexdigest()[:32],
                subject=f"Event {number:04}",
                start=Moment.of(start, "UTC"),
                end=Moment.of(start + timedelta(minutes=20), "UTC"),
                attendees=[],
                exceptions={},
                occurrences={},
                rendered={},
            )
        )
    return {f"Event {number:04}" for number in range(count)}


async def walked(me: SignedIn, **arguments: Any) -> list[dict[str, Any]]:
    """All answers of a list, one page after the other, as a model gets them."""
    answers: list[dict[str, Any]] = []
    given: dict[str, Any] = arguments
    while True:
        answer = await me.calendar.list(ListCalendarEvents.parse(given).with_limit(MAX_ANSWER_CHARACTERS))
        assert size(answer) <= MAX_ANSWER_CHARACTERS
        assert answer["count"] == len(answer["value"]) > 0
        answers.append(answer)
        if "next_page" not in answer:
            return answers
        given = {"page": answer["next_page"]}


@pytest.mark.parametrize(
    "arguments",
    [
        {"top": 1000},
        {"top": 1000, **WINDOW},
        {"top": 300, "select": "subject,start,end,attendees,webLink"},
        {"top": 300, "select": "subject,attendees,webLink,organizer", **WINDOW},
        {"top": 1000, "orderby": "subject desc", **WINDOW},
        {"top": 1000, "orderby": "start/dateTime desc"},
        {"top": 1000, "filter": "startswith(subject,'Event')"},
    ],
    ids=["events", "window", "select", "select in window", "order in window", "order", "filter"],
)
async def test_a_long_list_comes_in_answers_that_fit_and_everything_comes_once(arguments: dict[str, Any]) -> None:
    async with signed_in(Sandbox(week_of=date(2026, 3, 30))) as me:
        wanted = await fill(me, 400, location="A room with a rather long name on the third floor, east wing")
        answers = await walked(me, **arguments)
        seen = [row["subject"] for answer in answers for row in answer["value"]]
        assert len(seen) == len(set(seen))
        assert set(seen) == wanted
        assert len(answers) > 1
        assert "events fit into this answer" in answers[0]["notes"][-1] or answers[0]["count"] == 250


@pytest.mark.parametrize("window", [{}, WINDOW], ids=["events", "window"])
async def test_events_with_bodies_come_as_few_as_fit(window: dict[str, str]) -> None:
    async with signed_in(Sandbox(week_of=date(2026, 3, 30))) as me:
        wanted = await fill(me, 20, body_content='Agenda. "quoted"\n' * 1000)
        answers = await walked(me, select="subject,body", **window)
        seen = [row["subject"] for answer in answers for row in answer["value"]]
        assert sorted(seen) == sorted(wanted)
        assert all(answer["count"] < 20 for answer in answers)


async def test_one_event_that_is_too_long_alone_is_shortened_with_a_warning_and_the_list_goes_on() -> None:
    async with signed_in(Sandbox(week_of=date(2026, 3, 30))) as me:
        wanted = await fill(me, 3)
        me.sandbox.behaviour("most_attendees", 2000)
        people = [
            {
                "type": "required",
                "emailAddress": {"address": f"p{n}@company.example", "name": "A name of some length" * 4},
            }
            for n in range(700)
        ]
        events = (await me.graph("GET", "/me/events"))["value"]
        await me.graph("PATCH", f"/me/events/{events[1]['id']}", {"attendees": people})
        answers = await walked(me, select="subject,attendees,body")
        seen = [row["subject"] for answer in answers for row in answer["value"]]
        assert sorted(seen) == sorted(wanted)
        (shortened_answer,) = [answer for answer in answers if "warnings" in answer]
        assert "attendees (first " in shortened_answer["warnings"][0]
        assert " of 700)" in shortened_answer["warnings"][0]


async def test_code_gets_a_list_as_long_as_it_asked_for() -> None:
    async with signed_in(Sandbox(week_of=date(2026, 3, 30))) as me:
        await fill(me, 300)
        assert (await me.list(top=1000, select="subject,attendees,webLink,iCalUId"))["count"] == 300


def test_an_answer_that_fits_stays_as_it_is() -> None:
    answer = {"id": "A", "attendees": [1, 2], "warnings": ["x"]}
    assert fitted(answer) == (answer, to_json(answer))


def test_an_answer_that_is_too_long_says_what_was_cut() -> None:
    answer = {
        "id": "A",
        "subject": "Review",
        "body": {"contentType": "text", "content": '"\\' * 40_000},
        "attendees": [{"emailAddress": {"address": f"{n}@company.example"}} for n in range(3000)],
        "warnings": ["Something else."],
    }
    short = fitted(answer)[0]
    assert size(short) <= MAX_ANSWER_CHARACTERS
    assert (short["id"], short["subject"]) == ("A", "Review")
    assert short["warnings"][0] == "Something else."
    assert "attendees (first " in short["warnings"][1]
    assert "body (content (first " in short["warnings"][1]
    assert short["attendees"] == answer["attendees"][: len(short["attendees"])]


@pytest.mark.parametrize(
    "answer",
    [
        {"a": "x" * 200_000},
        {"warnings": [f"{n} was not invited." for n in range(9000)]},
        {f"name{n}": "x" * 90 for n in range(2000)},
        {"a": {"b": {"c": ["y" * 50_000] * 5}}},
        {"a": [[list(range(60_000))]]},
        {"a": "\x00" * 60_000},
    ],
    ids=["text", "warnings", "members", "deep", "numbers", "escaped"],
)
def test_whatever_an_answer_holds_it_fits_then(answer: dict[str, Any]) -> None:
    assert size(fitted(answer)[0]) <= MAX_ANSWER_CHARACTERS
    assert size(shortened(answer, 5000)[0]) <= 5000

"""outlook_search_people: the people of the user's own meetings, over the sandbox's Graph."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from scalekit_mcp.calendar.scheduling import people_search
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.sandbox import Sandbox
from tests.support.microsoft import SignedIn, signed_in

SEARCH = "outlook_search_people"


async def met(me: SignedIn, *people: dict[str, Any], days: int = 1, **members: Any) -> None:
    """A meeting of the user with these people, so many days from now."""
    day = me.clock.now() + timedelta(days=days)
    moment = {"dateTime": day.strftime("%Y-%m-%dT10:00:00"), "timeZone": "UTC"}
    later = {**moment, "dateTime": day.strftime("%Y-%m-%dT11:00:00")}
    await me.graph(
        "POST", "/me/events", {"subject": "x", "start": moment, "end": later, "attendees": list(people), **members}
    )


def person(address: str, name: str, kind: str = "required") -> dict[str, Any]:
    return {"emailAddress": {"address": address, "name": name}, "type": kind}


def views(me: SignedIn) -> int:
    return sum("calendarView" in request.path for request in me.received("GET"))


async def test_a_person_of_the_users_meetings_is_found_by_part_of_the_name() -> None:
    async with signed_in(Sandbox()) as me:
        await met(me, person("alice@company.com", "Alice Mill"), person("ali@other.example", "Ali"))
        await met(me, person("alice@company.com", "Alice Mill"), days=-170)
        answer = await me.schedule(SEARCH, query="ali")
        assert answer["value"] == [
            {
                "name": "Alice Mill",
                "address": "alice@company.com",
                "meetings": 2,
                "kind": "person",
                "source": "calendar",
            },
            {"name": "Ali", "address": "ali@other.example", "meetings": 1, "kind": "person", "source": "calendar"},
        ]
        assert (await me.schedule(SEARCH, query="mill"))["value"][0]["address"] == "alice@company.com"


@pytest.mark.parametrize("days", [-190, 70])
async def test_meetings_outside_the_period_are_not_looked_at(days: int) -> None:
    async with signed_in(Sandbox()) as me:
        await met(me, person("alice@company.com", "Alice"), days=days)
        assert (await me.schedule(SEARCH, query="alice"))["value"] == []


async def test_nobody_found_is_an_empty_answer_that_says_what_was_searched_and_what_would_add_more() -> None:
    async with signed_in(Sandbox()) as me:
        found = await me.scheduling.run(people_search.SearchPeople.parse({"query": "zoe"}))
        assert found.result["value"] == []
        assert "People.Read" in found.result["notes"][0]
        assert found.further_scopes == ("People.Read",)


async def test_a_personal_account_has_no_directory_to_ask_for() -> None:
    async with signed_in(Sandbox(), "pat@outlook.example") as me:
        found = await me.scheduling.run(people_search.SearchPeople.parse({"query": "zoe"}))
        assert found.further_scopes == ()
        assert "notes" not in found.result


async def test_meetings_are_read_once_in_three_minutes() -> None:
    async with signed_in(Sandbox()) as me:
        await met(me, person("alice@company.com", "Alice"))
        for query in ("alice", "bob"):
            await me.schedule(SEARCH, query=query)
        assert views(me) == 1
        await met(me, person("bob@company.com", "Bob"))
        me.clock.advance(people_search.KEPT_FOR.total_seconds())
        assert (await me.schedule(SEARCH, query="bob"))["value"][0]["address"] == "bob@company.com"
        assert views(me) == 2


@pytest.mark.parametrize("query", ["...", "@", "''", "\u200b-"])
async def test_a_query_without_a_letter_is_refused_before_anything_is_read(query: str) -> None:
    async with signed_in(Sandbox()) as me:
        with pytest.raises(InvalidInput, match="query"):
            await me.schedule(SEARCH, query=query)
        assert views(me) == 0


async def test_at_most_as_many_are_given_as_wanted_and_the_rest_is_counted() -> None:
    async with signed_in(Sandbox()) as me:
        await met(me, *(person(f"ann{n}@company.com", f"Ann {n}") for n in range(12)))
        answer = await me.schedule(SEARCH, query="ann", max_results=5)
        assert len(answer["value"]) == 5
        assert any(note.startswith("7 more fit") for note in answer["notes"])


async def test_names_of_strangers_come_out_without_hidden_and_reordering_characters() -> None:
    async with signed_in(Sandbox()) as me:
        await met(me, person("mallory@evil.example", "Mal\u202elory\u200b"))
        [row] = (await me.schedule(SEARCH, query="mallory"))["value"]
        assert row["name"] == "Mal\ufffdlory"

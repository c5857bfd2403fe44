"""Who stands in a user's meetings, and whom a query names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.calendar.scheduling.known_people import folded_words, is_addressed, is_named, people_of

DANA = "dana@company.com"


def person(address: str | None, name: str | None = None, kind: str = "required") -> dict[str, Any]:
    mail = {key: value for key, value in (("address", address), ("name", name)) if value is not None}
    return {"emailAddress": mail, "type": kind}


def meeting(*attendees: dict[str, Any], organizer: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    own = organizer is None
    return {
        "id": "e",
        "attendees": list(attendees),
        "organizer": organizer or person(DANA, "Dana"),
        "isOrganizer": own,
        **members,
    }


def found(*events: dict[str, Any]) -> list[tuple[str, str, int, str]]:
    return [(p.name, p.address, p.meetings, p.kind) for p in people_of(events, [DANA])]


def test_people_are_counted_once_a_meeting_those_of_most_meetings_first() -> None:
    alice, bob = person("alice@company.com", "Alice Mill"), person("Bob@company.com", "Bob")
    assert found(meeting(bob), meeting(alice, bob, alice), meeting(bob)) == [
        ("Bob", "Bob@company.com", 3, "person"),
        ("Alice Mill", "alice@company.com", 1, "person"),
    ]


def test_organizers_count_like_guests() -> None:
    assert found(meeting(person(DANA), organizer=person("eve@other.example", "Eve"))) == [
        ("Eve", "eve@other.example", 1, "person")
    ]


@pytest.mark.parametrize("own", ["dana@company.com", "DANA@Company.com"])
def test_the_user_is_never_found(own: str) -> None:
    assert found(meeting(person(own, "Dana"))) == []


def test_an_alias_under_which_the_user_organizes_is_the_user() -> None:
    alias = person("d.ross@company.com", "Dana")
    row = meeting(person("alice@company.com"), organizer=alias, isOrganizer=True)
    assert [address for _, address, _, _ in found(row, meeting(alias, organizer=person("eve@x.example")))] == [
        "alice@company.com",
        "eve@x.example",
    ]


def test_cancelled_meetings_count_for_nobody() -> None:
    assert found(meeting(person("alice@company.com"), isCancelled=True)) == []


@pytest.mark.parametrize("address", [None, "", "/o=ExchangeLabs/ou=x/cn=Recipients/cn=alice", "alice"])
def test_an_address_that_mail_cannot_be_sent_to_is_never_shown(address: str | None) -> None:
    assert found(meeting(person(address, "Alice"))) == []


def test_the_name_is_the_one_that_most_meetings_have_and_never_the_address_if_there_is_another() -> None:
    rows = [meeting(person("a@x.com", name)) for name in ("a@x.com", "A@X.COM", "a@x.com", "Mill, Alice", "", None)]
    assert found(*rows) == [("Mill, Alice", "a@x.com", 6, "person")]
    assert found(meeting(person("a@x.com", "a@x.com"))) == [("a@x.com", "a@x.com", 1, "person")]


def test_resources_are_rooms() -> None:
    room = person("room1@company.com", "Room 1", "resource")
    assert found(meeting(room)) == [("Room 1", "room1@company.com", 1, "room")]


def test_dates_that_leave_out_their_people_have_those_of_their_series() -> None:
    dates = [meeting(seriesMasterId="s") for _ in range(3)] + [meeting(person("a@x.com"), seriesMasterId="s")]
    assert found(*dates) == [("a@x.com", "a@x.com", 4, "person")]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("alice", "Alice Mill"),
        ("mill alice", "Alice Mill"),
        ("Alice Mill", "Mill, Alice"),
        ("ali mi", "Alice van der Mill"),
        ("zaneta los", "Żaneta Müller-Łoś"),
        ("ŻANETA muller", "zaneta müller"),
        ("weiss", "Hans Weiß"),
        ("weiß", "Hans WEISS"),
        ("soren", "Søren Ærø"),
        ("aero", "Søren Ærø"),
        ("o'brien", "Pat O'Brien"),
        ("brien", "Pat O'Brien"),
        ("李", "李 小龙"),
        ("ivan", "Ivan\u200b Petrov"),
    ],
)
def test_a_person_is_found_by_the_beginnings_of_the_parts_of_the_name(query: str, name: str) -> None:
    assert is_named(folded_words(query), name, "x@company.com")


@pytest.mark.parametrize(
    ("query", "name", "address"),
    [
        ("lice", "Alice Mill", "x@company.com"),
        ("alice bob", "Alice Mill", "x@company.com"),
        ("company", "Alice Mill", "alice@company.com"),
        ("com", "Alice Mill", "alice@company.com"),
    ],
)
def test_the_middle_of_a_word_or_the_domain_names_nobody(query: str, name: str, address: str) -> None:
    assert not is_named(folded_words(query), name, address)


def test_the_part_of_the_address_before_the_at_is_searched_too() -> None:
    assert is_named(folded_words("amill"), "Alice", "amill@company.com")
    assert is_named(folded_words("alice mill"), "", "alice.mill@company.com")
    assert is_addressed("Alice.Mill@comp", "alice.mill@company.com")
    assert not is_addressed("alice", "alice@company.com")


@given(st.text(max_size=40))
def test_everybody_is_found_by_each_word_of_their_own_name(name: str) -> None:
    for word in folded_words(name):
        assert is_named(folded_words(word), name, "x@company.com")

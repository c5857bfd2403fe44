"""Attendees and places as models write them: what is understood, and what is refused with the fix."""

from __future__ import annotations

from typing import Any

import pytest

from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools import CreateCalendarEvent

MEETING = {
    "subject": "Review",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": "UTC",
}


def parsed(**arguments: Any) -> CreateCalendarEvent:
    return CreateCalendarEvent.parse({**MEETING, **arguments})


@pytest.mark.parametrize(
    "written",
    [
        "ana@x.com, , Ben <ben@x.com>,",
        ["ana@x.com", None, "", "Ben <ben@x.com>"],
        [{"address": "ana@x.com"}, {"email": "ben@x.com", "name": "Ben"}],
        [{"emailAddress": {"address": "ana@x.com"}}, {"emailAddress": "ben@x.com", "name": "Ben"}],
        '["mailto:ana@x.com", "\\"Ben\\" <ben@x.com>"]',
    ],
    ids=["text", "array", "objects", "graph", "json"],
)
def test_attendees_are_understood_in_every_form_that_models_write(written: Any) -> None:
    people = parsed(attendees_required=written).attendees_required
    assert people is not None
    assert [(person.address, person.name) for person in people] == [("ana@x.com", None), ("ben@x.com", "Ben")]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Ben", "'Ben', which is not an e-mail address; ask the user for one"),
        ("Ben, ana@x.com", "'Ben', which is not an e-mail address; ask the user for one"),
        ("ana@localhost", "which is not an e-mail address"),
        ([5], "each attendee is an e-mail address as text"),
        ([f"{'n' * 600} <ana@x.com>"], "too long for a name and an address"),
        ([f"{'n' * 300} <ana@x.com>"], "a name that is too long or has control characters"),
        (["A\x07na <ana@x.com>"], "control characters"),
        ([{"address": "ana@x.com", "phone": "1"}], "an attendee has address and name"),
        ([{"name": "Ana"}], "an object without an address"),
    ],
)
def test_an_attendee_that_cannot_be_mailed_is_refused_by_what_is_wrong(written: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parsed(attendees_required=written)
    assert refused.value.details["field"] == "attendees_required"
    assert said in refused.value.message
    assert len(refused.value.message) < 400


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Room 1", "must be the JSON text of an array"),
        ([{"displayName": "A", "locationType": "castle"}], "it must be one of"),
        ([{"displayName": "A", "display": "B"}], "did you mean displayName?"),
        ([{"displayName": "A", "address": "Street 1"}], "must be an object with street"),
        ([{"displayName": "A", "coordinates": [1, 2]}], "must be an object with latitude and longitude"),
        ([{"displayName": "A", "coordinates": {"latitude": 91, "longitude": 0}}], "between -90 and 90"),
        ([{"displayName": "A", "coordinates": {"latitude": "north", "longitude": 0}}], "between -90 and 90"),
        ([{"displayName": "A", "coordinates": {"latitude": 1}}], "needs both latitude and longitude"),
        ([{"displayName": "A\nB"}], "one line of text"),
        ([{"displayName": f"Room {n}"} for n in range(200)], "places; at most"),
    ],
)
def test_a_place_that_microsoft_would_not_take_is_refused_with_its_member(written: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parsed(locations=written)
    assert refused.value.details["field"] == "locations"
    assert said in refused.value.message


def test_places_may_be_names_alone_or_one_object() -> None:
    assert parsed(locations=["Room 1", {"displayname": "Room 2", "locationtype": "CONFERENCEROOM"}]).locations == (
        {"displayName": "Room 1"},
        {"displayName": "Room 2", "locationType": "conferenceRoom"},
    )
    assert parsed(locations='{"displayName": "Hall"}').locations == ({"displayName": "Hall"},)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("attendees", "did you mean attendees_required or attendees_optional or attendees_resource?"),
        ("subjct", "did you mean subject?"),
        ("zzz", "is not a parameter of this tool"),
    ],
)
def test_an_unknown_parameter_is_refused_with_those_that_may_be_meant(name: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parsed(**{name: "x"})
    assert refused.value.details["field"] == name
    assert said in refused.value.message


def test_what_is_missing_is_told_apart_from_what_is_wrong() -> None:
    with pytest.raises(InvalidInput) as refused:
        CreateCalendarEvent.parse({"start_datetime": "tomorrow", "start_timezone": "UTC", "showAs": "away"})
    message = refused.value.message
    assert message.startswith("`subject` is missing: Title.")
    assert "Also wrong: start_datetime, showAs." in message
    assert "Also missing: end_datetime, end_timezone." in message

"""Attendees and places as models write them: what is understood, and what is refused with the fix."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools import CreateCalendarEvent, UpdateCalendarEvent

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
        ([{"address": "ana@x.com", "phone": "1"}], "an attendee has address, name and type"),
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


def addresses(people: Any) -> list[str]:
    return [person.address for person in people or ()]


CAROL = {"type": "optional", "emailAddress": {"address": "carol@x.com", "name": "Carol"}}
ROOM = {"type": "resource", "emailAddress": {"address": "room@x.com"}, "status": {"response": "accepted"}}
ANA = {"type": "required", "emailAddress": {"address": "ana@x.com"}, "status": {"response": "none", "time": "x"}}


@pytest.mark.parametrize("parameter", ["attendees_required", "attendees_optional", "attendees_resource"])
@pytest.mark.parametrize("as_text", [False, True])
def test_the_type_of_an_attendee_is_honoured_whatever_list_it_stands_in(parameter: str, as_text: bool) -> None:
    given: Any = [ANA, CAROL, ROOM]
    args = parsed(**{parameter: json.dumps(given) if as_text else given})
    assert addresses(args.attendees_required) == ["ana@x.com"]
    assert addresses(args.attendees_optional) == ["carol@x.com"]
    assert addresses(args.attendees_resource) == ["room@x.com"]


def test_one_object_is_a_list_of_one() -> None:
    assert addresses(parsed(attendees_required=CAROL).attendees_optional) == ["carol@x.com"]
    assert addresses(parsed(attendees_required=json.dumps(ANA)).attendees_required) == ["ana@x.com"]


def test_an_update_adds_people_of_another_kind_and_replaces_nobody_of_it() -> None:
    args = UpdateCalendarEvent.parse({"event_id": "A", "attendees_required": [CAROL]})
    assert args.attendees_required is None
    assert args.attendees_optional is None
    assert [(person.address, person.kind) for person in args.attendees_add or ()] == [("carol@x.com", "optional")]
    again = UpdateCalendarEvent.parse(args.to_wire())
    assert again.attendees_add == args.attendees_add


@pytest.mark.parametrize("kind", ["chair", 5, "req"])
def test_an_unknown_type_of_attendee_is_refused(kind: Any) -> None:
    with pytest.raises(InvalidInput, match="it must be one of: required, optional, resource"):
        parsed(attendees_required=[{**CAROL, "type": kind}])


@pytest.mark.parametrize(
    "pasted",
    [
        "MAILTO:ana@x.com",
        "mailto:ana@x.com?subject=Hi",
        "<ana@x.com>",
        "<mailto:ana@x.com>",
        "ana@x.com;",
        "ana@x.com.",
        "'ana@x.com'",
        "(ana@x.com)",
        "ana@x.com>",
        "\u200bana@x.com",
        "ana@\u200bx.com\ufeff",
        "\xa0ana@x.com\xa0",
        "ana\u2060@x.com\u00ad",
        '"ana"@x.com',
    ],
    ids=ascii,
)
@pytest.mark.parametrize("as_list", [False, True])
def test_what_comes_along_when_an_address_is_pasted_is_cleaned_away(pasted: str, as_list: bool) -> None:
    assert addresses(parsed(attendees_required=[pasted] if as_list else pasted).attendees_required) == ["ana@x.com"]
    removed = UpdateCalendarEvent.parse({"event_id": "A", "attendees_remove": [pasted] if as_list else pasted})
    assert removed.attendees_remove == ("ana@x.com",)


@pytest.mark.parametrize(
    "address",
    [
        "käthe@bücher.example",
        "ana+team@x.com",
        "o'neil@x.com",
        '"ana doe"@x.com',
        "用户@例子.公司",
        "a_b-c.d@sub.x.co.uk",
    ],
)
def test_an_address_of_an_unusual_form_is_taken_as_it_is(address: str) -> None:
    assert addresses(parsed(attendees_required=[address]).attendees_required) == [address]
    assert addresses(parsed(attendees_required=f"Ben <ben@x.com>; {address}").attendees_required) == [
        "ben@x.com",
        address,
    ]


@pytest.mark.parametrize("name", ["علی\u200cپور", "क्\u200dषमा", "Ana 👩\u200d💻", "José", "O'Neil, Ann"], ids=ascii)
def test_a_name_in_any_script_is_taken(name: str) -> None:
    for written in ([f'"{name}" <ana@x.com>'], [{"address": "ana@x.com", "name": name}]):
        people = parsed(attendees_required=written).attendees_required
        assert [(person.address, person.name) for person in people or ()] == [("ana@x.com", name)]


def test_what_nobody_sees_in_a_name_is_taken_out() -> None:
    people = parsed(attendees_required=[{"address": "ana@x.com", "name": "A\u200bna\U000e0041"}]).attendees_required
    assert [person.name for person in people or ()] == ["Ana"]


def test_somebody_without_a_mail_address_cannot_be_invited_to_a_new_event() -> None:
    for person in ({"name": "Team", "address": "/O=EX/CN=TEAM"}, {"name": "Team", "status": {"response": "none"}}):
        with pytest.raises(InvalidInput, match="Team"):
            parsed(attendees_required=["ana@x.com", person])


@pytest.mark.parametrize(
    "written",
    [
        '{"displayName": "Room 4"}',
        {"displayName": "Room 4"},
        [{"displayName": "Room 4"}],
        '["Room 4"]',
        {"displayName": "Room 4", "locationType": "default", "uniqueId": "Room 4", "uniqueIdType": "private"},
        {"displayName": "Room 4", "address": {}, "coordinates": {}, "locationUri": ""},
        " Room 4 ",
    ],
    ids=repr,
)
def test_a_place_in_graphs_form_is_called_by_its_name(written: Any) -> None:
    assert parsed(location=written).location == "Room 4"


@pytest.mark.parametrize("name", ["{Room 4}", "[4]", "[Room] 4", '{"half":'])
def test_a_name_that_only_looks_like_json_is_a_name(name: str) -> None:
    assert parsed(location=name).location == name


def test_a_place_with_more_than_a_name_is_sent_to_the_parameter_that_takes_it() -> None:
    with pytest.raises(InvalidInput, match="give it in locations"):
        parsed(location={"displayName": "Room 4", "address": {"city": "Bern"}})


def test_the_places_of_an_event_can_be_given_back() -> None:
    place = {"displayName": "Room 4", "locationType": "default", "uniqueId": "Room 4", "uniqueIdType": "private"}
    assert parsed(locations=[place]).locations == ({"displayName": "Room 4", "locationType": "default"},)


@pytest.mark.parametrize("body", [{"contentType": "html", "content": "<p>Hi"}, '{"contentType":"text","content":"Hi"}'])
def test_a_body_in_graphs_form_is_refused_with_the_parameters_that_take_it(body: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        parsed(body_content=body)
    assert refused.value.details["field"] == "body_content"


@pytest.mark.parametrize("parameter", ["attendees_required", "categories", "locations"])
@pytest.mark.parametrize("begin", ["", "["])
def test_a_list_that_is_too_long_to_be_one_is_refused(parameter: str, begin: str) -> None:
    with pytest.raises(InvalidInput, match="at most 200000 are allowed"):
        parsed(**{parameter: begin + "a" * 200_001})

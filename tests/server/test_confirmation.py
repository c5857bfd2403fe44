"""With `confirm_mail` a person says yes to whatever mails people or deletes; the model alone cannot."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from mcp import Client
from server_support import WHEN, MemoryActions, Person

from scalekit_mcp.server.mcp import confirmation
from scalekit_mcp.server.mcp.app import ServerOptions, create_server
from tests.support.bounds import HANG_SECONDS

ERAS = ["legacy", "auto"]
CREATE, UPDATE, DELETE = confirmation.CREATE, confirmation.UPDATE, confirmation.DELETE
GET = "outlook_get_calendar_event"
INVITING = {**WHEN, "attendees_required": "bob@company.com, carol@company.com"}
MEETING = {
    "id": "e1",
    "subject": "Planning",
    "start": {"dateTime": "2026-04-01T10:00:00"},
    "isOrganizer": True,
    "attendees": [{"emailAddress": {"address": "bob@company.com"}}],
}
ALONE = {**MEETING, "attendees": []}


async def call(
    era: str, tool: str, arguments: dict[str, Any], *, person: Person | None, event: dict[str, Any] | None = None
) -> tuple[Any, list[str]]:
    """The result and the names of the tools that ran and change something."""
    actions = MemoryActions(event=event)
    actions.activate("ana")
    server = create_server(actions, identify=lambda _: "ana", options=ServerOptions(confirm_mail=True))
    with anyio.fail_after(HANG_SECONDS):
        async with Client(server, mode=era, elicitation_callback=person) as client:
            result = await client.call_tool(tool, arguments)
    return result, [name for _, name, _ in actions.calls if name in (CREATE, UPDATE, DELETE)]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("tool", "arguments", "event", "question"),
    [
        (
            CREATE,
            INVITING,
            None,
            "Book 'Standup' on 2026-04-01T10:00:00 and mail invitations to bob@company.com, carol@company.com?",
        ),
        (
            UPDATE,
            {"event_id": "e1", "subject": "New"},
            MEETING,
            "Change 'Planning' (subject) and mail bob@company.com?",
        ),
        (
            UPDATE,
            {"event_id": "e1", "attendees_add": "dave@company.com"},
            ALONE,
            "Change 'Planning' (attendees_add) and mail dave@company.com?",
        ),
        (
            DELETE,
            {"event_id": "e1"},
            MEETING,
            "Delete 'Planning' of 2026-04-01T10:00:00 and mail a cancellation to bob@company.com?",
        ),
        (DELETE, {"event_id": "e1"}, ALONE, "Delete 'Planning' of 2026-04-01T10:00:00?"),
    ],
)
async def test_a_person_is_asked_once_and_the_call_goes_through(
    era: str, tool: str, arguments: dict[str, Any], event: dict[str, Any] | None, question: str
) -> None:
    person = Person(yes=True)
    result, ran = await call(era, tool, arguments, person=person, event=event)
    assert not result.is_error
    assert person.forms == [question]
    assert ran == [tool]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("yes", [None, False])
async def test_without_a_yes_nothing_is_changed(era: str, yes: bool | None) -> None:
    result, ran = await call(era, DELETE, {"event_id": "e1"}, person=Person(yes=yes), event=MEETING)
    assert result.is_error
    assert "did not confirm" in result.structured_content["error"]["message"]
    assert not ran


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("form_action", ["decline", "cancel"])
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [(CREATE, INVITING), (UPDATE, {"event_id": "e1", "subject": "New"}), (DELETE, {"event_id": "e1"})],
)
async def test_a_form_that_was_refused_confirms_nothing_whatever_it_holds(
    era: str, form_action: str, tool: str, arguments: dict[str, Any]
) -> None:
    person = Person(yes=True, form_action=form_action)
    result, ran = await call(era, tool, arguments, person=person, event=MEETING)
    assert len(person.forms) == 1
    assert "did not confirm" in result.structured_content["error"]["message"]
    assert not ran


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_cannot_ask_is_refused(era: str) -> None:
    result, ran = await call(era, CREATE, INVITING, person=None)
    error = result.structured_content["error"]
    assert (error["code"], error["who_acts"]) == ("permission_missing", "user")
    assert not ran


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("tool", "arguments", "event"),
    [(CREATE, WHEN, None), (UPDATE, {"event_id": "e1", "subject": "New"}, ALONE), (DELETE, {"event_id": "e1"}, None)],
)
async def test_what_mails_nobody_and_deletes_nothing_is_not_asked_about(
    era: str, tool: str, arguments: dict[str, Any], event: dict[str, Any] | None
) -> None:
    person = Person()
    result, ran = await call(era, tool, arguments, person=person, event=event)
    assert not result.is_error
    assert not person.forms
    assert ran == [tool]


@pytest.mark.parametrize("era", ERAS)
async def test_the_account_is_settled_before_the_question(era: str) -> None:
    actions = MemoryActions(event=MEETING)

    async def sign_in(url: str) -> None:
        actions.succeed("ana")

    person = Person(on_url=sign_in, yes=True)
    server = create_server(actions, identify=lambda _: "ana", options=ServerOptions(confirm_mail=True))
    with anyio.fail_after(HANG_SECONDS):
        async with Client(server, mode=era, elicitation_callback=person) as client:
            result = await client.call_tool(CREATE, INVITING)
    assert not result.is_error
    assert len(person.urls) == len(person.forms) == 1


async def test_an_answer_without_the_state_of_a_question_confirms_nothing() -> None:
    """A modern client that sends the answer of its own accord is asked all the same."""
    actions = MemoryActions(event=MEETING)
    actions.activate("ana")
    server = create_server(actions, identify=lambda _: "ana", options=ServerOptions(confirm_mail=True))
    with anyio.fail_after(HANG_SECONDS):
        async with Client(server, mode="auto", elicitation_callback=Person(yes=True)) as client:
            forged = {"outlook_confirm_call": {"action": "accept", "content": {"confirm": True}}}
            result = await client.session.call_tool(
                DELETE, {"event_id": "e1"}, input_responses=forged, allow_input_required=True
            )
    assert result.result_type == "input_required"
    assert [name for _, name, _ in actions.calls] == [GET]


def test_strangers_text_in_a_question_stays_on_one_line_and_short() -> None:
    event = {**MEETING, "subject": "a\n\u202eb" + "x" * 500, "attendees": [], "start": None}
    question = confirmation.delete_question(event)
    assert "\n" not in question
    assert "\u202e" not in question
    assert len(question) < 200


def test_a_long_list_of_people_is_counted() -> None:
    people = ",".join(f"p{number}@company.com" for number in range(30))
    assert "and 20 more" in confirmation.create_question({"subject": "s", "attendees_required": people})

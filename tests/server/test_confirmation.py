"""With `confirm_mail` a person says yes to whatever mails people or deletes; the model alone cannot."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.types import ElicitResult, InputResponses
from server_support import Action, Person

from scalekit_mcp.server.mcp import confirmation
from scalekit_mcp.server.mcp.app import ServerOptions, create_server
from tests.support.bounds import HANG_SECONDS
from tests.support.watched_actions import MEETING, WatchedActions

ERAS = ["legacy", "auto"]
CREATE, UPDATE, DELETE = confirmation.CREATE, confirmation.UPDATE, confirmation.DELETE
GET = "outlook_get_calendar_event"
ALONE = {"subject": "Standup", **MEETING}
INVITING = {**ALONE, "attendees_required": "bob@company.com, carol@company.com"}
WITH_BOB: dict[str, Any] = {"subject": "Planning", "attendees_required": "bob@company.com"}
WITH_NOBODY: dict[str, Any] = {"subject": "Planning"}


async def call(
    actions: WatchedActions,
    era: str,
    tool: str,
    arguments: dict[str, Any],
    *,
    person: Person | None,
    event: dict[str, Any] | None = None,
) -> tuple[Any, list[str]]:
    """The result, and the names of the tools that ran and change something.

    A change or deletion is that of `event`, which was booked before, or of one that is gone.
    """
    await actions.connect()
    if tool != CREATE:
        arguments = {"event_id": await actions.book(**(event or WITH_NOBODY)), **arguments}
    if event is None:
        await actions.book(alone=True, **WITH_NOBODY)
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
            "Book 'Standup' on 2026-04-06T10:00:00 and mail invitations to bob@company.com, carol@company.com?",
        ),
        (
            UPDATE,
            {"subject": "New"},
            WITH_BOB,
            "Change 'Planning' (subject) and mail bob@company.com?",
        ),
        (
            UPDATE,
            {"attendees_add": "dave@company.com"},
            WITH_NOBODY,
            "Change 'Planning' (attendees_add) and mail dave@company.com?",
        ),
        (
            DELETE,
            {},
            WITH_BOB,
            "Delete 'Planning' of 2026-04-06T10:00:00 and mail a cancellation to bob@company.com?",
        ),
        (DELETE, {}, WITH_NOBODY, "Delete 'Planning' of 2026-04-06T10:00:00?"),
    ],
)
async def test_a_person_is_asked_once_and_the_call_goes_through(
    era: str, tool: str, arguments: dict[str, Any], event: dict[str, Any] | None, question: str, actions: WatchedActions
) -> None:
    person = Person(yes=True)
    result, ran = await call(actions, era, tool, arguments, person=person, event=event)
    assert not result.is_error
    assert person.forms == [question]
    assert ran == [tool]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("yes", [None, False])
async def test_without_a_yes_nothing_is_changed(era: str, yes: bool | None, actions: WatchedActions) -> None:
    result, ran = await call(actions, era, DELETE, {}, person=Person(yes=yes), event=WITH_BOB)
    assert result.is_error
    assert "did not confirm" in result.structured_content["error"]["message"]
    assert not ran


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("form_action", ["decline", "cancel"])
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [(CREATE, INVITING), (UPDATE, {"subject": "New"}), (DELETE, {})],
)
async def test_a_form_that_was_refused_confirms_nothing_whatever_it_holds(
    era: str, form_action: Action, tool: str, arguments: dict[str, Any], actions: WatchedActions
) -> None:
    person = Person(yes=True, form_action=form_action)
    result, ran = await call(actions, era, tool, arguments, person=person, event=WITH_BOB)
    assert len(person.forms) == 1
    assert "did not confirm" in result.structured_content["error"]["message"]
    assert not ran


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_cannot_ask_is_refused(era: str, actions: WatchedActions) -> None:
    result, ran = await call(actions, era, CREATE, INVITING, person=None)
    error = result.structured_content["error"]
    assert (error["code"], error["who_acts"]) == ("permission_missing", "user")
    assert not ran


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("tool", "arguments", "event"),
    [(CREATE, ALONE, None), (UPDATE, {"subject": "New"}, WITH_NOBODY), (DELETE, {}, None)],
)
async def test_what_mails_nobody_and_deletes_nothing_is_not_asked_about(
    era: str, tool: str, arguments: dict[str, Any], event: dict[str, Any] | None, actions: WatchedActions
) -> None:
    person = Person()
    result, ran = await call(actions, era, tool, arguments, person=person, event=event)
    assert not result.is_error
    assert not person.forms
    assert ran == [tool]


@pytest.mark.parametrize("era", ERAS)
async def test_the_account_is_settled_before_the_question(era: str, actions: WatchedActions) -> None:
    async def sign_in(url: str) -> None:
        await actions.sign_in(url)

    person = Person(on_url=sign_in, yes=True)
    server = create_server(actions, identify=lambda _: "ana", options=ServerOptions(confirm_mail=True))
    with anyio.fail_after(HANG_SECONDS):
        async with Client(server, mode=era, elicitation_callback=person) as client:
            result = await client.call_tool(CREATE, INVITING)
    assert not result.is_error
    assert len(person.urls) == len(person.forms) == 1


async def test_an_answer_without_the_state_of_a_question_confirms_nothing(actions: WatchedActions) -> None:
    """A modern client that sends the answer of its own accord is asked all the same."""
    await actions.connect()
    event_id = await actions.book(**WITH_BOB)
    server = create_server(actions, identify=lambda _: "ana", options=ServerOptions(confirm_mail=True))
    with anyio.fail_after(HANG_SECONDS):
        async with Client(server, mode="auto", elicitation_callback=Person(yes=True)) as client:
            forged: InputResponses = {"outlook_confirm_call": ElicitResult(action="accept", content={"confirm": True})}
            result = await client.session.call_tool(
                DELETE, {"event_id": event_id}, input_responses=forged, allow_input_required=True
            )
    assert result.result_type == "input_required"
    assert [name for _, name, _ in actions.calls] == [GET]


def test_strangers_text_in_a_question_stays_on_one_line_and_short() -> None:
    event = {"id": "e1", "isOrganizer": True, "subject": "a\n\u202eb" + "x" * 500, "attendees": [], "start": None}
    question = confirmation.delete_question(event)
    assert "\n" not in question
    assert "\u202e" not in question
    assert len(question) < 200


def test_a_long_list_of_people_is_counted() -> None:
    people = ",".join(f"p{number}@company.com" for number in range(30))
    assert "and 20 more" in confirmation.create_question({"subject": "s", "attendees_required": people})

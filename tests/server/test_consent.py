"""The consent matrix: what each kind of client is asked, and that the very call finishes."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest
from mcp import Client
from mcp.types import (
    ClientCapabilities,
    ElicitationCapability,
    ElicitCompleteNotification,
    FormElicitationCapability,
    InputRequiredResult,
)
from server_support import Action, Person

from scalekit_mcp.accounts.model.records import ExpectedPerson
from scalekit_mcp.clock import rfc3339
from scalekit_mcp.server.callers.caller import Caller
from scalekit_mcp.server.mcp.app import ServerOptions, create_server
from scalekit_mcp.server.mcp.call_state import CallState, Step
from scalekit_mcp.server.mcp.consent import ConsentTimes
from tests.support.bounds import HANG_SECONDS
from tests.support.watched_actions import WatchedActions

ERAS = ["legacy", "auto"]
LIST = "outlook_list_calendar_events"
SHORT = ConsentTimes(legacy_seconds=0.0, round_seconds=0.0, rounds=2)


def server_over(actions: WatchedActions, *, times: ConsentTimes | None = None, caller: Caller | str = "ana"):
    options = ServerOptions(consent_times=times or ConsentTimes())
    return create_server(actions, identify=lambda _: caller, options=options)


def error_of(result: Any) -> dict[str, Any]:
    assert result.is_error
    return result.structured_content["error"]


def signs_in(actions: WatchedActions) -> Person:
    async def sign_in(url: str) -> None:
        await actions.sign_in(url)

    return Person(on_url=sign_in)


class FormOnly(Client):
    """A client that declares form elicitation and nothing else."""

    async def _build_session(self, exit_stack: Any) -> Any:
        session = await super()._build_session(exit_stack)
        capabilities = ClientCapabilities(elicitation=ElicitationCapability(form=FormElicitationCapability()))
        session._build_capabilities = lambda version: capabilities
        return session


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_waits_for_the_consent_and_returns_the_calendars_answer(era: str, actions: WatchedActions) -> None:
    person = signs_in(actions)
    async with Client(server_over(actions), mode=era, elicitation_callback=person) as client:
        with anyio.fail_after(HANG_SECONDS):
            result = await client.call_tool(LIST, {})
    assert not result.is_error
    assert result.structured_content is not None
    assert result.structured_content["value"]
    assert len(person.urls) == 1
    assert len(actions.calls) == 1


@pytest.mark.parametrize("era", ERAS)
async def test_a_consent_that_ends_later_than_the_answer_still_finishes_the_call(
    era: str, actions: WatchedActions
) -> None:
    person, results = Person(), list[Any]()
    async with (
        Client(server_over(actions), mode=era, elicitation_callback=person) as client,
        anyio.create_task_group() as tasks,
    ):

        async def call() -> None:
            results.append(await client.call_tool(LIST, {}))

        with anyio.fail_after(HANG_SECONDS):
            tasks.start_soon(call)
            while not person.urls:
                await anyio.lowlevel.checkpoint()
            await actions.sign_in(person.urls[0])
    assert not results[0].is_error


@pytest.mark.parametrize(("era", "expected"), [("legacy", 1), ("auto", 0)])
async def test_an_older_client_is_told_when_the_sign_in_is_complete(
    era: str, expected: int, actions: WatchedActions
) -> None:
    told: list[Any] = []

    async def hear(message: Any) -> None:
        told.append(message)

    person = signs_in(actions)
    client = Client(server_over(actions), mode=era, elicitation_callback=person, message_handler=hear)
    with anyio.fail_after(HANG_SECONDS):
        async with client:
            await client.call_tool(LIST, {})
            while sum(isinstance(message, ElicitCompleteNotification) for message in told) < expected:
                await anyio.lowlevel.checkpoint()
    assert sum(isinstance(message, ElicitCompleteNotification) for message in told) == expected


@pytest.mark.parametrize("era", ERAS)
async def test_a_reconnect_that_fails_says_so_and_keeps_the_old_connection(era: str, actions: WatchedActions) -> None:
    await actions.connect()

    async def decline(url: str) -> None:
        await actions.turned_away(url)

    async with Client(server_over(actions), mode=era, elicitation_callback=Person(on_url=decline)) as client:
        with anyio.fail_after(HANG_SECONDS):
            result = (await client.call_tool("authorize", {"reconnect": True})).structured_content
    assert result["status"] == "ACTIVE"
    assert "The consent was declined." in result["next_step"]


@pytest.mark.parametrize("era", ERAS)
async def test_authorize_asks_by_url_too_and_answers_active(era: str, actions: WatchedActions) -> None:
    person = signs_in(actions)
    async with Client(server_over(actions), mode=era, elicitation_callback=person) as client:
        with anyio.fail_after(HANG_SECONDS):
            result = await client.call_tool("authorize", {})
    assert not result.is_error
    assert result.structured_content["status"] == "ACTIVE"
    assert result.structured_content["who_acts"] == "nobody"
    assert "authorization_url" not in result.structured_content


@pytest.mark.parametrize("era", ERAS)
async def test_a_reconnect_begins_once_and_ends_active(era: str, actions: WatchedActions) -> None:
    await actions.connect()
    person = signs_in(actions)
    async with Client(server_over(actions), mode=era, elicitation_callback=person) as client:
        with anyio.fail_after(HANG_SECONDS):
            result = await client.call_tool("authorize", {"reconnect": True})
    assert result.structured_content["status"] == "ACTIVE"
    assert len(person.urls) == len(actions.vouched) == 1


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_person_who_does_not_want_to_sign_in_is_taken_at_their_word(
    era: str, action: Action, actions: WatchedActions
) -> None:
    async with Client(server_over(actions), mode=era, elicitation_callback=Person(action=action)) as client:
        with anyio.fail_after(HANG_SECONDS):
            error = error_of(await client.call_tool(LIST, {}))
    words = "declined to open" if action == "decline" else "closed the request"
    assert words in error["message"]
    assert not actions.calls


@pytest.mark.parametrize("era", ERAS)
async def test_a_sign_in_that_takes_too_long_ends_the_call_with_the_link(era: str, actions: WatchedActions) -> None:
    person = Person()
    async with Client(server_over(actions, times=SHORT), mode=era, elicitation_callback=person) as client:
        with anyio.fail_after(HANG_SECONDS):
            error = error_of(await client.call_tool(LIST, {}))
    assert "not finished" in error["message"]
    assert error["authorization_url"] == (await actions.get_authorization_link(identifier="ana")).link


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("number", "told", "reason", "code"),
    [
        (65004, "The consent was declined.", "consent_declined", "authorization_required"),
        (
            90094,
            "The organization demands that an administrator approves the application.",
            "admin_approval_required",
            "admin_approval_required",
        ),
        (
            50105,
            "The organization has not assigned the user to the application.",
            "awaiting_consent",
            "authorization_required",
        ),
    ],
)
async def test_a_consent_that_fails_ends_the_call_with_its_own_words(
    era: str, number: int, told: str, reason: str, code: str, actions: WatchedActions
) -> None:

    async def fail(url: str) -> None:
        await actions.turned_away(url, code=number)

    async with Client(server_over(actions), mode=era, elicitation_callback=Person(on_url=fail)) as client:
        with anyio.fail_after(HANG_SECONDS):
            error = error_of(await client.call_tool(LIST, {}))
    assert (error["code"], error["message"], error["reason"]) == (code, f"{told} (AADSTS{number})", reason)
    if code == "admin_approval_required":
        assert "/adminconsent?" in error["admin_consent_url"]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("again", ["signs in", "cancels again"])
async def test_a_call_after_a_cancelled_sign_in_waits_for_the_person_again(
    era: str, again: str, actions: WatchedActions
) -> None:
    """The link can be used again; the failure that the account still shows answers the first question alone."""
    await actions.turned_away((await actions.get_authorization_link(identifier="ana")).link)
    person, results = Person(), list[Any]()
    async with (
        Client(server_over(actions), mode=era, elicitation_callback=person) as client,
        anyio.create_task_group() as tasks,
    ):

        async def call() -> None:
            results.append(await client.call_tool(LIST, {}))

        with anyio.fail_after(HANG_SECONDS):
            tasks.start_soon(call)
            while not person.urls:
                await anyio.lowlevel.checkpoint()
            await (actions.sign_in(person.urls[0]) if again == "signs in" else actions.turned_away(person.urls[0]))
    if again == "signs in":
        assert not results[0].is_error
    else:
        assert error_of(results[0])["reason"] == "consent_declined"


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_cannot_ask_gets_the_link_in_words(era: str, actions: WatchedActions) -> None:
    async with Client(server_over(actions), mode=era) as client:
        with anyio.fail_after(HANG_SECONDS):
            error = error_of(await client.call_tool(LIST, {}))
            answer = await client.call_tool("authorize", {})
    link = await actions.get_authorization_link(identifier="ana")
    assert error["authorization_url"] == link.link
    assert not answer.is_error
    content = answer.structured_content
    assert content["authorization_url"] == error["authorization_url"]
    assert (content["status"], content["reason"]) == ("PENDING", "awaiting_consent")
    ends = rfc3339(link.expires_at, timespec="seconds")
    assert content["attempt"] == {"state": "link_given", "expires_at": ends}
    assert content["expires_at"] == ends
    assert "/adminconsent?" in content["admin_consent_url"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_shows_forms_only_gets_the_link_in_words(era: str, actions: WatchedActions) -> None:
    person = Person()
    async with FormOnly(server_over(actions), mode=era, elicitation_callback=person) as client:
        with anyio.fail_after(HANG_SECONDS):
            error = error_of(await client.call_tool(LIST, {}))
    assert error["authorization_url"]
    assert not person.urls


@pytest.mark.parametrize("era", ERAS)
async def test_the_confirmation_code_is_asked_for_in_the_client_and_finishes_the_call(
    era: str, actions_with_codes: WatchedActions
) -> None:

    async def sign_in(url: str) -> None:
        person.code = (await actions_with_codes.sign_in(url)).confirmation_code

    person = Person(on_url=sign_in)
    async with Client(server_over(actions_with_codes), mode=era, elicitation_callback=person) as client:
        with anyio.fail_after(HANG_SECONDS):
            result = await client.call_tool(LIST, {})
    assert not result.is_error
    assert len(person.urls) == len(person.forms) == 1


@pytest.mark.parametrize("era", ERAS)
async def test_a_wrong_confirmation_code_is_refused(era: str, actions_with_codes: WatchedActions) -> None:
    await actions_with_codes.held()
    person = Person(code="ZZZZ9999")
    async with FormOnly(server_over(actions_with_codes), mode=era, elicitation_callback=person) as client:
        with anyio.fail_after(HANG_SECONDS):
            error = error_of(await client.call_tool(LIST, {}))
    assert (error["code"], error["field"]) == ("invalid_input", "confirmation_code")
    assert len(person.forms) == 1


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("form_action", ["decline", "cancel"])
async def test_a_refused_form_connects_nobody_even_with_the_right_code_in_it(
    era: str, form_action: Action, actions_with_codes: WatchedActions
) -> None:
    code = await actions_with_codes.held()
    person = Person(code=code, form_action=form_action)
    async with FormOnly(server_over(actions_with_codes), mode=era, elicitation_callback=person) as client:
        with anyio.fail_after(HANG_SECONDS):
            error = error_of(await client.call_tool(LIST, {}))
    assert (error["code"], len(person.forms)) == ("authorization_required", 1)
    assert not actions_with_codes.calls


@pytest.mark.parametrize("era", ERAS)
async def test_held_tokens_ask_for_the_code_and_give_no_new_link(era: str, actions_with_codes: WatchedActions) -> None:
    await actions_with_codes.held()
    async with Client(server_over(actions_with_codes), mode=era) as client:
        with anyio.fail_after(HANG_SECONDS):
            error = error_of(await client.call_tool(LIST, {}))
            answer = (await client.call_tool("authorize", {})).structured_content
    assert error["reason"] == answer["reason"] == "awaiting_confirmation"
    assert "authorization_url" not in error
    assert "authorization_url" not in answer
    assert "confirmation_code" in answer["next_step"]
    assert answer["attempt"]["state"] == "held"


@pytest.mark.parametrize("era", ERAS)
async def test_the_code_typed_into_the_chat_connects_the_account(era: str, actions_with_codes: WatchedActions) -> None:
    code = await actions_with_codes.held()
    async with Client(server_over(actions_with_codes), mode=era) as client:
        with anyio.fail_after(HANG_SECONDS):
            result = await client.call_tool("authorize", {"confirmation_code": code})
    assert result.structured_content["status"] == "ACTIVE"


@pytest.mark.parametrize("era", ERAS)
async def test_the_address_that_the_token_vouches_for_goes_with_the_link(era: str, actions: WatchedActions) -> None:
    caller = Caller("ana", expected=ExpectedPerson("ana@contoso.example"))
    async with Client(server_over(actions, caller=caller), mode=era) as client:
        with anyio.fail_after(HANG_SECONDS):
            await client.call_tool(LIST, {})
            await client.call_tool("authorize", {})
    assert set(actions.vouched) == {ExpectedPerson("ana@contoso.example")}


@pytest.mark.parametrize("era", ERAS)
async def test_the_microsoft_account_that_the_token_names_goes_with_the_link(era: str, actions: WatchedActions) -> None:
    caller = Caller("ana", expected=ExpectedPerson(account=("tid-1", "oid-1")))
    async with Client(server_over(actions, caller=caller), mode=era) as client:
        with anyio.fail_after(HANG_SECONDS):
            await client.call_tool(LIST, {})
            await client.call_tool("authorize", {})
    assert set(actions.vouched) == {ExpectedPerson(account=("tid-1", "oid-1"))}


async def test_a_modern_client_never_waits_more_rounds_than_it_may(actions: WatchedActions) -> None:
    times = ConsentTimes(round_seconds=0.0, rounds=8)
    async with Client(server_over(actions, times=times), mode="auto", elicitation_callback=Person()) as client:
        with anyio.fail_after(HANG_SECONDS):
            error = error_of(await client.call_tool(LIST, {}))
    assert "not finished" in error["message"]


@pytest.mark.parametrize(
    "text", ["", "null", "[]", '{"step": "elsewhere"}', '{"round": 1}', '{"step": "url", "round": "x"}']
)
def test_a_call_state_that_is_not_ours_counts_as_none(text: str) -> None:
    assert CallState.load(text) is None


def test_a_call_state_comes_back_as_it_was() -> None:
    state = CallState(Step.WAIT, 3, "https://login.example/admin", "http://localhost:8754/connect/t", True)
    assert CallState.load(state.dump()) == state


async def test_a_round_without_the_answer_is_asked_again(actions: WatchedActions) -> None:
    async with Client(server_over(actions), mode="auto", elicitation_callback=Person()) as client:
        with anyio.fail_after(HANG_SECONDS):
            first = await client.session.call_tool(LIST, {}, allow_input_required=True)
            assert isinstance(first, InputRequiredResult)
            second = await client.session.call_tool(
                LIST, {}, request_state=first.request_state, allow_input_required=True
            )
    assert isinstance(second, InputRequiredResult)
    assert second.input_requests == first.input_requests


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_that_is_being_shut_down_lets_nobody_wait(era: str, actions: WatchedActions) -> None:
    longer = 10 * HANG_SECONDS  # than this test: who waited for a round would hang
    times = ConsentTimes(legacy_seconds=longer, round_seconds=longer, rounds=2)
    options = ServerOptions(stopping=lambda: True, consent_times=times)
    server = create_server(actions, identify=lambda _: "ana", options=options)
    async with Client(server, mode=era, elicitation_callback=Person()) as client:
        with anyio.fail_after(HANG_SECONDS):
            error = error_of(await client.call_tool(LIST, {}))
    assert "not finished" in error["message"]

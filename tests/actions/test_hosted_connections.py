"""Further connections in hosted mode: accounts, consent, calls and revocation of each, told apart."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from actions_support import ALICE, DANA, IDENTIFIER, PAGES, HostedBench, embedded_bench, fast_bench

from scalekit_mcp.demo.browser import Page
from scalekit_mcp.errors import (
    AuthorizationRequired,
    Conflict,
    InvalidInput,
    OutcomeUnknown,
    PermissionMissing,
    ProviderUnavailable,
    ScalekitMCPError,
    Throttled,
)
from scalekit_mcp.sandbox.scalekit.records import Fault
from tests.support.confirmation_codes import code_on

CONNECTIONS = ("gmail", "slack")
MAIL: dict[str, Any] = {"message": {"to": [{"email": ALICE}], "subject": "Hello", "body": "See you."}}
FOREIGN = re.compile(r"microsoft|outlook|calendar|event\b", re.IGNORECASE)


def told(error: ScalekitMCPError) -> str:
    """What a person or a model reads of an error, without the identifier, which is the operator's own text."""
    return f"{error.message} {error.next_step}".replace(IDENTIFIER, "")


async def agree(bench: HostedBench, link: str, button: str = "Allow") -> Page:
    """Open a further connection's link as a person would, and press a button of the service's page."""
    async with bench.browser() as browser:
        page = await browser.press(await browser.open(link), "Continue")
        return await browser.press(page, button)


async def connect(bench: HostedBench, name: str, identifier: str = IDENTIFIER) -> None:
    link = await bench.actions.get_authorization_link(connection_name=name, identifier=identifier)
    await agree(bench, link.link)
    assert await status(bench, name, identifier) == "ACTIVE"


async def status(bench: HostedBench, name: str, identifier: str = IDENTIFIER) -> str:
    found = await bench.actions.get_connected_account(connection_name=name, identifier=identifier)
    return found.connected_account.status


async def run(bench: HostedBench, name: str | None, tool: str, /, **arguments: Any) -> dict[str, Any]:
    return await bench.actions.execute_tool(
        connection_name=name, identifier=IDENTIFIER, tool_name=tool, tool_input=arguments
    )


async def refused(bench: HostedBench, name: str | None, tool: str, /, **arguments: Any) -> ScalekitMCPError:
    with pytest.raises(ScalekitMCPError) as caught:
        await run(bench, name, tool, **arguments)
    return caught.value


async def test_each_connection_has_an_account_and_a_consent_of_its_own() -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        await bench.connect()
        error = await refused(bench, "gmail", "gmail_fetch_mails", query="offsite")
        assert isinstance(error, AuthorizationRequired)
        assert "'gmail'" in error.message
        assert error.details["authorization_url"].startswith(PAGES)
        page = await agree(bench, error.details["authorization_url"])
        assert "gmail" in page.text
        mails = await run(bench, "gmail", "gmail_fetch_mails", query="offsite")
        assert [mail["subject"] for mail in mails["messages"]] == ["Offsite"]
        assert [await status(bench, name) for name in ("outlook", "gmail")] == ["ACTIVE", "ACTIVE"]
        assert isinstance(await refused(bench, "slack", "slack_list_channels"), AuthorizationRequired)


async def test_a_tool_is_found_without_naming_its_connection() -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        await connect(bench, "slack")
        sent = await run(bench, None, "slack_send_message", channel="C02RANDOM", text="Hi")
        assert sent["ok"] is True
        history = await run(bench, None, "slack_fetch_conversation_history", channel="C02RANDOM")
        assert [message["text"] for message in history["messages"]] == ["Hi"]
        calendar = await refused(bench, None, "outlook_list_calendar_events", top=1)
        assert "calendar account" in calendar.message


async def test_a_connection_outside_the_setting_is_refused_by_name() -> None:
    async with fast_bench(further_connections=("gmail",)) as bench:
        error = await refused(bench, "slack", "slack_list_channels")
        assert isinstance(error, InvalidInput)
        assert error.details["field"] == "connection_name"
        assert "slack" in error.message
        assert "SCALEKIT_MCP_CONNECTIONS" in error.next_step
        with pytest.raises(InvalidInput, match="'outlook', 'gmail'"):
            await bench.actions.get_authorization_link(connection_name="slack", identifier=IDENTIFIER)


async def test_embedded_mode_refuses_another_connection_and_says_what_it_would_need() -> None:
    async with embedded_bench() as bench:
        with pytest.raises(InvalidInput, match="gmail") as caught:
            await bench.actions.get_or_create_connected_account(connection_name="gmail", identifier=IDENTIFIER)
        assert "SCALEKIT_CLIENT_ID" in caught.value.next_step
        assert (await bench.actions.connector_tools(identifier=IDENTIFIER)).tools == ()


async def test_a_revocation_of_one_connection_leaves_the_other_alone() -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        await bench.connect()
        await connect(bench, "gmail")
        bench.look_alike.revoke("gmail", IDENTIFIER)
        error = await refused(bench, "gmail", "gmail_fetch_mails")
        assert isinstance(error, AuthorizationRequired)
        assert error.details["status"] == "EXPIRED"
        assert "'gmail'" in error.message
        assert await status(bench, "gmail") == "EXPIRED"
        assert (await bench.run("outlook_list_calendar_events", top=1))["value"]
        await agree(bench, error.details["authorization_url"])
        assert (await run(bench, "gmail", "gmail_fetch_mails"))["messages"]


async def test_disconnecting_and_deleting_touch_the_named_connection_alone() -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        await connect(bench, "gmail")
        await connect(bench, "slack")
        gone = await bench.actions.disconnect(connection_name="gmail", identifier=IDENTIFIER)
        assert (gone.connected_account.connection_name, gone.connected_account.status) == ("gmail", "REVOKED")
        assert await status(bench, "slack") == "ACTIVE"
        await bench.actions.delete_connected_account(connection_name="slack", identifier=IDENTIFIER)
        listed = await bench.actions.list_connected_accounts(identifier=IDENTIFIER)
        assert [view.connection_name for view in listed.connected_accounts] == ["gmail"]


async def test_lists_show_all_connections_or_one() -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        await bench.connect()
        await connect(bench, "gmail")
        every = await bench.actions.list_connected_accounts()
        assert sorted(view.connection_name for view in every.connected_accounts) == ["gmail", "outlook"]
        one = await bench.actions.list_connected_accounts(connection_name="gmail")
        assert [view.connection_name for view in one.connected_accounts] == ["gmail"]
        account = one.connected_accounts[0]
        by_id = await bench.actions.list_connected_accounts(account_id=account.id)
        assert by_id.connected_accounts == (account,)


async def test_a_code_is_asked_for_and_taken_for_its_own_connection() -> None:
    async with fast_bench(user_verification="confirm", further_connections=CONNECTIONS) as bench:
        link = await bench.actions.get_authorization_link(connection_name="gmail", identifier=IDENTIFIER)
        page = await agree(bench, link.link)
        error = await refused(bench, "gmail", "gmail_fetch_mails")
        assert "connection='gmail'" in error.next_step
        with pytest.raises(InvalidInput, match="waits for a confirmation code"):
            await bench.actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=code_on(page))
        await bench.actions.confirm_authorization(
            connection_name="gmail", identifier=IDENTIFIER, confirmation_code=code_on(page)
        )
        assert (await run(bench, "gmail", "gmail_fetch_mails"))["messages"]


async def test_a_declined_consent_is_told_without_a_word_of_the_calendar() -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        link = await bench.actions.get_authorization_link(connection_name="gmail", identifier=IDENTIFIER)
        await agree(bench, link.link, "Deny")
        error = await refused(bench, "gmail", "gmail_fetch_mails")
        assert error.details["reason"] == "consent_declined"
        assert not FOREIGN.search(told(error))


async def test_the_operators_page_verifies_whichever_connection_was_consented_to() -> None:
    async with fast_bench(
        user_verification="url", user_verify_url="https://app.example.com/verify", further_connections=CONNECTIONS
    ) as bench:
        link = await bench.actions.get_authorization_link(connection_name="slack", identifier=IDENTIFIER, state="s")
        await agree(bench, link.link)
        request_id = next(iter(bench.look_alike.records.auth_requests))
        found = await bench.actions.verify_connected_account_user(auth_request_id=request_id, identifier=IDENTIFIER)
        assert (found.connected_account.connection_name, found.connected_account.status) == ("slack", "ACTIVE")


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({}, None),
        ({"message": "text"}, "message"),
        ({"message": {"to": [], "body": "x"}}, "message"),
        ({"message": {"to": [{"email": 1}], "body": "x"}}, "message"),
        ({**MAIL, "attachments": []}, None),
        ({"message": {**MAIL["message"], "importance": "urgent"}}, "message"),
    ],
)
async def test_wrong_arguments_are_refused_before_anything_is_sent(
    arguments: dict[str, Any], field: str | None
) -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        await connect(bench, "gmail")
        error = await refused(bench, "gmail", "gmail_send_email", **arguments)
        assert isinstance(error, InvalidInput)
        assert error.details.get("field") == field
        assert bench.tools() == []


async def test_a_parameter_that_is_published_under_another_name_reaches_the_service_under_its_own() -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        await connect(bench, "slack")
        listed = await run(bench, "slack", "slack_list_channels", limit=1, toolCallId="x")
        assert len(listed["channels"]) == 1
        assert bench.tools() == [("slack_list_channels", {"$limit": 1})]


async def test_a_tool_of_another_connection_is_refused() -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        assert "'outlook'" in (await refused(bench, "gmail", "outlook_list_calendar_events")).message
        assert "slack_list_channels" in (await refused(bench, "gmail", "slack_list_channels")).message
        assert "nothing_like_it" in (await refused(bench, None, "nothing_like_it")).message


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(status=401, tool_error={"tool_error_code": "UNAUTHORIZED"}), AuthorizationRequired),
        (Fault(status=500, tool_error={"tool_error_code": "UNAUTHORIZED"}), AuthorizationRequired),
        (Fault(status=403, tool_error={"tool_error_code": "FORBIDDEN"}), PermissionMissing),
        (Fault(status=404, tool_error={"tool_error_code": "NOT_FOUND"}), InvalidInput),
        (Fault(status=409, tool_error={"tool_error_code": "CONFLICT"}), Conflict),
        (Fault(status=429, tool_error={"tool_error_code": "RATE_LIMITED"}), Throttled),
        (Fault(status=500, tool_error={"tool_error_code": "TOOL_EXEC_FAILED"}), OutcomeUnknown),
        (Fault(status=503), OutcomeUnknown),
        (Fault(drop="after"), OutcomeUnknown),
        (Fault(body="<html>", status=502), OutcomeUnknown),
        (Fault(body='{"data": {"ok": false, "error": "token_revoked"}}', status=200), AuthorizationRequired),
        (Fault(body='{"data": {"ok": false, "error": "no_such_thing"}}', status=200), InvalidInput),
        (Fault(body='{"data": {"error": {"code": 500, "message": "backend"}}}', status=200), OutcomeUnknown),
        (Fault(body='{"data": "{\\"error\\": {\\"code\\": 403}}"}', status=200), PermissionMissing),
    ],
)
async def test_a_write_is_sent_once_and_its_refusal_is_told_without_a_word_of_the_calendar(
    fault: Fault, kind: type[ScalekitMCPError]
) -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        await connect(bench, "gmail")
        fault.path_contains, fault.times = "/execute_tool", 9
        if fault.tool_error is not None:
            fault.error_code = "TOOL_ERROR"
        bench.look_alike.switches.faults = [fault]
        error = await refused(bench, "gmail", "gmail_send_email", **MAIL)
        assert type(error) is kind, error.message
        assert not FOREIGN.search(told(error))
        assert len(bench.tools()) == 1
        if kind in (AuthorizationRequired, PermissionMissing):
            assert error.details["authorization_url"].startswith(PAGES)


@pytest.mark.parametrize(
    "data",
    [
        {"id": "1", "status": "failed", "conclusion": "error"},
        {"body": "Error: this mail is about one"},
        {"messages": [], "error": None},
        {"ok": True, "error": "", "items": []},
        {"code": 404, "title": "A room number"},
        None,
        [],
        "plain text",
    ],
)
async def test_what_only_looks_like_a_failure_is_data(data: Any) -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        await connect(bench, "gmail")
        body = json.dumps({"data": data, "execution_id": "exec_1"})
        bench.look_alike.switches.faults = [Fault(status=200, body=body, path_contains="/execute_tool")]
        answer = await run(bench, "gmail", "gmail_fetch_mails")
        assert answer == (data if isinstance(data, dict) else {} if data is None else {"result": data})


async def test_a_read_whose_answer_was_lost_may_be_repeated() -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        await connect(bench, "gmail")
        bench.look_alike.switches.faults = [Fault(drop="after", path_contains="/execute_tool")]
        error = await refused(bench, "gmail", "gmail_fetch_mails")
        assert isinstance(error, ProviderUnavailable)
        assert error.retryable


async def test_an_answer_reaches_nobody_with_what_cannot_be_seen() -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        await connect(bench, "slack")
        await run(bench, "slack", "slack_send_message", channel="C02RANDOM", text="a\u202eb\u200bc\x07d")
        history = await run(bench, "slack", "slack_fetch_conversation_history", channel="C02RANDOM")
        assert history["messages"][0]["text"] == "a\ufffdbc\ufffdd"


async def test_one_person_is_not_shown_what_another_may_use() -> None:
    async with fast_bench(further_connections=("gmail",)) as bench:
        bench.look_alike.switches.scoped_before_consent = True
        await connect(bench, "gmail", "ana")
        own = await bench.actions.connector_tools(identifier="ana")
        bench.look_alike.switches.further_tools = {"gmail": [{"name": "gmail_secret", "input_schema": {}}]}
        other = await bench.actions.connector_tools(identifier="ben")
        again = await bench.actions.connector_tools(identifier="ana")
        assert own.find("gmail_secret") is None
        assert again == own
        assert other.find("gmail_secret") is not None
        asked = [(r.path[-6:], r.query.get("identifier")) for r in bench.sandbox.requests if "/tools" in r.path]
        assert ("scoped", "ana") in asked
        assert ("scoped", "ben") in asked


async def test_the_calendar_account_is_another_persons_matter() -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        page = await bench.consent(address=DANA)
        assert "gmail" not in page.text

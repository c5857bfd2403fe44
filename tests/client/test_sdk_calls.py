"""What a program written for Scalekit's SDK calls, on the sandbox: accounts, tools, modifiers, calls of its own."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import pytest
from anyio.from_thread import start_blocking_portal

import scalekit_mcp.client
from scalekit_mcp import load_settings
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.errors import (
    AuthorizationRequired,
    ConnectedAccountExists,
    ConnectedAccountNotFound,
    InvalidInput,
    NotOffered,
)
from scalekit_mcp.sdk.modifiers import Modifier

LIST = "outlook_list_calendar_events"
DANA = "dana@company.com"


@pytest.fixture(scope="module", params=["embedded", "hosted"])
def client(request: pytest.FixtureRequest) -> Any:
    settings = load_settings(sandbox=True, mode=request.param)
    with scalekit_mcp.client.ScalekitClient(settings=settings) as opened:
        yield opened


@pytest.fixture
def actions(client: Any) -> Any:
    """The calls with modifiers of their own; the same sandbox as all others."""
    return scalekit_mcp.client.SynchronousActions(client._core)


@pytest.fixture(scope="module")
def ana(client: Any) -> str:
    """A connected account's identifier."""
    link = client.actions.get_authorization_link("ana", "outlook")

    async def sign_in() -> None:
        async with httpx.AsyncClient(timeout=20) as http:
            await consent(Browser(http), link.link, DANA)

    with start_blocking_portal() as portal:
        portal.call(sign_in)
    assert client.actions.get_connected_account("outlook", "ana").connected_account.status == "ACTIVE"
    return "ana"


def test_an_account_is_made_once_and_then_exists(actions: Any) -> None:
    made = actions.create_connected_account("outlook", "once")
    assert made.connected_account.status == "PENDING"
    with pytest.raises(ConnectedAccountExists, match="once"):
        actions.create_connected_account("outlook", "once")
    assert actions.upsert_connected_account("outlook", "once").connected_account.id == made.connected_account.id


def test_an_account_has_the_members_that_the_sdk_has(actions: Any, ana: str) -> None:
    account = actions.get_connected_account_details("outlook", ana).connected_account
    assert (account.connector, account.provider, account.authorization_type) == ("outlook", "OUTLOOK", "OAUTH")
    assert account.authorization_details is None
    assert account.api_config == {}
    assert account.token_expires_at.tzinfo is UTC
    assert account.to_dict()["identifier"] == ana


def test_an_account_is_selected_by_its_id_wherever_the_sdk_takes_one(actions: Any, ana: str) -> None:
    account = actions.get_connected_account("outlook", ana).connected_account
    assert actions.get_connected_account(connected_account_id=account.id).connected_account == account
    assert actions.get_connected_account_details(connected_account_id=account.id).connected_account == account
    assert len(actions.execute_tool({"top": 2}, LIST, connected_account_id=account.id).data["value"]) == 2
    again = actions.update_connected_account("outlook", ana, connected_account_id=account.id)
    assert again.connected_account.id == account.id


def test_a_link_and_a_deletion_go_by_the_id_too(actions: Any) -> None:
    made = actions.create_connected_account("outlook", "by-id").connected_account
    link = actions.get_authorization_link(connected_account_id=made.id)
    assert link.link == actions.get_authorization_link("by-id").link
    assert link.to_dict()["link"] == link.link
    actions.delete_connected_account(connected_account_id=made.id)
    with pytest.raises(ConnectedAccountNotFound):
        actions.get_connected_account("outlook", "by-id")


def test_an_id_beside_another_identifier_is_refused(actions: Any, ana: str) -> None:
    account = actions.get_connected_account("outlook", ana).connected_account
    with pytest.raises(InvalidInput) as raised:
        actions.execute_tool({}, LIST, "somebody-else", connected_account_id=account.id)
    assert raised.value.details["field"] == "identifier"
    with pytest.raises(ConnectedAccountNotFound):
        actions.get_connected_account(connected_account_id="ca_unknown")


def test_an_update_of_nobody_says_that_there_is_no_account(actions: Any) -> None:
    with pytest.raises(ConnectedAccountNotFound):
        actions.update_connected_account("outlook", "nobody")


@pytest.mark.parametrize("call", ["get_or_create_connected_account", "create_connected_account", "execute_tool"])
def test_a_call_without_an_identifier_names_what_is_missing(actions: Any, call: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        getattr(actions, call)()
    assert raised.value.details["field"] in ("identifier", "tool_name")


def test_a_user_id_that_is_the_identifier_says_nothing_new(actions: Any) -> None:
    found = actions.get_or_create_connected_account("outlook", "same", user_id="same")
    assert found.connected_account.identifier == "same"


def test_accounts_are_listed_by_provider_and_by_several_connections(actions: Any, ana: str) -> None:
    def listed(**given: Any) -> list[str]:
        return [account.identifier for account in actions.list_connected_accounts(**given).connected_accounts]

    assert listed(identifier=ana, provider="outlook") == [ana]
    assert listed(identifier=ana, connection_names=["slack", "outlook"]) == [ana]
    assert listed(identifier=ana, provider="GMAIL") == []
    assert listed(identifier=ana, connection_names=["slack"]) == []
    page = actions.list_connected_accounts("outlook", page_size=1)
    assert page.total_count == page.total_size
    assert page.previous_page_token is None


def test_with_further_connections_each_has_its_accounts_and_its_provider() -> None:
    settings = load_settings(sandbox=True, mode="hosted", connections="outlook,gmail,slack")
    with scalekit_mcp.client.ScalekitClient(settings=settings) as client:
        actions = client.actions
        made = {name: actions.create_connected_account(name, "eve").connected_account for name in ("outlook", "gmail")}

        def listed(**given: Any) -> list[str]:
            found = actions.list_connected_accounts(identifier="eve", **given).connected_accounts
            return sorted(account.connector for account in found)

        assert {name: account.provider for name, account in made.items()} == {"outlook": "OUTLOOK", "gmail": "GMAIL"}
        assert listed() == ["gmail", "outlook"]
        assert listed(provider="gmail") == listed(connection_names=["gmail"]) == ["gmail"]
        assert listed(connection_names=["slack", "outlook", "gmail"]) == ["gmail", "outlook"]
        assert listed(connection_name="gmail", provider="outlook") == []
        with pytest.raises(InvalidInput) as raised:
            listed(connection_names=["gmail", "slack"])
        assert raised.value.details["field"] == "connection_names"
        rows = client.tools.list_scoped_tools("eve", {"providers": ["OUTLOOK"]})[0].tools
        assert {row.connected_account_id for row in rows} == {made["outlook"].id}


def test_tools_are_listed_whole_filtered_and_in_pages(actions: Any) -> None:
    every = actions.list_tools()
    assert LIST in every.tool_names
    assert every.total_count == len(every.tools)
    [one] = actions.list_tools(tool_name=[LIST]).tools
    assert one.definition["input_schema"]["properties"]["top"]
    assert actions.list_tools(provider="GITHUB").tools == ()
    assert actions.list_tools("slack").tools == ()
    assert actions.list_tools(query="cancel event").tool_names
    names = actions.list_tools(summary=True)
    assert (names.tools, names.tool_names) == ((), every.tool_names)
    first = actions.list_tools(page_size=4)
    rest = actions.list_tools(page_token=first.next_page_token)
    assert (*first.tool_names, *rest.tool_names) == every.tool_names
    with pytest.raises(InvalidInput):
        actions.list_tools(page_token="x")


def test_scoped_tools_name_the_account_that_they_run_on(client: Any, ana: str) -> None:
    account = client.actions.get_connected_account("outlook", ana).connected_account
    listed, _ = client.tools.list_scoped_tools(ana, {"connection_names": ["outlook"], "tool_names": [LIST]})
    [row] = listed.tools
    assert (row.tool.definition["name"], row.connected_account_id, row.identifier) == (LIST, account.id, ana)
    assert client.tools.list_scoped_tools("nobody-at-all")[0].tools == ()
    result, _ = client.tools.execute_tool(LIST, ana, {"top": 1}, connection_name="outlook")
    assert len(result.data["value"]) == 1


def test_the_low_level_accounts_answer_pairs(client: Any) -> None:
    low = client.connected_accounts
    made, _ = low.create_connected_account("outlook", "low")
    found, _ = low.get_connected_account_by_identifier("outlook", "low")
    assert found.connected_account.id == made.connected_account.id
    link, _ = low.get_magic_link_for_connected_account("outlook", "low")
    assert link.link
    assert low.list_connected_accounts(connector="outlook", identifier="low")[0].total_size == 1
    assert low.update_connected_account("outlook", "low")[0].connected_account.id == made.connected_account.id
    with pytest.raises(NotOffered):
        low.create_connected_account("outlook", "low2", {"authorization_details": {"oauth_token": {}}})
    assert low.delete_connected_account("outlook", "low") == (None, None)


# -- modifiers


def test_modifiers_change_what_goes_in_and_what_comes_out(actions: Any, ana: str) -> None:
    @actions.pre_modifier(tool_names=LIST)
    def fewer(given: dict[str, Any]) -> dict[str, Any]:
        return {**given, "top": 1}

    @actions.post_modifier(tool_names=[LIST, "another"])
    def subjects(answer: Any) -> dict[str, Any]:
        return {"subjects": [event["subject"] for event in answer["value"]]}

    result = actions.execute_tool({"top": 3}, LIST, ana)
    assert list(result) == ["subjects"]
    assert len(result.data["subjects"]) == 1
    assert dict(actions.execute_tool_soon({"top": 3}, LIST, ana).result(30)) == dict(result)
    assert [modifier.func for modifier in actions.get_modifiers(LIST, "pre")] == [fewer]
    assert actions.get_modifiers("other") == []
    assert callable(subjects)


def test_a_modifier_may_be_added_by_hand_and_runs_in_its_turn(actions: Any, ana: str) -> None:
    for number in (2, 1):
        modifier = Modifier(LIST, "pre")
        modifier.func = lambda given, number=number: {"top": number}
        actions.add_modifier(modifier)
    assert len(actions.execute_tool({}, LIST, ana)["value"]) == 1


def test_a_modifier_that_returns_nothing_is_named(actions: Any, ana: str) -> None:
    actions.pre_modifier(LIST)(lambda given: None)
    with pytest.raises(InvalidInput, match=LIST):
        actions.execute_tool({}, LIST, ana)


def test_a_post_modifier_of_a_call_that_is_not_waited_for_does_not_block_the_core(actions: Any, ana: str) -> None:
    entered, leave = threading.Event(), threading.Event()

    @actions.post_modifier(LIST)
    def slow(answer: Any) -> Any:
        entered.set()
        assert leave.wait(30)
        return answer

    future = actions.execute_tool_soon({"top": 1}, LIST, ana)
    assert entered.wait(30)
    assert actions.get_connected_account("outlook", ana).connected_account.status == "ACTIVE"
    leave.set()
    assert future.result(30)["value"]
    assert callable(slow)


# -- the provider's own API


def test_the_provider_is_called_as_this_user_and_its_answer_comes_as_it_is(actions: Any, ana: str) -> None:
    me = actions.request("outlook", ana, "/v1.0/me")
    assert (me.status_code, me.ok) == (200, True)
    assert me.json()["userPrincipalName"] == DANA
    listed = actions.request("outlook", ana, "/v1.0/me/events?$top=1", query_params={"$select": "subject"})
    assert len(listed.json()["value"]) == 1
    assert set(listed.json()["value"][0]) <= {"id", "subject", "@odata.etag"}


def test_what_the_provider_refuses_is_an_answer_with_its_status(actions: Any, ana: str) -> None:
    gone = actions.request("outlook", ana, "/me/events/AAMkAGI2")
    assert gone.status_code in (400, 404)
    assert not gone.ok
    assert gone.json()["error"]["code"]
    with pytest.raises(scalekit_mcp.errors.ProviderUnavailable, match=str(gone.status_code)):
        gone.raise_for_status()


def test_an_event_is_made_changed_and_deleted_by_raw_calls(actions: Any, ana: str) -> None:
    begin = datetime(2026, 5, 4, 9, tzinfo=UTC)
    event = {
        "subject": "Raw",
        "start": {"dateTime": f"{begin:%Y-%m-%dT%H:%M:%S}", "timeZone": "UTC"},
        "end": {"dateTime": "2026-05-04T10:00:00", "timeZone": "UTC"},
    }
    made = actions.request("outlook", ana, "/v1.0/me/events", "post", body=event)
    assert made.status_code == 201
    path = f"/v1.0/me/events/{made.json()['id']}"
    changed = actions.request(
        "outlook", ana, path, "PATCH", raw_body='{"subject": "Rare"}', headers={"content-type": "application/json"}
    )
    assert changed.json()["subject"] == "Rare"
    assert actions.request("outlook", ana, path, method="DELETE").status_code == 204
    left = actions.request("outlook", ana, "/v1.0/me/events", query_params={"$top": 999, "$select": "subject"}).json()
    assert "Rare" not in [event["subject"] for event in left["value"]]


def test_an_answer_holds_no_token_and_names_no_host(actions: Any, ana: str, client: Any) -> None:
    answer = actions.request("outlook", ana, "/v1.0/me")
    assert "authorization" not in {name.casefold() for name in answer.headers}
    assert "Bearer" not in repr(answer)
    assert DANA not in repr(answer)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "me/events",
        "https://evil.example/me",
        "//evil.example/me",
        "/users/bob@company.com/events",
        "/v1.0/users/bob@company.com",
        "/beta/me/events",
        "/v1.0/me/../users/bob@company.com",
        "/me/%2e%2e/users/bob@company.com",
        "/me/..%2Fusers",
        "/me/%252e%252e/users",
        "/me/events#x",
        "/me\\..\\users",
        "/me%5C..%5Cusers",
        "/me/\u2024\u2024/users\n",
        "/me/eve%nts",
        "/meetings",
        "/ME@evil.example/events",
        "/$batch",
        "/v1.0/$batch",
        "/me/" + "a" * 5000,
    ],
)
def test_a_path_that_leaves_the_users_own_is_refused_before_anything_is_sent(actions: Any, ana: str, path: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        actions.request("outlook", ana, path)
    assert raised.value.details["field"] == "path"


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": "Bearer x"}, {"Host": "evil.example"}, {"Prefer": "a\r\nb: c"}, {"X-Forwarded-For": "1.1.1.1"}],
)
def test_a_header_that_is_not_passed_on_is_refused_by_name(actions: Any, ana: str, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as raised:
        actions.request("outlook", ana, "/me", headers=headers)
    assert raised.value.details["field"] == "headers"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "HEAD", "", "GET /x"])
def test_a_method_that_is_not_known_is_refused(actions: Any, ana: str, method: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        actions.request("outlook", ana, "/me", method)
    assert raised.value.details["field"] == "method"


def test_a_body_that_is_too_large_or_no_json_is_refused(actions: Any, ana: str) -> None:
    for body in ({"x": "a" * (4 * 1024 * 1024)}, {"x": {1, 2}}, {"x": float("nan")}):
        with pytest.raises(InvalidInput) as raised:
            actions.request("outlook", ana, "/me/events", "POST", body=body)
        assert raised.value.details["field"] == "body"


def test_a_raw_call_of_an_account_that_is_not_active_raises_with_the_link(actions: Any) -> None:
    actions.create_connected_account("outlook", "pending")
    with pytest.raises(AuthorizationRequired) as raised:
        actions.request("outlook", "pending", "/v1.0/me")
    assert raised.value.details["authorization_url"].startswith("http://localhost:")

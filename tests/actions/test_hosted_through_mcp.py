"""Consent and calendar on a hosted connection, as an MCP client and a person see them."""

from __future__ import annotations

from typing import Any

import pytest
from actions_support import DANA, IDENTIFIER, HostedBench, fast_bench
from mcp import Client, MCPError

from scalekit_mcp.demo.browser import consent
from scalekit_mcp.server.callers.caller import fixed_caller
from scalekit_mcp.server.mcp.app import ServerOptions, create_server
from scalekit_mcp.tools import TOOLS, Carrier, offered_tools
from tests.support.confirmation_codes import code_on

EVENT: dict[str, Any] = {
    "subject": "Review",
    "start_datetime": "2026-04-08T10:00:00",
    "start_timezone": "America/New_York",
    "end_datetime": "2026-04-08T11:00:00",
    "end_timezone": "America/New_York",
    "attendees_required": "alice@company.com",
}


def client_of(bench: HostedBench, era: str, **options: Any) -> Client:
    server = create_server(bench.actions, identify=fixed_caller(IDENTIFIER), options=ServerOptions(**options))
    return Client(server, mode=era)


async def offered(client: Client) -> dict[str, dict[str, Any]]:
    """The tools that a client is shown, and their parameters."""
    return {tool.name: tool.input_schema["properties"] for tool in (await client.list_tools()).tools}


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_a_refused_call_carries_the_link_and_works_after_the_consent(era: str) -> None:
    async with fast_bench() as bench, client_of(bench, era) as client:
        refused = await client.call_tool("outlook_create_calendar_event", EVENT)
        error = (refused.structured_content or {})["error"]
        assert (error["code"], error["reason"]) == ("authorization_required", "awaiting_consent")
        async with bench.browser() as browser:
            page = await consent(browser, error["authorization_url"], DANA)
        assert "magicLink" not in page.text
        created = await client.call_tool("outlook_create_calendar_event", EVENT)
        assert not created.is_error
        listed = await client.call_tool("outlook_list_calendar_events", {"filter": "subject eq 'Review'"})
        assert [row["subject"] for row in (listed.structured_content or {})["value"]] == ["Review"]


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_in_confirm_mode_the_code_goes_from_the_page_to_the_chat(era: str) -> None:
    async with fast_bench(user_verification="confirm") as bench, client_of(bench, era) as client:
        asked = await client.call_tool("authorize", {})
        async with bench.browser() as browser:
            page = await consent(browser, (asked.structured_content or {})["authorization_url"], DANA)
        held = await client.call_tool("outlook_list_calendar_events", {})
        error = (held.structured_content or {})["error"]
        assert error["reason"] == "awaiting_confirmation"
        assert "authorization_url" not in error
        done = await client.call_tool("authorize", {"confirmation_code": code_on(page)})
        assert (done.structured_content or {})["status"] == "ACTIVE"
        assert not (await client.call_tool("outlook_list_calendar_events", {})).is_error


async def test_what_no_hosted_tool_can_do_is_an_error_that_a_model_can_act_on() -> None:
    async with fast_bench() as bench, client_of(bench, "auto") as client:
        await bench.connect()
        refused = await client.call_tool("outlook_create_calendar_event", {**EVENT, "calendar_id": "AAMk"})
        error = (refused.structured_content or {})["error"]
        assert (error["code"], error["field"]) == ("invalid_input", "calendar_id")
        assert "Leave calendar_id out" in error["next_step"]


ALL = ("calendar", "scheduling")


@pytest.mark.parametrize("calls", ["proxy", "auto"])
async def test_over_the_proxy_every_tool_is_offered_with_all_its_parameters(calls: Any) -> None:
    async with fast_bench(calls=calls) as bench, client_of(bench, "auto", toolsets=ALL) as client:
        assert await offered(client) == {name: spec.input_schema["properties"] for name, spec in TOOLS.items()}
        await bench.connect()
        found = await client.call_tool("outlook_list_calendars", {})
        assert not found.is_error


@pytest.mark.parametrize("era", ["legacy", "auto"])
async def test_by_scalekits_tools_what_they_cannot_carry_is_not_offered(era: str) -> None:
    async with fast_bench(calls="tools") as bench, client_of(bench, era, toolsets=ALL) as client:
        listed = await offered(client)
        assert list(listed) == list(offered_tools(carrier=Carrier.HOSTED_TOOLS))
        assert not {"transaction_id", "calendar_id"} & set(listed["outlook_create_calendar_event"])
        assert "permanent" not in listed["outlook_delete_calendar_event"]
        assert listed["outlook_update_calendar_event"]["apply_to"]["enum"] == ["this", "series"]
        assert listed["outlook_create_calendar_event"]["recurrence_type"]["enum"] == ["daily", "weekly"]
        with pytest.raises(MCPError, match="nothing like it"):
            await client.call_tool("outlook_search_people", {"query": "alice"})


async def test_after_the_fallback_a_server_offers_what_the_tools_carry() -> None:
    async with fast_bench(calls="auto") as bench, client_of(bench, "auto", toolsets=ALL) as client:
        await bench.connect()
        bench.sandbox.scalekit_proxy(enabled=False)
        assert set(await offered(client)) == set(TOOLS)
        refused = await client.call_tool("outlook_list_calendars", {})
        error = (refused.structured_content or {})["error"]
        assert error["code"] == "invalid_input"
        assert "nothing like it" in error["message"]
    async with client_of(bench, "auto", toolsets=ALL) as client:
        assert list(await offered(client)) == list(offered_tools(carrier=Carrier.HOSTED_TOOLS))

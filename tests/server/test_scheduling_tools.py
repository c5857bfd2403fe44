"""The toolset `scheduling` over MCP, in both eras of the protocol."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from mcp import Client, MCPError

from scalekit_mcp.tools import TOOLS, offered_tools
from tests.server.test_app import ERAS, error_of, server_over
from tests.support.clock import HandClock
from tests.support.watched_actions import ALICE, CREATE, DANA, MEETING, WatchedActions, watched_actions

ALL = ("calendar", "scheduling")
DAY = {"start_datetime": "2026-04-08T08:00:00", "end_datetime": "2026-04-08T18:00:00", "timezone": "UTC"}


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_with_both_toolsets_lists_eleven_tools(era: str, actions: WatchedActions) -> None:
    async with Client(server_over(actions, toolsets=ALL), mode=era) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == list(TOOLS)
        assert len(TOOLS) == 11


@pytest.mark.parametrize("era", ERAS)
async def test_an_assistant_finds_a_colleague_and_a_time_with_her(era: str) -> None:
    clock = HandClock(datetime(2026, 4, 6, 7, tzinfo=UTC))  # the week that the sandbox's people have plans for
    async with watched_actions(clock=clock) as actions:
        actions.sandbox.freeze_clock(clock.at)
        await actions.connect("ana")
        await look_for_a_time(era, actions)


async def look_for_a_time(era: str, actions: WatchedActions) -> None:
    async with Client(server_over(actions, toolsets=ALL), mode=era) as client:
        await client.call_tool(CREATE, {"subject": "Review", **MEETING, "attendees_required": ALICE})
        found = await client.call_tool("outlook_search_people", {"query": "alice"})
        assert ALICE in [person["address"] for person in structured(found)["value"]]
        times = structured(
            await client.call_tool(
                "outlook_find_meeting_times",
                {**DAY, "attendees": ALICE, "duration_minutes": 60, "working_hours": False},
            )
        )
        assert set(times["suggestions"][0]["availability"]) == {DANA, ALICE}
        calendars = structured(await client.call_tool("outlook_list_calendars", {}))
        assert calendars["value"][0]["is_default"] is True


@pytest.mark.parametrize("era", ERAS)
async def test_a_tool_that_is_not_offered_is_refused_with_what_would_offer_it(
    era: str, actions: WatchedActions
) -> None:
    async with Client(server_over(actions), mode=era) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == list(offered_tools())
        with pytest.raises(MCPError, match="SCALEKIT_MCP_TOOLSETS"):
            await client.call_tool("outlook_search_people", {"query": "alice"})


async def test_a_search_that_finds_nobody_hands_out_a_link_for_the_further_permission(actions: WatchedActions) -> None:
    await actions.connect("ana")
    async with Client(server_over(actions, toolsets=ALL)) as client:
        answer = structured(await client.call_tool("outlook_search_people", {"query": "zebedee"}))
        assert answer["value"] == []
        assert "/connect/" in answer["authorization_url"]
        assert any("People.Read" in note for note in answer["notes"])
        again = structured(await client.call_tool("outlook_search_people", {"query": "zebedee"}))
        assert again["authorization_url"] == answer["authorization_url"]


async def test_a_read_only_caller_may_look_and_not_answer(actions: WatchedActions) -> None:
    async with Client(server_over(actions, toolsets=ALL, read_only=True)) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert "outlook_find_meeting_times" in names
        assert "outlook_respond_to_event" not in names
        refused = await client.call_tool("outlook_respond_to_event", {"event_id": "A", "response": "accept"})
        assert error_of(refused)["code"] == "permission_missing"


def structured(result: Any) -> dict[str, Any]:
    assert not result.is_error, result
    return result.structured_content

"""Further connections in LangChain."""

from __future__ import annotations

import json
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from actions_support import DANA, IDENTIFIER, MONDAY, fast_bench
from test_hosted_connections import MAIL, connect

from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.client import ScalekitClient
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.errors import ProviderUnavailable
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.scalekit.records import Fault
from scalekit_mcp.settings import load_settings

pytest.importorskip("langchain_core", reason="langchain-core is not installed (`make test-full` does)")

from scalekit_mcp.langchain import aget_tools, get_tools

CONNECTIONS = ("gmail", "slack")


async def test_langchain_has_the_tools_of_each_connection() -> None:
    """Outlook connected and Gmail not, then both, then Gmail taken away: all with `get_tools` and real sockets."""
    sandbox = Sandbox(week_of=MONDAY)
    async with sandbox.serve():
        scalekit: dict[str, Any] = sandbox.scalekit_environment()
        settings = load_settings(
            mode="hosted",
            connections="outlook,gmail",
            database_url="sqlite+aiosqlite:///:memory:",
            vault_keys=KeyRing.generate().to_text(),
            port=0,
            **scalekit,
        )
        client = ScalekitClient(settings=settings)
        try:
            own, mail = await anyio.to_thread.run_sync(
                lambda: (get_tools("outlook", IDENTIFIER, client), get_tools("gmail", IDENTIFIER, client))
            )
            tools = {tool.name: tool for tool in (*own, *mail)}
            assert [tool.name for tool in mail] == ["gmail_fetch_mails", "gmail_get_message_by_id", "gmail_send_email"]
            async with httpx.AsyncClient(timeout=20) as http:
                asked = json.loads(await tools["outlook_list_calendar_events"].ainvoke({"top": 1}))
                await consent(Browser(http), asked["error"]["authorization_url"], DANA)
                assert json.loads(await tools["outlook_list_calendar_events"].ainvoke({"top": 1}))["value"]
                refused = json.loads(await tools["gmail_send_email"].ainvoke(MAIL))["error"]
                assert refused["code"] == "authorization_required"
                assert "'gmail'" in refused["message"]
                browser = Browser(http)
                page = await browser.press(await browser.open(refused["authorization_url"]), "Continue")
                await browser.press(page, "Allow")
                assert json.loads(await tools["gmail_send_email"].ainvoke(MAIL))["labelIds"] == ["SENT"]
                sandbox.revoke_connection("gmail", IDENTIFIER)
                again = json.loads(await tools["gmail_fetch_mails"].ainvoke({}))["error"]
                assert (again["code"], again["status"]) == ("authorization_required", "EXPIRED")
                assert json.loads(await tools["outlook_list_calendar_events"].ainvoke({"top": 1}))["value"]
        finally:
            await anyio.to_thread.run_sync(client.close)


async def test_the_asynchronous_calls_have_their_tools_too() -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        await connect(bench, "slack")
        tools = {tool.name: tool for tool in await aget_tools("slack", IDENTIFIER, actions=bench.actions)}
        sent = await tools["slack_send_message"].ainvoke({"channel": "C02RANDOM", "text": "Hi"})
        assert json.loads(sent)["ok"] is True
        reading = await aget_tools("slack", IDENTIFIER, actions=bench.actions, read_only=True)
        assert [tool.name for tool in reading] == ["slack_list_channels", "slack_fetch_conversation_history"]
        own = await aget_tools("outlook", IDENTIFIER, actions=bench.actions)
        assert own[0].name == "outlook_create_calendar_event"
        bench.look_alike.switches.faults = [Fault(status=500, path_contains="/tools", times=9)]
        with pytest.raises(ProviderUnavailable):
            await aget_tools("gmail", IDENTIFIER, actions=bench.actions)

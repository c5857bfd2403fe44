"""Further connections on REST and in LangChain."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from actions_support import DANA, IDENTIFIER, MONDAY, SERVICE_KEY, fast_bench
from starlette.applications import Starlette
from starlette.routing import Mount
from test_hosted_connections import MAIL, agree, connect

from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.client import ScalekitClient
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.errors import ProviderUnavailable
from scalekit_mcp.langchain import aget_tools, get_tools
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.scalekit.records import Fault
from scalekit_mcp.server.rest.app import Rest, RestOptions
from scalekit_mcp.settings import load_settings

CONNECTIONS = ("gmail", "slack")
CONNECTIONS_BY_NAME = {"outlook": "OUTLOOK", "gmail": "GMAIL", "slack": "SLACK"}


@asynccontextmanager
async def rest_of(bench: Any, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    given = RestOptions(
        service_key=SERVICE_KEY, public_url="http://localhost", connections=CONNECTIONS_BY_NAME, **options
    )
    app = Starlette(routes=[Mount("/api/v1", routes=Rest(bench.actions, given).routes())])
    headers = {"authorization": f"Bearer {SERVICE_KEY}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://localhost/api/v1", headers=headers
    ) as http:
        yield http


async def test_a_backend_lists_links_and_calls_by_connection() -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench, rest_of(bench) as http:
        key = {"connector": "gmail", "identifier": IDENTIFIER}
        made = (await http.post("/connected_accounts", json={**key, "connected_account": {}})).json()
        assert (made["connected_account"]["provider"], made["connected_account"]["status"]) == ("GMAIL", "PENDING_AUTH")
        link = (await http.post("/connected_accounts/magic_link", json=key)).json()["link"]
        await agree(bench, link)
        scoped = (await http.get("/tools/scoped", params={"identifier": IDENTIFIER})).json()["tools"]
        assert [row["tool"]["definition"]["name"] for row in scoped] == [
            "gmail_fetch_mails",
            "gmail_get_message_by_id",
            "gmail_send_email",
        ]
        assert {row["tool"]["provider"] for row in scoped} == {"GMAIL"}
        body = {**key, "tool_name": "gmail_send_email", "params": {**MAIL, "schema_version": "1"}}
        sent = await http.post("/execute_tool", json=body)
        assert sent.json()["data"]["labelIds"] == ["SENT"]
        named = await http.get("/connected_accounts", params={"connection_names": "gmail"})
        assert [account["connector"] for account in named.json()["connected_accounts"]] == ["gmail"]
        account_id = made["connected_account"]["id"]
        by_id = {"connected_account_id": account_id, "tool_name": "gmail_fetch_mails"}
        assert (await http.post("/execute_tool", json=by_id)).status_code == 200
        gone = await http.post(f"/connected_accounts/{account_id}:disconnect")
        assert gone.json()["connected_account"]["status"] == "DISCONNECTED"


async def test_a_backend_is_told_what_there_is_not() -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench, rest_of(bench) as http:
        unknown = {"connector": "gmail", "identifier": IDENTIFIER, "tool_name": "gmail_nothing"}
        assert (await http.post("/execute_tool", json=unknown)).status_code == 404
        elsewhere = {"connector": "notion", "identifier": IDENTIFIER, "tool_name": "notion_search"}
        refused = await http.post("/execute_tool", json=elsewhere)
        assert refused.status_code == 400
        assert "notion" in refused.json()["message"]


async def test_a_read_only_server_runs_no_tool_that_may_write() -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench, rest_of(bench, read_only=True) as http:
        await connect(bench, "gmail")
        key = {"connector": "gmail", "identifier": IDENTIFIER}
        refused = await http.post("/execute_tool", json={**key, "tool_name": "gmail_send_email", "params": MAIL})
        assert refused.status_code == 403
        assert (await http.post("/execute_tool", json={**key, "tool_name": "gmail_fetch_mails"})).status_code == 200


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

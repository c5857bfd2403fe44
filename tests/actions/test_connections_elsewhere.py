"""Further connections on REST."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2 as httpx
from actions_support import IDENTIFIER, SERVICE_KEY, fast_bench
from starlette.applications import Starlette
from starlette.routing import Mount
from test_hosted_connections import MAIL, agree, connect

from scalekit_mcp.server.rest.app import Rest, RestOptions

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

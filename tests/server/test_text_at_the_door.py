"""Text that no UTF-8 carries, and identifiers that nobody has: refused with a code by REST and MCP, never a 500."""

from __future__ import annotations

import json
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from http_support import SERVICE_KEY, remote

from scalekit_mcp.actions import open_actions
from scalekit_mcp.settings import load_settings
from tests.support.bounds import HANG_SECONDS
from tests.support.identifiers import IMPOSSIBLE
from tests.support.mcp_messages import INITIALIZE

LIST = "outlook_list_calendar_events"
HALF = "\ud800"
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "create, connector": ("/connected_accounts", {"connector": HALF, "identifier": "ana"}),
    "create, identifier": ("/connected_accounts", {"identifier": f"a{HALF}"}),
    "delete": ("/connected_accounts:delete", {"identifier": HALF}),
    "delete, id": ("/connected_accounts:delete", {"id": f"ca_{HALF}"}),
    "link": ("/connected_accounts/magic_link", {"identifier": HALF}),
    "link, state": ("/connected_accounts/magic_link", {"identifier": "ana", "state": HALF}),
    "link, url": (
        "/connected_accounts/magic_link",
        {"identifier": "ana", "user_verify_url": f"https://x.example/{HALF}"},
    ),
    "verify": ("/connected_accounts/user/verify", {"auth_request_id": HALF, "identifier": "ana"}),
    "verify, identifier": ("/connected_accounts/user/verify", {"auth_request_id": "r", "identifier": HALF}),
    "run, identifier": ("/execute_tool", {"identifier": HALF, "tool_name": LIST}),
    "run, tool": ("/execute_tool", {"identifier": "ana", "tool_name": HALF}),
    "run, argument": ("/execute_tool", {"identifier": "ana", "tool_name": LIST, "params": {"filter": HALF}}),
    "run, deep": ("/execute_tool", {"identifier": "ana", "tool_name": LIST, "params": {"select": [{"a": [HALF]}]}}),
    "run, name": ("/execute_tool", {"identifier": "ana", "tool_name": LIST, "params": {HALF: 1}}),
    "token": ("/session_tokens", {"identifier": f"a{HALF}"}),
    "token, email": ("/session_tokens", {"identifier": "ana", "email": HALF}),
    "a member's name": ("/session_tokens", {"identifier": "ana", HALF: "x"}),
}


def sandbox_actions(base: str) -> Any:
    async def link_base() -> str:
        return base

    return open_actions(load_settings(sandbox=True), link_base=link_base)


async def posted(server: Any, path: str, content: bytes) -> httpx.Response:
    headers = {"authorization": f"Bearer {SERVICE_KEY}", "content-type": "application/json"}
    async with httpx.AsyncClient(headers=headers) as http:
        return await http.post(f"{server.base}/api/v1{path}", content=content)


@pytest.mark.parametrize("spelled", ["escaped", "raw"])
async def test_half_of_a_surrogate_pair_anywhere_in_a_rest_body_is_refused_with_a_code(spelled: str) -> None:
    wrong: dict[str, Any] = {}
    with anyio.fail_after(HANG_SECONDS):
        async with remote(opened=sandbox_actions) as server:
            for what, (path, body) in BODIES.items():
                text = json.dumps(body, ensure_ascii=spelled == "escaped")
                answer = await posted(server, path, text.encode("utf-8", "surrogatepass"))
                if answer.status_code != 400 or answer.json()["details"][0]["error_code"] != "INVALID_ARGUMENT":
                    wrong[what] = (answer.status_code, answer.text)
            listed = await posted(
                server, "/connected_accounts/magic_link", b'{"identifier": "\\ud83d\\ude42 whole pair"}'
            )
    assert not wrong
    assert listed.status_code == 200


@pytest.mark.parametrize("identifier", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
async def test_an_impossible_identifier_is_refused_by_every_rest_route_and_gets_no_token(identifier: str) -> None:
    bodies = {
        "/connected_accounts": {},
        "/connected_accounts:delete": {},
        "/connected_accounts/magic_link": {},
        "/connected_accounts/user/verify": {"auth_request_id": "r"},
        "/execute_tool": {"tool_name": LIST},
        "/session_tokens": {},
    }
    with anyio.fail_after(HANG_SECONDS):
        async with remote(opened=sandbox_actions) as server:
            answers = {
                path: await posted(server, path, json.dumps({**body, "identifier": identifier}).encode())
                for path, body in bodies.items()
            }
    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(bodies, 400)
    assert all(answer.json()["details"][0]["error_code"] == "INVALID_ARGUMENT" for answer in answers.values())


def call_with(argument: str, protocol: str) -> bytes:
    meta = {"io.modelcontextprotocol/protocolVersion": protocol, "io.modelcontextprotocol/clientCapabilities": {}}
    params = {"name": LIST, "arguments": {"filter": argument, argument: 1}, "_meta": meta}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


async def test_half_of_a_surrogate_pair_in_a_modern_mcp_call_is_refused_and_the_server_goes_on() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server, server.browser() as http:
            await server.actions.connect("ana")
            headers = {
                "authorization": f"Bearer {server.bearer('ana')}",
                "accept": "application/json, text/event-stream",
                "content-type": "application/json",
                "mcp-protocol-version": "2026-07-28",
                "mcp-method": "tools/call",
                "mcp-name": LIST,
            }
            answer = await http.post("/mcp", headers=headers, content=call_with(HALF, "2026-07-28"))
            async with server.client() as client:
                assert not (await client.call_tool(LIST, {})).is_error
    result = answer.json()["result"]
    assert (answer.status_code, result["isError"]) == (200, True)
    assert result["structuredContent"]["error"]["code"] == "invalid_input"
    assert not [call for call in server.actions.calls if HALF in str(call)]


async def test_half_of_a_surrogate_pair_in_a_legacy_mcp_call_is_refused_and_the_session_goes_on() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server, server.browser() as http:
            headers = {
                "authorization": f"Bearer {server.bearer('ana')}",
                "accept": "application/json, text/event-stream",
                "content-type": "application/json",
            }
            opened = await http.post("/mcp", headers=headers, json=INITIALIZE)
            headers |= {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
            answer = await http.post("/mcp", headers=headers, content=call_with(HALF, "2025-11-25"))
            after = await http.post("/mcp", headers=headers, json={"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in {-32700, -32600, -32602}
    assert after.status_code == 200


async def test_half_of_a_surrogate_pair_over_http_and_sse_is_refused_and_the_stream_goes_on() -> None:
    with anyio.fail_after(HANG_SECONDS):
        async with remote() as server, server.browser() as http:
            await server.actions.connect("ana")
            headers = {"authorization": f"Bearer {server.bearer('ana')}", "content-type": "application/json"}
            async with http.stream("GET", "/sse", headers=headers) as stream:
                lines = stream.aiter_lines()
                path = ""
                while not path:
                    line = await anext(lines)
                    path = line.removeprefix("data: ") if line.startswith("data: ") else ""
                answer = await http.post(path, headers=headers, content=call_with(HALF, "2024-11-05"))
                assert (
                    await http.post(path, headers=headers, json={"jsonrpc": "2.0", "id": 2, "method": "ping"})
                ).status_code == 202
                while '"id":2' not in (line := await anext(lines)):
                    pass
    assert answer.status_code == 400
    assert '"result"' in line

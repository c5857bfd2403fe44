"""The remote server: every transport in both eras, identities that do not cross, the checks at the door."""

from __future__ import annotations

import json
import os
from typing import Any

import anyio
import anyio.lowlevel
import httpx2 as httpx
import pytest
from http_support import ERAS, SERVICE_KEY, TRANSPORTS, remote
from mcp.types import ElicitResult, InputRequiredResult
from server_support import Person

from scalekit_mcp.errors import VaultError
from scalekit_mcp.server.metrics import CallMetrics
from tests.support.mcp_messages import ACCEPT, INITIALIZE
from tests.support.watched_actions import MEETING, WatchedActions

LIST = "outlook_list_calendar_events"


def subjects(result: Any) -> list[str]:
    return [event["subject"] for event in result.structured_content["value"]]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_tools_work_over_every_transport_and_era(transport: str, era: str) -> None:
    with anyio.fail_after(60):
        async with remote() as server:
            await server.actions.connect("ana")
            async with server.client(transport=transport, era=era) as client:
                assert len((await client.list_tools()).tools) == 6
                result = await client.call_tool(LIST, {})
    assert subjects(result) == ["of ana"]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_two_users_interleaved_never_see_each_other(transport: str, era: str) -> None:
    calls_each = int(os.environ.get("SOAK_CALLS", "200")) // 4
    answers: dict[str, set[str]] = {"ana": set(), "bob": set()}

    async def work(client: Any, identifier: str) -> None:
        for _ in range(calls_each):
            result = await client.call_tool(LIST, {})
            answers[identifier].update(subjects(result))

    with anyio.fail_after(60 + calls_each):
        async with remote() as server:
            for identifier in answers:
                await server.actions.connect(identifier)
            async with (
                server.client("ana", transport=transport, era=era) as ana,
                server.client("bob", transport=transport, era=era) as bob,
                anyio.create_task_group() as tasks,
            ):
                for client, identifier in ((ana, "ana"), (bob, "bob"), (ana, "ana"), (bob, "bob")):
                    tasks.start_soon(work, client, identifier)
    assert answers == {"ana": {"of ana"}, "bob": {"of bob"}}
    assert len(server.actions.calls) == 4 * calls_each


async def test_a_callers_sixteen_places_are_the_same_over_mcp_and_rest(actions: WatchedActions) -> None:
    await actions.connect()
    gate = actions.gate = anyio.Event()
    with anyio.fail_after(60):
        async with (
            remote(actions) as server,
            server.client("ana") as client,
            httpx.AsyncClient(headers={"authorization": f"Bearer {SERVICE_KEY}"}) as http,
            anyio.create_task_group() as tasks,
        ):
            call = {"identifier": "ana", "tool_name": LIST}
            for _ in range(10):
                tasks.start_soon(client.call_tool, LIST, {})
                tasks.start_soon(lambda: http.post(f"{server.base}/api/v1/execute_tool", json=call))
            while actions.entered < 16:
                await anyio.lowlevel.checkpoint()
            # a request that came later is through the door: the twenty were at the limit before it
            listed = await http.get(f"{server.base}/api/v1/connected_accounts")
            assert (listed.status_code, actions.entered) == (200, 16)
            gate.set()
    assert len(actions.calls) == 20


@pytest.mark.parametrize(
    ("transport", "era", "asked"), [("http", "legacy", False), ("http", "auto", True), ("sse", "legacy", True)]
)
async def test_without_sessions_only_a_legacy_http_client_falls_back_to_words(
    transport: str, era: str, asked: bool, actions: WatchedActions
) -> None:

    async def sign_in(url: str) -> None:
        await actions.sign_in(url)

    person = Person(on_url=sign_in)
    with anyio.fail_after(60):
        async with (
            remote(actions, stateless=True) as server,
            server.client(transport=transport, era=era, elicitation_callback=person) as client,
        ):
            result = await client.call_tool(LIST, {})
    assert bool(person.urls) is asked
    assert result.is_error is not asked
    if not asked:
        assert result.structured_content["error"]["authorization_url"]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("era", ERAS)
async def test_a_read_only_token_hides_and_refuses_the_writing_tools(transport: str, era: str) -> None:
    with anyio.fail_after(60):
        async with remote() as server:
            await server.actions.connect("ana")
            headers = {"authorization": f"Bearer {server.bearer('ana', read_only=True)}"}
            async with server.client(transport=transport, era=era, headers=headers) as client:
                listed = await client.list_tools()
                refused = await client.call_tool("outlook_create_calendar_event", {"subject": "Standup", **MEETING})
    assert [t.name for t in listed.tools] == ["outlook_get_calendar_event", "outlook_list_calendar_events", "authorize"]
    assert refused.structured_content["error"]["code"] == "permission_missing"
    if era == "auto":
        assert listed.cache_scope == "private"


@pytest.mark.parametrize("path", ["/mcp", "/sse", "/messages/?session_id=0", "/mcp?identifier=ana"])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no token"),
        pytest.param({"authorization": "Bearer not.a.token"}, id="malformed"),
        pytest.param({"authorization": "Basic YTpi"}, id="another scheme"),
        pytest.param({"x-scalekit-identifier": "ana"}, id="identity by header alone"),
    ],
)
async def test_a_request_without_a_valid_token_gets_401(path: str, headers: dict[str, str]) -> None:
    with anyio.fail_after(60):
        async with remote() as server, server.browser() as http:
            if path == "/sse":
                answer = await http.get(path, headers=headers)
            else:
                answer = await http.post(path, headers={**ACCEPT, **headers}, json=INITIALIZE)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')


async def test_another_users_session_id_is_worth_nothing() -> None:
    with anyio.fail_after(60):
        async with remote() as server, server.browser() as http:
            ana = {**ACCEPT, "authorization": f"Bearer {server.bearer('ana')}"}
            bob = {**ACCEPT, "authorization": f"Bearer {server.bearer('bob')}"}
            opened = await http.post("/mcp", headers=ana, json=INITIALIZE)
            session = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
            body = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
            stolen = await http.post("/mcp", headers={**bob, **session}, json=body)
            anew = {**ACCEPT, "authorization": f"Bearer {server.bearer('ana', ttl_seconds=60)}"}
            own = await http.post("/mcp", headers={**anew, **session}, json=body)
    assert stolen.status_code == 404
    assert own.status_code == 200


@pytest.mark.parametrize("path", ["/mcp", "/sse", "/connect/abcdefghijklmnop", "/api/v1/connected_accounts"])
async def test_another_host_is_refused(path: str) -> None:
    with anyio.fail_after(60):
        async with remote() as server, server.browser() as http:
            answer = await http.get(path, headers={"host": "evil.example"})
    assert answer.status_code == 421


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_origin_is_refused_by_mcp(method: str) -> None:
    with anyio.fail_after(60):
        async with remote() as server, server.browser() as http:
            headers = {**ACCEPT, "authorization": f"Bearer {server.bearer('ana')}", "origin": "https://evil.example"}
            path = "/sse" if method == "GET" else "/mcp"
            answer = await http.request(method, path, headers=headers, json=INITIALIZE if method == "POST" else None)
    assert answer.status_code == 403


async def test_an_allowed_origin_gets_its_preflight() -> None:
    with anyio.fail_after(60):
        async with remote(allowed_origins=("https://app.example",)) as server, server.browser() as http:
            asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
            answer = await http.options("/mcp", headers=asked)
            refused = await http.options("/mcp", headers={**asked, "origin": "https://evil.example"})
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-origin" not in refused.headers


async def test_an_oversized_body_is_refused() -> None:
    with anyio.fail_after(60):
        async with remote() as server, server.browser() as http:
            headers = {**ACCEPT, "authorization": f"Bearer {server.bearer('ana')}", "content-type": "application/json"}
            answer = await http.post("/mcp", headers=headers, content=b" " * (4 * 1024 * 1024 + 1))
    assert answer.status_code == 413


async def test_the_consent_pages_are_served_without_a_token() -> None:
    with anyio.fail_after(60):
        async with remote() as server, server.browser() as http:
            link = (await server.actions.get_authorization_link(identifier="ana")).link
            page = await http.get(link)
    assert page.status_code == 200
    assert "Continue to Microsoft" in page.text


async def test_health_answers_for_every_host_and_readiness_is_asked_at_most_every_five_seconds() -> None:
    with anyio.fail_after(60):
        async with remote() as server, server.browser() as http:
            healthy = await http.get("/healthz", headers={"host": "10.0.0.7"})
            ready = [await http.get("/readyz") for _ in range(3)]
    assert healthy.json() == {"ok": True}
    assert [answer.status_code for answer in ready] == [200, 200, 200]
    assert server.actions.checks == 1


async def test_a_broken_vault_is_not_ready_and_says_nothing_more(actions: WatchedActions) -> None:
    actions.failure = VaultError("The key does not open the vault at /secret/path.")
    with anyio.fail_after(60):
        async with remote(actions) as server, server.browser() as http:
            answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False}


@pytest.mark.parametrize("era", ERAS)
async def test_a_shutdown_lets_the_running_call_finish_and_refuses_new_ones(era: str, actions: WatchedActions) -> None:
    await actions.connect()
    gate = actions.gate = anyio.Event()
    results: list[Any] = []
    refused: list[httpx.Response] = []

    with anyio.fail_after(60):
        async with remote(actions) as server, server.client(era=era) as client, server.browser() as http:
            await client.list_tools()  # or the client would ask for the schemas after the call

            async def call() -> None:
                results.append(await client.call_tool(LIST, {}))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call)
                while not actions.entered:
                    await anyio.lowlevel.checkpoint()
                tasks.start_soon(server.shutdown.finish, 20)
                while not server.shutdown.rejecting:
                    await anyio.lowlevel.checkpoint()
                headers = {**ACCEPT, "authorization": f"Bearer {server.bearer('ana')}"}
                refused.append(await http.post("/mcp", headers=headers, json=INITIALIZE))
                refused.append(await http.get("/readyz"))
                gate.set()
    assert not results[0].is_error
    assert [answer.status_code for answer in refused] == [503, 503]


async def test_a_state_of_another_users_call_is_refused() -> None:
    """The sealed state of a waiting call is bound to its caller, its tool and its arguments."""
    states: list[str | None] = []

    async def person(context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="accept")

    with anyio.fail_after(60):
        async with remote() as server:
            async with server.client("ana", elicitation_callback=person) as ana:
                first = await ana.session.call_tool(LIST, {}, allow_input_required=True)
                assert isinstance(first, InputRequiredResult)
                states.append(first.request_state)
            async with server.client("bob", elicitation_callback=person) as bob:
                with pytest.raises(Exception, match="requestState"):
                    await bob.session.call_tool(LIST, {}, request_state=states[0], allow_input_required=True)
            async with server.client("ana", elicitation_callback=person) as ana:
                with pytest.raises(Exception, match="requestState"):
                    await ana.session.call_tool(LIST, {"top": 3}, request_state=states[0], allow_input_required=True)


@pytest.mark.parametrize("key", [None, "metrics-key"])
async def test_the_metrics_count_the_calls_and_name_no_caller(key: str | None) -> None:
    metrics = CallMetrics()
    with anyio.fail_after(60):
        async with (
            remote(server_options={"metrics": metrics}, metrics=metrics, metrics_key=key) as server,
            server.client() as client,
            server.browser() as http,
        ):
            await server.actions.connect("ana")
            await client.call_tool(LIST, {})
            await client.call_tool(LIST, {"top": "many"})
            refused = await http.get("/metrics")
            told = await http.get("/metrics", headers={"authorization": f"Bearer {key}"})
    assert (refused.status_code == 401) is (key is not None)
    assert f'scalekit_mcp_tool_calls_total{{tool="{LIST}",outcome="ok"}} 1' in told.text
    assert f'scalekit_mcp_tool_calls_total{{tool="{LIST}",outcome="invalid_input"}} 1' in told.text
    assert f'scalekit_mcp_tool_call_seconds_bucket{{tool="{LIST}",le="+Inf"}} 2' in told.text
    assert "ana" not in told.text


async def test_without_metrics_there_is_no_such_route() -> None:
    with anyio.fail_after(60):
        async with remote() as server, server.browser() as http:
            assert (await http.get("/metrics")).status_code == 404


async def test_white_space_around_a_header_value_does_not_count() -> None:
    """RFC 9110 section 5.5. Written to the socket by hand, because HTTP clients trim what they send."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": LIST, "arguments": {}, "_meta": meta}}
    )
    with anyio.fail_after(60):
        async with remote() as server:
            await server.actions.connect("ana")
            host = server.base.removeprefix("http://")
            lines = [
                "POST /mcp HTTP/1.1",
                f"Host: {host}",
                f"Authorization: Bearer {server.bearer('ana')}",
                "Accept: application/json, text/event-stream",
                "Content-Type: application/json",
                "MCP-Protocol-Version: 2026-07-28",
                "Mcp-Method:   tools/call  ",
                f"Mcp-Name:  {LIST} \t",
                f"Content-Length: {len(body)}",
                "Connection: close",
            ]
            async with await anyio.connect_tcp("127.0.0.1", int(host.split(":")[1])) as stream:
                await stream.send(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
                answer = b"".join([chunk async for chunk in stream])
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"of ana" in answer

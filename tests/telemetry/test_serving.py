"""A running server as an operator sees it: `/metrics` behind its key, log lines in JSON, audit lines with ids."""

from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager

import anyio
import httpx2 as httpx
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from telemetry_support import CONTENT, EVENT, NO_PROVIDER

from scalekit_mcp.accounts.model.records import AccountKey
from scalekit_mcp.accounts.services import AccountServices
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.sandbox.serving import serving
from tests.support.bounds import HANG_SECONDS
from tests.support.processes import command, environment
from tests.support.remote_process import free_port

KEY = "planted-service-key-0123456789"


@asynccontextmanager
async def server(home, *arguments, auth="none", **values):
    """The HTTP server in a process of its own on the built-in sandbox: its address and the file of its stderr."""
    port = free_port()
    log = home / "stderr.txt"
    line = command("serve", "--transport", "http", "--sandbox", "--port", str(port), "--auth", auth, *arguments)
    with log.open("wb") as stderr:
        async with await anyio.open_process(line, env=environment(home, **values), stderr=stderr) as process:
            try:
                base = f"http://127.0.0.1:{port}"
                async with httpx.AsyncClient(timeout=20) as http:
                    with anyio.fail_after(60):
                        while True:
                            try:
                                await http.get(f"{base}/healthz")
                                break
                            except httpx.ConnectError:
                                assert process.returncode is None, log.read_text()
                                await anyio.lowlevel.checkpoint()
                    yield base, log, http
            finally:
                process.terminate()


async def test_the_numbers_need_the_service_key_where_one_is_set(tmp_path):
    async with server(tmp_path, SCALEKIT_MCP_SERVICE_KEY=KEY) as (base, _, http):
        assert (await http.get(f"{base}/metrics")).status_code == 401
        assert (await http.get(f"{base}/metrics", headers={"authorization": "Bearer wrong"})).status_code == 401
        told = await http.get(f"{base}/metrics", headers={"authorization": f"Bearer {KEY}", "host": "10.0.0.5:8754"})
    assert told.status_code == 200
    assert 'scalekit_mcp_connected_accounts{status="ACTIVE"} 0' in told.text


async def test_on_loopback_without_a_key_the_numbers_are_open(tmp_path):
    async with server(tmp_path) as (base, _, http):
        assert (await http.get(f"{base}/metrics")).status_code == 200
        assert (await http.get(f"{base}/metrics", headers={"host": "rebound.example"})).status_code >= 400


async def test_behind_a_public_address_without_a_key_there_are_no_numbers(tmp_path):
    values = {"SCALEKIT_MCP_PUBLIC_URL": "https://calendar.example", "SCALEKIT_MCP_AUTH": "session-token"}
    port = free_port()
    line = command("serve", "--transport", "http", "--sandbox", "--port", str(port))
    async with await anyio.open_process(line, env=environment(tmp_path, **values), stderr=None) as process:
        try:
            async with httpx.AsyncClient(timeout=20) as http:
                with anyio.fail_after(60):
                    while True:
                        try:
                            found = await http.get(
                                f"http://127.0.0.1:{port}/metrics", headers={"host": "calendar.example"}
                            )
                            break
                        except httpx.ConnectError:
                            assert process.returncode is None
                            await anyio.lowlevel.checkpoint()
        finally:
            process.terminate()
    assert found.status_code == 404


@pytest.mark.parametrize("log_format", ["json", "text"])
async def test_a_working_day_leaves_readable_lines_and_no_content(tmp_path, log_format):
    values = {"SCALEKIT_MCP_LOG_FORMAT": log_format, "SCALEKIT_MCP_LOG_LEVEL": "DEBUG"}
    async with (
        server(tmp_path, "--user-verification", "off", **values) as (base, log, http),
        Client(streamable_http_client(f"{base}/mcp"), read_timeout_seconds=60) as client,
    ):
        asked = await client.call_tool("authorize", {})
        assert asked.structured_content
        link = asked.structured_content["authorization_url"]
        await consent(Browser(http), link, "dana@company.com")
        created = await client.call_tool("outlook_create_calendar_event", EVENT)
        assert created.structured_content
        event_id = created.structured_content["id"]
        await client.call_tool("outlook_get_calendar_event", {"event_id": event_id})
        numbers = (await http.get(f"{base}/metrics")).text
    text = log.read_text("utf-8")
    for planted in (*CONTENT, link.rpartition("/")[2], KEY):
        assert planted not in text + numbers
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    if log_format == "json":
        assert len(lines) == len(text.splitlines())
    calls = [line for line in lines if line["logger"] == "scalekit_mcp.audit"]
    assert [line["tool_name"] for line in calls][-2:] == ["outlook_create_calendar_event", "outlook_get_calendar_event"]
    for line in calls[-2:]:
        assert (line["identifier"], line["outcome"], line["target_id"]) == ("user_outlook_789", "ok", event_id)
        assert all(re.fullmatch(r"[0-9a-f-]{36}", request_id) for request_id in line["request_ids"])
        assert line["request_ids"]
    assert 'scalekit_mcp_tool_calls_total{tool="outlook_create_calendar_event",outcome="ok"} 1' in numbers


async def test_a_refused_caller_and_a_rest_call_are_one_line_each_without_the_credential(tmp_path):
    values = {"SCALEKIT_MCP_SERVICE_KEY": KEY, "SCALEKIT_MCP_LOG_FORMAT": "json"}
    async with server(tmp_path, auth="session-token", **values) as (base, log, http):
        await http.post(f"{base}/mcp", json={}, headers={"authorization": "Bearer planted.session.token"})
        await http.get(
            f"{base}/api/v1/connected_accounts/details",
            params={"identifier": "nobody"},
            headers={"authorization": f"Bearer {KEY}"},
        )
        await http.post(
            f"{base}/api/v1/execute_tool",
            json={"identifier": "ana", "tool_name": "outlook_create_calendar_event", "params": EVENT},
            headers={"authorization": f"Bearer {KEY}"},
        )
    text = log.read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    told = [
        (line["event"], line["status_code"]) for line in lines if line.get("event") in {"caller_refused", "rest_call"}
    ]
    assert told == [("caller_refused", 401), ("rest_call", 404), ("rest_call", 400)]
    (call,) = [line for line in lines if line["logger"] == "scalekit_mcp.audit"]
    assert (call["identifier"], call["outcome"]) == ("ana", "authorization_required")
    for planted in (*CONTENT, KEY, "planted.session.token"):
        assert planted not in text


async def test_what_an_earlier_process_left_is_told_when_a_server_starts(tmp_path):
    told = anyio.Event()

    async def operator(scope, receive, send):
        told.set()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with serving(operator, port=0, host="127.0.0.1") as address:
        values = {
            "SCALEKIT_MCP_DATABASE_URL": f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}",
            "SCALEKIT_MCP_VAULT_KEYS": KeyRing.generate().to_text(),
            "SCALEKIT_MCP_WEBHOOK_URL": f"{address}/hook",
            "SCALEKIT_MCP_WEBHOOK_SECRET": "whsec_" + "A" * 32,
        }
        vault = Vault(
            values["SCALEKIT_MCP_DATABASE_URL"], KeyRing.from_text(values["SCALEKIT_MCP_VAULT_KEYS"]), outbox=True
        )
        services = AccountServices.on(vault, providers=NO_PROVIDER, clock=SystemClock())
        await services.accounts.get_or_create(AccountKey("outlook", "ana"))
        await services.aclose()
        assert not told.is_set()
        async with server(tmp_path, **values):
            with anyio.fail_after(HANG_SECONDS):
                await told.wait()

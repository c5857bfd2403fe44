"""What an operator sets is what a running server does: each setting from the environment of a real process."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from mcp import Client

from scalekit_mcp.demo.browser import Browser, consent
from tests.support.processes import server
from tests.support.remote_process import RemoteProcess, start

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
HEADERS = {"accept": "application/json, text/event-stream"}
WEEK = {"start_datetime": "2026-04-06T00:00:00", "end_datetime": "2026-04-13T00:00:00"}
INVITATION = {
    "subject": "Planning",
    "start_datetime": "2026-04-07T10:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-07T11:00:00",
    "end_timezone": "UTC",
    "attendees_required": "bob@company.com",
}


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Generator[RemoteProcess]:
    """One server with every setting that shows on the wire of HTTP."""
    process = start(
        tmp_path_factory.mktemp("remote"),
        "--sandbox",
        SCALEKIT_MCP_AUTH="none",
        SCALEKIT_MCP_ALLOWED_HOSTS="calendar.internal, calendar.example:8443",
        SCALEKIT_MCP_ALLOWED_ORIGINS="https://app.example.com",
        SCALEKIT_MCP_STATELESS="true",
        SCALEKIT_MCP_READ_ONLY="true",
    )
    try:
        process.wait_until_ready()
        yield process
    finally:
        process.stop()


def initialized(remote: RemoteProcess, **headers: str) -> httpx.Response:
    """What an older client's first request is answered."""
    return httpx.post(
        f"http://127.0.0.1:{remote.port}/mcp", json=INITIALIZE, headers={**HEADERS, **headers}, timeout=20
    )


@pytest.mark.parametrize(
    ("host", "status"),
    [("calendar.internal", 200), ("calendar.example:8443", 200), ("calendar.example", 421), ("rebound.example", 421)],
)
def test_the_allowed_hosts_are_answered_and_no_other(remote: RemoteProcess, host: str, status: int) -> None:
    assert initialized(remote, host=host).status_code == status


@pytest.mark.parametrize(("origin", "status"), [("https://app.example.com", 200), ("https://evil.example", 403)])
def test_the_allowed_origins_are_answered_and_no_other(remote: RemoteProcess, origin: str, status: int) -> None:
    assert initialized(remote, origin=origin).status_code == status


def test_a_stateless_server_gives_an_older_client_no_session(remote: RemoteProcess) -> None:
    answer = initialized(remote)
    assert answer.status_code == 200
    assert "mcp-session-id" not in answer.headers


async def test_a_read_only_server_offers_no_tool_that_changes_anything(remote: RemoteProcess) -> None:
    async with Client(f"{remote.base}/mcp") as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
    assert names == {"outlook_get_calendar_event", "outlook_list_calendar_events", "authorize"}


async def test_on_stdio_the_zone_of_answers_and_the_confirmation_are_as_set(tmp_path) -> None:
    values = {"SCALEKIT_MCP_TIMEZONE": "Asia/Tokyo", "SCALEKIT_MCP_CONFIRM": "mail", "SCALEKIT_MCP_PORT": "0"}
    with anyio.fail_after(60):
        async with Client(server(tmp_path, "--sandbox", **values)) as client, httpx.AsyncClient(timeout=20) as http:
            link = error_of(await client.call_tool("outlook_list_calendar_events", WEEK))["authorization_url"]
            await consent(Browser(http), link, "dana@company.com")
            listed = await client.call_tool("outlook_list_calendar_events", WEEK)
            refused = error_of(await client.call_tool("outlook_create_calendar_event", INVITATION))
            after = await client.call_tool("outlook_list_calendar_events", {**WEEK, "filter": "subject eq 'Planning'"})
    assert listed.structured_content["now"]["timeZone"] == "Asia/Tokyo"
    # This client cannot ask a person anything, so nothing may be mailed.
    assert (refused["code"], refused["who_acts"]) == ("permission_missing", "user")
    assert after.structured_content["value"] == []


def error_of(result: Any) -> dict[str, Any]:
    """The error object of a refused call."""
    assert result.is_error, result.structured_content
    return result.structured_content["error"]

"""Content and secrets over every transport, era and keeper of tokens at DEBUG: none of it reaches the log."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from planted_support import (
    CLIENT_SECRET,
    LIST,
    SERVICE_KEY,
    SESSION_KEY,
    VAULT_KEY,
    WORDS,
    Heard,
    Life,
    up,
)

from scalekit_mcp.clock import SystemClock
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.server.callers.session_tokens import SessionTokens
from tests.support import processes
from tests.support.remote_process import free_port

DANA = "dana@company.com"
GUEST = "planted.guest@elsewhere.example"
PEOPLE = ("dana@company", "Lindqvist", "elsewhere.example")
MOMENT = {
    "start_datetime": "2026-04-07T10:00:00",
    "end_datetime": "2026-04-07T11:00:00",
    "start_timezone": "UTC",
    "end_timezone": "UTC",
}


@dataclass(frozen=True)
class Way:
    """How a client talks to the server, and who keeps the tokens."""

    transport: str
    era: str
    keeper: str

    def __str__(self) -> str:
        return f"{self.transport}-{self.era}-{self.keeper}"


WAYS = [
    Way("http", "auto", "embedded"),
    Way("http", "legacy", "embedded"),
    Way("sse", "legacy", "embedded"),
    Way("stdio", "auto", "embedded"),
    Way("stdio", "legacy", "embedded"),
    Way("http", "legacy", "hosted"),
    Way("sse", "legacy", "hosted"),
    Way("stdio", "auto", "hosted"),
]


def settings(folder: Path, sandbox: Sandbox, microsoft: str, way: Way) -> dict[str, str]:
    sandbox.registration().client_secret = CLIENT_SECRET
    return {
        **(sandbox.scalekit_environment() if way.keeper == "hosted" else sandbox.environment(microsoft)),
        "SCALEKIT_MCP_MODE": way.keeper,
        "SCALEKIT_MCP_DATABASE_URL": f"sqlite+aiosqlite:///{(folder / 'vault.sqlite3').as_posix()}",
        "SCALEKIT_MCP_VAULT_KEYS": f"v1:{VAULT_KEY}",
        "SCALEKIT_MCP_SESSION_KEYS": f"k1:{base64.b64encode(SESSION_KEY).decode()}",
        "SCALEKIT_MCP_SERVICE_KEY": SERVICE_KEY,
        "SCALEKIT_MCP_IDENTIFIER": "ana",
        "SCALEKIT_MCP_LOG_LEVEL": "DEBUG",
        "SCALEKIT_MCP_USER_VERIFICATION": "off" if way.keeper == "hosted" else "confirm",
    }


@asynccontextmanager
async def over_stdio(folder: Path, life: Life, values: dict[str, str], way: Way) -> AsyncIterator[Client]:
    with (folder / "stderr").open("w", encoding="utf-8") as errors:
        server = processes.server(folder, "--port", str(life.heard.port), **values)
        async with Client(stdio_client(server, errlog=errors), mode=way.era) as client:
            yield client


@asynccontextmanager
async def over_http(folder: Path, life: Life, values: dict[str, str], way: Way) -> AsyncIterator[Client]:
    line = processes.command("serve", "--transport", "http", "--port", str(life.heard.port))
    environment = processes.environment(folder, **values)
    async with AsyncExitStack() as stack:
        out, err = (stack.enter_context((folder / name).open("wb")) for name in ("stdout", "stderr"))
        process = await stack.enter_async_context(
            await anyio.open_process(line, env=environment, stdout=out, stderr=err)
        )
        stack.callback(process.terminate)
        async with httpx.AsyncClient() as http:
            await up(http, f"{life.base}/healthz")
        bearer = {"authorization": f"Bearer {life.bearer}"}
        if way.transport == "sse":
            yield await stack.enter_async_context(Client(sse_client(f"{life.base}/sse", headers=bearer), mode=way.era))
        else:
            yield await stack.enter_async_context(life.client(way.era))
        await strangers(life)


async def strangers(life: Life) -> None:
    """Everything that a library in between may quote when it refuses: bodies, heads, paths, session ids."""
    planted = "planted-by-a-stranger"
    async with life.http(authorization=f"Bearer {life.bearer}") as http:
        for body in (b"{planted", b'{"jsonrpc": "2.0", "id": 1, "method": "planted", "params": "planted"}'):
            headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
            await http.post(f"{life.base}/mcp", content=body, headers=headers)
            await http.post(f"{life.base}/mcp", content=body, headers={**headers, "mcp-session-id": planted})
            for session in (planted, "0" * 32):
                await http.post(f"{life.base}/messages/?session_id={session}", content=body, headers=headers)
        for head in ({"host": planted}, {"origin": f"https://{planted}"}, {"mcp-protocol-version": planted}):
            await http.post(f"{life.base}/mcp", json={}, headers=head)
    async with life.http(authorization=f"Bearer {SERVICE_KEY}") as http:
        call: dict[str, Any] = {"identifier": "ana", "tool_name": LIST, "params": {"filter": "planted eq 'planted'"}}
        await http.post(f"{life.base}/api/v1/execute_tool", json=call)
        await http.post(f"{life.base}/api/v1/execute_tool", content=b"{planted")
    async with life.http() as http:
        await http.get(f"{life.base}/connect/{planted}")
        await http.get(f"{life.base}/oauth/callback", params={"code": planted, "state": planted})
        await http.get(f"{life.base}/mcp", headers={"authorization": f"Bearer {planted}"})
    async with await anyio.connect_tcp("127.0.0.1", life.heard.port) as raw:
        await raw.send(b"planted not HTTP at all\r\n\r\n")
        await raw.receive()


async def use(life: Life, client: Client) -> None:
    """Consent, codes right and wrong, events with planted words, failures that quote what was asked."""
    told = await life.call(client, LIST)
    link = told["error"]["authorization_url"]
    life.heard.tickets.add(link.rsplit("/", 1)[-1])
    async with httpx.AsyncClient(timeout=30) as http:
        page = await consent(Browser(http), link, DANA)
    code = life.code_on(page)
    if code is not None:
        await life.call(client, "authorize", confirmation_code="00000000")
        await life.call(client, "authorize", confirmation_code=code)
    created = await life.call(client, "outlook_create_calendar_event", **MOMENT, **WORDS, attendees_required=GUEST)
    assert created["subject"] == WORDS["subject"]
    assert (await life.call(client, LIST, filter="subject eq 'planted subject words'"))["value"]
    await life.call(client, "outlook_update_calendar_event", event_id=created["id"], location="planted place two")
    await life.call(client, "outlook_get_calendar_event", event_id="planted words for an id")
    await life.call(client, LIST, filter="planted is no filter")
    await life.call(client, "outlook_create_calendar_event", **{**MOMENT, **WORDS, "start_timezone": "planted/zone"})
    life.sandbox.graph_error(500, body="planted answer words")
    await life.call(client, "outlook_get_calendar_event", event_id=created["id"])
    await life.call(client, "outlook_delete_calendar_event", event_id=created["id"], cancellation_message="planted")


def log_of(folder: Path) -> str:
    """Everything that the process wrote beside its wire."""
    return "".join(file.read_text("utf-8") for file in sorted(folder.glob("std*")))


@pytest.mark.parametrize("way", WAYS, ids=str)
async def test_no_content_and_no_secret_reaches_the_log_over_any_transport(tmp_path: Path, way: Way) -> None:
    sandbox, heard = Sandbox(week_of=date(2026, 4, 6)), Heard(port=free_port())
    base = f"http://localhost:{heard.port}"
    tokens = SessionTokens({"k1": SESSION_KEY}, audience=f"{base}/mcp", clock=SystemClock())
    life = Life(base, sandbox, heard, tokens.mint("ana")[0], tmp_path)
    with anyio.fail_after(240):
        async with sandbox.serve() as microsoft:
            values = settings(tmp_path, sandbox, microsoft, way)
            opened = over_stdio if way.transport == "stdio" else over_http
            async with opened(tmp_path, life, values, way) as client:
                await use(life, client)
            secrets = life.secrets()
    told = log_of(tmp_path)
    assert "DEBUG" in told or "INFO" in told
    assert {"access token", "refresh token"} <= set(secrets.values())
    assert not {kind for secret, kind in secrets.items() if secret in told}
    assert not [each for each in (*heard.tickets, *heard.codes, "planted", *PEOPLE) if each in told]

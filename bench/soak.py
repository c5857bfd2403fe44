"""`make soak`: 20,000 calls of two users on one server process, each answer checked, and its memory watched.

Clients of 2026-07-28 and of 2025-11-25 take turns; the older ones open a session for every hundred calls. Memory is
looked at after each tenth; from the second tenth on, when all caches are filled, it must stay flat.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
from base64 import b64encode
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import httpx2 as httpx
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from bench.over_http import LIST, free_port
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.server.callers.session_tokens import SessionTokens, parse_keys

CALLS = int(os.environ.get("SOAK_CALLS", "20000"))
TENTHS = 10
PER_SESSION = 100
GROWTH_MIB = 12.0
PEOPLE = {"dana": "dana@company.com", "alice": "alice@company.com"}


def memory_mib(pid: int) -> float:
    """Resident memory of the process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def main() -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        sandbox = await anyio.open_process([sys.executable, "-m", "bench.sandbox_process"], stdin=None, stderr=None)
        stack.callback(sandbox.terminate)
        assert sandbox.stdout is not None
        port = free_port()
        keys = f"soak:{b64encode(secrets.token_bytes(32)).decode()}"
        environment = {
            **os.environ,
            **json.loads(await sandbox.stdout.receive()),
            "SCALEKIT_MCP_LOG_LEVEL": "WARNING",
            "SCALEKIT_MCP_DATABASE_URL": f"sqlite+aiosqlite:///{(folder / 'vault.sqlite3').as_posix()}",
            "SCALEKIT_MCP_VAULT_KEYS": keys,
            "SCALEKIT_MCP_SESSION_KEYS": keys,
            "SCALEKIT_MCP_PORT": str(port),
            "SCALEKIT_MCP_PUBLIC_URL": f"http://localhost:{port}",
            "SCALEKIT_MCP_USER_VERIFICATION": "off",
        }
        server = await anyio.open_process(
            [sys.executable, "-m", "scalekit_mcp", "serve", "--transport", "http"],
            env=environment,
            stdin=None,
            stdout=-3,
            stderr=-3,  # one audit line for each call
        )
        stack.callback(server.terminate)
        url = f"http://localhost:{port}/mcp"
        tokens = SessionTokens(parse_keys(keys), audience=url, clock=SystemClock())
        await answers(f"http://localhost:{port}/readyz")
        for identifier, address in PEOPLE.items():
            await connect(url, tokens, identifier, address)
        measured: list[float] = []
        for tenth in range(TENTHS):
            async with anyio.create_task_group() as tasks:
                for number, identifier in enumerate([*PEOPLE] * 2):
                    era = ("auto", "legacy")[number // len(PEOPLE)]
                    tasks.start_soon(work, url, tokens, identifier, era, CALLS // TENTHS // 4)
            measured.append(memory_mib(server.pid))
            print(f"{(tenth + 1) * (CALLS // TENTHS)} calls: {measured[-1]:.1f} MiB", flush=True)
        growth = max(measured[2:]) - measured[1]
        print(f"growth after the second tenth: {growth:.1f} MiB (at most {GROWTH_MIB})")
        sys.exit(growth > GROWTH_MIB)


async def answers(url: str) -> None:
    with anyio.fail_after(60):
        async with httpx.AsyncClient() as http:
            while True:
                try:
                    if (await http.get(url)).status_code == 200:
                        return
                except httpx.TransportError:
                    await anyio.sleep(0.05)


async def connect(url: str, tokens: SessionTokens, identifier: str, address: str) -> None:
    """Sign one person in, and book the event by which their answers are told apart."""
    async with httpx.AsyncClient(timeout=60) as http, opened(url, tokens, identifier, "auto") as client:
        refused = await client.call_tool(LIST, {})
        await consent(Browser(http), refused.structured_content["error"]["authorization_url"], address)
        event = {
            "subject": f"Soak of {identifier}",
            "start_datetime": "2031-04-01T10:00:00",
            "start_timezone": "UTC",
            "end_datetime": "2031-04-01T11:00:00",
            "end_timezone": "UTC",
        }
        assert not (await client.call_tool("outlook_create_calendar_event", event)).is_error


def opened(url: str, tokens: SessionTokens, identifier: str, era: str) -> Client:
    http = httpx.AsyncClient(headers={"authorization": f"Bearer {tokens.mint(identifier)[0]}"}, timeout=60)
    return Client(streamable_http_client(url, http_client=http), mode=era)


async def work(url: str, tokens: SessionTokens, identifier: str, era: str, calls: int) -> None:
    window = {"start_datetime": "2031-04-01T00:00:00", "end_datetime": "2031-04-02T00:00:00", "timezone": "UTC"}
    for start in range(0, calls, PER_SESSION):
        async with opened(url, tokens, identifier, era) as client:
            for _ in range(min(PER_SESSION, calls - start)):
                result = await client.call_tool(LIST, window)
                subjects = [event["subject"] for event in result.structured_content["value"]]
                assert subjects == [f"Soak of {identifier}"], (identifier, subjects)


if __name__ == "__main__":
    anyio.run(main)

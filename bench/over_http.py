"""Calls per second and their times over Streamable HTTP, with 1 and 16 clients, beside the floor in the same run.

The load comes from plain HTTP requests of 2026-07-28, so that little of the machine goes into the client. The two
servers take turns in short rounds; a ratio is the median over the rounds. The processor time of a call, where the
system tells it, is what other work on the machine disturbs least.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import statistics
import sys
import time
from base64 import b64encode
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
from rich.table import Table

from scalekit_mcp.clock import SystemClock
from scalekit_mcp.server.tokens import SessionTokens, parse_keys

CALLS = int(os.environ.get("BENCH_HTTP_CALLS", "160"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
CLIENTS = (1, 16)
LIST = "outlook_list_calendar_events"
VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processor_seconds(pid: int) -> float | None:
    """What the process has used so far; None where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Target:
    """One server under load."""

    def __init__(self, name: str, pid: int, port: int, arguments: dict[str, Any], token: str = "none") -> None:
        self.name = name
        self.pid = pid
        self.port = port
        self.body = {"name": LIST, "arguments": arguments, "_meta": META}
        self.headers = {
            "accept": "application/json, text/event-stream",
            "authorization": f"Bearer {token}",
            "mcp-protocol-version": VERSION,
            "mcp-method": "tools/call",
            "mcp-name": LIST,
        }

    async def answers(self) -> None:
        """Until it does; bounded."""
        with anyio.fail_after(60):
            async with httpx.AsyncClient() as http:
                while True:
                    try:
                        await self._call(http)
                    except httpx.TransportError:
                        await anyio.sleep(0.05)
                    else:
                        return

    async def _call(self, http: httpx.AsyncClient) -> None:
        request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": self.body}
        answer = await http.post(f"http://localhost:{self.port}/mcp", json=request, headers=self.headers)
        result = json.loads(answer.content).get("result")
        assert result is not None, answer.text[:500]
        assert not result.get("isError"), answer.text[:500]

    async def round(self, https: list[httpx.AsyncClient], calls: int) -> tuple[float, list[float]]:
        """Calls per second and the seconds of each call, of so many clients that each wait for their answer."""
        spent: list[float] = []
        left = calls

        async def work(http: httpx.AsyncClient) -> None:
            nonlocal left
            while left > 0:
                left -= 1
                started = time.perf_counter()
                await self._call(http)
                spent.append(time.perf_counter() - started)

        began = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for http in https:
                tasks.start_soon(work, http)
        return len(spent) / (time.perf_counter() - began), spent


async def remote(
    stack: AsyncExitStack, table: Table, environment: dict[str, str], floor_spec: str, arguments: dict[str, Any]
) -> None:
    """Add the rows of the HTTP face. `environment` is that of our stdio server, whose account is signed in."""
    ours, floor = free_port(), free_port()
    keys = f"bench:{b64encode(secrets.token_bytes(32)).decode()}"
    values = {
        **environment,
        "SCALEKIT_MCP_SESSION_KEYS": keys,
        "SCALEKIT_MCP_PUBLIC_URL": f"http://localhost:{ours}",
        "SCALEKIT_MCP_PORT": str(ours),
        "SCALEKIT_MCP_USER_VERIFICATION": "off",
    }
    commands = (
        (["-m", "scalekit_mcp", "serve", "--transport", "http"], values),
        (["-m", "bench.http_floor", str(floor)], {**os.environ, "FLOOR": floor_spec}),
    )
    pids: list[int] = []
    for arguments_, env in commands:
        process = await anyio.open_process([sys.executable, *arguments_], env=env, stdin=None, stdout=-3, stderr=-3)
        stack.callback(process.terminate)
        pids.append(process.pid)
    tokens = SessionTokens(parse_keys(keys), audience=f"http://localhost:{ours}/mcp", clock=SystemClock())
    targets = (
        Target("floor", pids[1], floor, arguments[LIST]),
        Target("ours", pids[0], ours, arguments[LIST], tokens.mint("bench")[0]),
    )
    for target in targets:
        await target.answers()
    for count in CLIENTS:
        rates: dict[str, list[float]] = {"floor": [], "ours": []}
        spent: dict[str, list[float]] = {"floor": [], "ours": []}
        used: dict[str, list[float]] = {"floor": [], "ours": []}
        async with AsyncExitStack() as clients:
            https = [await clients.enter_async_context(httpx.AsyncClient(timeout=60)) for _ in range(count)]
            for number in range(ROUNDS + 1):
                for target in targets:
                    before = processor_seconds(target.pid)
                    rate, seconds = await target.round(https, CALLS)
                    after = processor_seconds(target.pid)
                    if number:  # the first round warms both
                        if before is not None and after is not None:
                            used[target.name].append((after - before) / len(seconds))
                        rates[target.name].append(rate)
                        spent[target.name] += seconds
        ratio = statistics.median(b / a for a, b in zip(rates["floor"], rates["ours"], strict=True))
        label = f"HTTP, {count} client{'s' if count > 1 else ''}"
        a, b = (statistics.median(rates[name]) for name in ("floor", "ours"))
        table.add_row(f"{label}: calls per second", f"{a:.0f}", f"{b:.0f}", f"{ratio:.2f}", "0.75")
        for share, name in ((0.5, "p50"), (0.99, "p99")):
            a, b = (sorted(spent[who])[int(len(spent[who]) * share)] for who in ("floor", "ours"))
            row = (f"{a * 1000:.1f} ms", f"{b * 1000:.1f} ms", f"{b / a:.2f}")
            table.add_row(f"{label}: {name} of {len(spent['ours'])}", *row, "1.25" if name == "p50" else "")
        if used["floor"]:
            a, b = (statistics.mean(used[name]) for name in ("floor", "ours"))
            table.add_row(
                f"{label}: processor time of a call", f"{a * 1e3:.1f} ms", f"{b * 1e3:.1f} ms", f"{b / a:.2f}"
            )

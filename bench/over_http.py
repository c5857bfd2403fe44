"""Calls per second and their times over Streamable HTTP, with 1 and 16 clients, beside the floor in the same run.

The load comes from plain HTTP requests of 2026-07-28, so that little of the machine goes into the client. The two
servers take turns in short rounds; a ratio is the median over the rounds. The processor time of a call, where the
system tells it, is what other work on the machine disturbs least.
"""

from __future__ import annotations

import itertools
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
import anyio.abc
import httpx2 as httpx

from bench.report import MORE, Report
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.server.callers.session_tokens import SessionTokens, parse_keys

CALLS = int(os.environ.get("BENCH_HTTP_CALLS", "64"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9"))
CLIENTS = (1, 16)
MOST_MB = 110
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


async def process(stack: AsyncExitStack, arguments: list[str], **options: Any) -> anyio.abc.Process:
    """A Python process that ends with the stack."""
    started = await anyio.open_process([sys.executable, *arguments], stdin=None, **options)

    async def end() -> None:
        started.terminate()
        await started.wait()
        await started.aclose()

    stack.push_async_callback(end)
    return started


def resident_mb(pid: int) -> float | None:
    """Resident memory of the process in 10^6 bytes; None where the system does not say."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def processor_seconds(pid: int) -> float | None:
    """What the process has used so far; None where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Target:
    """One server under load."""

    def __init__(self, name: str, pid: int, port: int, token: str = "none") -> None:
        self.name = name
        self.pid = pid
        self.port = port
        self.calls = 0
        self.common = {
            "accept": "application/json, text/event-stream",
            "authorization": f"Bearer {token}",
            "mcp-protocol-version": VERSION,
            "mcp-method": "tools/call",
        }
        self.use(LIST, {})

    def use(self, tool: str, arguments: dict[str, Any]) -> None:
        """Make the next calls those of this tool."""
        self.body = {"name": tool, "arguments": arguments, "_meta": META}
        self.headers = {**self.common, "mcp-name": tool}

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
        self.calls += 1

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


class Remote:
    """Our server and the floor over HTTP."""

    def __init__(self, stack: AsyncExitStack, report: Report) -> None:
        self._stack = stack
        self._report = report
        self._targets: tuple[Target, ...] = ()

    async def start(self, environment: dict[str, str], floor_spec: str) -> None:
        """Begin both. `environment` is that of our stdio server, whose account is signed in."""
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
            (["-m", "bench.http_floor", str(floor)], {**environment, "FLOOR": floor_spec}),
        )
        pids: list[int] = []
        for arguments, env in commands:
            pids.append((await process(self._stack, arguments, env=env, stdout=-3, stderr=-3)).pid)
        tokens = SessionTokens(parse_keys(keys), audience=f"http://localhost:{ours}/mcp", clock=SystemClock())
        self._targets = (Target("floor", pids[1], floor), Target("ours", pids[0], ours, tokens.mint("bench")[0]))
        for target in self._targets:
            await target.answers()

    async def measure(self, tool: str, short: str, arguments: dict[str, Any]) -> None:
        """Add the rows of one tool."""
        for target in self._targets:
            target.use(tool, arguments)
        for count in CLIENTS:
            await self._measure(short, count)

    async def memory(self, calls: int) -> None:
        """Add the memory of both after so many calls."""
        found: list[float | None] = []
        async with httpx.AsyncClient(timeout=60) as http:
            for target in self._targets:
                if target.calls < calls:
                    await target.round([http], calls - target.calls)
                found.append(resident_mb(target.pid))
        floor, ours = found
        if floor is None or ours is None:
            self._report.left_out.append("memory: this system does not tell it")
            return
        self._report.ratio(
            "Memory",
            f"HTTP, resident after {calls:,} calls or more",
            (floor, ours),
            "{:.0f} MB",
            aim_text=f"≤ {MOST_MB} MB",
            good=ours <= MOST_MB,
        )

    async def _measure(self, short: str, count: int) -> None:
        rates: dict[str, list[float]] = {"floor": [], "ours": []}
        spent: dict[str, list[list[float]]] = {"floor": [], "ours": []}
        used: dict[str, list[float]] = {"floor": [], "ours": []}
        async with AsyncExitStack() as clients:
            https = [await clients.enter_async_context(httpx.AsyncClient(timeout=60)) for _ in range(count)]
            for number in range(ROUNDS + 1):
                for target in self._targets:
                    before = processor_seconds(target.pid)
                    rate, seconds = await target.round(https, CALLS)
                    after = processor_seconds(target.pid)
                    if number:  # the first round warms both
                        if before is not None and after is not None:
                            used[target.name].append((after - before) / len(seconds))
                        rates[target.name].append(rate)
                        spent[target.name].append(seconds)
        group = f"HTTP, {count} client{'s' if count > 1 else ''}"
        add_calls(self._report, group, short, rates, spent)
        if used["floor"]:
            floor, ours = (statistics.mean(used[name]) for name in ("floor", "ours"))
            self._report.ratio(group, f"{short}: processor time of a call", (floor * 1e3, ours * 1e3), "{:.1f} ms")
            self._report.facts[f"http_{short}_{count}_processor_ms"] = ours * 1e3


def add_calls(
    report: Report, group: str, short: str, rates: dict[str, list[float]], spent: dict[str, list[list[float]]]
) -> None:
    """Add p50, p99 and calls per second of one tool, from the rates and the seconds of the calls of each round.

    A ratio is the middle one of the rounds, in which both took turns. Only a p99 needs the calls of all rounds.
    """
    p50 = {who: [statistics.median(seconds) for seconds in rounds] for who, rounds in spent.items()}
    ratio = statistics.median(b / a for a, b in zip(p50["floor"], p50["ours"], strict=True))
    middle = (statistics.median(p50["floor"]) * 1e3, statistics.median(p50["ours"]) * 1e3)
    report.ratio(group, f"{short}: p50", middle, "{:.1f} ms", ratio, aim=1.25)
    calls = {who: sorted(itertools.chain(*rounds)) for who, rounds in spent.items()}
    floor, ours = (calls[who][int(len(calls[who]) * 0.99)] * 1e3 for who in ("floor", "ours"))
    report.ratio(group, f"{short}: p99", (floor, ours), "{:.1f} ms")
    ratio = statistics.median(b / a for a, b in zip(rates["floor"], rates["ours"], strict=True))
    middle = (statistics.median(rates["floor"]), statistics.median(rates["ours"]))
    report.ratio(group, f"{short}: calls per second", middle, "{:.0f}", ratio, aim=0.75, better=MORE)

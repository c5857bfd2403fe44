"""`make bench`: cold start, then calls over stdio and over HTTP, each beside its floor in the same run."""

from __future__ import annotations

import json
import os
import platform
import secrets
import statistics
import sys
import tempfile
import time
from base64 import b64encode
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import httpx2 as httpx
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from rich.console import Console
from rich.table import Table

from bench.over_http import remote
from scalekit_mcp.demo.browser import Browser, consent

STARTS = int(os.environ.get("BENCH_STARTS", "7"))
CALLS = int(os.environ.get("BENCH_CALLS", "150"))
PERSON = "dana@company.com"
KEPT_HEADERS = {"prefer", "accept", "content-type"}
CREATE = {
    "subject": "Benchmark",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "America/New_York",
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": "America/New_York",
}


def quiet(command: StdioServerParameters):
    return stdio_client(command, errlog=Path(os.devnull).open("w", encoding="utf-8"))


async def cold_start(command: StdioServerParameters) -> float:
    """Seconds from the start of the process to the answer of tools/list."""
    started = time.perf_counter()
    async with Client(quiet(command)) as client:
        await client.list_tools()
        return time.perf_counter() - started


def p(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def main() -> None:
    console = Console()
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    console.print(f"Python {platform.python_version()}, {machine}")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        sandbox = await anyio.open_process(
            [sys.executable, "-m", "bench.sandbox_process"], stdin=None, stdout=-1, stderr=None
        )
        stack.callback(sandbox.terminate)
        assert sandbox.stdout is not None
        environment = json.loads(await sandbox.stdout.receive())
        base = environment["MICROSOFT_GRAPH_URL"].removesuffix("/v1.0")
        ours = StdioServerParameters(
            command=sys.executable,
            args=["-m", "scalekit_mcp", "serve", "--identifier", "bench"],
            env={
                **os.environ,
                **environment,
                "SCALEKIT_MCP_LOG_LEVEL": "WARNING",
                "SCALEKIT_MCP_DATABASE_URL": f"sqlite+aiosqlite:///{(folder / 'vault.sqlite3').as_posix()}",
                "SCALEKIT_MCP_VAULT_KEYS": f"bench:{b64encode(secrets.token_bytes(32)).decode()}",
            },
        )
        floor = StdioServerParameters(command=sys.executable, args=["-m", "bench.floor"], env={**os.environ})
        table = Table("measured", "floor", "ours", "ratio", "aim", title="Beside a bare MCP server, same run")

        for command in (floor, ours):
            await cold_start(command)  # writes byte code and warms the disk
        times: dict[str, list[float]] = {"floor": [], "ours": []}
        for _ in range(STARTS):
            times["floor"].append(await cold_start(floor))
            times["ours"].append(await cold_start(ours))
        ratios = [b / a for a, b in zip(times["floor"], times["ours"], strict=True)]
        table.add_row(
            f"cold start to tools/list, median of {STARTS}",
            f"{statistics.median(times['floor']) * 1000:.0f} ms",
            f"{statistics.median(times['ours']) * 1000:.0f} ms",
            f"{statistics.median(ratios):.2f}",
            "1.25",
        )

        http = await stack.enter_async_context(httpx.AsyncClient(timeout=20))
        client = await stack.enter_async_context(Client(quiet(ours)))
        refused = await client.call_tool("outlook_list_calendar_events", {"top": 20})
        await consent(Browser(http), refused.structured_content["error"]["authorization_url"], PERSON)

        for number in range(25):  # enough events for a list of twenty
            given = {**CREATE, "subject": f"Benchmark {number}"}
            created = await client.call_tool("outlook_create_calendar_event", given)
        event_id = created.structured_content["id"]
        arguments = {
            "outlook_list_calendar_events": {"top": 20},
            "outlook_get_calendar_event": {"event_id": event_id},
            "outlook_create_calendar_event": CREATE,
        }
        calls: dict[str, list] = {}
        token = ""
        for tool, given in arguments.items():
            result = await client.call_tool(tool, given)
            assert not result.is_error, result
            recorded = (await http.get(f"{base}/_sandbox/requests", params={"area": "graph"})).json()
            last = (recorded["requests"] if isinstance(recorded, dict) else recorded)[-1]
            token = last["headers"]["authorization"].removeprefix("Bearer ")
            body = {k: v for k, v in last["body"].items() if k != "transactionId"} if last["body"] else None
            headers = {name: value for name, value in last["headers"].items() if name in KEPT_HEADERS}
            calls[tool] = [last["method"], last["path"], last["query"], headers, body]
        floor.env["FLOOR"] = json.dumps({"base": base, "token": token, "calls": calls})
        bare = await stack.enter_async_context(Client(quiet(floor)))
        for tool, given in arguments.items():
            spent: dict[str, list[float]] = {"floor": [], "ours": []}
            for number in range(CALLS + 10):
                for name, who, what in (("floor", bare, {}), ("ours", client, given)):
                    started = time.perf_counter()
                    result = await who.call_tool(tool, what)
                    if number >= 10:
                        spent[name].append(time.perf_counter() - started)
                    assert not result.is_error, result
            for share, label in ((0.5, "p50"), (0.99, "p99")):
                a, b = p(spent["floor"], share), p(spent["ours"], share)
                aim = "1.25" if label == "p50" else ""
                row = (f"{a * 1000:.1f} ms", f"{b * 1000:.1f} ms", f"{b / a:.2f}", aim)
                table.add_row(f"{tool}, {label} of {CALLS}", *row)
        await remote(stack, table, {**(ours.env or {})}, floor.env["FLOOR"], arguments)
        console.print(table)


if __name__ == "__main__":
    anyio.run(main)

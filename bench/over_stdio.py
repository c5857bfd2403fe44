"""Over stdio: the start, the first call, what is sent, the times of calls, and memory, beside the floor."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import TextContent

from bench.over_http import CLIENTS, MOST_MB, add_calls, resident_mb
from bench.report import NONE, Report, Row

STARTS = int(os.environ.get("BENCH_STARTS", "9"))
CALLS = int(os.environ.get("BENCH_CALLS", "64"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9"))
CHARACTERS_OF_A_TOKEN = 4
THINKING_SECONDS = 1.0
"""How long a first call waits after tools/list: less than a person and a model need."""

ANSWER_SECONDS = 60.0
"""How long any answer may take; a server that needs longer has failed."""


def quiet(command: StdioServerParameters):
    return stdio_client(command, errlog=Path(os.devnull).open("w", encoding="utf-8"))


def children() -> set[int]:
    """The processes that this one started; empty where the system does not say."""
    found: set[int] = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1]) == os.getpid():
                found.add(int(path.parent.name))
    return found


async def started(
    command: StdioServerParameters, tool: str, arguments: dict[str, Any], *, pause_seconds: float = 0
) -> tuple[float, float, float]:
    """Seconds from the start of the process to tools/list, of the first call a pause after it, and of all of it."""
    began = time.perf_counter()
    async with Client(quiet(command), read_timeout_seconds=ANSWER_SECONDS) as client:
        await client.list_tools()
        listed = time.perf_counter()
        await anyio.sleep(pause_seconds)
        asked = time.perf_counter()
        result = await client.call_tool(tool, arguments)
        called = time.perf_counter()
        assert not result.is_error, result
        return listed - began, called - asked, called - began


async def starts(
    report: Report, floor: StdioServerParameters, ours: StdioServerParameters, tool: str, arguments: dict[str, Any]
) -> None:
    """Add cold start and first call, at once and later; the account is signed in already."""
    for command in (floor, ours):
        await started(command, tool, arguments)  # writes byte code and warms the disk
    pairs = [
        (await started(floor, tool, arguments), await started(ours, tool, arguments)) for _ in range(max(1, STARTS))
    ]
    later = [
        tuple([await started(command, tool, arguments, pause_seconds=THINKING_SECONDS) for command in (floor, ours)])
        for _ in range(max(1, STARTS))
    ]
    rows = (
        ("process start to the answer of tools/list", pairs, 0, 1.15),
        ("first list call at once after that", pairs, 1, None),
        (f"first list call {THINKING_SECONDS:g} s after that, as a model thinks first", later, 1, 1.5),
        ("process start to the answer of a first list call at once", pairs, 2, None),
    )
    for name, measured, number, aim in rows:
        middle = tuple(statistics.median(pair[who][number] for pair in measured) * 1e3 for who in (0, 1))
        ratio = statistics.median(pair[1][number] / pair[0][number] for pair in measured)
        report.ratio("Start, stdio", name, (middle[0], middle[1]), "{:.0f} ms", ratio, aim=aim)


async def payloads(report: Report, floor: Client, ours: Client, calls: dict[str, tuple[str, dict[str, Any]]]) -> None:
    """Add the sizes of what a host receives: the tools, and the answer of each call under its name."""
    tools = (await ours.list_tools()).model_dump_json(by_alias=True, exclude_none=True)
    group = "Payload"
    size = len(tools.encode())
    report.add(
        Row(group, "tools/list, bytes", NONE, f"{size:,}"),
        Row(group, "tools/list, tokens (estimated)", NONE, f"{len(tools) / CHARACTERS_OF_A_TOKEN:,.0f}"),
    )
    for name, (tool, arguments) in calls.items():
        texts: list[str] = []
        for client, given in ((floor, {}), (ours, arguments)):
            result = await client.call_tool(tool, given)
            assert not result.is_error, result
            texts.append("".join(block.text for block in result.content if isinstance(block, TextContent)))
        sizes, tokens = [len(text.encode()) for text in texts], [len(text) / CHARACTERS_OF_A_TOKEN for text in texts]
        report.ratio(group, f"{name}, bytes of its text", (sizes[0], sizes[1]), "{:,.0f}")
        report.ratio(group, f"{name}, tokens of its text (estimated)", (tokens[0], tokens[1]), "{:,.0f}")


class Local:
    """Both servers over stdio, called in turns."""

    def __init__(self, report: Report, floor: Client, ours: Client) -> None:
        self._report = report
        self._who = {"floor": floor, "ours": ours}
        self._calls = {"floor": 0, "ours": 0}

    async def measure(self, tool: str, short: str, arguments: dict[str, Any]) -> None:
        """Add the rows of one tool: one call at a time, then 16 under way on the one pipe."""
        for count in CLIENTS:
            rates: dict[str, list[float]] = {"floor": [], "ours": []}
            spent: dict[str, list[list[float]]] = {"floor": [], "ours": []}
            for number in range(ROUNDS + 1):
                for name in self._who:
                    rate, seconds = await self._round(name, tool, arguments, CALLS, count)
                    if number:
                        rates[name].append(rate)
                        spent[name].append(seconds)
            add_calls(self._report, f"stdio, {count} under way", short, rates, spent)

    async def memory(self, pids: dict[str, int | None], calls: int, tool: str, arguments: dict[str, Any]) -> None:
        """Add the memory of both after so many calls."""
        found: dict[str, float | None] = {}
        for name, pid in pids.items():
            await self._round(name, tool, arguments, max(0, calls - self._calls[name]), 1)
            found[name] = None if pid is None else resident_mb(pid)
        floor, ours = found["floor"], found["ours"]
        if floor is None or ours is None:
            self._report.left_out.append("memory: this system does not tell it")
            return
        self._report.ratio(
            "Memory",
            f"stdio, resident after {calls:,} calls or more",
            (floor, ours),
            "{:.0f} MB",
            aim_text=f"≤ {MOST_MB} MB",
            good=ours <= MOST_MB,
        )

    async def _round(
        self, name: str, tool: str, arguments: dict[str, Any], calls: int, count: int
    ) -> tuple[float, list[float]]:
        given = {} if name == "floor" else arguments
        self._calls[name] += calls
        return await round_of_calls(self._who[name], tool, given, calls, count)


async def round_of_calls(
    client: Client, tool: str, arguments: dict[str, Any], calls: int, count: int
) -> tuple[float, list[float]]:
    """Calls per second and the seconds of each call, with so many under way on the one pipe."""
    spent: list[float] = []
    waiting = iter(range(calls))

    async def work() -> None:
        for _ in waiting:
            began = time.perf_counter()
            result = await client.call_tool(tool, arguments)
            spent.append(time.perf_counter() - began)
            assert not result.is_error, result

    began = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(work)
    return len(spent) / (time.perf_counter() - began), spent

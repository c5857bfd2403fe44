"""`make bench`: start, first call, payload, calls over stdio and HTTP, memory, vault, refresh storm.

`python -m bench [--only calls|vault|storm] [--write]`. Each row stands beside its floor in the same run. `--write`
measures everything twice and writes docs/benchmarks.md and docs/benchmarks.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import tempfile
from base64 import b64encode
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
from mcp import Client, StdioServerParameters

from bench import over_stdio, report, vault
from bench.over_http import Remote, process
from bench.report import Report
from bench.storm import storm
from scalekit_mcp.demo.browser import Browser, consent

DOCS = Path(__file__).parents[1] / "docs"
PARTS = ("calls", "vault", "storm")
MEMORY_CALLS = 1_000
PERSON = "dana@company.com"
KEPT_HEADERS = {"prefer", "accept", "content-type"}
LIST, GET, CREATE = (
    f"outlook_{name}" for name in ("list_calendar_events", "get_calendar_event", "create_calendar_event")
)
SHORT = {LIST: "list of 20 events", GET: "get", CREATE: "create"}
EVENT = {
    "subject": "Benchmark",
    "start_datetime": "2031-04-01T10:00:00",
    "start_timezone": "America/New_York",
    "end_datetime": "2031-04-01T11:00:00",
    "end_timezone": "America/New_York",
}


async def calls(found: Report) -> None:
    """Everything about calls: two servers on stdio, two on HTTP, one sandbox."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        sandbox = await process(stack, ["-m", "bench.sandbox_process"], stderr=None)
        assert sandbox.stdout is not None
        environment = json.loads(await sandbox.stdout.receive())
        base = environment["MICROSOFT_GRAPH_URL"].removesuffix("/v1.0")
        # As after an installation: byte code is written once, also where the caller's environment forbids it.
        machine = {
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(folder / "byte-code"),
        }
        ours_env = {
            **machine,
            **environment,
            "SCALEKIT_MCP_LOG_LEVEL": "WARNING",
            "SCALEKIT_MCP_DATABASE_URL": f"sqlite+aiosqlite:///{(folder / 'vault.sqlite3').as_posix()}",
            "SCALEKIT_MCP_VAULT_KEYS": f"bench:{b64encode(secrets.token_bytes(32)).decode()}",
        }
        serve = ["-m", "scalekit_mcp", "serve", "--identifier", "bench"]
        ours = StdioServerParameters(command=sys.executable, args=serve, env=ours_env)
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=20))
        pids: dict[str, int | None] = {}
        async with Client(over_stdio.quiet(ours)) as first:  # loads what a call needs, so that its byte code is written
            await first.call_tool(LIST, {"top": 20})
        before = over_stdio.children()
        client = await stack.enter_async_context(Client(over_stdio.quiet(ours)))
        pids["ours"] = next(iter(over_stdio.children() - before), None)
        arguments, spec = await recorded(client, http, base)

        floor = StdioServerParameters(
            command=sys.executable, args=["-m", "bench.floor"], env={**machine, "FLOOR": spec}
        )
        await over_stdio.starts(found, floor, ours, LIST, arguments[LIST])
        before = over_stdio.children()
        bare = await stack.enter_async_context(Client(over_stdio.quiet(floor)))
        pids["floor"] = next(iter(over_stdio.children() - before), None)
        answers = {SHORT[tool]: (tool, arguments[tool]) for tool in (LIST, CREATE)}
        await over_stdio.payloads(found, bare, client, answers)
        local, remote = over_stdio.Local(found, bare, client), Remote(stack, found)
        await remote.start(ours_env, spec)
        for tools in ((LIST, GET), (CREATE,)):  # creating comes last: it makes the mailbox larger
            for tool in tools:
                await local.measure(tool, SHORT[tool], arguments[tool])
            for tool in tools:
                await remote.measure(tool, SHORT[tool], arguments[tool])
        await local.memory(pids, MEMORY_CALLS, LIST, arguments[LIST])
        await remote.memory(MEMORY_CALLS)
    order = list(dict.fromkeys(row.group for row in found.rows))
    found.rows.sort(key=lambda row: order.index(row.group))


async def recorded(client: Client, http: httpx.AsyncClient, base: str) -> tuple[dict[str, Any], str]:
    """Sign in, make 25 events, and record the Graph request of each tool: our arguments, and the floor's orders."""
    refused = await client.call_tool(LIST, {"top": 20})
    await consent(Browser(http), refused.structured_content["error"]["authorization_url"], PERSON)
    created = None
    for number in range(25):  # enough events for a list of twenty
        created = await client.call_tool(CREATE, {**EVENT, "subject": f"Benchmark {number}"})
    assert created is not None
    arguments = {LIST: {"top": 20}, GET: {"event_id": created.structured_content["id"]}, CREATE: EVENT}
    orders: dict[str, list[Any]] = {}
    token = ""
    for tool, given in arguments.items():
        count = len(await graph_requests(http, base))
        result = await client.call_tool(tool, given)
        assert not result.is_error, result
        requests = await graph_requests(http, base)
        assert len(requests) == count + 1, f"{tool} made {len(requests) - count} requests, the floor makes one"
        last = requests[-1]
        token = last["headers"]["authorization"].removeprefix("Bearer ")
        body = {k: v for k, v in last["body"].items() if k != "transactionId"} if last["body"] else None
        headers = {name: value for name, value in last["headers"].items() if name in KEPT_HEADERS}
        orders[tool] = [last["method"], last["path"], last["query"], headers, body]
    return arguments, json.dumps({"base": base, "token": token, "calls": orders})


async def graph_requests(http: httpx.AsyncClient, base: str) -> list[Any]:
    answer = (await http.get(f"{base}/_sandbox/requests", params={"area": "graph"})).json()
    return answer["requests"] if isinstance(answer, dict) else answer


async def measured(parts: tuple[str, ...]) -> Report:
    found = Report()
    for part in parts:
        await {"calls": calls, "vault": vault.growth, "storm": storm}[part](found)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    runs: list[Report] = []
    for _ in range(2 if given.write else 1):
        runs.append(anyio.run(measured, tuple(given.only or PARTS)))
        report.on_console(runs[-1])
    print(" ".join(f"{name}={value:.1f}" for name, value in runs[-1].facts.items()))
    if given.write:
        text = (Path(__file__).parent / "page.md").read_text(encoding="utf-8")
        page = report.page(runs, date=f"{datetime.now(UTC):%Y-%m-%d}", text=text)
        (DOCS / "benchmarks.md").write_text(page, encoding="utf-8")
        (DOCS / "benchmarks.svg").write_text(report.picture(runs[0]), encoding="utf-8")


if __name__ == "__main__":
    main()

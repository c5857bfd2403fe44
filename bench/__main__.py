"""`make bench`: start, first call, payload, calls over stdio and HTTP, memory, vault, refresh storm.

`python -m bench [--only calls|vault|storm] [--write]`. Each row stands beside its floor in the same run. `--write`
measures everything twice and writes docs/benchmarks.md and docs/benchmarks.svg.
"""

from __future__ import annotations

import argparse
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import anyio
from mcp import Client

from bench import over_stdio, report, vault
from bench.over_http import Remote
from bench.report import Report
from bench.stage import CREATE, GET, LIST, SHORT, Stage
from bench.storm import storm

DOCS = Path(__file__).parents[1] / "docs"
PARTS = ("calls", "vault", "storm")
MEMORY_CALLS = 1_000
LISTED = {"top": 20}


async def calls(found: Report) -> None:
    """Everything about calls: two servers on stdio, two on HTTP, one sandbox."""
    async with AsyncExitStack() as stack:
        stage = await Stage.open(stack)
        ours = stage.ours()
        pids: dict[str, int | None] = {}
        # Signs in as another user, so that all byte code is written before anything is measured.
        async with Client(over_stdio.quiet(stage.ours("--identifier", "first"))) as first:
            await stage.signed_in(first, LISTED)
        client, pids["ours"] = await stage.connected(stack, ours)
        arguments, spec = await stage.recorded(client, LISTED)

        floor = stage.floor(spec)
        await over_stdio.starts(found, floor, ours, LIST, arguments[LIST])
        bare, pids["floor"] = await stage.connected(stack, floor)
        answers = {SHORT[tool]: (tool, arguments[tool]) for tool in (LIST, CREATE)}
        await over_stdio.payloads(found, bare, client, answers)
        local, remote = over_stdio.Local(found, bare, client), Remote(stack, found)
        await remote.start(stage.environment, spec)
        for tools in ((LIST, GET), (CREATE,)):  # creating comes last: it makes the mailbox larger
            for tool in tools:
                await local.measure(tool, SHORT[tool], arguments[tool])
            for tool in tools:
                await remote.measure(tool, SHORT[tool], arguments[tool])
        await local.memory(pids, MEMORY_CALLS, LIST, arguments[LIST])
        await remote.memory(MEMORY_CALLS)
    order = list(dict.fromkeys(row.group for row in found.rows))
    found.rows.sort(key=lambda row: order.index(row.group))


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

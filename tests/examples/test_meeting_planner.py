"""The example that plans a meeting with LangChain's tools, as a person runs it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pytest

from scalekit_mcp.demo.browser import Browser, consent
from tests.support.processes import environment

pytest.importorskip("langchain_core", reason="langchain-core is not installed (`make test-full` does)")
pytestmark = [pytest.mark.full]

PLANNER = Path(__file__).parent.parent.parent / "examples" / "langchain_meeting_planner.py"


@pytest.mark.parametrize("mode", ["embedded", "hosted"])
async def test_the_planner_finds_people_and_a_time_at_which_all_are_free_and_books_it(
    tmp_path: Path, mode: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PLANNER),
        env=environment(tmp_path, PYTHONUNBUFFERED="1", SCALEKIT_MCP_MODE=mode),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(120):
            link = (await process.stdout.readline()).decode().split()[-1]
            async with httpx.AsyncClient(timeout=20) as http:
                assert (await consent(Browser(http), link, "dana@company.com")).status == 200
            written, logged = await process.communicate(b"\n")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    out = written.decode()
    assert process.returncode == 0, logged.decode()
    possible = re.findall(r"possible (\S+) (\{.*\})", out)
    people = ("dana", "alice", "bob")
    assert possible[0][1] == str({f"{name}@company.com": "free" for name in people})
    assert f"booked Planning {possible[0][0]}" in out

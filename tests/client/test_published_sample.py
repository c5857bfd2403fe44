"""Scalekit's published sample runs with only its import and credentials changed."""

import subprocess
import sys
from pathlib import Path

import httpx2 as httpx

from scalekit_mcp.demo.browser import Browser, consent
from tests.support.processes import environment

SAMPLE = Path(__file__).parent.parent.parent / "examples" / "published_sample.py"


async def test_the_published_sample_connects_lists_creates_updates_and_repeats(tmp_path):
    process = subprocess.Popen(  # noqa: ASYNC220 - its lines are read as they come
        [sys.executable, str(SAMPLE)],
        env=environment(tmp_path, SCALEKIT_MCP_SANDBOX="true", PYTHONUNBUFFERED="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "PENDING"
        link = process.stdout.readline().split()[-1]
        async with httpx.AsyncClient(timeout=20) as http:
            page = await consent(Browser(http), link, "dana@company.com")
        assert page.status == 200
        out, err = process.communicate("\n", timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "ACTIVE" in out
    assert "created Q2 Planning Kickoff https://teams.microsoft.com" in out
    expected = ["alice@company.com", "bob@company.com", "carol@company.com", "dave@company.com"]
    assert f"updated {expected}" in out
    assert "series seriesMaster 2026-06-30" in out

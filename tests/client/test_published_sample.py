"""Scalekit's published sample runs with only its import and credentials changed."""

import asyncio
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pytest

from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.sandbox import Sandbox
from tests.support.processes import environment

SAMPLE = Path(__file__).parent.parent.parent / "examples" / "published_sample.py"


@pytest.mark.parametrize("mode", ["sandbox", "embedded", "hosted"])
async def test_the_published_sample_connects_lists_creates_updates_and_repeats(tmp_path, mode):
    sandbox = Sandbox()
    async with sandbox.serve() as base_url:
        settings = {
            "sandbox": {"SCALEKIT_MCP_SANDBOX": "true"},
            "embedded": sandbox.environment(base_url),
            "hosted": sandbox.scalekit_environment(),
        }[mode]
        await run_sample(environment(tmp_path, PYTHONUNBUFFERED="1", **settings))


async def run_sample(env: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SAMPLE),
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert (await process.stdout.readline()).decode().strip() == "PENDING"
        link = (await process.stdout.readline()).decode().split()[-1]
        async with httpx.AsyncClient(timeout=20) as http:
            page = await consent(Browser(http), link, "dana@company.com")
        assert page.status == 200
        async with asyncio.timeout(60):
            written, logged = await process.communicate(b"\n")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    out = written.decode()
    assert process.returncode == 0, logged.decode()
    assert "ACTIVE" in out
    assert "created Q2 Planning Kickoff https://teams.microsoft.com" in out
    expected = ["alice@company.com", "bob@company.com", "carol@company.com", "dave@company.com"]
    assert f"updated {expected}" in out
    assert "series seriesMaster 2026-06-30" in out

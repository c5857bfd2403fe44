"""Clients that share no code with us and were not changed for us: `mcp` 1.x over HTTP+SSE, and the TypeScript SDK."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.from_thread
import httpx2 as httpx
import pytest

from scalekit_mcp.clock import SystemClock
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.server.callers.session_tokens import SessionTokens, parse_keys
from scalekit_mcp.tools import offered_tools
from tests.support.node import node_program
from tests.support.remote_process import remote_process

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("clients")]

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "tests" / "clients"
DANA = "dana@company.com"


def old_python() -> list[str]:
    folder = ROOT / ".venv" / "clients" / "mcp-1"
    found = [path for path in (folder / "bin" / "python", folder / "Scripts" / "python.exe") if path.exists()]
    if not found:
        pytest.skip("there is no environment with mcp 1.x (`make test-full` makes it)")
    return [str(found[0]), str(CLIENTS / "old_sse_client.py")]


def typescript() -> list[str]:
    if not (CLIENTS / "typescript" / "node_modules").is_dir():
        pytest.skip("the TypeScript SDK is not installed (`make test-full` does it)")
    return [str(node_program()), "--no-warnings", str(CLIENTS / "typescript" / "client.ts")]


@contextlib.contextmanager
def sandboxed() -> Iterator[dict[str, str]]:
    """The look-alike in this process; its environment."""
    sandbox = Sandbox()
    with (
        anyio.from_thread.start_blocking_portal() as portal,
        portal.wrap_async_context_manager(sandbox.serve()) as microsoft,
    ):
        yield sandbox.environment(microsoft)


async def sign_in(link: str) -> str:
    async with httpx.AsyncClient(timeout=60) as http:
        return (await consent(Browser(http), link, DANA)).text


@pytest.mark.parametrize(
    ("client", "path"),
    [("old", "/sse"), ("typescript", "/sse"), ("typescript", "/mcp")],
    ids=["mcp-1-sse", "typescript-sse", "typescript-http"],
)
def test_a_client_of_another_generation_works_unchanged(tmp_path: Path, client: str, path: str) -> None:
    program = old_python() if client == "old" else [*typescript(), "sse" if path == "/sse" else "http"]
    keys = f"k1:{b64encode(secrets.token_bytes(32)).decode()}"
    with (
        sandboxed() as microsoft,
        remote_process(
            tmp_path,
            **microsoft,
            SCALEKIT_MCP_SESSION_KEYS=keys,
            SCALEKIT_MCP_USER_VERIFICATION="off",
            SCALEKIT_MCP_DATABASE_URL=f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}",
        ) as server,
    ):
        tokens = SessionTokens(parse_keys(keys), audience=f"{server.base}/mcp", clock=SystemClock())
        token, _ = tokens.mint("user_outlook_789")
        with subprocess.Popen(
            [*program, server.base + path, token],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        ) as process:
            assert process.stdin
            assert process.stdout
            assert process.stderr
            steps: dict[str, dict[str, object]] = {}
            for line in process.stdout:
                told = json.loads(line)
                steps[told.pop("step")] = told
                if "is_error" in told and "text" in told:
                    link = told["structured"]["error"]["authorization_url"]
                    assert "Connected" in anyio.run(sign_in, link)
                    process.stdin.write("\n")
                    process.stdin.flush()
            assert process.wait(60) == 0, process.stderr.read()[-3000:]
    assert set(steps["initialize"]["capabilities"]) == {"tools"}  # pyright: ignore[reportArgumentType]
    assert steps["tools"]["names"] == list(offered_tools())
    assert steps["refused"]["is_error"] is True
    assert str(steps["refused"]["text"]).count("/connect/")
    assert steps["created"]["is_error"] is False
    assert str(steps["found"]["subject"]).startswith("From ")
    assert steps["wrong"]["is_error"] is True
    assert steps["state"] == {"is_error": False, "status": "ACTIVE"}
    assert "closed" in steps

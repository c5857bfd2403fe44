"""An HTTP server whose stdout and stderr nobody reads: it answers, strangers too, and it ends when told to."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx2 as httpx
import pytest
from mcp import Client
from mcp.client.sse import sse_client

from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.server.stopping import FORCED_STATUS
from tests.support.processes import command, environment
from tests.support.remote_process import free_port, until_healthy
from tests.support.unread import MOST_GROWTH, full_pipe, resident_bytes, started

HERE = Path(__file__).parent
LIST = "outlook_list_calendar_events"
CALLS = int(os.environ.get("SOAK_CALLS", "200"))
LOUD = {"SCALEKIT_MCP_IDENTIFIER": "ana", "SCALEKIT_MCP_LOG_LEVEL": "DEBUG"}
STRANGERS = 600
HANG_SECONDS = 60
"""No measure of speed: a process that has not ended by then never will."""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="fills POSIX pipes")


@asynccontextmanager
async def serving(
    home: Path, unread: int, *arguments: str, **values: str
) -> AsyncIterator[tuple[str, subprocess.Popen[str]]]:
    port = free_port()
    base = f"http://localhost:{port}"
    given = environment(home, **{"SCALEKIT_MCP_AUTH": "none", "SCALEKIT_MCP_USER_VERIFICATION": "off", **values})
    line = command("serve", "--transport", "http", "--port", str(port), *arguments)
    with started(line, env=given, stdin=subprocess.DEVNULL, stdout=unread, stderr=unread) as process:
        await until_healthy(base)
        yield base, process


async def ended(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    return await anyio.to_thread.run_sync(lambda: process.wait(HANG_SECONDS))


@pytest.mark.parametrize("form", [("DEBUG", "text"), ("ERROR", "json")], ids="-".join)
async def test_with_nothing_read_calls_and_strangers_are_answered_and_the_process_ends(
    tmp_path: Path, form: tuple[str, str]
) -> None:
    values = {"SCALEKIT_MCP_LOG_LEVEL": form[0], "SCALEKIT_MCP_LOG_FORMAT": form[1]}
    with anyio.fail_after(240), full_pipe() as unread:
        async with serving(tmp_path, unread, "--sandbox", SCALEKIT_MCP_AUTH="session-token", **values) as (
            base,
            process,
        ):
            async with httpx.AsyncClient() as http:
                for number in range(STRANGERS):
                    refused = await http.post(f"{base}/mcp", headers={"authorization": f"Bearer {number}"}, json={})
                    assert refused.status_code == 401
                assert (await http.get(f"{base}/connect/no-such-ticket")).status_code == 404
            async with await anyio.connect_tcp("127.0.0.1", int(base.rpartition(":")[2])) as stranger:
                await stranger.send(b"\x00 not HTTP\r\n\r\n")
                assert b"400" in await stranger.receive()
            assert await ended(process) == 0


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_many_calls_with_nothing_read_leave_the_memory_flat(tmp_path: Path, transport: str) -> None:
    """`SOAK_CALLS=5000` makes it the long run."""
    sandbox = Sandbox()
    with anyio.fail_after(120 + CALLS), full_pipe() as unread:
        async with (
            sandbox.serve() as microsoft,  # here, so that what it records does not count
            serving(tmp_path, unread, **sandbox.environment(microsoft), **LOUD) as (base, process),
        ):
            target: Any = sse_client(f"{base}/sse") if transport == "sse" else f"{base}/mcp"
            async with Client(target, mode="legacy" if transport == "sse" else "auto") as client:
                told: Any = (await client.call_tool("authorize", {})).structured_content
                async with httpx.AsyncClient(timeout=30) as http:
                    await consent(Browser(http), told["authorization_url"], "dana@company.com")
                early = 0
                for number in range(CALLS):
                    result = await client.call_tool(LIST, {"top": 3})
                    assert not result.is_error
                    if number == CALLS // 10:
                        early = resident_bytes(process.pid)
                late = resident_bytes(process.pid)
            assert await ended(process) == 0
    print(f"{CALLS} calls: {early / 2**20:.1f} MiB after a tenth, {late / 2**20:.1f} MiB at the end")  # noqa: T201
    assert late - early < MOST_GROWTH


async def test_a_loop_that_hangs_is_ended_by_force_and_the_status_is_told() -> None:
    port = free_port()
    values = {"DRAIN_SECONDS": "0.5", "SLOW_SECONDS": "0", "HANG": "1"}
    path = f"{HERE}{os.pathsep}{HERE.parents[1]}"
    line = [sys.executable, str(HERE / "http_program.py"), str(port)]
    with (
        anyio.fail_after(120),
        started(line, env={**os.environ, "PYTHONPATH": path, **values}, stderr=subprocess.PIPE) as process,
    ):
        base = f"http://localhost:{port}"
        await until_healthy(base)
        key = {"authorization": "Bearer service-key-of-the-program"}
        stderr: Any = process.stderr
        async with httpx.AsyncClient(headers=key) as http, anyio.create_task_group() as tasks:
            call = {"identifier": "ana", "tool_name": LIST}

            async def ask() -> None:
                with contextlib.suppress(httpx.TransportError):  # nobody answers
                    await http.post(f"{base}/api/v1/execute_tool", json=call)

            tasks.start_soon(ask)
            while not await anyio.to_thread.run_sync(lambda: "begun" in stderr.readline()):
                pass
            assert await ended(process) == FORCED_STATUS
            tasks.cancel_scope.cancel()
        assert "ended by force, exit status 1" in stderr.read()

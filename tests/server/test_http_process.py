"""The remote server as a process: what happens to a call in flight when the process is told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.sse import sse_client

from tests.support.remote_process import free_port, until_healthy

HERE = Path(__file__).parent
LIST = "outlook_list_calendar_events"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM for another process")
@pytest.mark.parametrize(("transport", "era"), [("http", "legacy"), ("http", "auto"), ("sse", "legacy")])
async def test_sigterm_lets_the_call_in_flight_finish_and_ends_the_process(transport: str, era: str) -> None:
    port = free_port()
    base = f"http://localhost:{port}"
    environment = {**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parents[1]}", "SLOW_SECONDS": "0.5"}
    results: list[Any] = []
    command = [sys.executable, str(HERE / "http_program.py"), str(port)]
    with anyio.fail_after(60):
        async with await anyio.open_process(command, env=environment, stdout=subprocess.DEVNULL) as process:
            await until_healthy(base)
            target: Any = sse_client(f"{base}/sse") if transport == "sse" else f"{base}/mcp"
            async with Client(target, mode=era) as client:
                await client.list_tools()

                async def call() -> None:
                    results.append(await client.call_tool(LIST, {}))

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(call)
                    assert process.stderr
                    while b"begun" not in await process.stderr.receive():
                        pass
                    process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    assert results[0].structured_content["value"][0]["subject"] == "of ana"

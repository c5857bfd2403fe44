"""A roll-out: a process that is told to stop says so on /readyz and serves on, until its balancer has noticed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from anyio.abc import Process
from mcp import Client
from pydantic import ValidationError

from scalekit_mcp.settings import Settings
from tests.support.remote_process import free_port, remote_process

HERE = Path(__file__).parent
LIST = "outlook_list_calendar_events"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM for another process")


async def until_readyz_answers(base: str, status: int) -> dict[str, Any]:
    """What /readyz says once it answers with `status`; the caller bounds the wait."""
    async with httpx.AsyncClient() as http:
        while True:
            try:
                answer = await http.get(f"{base}/readyz")
            except httpx.TransportError:
                await anyio.sleep(0.02)  # the process is starting
                continue
            if answer.status_code == status:
                return answer.json()


async def call(base: str, era: Any) -> dict[str, Any]:
    """One call over connections of its own."""
    async with Client(f"{base}/mcp", mode=era) as client:
        await client.list_tools()
        return (await client.call_tool(LIST, {})).structured_content or {}


@contextlib.asynccontextmanager
async def slow_server(port: int, **values: str) -> AsyncIterator[Process]:
    path = f"{HERE}{os.pathsep}{HERE.parents[1]}"
    command = [sys.executable, str(HERE / "http_program.py"), str(port)]
    async with await anyio.open_process(
        command, env={**os.environ, "PYTHONPATH": path, **values}, stdout=subprocess.DEVNULL
    ) as process:
        await until_readyz_answers(f"http://localhost:{port}", 200)
        yield process


async def begun(process: Process) -> None:
    assert process.stderr
    while b"begun" not in await process.stderr.receive():
        pass


async def test_calls_are_served_during_the_stop_delay_while_readyz_says_503(tmp_path: Path) -> None:
    values = {"SCALEKIT_MCP_AUTH": "none", "SCALEKIT_MCP_STOP_DELAY_SECONDS": "300"}
    with anyio.fail_after(60), remote_process(tmp_path, "--sandbox", **values) as server:
        server.process.send_signal(signal.SIGTERM)
        assert (await until_readyz_answers(server.base, 503))["why"] == "shutting down"
        for era in ("legacy", "auto"):
            assert (await call(server.base, era))["error"]["authorization_url"]
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{server.base}/healthz")).status_code == 200
            assert (await http.get(f"{server.base}/readyz")).status_code == 503
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGTERM)
        assert await anyio.to_thread.run_sync(server.process.wait) == 0


async def test_the_process_ends_by_itself_after_the_stop_delay(tmp_path: Path) -> None:
    values = {"SCALEKIT_MCP_AUTH": "none", "SCALEKIT_MCP_STOP_DELAY_SECONDS": "0.5"}
    with anyio.fail_after(60), remote_process(tmp_path, "--sandbox", **values) as server:
        server.process.send_signal(signal.SIGTERM)
        assert await anyio.to_thread.run_sync(server.process.wait) == 0


async def test_a_second_signal_ends_the_delay_and_the_call_in_flight_still_finishes() -> None:
    port = free_port()
    base, results = f"http://localhost:{port}", list[Any]()
    with anyio.fail_after(60):
        async with slow_server(port, SLOW_SECONDS="0.5", STOP_DELAY_SECONDS="300") as process:
            process.send_signal(signal.SIGTERM)
            await until_readyz_answers(base, 503)

            async def one() -> None:
                results.append(await call(base, "auto"))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one)
                await begun(process)
                process.send_signal(signal.SIGINT)
            assert await process.wait() == 0
    assert results[0]["value"][0]["subject"] == "of ana"


async def test_a_call_over_rest_that_is_in_flight_finishes_too() -> None:
    port = free_port()
    base, answers = f"http://localhost:{port}", list[httpx.Response]()
    headers = {"authorization": "Bearer service-key-of-the-program"}
    with anyio.fail_after(60):
        # Longer than the web server itself waits for its connections.
        async with (
            slow_server(port, SLOW_SECONDS="4") as process,
            httpx.AsyncClient(headers=headers, timeout=60) as http,
        ):

            async def one() -> None:
                body = {"tool_name": LIST, "identifier": "ana"}
                answers.append(await http.post(f"{base}/api/v1/execute_tool", json=body))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one)
                await begun(process)
                process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    assert answers[0].json()["data"]["value"][0]["subject"] == "of ana"


async def test_a_third_signal_ends_the_process_with_a_call_in_flight() -> None:
    port = free_port()
    base = f"http://localhost:{port}"
    with anyio.fail_after(60):
        async with slow_server(port, SLOW_SECONDS="300", STOP_DELAY_SECONDS="300") as process:
            process.send_signal(signal.SIGTERM)
            await until_readyz_answers(base, 503)
            async with anyio.create_task_group() as tasks, httpx.AsyncClient() as http:

                async def one() -> None:
                    with contextlib.suppress(Exception):
                        await call(base, "auto")

                tasks.start_soon(one)
                await begun(process)
                process.send_signal(signal.SIGTERM)
                while (await http.post(f"{base}/mcp", json={})).status_code != 503:
                    pass  # the drain begins
                process.send_signal(signal.SIGTERM)
                assert await process.wait() == 128 + signal.SIGTERM
                tasks.cancel_scope.cancel()


@pytest.mark.parametrize("seconds", [-1, 301, float("nan")])
def test_a_stop_delay_outside_zero_to_five_minutes_is_refused(seconds: float) -> None:
    with pytest.raises(ValidationError, match="stop_delay_seconds"):
        Settings.model_validate({"stop_delay_seconds": seconds})

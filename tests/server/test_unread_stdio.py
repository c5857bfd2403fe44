"""A stdio server whose client stops reading: stderr, stdout or both. It answers while it can, and it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx2 as httpx
import pytest

from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.server.stdio.server import RUNNING_REQUESTS
from scalekit_mcp.server.stdio.wire import LONGEST_LINE, WAITING_LINES
from scalekit_mcp.server.stopping import FORCED_STATUS
from tests.support.mcp_messages import INITIALIZE, INITIALIZED
from tests.support.processes import command, environment
from tests.support.unread import MOST_GROWTH, Wire, full_pipe, resident_bytes, started

HERE = Path(__file__).parent
PROGRAM = [sys.executable, str(HERE / "stdio_program.py")]
LIST = "outlook_list_calendar_events"
CALLS = int(os.environ.get("SOAK_CALLS", "300"))
LOUD = {"SCALEKIT_MCP_IDENTIFIER": "ana", "SCALEKIT_MCP_LOG_LEVEL": "DEBUG"}
SOME = 80
"""More than a pipe takes, fewer than run and wait."""
VERY_MANY = 2 * (RUNNING_REQUESTS + WAITING_LINES)
HANG_SECONDS = 60
"""No measure of speed: a process that has not ended by then never will."""

pytestmark = pytest.mark.skipif(not hasattr(os, "set_blocking") or os.name == "nt", reason="fills POSIX pipes")


def own(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parents[1]}", **more}


@pytest.fixture
def unread() -> Iterator[int]:
    with full_pipe() as descriptor:
        yield descriptor


def told_to_end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)


def interrupted(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


def closed(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()


def line_of(message: dict[str, Any]) -> str:
    return json.dumps(message) + "\n"


def calls_of(number: int) -> list[dict[str, Any]]:
    params = {"name": LIST, "arguments": {}}
    return [{"jsonrpc": "2.0", "id": each + 1, "method": "tools/call", "params": params} for each in range(number)]


@pytest.mark.parametrize(
    ("form", "end"),
    [
        (("INFO", "text"), closed),
        (("ERROR", "text"), told_to_end),
        (("DEBUG", "json"), interrupted),
        (("DEBUG", "text"), closed),
    ],
)
def test_with_stderr_unread_every_call_is_answered_and_the_process_ends(
    tmp_path: Path, unread: int, form: tuple[str, str], end: Callable[[Any], None]
) -> None:
    values = {"SCALEKIT_MCP_LOG_LEVEL": form[0], "SCALEKIT_MCP_LOG_FORMAT": form[1]}
    with started(command("serve", "--sandbox"), env=environment(tmp_path, **values), stderr=unread) as process:
        wire = Wire(process)
        wire.initialize()
        for _ in range(20):
            assert wire.call(LIST)["error"]["authorization_url"]
        end(process)
        assert process.wait(HANG_SECONDS) == 0


async def test_many_calls_with_stderr_unread_leave_the_memory_flat(tmp_path: Path) -> None:
    """`SOAK_CALLS=5000` makes it the long run."""
    sandbox = Sandbox()
    with anyio.fail_after(120 + CALLS):
        async with sandbox.serve() as microsoft:  # here, so that what it records does not count
            values = environment(tmp_path, **sandbox.environment(microsoft), **LOUD)
            with started(command("serve"), env=values, stderr=subprocess.PIPE) as process:
                wire = Wire(process)
                await anyio.to_thread.run_sync(wire.initialize)
                told = await anyio.to_thread.run_sync(wire.call, "authorize")
                async with httpx.AsyncClient(timeout=30) as http:
                    await consent(Browser(http), told["authorization_url"], "dana@company.com")
                early = 0
                for number in range(CALLS):
                    assert "value" in await anyio.to_thread.run_sync(wire.call, LIST)
                    if number == CALLS // 10:
                        early = resident_bytes(process.pid)
                late = resident_bytes(process.pid)
                process.send_signal(signal.SIGTERM)
                assert await anyio.to_thread.run_sync(process.wait, HANG_SECONDS) == 0
    print(f"{CALLS} calls: {early / 2**20:.1f} MiB after a tenth, {late / 2**20:.1f} MiB at the end")  # noqa: T201
    assert late - early < MOST_GROWTH


@pytest.mark.parametrize("arguments", [("--port", "notaport"), ("--identifier", "x" * 200), ()], ids=lambda a: a[:1])
def test_a_start_that_is_refused_ends_although_nobody_reads_why(
    tmp_path: Path, unread: int, arguments: tuple[str, ...]
) -> None:
    with started(command("serve", *arguments), env=environment(tmp_path), stderr=unread) as process:
        assert process.wait(HANG_SECONDS) == 2


@pytest.mark.parametrize(
    ("end", "requests", "stderr_too"),
    [
        (told_to_end, SOME, True),
        (told_to_end, VERY_MANY, False),
        (closed, SOME, False),
        (closed, VERY_MANY, True),
        (interrupted, VERY_MANY, False),
    ],
)
def test_with_stdout_unread_the_process_ends_within_its_time(
    unread: int, end: Callable[[Any], None], requests: int, stderr_too: bool
) -> None:
    stderr = unread if stderr_too else subprocess.DEVNULL
    with started(PROGRAM, env=own(CONNECTED="1", DRAIN_SECONDS="1"), stderr=stderr) as process:
        wire = Wire(process)
        wire.initialize()
        wire.send(*(wire.request("tools/list") for _ in range(requests)))
        end(process)
        assert process.wait(HANG_SECONDS) in (0, FORCED_STATUS)


@pytest.mark.parametrize(("hangs", "end"), [("loop", told_to_end), ("loop", closed), ("thread", closed)])
def test_a_loop_that_hangs_is_ended_by_force_and_the_status_is_told(hangs: str, end: Callable[[Any], None]) -> None:
    """A thread that the interpreter would join without end does the same harm."""
    values = own(CONNECTED="1", DRAIN_SECONDS="0.5", HANG=hangs)
    with started(PROGRAM, env=values, stderr=subprocess.PIPE) as process:
        wire = Wire(process)
        wire.initialize()
        wire.send(wire.request("tools/call", name=LIST, arguments={}))
        assert process.stderr is not None
        while "begun" not in process.stderr.readline():
            pass
        end(process)
        assert process.wait(HANG_SECONDS) == FORCED_STATUS
        assert "ended by force, exit status 1" in process.stderr.read()


def test_so_many_requests_run_at_once_and_the_next_begins_when_one_is_cancelled() -> None:
    values = own(CONNECTED="1", SLOW_SECONDS="1000", DRAIN_SECONDS="0.5")
    with started(PROGRAM, env=values, stderr=subprocess.PIPE) as process:
        wire = Wire(process)
        wire.initialize()
        calls = [wire.request("tools/call", name=LIST, arguments={}) for _ in range(RUNNING_REQUESTS)]
        first, second = wire.request("ping"), wire.request("ping")
        wire.send(*calls, first, second)
        for cancelled in (first, calls[0]):
            params = {"requestId": cancelled["id"]}
            wire.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
        # the first ping waited, or it had been answered before it was cancelled
        assert wire.receive() == {"jsonrpc": "2.0", "id": second["id"], "result": {}}
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert first["id"] not in [json.loads(line)["id"] for line in process.stdout]
        assert process.wait(HANG_SECONDS) == 0
        assert process.stderr is not None
        assert f"{RUNNING_REQUESTS - 1} requests were not answered within 0.5 seconds" in process.stderr.read()


def test_a_burst_larger_than_what_runs_and_waits_is_answered_whole() -> None:
    number = 3 * (RUNNING_REQUESTS + WAITING_LINES)
    sent = "".join(line_of(message) for message in (INITIALIZE, INITIALIZED, *calls_of(number)))
    ended = subprocess.run(
        PROGRAM, input=sent, env=own(CONNECTED="1"), capture_output=True, text=True, timeout=120, check=True
    )
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    assert sorted(answer["id"] for answer in answers) == list(range(number + 1))
    assert all("result" in answer for answer in answers)


def test_a_message_that_is_too_long_is_answered_and_read_over() -> None:
    with started(PROGRAM, env=own(CONNECTED="1"), stderr=subprocess.DEVNULL) as process:
        wire = Wire(process)
        wire.initialize()
        wire.send(wire.request("tools/call", name=LIST, arguments={"filter": "x" * LONGEST_LINE}))
        refused = wire.receive()
        assert refused.get("id") is None
        assert str(LONGEST_LINE) in refused["error"]["message"]
        assert wire.call(LIST)["value"]
        wire.close()
        assert process.wait(HANG_SECONDS) == 0


def test_the_pipes_that_the_parent_shares_are_left_as_they_are() -> None:
    (stdin, feed), (drain, stdout), (errors, stderr) = os.pipe(), os.pipe(), os.pipe()
    shared = (stdin, stdout, stderr)
    try:
        with started(PROGRAM, env=own(CONNECTED="1"), stdin=stdin, stdout=stdout, stderr=stderr) as process:
            os.write(feed, "".join(line_of(message) for message in (INITIALIZE, *calls_of(1))).encode())
            heard = b""
            while heard.count(b"\n") < 2:
                heard += os.read(drain, 65_536)
            while_serving = [os.get_blocking(each) for each in shared]
            os.close(feed)
            assert process.wait(HANG_SECONDS) == 0
        assert while_serving == [True] * 3
        assert [os.get_blocking(each) for each in shared] == [True] * 3
    finally:
        for each in (*shared, drain, errors):
            os.close(each)

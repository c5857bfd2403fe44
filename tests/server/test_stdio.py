"""The stdio server as a process: both eras, the wire, the end, the pages beside it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx2 as httpx
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import UNSUPPORTED_PROTOCOL_VERSION, ElicitRequestURLParams, ElicitResult

from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.server.stdio.wire import StdoutPipe
from tests.support import processes
from tests.support.bounds import HANG_SECONDS
from tests.support.mcp_messages import INITIALIZE, INITIALIZED
from tests.support.watched_actions import DANA

HERE = Path(__file__).parent
PROGRAM = str(HERE / "stdio_program.py")
ERAS = ["legacy", "auto"]
LIST_CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "outlook_list_calendar_events", "arguments": {}},
}


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parents[1]}", **more}


async def sign_in(url: str) -> None:
    async with httpx.AsyncClient(timeout=20) as http:
        await consent(Browser(http), url, DANA)


@pytest.mark.parametrize("era", ERAS)
async def test_consent_in_the_browser_finishes_the_call_over_stdio(era: str) -> None:
    async def person(context: Any, params: Any) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams)
        assert params.url.startswith("http://localhost:")
        await sign_in(params.url)
        return ElicitResult(action="accept")

    parameters = StdioServerParameters(command=sys.executable, args=[PROGRAM], env=environment())
    with anyio.fail_after(60):
        async with Client(parameters, mode=era, elicitation_callback=person) as client:
            assert len((await client.list_tools()).tools) == 6
            result = await client.call_tool("outlook_list_calendar_events", {})
    assert not result.is_error


def test_calls_in_flight_are_answered_after_the_client_has_closed_stdin() -> None:
    requests = "".join(json.dumps(message) + "\n" for message in (INITIALIZE, LIST_CALL))
    ended = subprocess.run(
        [sys.executable, PROGRAM],
        input=requests,
        env=environment(CONNECTED="1", SLOW_SECONDS="0.2"),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [0, 1]
    assert answers[1]["result"]["structuredContent"]["value"][0]["subject"] == "of ana"
    assert "stray" in ended.stderr


def in_2026(method: str, request_id: int) -> dict[str, Any]:
    """A request of protocol 2026-07-28, which says in each what `initialize` said once."""
    about = {"protocolVersion": "2026-07-28", "clientCapabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    meta = {f"io.modelcontextprotocol/{name}": value for name, value in about.items()}
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": {"_meta": meta}}


@pytest.mark.parametrize("waits", [False, True], ids=["before the answer", "after the answer"])
def test_a_client_that_gave_up_on_discovery_may_initialize_on_the_same_connection(waits: bool) -> None:
    first, *rest = [
        in_2026("server/discover", 0),
        {**INITIALIZE, "id": 1},
        INITIALIZED,
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    ]
    with (
        subprocess.Popen(
            [sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), text=True
        ) as process,
        killed_on_failure(process),
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(first) + "\n")
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline())] if waits else []
        process.stdin.write("".join(json.dumps(message) + "\n" for message in rest))
        process.stdin.close()
        answers += [json.loads(line) for line in process.stdout.read().splitlines()]
        assert process.wait(timeout=60) == 0
    assert [answer["id"] for answer in answers] == [0, 1, 2]
    assert answers[0]["result"]["supportedVersions"] == ["2026-07-28"]
    assert answers[1]["result"]["protocolVersion"] == INITIALIZE["params"]["protocolVersion"]
    assert len(answers[2]["result"]["tools"]) == 6


def test_a_client_that_has_used_the_newer_protocol_may_not_initialize_any_more() -> None:
    asked = [in_2026("server/discover", 0), in_2026("tools/list", 1), {**INITIALIZE, "id": 2}]
    ended = subprocess.run(
        [sys.executable, PROGRAM],
        input="".join(json.dumps(message) + "\n" for message in asked),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    answers = {answer["id"]: answer for answer in map(json.loads, ended.stdout.splitlines())}
    assert len(answers[1]["result"]["tools"]) == 6
    assert answers[2]["error"]["code"] == UNSUPPORTED_PROTOCOL_VERSION


@contextlib.contextmanager
def killed_on_failure(process: subprocess.Popen[str]) -> Iterator[None]:
    """A process that does not do what is waited for is ended, so that the test fails instead of hanging."""
    try:
        yield
    except BaseException:
        process.kill()
        raise


@pytest.mark.skipif(not hasattr(select, "poll"), reason="this system does not tell whether a pipe is ready")
async def test_what_a_full_pipe_does_not_take_is_written_once_it_is_read() -> None:
    reading, writing = os.pipe()
    pipe, text = StdoutPipe(writing, lambda: None), "0123456789" * 50_000

    async def write() -> None:
        await pipe.write(text)
        os.close(writing)

    with anyio.fail_after(HANG_SECONDS), os.fdopen(reading, encoding="utf-8") as reader:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            await anyio.lowlevel.checkpoint()  # the pipe is full now, and nobody has read
            assert await anyio.to_thread.run_sync(reader.read) == text


@pytest.mark.parametrize(("method", "count"), [("tools/list", 60), ("ping", 700)], ids=["long answers", "many lines"])
def test_a_client_that_reads_late_misses_nothing(method: str, count: int) -> None:
    asked = [{"jsonrpc": "2.0", "id": number, "method": method} for number in range(1, count + 1)]
    with subprocess.Popen(
        [sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for message in (INITIALIZE, {"jsonrpc": "2.0", "method": "notifications/initialized"}, *asked):
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(count + 1)]
        assert sorted(answer["id"] for answer in answers) == list(range(count + 1))
        assert all("result" in answer for answer in answers)
        process.stdin.close()
        assert process.stdout.read() == ""
        assert process.wait(timeout=30) == 0


def test_a_client_that_dies_in_mid_answer_ends_the_server_without_a_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(60):
            message = INITIALIZE if number == 0 else {"jsonrpc": "2.0", "id": number, "method": "tools/list"}
            process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        with killed_on_failure(process):
            assert process.wait(timeout=30) == 0
        told = process.stderr.read()
        assert "The client has gone" in told
        assert "Traceback" not in told


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM for another process")
def test_sigterm_lets_the_running_call_finish_and_ends_the_process() -> None:
    with subprocess.Popen(
        [sys.executable, PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(CONNECTED="1", SLOW_SECONDS="0.2"),
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(json.dumps(INITIALIZE) + "\n" + json.dumps(LIST_CALL) + "\n")
        process.stdin.flush()
        while "begun" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGTERM)
        answers = [json.loads(line) for line in process.stdout]
        assert process.wait(60) == 0
    assert [answer["id"] for answer in answers] == [0, 1]
    assert "result" in answers[1]


def test_the_server_imports_nothing_heavy_at_its_start() -> None:
    program = (
        "import sys, mcp\n"
        "import scalekit_mcp.server.mcp.app, scalekit_mcp.server.stdio.server, scalekit_mcp.server.stdio.listener\n"
        "import scalekit_mcp.actions.embedded.actions\n"
        "heavy = {'jinja2', 'jwt', 'sqlalchemy', 'alembic', 'rich', 'aiosqlite', 'scalekit_mcp.sandbox'}\n"
        "heavy |= {'scalekit_mcp.calendar', 'scalekit_mcp.actions.catalogue'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout.strip() == "[]"


def test_a_call_of_a_calendar_tool_loads_neither_the_scheduling_tools_nor_the_catalogue(tmp_path: Path) -> None:
    program = (
        "import anyio, sys\n"
        "from scalekit_mcp.actions import open_actions\n"
        "from scalekit_mcp.errors import AuthorizationRequired\n"
        "from scalekit_mcp.settings import load_settings\n"
        "from scalekit_mcp.tools import parse_arguments\n"
        "NAME = 'outlook_list_calendar_events'\n"
        "async def main():\n"
        "    async with open_actions(load_settings(sandbox=True)) as actions:\n"
        "        await actions.execute_tool(identifier='a', tool_name=NAME, tool_input=parse_arguments(NAME, {}))\n"
        "try:\n"
        "    anyio.run(main)\n"
        "except AuthorizationRequired:\n"
        "    unused = {'scalekit_mcp.calendar.scheduling.scheduling', 'scalekit_mcp.actions.catalogue'}\n"
        "    print('scalekit_mcp.calendar' in sys.modules, sorted(unused & set(sys.modules)))\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program],
        env=processes.environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert shown.stdout.strip() == "True []"


async def test_the_setting_confirm_mail_reaches_the_person_before_a_deletion(tmp_path: Path) -> None:
    asked: list[str] = []

    async def person(context: Any, params: Any) -> ElicitResult:
        if isinstance(params, ElicitRequestURLParams):
            await sign_in(params.url)
            return ElicitResult(action="accept")
        asked.append(params.message)
        return ElicitResult(action="accept", content={"confirm": False})

    parameters = processes.server(tmp_path, "--sandbox", SCALEKIT_MCP_CONFIRM="mail")
    with anyio.fail_after(60):
        async with Client(parameters, mode="auto", elicitation_callback=person) as client:
            listed = await client.call_tool("outlook_list_calendar_events", {"top": 1})
            event_id = listed.structured_content["value"][0]["id"]
            refused = await client.call_tool("outlook_delete_calendar_event", {"event_id": event_id})
            still = await client.call_tool("outlook_get_calendar_event", {"event_id": event_id})
    assert refused.structured_content["error"]["code"] == "permission_missing"
    assert "Delete '" in asked[0]
    assert not still.is_error


async def test_what_a_first_call_needs_is_opened_once_the_tools_were_listed(tmp_path: Path) -> None:
    vault = tmp_path / "vault.sqlite3"
    parameters = processes.server(
        tmp_path,
        MICROSOFT_CLIENT_ID="5a9db0c5-0000-4000-8000-00000000c11e",
        SCALEKIT_MCP_DATABASE_URL=f"sqlite+aiosqlite:///{vault.as_posix()}",
        SCALEKIT_MCP_IDENTIFIER="ana",
    )
    with anyio.fail_after(HANG_SECONDS):
        async with Client(parameters, mode="legacy") as client:
            assert not vault.exists()
            await client.list_tools()
            while not (vault.exists() and vault.stat().st_size):
                await anyio.lowlevel.checkpoint()


async def test_a_vault_that_cannot_be_opened_ahead_of_a_call_is_told_by_the_call(tmp_path: Path) -> None:
    vault = tmp_path / "vault.sqlite3"
    vault.write_bytes(b"This is no database. " * 100)
    parameters = processes.server(
        tmp_path,
        MICROSOFT_CLIENT_ID="5a9db0c5-0000-4000-8000-00000000c11e",
        SCALEKIT_MCP_DATABASE_URL=f"sqlite+aiosqlite:///{vault.as_posix()}",
        SCALEKIT_MCP_VAULT_KEYS=f"k1:{b64encode(bytes(32)).decode()}",
        SCALEKIT_MCP_IDENTIFIER="ana",
    )
    with anyio.fail_after(HANG_SECONDS):
        async with Client(parameters, mode="legacy") as client:
            assert len((await client.list_tools()).tools) == 6
            refused = await client.call_tool("outlook_list_calendar_events", {})
            assert refused.structured_content["error"]["code"] == "vault_error"
            assert len((await client.list_tools()).tools) == 6

"""The process's one client, for code that is handed none: shared, safe under threads and forks, replaceable."""

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx2 as httpx
import pytest

from scalekit_mcp.client import ScalekitClient, close_default_client, default_actions
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.errors import ConfigurationError
from tests.support.processes import environment

LIST = "outlook_list_calendar_events"


@pytest.fixture(autouse=True)
def on_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("MICROSOFT_CLIENT_ID", "SCALEKIT_CLIENT_ID", "SCALEKIT_ENV_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SCALEKIT_MCP_SANDBOX", "true")
    gc.collect()
    close_default_client()
    yield
    close_default_client()


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "scalekit-mcp" and thread.is_alive()}


async def connect(actions, identifier: str, address: str = "dana@company.com") -> None:
    link = await asyncio.to_thread(actions.get_authorization_link, identifier)
    async with httpx.AsyncClient(timeout=20) as http:
        await consent(Browser(http), link.link, address)


def status(actions, identifier: str) -> str:
    return actions.get_or_create_connected_account(identifier=identifier).connected_account.status


async def test_whoever_asks_without_a_client_finds_the_accounts_of_whoever_asked_before():
    before = threads()
    await connect(default_actions(), "ana")
    assert await asyncio.to_thread(status, default_actions(), "ana") == "ACTIVE"
    assert await asyncio.to_thread(status, default_actions(), "bob") == "PENDING"
    assert len(threads() - before) == 1


async def test_a_client_made_with_the_settings_of_the_environment_is_the_default_one():
    with ScalekitClient() as client:
        await connect(client.actions, "ana")
        assert await asyncio.to_thread(status, default_actions(), "ana") == "ACTIVE"


async def test_the_only_client_is_the_default_one_where_the_environment_names_none(monkeypatch):
    monkeypatch.delenv("SCALEKIT_MCP_SANDBOX")
    with pytest.raises(ConfigurationError, match="MICROSOFT_CLIENT_ID"):
        default_actions()
    with ScalekitClient(sandbox=True) as client:
        await connect(client.actions, "ana")
        assert await asyncio.to_thread(status, default_actions(), "ana") == "ACTIVE"
        with ScalekitClient(sandbox=True), pytest.raises(ConfigurationError):
            default_actions()
    with pytest.raises(ConfigurationError):
        default_actions()


async def test_the_default_stays_the_same_when_another_client_is_made():
    await connect(default_actions(), "ana")
    with ScalekitClient() as later:
        assert status(later.actions, "ana") == "PENDING"
        assert await asyncio.to_thread(status, default_actions(), "ana") == "ACTIVE"


async def test_a_client_can_be_chosen_as_the_default_and_is_not_closed_with_it():
    with ScalekitClient() as first, ScalekitClient(sandbox=True) as chosen:
        await connect(chosen.actions, "ana")
        chosen.use_by_default()
        assert await asyncio.to_thread(status, default_actions(), "ana") == "ACTIVE"
        close_default_client()
        assert status(chosen.actions, "ana") == "ACTIVE"
        assert status(first.actions, "ana") == "PENDING"


def test_a_closed_default_is_made_anew_and_its_thread_ends():
    before = threads()
    old = default_actions()
    assert status(old, "ana") == "PENDING"
    (thread,) = threads() - before
    close_default_client()
    assert not thread.is_alive()
    with pytest.raises(ConfigurationError, match="closed"):
        status(old, "ana")
    assert status(default_actions(), "ana") == "PENDING"


def test_another_environment_gets_another_client_and_what_was_handed_out_goes_on(monkeypatch):
    old = default_actions()
    assert status(old, "ana") == "PENDING"
    monkeypatch.setenv("SCALEKIT_MCP_TIMEZONE", "Europe/Berlin")
    new = default_actions()
    old.get_or_create_connected_account(identifier="old only")
    assert new.list_connected_accounts().total_size == 0
    assert old.list_connected_accounts().total_size == 2


def test_twenty_threads_that_ask_at_once_share_one_client():
    before = threads()
    begin = threading.Barrier(20)
    found: list[str] = []

    def ask() -> None:
        begin.wait(30)
        found.append(default_actions().get_or_create_connected_account(identifier="raced").connected_account.id)

    asking = [threading.Thread(target=ask) for _ in range(20)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(60)
    assert len(found) == 20
    assert len(set(found)) == 1
    assert len(threads() - before) == 1


PROGRAM = {
    "ends by itself": (
        "from scalekit_mcp.client import default_actions\n"
        "default_actions().get_or_create_connected_account(identifier='x')\n"
        "print('done')\n"
    ),
    "forks": (
        "import os, sys, threading\n"
        "from scalekit_mcp.client import default_actions\n"
        "from scalekit_mcp.process_clients import PROCESS_CLIENTS\n"
        "default_actions().get_or_create_connected_account(identifier='x')\n"
        "taken, done = threading.Event(), threading.Event()\n"
        "def hold():\n"
        "    with PROCESS_CLIENTS._lock:\n"
        "        taken.set()\n"
        "        done.wait(60)\n"
        "threading.Thread(target=hold).start()\n"
        "taken.wait(60)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    account = default_actions().get_or_create_connected_account(identifier='y').connected_account\n"
        "    os._exit(0 if account.status == 'PENDING' else 1)\n"
        "ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "done.set()\n"
        "default_actions().get_connected_account(identifier='x')\n"
        "print('done' if ended == 0 else ended)\n"
    ),
}


@pytest.mark.parametrize("name", PROGRAM)
def test_a_program_that_uses_the_default_client(name, tmp_path):
    if name == "forks" and not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM[name]],
        env=environment(tmp_path, SCALEKIT_MCP_SANDBOX="true"),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "done", "")


@pytest.mark.full
async def test_tools_of_two_users_in_two_event_loops_share_one_client_and_keep_their_calendars_apart():
    pytest.importorskip("langchain_core", reason="langchain-core is not installed (`make test-full` does)")
    from scalekit_mcp.langchain import get_tools

    before = threads()
    await connect(default_actions(), "ana", "dana@company.com")
    await connect(default_actions(), "bob", "alice@company.com")

    async def titles(identifier: str) -> set[str]:
        tool = next(tool for tool in get_tools("outlook", identifier) if tool.name == LIST)
        call = {"type": "tool_call", "id": "call-1", "name": LIST, "args": {"top": 5, "select": "id"}}
        return {row["id"] for row in json.loads((await tool.ainvoke(call)).content)["value"]}

    found = await asyncio.gather(
        *(asyncio.to_thread(lambda name=name: asyncio.run(titles(name))) for name in ("ana", "bob"))
    )
    assert all(found)
    assert found[0].isdisjoint(found[1])
    assert len(threads() - before) == 1

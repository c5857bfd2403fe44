"""The synchronous client: threads, running loops, and its end."""

import asyncio
import gc
import inspect
import os
import subprocess
import sys
import threading
from datetime import timedelta

import pytest

import scalekit_mcp.client
from scalekit_mcp.errors import AuthorizationRequired, ConfigurationError, InvalidInput
from tests.support.processes import environment

IDENTIFIER = "user_outlook_789"


@pytest.fixture(scope="module")
def client():
    with scalekit_mcp.client.ScalekitClient(sandbox=True) as opened:
        yield opened


def test_a_new_account_is_pending_and_the_same_on_the_second_call(client):
    first = client.actions.get_or_create_connected_account(connection_name="outlook", identifier="twice")
    second = client.actions.get_or_create_connected_account("outlook", "twice")
    assert first.connected_account.status == "PENDING"
    assert first.connected_account.id == second.connected_account.id


def test_ten_threads_that_create_one_account_get_the_same_one(client):
    found: list[str] = []

    def create() -> None:
        response = client.actions.get_or_create_connected_account(identifier="raced")
        found.append(response.connected_account.id)

    threads = [threading.Thread(target=create) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 10
    assert len(set(found)) == 1


async def test_a_call_inside_a_running_loop_answers(client):
    response = client.actions.get_or_create_connected_account(identifier="in-a-loop")
    assert response.connected_account.identifier == "in-a-loop"


async def test_a_call_can_be_awaited_without_blocking_the_loop(client):
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    future = client.actions.execute_tool_soon({}, "authorize", IDENTIFIER)
    answer = await asyncio.wrap_future(future)
    ticking.cancel()
    assert answer["status"] == "PENDING"
    assert ticks > 1


def test_a_tool_call_before_consent_raises_with_the_link(client):
    with pytest.raises(AuthorizationRequired) as raised:
        client.actions.execute_tool(
            identifier=IDENTIFIER, tool_name="outlook_list_calendar_events", tool_input={"top": 1}
        )
    assert raised.value.details["authorization_url"].startswith("http://localhost:")


def test_answers_have_the_members_that_published_samples_read(client):
    link = client.actions.get_authorization_link(connection_name="outlook", identifier="shapes")
    assert link.link.startswith("http://localhost:")
    assert link.expiry == link.expires_at
    assert link.expiry.utcoffset() == timedelta(0)
    answer = client.actions.execute_tool({}, "authorize", "shapes", connection_name="outlook")
    assert answer.data == dict(answer)
    assert answer.data["status"] == "PENDING"
    assert answer.execution_id is None
    assert client.connect is client.actions


def test_an_unknown_tool_is_refused_by_name(client):
    with pytest.raises(InvalidInput, match="outlook_fly_to_the_moon"):
        client.actions.execute_tool(identifier=IDENTIFIER, tool_name="outlook_fly_to_the_moon", tool_input={})


def test_a_closed_client_says_so():
    closed = scalekit_mcp.client.ScalekitClient(sandbox=True)
    closed.close()
    closed.close()
    with pytest.raises(ConfigurationError, match="closed"):
        closed.actions.get_or_create_connected_account(identifier=IDENTIFIER)


def test_without_any_credentials_the_client_says_what_to_set(monkeypatch):
    for name in ("MICROSOFT_CLIENT_ID", "SCALEKIT_CLIENT_ID", "SCALEKIT_MCP_SANDBOX"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="MICROSOFT_CLIENT_ID"):
        scalekit_mcp.client.ScalekitClient()


def test_with_the_sandbox_chosen_no_credential_is_used():
    with scalekit_mcp.client.ScalekitClient("https://example.scalekit.com", "skc_1", "secret", sandbox=True) as client:
        assert client.actions.get_or_create_connected_account(identifier="x").connected_account.status == "PENDING"


def test_credentials_choose_scalekit_whatever_else_is_in_the_environment(monkeypatch):
    monkeypatch.setenv("MICROSOFT_CLIENT_ID", "5a9db0c5-0000-4000-8000-00000000c0de")
    with pytest.raises(ConfigurationError, match="SCALEKIT_CLIENT_SECRET"):
        scalekit_mcp.client.ScalekitClient("https://example.scalekit.com", "skc_1")


def test_a_program_that_forgets_its_client_ends_by_itself(tmp_path):
    program = (
        "import scalekit_mcp.client\n"
        "client = scalekit_mcp.client.ScalekitClient(sandbox=True)\n"
        "print(client.actions.get_or_create_connected_account(identifier='x').connected_account.status)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "PENDING", "")


def test_actions_kept_without_their_client_go_on_working():
    actions = scalekit_mcp.client.ScalekitClient(sandbox=True).actions
    gc.collect()
    assert actions.get_or_create_connected_account("outlook", "orphan").connected_account.status == "PENDING"


def test_a_forgotten_client_ends_its_thread():
    before = _threads()
    client = scalekit_mcp.client.ScalekitClient(sandbox=True)
    client.actions.get_or_create_connected_account("outlook", "forgotten")
    (thread,) = _threads() - before
    del client
    gc.collect()
    thread.join(30)
    assert not thread.is_alive()


def test_a_call_under_way_when_the_client_closes_is_told_so():
    client = scalekit_mcp.client.ScalekitClient(sandbox=True)
    client.actions.get_authorization_link("waits")
    began = threading.Event()
    raised: list[ConfigurationError] = []

    def wait() -> None:
        began.set()
        try:
            client.actions.wait_for_authorization("waits", timeout_seconds=600)
        except ConfigurationError as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert began.wait(30)
    client.close()
    thread.join(30)
    assert [error.code for error in raised] == ["configuration_error"]


def test_thirty_threads_calling_while_it_closes_get_an_answer_or_are_told():
    client = scalekit_mcp.client.ScalekitClient(sandbox=True)
    outcomes: list[str] = []

    def call(number: int) -> None:
        try:
            outcomes.append(
                client.actions.get_or_create_connected_account("outlook", f"n{number}").connected_account.id
            )
        except ConfigurationError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    client.close()
    for thread in threads:
        thread.join(30)
    assert len(outcomes) == 30


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_client_made_before_a_fork_works_in_the_child(tmp_path):
    program = (
        "import os, sys, scalekit_mcp.client\n"
        "client = scalekit_mcp.client.ScalekitClient(sandbox=True)\n"
        "client.actions.get_or_create_connected_account('outlook', 'x')\n"
        "child = os.fork()\n"
        "status = client.actions.get_or_create_connected_account('outlook', 'y').connected_account.status\n"
        "if child == 0:\n"
        "    sys.exit(0 if status == 'PENDING' else 1)\n"
        "ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "client.actions.get_connected_account('outlook', 'y')\n"
        "print(ended, status)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "0 PENDING", "")


@pytest.mark.full
def test_positional_arguments_mean_what_they_mean_in_scalekits_sdk():
    sdk = pytest.importorskip("scalekit.actions.actions", reason="scalekit-sdk-python is not installed")
    compared = 0
    for name in dir(sdk.ActionClient):
        ours = getattr(scalekit_mcp.client.SynchronousActions, name, None)
        if name.startswith("_") or not inspect.isfunction(ours):
            continue
        theirs = _positional(getattr(sdk.ActionClient, name))
        assert _positional(ours) == theirs[: len(_positional(ours))], name
        compared += 1
    assert compared >= 7


def _positional(function) -> list[str]:
    return [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "scalekit-mcp"}

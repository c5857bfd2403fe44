"""The synchronous client: threads, running loops, and its end."""

import asyncio
import subprocess
import sys
import threading

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

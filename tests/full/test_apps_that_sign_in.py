"""Sign in with Microsoft by the OAuth clients of other SDKs, each in a process of its own that was not made for us."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import httpx2 as httpx
import pytest

from scalekit_mcp.sandbox import Sandbox
from tests.oauth.remote_app import open_app
from tests.oauth.remote_host import DANA, open_host
from tests.oauth.remote_server import end_access, expired, refusal, serving, signing_in_process
from tests.support.bounds import HANG_SECONDS
from tests.support.node import node_program
from tests.support.remote_process import free_port

pytestmark = pytest.mark.full

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "tests" / "clients"
OTHER_KEYS = f"two:{'OTg3' * 10}OTg="
LIST = "outlook_list_calendar_events"
Program = Callable[[str, str], Sequence[str]]
"""The command of an app, for the server's address and the redirect URI."""


def python_of(environment: str) -> str:
    """Python of an environment of its own."""
    folder = ROOT / ".venv" / "clients" / environment
    found = [path for path in (folder / "bin" / "python", folder / "Scripts" / "python.exe") if path.exists()]
    if not found:
        pytest.skip(f"there is no environment {environment} (`make test-full` makes it)")
    return str(found[0])


def mcp_1(address: str, callback: str) -> Sequence[str]:
    return [python_of("mcp-1"), str(CLIENTS / "old_oauth_client.py"), address, callback]


def mcp_2(era: str) -> Program:
    return lambda address, callback: [sys.executable, str(CLIENTS / "oauth_client.py"), address, callback, era]


def fastmcp(address: str, _: str) -> Sequence[str]:
    return [python_of("fastmcp"), str(CLIENTS / "fastmcp_client.py"), address]


def typescript(generation: str, era: str) -> Program:
    def program(address: str, callback: str) -> Sequence[str]:
        if not (CLIENTS / "typescript" / "node_modules" / "@modelcontextprotocol" / generation).is_dir():
            pytest.skip("the TypeScript SDKs are not installed (`make test-full` does it)")
        script = str(CLIENTS / "typescript" / "oauth_client.ts")
        return [str(node_program()), "--no-warnings", script, generation, era, address, callback]

    return program


APPS = {
    "mcp-1": (mcp_1, "/mcp", "An old host"),
    "mcp-1-sse": (mcp_1, "/sse", "An old host"),
    "mcp-2-legacy": (mcp_2("legacy"), "/mcp", "A new host"),
    "mcp-2-modern": (mcp_2("auto"), "/mcp", "A new host"),
    "mcp-2-with-a-slash": (mcp_2("auto"), "/mcp/", "A new host"),
    "mcp-2-sse": (mcp_2("legacy"), "/sse", "A new host"),
    "fastmcp": (fastmcp, "/mcp", "FastMCP Client"),
    "typescript-1": (typescript("sdk", "legacy"), "/mcp", "A TypeScript host"),
    "typescript-1-with-a-slash": (typescript("sdk", "legacy"), "/mcp/", "A TypeScript host"),
    "typescript-1-sse": (typescript("sdk", "legacy"), "/sse", "A TypeScript host"),
    "typescript-2-legacy": (typescript("client", "legacy"), "/mcp", "A TypeScript host"),
    "typescript-2-sse": (typescript("client", "legacy"), "/sse", "A TypeScript host"),
    "typescript-2-modern": (typescript("client", "auto"), "/mcp", "A TypeScript host"),
}
"""Each with its program, the path of the address that a person pastes, and what it calls itself."""


@pytest.mark.parametrize("name", APPS)
async def test_an_app_refreshes_by_itself_and_signs_in_again_once_its_access_has_ended(tmp_path: Path, name: str):
    program, path, client_name = APPS[name]
    with anyio.fail_after(HANG_SECONDS):
        async with serving(tmp_path) as (sandbox, server), open_host(server.base) as host:
            command = program(server.base + path, host.callback)
            async with open_app(command, host, tmp_path, listens=name == "fastmcp") as app:
                first = await app.do("connect")
                assert LIST in first["tools"]
                assert not (await app.do("call"))["error"]
                assert host.signed_in == 1

                # two hours later: nobody is asked
                late = expired(first["access_token"])
                assert 'error_description="The token has expired."' in await refusal(server, late)
                await app.do("keep", access_token=late)
                second = await app.do("call")
                assert not second["error"]
                assert second["access_token"] not in (first["access_token"], late)
                assert second["refresh_token"] != first["refresh_token"]
                assert host.signed_in == 1

                # the operator takes the account away from it
                dana = sandbox.people[DANA]
                identifier = f"ms:{dana.tenant_id}:{dana.oid}"
                assert await end_access(server, identifier) == [client_name]
                assert "has ended" in await refusal(server, second["access_token"])
                form = {"grant_type": "refresh_token", "refresh_token": second["refresh_token"]}
                async with httpx.AsyncClient() as http:
                    told = await http.post(f"{server.base}/token", data={**form, "client_id": second["client_id"]})
                assert (told.status_code, told.json()["error"]) == (400, "invalid_grant")
                third = await app.do("call")
                assert not third["error"]
                assert host.signed_in == 2
                assert third["client_id"] == second["client_id"]
                assert LIST in (await app.do("connect"))["tools"]
                assert host.signed_in == 2


@pytest.mark.parametrize(
    ("name", "asked_at_once"), [("typescript-1", False), ("typescript-2-modern", False), ("fastmcp", True)]
)
async def test_an_app_registers_anew_where_the_keys_of_its_registration_are_gone(
    tmp_path: Path, name: str, asked_at_once: bool
):
    """An access token is of no use then, but a refresh token is: whoever has one is asked only once it has ended."""
    program, path, client_name = APPS[name]
    sandbox, port = Sandbox(), free_port()
    base = f"http://localhost:{port}"
    with anyio.fail_after(HANG_SECONDS):
        async with (
            sandbox.serve() as microsoft,
            open_host(base) as host,
            open_app(program(base + path, host.callback), host, tmp_path, listens=name == "fastmcp") as app,
        ):
            settings = sandbox.environment(microsoft)
            async with signing_in_process(tmp_path, port, **settings):
                first = await app.do("connect")
            async with signing_in_process(tmp_path, port, **settings, SCALEKIT_MCP_SESSION_KEYS=OTHER_KEYS) as server:
                second = await app.do("connect")
                assert not (await app.do("call"))["error"]
                assert host.signed_in == (2 if asked_at_once else 1)
                assert (second["client_id"] != first["client_id"]) is asked_at_once
                dana = sandbox.people[DANA]
                assert set(await end_access(server, f"ms:{dana.tenant_id}:{dana.oid}")) == {client_name}
                await refusal(server, second["access_token"])
                third = await app.do("connect")
                assert not (await app.do("call"))["error"]
                assert host.signed_in == (3 if asked_at_once else 2)
                assert third["client_id"] != first["client_id"]

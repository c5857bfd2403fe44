"""The official Inspector, as a client that shares no code with us."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.text import TextReceiveStream

from scalekit_mcp.tools import offered_tools
from tests.oauth.remote_host import DANA, RemoteHost, open_host
from tests.oauth.remote_server import end_access, expired, refusal, serving
from tests.support.bounds import HANG_SECONDS
from tests.support.node import node_program, with_node
from tests.support.processes import environment
from tests.support.remote_process import free_port

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("node")]

PACKAGE = Path(__file__).parents[1] / "clients" / "inspector" / "node_modules" / "@modelcontextprotocol" / "inspector"
CALL = ("--method", "tools/call", "--tool-name", "outlook_list_calendar_events", "--tool-arg", "top=1")


def inspector(*arguments: str) -> list[str]:
    """Its command line."""
    if not PACKAGE.is_dir():
        pytest.skip("the Inspector is not installed (`make test-full` does it)")
    program = str(PACKAGE / "clients" / "launcher" / "build" / "index.js")
    return [str(node_program()), program, "--cli", *arguments]


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_inspector_lists_exactly_the_six_tools(tmp_path, era):
    done = subprocess.run(
        inspector(
            sys.executable, "-m", "scalekit_mcp", "serve", "--sandbox",
            "-q", "--format", "json", "--protocol-era", era, "--method", "tools/list", "--strict",
        ),
        env=with_node(environment(tmp_path)), capture_output=True, encoding="utf-8", timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Warning: tool" not in done.stderr
    answer, _ = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("{") :])
    assert [tool["name"] for tool in answer["result"]["tools"]] == list(offered_tools())


def callback_port() -> int:
    """The port where it listens unless it is told otherwise; another one while somebody has that."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", 6276))
        except OSError:
            return free_port()
    return 6276


class SigningInInspector:
    """The Inspector at one server; it keeps what it gets in files of `home`."""

    def __init__(self, host: RemoteHost, home: Path, era: str) -> None:
        self._host = host
        self._environment = environment(
            home,
            MCP_AUTO_OPEN_ENABLED="true",
            MCP_INSPECTOR_SECRET_STORE="file",
            MCP_OAUTH_CALLBACK_URL=f"http://127.0.0.1:{callback_port()}/oauth/callback",
        )
        self._era = era
        self._secrets = home / ".mcp-inspector" / "secrets.json"
        self.clients: list[str] = []
        """The ids with which it has come to `/authorize`."""

    @property
    def access_token(self) -> str:
        return re.findall(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", self._secrets.read_text())[0]

    @property
    def refresh_token(self) -> str:
        return re.findall(r"rt_[\w-]{43}", self._secrets.read_text())[0]

    def keep(self, access_token: str) -> None:
        self._secrets.write_text(self._secrets.read_text().replace(self.access_token, access_token))

    async def run(self, *arguments: str) -> dict:
        """One run, with a person who signs in where it says so; its result."""
        address = (f"{self._host.base}/mcp", "--transport", "http", "--protocol-era", self._era, "--format", "json")
        process = await anyio.open_process(
            inspector(*address, *arguments), env=with_node(self._environment), stdin=subprocess.DEVNULL
        )
        printed, told = "", ""
        async with process, anyio.create_task_group() as group:

            async def read_errors() -> None:
                nonlocal told
                assert process.stderr
                lines = BufferedByteReceiveStream(process.stderr)
                try:
                    while line := (await lines.receive_until(b"\n", 100_000)).decode():
                        told += f"{line}\n"
                        if found := re.search(r"navigate to: (\S+client_id=([^&]+)\S+)", line):
                            self.clients.append(found[2])
                            await self._host.open(found[1])
                except (anyio.EndOfStream, anyio.IncompleteRead):
                    pass

            group.start_soon(read_errors)
            assert process.stdout
            printed = "".join([text async for text in TextReceiveStream(process.stdout)])
        assert process.returncode == 0, told[-3000:]
        return json.loads(printed)["result"]


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_the_inspector_refreshes_by_itself_and_signs_in_again_once_its_access_has_ended(tmp_path, era):
    with anyio.fail_after(HANG_SECONDS):
        async with serving(tmp_path) as (sandbox, server), open_host(server.base) as host:
            inspecting = SigningInInspector(host, tmp_path, era)
            listed = await inspecting.run("--method", "tools/list")
            assert [tool["name"] for tool in listed["tools"]] == list(offered_tools())
            assert not (await inspecting.run(*CALL)).get("isError")
            assert host.signed_in == 1

            # two hours later: nobody is asked
            kept = inspecting.refresh_token
            inspecting.keep(expired(inspecting.access_token))
            assert not (await inspecting.run(*CALL)).get("isError")
            assert inspecting.refresh_token != kept
            assert host.signed_in == 1

            # the operator takes the account away from it: the same registration signs in again
            dana = sandbox.people[DANA]
            identifier = f"ms:{dana.tenant_id}:{dana.oid}"
            assert await end_access(server, identifier) == ["MCP Inspector"]
            assert "has ended" in await refusal(server, inspecting.access_token)
            assert not (await inspecting.run(*CALL)).get("isError")
            assert host.signed_in == 2
            assert inspecting.clients[0] == inspecting.clients[1]

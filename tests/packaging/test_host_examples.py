"""The example configurations of MCP hosts: parsed as the host reads them, and those with a command started."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from packaging_support import ROOT

from scalekit_mcp.tools import offered_tools
from tests.support.processes import environment

EXAMPLES = sorted((ROOT / "examples" / "hosts").glob("*.json"), key=lambda path: path.stem)
VARIABLE = re.compile(r"\$\{(?:env:|input:)?([\w-]+)(?::-([^}]*))?\}")


def server_of(path: Path) -> dict[str, Any]:
    config = json.loads(path.read_text("utf-8"))
    (server,) = config["servers" if path.name.startswith("vscode") else "mcpServers"].values()
    return server


LOCAL = [path for path in EXAMPLES if "command" in server_of(path)]
REMOTE = [path for path in EXAMPLES if "url" in server_of(path)]


def test_every_host_has_an_example():
    assert [path.stem for path in EXAMPLES] == [
        "claude-code",
        "claude-code-remote",
        "claude-desktop",
        "claude-desktop-sandbox",
        "cursor",
        "cursor-remote",
        "vscode",
        "vscode-remote",
    ]
    assert len(LOCAL) + len(REMOTE) == len(EXAMPLES)


@pytest.mark.parametrize("path", LOCAL, ids=lambda path: path.stem)
async def test_an_example_with_a_command_starts_a_server(path: Path, tmp_path: Path):
    server = server_of(path)
    secret = tmp_path / "client-secret"
    secret.write_text("value of a client secret", "utf-8")
    values = {
        name: VARIABLE.sub(lambda found: found[2] or "app", value).replace(
            "/absolute/path/to/client-secret", str(secret)
        )
        for name, value in server.get("env", {}).items()
    }
    command = shutil.which(server["command"], path=str(Path(sys.executable).parent))
    assert command
    parameters = StdioServerParameters(command=command, args=server["args"], env=environment(tmp_path, **values))
    with (tmp_path / "log").open("w") as log:
        async with Client(stdio_client(parameters, errlog=log), read_timeout_seconds=60) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == list(offered_tools())


@pytest.mark.parametrize("path", REMOTE, ids=lambda path: path.stem)
def test_a_remote_example_names_the_mcp_address_and_takes_its_token_from_outside(path: Path):
    server = server_of(path)
    address = urlsplit(server["url"])
    assert (address.scheme, address.path) == ("https", "/mcp")
    scheme, _, credential = server["headers"]["Authorization"].partition(" ")
    assert scheme == "Bearer"
    assert VARIABLE.fullmatch(credential)


def test_every_input_of_an_example_is_declared():
    for path in EXAMPLES:
        config = json.loads(path.read_text("utf-8"))
        used = set(re.findall(r"\$\{input:([\w-]+)\}", path.read_text("utf-8")))
        assert used == {entry["id"] for entry in config.get("inputs", [])}

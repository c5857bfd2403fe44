"""The command: usage, exit statuses, and what it prints."""

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.actions import open_actions
from scalekit_mcp.settings import load_settings
from scalekit_mcp.tools import TOOLS, offered_tools
from tests.support.processes import command, environment

ROOT = Path(__file__).parent.parent.parent


def run(home: Path, *arguments: str, stdin: str = "", **values: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        env=environment(home, **values),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_serve_without_settings_exits_2_and_says_what_to_set(tmp_path):
    done = run(tmp_path, "serve")
    assert done.returncode == 2
    assert "--sandbox" in done.stderr
    assert "--identifier" in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_each_malformed_setting_gets_one_sentence(tmp_path):
    done = run(tmp_path, "serve", SCALEKIT_MCP_PORT="x", SCALEKIT_MCP_PUBLIC_URL="ftp://x", MICROSOFT_CLOUD="mars")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 3


def test_an_unknown_option_exits_2(tmp_path):
    assert run(tmp_path, "serve", "--nonsense").returncode == 2


def test_tools_as_json_is_the_catalogue(tmp_path):
    done = run(tmp_path, "tools", "--json")
    assert done.returncode == 0
    assert [tool["name"] for tool in json.loads(done.stdout)] == list(TOOLS)


def test_tools_for_people_names_every_parameter(tmp_path):
    done = run(tmp_path, "tools")
    for spec in TOOLS.values():
        for name in spec.input_schema["properties"]:
            assert name in done.stdout


def test_accounts_list_in_a_new_home_is_empty_and_says_what_to_do(tmp_path):
    done = run(tmp_path, "accounts", "list", MICROSOFT_CLIENT_ID="app")
    assert done.returncode == 0, done.stderr
    assert "connect" in done.stdout


def test_an_account_that_does_not_exist_is_refused_with_exit_1(tmp_path):
    done = run(tmp_path, "accounts", "show", "nobody", MICROSOFT_CLIENT_ID="app")
    assert done.returncode == 1
    assert "nobody" in done.stderr
    assert "Traceback" not in done.stderr


async def test_an_account_is_deleted_once_its_name_and_state_were_confirmed(tmp_path):
    url = f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}"
    values = {"SCALEKIT_MCP_DATABASE_URL": url, "SCALEKIT_MCP_VAULT_KEYS": KeyRing.generate().to_text()}
    values |= {"MICROSOFT_CLIENT_ID": "app"}
    given: dict[str, Any] = {name.removeprefix("SCALEKIT_MCP_").lower(): v for name, v in values.items()}
    settings = load_settings(mode="embedded", **given)
    async with open_actions(settings) as actions:
        await actions.get_or_create_connected_account(identifier="ana")
    delete = functools.partial(run, tmp_path, "accounts", "delete")
    unknown = delete("bob", **values)
    assert unknown.returncode == 1
    assert "for good?" not in unknown.stderr
    declined = delete("ana", stdin="n\n", **values)
    assert declined.returncode == 1
    assert "Remove the account of 'ana' (PENDING) and its tokens for good?" in declined.stderr
    assert run(tmp_path, "accounts", "show", "ana", **values).returncode == 0
    assert delete("ana", stdin="y\n", **values).returncode == 0
    assert run(tmp_path, "accounts", "show", "ana", **values).returncode == 1


def test_a_vault_key_file_is_private_and_not_beside_the_data(tmp_path):
    run(tmp_path, "accounts", "list", MICROSOFT_CLIENT_ID="app")
    (keys,) = tmp_path.rglob("vault.keys")
    (data,) = tmp_path.rglob("vault.sqlite3")
    assert keys.parent != data.parent
    if sys.platform != "win32":
        assert keys.stat().st_mode & 0o077 == 0


def test_the_help_of_every_command_fits_a_terminal(tmp_path):
    for name in ("serve", "demo", "sandbox", "connect", "accounts", "tools", "azure-app", "doctor", "vault", "audit"):
        done = run(tmp_path, name, "--help")
        assert done.returncode == 0
        assert max(len(line) for line in done.stdout.splitlines()) <= 100


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_example_configuration_starts_a_server_with_six_tools(tmp_path, mode):
    """`mcp.json.example` as a host reads it: the command is found on PATH."""
    config = json.loads((ROOT / "mcp.json.example").read_text("utf-8"))["mcpServers"]["outlook"]
    bin_folder = str(Path(sys.executable).parent)
    parameters = StdioServerParameters(
        command=config["command"], args=config["args"], env=environment(tmp_path, PATH=bin_folder)
    )
    with (tmp_path / "log").open("w") as log:
        async with Client(stdio_client(parameters, errlog=log), mode=mode, read_timeout_seconds=60) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == list(offered_tools())
            assert "not Microsoft" in (client.instructions or "")


def test_make_mcp_json_writes_the_absolute_path_of_the_command():
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "write_mcp_json.py")], capture_output=True, text=True, check=True
    )
    server = json.loads(done.stdout)["mcpServers"]["outlook"]
    assert Path(server["command"]).is_absolute()
    assert Path(server["command"]).exists()

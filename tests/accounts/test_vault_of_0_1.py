"""A vault that version 0.1 made, opened by this one: two processes at once, and nobody has to consent again."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from scalekit_mcp import ScalekitClient, load_settings
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.errors import AuthorizationRequired
from scalekit_mcp.sandbox import Sandbox
from tests.support.processes import command, environment

CODE = "2781687d0c919fe1f0f8f3e0310c104eb7800d25"
"""The last commit of version 0.1.0, which was used from checkouts."""
ROOT = Path(__file__).parents[2]
LIST = "outlook_list_calendar_events"
ACCOUNTS = {
    "ana": ("ACTIVE", None),
    "bea": ("REVOKED", "disconnected"),
    "cem": ("PENDING", "awaiting_consent"),
    "dee": ("EXPIRED", "inactive"),
}


@pytest.fixture
def code_of_0_1(tmp_path: Path) -> Path:
    """A folder with the package as it was, and the script that uses it."""
    git = shutil.which("git")
    found = git and subprocess.run(
        [git, "archive", "--format=zip", CODE, "scalekit_mcp"], cwd=ROOT, capture_output=True, check=False
    )
    if not found or found.returncode != 0:
        pytest.skip("the history of version 0.1 is not here: clone the repository whole")
    folder = tmp_path / "0.1"
    zipfile.ZipFile(io.BytesIO(found.stdout)).extractall(folder)
    shutil.copy(Path(__file__).with_name("vault_of_0_1.py"), folder)
    return folder


async def output(arguments: list[str], variables: dict[str, str]) -> Any:
    """What the process printed, as JSON."""
    ended = await anyio.run_process(arguments, env=variables, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    return json.loads(ended.stdout)


async def test_every_account_of_a_vault_of_0_1_is_kept_while_two_processes_open_it(
    code_of_0_1: Path, shared_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = Sandbox()
    with anyio.fail_after(240):
        async with sandbox.serve() as base_url:
            variables = {
                **sandbox.environment(base_url),
                "SCALEKIT_MCP_DATABASE_URL": shared_database_url,
                "SCALEKIT_MCP_VAULT_KEYS": KeyRing.generate().to_text(),
            }
            process = environment(tmp_path, **variables)
            before = await output([sys.executable, str(code_of_0_1 / "vault_of_0_1.py"), base_url], process)
            assert {name: (status, reason) for name, (_, status, reason) in before.items()} == ACCOUNTS

            lists: list[Any] = []

            async def list_accounts() -> None:
                lists.append(await output(command("accounts", "list", "--json"), process))

            async with anyio.create_task_group() as both:
                both.start_soon(list_accounts)
                both.start_soon(list_accounts)
            for listed in lists:
                found = {each["identifier"]: [each["id"], each["status"], each["reason"]] for each in listed}
                assert found == before

            older = [sys.executable, "-m", "scalekit_mcp", "accounts", "list"]
            refused = await anyio.run_process(older, env=process, cwd=code_of_0_1, check=False)
            assert refused.returncode != 0
            assert "A newer version of scalekit-mcp wrote this vault." in refused.stderr.decode()

            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            await anyio.to_thread.run_sync(use)


def use() -> None:
    """Ana's tokens still open her calendar; the others are told what they were told before."""
    with ScalekitClient(settings=load_settings()) as client:
        assert client.actions.execute_tool({"top": 1}, LIST, "ana")["value"]
        for name in ("bea", "cem", "dee"):
            with pytest.raises(AuthorizationRequired) as refused:
                client.actions.execute_tool({"top": 1}, LIST, name)
            assert (refused.value.details["status"], refused.value.details["reason"]) == ACCOUNTS[name]

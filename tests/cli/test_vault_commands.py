"""`vault migrate` and `vault rotate` on a real file, beside an account that is connected."""

from __future__ import annotations

import os
import secrets
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import anyio
import pytest

from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.actions import open_actions
from scalekit_mcp.sandbox import Sandbox
from tests.support.processes import command, environment
from tests.support.settings import sandbox_settings

PAGES = "http://localhost:8754"
Run = Callable[..., object]


async def link_base() -> str:
    return PAGES


async def connect(actions, sandbox, identifier):
    link = await actions.get_authorization_link(identifier=identifier)
    started = await actions.start_authorization(link.link.rpartition("/")[2])
    async with sandbox.browser(stop_at=(PAGES,)) as browser:
        ended = await browser.sign_in(started, "dana@company.com")
    await actions.complete_authorization(dict(parse_qsl(urlsplit(ended).query)))


async def run(home: Path, *arguments: str, **values: str):
    done = await anyio.run_process(command(*arguments), env=environment(home, **values), check=False)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def keys_file(home: Path) -> Path:
    (found,) = home.rglob("vault.keys")
    return found


@pytest.fixture
def database(tmp_path):
    return f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}"


async def connected(database, keys, count=3):
    """A vault with `count` accounts, sealed under the first of `keys`."""
    sandbox = Sandbox()
    async with sandbox.serve() as base_url:
        settings = sandbox_settings(sandbox, base_url, database_url=database, vault_keys=keys)
        async with open_actions(settings, link_base=link_base) as actions:
            for number in range(count):
                await connect(actions, sandbox, f"user_{number}")


def new_key(name):
    return f"{name}:{b64encode(secrets.token_bytes(32)).decode()}"


async def test_migrate_needs_no_azure_app_and_tells_the_version(tmp_path, database):
    status, told, _ = await run(tmp_path, "vault", "migrate", SCALEKIT_MCP_DATABASE_URL=database)
    assert status == 0
    assert "holds 0 connected account(s)" in told


async def test_rotating_a_key_file_puts_a_new_key_in_front_and_seals_every_record_under_it(tmp_path, database):
    await run(tmp_path, "vault", "migrate", SCALEKIT_MCP_DATABASE_URL=database)
    before = KeyRing.from_file(keys_file(tmp_path))
    await connected(database, before.to_text())
    status, told, _ = await run(tmp_path, "vault", "rotate", SCALEKIT_MCP_DATABASE_URL=database)
    after = KeyRing.from_file(keys_file(tmp_path))
    assert status == 0
    assert after.key_ids[1:] == before.key_ids
    assert "0 to do" in told
    newest = f"{after.sealing_key_id}:{b64encode(after.key(after.sealing_key_id) or b'').decode()}"
    status, told, _ = await run(
        tmp_path, "vault", "rotate", SCALEKIT_MCP_DATABASE_URL=database, SCALEKIT_MCP_VAULT_KEYS=newest
    )
    assert (status, "already" in told) == (0, True), "the old key is not needed any more"


async def test_a_rotation_that_was_stopped_is_finished_before_another_key_comes(tmp_path, database):
    await run(tmp_path, "vault", "migrate", SCALEKIT_MCP_DATABASE_URL=database)
    path = keys_file(tmp_path)
    before = KeyRing.from_file(path)
    await connected(database, before.to_text())
    path.write_text(f"{new_key('newer')},{before.to_text()}")  # as a rotation leaves it that was stopped at once
    status, told, _ = await run(tmp_path, "vault", "rotate", SCALEKIT_MCP_DATABASE_URL=database)
    assert status == 0
    assert "finished an earlier rotation" in told
    assert KeyRing.from_file(path).key_ids == ("newer", *before.key_ids)


async def test_with_keys_in_the_environment_the_command_says_how_to_bring_in_a_new_one(tmp_path, database):
    old = new_key("old")
    await connected(database, old)
    values = {"SCALEKIT_MCP_DATABASE_URL": database}
    status, told, _ = await run(tmp_path, "vault", "rotate", SCALEKIT_MCP_VAULT_KEYS=old, **values)
    assert status == 0
    assert "in front" in told
    ring = f"{new_key('new')},{old}"
    status, told, progress = await run(tmp_path, "vault", "rotate", SCALEKIT_MCP_VAULT_KEYS=ring, **values)
    assert status == 0
    assert "0 to do" in told
    assert progress == ""
    for secret in ring.split(","):
        assert secret.partition(":")[2] not in told + progress


async def test_a_lost_key_is_an_error_and_nothing_is_overwritten(tmp_path, database):
    await connected(database, new_key("lost"))
    content = (tmp_path / "vault.sqlite3").read_bytes()
    status, _, told = await run(
        tmp_path, "vault", "rotate", SCALEKIT_MCP_DATABASE_URL=database, SCALEKIT_MCP_VAULT_KEYS=new_key("other")
    )
    assert status == 1
    assert "lost" in told
    assert (tmp_path / "vault.sqlite3").read_bytes() == content


@pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")
async def test_the_key_file_stays_private_after_a_rotation(tmp_path, database):
    await run(tmp_path, "vault", "migrate", SCALEKIT_MCP_DATABASE_URL=database)
    await run(tmp_path, "vault", "rotate", SCALEKIT_MCP_DATABASE_URL=database)
    assert keys_file(tmp_path).stat().st_mode & 0o077 == 0

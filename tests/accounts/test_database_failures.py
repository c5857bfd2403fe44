"""What a failure of the database is called: by the code of the driver, whatever its text says in whatever language."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from scalekit_mcp.accounts.model.records import AccountKey
from scalekit_mcp.accounts.vault.changes import NoteAccount
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.errors import VaultError
from tests.accounts.accounts_support import sqlite_url
from tests.accounts.test_vault import active
from tests.support import postgres

RING = KeyRing([("a", bytes(range(32)))])
ANA = AccountKey("outlook", "ana")


async def failure_of_opening(url: str) -> VaultError:
    vault = Vault(url, RING)
    try:
        with pytest.raises(VaultError) as raised:
            await vault.find_account(ANA)
    finally:
        await vault.aclose()
    return raised.value


async def test_a_table_that_is_gone_is_a_failed_database_and_not_one_that_cannot_be_reached(tmp_path: Path):
    path = tmp_path / "vault.sqlite3"
    vault = Vault(sqlite_url(path), RING)
    await active(vault)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA foreign_keys = OFF")
        other.execute("DROP TABLE connected_accounts")
    with pytest.raises(VaultError, match="database failed"):
        await vault.find_account(ANA)
    await vault.aclose()


async def test_a_file_that_was_overwritten_in_the_middle_is_said_to_be_damaged(tmp_path: Path):
    path = tmp_path / "vault.sqlite3"
    vault = Vault(sqlite_url(path), RING)
    await active(vault)
    await vault.aclose()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    failure = await failure_of_opening(sqlite_url(path))
    assert failure.message == "The vault's database is damaged. Nothing was overwritten."


async def test_a_path_through_a_file_is_said_to_be_one_that_cannot_be_opened(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    failure = await failure_of_opening(sqlite_url(tmp_path / "file" / "vault.sqlite3"))
    assert failure.message == "The vault's database file cannot be opened. Nothing was overwritten."
    assert failure.next_step == "The operator checks its folder and rights."


@pytest.mark.full
async def test_a_login_that_postgresql_does_not_know_is_said_to_be_refused(postgresql_server: str):
    url = make_url(postgresql_server).set(drivername="postgresql+asyncpg", username="nobody")
    failure = await failure_of_opening(url.render_as_string(hide_password=False))
    assert failure.message == "The vault's database refuses the login. Nothing was overwritten."


@pytest.mark.full
async def test_a_standby_of_postgresql_is_said_to_be_read_only(postgresql_server: str):
    import asyncpg

    async with postgres.new_database(postgresql_server) as url:
        vault = Vault(url, RING)
        account = await active(vault)
        await vault.aclose()
        plain = make_url(url)
        connection = await asyncpg.connect(plain.set(drivername="postgresql").render_as_string(hide_password=False))
        await connection.execute(f'ALTER DATABASE "{plain.database}" SET default_transaction_read_only = on')
        await connection.close()
        vault = Vault(url, RING)
        assert await vault.find_account(ANA) is not None
        with pytest.raises(VaultError, match="read-only") as raised:
            await vault.commit(NoteAccount(account.id, last_authorization_error="x"))
        await vault.aclose()
    assert raised.value.next_step == "The operator makes the database writable."

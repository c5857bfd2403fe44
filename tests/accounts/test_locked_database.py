"""A SQLite file that another process writes, reads or keeps locked: reads go on, writes end in bounded time."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from scalekit_mcp.accounts.model.records import AccountKey, AccountStatus
from scalekit_mcp.accounts.vault.changes import NoteAccount
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.errors import VaultError
from tests.accounts.accounts_support import Room, open_room, sqlite_url
from tests.accounts.test_vault import NOW, active, create, entry, new_account
from tests.support.bounds import HANG_SECONDS

HOLDER = """
import sqlite3, sys
path, statements = sys.argv[1], sys.argv[2:]
connection = sqlite3.connect(path, isolation_level=None)
for statement in statements:
    connection.execute(statement).fetchall()
print("held", flush=True)
sys.stdin.readline()
"""


@asynccontextmanager
async def another_process(path: Path, *statements: str) -> AsyncIterator[None]:
    """A process that has carried out these statements and holds what they hold."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", HOLDER, str(path), *statements),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(HANG_SECONDS):
            assert await process.stdout.readline() == b"held\n"
        yield
    finally:
        process.kill()
        await process.communicate()


@asynccontextmanager
async def connected_room(tmp_path: Path) -> AsyncIterator[tuple[Room, Path]]:
    path = tmp_path / "vault.sqlite3"
    async with open_room(sqlite_url(path)) as room:
        await room.consent()
        yield room, path


async def test_reads_go_on_while_another_process_holds_the_write_lock(tmp_path: Path):
    async with connected_room(tmp_path) as (room, path), another_process(path, "BEGIN IMMEDIATE"):
        room.advance(1800)  # the last use is long ago: it would be written
        vault = Vault(sqlite_url(path), room.vault.key_ring, write_seconds=HANG_SECONDS)
        services = room.other_services(vault=vault)
        waiting = [asyncio.create_task(services.accounts.disconnect(room.key())) for _ in range(30)]
        await asyncio.sleep(0)
        assert await services.tokens.access_token(AccountKey("outlook", "ana"))
        assert (await services.accounts.get(room.key())).account.status is AccountStatus.ACTIVE
        assert (await services.accounts.list()).total_size == 1
        assert await services.accounts.history()
        assert (await services.accounts.get_or_create(room.key())).account.identifier == "ana"
        # All of that was answered while those who write still waited.
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_write_behind_another_process_ends_in_bounded_time_and_says_why(tmp_path: Path):
    path = tmp_path / "vault.sqlite3"
    vault = Vault(sqlite_url(path), KeyRing.generate(), write_seconds=0.2)
    account = await active(vault)
    note = NoteAccount(account.id, last_used_at=NOW)
    async with another_process(path, "BEGIN IMMEDIATE"):
        results = await asyncio.gather(*(vault.commit(note) for _ in range(20)), return_exceptions=True)
        assert all(isinstance(each, VaultError) and each.retryable for each in results)
        said = " ".join(str(each) for each in results)
        assert "locked" in said
        assert all(isinstance(each, VaultError) and "Repeat the call" in each.next_step for each in results)
    assert await vault.commit(note)
    await vault.aclose()


async def test_a_long_reader_of_another_process_stops_neither_writes_nor_deletions(tmp_path: Path):
    path = tmp_path / "vault.sqlite3"
    vault = Vault(sqlite_url(path), KeyRing.generate())
    account = await active(vault)
    async with another_process(path, "BEGIN", "SELECT * FROM connected_accounts"):
        await create(vault, "bea")
        assert await vault.delete_account(account.id, entry(account))
        assert await vault.find_account(AccountKey("outlook", "ana")) is None
    await vault.aclose()


@pytest.mark.parametrize("made", [False, True])
async def test_a_vault_that_cannot_be_opened_for_a_lock_says_so(tmp_path: Path, made: bool):
    path, ring = tmp_path / "vault.sqlite3", KeyRing.generate()
    if made:
        first = Vault(sqlite_url(path), ring)
        await create(first)
        await first.aclose()
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0001'")
    lock = ("PRAGMA locking_mode = EXCLUSIVE", "CREATE TABLE IF NOT EXISTS other (x)", "BEGIN EXCLUSIVE")
    vault = Vault(sqlite_url(path), ring, write_seconds=0.2)
    async with another_process(path, *lock):
        with pytest.raises(VaultError, match="locked"):
            await vault.create_account(new_account("bea"), entry(new_account("bea")))
    await vault.aclose()

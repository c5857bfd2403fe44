"""A vault as an earlier version left it: opened, sealed anew once, and not accepted without seals afterwards."""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

import scalekit_mcp.accounts.vault.migrations as migrations
from scalekit_mcp.accounts.model.records import AccountKey
from scalekit_mcp.accounts.vault.changes import AttemptKey
from scalekit_mcp.accounts.vault.database.database import Database
from scalekit_mcp.accounts.vault.rows import to_micros
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.tables import HEAD
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.errors import VaultError
from tests.accounts.accounts_support import sqlite_url
from tests.accounts.test_tampering import Database as Rows
from tests.accounts.test_vault import NEWER, NOW, RING, active

TICKET = "a" * 64
VERSION = "SELECT version_num FROM alembic_version"


def old_vault(path: Path, ring: KeyRing = RING, names: tuple[str, ...] = ("ana", "bea")) -> None:
    """A vault of the second version of the tables: accounts with tokens, one without, an attempt, a tenant's mark."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
    engine.dispose()
    at = to_micros(NOW)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for name in (*names, "cem"):
            account = f"ca_{name}"
            tokens = {"a": f"at-{name}", "r": f"rt-{name}", "e": at, "s": ["Calendars.ReadWrite"]}
            sealed = ring.seal(json.dumps(tokens).encode(), kind="tokens", owner=account, context=["outlook", name])
            known: tuple[Any, ...] = ("ACTIVE", None, "nobody", 4, sealed, ring.sealing_key_id)
            if name == "cem":
                known = ("PENDING", "never_authorized", "user", 0, None, None)
            connection.execute(
                "INSERT INTO connected_accounts (id, connection_name, identifier, status, reason, who_acts, version, "
                "sealed_tokens, key_id, created_at, updated_at, tid, provider_account, granted_scopes, client_id, "
                "login_host, token_expires_at) "
                "VALUES (?,'outlook',?,?,?,?,?,?,?,?,?,'t',?,'Calendars.ReadWrite','c','l',?)",
                (account, name, *known, at, at, json.dumps({"tid": "t", "oid": name}), at),
            )
        attempt = "att_1"
        plain = json.dumps({"held": None, "expected_account": None, "scopes": [], "ticket": "t"}).encode()
        sealed = ring.seal(plain, kind="attempt", owner=attempt, context=["ca_ana", "outlook", "ana"])
        connection.execute(
            "INSERT INTO attempts VALUES (?,'ca_ana','ca_ana','outlook','ana','link_given',?,?,'http://x','confirm',0,0,2,3,"
            "?,NULL,NULL,?,?)",
            (attempt, at, at, TICKET, sealed, ring.sealing_key_id),
        )
        connection.execute("INSERT INTO tenant_marks VALUES ('outlook','t','7000112',?,?)", (at, at))
        for key_id in ring.key_ids:
            one = KeyRing([(key_id, ring.key(key_id) or b"")])
            check = one.seal(b"scalekit-mcp", kind="key check", owner=key_id, context=[key_id])
            connection.execute("INSERT INTO vault_keys VALUES (?, ?)", (key_id, check))


async def test_an_old_vault_opens_with_everything_in_it_and_is_sealed_anew(tmp_path: Path):
    path = tmp_path / "vault.sqlite3"
    old_vault(path)
    for _ in range(2):
        vault = Vault(sqlite_url(path), RING)
        stored = await vault.find_account(AccountKey("outlook", "ana"))
        assert stored is not None
        assert stored.tokens is not None
        assert (stored.tokens.access_token, stored.account.version) == ("at-ana", 4)
        assert stored.tenant_mark is not None
        attempt = await vault.find_attempt(AttemptKey.TICKET, TICKET)
        assert attempt is not None
        assert (attempt.wrong_tries, attempt.version) == (2, 3)
        pending = await vault.find_account(AccountKey("outlook", "cem"))
        assert pending is not None
        assert pending.tokens is None
        await vault.aclose()
    Rows(path).run("UPDATE attempts SET wrong_tries = 0")
    vault = Vault(sqlite_url(path), RING)
    with pytest.raises(VaultError):
        await vault.find_attempt(AttemptKey.TICKET, TICKET)
    await vault.aclose()


async def test_a_row_without_its_seal_is_not_taken_for_an_old_one_later(tmp_path: Path):
    path = tmp_path / "vault.sqlite3"
    old_vault(path)
    database = Rows(path)
    before = database.copy("connected_accounts")
    vault = Vault(sqlite_url(path), RING)
    await vault.find_account(AccountKey("outlook", "ana"))
    await vault.aclose()
    database.put_back("connected_accounts", before)  # the columns of the seal are not in it
    vault = Vault(sqlite_url(path), RING)
    with pytest.raises(VaultError, match="has no seal"):
        await vault.find_account(AccountKey("outlook", "ana"))
    await vault.aclose()


async def test_several_processes_may_open_an_old_vault_at_once(tmp_path: Path):
    path = tmp_path / "vault.sqlite3"
    names = tuple(f"user-{number:03d}" for number in range(450))
    old_vault(path, names=("ana", *names))
    vaults = [Vault(sqlite_url(path), RING) for _ in range(4)]
    found = await asyncio.gather(*(vault.find_account(AccountKey("outlook", "user-449")) for vault in vaults))
    assert all(each is not None and each.tokens is not None for each in found)
    for vault in vaults:
        await vault.aclose()
    assert Rows(path).run("SELECT 1 FROM connected_accounts WHERE sealed_state IS NULL") == []


async def test_a_process_that_opens_an_old_vault_waits_for_another_that_brings_it_up_to_date(tmp_path: Path):
    path = tmp_path / "vault.sqlite3"
    old_vault(path)
    tries: list[int] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN IMMEDIATE")

        class Watched(Database):
            async def write(self, *arguments: Any, **options: Any) -> Any:
                tries.append(len(tries))
                if len(tries) == 3:
                    other.execute("COMMIT")
                return await super().write(*arguments, **options)

        database = Watched(sqlite_url(path), write_seconds=0.01)
        await database.migrate()
        assert await database.read(lambda connection: connection.execute(text(VERSION)).scalar()) == HEAD
        await database.aclose()
    assert len(tries) == 3


async def test_a_vault_that_stays_locked_is_refused_in_the_end(tmp_path: Path):
    path = tmp_path / "vault.sqlite3"
    old_vault(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN IMMEDIATE")
        database = Database(sqlite_url(path), write_seconds=0.01)
        with pytest.raises(VaultError, match="kept the vault's database locked"):
            await database.migrate()
        await database.aclose()


async def test_an_old_record_that_does_not_open_hides_no_other(tmp_path: Path):
    path = tmp_path / "vault.sqlite3"
    old_vault(path)
    Rows(path).run("UPDATE connected_accounts SET sealed_tokens = x'00' WHERE identifier = 'bea'")
    vault = Vault(sqlite_url(path), RING)
    assert await vault.find_account(AccountKey("outlook", "ana")) is not None
    with pytest.raises(VaultError, match="'bea'"):
        await vault.find_account(AccountKey("outlook", "bea"))
    await vault.aclose()


async def test_an_old_vault_under_two_keys_is_led_to_the_first(tmp_path: Path):
    path = tmp_path / "vault.sqlite3"
    old_vault(path)
    vault = Vault(sqlite_url(path), NEWER)
    stored = await vault.find_account(AccountKey("outlook", "ana"))
    assert stored is not None
    assert stored.tokens is not None
    step = await vault.reseal(after=None, limit=10)
    assert step.remaining == 0
    await active(vault, f"new-{secrets.token_hex(2)}")
    await vault.aclose()

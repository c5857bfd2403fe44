"""Somebody who can write the vault's database, without its keys, changes what decides or puts old rows back."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scalekit_mcp.accounts.model.records import AccountKey, AccountStatus, UserVerification
from scalekit_mcp.accounts.vault.changes import AttemptKey
from scalekit_mcp.accounts.vault.rotation import rotate_keys
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.errors import AuthorizationRequired, InvalidInput, VaultError
from tests.accounts.accounts_support import ALICE, COOKIE, DANA, Room, open_room, sqlite_url

Rows = list[dict[str, Any]]


@dataclass
class Database:
    """The file as somebody without the keys sees it, checks of constraints switched off."""

    path: Path

    def run(self, statement: str, *values: Any) -> Rows:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA ignore_check_constraints = ON")
            return [dict(row) for row in connection.execute(statement, values).fetchall()]

    def copy(self, table: str) -> Rows:
        return self.run(f"SELECT * FROM {table}")  # noqa: S608 - the tests' own words

    def change(self, table: str, change: str, where: str = "1") -> None:
        self.run(f"UPDATE {table} SET {change} WHERE {where}")  # noqa: S608 - the tests' own words

    def put_back(self, table: str, rows: Rows) -> None:
        for row in rows:
            names, marks = ", ".join(row), ", ".join("?" * len(row))
            self.run(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", *row.values())  # noqa: S608 - the tests' own words


@asynccontextmanager
async def attacked(tmp_path: Path, verification: str = "off") -> AsyncIterator[tuple[Room, Database]]:
    path = tmp_path / "vault.sqlite3"
    async with open_room(sqlite_url(path), user_verification=UserVerification(verification)) as room:
        yield room, Database(path)


async def restarted(room: Room, database: Database) -> Any:
    """A process that has not seen the vault before."""
    return room.other_services(vault=Vault(sqlite_url(database.path), room.vault.key_ring))


@pytest.mark.parametrize(
    "change",
    [
        "verification = 'off'",
        "verification = 'url'",
        "reconnect = 1",
        "wrong_tries = 0",
        "expires_at = expires_at + 86400000000",
        "state = 'link_given'",
        "state_used = 0, state_sha256 = NULL",
        "redirect_uri = 'http://attacker.example/'",
        "identifier = 'eve'",
        "version = version + 1",
    ],
)
async def test_what_decides_about_a_sign_in_cannot_be_changed_in_the_database(tmp_path: Path, change: str):
    async with attacked(tmp_path, "confirm") as (room, database):
        ticket = await room.begin()
        url = await room.authorizations.start(ticket, COOKIE)
        assert isinstance(url, str)
        if change.startswith(("wrong_tries", "state")):
            outcome = await room.authorizations.complete(await room.sign_in(url), [COOKIE])
            assert outcome.confirmation_code is not None
            with pytest.raises(InvalidInput):
                await room.authorizations.confirm(room.key(), confirmation_code="00000000")
        database.change("attempts", change)
        with pytest.raises(VaultError, match="Nothing was overwritten"):
            await room.authorizations.prompt(ticket)
        if "state" not in change and "wrong" not in change:
            with pytest.raises(VaultError):
                await room.authorizations.complete(await room.sign_in(url), [COOKIE])
        assert await room.stored_tokens() is None


async def test_a_consent_is_held_for_its_code_although_the_database_says_that_none_is_needed(tmp_path: Path):
    async with attacked(tmp_path, "confirm") as (room, database):
        url = await room.authorizations.start(await room.begin(), COOKIE)
        assert isinstance(url, str)
        back = await room.sign_in(url, ALICE)
        database.run("UPDATE attempts SET verification = 'off'")
        with pytest.raises(VaultError):
            await room.authorizations.complete(back, [COOKIE])
        assert (await room.view()).account.status is AccountStatus.PENDING


@pytest.mark.parametrize("with_version", [False, True])
async def test_putting_the_attempt_back_gives_no_further_tries(tmp_path: Path, with_version: bool):
    async with attacked(tmp_path, "confirm") as (room, database):
        outcome = await room.consent()
        fresh = database.copy("attempts"), database.copy("record_versions")
        assert outcome.confirmation_code is not None
        with pytest.raises(InvalidInput, match="4 of 5"):
            await room.authorizations.confirm(room.key(), confirmation_code="00000000")
        database.put_back("attempts", fresh[0])
        if with_version:  # whoever runs remembers
            database.put_back("record_versions", fresh[1])
        with pytest.raises(VaultError, match="older one was put back"):
            await room.authorizations.confirm(room.key(), confirmation_code=outcome.confirmation_code)
        assert await room.stored_tokens() is None


@pytest.mark.parametrize(
    "change",
    [
        "status = 'ACTIVE', reason = NULL",
        "status = 'ACTIVE', reason = NULL, version = version + 5, epoch = version + 5",
        "tid = 'x'",
        "provider_account = replace(provider_account, 'oid', 'oid')||' '",
        "granted_scopes = granted_scopes || ' Mail.Read'",
        "login_host = 'attacker.example'",
        "client_id = 'attacker'",
        "who_acts = 'user'",
        "token_expires_at = token_expires_at + 86400000000",
        "sealed_state = NULL",
        "sealed_state = NULL, epoch = 0, tokens_version = NULL",
    ],
)
async def test_what_decides_about_an_account_cannot_be_changed_in_the_database(tmp_path: Path, change: str):
    async with attacked(tmp_path) as (room, database):
        await room.consent()
        await room.consent("bea", ALICE)
        if change.startswith("status"):
            await room.accounts.disconnect(room.key())
        database.change("connected_accounts", change, "identifier = 'ana'")
        room.advance(3)
        with pytest.raises(VaultError, match="'ana'") as refused:
            await room.token()
        assert refused.value.who_acts == "operator"
        assert await room.token("bea")
        fresh = await restarted(room, database)
        with pytest.raises(VaultError):
            await fresh.tokens.access_token(AccountKey("outlook", "ana"))


async def test_a_disconnected_account_whose_old_row_is_put_back_does_not_work(tmp_path: Path):
    async with attacked(tmp_path) as (room, database):
        await room.consent()
        active = database.copy("connected_accounts")
        versions = database.copy("record_versions")
        await room.accounts.disconnect(room.key())
        database.put_back("connected_accounts", active)
        room.advance(3)
        for services in (room.services, await restarted(room, database)):
            with pytest.raises(VaultError, match="older one was put back"):
                await services.tokens.access_token(AccountKey("outlook", "ana"))
        database.put_back("record_versions", versions)  # a process that saw the disconnection knows nevertheless
        with pytest.raises(VaultError, match="older one was put back"):
            await room.token()


async def test_a_deleted_account_whose_row_is_put_back_does_not_work(tmp_path: Path):
    async with attacked(tmp_path) as (room, database):
        await room.consent()
        active = database.copy("connected_accounts")
        assert await room.accounts.delete(room.key())
        database.put_back("connected_accounts", active)
        for services in (room.services, await restarted(room, database)):
            with pytest.raises(VaultError, match="older one was put back"):
                await services.tokens.access_token(AccountKey("outlook", "ana"))
        assert await room.accounts.delete(room.key())
        await room.consent()
        assert await room.token()


async def test_tokens_of_an_earlier_grant_do_not_open_in_a_later_row(tmp_path: Path):
    async with attacked(tmp_path) as (room, database):
        await room.consent()
        earlier = database.copy("connected_accounts")[0]["sealed_tokens"]
        await room.consent(address=DANA, reconnect=True)
        database.run("UPDATE connected_accounts SET sealed_tokens = ?", earlier)
        room.advance(3)
        with pytest.raises(VaultError):
            await room.token()


async def test_without_its_version_a_record_is_refused(tmp_path: Path):
    async with attacked(tmp_path) as (room, database):
        await room.consent()
        database.run("DELETE FROM record_versions")
        with pytest.raises(VaultError, match="its version is gone"):
            await room.view()


@pytest.mark.parametrize("change", ["code = 'x'", "next_trial_at = 0", "sealed = NULL", "sealed = x'00'"])
async def test_a_tenants_mark_that_another_program_made_or_changed_counts_as_none(tmp_path: Path, change: str):
    async with attacked(tmp_path) as (room, database):
        await room.consent()
        await room.consent("bea", ALICE)
        room.advance(3400)
        room.sandbox.next_token_error(7000112)
        room.advance(3600)
        with pytest.raises(AuthorizationRequired):
            await room.token()
        assert (await room.view("bea")).stopped is not None
        database.change("tenant_marks", change)
        assert (await room.view("bea")).stopped is None
        assert await room.token("bea")


async def test_an_attempt_found_by_its_ticket_is_the_one_that_was_written_last(tmp_path: Path):
    async with attacked(tmp_path) as (room, database):
        await room.begin()
        first = database.copy("attempts")
        ticket_sha256 = first[0]["ticket_sha256"]
        await room.begin(reconnect=True)  # supersedes it
        database.run("UPDATE attempts SET live_account_id = NULL")
        database.put_back("attempts", first)
        with pytest.raises(VaultError):
            await room.vault.find_attempt(AttemptKey.TICKET, ticket_sha256)


async def test_after_a_rotation_of_keys_the_seals_hold_under_the_new_key_alone(tmp_path: Path):
    async with attacked(tmp_path) as (room, database):
        await room.consent()
        await room.begin("bea")
        both = KeyRing.from_text("new:" + "A" * 42 + "E=," + room.vault.key_ring.to_text())
        rotating = room.other_services(vault=Vault(sqlite_url(database.path), both))
        progress = await rotate_keys(rotating.vault)
        assert (progress.unreadable, progress.remaining) == (0, 0)
        only = Vault(sqlite_url(database.path), KeyRing.from_text("new:" + "A" * 42 + "E="))
        services = room.other_services(vault=only)
        assert await services.tokens.access_token(AccountKey("outlook", "ana"))
        assert (await services.accounts.get(room.key("bea"))).attempt_state is not None

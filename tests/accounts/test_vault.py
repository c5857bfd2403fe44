"""One suite for the vault, over SQLite in memory, SQLite in a file, and PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from scalekit_mcp.accounts.model import statuses
from scalekit_mcp.accounts.model.records import (
    KEPT_ELSEWHERE,
    AccountKey,
    AccountStatus,
    Attempt,
    AttemptSecrets,
    AttemptState,
    ConnectedAccount,
    HeldGrant,
    HeldRequest,
    HistoryEntry,
    ProviderAccount,
    Reason,
    StoredAccount,
    TenantMark,
    TokenSet,
    UserVerification,
)
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.vault import rows
from scalekit_mcp.accounts.vault.changes import (
    AttemptKey,
    ChangeStatus,
    ClaimTrial,
    ClearTenant,
    InsertAttempt,
    MarkTenant,
    NoteAccount,
    ReleaseLease,
    SaveAttempt,
    SaveTokens,
    TakeLease,
)
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.errors import ConfigurationError, VaultError
from tests.accounts.accounts_support import sqlite_url
from tests.support import postgres

NOW = datetime(2026, 3, 30, 9, 0, 0, 123456, tzinfo=UTC)
RING = KeyRing([("a", bytes(range(32)))])
NEWER = KeyRing([("b", bytes(range(1, 33))), ("a", bytes(range(32)))])
SIGNED_IN = ProviderAccount("tid-1", "oid-1", "ana@company.com", "ana@company.com", None, "Ana", personal=False)
TOKENS = TokenSet("access-1", "refresh-1", NOW + timedelta(hours=1), ("Calendars.ReadWrite", "User.Read"))


@pytest.fixture
async def vault(database_url: str) -> AsyncIterator[Vault]:
    vault = Vault(database_url, RING)
    yield vault
    await vault.aclose()


def new_account(identifier: str = "ana", connection_name: str = "outlook") -> ConnectedAccount:
    return ConnectedAccount(
        id="ca_" + secrets.token_hex(12),
        connection_name=connection_name,
        identifier=identifier,
        status=AccountStatus.PENDING,
        reason=Reason.NEVER_AUTHORIZED,
        who_acts="user",
        created_at=NOW,
        updated_at=NOW,
    )


def entry(account: ConnectedAccount, at: datetime = NOW) -> HistoryEntry:
    return HistoryEntry(
        at,
        account.id,
        account.connection_name,
        account.identifier,
        None,
        account.status,
        None,
        account.reason,
        "created",
    )


async def create(vault: Vault, identifier: str = "ana") -> ConnectedAccount:
    account = new_account(identifier)
    assert await vault.create_account(account, entry(account))
    return account


def consented(account: ConnectedAccount, tokens: TokenSet = TOKENS) -> ChangeStatus:
    known = replace(
        account,
        provider_account=SIGNED_IN,
        granted_scopes=tokens.granted_scopes,
        client_id="client",
        login_host="login.example",
        token_expires_at=tokens.expires_at,
    )
    change = statuses.change(known, Cause.CONSENTED, reason=None, at=NOW)
    return ChangeStatus(replace(change, before=account), tokens)


async def active(vault: Vault, identifier: str = "ana", tokens: TokenSet = TOKENS) -> ConnectedAccount:
    account = await create(vault, identifier)
    change = consented(account, tokens)
    assert await vault.commit(change)
    return change.change.after


def new_attempt(account: ConnectedAccount, **values: Any) -> Attempt:
    ticket = secrets.token_hex(32)
    attempt = Attempt(
        id="att_" + secrets.token_hex(12),
        account_id=account.id,
        connection_name=account.connection_name,
        identifier=account.identifier,
        state=AttemptState.LINK_GIVEN,
        created_at=NOW,
        expires_at=NOW + timedelta(minutes=15),
        redirect_uri="http://localhost:8754/oauth/callback",
        verification=UserVerification.CONFIRM,
        ticket_sha256=ticket,
        secrets=AttemptSecrets(
            ticket="t",
            state="s",
            nonce="n",
            code_verifier="v",
            scopes=("a", "b"),
            expected_account=("tid", "oid"),
            held=HeldGrant(TOKENS, SIGNED_IN),
        ),
    )
    return replace(attempt, **values)


# Accounts


async def test_an_account_comes_back_as_it_was_stored(vault: Vault):
    account = await active(vault)
    stored = await vault.find_account(AccountKey("outlook", "ana"))
    assert stored is not None
    assert stored.account == account
    assert stored.tokens == TOKENS
    assert await vault.find_account(AccountKey("outlook", "bea")) is None


async def test_of_twenty_who_create_an_account_at_once_one_does(vault: Vault):
    accounts = [new_account() for _ in range(20)]
    created = await asyncio.gather(*(vault.create_account(account, entry(account)) for account in accounts))
    assert sum(created) == 1
    stored = await vault.find_account(AccountKey("outlook", "ana"))
    assert stored is not None
    assert stored.account.id == accounts[created.index(True)].id
    assert len(await vault.history(connection_name=None, identifier=None, since=None, limit=50)) == 1


async def test_of_twenty_who_change_the_same_version_one_does(vault: Vault):
    account = await create(vault)
    results = await asyncio.gather(*(vault.commit(consented(account)) for _ in range(20)))
    assert sum(results) == 1


async def test_a_commit_writes_all_or_nothing(vault: Vault):
    account = await create(vault)
    stale = SaveAttempt(new_attempt(account, version=7))
    assert not await vault.commit(consented(account), stale)
    stored = await vault.find_account(AccountKey("outlook", "ana"))
    assert stored is not None
    assert stored.account == account
    assert stored.tokens is None


async def test_deleting_leaves_no_record_behind(vault: Vault):
    account = await active(vault)
    await vault.commit(InsertAttempt(new_attempt(account)))
    assert await vault.delete_account(account.id, entry(account))
    assert not await vault.delete_account(account.id, entry(account))
    assert await vault.find_account(AccountKey("outlook", "ana")) is None
    again = await create(vault)
    assert again.id != account.id


async def test_a_list_is_walked_in_pages_in_one_order(vault: Vault):
    for number in range(25):
        await create(vault, f"user-{number:02d}")
    await active(vault, "zoe")
    found: list[str] = []
    after = None
    while True:
        listed = await vault.list_accounts(connection_name=None, identifier=None, status=None, after=after, limit=7)
        if not listed:
            break
        page = [stored for stored in listed if isinstance(stored, StoredAccount)]
        assert len(page) == len(listed)
        found += [stored.account.identifier for stored in page]
        assert all(stored.tokens is None for stored in page)
        after = (page[-1].account.connection_name, page[-1].account.identifier)
    assert found == sorted(found)
    assert len(found) == 26
    assert await vault.count_accounts(connection_name="outlook", identifier=None, status=AccountStatus.ACTIVE) == 1
    assert await vault.count_accounts(connection_name="other", identifier=None, status=None) == 0


async def test_what_somebody_else_keeps_is_listed_under_its_own_connection_alone(vault: Vault):
    await create(vault)
    elsewhere = new_account("bea", f"{KEPT_ELSEWHERE}acme.scalekit.dev/outlook")
    assert await vault.create_account(elsewhere, entry(elsewhere))
    for connection_name, expected in ((None, ["ana"]), (elsewhere.connection_name, ["bea"])):
        wanted: dict[str, Any] = {"connection_name": connection_name, "identifier": None, "status": None}
        listed = await vault.list_accounts(**wanted, after=None, limit=10)
        assert [stored.account.identifier for stored in listed if isinstance(stored, StoredAccount)] == expected
        assert await vault.count_accounts(**wanted) == 1
        told = await vault.history(connection_name=connection_name, identifier=None, since=None, limit=10)
        assert [line.identifier for line in told] == expected


async def test_an_illegal_pair_of_status_and_reason_is_refused_by_the_schema_itself(vault: Vault):
    account = await create(vault)
    change = consented(account)
    object.__setattr__(change.change.after, "reason", Reason.DISCONNECTED)
    with pytest.raises(VaultError, match="status that does not exist"):
        await vault.commit(change)


# Leases


async def test_one_of_many_gets_the_lease_and_the_others_after_it_ran_out(vault: Vault):
    account = await active(vault)
    until = NOW + timedelta(seconds=60)
    leases = [TakeLease(account.id, account.version, f"owner-{number}", NOW, until) for number in range(20)]
    assert sum(await asyncio.gather(*(vault.commit(lease) for lease in leases))) == 1
    late = TakeLease(account.id, account.version, "late", until - timedelta(microseconds=1), until)
    assert not await vault.commit(late)
    assert await vault.commit(replace(late, now=until, until=until + timedelta(seconds=60)))


async def test_refreshed_tokens_are_saved_only_by_the_owner_on_the_version_it_read(vault: Vault):
    account = await active(vault)
    await vault.commit(TakeLease(account.id, account.version, "me", NOW, NOW + timedelta(seconds=60)))
    fresh = replace(TOKENS, access_token="access-2", refresh_token="refresh-2")
    assert not await vault.commit(SaveTokens(account, fresh, "somebody else", NOW))
    assert not await vault.commit(SaveTokens(replace(account, version=99), fresh, "me", NOW))
    assert await vault.commit(SaveTokens(account, fresh, "me", NOW))
    assert not await vault.commit(SaveTokens(account, fresh, "me", NOW))
    stored = await vault.find_account(AccountKey("outlook", "ana"))
    assert stored is not None
    assert stored.tokens == fresh
    assert stored.account.version == account.version + 1
    assert stored.lease_owner is None


async def test_a_released_lease_leaves_when_to_try_again(vault: Vault):
    account = await active(vault)
    await vault.commit(TakeLease(account.id, account.version, "me", NOW, NOW + timedelta(seconds=60)))
    assert not await vault.commit(ReleaseLease(account.id, "somebody else"))
    assert await vault.commit(ReleaseLease(account.id, "me", NOW + timedelta(seconds=5)))
    stored = await vault.find_account(AccountKey("outlook", "ana"))
    assert stored is not None
    assert (stored.lease_owner, stored.refresh_not_before) == (None, NOW + timedelta(seconds=5))


async def test_a_note_does_not_make_a_refresh_in_progress_lose(vault: Vault):
    account = await active(vault)
    await vault.commit(TakeLease(account.id, account.version, "me", NOW, NOW + timedelta(seconds=60)))
    assert await vault.commit(NoteAccount(account.id, last_used_at=NOW, last_authorization_error="declined"))
    assert await vault.commit(SaveTokens(account, TOKENS, "me", NOW))
    stored = await vault.find_account(AccountKey("outlook", "ana"))
    assert stored is not None
    assert stored.account.last_authorization_error == "declined"


# Attempts


async def test_an_attempt_is_found_by_what_a_browser_brings_and_comes_back_whole(vault: Vault):
    account = await create(vault)
    attempt = new_attempt(account, state_sha256="5" * 64, auth_request_sha256="6" * 64)
    assert await vault.commit(InsertAttempt(attempt))
    for key, value in (
        (AttemptKey.TICKET, attempt.ticket_sha256),
        (AttemptKey.STATE, attempt.state_sha256),
        (AttemptKey.AUTH_REQUEST, attempt.auth_request_sha256),
        (AttemptKey.LIVE_ACCOUNT, account.id),
    ):
        assert await vault.find_attempt(key, value or "") == attempt
    stored = await vault.find_account(AccountKey("outlook", "ana"))
    assert stored is not None
    assert stored.attempt is not None
    assert stored.attempt.id == attempt.id


async def test_an_attempt_whose_tokens_somebody_else_holds_comes_back_whole(vault: Vault):
    account = await create(vault)
    held = AttemptSecrets(ticket="t", status_before="EXPIRED", held=HeldRequest("request-1", "EXPIRED"))
    attempt = new_attempt(account, secrets=held)
    assert await vault.commit(InsertAttempt(attempt))
    assert await vault.find_attempt(AttemptKey.TICKET, attempt.ticket_sha256 or "") == attempt


async def test_an_attempt_of_ours_is_written_as_the_replicas_of_an_earlier_version_read_it(vault: Vault):
    values = rows.attempt_values(RING, new_attempt(new_account()), version=0)
    plain = json.loads(RING.open(values["sealed_secrets"], **rows.attempt_seal(values)))
    assert set(plain) == set(AttemptSecrets.__dataclass_fields__) - {"status_before"}
    assert set(plain["held"]) == {"t", "p"}


async def test_an_account_has_one_live_attempt(vault: Vault):
    account = await create(vault)
    attempts = [new_attempt(account) for _ in range(10)]
    assert sum(await asyncio.gather(*(vault.commit(InsertAttempt(attempt)) for attempt in attempts))) == 1
    live = await vault.find_attempt(AttemptKey.LIVE_ACCOUNT, account.id)
    assert live is not None
    ended = replace(live, live=False, state=AttemptState.SUPERSEDED, secrets=AttemptSecrets())
    assert await vault.commit(SaveAttempt(ended), InsertAttempt(new_attempt(account)))
    assert not await vault.commit(SaveAttempt(ended))


# Tenants, history


async def test_a_tenants_trial_is_taken_by_one(vault: Vault):
    await active(vault)
    mark = TenantMark("outlook", "tid-1", "AADSTS7000112", NOW, NOW + timedelta(hours=1))
    assert await vault.commit(MarkTenant(mark))
    assert await vault.commit(MarkTenant(mark))
    stored = await vault.find_account(AccountKey("outlook", "ana"))
    assert stored is not None
    assert stored.tenant_mark == mark
    later = NOW + timedelta(hours=2)
    assert sum(await asyncio.gather(*(vault.commit(ClaimTrial(mark, later)) for _ in range(5)))) == 1
    assert await vault.commit(ClearTenant("outlook", "tid-1"))
    stored = await vault.find_account(AccountKey("outlook", "ana"))
    assert stored is not None
    assert stored.tenant_mark is None


async def test_history_is_kept_as_long_as_it_is_told(vault: Vault):
    for day in (0, 100, 399, 401):
        account = new_account(f"user-{day}")
        await vault.create_account(account, entry(account, NOW - timedelta(days=day)))
    await vault.commit(InsertAttempt(new_attempt(account, expires_at=NOW - timedelta(days=2))))
    await vault.prune(history_before=NOW - timedelta(days=400), attempts_before=NOW - timedelta(days=1))
    kept = await vault.history(connection_name=None, identifier=None, since=None, limit=10)
    assert [line.identifier for line in kept] == ["user-0", "user-100", "user-399"]
    since = await vault.history(connection_name="outlook", identifier=None, since=NOW - timedelta(days=150), limit=10)
    assert [line.identifier for line in since] == ["user-0", "user-100"]
    assert await vault.find_attempt(AttemptKey.LIVE_ACCOUNT, account.id) is None


# Keys


async def test_a_rotation_seals_everything_anew_and_goes_on_where_it_was_stopped(shared_database_url: str):
    before = Vault(shared_database_url, RING)
    for number in range(7):
        account = await active(before, f"user-{number}")
        await before.commit(InsertAttempt(new_attempt(account)))
    await before.aclose()
    rotating = Vault(shared_database_url, NEWER)
    step = await rotating.reseal(after=None, limit=3)
    assert (step.resealed, step.unreadable, step.remaining) == (3, 0, 11)
    await rotating.aclose()
    rotating = Vault(shared_database_url, NEWER)
    done, after = 0, None
    while True:
        step = await rotating.reseal(after=after, limit=3)
        done += step.resealed
        if step.after is None:
            break
        after = step.after
    assert (done, step.remaining) == (11, 0)
    await rotating.aclose()
    only_new = Vault(shared_database_url, KeyRing([("b", bytes(range(1, 33)))]))
    stored = await only_new.find_account(AccountKey("outlook", "user-3"))
    assert stored is not None
    assert stored.tokens == TOKENS
    await only_new.aclose()


async def test_a_missing_key_or_another_key_of_the_same_name_stops_the_opening(shared_database_url: str):
    vault = Vault(shared_database_url, RING)
    await active(vault)
    await vault.aclose()
    for ring, words in (
        (KeyRing([("c", bytes(32))]), "sealed with the key 'a', which is not among"),
        (KeyRing([("a", bytes(32))]), "is not the one that this vault was sealed with"),
        (KeyRing([("c", bytes(32)), ("a", bytes(32))]), "is not the one that this vault was sealed with"),
    ):
        wrong = Vault(shared_database_url, ring)
        with pytest.raises(VaultError, match=words):
            await wrong.find_account(AccountKey("outlook", "ana"))
        await wrong.aclose()
    right = Vault(shared_database_url, RING)
    stored = await right.find_account(AccountKey("outlook", "ana"))
    assert stored is not None
    assert stored.tokens == TOKENS
    await right.aclose()


async def execute(database_url: str, statement: str, **values: Any) -> None:
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text(statement), values)
    await engine.dispose()


SWAP = """UPDATE connected_accounts SET sealed_tokens =
(SELECT other.sealed_tokens FROM connected_accounts other WHERE other.identifier = 'bea') WHERE identifier = 'ana'"""


@pytest.mark.parametrize(
    "damage",
    [
        SWAP,
        "UPDATE connected_accounts SET sealed_tokens = substr(sealed_tokens, 1, 20) WHERE identifier = 'ana'",
        "UPDATE connected_accounts SET identifier = 'eve' WHERE identifier = 'ana'",
    ],
    ids=["swapped", "truncated", "renamed"],
)
async def test_a_swapped_or_damaged_record_does_not_open_and_is_not_overwritten(shared_database_url: str, damage: str):
    vault = Vault(shared_database_url, RING)
    await active(vault, "ana")
    await active(vault, "bea")
    await execute(shared_database_url, damage)
    identifier = "eve" if "eve" in damage else "ana"
    for _ in range(2):
        with pytest.raises(VaultError, match="Nothing was overwritten"):
            await vault.find_account(AccountKey("outlook", identifier))
    stored = await vault.find_account(AccountKey("outlook", "bea"))
    assert stored is not None
    await vault.aclose()


async def test_a_value_that_this_version_does_not_know_is_a_vault_error(shared_database_url: str):
    vault = Vault(shared_database_url, RING)
    await active(vault)
    await execute(shared_database_url, "UPDATE connected_accounts SET provider_account = '[1]'")
    with pytest.raises(VaultError, match="does not know"):
        await vault.find_account(AccountKey("outlook", "ana"))
    await vault.aclose()


# Opening


async def test_many_who_open_a_new_vault_at_once_all_find_it_ready(shared_database_url: str):
    vaults = [Vault(shared_database_url, RING) for _ in range(6)]
    await asyncio.gather(
        *(vault.count_accounts(connection_name=None, identifier=None, status=None) for vault in vaults)
    )
    for vault in vaults:
        await vault.aclose()


async def test_a_vault_of_a_newer_version_is_refused(shared_database_url: str):
    vault = Vault(shared_database_url, RING)
    await create(vault)
    await vault.aclose()
    await execute(shared_database_url, "UPDATE alembic_version SET version_num = '9999'")
    newer = Vault(shared_database_url, RING)
    with pytest.raises(VaultError, match="newer version"):
        await newer.find_account(AccountKey("outlook", "ana"))
    await newer.aclose()


async def test_a_vault_at_the_first_step_of_the_migrations_is_led_to_the_newest(shared_database_url: str):
    await execute(shared_database_url, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    vaults = [Vault(shared_database_url, RING) for _ in range(3)]
    await asyncio.gather(
        *(vault.count_accounts(connection_name=None, identifier=None, status=None) for vault in vaults)
    )
    await active(vaults[0])
    for vault in vaults:
        await vault.aclose()


def described(path: Path) -> dict[str, Any]:
    engine = create_engine(f"sqlite:///{path}")
    inspector = inspect(engine)
    found = {
        table: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)],
            sorted(str(index["name"]) + str(index["column_names"]) for index in inspector.get_indexes(table)),
            sorted(str(unique["column_names"]) for unique in inspector.get_unique_constraints(table)),
            [" ".join(str(check["sqltext"]).split()) for check in inspector.get_check_constraints(table)],
        )
        for table in sorted(inspector.get_table_names())
    }
    engine.dispose()
    return found


async def test_migrations_from_nothing_lead_to_the_same_tables_as_a_new_vault(tmp_path: Path):
    fresh, migrated = tmp_path / "fresh.sqlite3", tmp_path / "migrated.sqlite3"
    vault = Vault(sqlite_url(fresh), RING)
    await create(vault)
    await vault.aclose()
    with closing(sqlite3.connect(migrated, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    vault = Vault(sqlite_url(migrated), RING)
    await active(vault)
    await vault.aclose()
    assert described(migrated) == described(fresh)


def test_neither_a_new_vault_object_nor_a_vault_up_to_date_imports_what_it_does_not_need(tmp_path: Path):
    url = sqlite_url(tmp_path / "vault.sqlite3")
    program = f"""
import asyncio, sys
from scalekit_mcp.accounts.services import AccountServices
from scalekit_mcp.accounts.model.records import AccountKey
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
vault = Vault({url!r}, KeyRing.generate())
assert not {{"sqlalchemy", "alembic", "aiosqlite"}} & set(sys.modules)
async def main():
    await vault.find_account(AccountKey("outlook", "ana"))
    await vault.aclose()
asyncio.run(main())
unneeded = {{"alembic", "sqlalchemy.orm", "sqlalchemy.dialects.postgresql"}}
assert "sqlalchemy" in sys.modules and not unneeded & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_database_of_another_kind_is_refused():
    with pytest.raises(ConfigurationError, match="must begin with"):
        Vault("mysql://localhost/x", RING)


# Failures


async def test_a_file_that_is_no_database_is_said_to_be_none_and_stays_as_it_is(tmp_path: Path):
    path = tmp_path / "vault.sqlite3"
    path.write_bytes(b"this is my diary, not a database\n" * 200)
    before = path.read_bytes()
    vault = Vault(sqlite_url(path), RING)
    with pytest.raises(VaultError, match="not a database"):
        await vault.find_account(AccountKey("outlook", "ana"))
    await vault.aclose()
    assert path.read_bytes() == before


async def test_a_folder_that_cannot_be_made_is_a_vault_error(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    vault = Vault(sqlite_url(tmp_path / "file" / "vault.sqlite3"), RING)
    with pytest.raises(VaultError):
        await vault.find_account(AccountKey("outlook", "ana"))
    await vault.aclose()


async def test_a_read_only_database_still_reads_and_says_why_it_cannot_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = tmp_path / "vault.sqlite3"
    vault = Vault(sqlite_url(path), RING)
    account = await active(vault)
    await vault.aclose()
    read_only = Vault(f"sqlite+aiosqlite:///file:{path.as_posix()}?mode=ro&uri=true", RING)
    stored = await read_only.find_account(AccountKey("outlook", "ana"))
    assert stored is not None
    with pytest.raises(VaultError, match="read-only"):
        await read_only.commit(TakeLease(account.id, account.version, "me", NOW, NOW))
    await read_only.aclose()
    assert list(Path.cwd().iterdir()) == []


async def test_a_database_that_is_only_to_be_read_is_not_created(tmp_path: Path):
    path = tmp_path / "none.sqlite3"
    vault = Vault(f"sqlite+aiosqlite:///file:{path.as_posix()}?mode=ro&uri=true", RING)
    with pytest.raises(VaultError, match="cannot be opened"):
        await vault.find_account(AccountKey("outlook", "ana"))
    await vault.aclose()
    assert not path.exists()


async def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path):
    path = tmp_path / "vault.sqlite3"
    vault = Vault(sqlite_url(path), RING)
    account = await active(vault)
    store = await vault._store.get()
    await store._statements.database.aclose()

    def no_more_pages(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA page_count")
        pages = cursor.fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count = {pages}")
        cursor.close()

    event.listen(store._statements.database._engines[-1], "connect", no_more_pages)
    big = replace(TOKENS, access_token="x" * 200_000)
    await vault.commit(TakeLease(account.id, account.version, "me", NOW, NOW + timedelta(seconds=60)))
    with pytest.raises(VaultError, match="full"):
        await vault.commit(SaveTokens(account, big, "me", NOW))
    stored = await vault.find_account(AccountKey("outlook", "ana"))
    assert stored is not None
    assert stored.tokens == TOKENS
    await vault.aclose()


async def test_a_database_server_that_does_not_answer_is_said_to_be_unreachable():
    vault = Vault("postgresql+asyncpg://nobody:secret-password@127.0.0.1:9/none", RING)
    with pytest.raises(VaultError, match="cannot be reached") as raised:
        await vault.find_account(AccountKey("outlook", "ana"))
    assert "secret-password" not in str(raised.value) + repr(vault)
    await vault.aclose()


async def test_a_caller_that_goes_away_leaves_the_vault_whole(vault: Vault):
    account = await active(vault)
    for number in range(20):
        task = asyncio.create_task(vault.commit(NoteAccount(account.id, last_authorization_error=str(number))))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    stored = await vault.find_account(AccountKey("outlook", "ana"))
    assert stored is not None
    assert stored.tokens == TOKENS


@pytest.mark.skipif(os.name != "posix", reason="file modes")
async def test_the_database_file_is_private(tmp_path: Path):
    path = tmp_path / "data" / "vault.sqlite3"
    vault = Vault(sqlite_url(path), RING)
    await create(vault)
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in path.parent.iterdir())
    await vault.aclose()


@pytest.mark.full
async def test_a_database_that_the_server_does_not_have_is_said_to_be_missing(postgresql_server: str):
    url = make_url(postgresql_server).set(drivername="postgresql+asyncpg", database="not_there")
    vault = Vault(url.render_as_string(hide_password=False), RING)
    with pytest.raises(VaultError, match="does not exist on the server"):
        await vault.find_account(AccountKey("outlook", "ana"))
    await vault.aclose()


async def test_a_vault_in_order_passes_its_check_and_one_that_went_away_does_not(tmp_path: Path) -> None:
    path = tmp_path / "vault.sqlite3"
    vault = Vault(f"sqlite+aiosqlite:///{path.as_posix()}", KeyRing.generate())
    try:
        await vault.check()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("DROP TABLE vault_keys")
        with pytest.raises(VaultError):
            await vault.check()
    finally:
        await vault.aclose()


@pytest.mark.full
async def test_a_restart_of_postgresql_between_two_calls_is_not_noticed(postgresql_server: str):
    import asyncpg

    async with postgres.new_database(postgresql_server) as url:
        vault = Vault(url, RING)
        account = await active(vault)
        admin = await asyncpg.connect(postgresql_server)
        others = "FROM pg_stat_activity WHERE datname = $1"
        name = url.rsplit("/", 1)[1]

        async def restart() -> None:
            await admin.execute(f"SELECT pg_terminate_backend(pid) {others}", name)
            while await admin.fetchval(f"SELECT count(*) {others}", name):
                pass

        await restart()
        assert await vault.commit(TakeLease(account.id, account.version, "me", NOW, NOW))
        for _ in range(30):  # the server's last word and the end of the connection come apart now and then
            await restart()
            assert await vault.find_account(AccountKey("outlook", "ana"))
        await admin.close()
        await vault.aclose()

"""Nothing secret shows: not in the database or its log, not in logs, errors or the repr of any object."""

from __future__ import annotations

import asyncio
import gc
import logging
import sqlite3
import traceback
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from scalekit_mcp.accounts.model import records
from scalekit_mcp.accounts.model.records import AccountKey, HeldGrant, UserVerification
from scalekit_mcp.accounts.vault.changes import AttemptKey
from scalekit_mcp.accounts.vault.rotation import rotate_keys
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing, add_key_to_file
from scalekit_mcp.accounts.vault.tables import metadata
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.errors import ScalekitMCPError
from tests.accounts.accounts_support import COOKIE, Room, open_room, sqlite_url
from tests.support import postgres


async def secrets_of(vault: Vault, identifier: str = "ana") -> set[str]:
    """Every secret that the vault holds for this account."""
    stored = await vault.find_account(AccountKey("outlook", identifier))
    assert stored is not None
    found = {stored.tokens.access_token, stored.tokens.refresh_token or ""} if stored.tokens else set()
    attempt = await vault.find_attempt(AttemptKey.LIVE_ACCOUNT, stored.account.id)
    if attempt is not None:
        kept = attempt.secrets
        found |= {kept.ticket or "", kept.state or "", kept.nonce or "", kept.code_verifier or ""}
        if isinstance(kept.held, HeldGrant):
            found |= {kept.held.tokens.access_token, kept.held.tokens.refresh_token or ""}
    return found - {""}


def contents(folder: Path) -> dict[str, bytes]:
    """What stands in every file of a folder."""
    return {file.name: file.read_bytes() for file in folder.iterdir()}


async def play(room: Room) -> set[str]:
    """Consent, confirm, refresh, fail, reconnect; every secret that ever existed."""
    found: set[str] = {COOKIE}
    ticket = await room.begin()
    url = str(await room.authorizations.start(ticket, COOKIE))
    found |= {ticket, *await secrets_of(room.vault)}
    query = await room.sign_in(url)
    found |= {query["code"], query["state"]}
    outcome = await room.authorizations.complete(query, [COOKIE])
    assert outcome.confirmation_code is not None
    found |= {outcome.confirmation_code, *await secrets_of(room.vault)}
    await room.authorizations.confirm(room.key(), confirmation_code=outcome.confirmation_code)
    found |= await secrets_of(room.vault)
    for _ in range(2):
        room.advance(6000)
        await room.token()
        found |= await secrets_of(room.vault)
    await room.begin(reconnect=True)
    found |= await secrets_of(room.vault)
    return found


async def test_no_secret_is_found_in_the_database_its_log_the_logs_or_any_repr(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    ring = KeyRing.generate()
    async with open_room(
        sqlite_url(tmp_path / "vault.sqlite3"), key_ring=ring, user_verification=UserVerification.CONFIRM
    ) as room:
        found = await play(room)
        assert len(found) == 14
        found.add(ring.to_text().partition(":")[2])
        files = contents(tmp_path)
        assert {"vault.sqlite3", "vault.sqlite3-wal"} <= set(files)
        stored = await room.vault.find_account(AccountKey("outlook", "ana"))
        assert stored is not None
        attempt = await room.vault.find_attempt(AttemptKey.LIVE_ACCOUNT, stored.account.id)
        assert attempt is not None
        shown = [
            repr(thing)
            for thing in gc.get_objects()
            if str(type(thing).__module__).startswith(("scalekit_mcp.accounts", "scalekit_mcp.microsoft"))
        ]
        assert any("StoredAccount(" in line for line in shown)
        assert any("AttemptSecrets(" in line for line in shown)
        assert stored is not None
        ours = [
            record.getMessage()
            for record in caplog.records
            if record.name.startswith(("scalekit_mcp.", "sqlalchemy", "aiosqlite"))
        ]
        assert ours
        for secret in found:
            for name, content in files.items():
                assert secret.encode() not in content, name
            assert not [line for line in shown if secret in line]
            assert not [line for line in ours if secret in line]


@pytest.mark.full
async def test_no_secret_is_found_in_any_row_of_postgresql_nor_in_what_sqlalchemy_tells_at_debug_level(
    postgresql_server: str, caplog: pytest.LogCaptureFixture
):
    import asyncpg

    caplog.set_level(logging.DEBUG)
    async with postgres.new_database(postgresql_server) as url:
        async with open_room(url, user_verification=UserVerification.CONFIRM) as room:
            found = await play(room)
        connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
        try:
            rows = [
                [bytes(value) if isinstance(value, bytes) else str(value).encode() for value in row.values()]
                for table in metadata.sorted_tables
                for row in await connection.fetch(str(select(table)))
            ]
        finally:
            await connection.close()
    assert len(rows) > 5
    told = [
        record.getMessage()
        for record in caplog.records
        if not record.name.startswith(("scalekit_mcp.sandbox", "httpcore", "httpx"))
    ]
    assert told
    for secret in found:
        assert not [row for row in rows if any(secret.encode() in value for value in row)]
        assert not [line for line in told if secret in line]


async def test_no_secret_is_found_in_errors_and_their_tracebacks(tmp_path: Path):
    async with open_room(sqlite_url(tmp_path / "vault.sqlite3")) as room:
        await room.consent()
        found = await secrets_of(room.vault)
        room.advance(6000)
        errors: list[ScalekitMCPError] = []
        room.sandbox.token_error_raw(503, "busy")
        room.sandbox.next_token_error(7000215)
        room.sandbox.next_token_error(50173)
        for _ in range(4):
            with pytest.raises(ScalekitMCPError) as raised:
                await room.token()
            errors.append(raised.value)
            room.advance(60)
        assert [error.code for error in errors] == [
            "provider_unavailable",
            "connection_misconfigured",
            "authorization_required",
            "authorization_required",
        ]
        for error in errors:
            told = "".join(traceback.format_exception(error)) + repr(error) + str(error.to_dict())
            assert not [secret for secret in found if secret in told]


async def test_deleting_an_account_leaves_not_even_its_sealed_tokens_in_the_files(tmp_path: Path):
    async with open_room(sqlite_url(tmp_path / "vault.sqlite3")) as room:
        await room.consent()
        await room.consent("bea", "alice@company.com")
        with closing(sqlite3.connect(tmp_path / "vault.sqlite3")) as reader:
            (sealed,) = reader.execute(
                "SELECT sealed_tokens FROM connected_accounts WHERE identifier = 'ana'"
            ).fetchone()
        assert await room.accounts.delete(room.key())
        assert not await room.accounts.delete(room.key())
        assert not [name for name, content in contents(tmp_path).items() if bytes(sealed)[-64:] in content]


async def test_keys_are_rotated_while_calls_are_served(tmp_path: Path, shared_database_url: str):
    path, url = tmp_path / "vault.keys", shared_database_url
    async with open_room(url, key_ring=KeyRing.from_file(path)) as room:
        people = [f"person{number}@company.com" for number in range(8)]
        for address in people:
            room.sandbox.add_person(address)
            await room.consent(address, address)
        rotating = room.other_services(vault=Vault(url, add_key_to_file(path)))
        stop = asyncio.Event()

        async def serve(address: str) -> int:
            served = 0
            while not stop.is_set() or served < 3:
                token = await room.tokens.access_token(AccountKey("outlook", address))
                room.accounts.forget(AccountKey("outlook", address))
                assert await room.tokens.access_token(AccountKey("outlook", address), rejected=token) != token
                served += 1
            return served

        serving = [asyncio.create_task(serve(address)) for address in people]
        seen: list[int] = []
        progress = await rotate_keys(rotating.vault, lambda state: seen.append(state.remaining))
        progress = await rotate_keys(rotating.vault)
        stop.set()
        assert min(await asyncio.gather(*serving)) >= 3
        assert (progress.unreadable, seen != []) == (0, True)


def test_no_record_of_this_room_shows_a_token_by_construction():
    tokens = records.TokenSet("planted-access", "planted-refresh", datetime(2026, 3, 30, tzinfo=UTC), ())
    held = records.HeldGrant(tokens, records.ProviderAccount("t", "o"))
    secrets = records.AttemptSecrets(
        ticket="planted-1",
        state="planted-2",
        nonce="planted-3",
        code_verifier="planted-4",
        caller_state="planted-5",
        held=held,
    )
    assert "planted" not in repr(tokens) + repr(held) + repr(secrets)

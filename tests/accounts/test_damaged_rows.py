"""One damaged row: it is named, everything else is listed, told, rotated and served."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx2 as httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from scalekit_mcp.accounts.model.records import AccountKey, AccountView, DamagedAccount
from scalekit_mcp.accounts.vault.changes import InsertAttempt
from scalekit_mcp.accounts.vault.rows import UNREADABLE
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.actions import open_actions
from scalekit_mcp.errors import VaultError
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.server.rest.app import Rest, RestOptions
from tests.accounts.accounts_support import Room, open_room, sqlite_url
from tests.accounts.test_tampering import Database
from tests.accounts.test_vault import NEWER, NOW, RING, active, create, entry, new_attempt
from tests.support.settings import sandbox_settings

NAMES = ("ana", "bea", "cem")
DAMAGES = {
    "a bad seal": "sealed_state = x'0102'",
    "a seal that is a number": "sealed_state = 7",
    "a seal that is a text": "sealed_state = 'seal'",
    "no seal": "sealed_state = NULL",
    "an unknown key": "sealed_state = x'01016e' || randomblob(60)",
    "an unknown status": "status = 'RESTING'",
    "an unknown reason": "reason = 'bored'",
    "no scopes": "granted_scopes = x''",
    "garbage instead of JSON": "provider_account = '{'",
    "JSON of another shape": "provider_account = '[1]'",
    "JSON that is very deep": "provider_account = replace(hex(zeroblob(5000)), '0', '[')",
    "a time that is no time": "updated_at = 'yesterday'",
    "a time out of all calendars": "created_at = 9000000000000000000",
    "text that is no UTF-8": "who_acts = CAST(x'ff' AS TEXT)",
    "an epoch that is none": "epoch = 'new'",
}


@asynccontextmanager
async def room_of_three(tmp_path: Path) -> AsyncIterator[tuple[Room, Database]]:
    path = tmp_path / "vault.sqlite3"
    async with open_room(sqlite_url(path), key_ring=RING) as room:
        for name in NAMES:
            await room.consent(name)
        room.advance(3)
        yield room, Database(path)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_a_damaged_account_is_named_in_its_place_and_the_others_are_listed_and_work(tmp_path: Path, damage: str):
    async with room_of_three(tmp_path) as (room, database):
        database.change("connected_accounts", damage, "identifier = 'bea'")
        first = await room.accounts.list(page_size=2)
        second = await room.accounts.list(page_size=2, page_token=first.next_page_token)
        ana, bea, cem = (*first.accounts, *second.accounts)
        assert isinstance(ana, AccountView)
        assert isinstance(cem, AccountView)
        assert isinstance(bea, DamagedAccount)
        assert (bea.identifier, bea.problem.who_acts) == ("bea", "operator")
        assert bea.id in bea.problem.message
        with pytest.raises(VaultError, match="bea") as refused:
            await room.token("bea")
        assert refused.value.who_acts == "operator"
        assert await room.token("ana")
        assert await room.token("cem")


async def test_a_damaged_account_can_be_removed_and_connected_again(tmp_path: Path):
    async with room_of_three(tmp_path) as (room, database):
        database.change("connected_accounts", "provider_account = '{'", "identifier = 'bea'")
        assert await room.accounts.delete(room.key("bea"))
        await room.consent("bea")
        assert await room.token("bea")
        assert {
            view.account.identifier for view in (await room.accounts.list()).accounts if isinstance(view, AccountView)
        } == set(NAMES)


@pytest.mark.parametrize("damage", ["sealed_tokens = x'00'", "sealed_tokens = 'text'", "sealed_tokens = NULL"])
async def test_damaged_tokens_stop_their_account_alone(tmp_path: Path, damage: str):
    async with room_of_three(tmp_path) as (room, database):
        database.change("connected_accounts", damage, "identifier = 'bea'")
        assert (await room.accounts.list()).total_size == 3
        with pytest.raises(VaultError, match="'bea'"):
            await room.token("bea")
        assert await room.token("ana")


async def test_rest_lists_the_others_and_names_the_damaged_one(tmp_path: Path):
    path = tmp_path / "vault.sqlite3"
    vault = Vault(sqlite_url(path), RING)
    for name in NAMES:
        await active(vault, name)
    await vault.aclose()
    Database(path).change("connected_accounts", "reason = 'bored'", "identifier = 'bea'")
    sandbox = Sandbox()
    async with sandbox.serve() as base_url:
        settings = sandbox_settings(sandbox, base_url, database_url=sqlite_url(path), vault_keys=RING.to_text())
        async with open_actions(settings) as actions:
            rest = Rest(actions, RestOptions(service_key="k" * 32, public_url="http://localhost:8754"))
            app = Starlette(routes=[Mount("/api/v1", routes=rest.routes())])
            headers = {"authorization": "Bearer " + "k" * 32}
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app), base_url="http://localhost:8754", headers=headers
            ) as http:
                page = (await http.get("/api/v1/connected_accounts")).json()
    listed = {each["identifier"]: each for each in page["connected_accounts"]}
    assert set(listed) == set(NAMES)
    assert listed["ana"]["account_status"] == "ACTIVE"
    assert listed["bea"]["who_acts"] == "operator"
    assert "bea" in listed["bea"]["calls_stopped"]["message"]
    assert page["total_size"] == 3


HISTORY_DAMAGES = ["new_status = 'RESTING'", "old_reason = 'bored'", "at = 'yesterday'", "account_id = x'ff'"]


@pytest.mark.parametrize("damage", HISTORY_DAMAGES)
async def test_the_history_names_a_damaged_entry_and_tells_the_others(tmp_path: Path, damage: str):
    async with room_of_three(tmp_path) as (room, database):
        whole = len(await room.accounts.history())
        database.change("history", damage, "identifier = 'bea' AND cause = 'consented'")
        told = await room.accounts.history()
        assert len(told) == whole
        damaged = [each for each in told if each.cause == UNREADABLE]
        if "account_id" not in damage:
            assert [each.identifier for each in damaged] == ["bea"]
        assert {each.identifier for each in told} == set(NAMES)


async def test_the_outbox_tells_the_others_and_crosses_a_damaged_entry_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "vault.sqlite3"
    vault = Vault(sqlite_url(path), RING, outbox=True)
    for name in NAMES:
        await create(vault, name)
    database = Database(path)
    database.change("history", "new_status = 'RESTING'", "identifier = 'ana'")
    database.change("history", "delivery_tries = 'many'", "identifier = 'bea'")
    with caplog.at_level(logging.ERROR):
        due = await vault.due_deliveries(now=NOW, limit=10)
    assert [told.identifier for _, _, _, told in due] == ["cem"]
    assert "'ana'" in caplog.text
    assert "'bea'" in caplog.text
    assert len(database.run("SELECT 1 FROM history WHERE delivery_due IS NOT NULL")) == 1
    await vault.aclose()


@pytest.mark.parametrize("damage", ["sealed_state = 'x'", "provider_account = '{'", "sealed_tokens = x'00'"])
async def test_a_rotation_seals_the_others_and_says_how_many_it_could_not(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "vault.sqlite3"
    vault = Vault(sqlite_url(path), RING)
    for name in NAMES:
        await vault.commit(InsertAttempt(new_attempt(await active(vault, name))))
    await vault.aclose()
    database = Database(path)
    database.change("connected_accounts", damage, "identifier = 'bea'")
    database.change("attempts", "expires_at = 'never'", "identifier = 'cem'")
    rotating = Vault(sqlite_url(path), NEWER)
    step = await rotating.reseal(after=None, limit=10)
    assert (step.resealed, step.unreadable) == (2, 1)
    step = await rotating.reseal(after=step.after, limit=10)
    assert (step.resealed, step.unreadable, step.remaining) == (2, 1, 2)
    assert "bea" in caplog.text
    await rotating.aclose()
    only = Vault(sqlite_url(path), KeyRing([("b", bytes(range(1, 33))), ("a", bytes(range(32)))]))
    assert await only.find_account(AccountKey("outlook", "ana")) is not None
    await only.aclose()


@pytest.mark.parametrize(
    "damage",
    ["state = 'lost'", "verification = 'maybe'", "reconnect = 7", "expires_at = 'never'", "sealed_secrets = 'x'"],
)
async def test_a_damaged_sign_in_is_said_and_stops_no_other(tmp_path: Path, damage: str):
    async with room_of_three(tmp_path) as (room, database):
        tickets = {name: await room.begin(name) for name in NAMES}
        database.change("attempts", damage, "identifier = 'bea'")
        with pytest.raises(VaultError, match=r"bea|authorization") as refused:
            await room.authorizations.prompt(tickets["bea"])
        assert refused.value.who_acts == "operator"
        assert await room.authorizations.start(tickets["ana"], "cookie")
        assert await room.authorizations.start(tickets["cem"], "cookie")
        assert (await room.accounts.list()).total_size == 3


async def test_forgetting_old_records_is_not_stopped_by_a_damaged_one(tmp_path: Path):
    path = tmp_path / "vault.sqlite3"
    vault = Vault(sqlite_url(path), RING)
    account = await create(vault, "ana")
    await vault.commit(InsertAttempt(replace(new_attempt(account), live=False)))
    Database(path).change("history", "at = 'yesterday'")
    await vault.prune(history_before=NOW, attempts_before=NOW + timedelta(days=2))
    assert Database(path).run("SELECT 1 FROM attempts") == []
    assert await vault.delete_account(account.id, entry(account))
    await vault.aclose()

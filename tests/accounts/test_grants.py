"""Grants and refresh tokens, over SQLite in memory, SQLite in a file, and PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, select, update

from scalekit_mcp.accounts.grants import (
    GRACE_RETRIES,
    GRACE_SECONDS,
    GRANT_DAYS,
    SNAPSHOT_SECONDS,
    Refreshed,
    RefreshError,
    RefreshOutcome,
)
from scalekit_mcp.accounts.model.grants import Client, ClientGrant, ClientKind, GrantEnd, RefreshToken
from scalekit_mcp.accounts.model.records import Reason, TokenSet
from scalekit_mcp.accounts.model.statuses import Cause
from scalekit_mcp.accounts.vault.changes import EndGrantsOf, ReplaceRefreshToken
from scalekit_mcp.accounts.vault.grants import statements as grant_statements
from scalekit_mcp.accounts.vault.rotation import rotate_keys
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing, sha256_text
from scalekit_mcp.accounts.vault.tables import grants, record_versions, refresh_tokens
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.errors import VaultError
from tests.accounts.grants_support import BROWSER, CLIENT_ID, KEY, KEYS, TID, GrantRoom, open_grants, presented, request

HOUR, DAY = 3600, 86_400


@pytest.fixture
async def room(database_url: str) -> AsyncIterator[GrantRoom]:
    async with open_grants(database_url) as room:
        yield room


async def refreshed(room: GrantRoom, token: str | None, /, **values: object) -> Refreshed | RefreshOutcome:
    try:
        return await room.grants.refresh(room.refresh(token, **values))
    except RefreshError as refused:
        return refused.why


async def rotated(room: GrantRoom, refresh_token: str | None) -> str:
    answer = await refreshed(room, refresh_token)
    assert isinstance(answer, Refreshed), answer
    assert answer.tokens.refresh_token is not None
    return answer.tokens.refresh_token


async def stored(room: GrantRoom, grant: ClientGrant) -> ClientGrant:
    found = await room.vault.find_grant(grant.id)
    assert found is not None
    return found


async def test_every_use_replaces_the_refresh_token(room: GrantRoom):
    first = (await room.granted()).refresh_token
    second = await rotated(room, first)
    third = await rotated(room, second)
    assert len({first, second, third}) == 3
    answer = await refreshed(room, third)
    assert isinstance(answer, Refreshed)
    assert answer.outcome is RefreshOutcome.ROTATED


async def test_a_replaced_token_brings_a_sibling_within_the_grace_and_all_of_them_are_good(room: GrantRoom):
    first = (await room.granted()).refresh_token
    second = await rotated(room, first)
    room.clock.advance(GRACE_SECONDS)
    answer = await refreshed(room, first)
    assert isinstance(answer, Refreshed)
    assert answer.outcome is RefreshOutcome.GRACE
    assert await rotated(room, answer.tokens.refresh_token)
    assert await rotated(room, second)


async def test_parallel_refreshes_with_one_token_all_work(room: GrantRoom):
    first = (await room.granted()).refresh_token
    answers = await asyncio.gather(*(refreshed(room, first) for _ in range(GRACE_RETRIES + 1)))
    assert all(isinstance(answer, Refreshed) for answer in answers), answers
    outcomes = sorted(answer.outcome for answer in answers if isinstance(answer, Refreshed))
    assert outcomes == [RefreshOutcome.GRACE] * GRACE_RETRIES + [RefreshOutcome.ROTATED]
    tokens = {answer.tokens.refresh_token for answer in answers if isinstance(answer, Refreshed)}
    assert len(tokens) == GRACE_RETRIES + 1


async def test_reuse_after_the_grace_ends_the_grant_and_is_told_without_a_token(
    room: GrantRoom, caplog: pytest.LogCaptureFixture
):
    tokens = await room.granted()
    second = await rotated(room, tokens.refresh_token)
    room.clock.advance(GRACE_SECONDS + 1)
    with caplog.at_level(logging.INFO):
        assert await refreshed(room, tokens.refresh_token) is RefreshOutcome.REUSED
    assert (await stored(room, tokens.grant)).ended_why is GrantEnd.REFRESH_TOKEN_REUSED
    assert await refreshed(room, second) is RefreshOutcome.ENDED
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert tokens.grant.id in warnings[0].getMessage()
    assert "claude.ai" in warnings[0].getMessage()
    for secret in (tokens.refresh_token, second, sha256_text(tokens.refresh_token or "")):
        assert secret is not None
        assert secret not in caplog.text


async def test_the_eleventh_retry_is_refused_and_the_grant_lives(room: GrantRoom):
    tokens = await room.granted()
    second = await rotated(room, tokens.refresh_token)
    for _ in range(GRACE_RETRIES):
        await rotated(room, tokens.refresh_token)
    assert await refreshed(room, tokens.refresh_token) is RefreshOutcome.TOO_MANY_RETRIES
    assert await rotated(room, second)


async def test_a_grant_dies_after_ninety_days_without_use_and_not_with_use(room: GrantRoom):
    token = (await room.granted()).refresh_token
    for _ in range(3):
        room.clock.advance(GRANT_DAYS * DAY - 1)
        token = await rotated(room, token)
    room.clock.advance(GRANT_DAYS * DAY)
    assert await refreshed(room, token) is RefreshOutcome.EXPIRED
    assert await room.grants.list(KEY) == []


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"refresh_token": "rt_unknown"}, RefreshOutcome.UNKNOWN),
        ({"client_sha256": sha256_text("another client")}, RefreshOutcome.OTHER_CLIENT),
        ({"scopes": ("calendar.read", "mail.read")}, RefreshOutcome.WIDER_SCOPE),
    ],
)
async def test_what_does_not_fit_is_refused_and_uses_nothing_up(room: GrantRoom, values: dict, why: RefreshOutcome):
    token = (await room.granted()).refresh_token
    assert await refreshed(room, token, **values) is why
    answer = await refreshed(room, token)
    assert isinstance(answer, Refreshed)
    assert answer.outcome is RefreshOutcome.ROTATED


@pytest.mark.parametrize("secret", [None, "wrong", ""])
async def test_an_app_with_a_secret_proves_it_at_every_refresh(room: GrantRoom, secret: str | None):
    client = Client(sha256_text(CLIENT_ID), sha256_text("right"), "An app", "claude.ai", ClientKind.REGISTRATION)
    token = (await room.granted(client=client)).refresh_token
    assert await refreshed(room, token, secret=secret) is RefreshOutcome.WRONG_SECRET
    assert isinstance(await refreshed(room, token, secret="right"), Refreshed)


async def test_narrower_scopes_hold_for_one_answer_and_none_are_those_of_the_grant(room: GrantRoom):
    token = (await room.granted()).refresh_token
    narrow = await refreshed(room, token, scopes=("calendar.read",))
    assert isinstance(narrow, Refreshed)
    assert narrow.scopes == ("calendar.read",)
    again = await refreshed(room, narrow.tokens.refresh_token)
    assert isinstance(again, Refreshed)
    assert again.scopes == ("calendar.read", "calendar.write")


async def test_a_revoked_account_refuses_and_a_repair_revives_the_grant(room: GrantRoom):
    token = (await room.granted()).refresh_token
    await room.move(Cause.REFRESH_REFUSED, Reason.GRANT_REVOKED_BY_ADMIN)
    assert await refreshed(room, token) is RefreshOutcome.ACCOUNT_REVOKED
    await room.move(Cause.CONSENTED, None)
    assert isinstance(await refreshed(room, token), Refreshed)


async def test_an_expired_account_refreshes_on(room: GrantRoom):
    token = (await room.granted()).refresh_token
    await room.move(Cause.REFRESH_REFUSED, Reason.INTERACTION_REQUIRED)
    assert isinstance(await refreshed(room, token), Refreshed)


async def test_a_tenant_that_is_not_allowed_neither_refreshes_nor_calls(shared_database_url: str):
    async with open_grants(shared_database_url) as room:
        tokens = await room.granted()
    async with open_grants(shared_database_url, allowed_tenants=frozenset({"another"})) as room:
        assert await refreshed(room, tokens.refresh_token) is RefreshOutcome.TENANT_NOT_ALLOWED
        assert await room.grants.alive(tokens.grant.id, tid=TID) is None
    async with open_grants(shared_database_url, allowed_tenants=frozenset({TID})) as room:
        assert await room.grants.alive(tokens.grant.id, tid=TID) == tokens.grant
        assert isinstance(await refreshed(room, tokens.refresh_token), Refreshed)


async def test_an_ended_grant_is_dead_here_at_once_and_elsewhere_within_two_seconds(shared_database_url: str):
    async with open_grants(shared_database_url) as here, open_grants(shared_database_url, clock=here.clock) as there:
        grant = (await here.granted()).grant
        assert await here.grants.alive(grant.id, tid=TID) == await there.grants.alive(grant.id, tid=TID) == grant
        assert await here.grants.end(grant.id, GrantEnd.REVOKED_BY_APP)
        assert await here.grants.alive(grant.id, tid=TID) is None
        here.clock.advance(SNAPSHOT_SECONDS)
        assert await there.grants.alive(grant.id, tid=TID) is None
        assert not await there.grants.end(grant.id, GrantEnd.REVOKED_BY_APP)
        assert (await stored(here, grant)).ended_why is GrantEnd.REVOKED_BY_APP


async def test_an_unknown_grant_is_dead(room: GrantRoom):
    assert await room.grants.alive("gr_unknown", tid=TID) is None


async def test_an_app_revokes_its_own_grant_and_no_other(room: GrantRoom):
    tokens = await room.granted()
    assert tokens.refresh_token is not None
    other = sha256_text("another client")
    assert not await room.grants.revoke_refresh_token(tokens.refresh_token, client_sha256=other, secret=None)
    assert not await room.grants.revoke_refresh_token("rt_unknown", client_sha256=sha256_text(CLIENT_ID), secret=None)
    assert await room.grants.list(KEY) == [tokens.grant]
    assert await room.grants.revoke_refresh_token(
        tokens.refresh_token, client_sha256=sha256_text(CLIENT_ID), secret=None
    )
    assert await refreshed(room, tokens.refresh_token) is RefreshOutcome.ENDED
    assert await room.grants.list(KEY) == []


async def test_disconnecting_ends_all_grants_of_the_account_in_one_commit(room: GrantRoom):
    tokens = [await room.granted(state=str(number)) for number in range(3)]
    account = await room.account()
    assert await room.vault.commit(EndGrantsOf(account.id, GrantEnd.DISCONNECTED, room.clock.now()))
    assert [(await stored(room, each.grant)).ended_why for each in tokens] == [GrantEnd.DISCONNECTED] * 3
    assert [await refreshed(room, each.refresh_token) for each in tokens] == [RefreshOutcome.ENDED] * 3


def ends_in(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str, str]]:
    """The ends of grants in the log: level, grant, why."""
    ended = [record for record in caplog.records if getattr(record, "event", "") == "grant_ended"]
    for record in ended:
        assert "claude.ai" in record.getMessage()
        assert "An app" in record.getMessage()
    return [(record.levelno, record.__dict__["grant"], record.__dict__["reason"]) for record in ended]


@pytest.mark.parametrize("why", [GrantEnd.DISCONNECTED, GrantEnd.ACCOUNT_DELETED])
async def test_each_grant_that_ends_with_its_account_is_logged_and_counted(
    room: GrantRoom, caplog: pytest.LogCaptureFixture, why: GrantEnd
):
    tokens = [await room.granted(state=str(number)) for number in range(3)]
    over = await room.granted(state="over", refreshes=False)
    room.clock.advance(HOUR)
    before = await room.granted(state="before")
    await room.grants.end(before.grant.id, GrantEnd.REVOKED_BY_APP)
    account = await room.account()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        if why is GrantEnd.DISCONNECTED:
            assert await room.vault.commit(EndGrantsOf(account.id, why, room.clock.now()))
            assert await room.vault.commit(EndGrantsOf(account.id, why, room.clock.now()))
        else:
            entry = (await room.vault.history(connection_name=None, identifier=None, since=None, limit=1))[0]
            assert await room.vault.delete_account(account.id, replace(entry, at=room.clock.now()))
    ended = ends_in(caplog)
    assert sorted(ended) == sorted((logging.INFO, each.grant.id, why.value) for each in tokens)
    assert over.grant.id not in caplog.text
    assert f'grants_ended_total{{reason="{why.value}"}} 3' in room.metrics.render()
    for secret in (*(each.refresh_token for each in tokens), CLIENT_ID, sha256_text(CLIENT_ID)):
        assert secret is not None
        assert secret not in caplog.text


async def test_nothing_is_logged_of_an_end_that_was_not_written(room: GrantRoom, caplog: pytest.LogCaptureFixture):
    tokens = await room.granted()
    account = await room.account()
    stale = ReplaceRefreshToken(
        RefreshToken("unknown", tokens.grant.id, room.clock.now(), room.clock.now()),
        RefreshToken("new", tokens.grant.id, room.clock.now(), room.clock.now()),
        room.clock.now(),
    )
    ending = EndGrantsOf(account.id, GrantEnd.DISCONNECTED, room.clock.now())
    with caplog.at_level(logging.INFO):
        assert not await room.vault.commit(ending, stale)
    assert ends_in(caplog) == []
    assert (await stored(room, tokens.grant)).ended_at is None


async def test_deleting_an_account_removes_its_grants(room: GrantRoom):
    tokens = await room.granted()
    account = await room.account()
    entry = (await room.vault.history(connection_name=None, identifier=None, since=None, limit=1))[0]
    assert await room.vault.delete_account(account.id, entry)
    assert await refreshed(room, tokens.refresh_token) is RefreshOutcome.UNKNOWN
    await room.create_account()
    assert await room.grants.list(KEY) == []


async def test_the_least_recently_used_grants_end_when_there_are_too_many(
    room: GrantRoom, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(grant_statements, "MOST_GRANTS", 3)
    first = await room.granted(state="0")
    room.clock.advance(HOUR)
    second = await room.granted(state="1")
    room.clock.advance(HOUR)
    first_again = await rotated(room, first.refresh_token)
    for number in (2, 3):
        room.clock.advance(HOUR)
        await room.granted(state=str(number))
    assert (await stored(room, second.grant)).ended_why is GrantEnd.TOO_MANY
    assert ends_in(caplog) == [(logging.INFO, second.grant.id, "too_many")]
    assert len(await room.grants.list(KEY)) == 3
    assert await rotated(room, first_again)


def test_the_bounds_of_grants():
    assert grant_statements.MOST_GRANTS == 50
    assert (GRANT_DAYS, GRACE_SECONDS, GRACE_RETRIES, SNAPSHOT_SECONDS) == (90, 120, 10, 2)


async def test_the_last_use_is_noted_once_an_hour(room: GrantRoom):
    tokens = await room.granted()
    room.clock.advance(HOUR - 1)
    token = await rotated(room, tokens.refresh_token)
    assert (await stored(room, tokens.grant)).last_used_at == tokens.grant.created_at
    room.clock.advance(1)
    await rotated(room, token)
    assert (await stored(room, tokens.grant)).last_used_at == room.clock.now()


async def test_ended_and_expired_grants_are_purged_when_new_ones_are_made(room: GrantRoom):
    ended, idle = await room.granted(state="1"), await room.granted(state="2")
    await room.grants.end(ended.grant.id, GrantEnd.REVOKED_BY_APP)
    room.clock.advance(DAY + 1)
    await room.granted(state="3")
    assert await room.vault.find_grant(ended.grant.id) is None
    assert await stored(room, idle.grant) == idle.grant
    room.clock.advance(GRANT_DAYS * DAY + DAY)
    await room.granted(state="4")
    assert await room.vault.find_grant(idle.grant.id) is None
    assert await refreshed(room, idle.refresh_token) is RefreshOutcome.UNKNOWN


async def test_used_refresh_tokens_are_purged_once_they_have_run_out(room: GrantRoom):
    first = (await room.granted()).refresh_token
    token = await rotated(room, first)
    room.clock.advance(GRANT_DAYS * DAY - 1)
    token = await rotated(room, token)
    room.clock.advance(2)
    await rotated(room, token)
    assert await room.vault.find_refresh_token(sha256_text(first or "")) is None


async def test_no_grant_is_made_for_an_account_that_was_disconnected_in_between(room: GrantRoom):
    """The commit itself looks: what was read before it may be over."""
    insert, _ = room.grants.new(await room.account(), request().client, ("calendar.read",), refreshes=True)
    await room.move(Cause.DISCONNECTED, Reason.DISCONNECTED)
    assert not await room.vault.commit(insert)


async def test_a_use_that_was_decided_on_what_is_no_longer_so_is_not_written(room: GrantRoom):
    """Each commit looks again: somebody else used the token, tried it in its grace, or ended its grant."""
    tokens = await room.granted()
    now = room.clock.now()

    async def use() -> ReplaceRefreshToken:
        found = await room.vault.find_refresh_token(sha256_text(tokens.refresh_token or ""))
        assert found is not None
        successor = RefreshToken(secrets.token_hex(32), tokens.grant.id, now, now + timedelta(days=GRANT_DAYS))
        return ReplaceRefreshToken(found[0], successor, now)

    for _ in range(2):  # its first use, and one in the grace
        first, second = await use(), await use()
        assert await room.vault.commit(first)
        assert not await room.vault.commit(second)
        assert await room.vault.find_refresh_token(second.successor.sha256) is None
    late = await use()
    await room.grants.end(tokens.grant.id, GrantEnd.REVOKED_BY_APP)
    assert not await room.vault.commit(late)


# Several processes


async def processes(database_url: str, room: GrantRoom, verb: str, secret: str, times: int) -> list[str]:
    """What two processes answer that begin at the same moment."""
    arguments = (database_url, room.clock.now().isoformat(), verb, secret, str(times))
    started = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.accounts.redeeming_process", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]
    try:
        async with asyncio.timeout(60):
            for process in started:
                assert process.stdout is not None
                assert await process.stdout.readline() == b"ready\n"
            answers = await asyncio.gather(*(process.communicate(b"go\n") for process in started))
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return [word for out, _ in answers for word in out.decode().split()]


async def test_two_processes_redeem_one_code_once(shared_database_url: str):
    async with open_grants(shared_database_url) as room:
        answers = await processes(shared_database_url, room, "redeem", await room.code(), 10)
    assert sorted(answers) == ["done"] + ["reused"] * 19


async def test_two_processes_that_refresh_with_one_token_both_succeed(shared_database_url: str):
    async with open_grants(shared_database_url) as room:
        token = (await room.granted()).refresh_token
        assert token is not None
        answers = await processes(shared_database_url, room, "refresh", token, 5)
    assert sorted(answers) == ["grace"] * 9 + ["rotated"]


# Keys, and hands in the database


async def test_rotating_the_vault_keys_seals_sign_ins_grants_and_tokens_anew(shared_database_url: str):
    newer = "b:" + "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
    async with open_grants(shared_database_url) as room:
        token = (await room.granted()).refresh_token
        code = await room.code(state="2")
        begun = await room.sign_ins.begin(request(), browser_secret=BROWSER)
    async with open_grants(shared_database_url, keys=f"{newer},{KEYS}") as room:
        progress = await rotate_keys(room.vault)
        assert (progress.unreadable, progress.remaining) == (0, 0)
        assert progress.resealed >= 6
    async with open_grants(shared_database_url, keys=newer) as room:
        assert await rotated(room, token)
        assert (await room.sign_ins.redeem(presented(code))).refresh_token
        await room.sign_ins.take(begun.secrets.state or "", browser_secret=BROWSER)


async def test_a_vault_whose_grants_need_a_missing_key_does_not_open(shared_database_url: str):
    newer = "b:" + "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
    async with open_grants(shared_database_url) as room:
        await room.granted()
    async with open_grants(shared_database_url, keys=f"{newer},{KEYS}") as room:
        now = room.clock.now()
        await room.move(Cause.CONSENTED, None, TokenSet("access", "refresh", now + timedelta(hours=1), ()))
        assert (await room.account()).tokens_version is not None
    vault = Vault(shared_database_url, KeyRing.from_text(newer))
    with pytest.raises(VaultError):
        await vault.find_account(KEY)
    await vault.aclose()


@pytest.fixture
def file_and_engine(tmp_path: Path) -> tuple[str, Engine]:
    path = (tmp_path / "vault.sqlite3").as_posix()
    return f"sqlite+aiosqlite:///{path}", create_engine(f"sqlite:///{path}")


TAMPERED = {
    "wider scopes": update(grants).values(scopes="calendar.read calendar.write"),
    "another client": update(grants).values(client_sha256=sha256_text("another")),
    "another account": update(grants).values(identifier="somebody-else"),
    "made unused": update(refresh_tokens).values(replaced_at=None, retries=0),
    "made endless": update(refresh_tokens).values(expires_at=2**60),
    "made up": update(refresh_tokens).values(id=sha256_text("rt_known")),
}


@pytest.mark.parametrize("how", TAMPERED)
async def test_a_row_that_another_program_wrote_is_not_taken(file_and_engine: tuple[str, Engine], how: str):
    url, engine = file_and_engine
    async with open_grants(url) as room:
        token = (await room.granted(scopes=("calendar.read",))).refresh_token
        change, brought = TAMPERED[how], room.refresh("rt_known" if how == "made up" else token)
        if how == "made unused":
            await rotated(room, token)
            change = change.where(refresh_tokens.c.replaced_at.is_not(None))
        with engine.begin() as connection:
            assert connection.execute(change).rowcount == 1
        engine.dispose()
        with pytest.raises(VaultError):
            await room.grants.refresh(brought)


async def test_an_ended_grant_that_was_put_back_is_not_taken(file_and_engine: tuple[str, Engine]):
    url, engine = file_and_engine
    async with open_grants(url) as room:
        tokens = await room.granted()
        with engine.begin() as connection:
            alive = connection.execute(select(grants)).mappings().one()
        await room.grants.end(tokens.grant.id, GrantEnd.REVOKED_BY_APP)
        with engine.begin() as connection:
            connection.execute(update(grants).values(**alive))
        engine.dispose()
        with pytest.raises(VaultError):
            await room.grants.refresh(room.refresh(tokens.refresh_token))
        with pytest.raises(VaultError):
            await room.grants.alive(tokens.grant.id, tid=TID)


async def test_a_damaged_grant_hides_no_other_and_stops_no_disconnecting(file_and_engine: tuple[str, Engine]):
    url, engine = file_and_engine
    async with open_grants(url) as room:
        damaged, whole = await room.granted(state="1"), await room.granted(state="2")
        with engine.begin() as connection:
            connection.execute(update(grants).where(grants.c.id == damaged.grant.id).values(scopes="all"))
        assert await room.grants.list(KEY) == [whole.grant]
        account = await room.account()
        assert await room.vault.commit(EndGrantsOf(account.id, GrantEnd.DISCONNECTED, room.clock.now()))
        assert await room.vault.find_grant(damaged.grant.id) is None
        assert (await stored(room, whole.grant)).ended_why is GrantEnd.DISCONNECTED


async def test_nothing_is_left_of_the_grants_of_a_deleted_account(file_and_engine: tuple[str, Engine]):
    url, engine = file_and_engine
    async with open_grants(url) as room:
        await room.granted()
        account = await room.account()
        entry = (await room.vault.history(connection_name=None, identifier=None, since=None, limit=1))[0]
        assert await room.vault.delete_account(account.id, entry)
        with engine.connect() as connection:
            versions = connection.execute(select(record_versions.c.record_id)).scalars().all()
            left = [connection.execute(select(table.c.id)).scalars().all() for table in (grants, refresh_tokens)]
        engine.dispose()
    assert left == [[], []]
    assert sorted(each[:3] for each in versions) == ["ca_", "si_"]


async def test_nothing_is_left_of_purged_records(file_and_engine: tuple[str, Engine]):
    url, engine = file_and_engine
    async with open_grants(url) as room:
        await room.granted()
        room.clock.advance((GRANT_DAYS + 2) * DAY)
        await room.granted(state="2")
        with engine.connect() as connection:
            kept = connection.execute(select(record_versions.c.record_id)).scalars().all()
        engine.dispose()
    assert sorted(each[:3] for each in kept) == ["ca_", "gr_", "si_"]
    assert timedelta(days=GRANT_DAYS) > grant_statements.KEPT

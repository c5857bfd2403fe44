"""Fresh tokens: one refresh for all callers, saved before use, and honest words when it does not work."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import event

from scalekit_mcp.accounts.model import statuses
from scalekit_mcp.accounts.model.records import AccountKey, AccountStatus, ProviderAccount, Reason, TokenSet
from scalekit_mcp.accounts.vault.changes import Change, ChangeStatus, SaveTokens, TakeLease
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.errors import (
    AuthorizationRequired,
    ConnectedAccountNotFound,
    ConnectionMisconfigured,
    PermissionMissing,
    ProviderUnavailable,
    VaultError,
)
from scalekit_mcp.microsoft.identity.oauth import MicrosoftOAuth
from tests.accounts.accounts_support import ALICE, DANA, PAT, Room, open_room, provider_for
from tests.support.bounds import HANG_SECONDS


class Gate:
    """A provider that stops in the middle of a refresh until it is let through."""

    def __init__(self, real: MicrosoftOAuth, *, after: bool = False) -> None:
        self._real = real
        self._after = after
        self.arrived = asyncio.Event()
        self.open = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def refresh_token_grant(self, **arguments: Any) -> TokenSet:
        answer: TokenSet | None = None
        if self._after:
            answer = await self._real.refresh_token_grant(**arguments)
        self.arrived.set()
        await self.open.wait()
        return answer or await self._real.refresh_token_grant(**arguments)


def expire(room: Room) -> None:
    room.advance(6000)


async def test_a_token_is_refreshed_when_five_minutes_are_left_and_not_before():
    async with open_room() as room:
        room.sandbox.access_token_lifetime(3600)
        await room.consent()
        first = await room.token()
        room.advance(3600 - 301)
        assert await room.token() == first
        room.advance(2)
        assert await room.token() != first
        assert room.grants() == 1


async def test_fifty_callers_with_an_expired_token_cause_one_refresh_grant():
    async with open_room() as room:
        room.sandbox.rotation("one_time")
        await room.consent()
        expire(room)
        tokens = await asyncio.gather(*(room.token() for _ in range(50)))
        assert len(set(tokens)) == 1
        assert room.grants() == 1


async def test_what_is_remembered_of_a_refresh_is_what_the_vault_holds(database_url: str):
    async with open_room(database_url) as room:
        await room.consent()
        expire(room)
        await room.token()
        remembered = room.accounts.snapshot(AccountKey("outlook", "ana"))
        assert remembered is not None
        assert remembered.tokens is not None
        assert remembered == await room.vault.find_account(AccountKey("outlook", "ana"))


async def test_callers_who_come_at_once_share_one_read_of_the_vault(tmp_path: Path):
    async with open_room(f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}") as room:
        await room.consent()
        await room.token()
        reads = await statements(room.vault)
        room.advance(3)
        assert len(set(await asyncio.gather(*(room.token() for _ in range(16))))) == 1
        assert len(reads) == 1


async def test_a_refresh_reads_the_vault_once_and_writes_twice(tmp_path: Path):
    async with open_room(f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}") as room:
        await room.consent()
        expire(room)
        sent = await statements(room.vault)
        await room.token()
        assert [statement.split()[0] for statement in sent] == ["SELECT", "UPDATE", "UPDATE"]


async def statements(vault: Any) -> list[str]:
    """The statements that reach the database from now on, without those that begin and end transactions."""
    sent: list[str] = []
    engines = (await vault._store.get())._statements.database._engines

    def before(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    for engine in engines:
        event.listen(engine, "before_cursor_execute", before)
    return sent


async def test_two_processes_with_an_expired_token_cause_one_refresh_grant():
    async with open_room() as room:
        room.sandbox.rotation("one_time")
        await room.consent()
        expire(room)
        gate = Gate(provider_for(room.http, room.clock))
        first = room.other_services(provider=gate)
        winner = asyncio.create_task(first.tokens.access_token(AccountKey("outlook", "ana")))
        await gate.arrived.wait()
        waiter = asyncio.create_task(room.tokens.access_token(AccountKey("outlook", "ana")))
        while not room.clock.sleeps:  # noqa: ASYNC110 - until the waiter pauses for the first time
            await asyncio.sleep(0)
        gate.open.set()
        assert await winner == await waiter
        assert room.grants() == 1


async def test_a_caller_that_goes_away_in_mid_refresh_does_not_lose_the_new_tokens():
    async with open_room() as room:
        room.sandbox.rotation("one_time")
        await room.consent()
        expire(room)
        gate = Gate(provider_for(room.http, room.clock), after=True)
        services = room.other_services(provider=gate)
        caller = asyncio.create_task(services.tokens.access_token(AccountKey("outlook", "ana")))
        await gate.arrived.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        gate.open.set()
        await services.tokens._refresher.aclose()
        assert await room.token()
        assert room.grants() == 1


async def test_an_answer_without_a_refresh_token_keeps_the_old_one():
    async with open_room() as room:
        await room.consent()
        before = await room.stored_tokens()
        room.sandbox.rotation("none")
        expire(room)
        await room.token()
        after = await room.stored_tokens()
        assert before is not None
        assert after is not None
        assert after.refresh_token == before.refresh_token
        assert after.access_token != before.access_token


async def test_a_disconnect_during_a_refresh_wins():
    async with open_room() as room:
        await room.consent()
        expire(room)
        gate = Gate(provider_for(room.http, room.clock), after=True)
        services = room.other_services(provider=gate)
        caller = asyncio.create_task(services.tokens.access_token(AccountKey("outlook", "ana")))
        await gate.arrived.wait()
        await room.accounts.disconnect(room.key())
        gate.open.set()
        with pytest.raises(AuthorizationRequired) as raised:
            await caller
        assert raised.value.details["reason"] == "disconnected"
        assert await room.stored_tokens() is None


async def test_a_consent_during_a_refresh_wins():
    async with open_room() as room:
        await room.consent()
        expire(room)
        gate = Gate(provider_for(room.http, room.clock), after=True)
        services = room.other_services(provider=gate)
        caller = asyncio.create_task(services.tokens.access_token(AccountKey("outlook", "ana")))
        await gate.arrived.wait()
        await room.consent(reconnect=True)
        newest = await room.stored_tokens()
        gate.open.set()
        assert newest is not None
        assert await caller == newest.access_token
        assert await room.stored_tokens() == newest


async def test_a_refused_token_is_refreshed_once_for_all_who_were_refused():
    async with open_room() as room:
        await room.consent()
        old = await room.token()
        tokens = await asyncio.gather(*(room.token(rejected=old) for _ in range(10)))
        assert len(set(tokens)) == 1
        assert tokens[0] != old
        assert await room.token(rejected=old) == tokens[0]
        assert room.grants() == 1


async def test_a_claims_challenge_goes_into_the_refresh():
    async with open_room() as room:
        await room.consent()
        old = await room.token()
        claims = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
        assert await room.token(rejected=old, claims=claims) != old
        asked = dict(room.sandbox.requests[-1].body or {})
        assert "c1" in asked["claims"]


async def test_a_challenge_that_needs_the_person_goes_into_the_next_authorization():
    async with open_room() as room:
        await room.consent()
        old = await room.token()
        claims = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
        room.sandbox.next_token_error(50076, claims=claims)
        with pytest.raises(AuthorizationRequired) as raised:
            await room.token(rejected=old, claims=claims)
        assert raised.value.details["reason"] == "interaction_required"
        ticket = await room.begin()
        assert "c1" in str(await room.authorizations.start(ticket))


# Transient failures


async def test_a_transient_failure_with_a_valid_token_serves_the_call_and_cools_down():
    async with open_room() as room:
        room.sandbox.access_token_lifetime(3600)
        await room.consent()
        first = await room.token()
        room.advance(3600 - 200)
        room.sandbox.token_error_raw(503, "<html>busy</html>")
        assert await room.token() == first
        assert await room.token() == first
        assert room.grants() == 1
        room.advance(6)
        assert await room.token() != first
        assert room.grants() == 2


async def test_a_transient_failure_without_a_valid_token_says_when_to_try_again():
    async with open_room() as room:
        await room.consent()
        expire(room)
        room.sandbox.token_error_raw(429, "Too Many Requests", {"Retry-After": "60"})
        for _ in range(2):
            with pytest.raises(ProviderUnavailable) as raised:
                await room.token()
            assert raised.value.retryable
            assert 58 <= raised.value.details["retry_after_seconds"] <= 60
        assert room.grants() == 1
        assert (await room.view()).account.status is AccountStatus.ACTIVE
        room.advance(61)
        assert await room.token()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_lost_answer_changes_no_status(when: str):
    async with open_room() as room:
        await room.consent()
        expire(room)
        room.sandbox.drop_connection(when, "identity")  # pyright: ignore[reportArgumentType] - a literal of the table
        with pytest.raises(ProviderUnavailable):
            await room.token()
        room.advance(10)
        assert await room.token()


async def test_a_loop_warning_of_microsoft_is_no_revocation():
    async with open_room() as room:
        await room.consent()
        expire(room)
        room.sandbox.next_token_error(50196)
        with pytest.raises(ProviderUnavailable):
            await room.token()
        assert (await room.view()).account.status is AccountStatus.ACTIVE


async def test_a_process_that_vanished_with_the_lease_is_waited_for_one_lease_at_most():
    async with open_room() as room:
        await room.consent()
        expire(room)
        stored = await room.vault.find_account(AccountKey("outlook", "ana"))
        assert stored is not None
        now = room.clock.now()
        lease = TakeLease(stored.account.id, stored.account.version, "gone", now, now + timedelta(seconds=60))
        assert await room.vault.commit(lease)
        with pytest.raises(ProviderUnavailable, match="Another process"):
            await room.token()
        assert max(room.clock.sleeps) <= 0.2
        assert min(room.clock.sleeps) >= 0.05
        room.advance(31)
        assert await room.token()


async def test_a_lease_is_renewed_while_its_holder_lives_and_the_others_wait_for_that_one_answer(database_url: str):
    async with open_room(database_url, lease_seconds=0.2) as room:
        await room.consent()
        expire(room)
        answer, calls = asyncio.Event(), 0
        real = provider_for(room.http, room.clock)

        class Slow:
            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

            async def refresh_token_grant(self, **arguments: Any) -> TokenSet:
                nonlocal calls
                calls += 1
                await answer.wait()
                return await real.refresh_token_grant(**arguments)

        holder = room.other_services(provider=Slow(), lease_seconds=0.2)
        room.follow()
        refreshing = asyncio.create_task(holder.tokens.access_token(AccountKey("outlook", "ana")))
        untils: set[datetime] = set()
        async with asyncio.timeout(HANG_SECONDS):
            while len(untils) < 4:
                stored = await room.vault.find_account(AccountKey("outlook", "ana"))
                assert stored is not None
                if stored.lease_until is not None and stored.lease_until not in untils:
                    assert stored.lease_until > room.clock.now()
                    untils.add(stored.lease_until)
                    room.clock.advance(0.1)  # half a lease: without a renewal the second one is over
                await asyncio.sleep(0)
            answer.set()
            assert await refreshing == await room.token()
        assert calls == room.grants() == 1
        stored = await room.vault.find_account(AccountKey("outlook", "ana"))
        assert stored is not None
        assert (stored.lease_owner, stored.lease_until) == (None, None)


# Permanent refusals


PERMANENT = [
    (50173, DANA, AccountStatus.REVOKED, Reason.GRANT_REVOKED, "user"),
    (65001, DANA, AccountStatus.REVOKED, Reason.GRANT_REVOKED, "user"),
    (700082, DANA, AccountStatus.EXPIRED, Reason.INACTIVE, "user"),
    (70043, DANA, AccountStatus.EXPIRED, Reason.INTERACTION_REQUIRED, "user"),
    (53003, DANA, AccountStatus.EXPIRED, Reason.POLICY_BLOCKED, "it_admin"),
    (50057, DANA, AccountStatus.REVOKED, Reason.ACCOUNT_DISABLED, "it_admin"),
    (500341, DANA, AccountStatus.REVOKED, Reason.ACCOUNT_DELETED, "it_admin"),
    (50105, DANA, AccountStatus.REVOKED, Reason.GRANT_REVOKED_BY_ADMIN, "it_admin"),
    (70000, PAT, AccountStatus.REVOKED, Reason.GRANT_REVOKED_BY_USER, "user"),
    (70000, DANA, AccountStatus.EXPIRED, Reason.GRANT_EXPIRED, "user"),
    (99999, DANA, AccountStatus.EXPIRED, Reason.UNKNOWN, "user"),
]


@pytest.mark.parametrize(("code", "address", "status", "reason", "who_acts"), PERMANENT)
async def test_a_permanent_refusal_sets_the_status_and_is_never_repeated(
    code: int, address: str, status: AccountStatus, reason: Reason, who_acts: str
):
    async with open_room() as room:
        await room.consent("ana", address)
        await room.consent("bea", ALICE)
        expire(room)
        room.sandbox.next_token_error(code, error="invalid_grant", person=address)
        for _ in range(3):
            with pytest.raises(AuthorizationRequired) as raised:
                await room.token()
            assert raised.value.details == {"status": status.value, "reason": reason.value}
            assert raised.value.who_acts == who_acts
            assert not raised.value.retryable
        assert room.grants() == 1
        account = (await room.view()).account
        assert (account.status, account.reason, account.who_acts) == (status, reason, who_acts)
        newest = (await room.accounts.history(connection_name="outlook", identifier="ana"))[0]
        assert (newest.old_status, newest.new_status) == (AccountStatus.ACTIVE, status)
        assert str(code) in (newest.code or "")
        assert await room.token("bea")


async def test_an_account_that_expired_is_repaired_by_a_consent():
    async with open_room() as room:
        await room.consent()
        expire(room)
        room.sandbox.revoke_sessions(DANA)
        with pytest.raises(AuthorizationRequired):
            await room.token()
        await room.consent()
        assert await room.token()
        assert (await room.view()).account.reason is None


async def test_a_grant_without_a_refresh_token_ends_with_its_access_token():
    async with open_room() as room:
        await room.consent(scopes=("User.Read", "Calendars.ReadWrite"))
        stored = await room.vault.find_account(AccountKey("outlook", "ana"))
        assert stored is not None
        assert stored.tokens is not None
        unchanged = statuses.change(stored.account, statuses.Cause.CONSENTED, reason=None, at=room.clock.now())
        assert await room.vault.commit(ChangeStatus(unchanged, replace(stored.tokens, refresh_token=None)))
        expire(room)
        with pytest.raises(AuthorizationRequired):
            await room.token()
        assert room.grants() == 0
        assert (await room.view()).account.reason is Reason.GRANT_EXPIRED


async def test_an_expired_client_secret_changes_no_account_and_is_told_once(caplog: pytest.LogCaptureFixture):
    async with open_room() as room:
        await room.consent("ana", DANA)
        await room.consent("bea", ALICE)
        expire(room)
        room.sandbox.expire_client_secret()
        with caplog.at_level(logging.ERROR):
            for identifier in ("ana", "bea", "ana"):
                with pytest.raises(ConnectionMisconfigured) as raised:
                    await room.token(identifier)
                assert raised.value.who_acts == "operator"
        told = [record for record in caplog.records if "misconfigured" in record.getMessage()]
        assert len(told) == 1
        assert room.grants() == 1
        for identifier in ("ana", "bea"):
            assert (await room.view(identifier)).account.status is AccountStatus.ACTIVE
        room.sandbox.expire_client_secret(expired=False)
        with pytest.raises(ConnectionMisconfigured):
            await room.token()
        room.advance(30)
        assert await room.token()


async def test_what_one_customer_lacks_stops_no_other_account():
    async with open_room() as room:
        await room.consent("ana", DANA)
        await room.consent("bea", ALICE)
        expire(room)
        room.sandbox.next_token_error(650052, error="invalid_client", person=DANA)
        for _ in range(3):
            with pytest.raises(ConnectionMisconfigured):
                await room.token("ana")
        assert room.grants() == 1
        assert await room.token("bea")


# Tenants


async def test_a_disabled_application_stops_the_tenant_with_one_trial_an_hour():
    async with open_room() as room:
        await room.consent("ana", DANA)
        await room.consent("bea", ALICE)
        await room.consent("pat", PAT)
        expire(room)
        room.sandbox.disable_app("Contoso")
        with pytest.raises(AuthorizationRequired):
            await room.token("ana")
        assert (await room.view("ana")).account.reason is Reason.APP_DISABLED
        before = room.grants()
        for _ in range(5):
            with pytest.raises(AuthorizationRequired) as raised:
                await room.token("bea")
            assert raised.value.details == {"status": "ACTIVE", "reason": "app_disabled"}
            assert raised.value.who_acts == "it_admin"
        assert room.grants() == before
        assert await room.token("pat")
        before = room.grants()
        room.advance(3601)
        for _ in range(3):
            with pytest.raises(AuthorizationRequired):
                await room.token("bea")
        assert room.grants() == before + 1
        assert (await room.view("bea")).account.status is AccountStatus.ACTIVE
        room.sandbox.enable_app("Contoso")
        room.advance(3601)
        assert await room.token("bea")
        assert await room.token("bea")


async def test_a_consent_clears_the_mark_of_its_tenant():
    async with open_room() as room:
        await room.consent("ana", DANA)
        await room.consent("bea", ALICE)
        expire(room)
        room.sandbox.disable_app("Contoso")
        with pytest.raises(AuthorizationRequired):
            await room.token("ana")
        room.sandbox.enable_app("Contoso")
        await room.consent("ana", DANA)
        assert await room.token("bea")


async def test_three_lost_grants_of_a_tenant_within_ten_minutes_are_told_together(caplog: pytest.LogCaptureFixture):
    async with open_room() as room:
        people = [f"person{number}@company.com" for number in range(6)]
        for address in people:
            room.sandbox.add_person(address)
            await room.consent(address, address)
        expire(room)
        with caplog.at_level(logging.WARNING, "scalekit_mcp.accounts"):
            for address in people:
                room.sandbox.revoke_sessions(address)
                with pytest.raises(AuthorizationRequired):
                    await room.token(address)
        told = [record.getMessage() for record in caplog.records]
        assert len([line for line in told if "lost its grant" in line]) == 2
        assert len([line for line in told if "are losing their grants" in line]) == 1


# Whose token, for what


async def test_a_token_never_goes_to_another_login_host_or_with_another_client_id():
    async with open_room() as room:
        await room.consent()
        other = room.other_services(
            provider=provider_for(room.http, room.clock, login_url="http://login.elsewhere.example")
        )
        before = len(room.sandbox.requests)
        with pytest.raises(AuthorizationRequired) as raised:
            await other.tokens.access_token(AccountKey("outlook", "ana"))
        assert raised.value.details == {"status": "EXPIRED", "reason": "connection_changed"}
        assert len(room.sandbox.requests) == before


async def test_missing_scopes_refuse_the_call_and_keep_the_account_active():
    async with open_room() as room:
        await room.consent(scopes=("User.Read", "Calendars.Read"))
        with pytest.raises(PermissionMissing) as raised:
            await room.token(required_scopes=("Calendars.ReadWrite",))
        assert raised.value.details["missing_scopes"] == ["Calendars.ReadWrite"]
        assert (await room.view()).account.status is AccountStatus.ACTIVE
        assert await room.token(required_scopes=("https://graph.microsoft.com/calendars.read",))


async def test_a_smaller_grant_after_a_refresh_is_noticed():
    async with open_room() as room:
        await room.consent()
        expire(room)
        room.sandbox.withhold_scopes("Calendars.ReadWrite")
        with pytest.raises(PermissionMissing):
            await room.token(required_scopes=("Calendars.ReadWrite",))
        assert (await room.view()).account.status is AccountStatus.ACTIVE


async def test_an_account_that_was_never_there_or_never_authorized_makes_no_calls():
    async with open_room() as room:
        with pytest.raises(ConnectedAccountNotFound):
            await room.token()
        await room.accounts.get_or_create(room.key())
        with pytest.raises(AuthorizationRequired) as raised:
            await room.token()
        assert raised.value.details == {"status": "PENDING", "reason": "never_authorized"}
        assert not room.sandbox.requests


async def test_a_status_of_another_process_is_seen_within_two_seconds():
    async with open_room() as room:
        await room.consent()
        other = room.other_services()
        assert await other.tokens.access_token(AccountKey("outlook", "ana"))
        await room.accounts.disconnect(room.key())
        room.advance(2)
        with pytest.raises(AuthorizationRequired):
            await other.tokens.access_token(AccountKey("outlook", "ana"))


async def test_reading_a_token_again_within_two_seconds_reads_no_vault():
    async with open_room() as room:
        await room.consent()
        token = await room.token()
        await room.vault.aclose()
        room.vault._database_url = "sqlite+aiosqlite:////nowhere/at/all"  # pyright: ignore[reportAttributeAccessIssue] - a Vault
        assert await room.token() == token


# Long run


@pytest.mark.parametrize("address", [DANA, PAT])
async def test_in_120_days_nobody_is_asked_again_and_the_newest_token_is_the_stored_one(tmp_path: Path, address: str):
    url = f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}"
    async with open_room(url) as room:
        room.sandbox.rotation("one_time")
        await room.consent("ana", address)
        services, refreshes = room.services, 0
        for day in range(120):
            if day % 30 == 7:  # a restart
                services = room.other_services()
            for _ in range(2):
                room.advance(12 * 3600)
                token = await services.tokens.access_token(AccountKey("outlook", "ana"))
                refreshes += 1
                stored = await room.stored_tokens()
                assert stored is not None
                assert stored.access_token == token
        assert room.grants() == refreshes
        assert room.grants("authorization_code") == 1
        account = (await room.view()).account
        assert account.status is AccountStatus.ACTIVE
        assert isinstance(account.provider_account, ProviderAccount)


# What could not be saved


class DiskFull:
    """A vault whose disk has no room for refreshed tokens until somebody frees some."""

    def __init__(self, real: Vault) -> None:
        self._real = real
        self.full = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def commit(self, *changes: Change) -> bool:
        if self.full and any(isinstance(change, SaveTokens) for change in changes):
            raise VaultError("The disk of the vault's database is full.")
        return await self._real.commit(*changes)


async def test_tokens_that_could_not_be_saved_are_used_by_nobody_and_saved_later_without_a_new_grant():
    async with open_room() as room:
        room.sandbox.rotation("one_time")
        await room.consent()
        expire(room)
        disk = DiskFull(room.vault)
        services = room.other_services(vault=cast("Vault", disk))
        with pytest.raises(VaultError, match="full"):
            await services.tokens.access_token(AccountKey("outlook", "ana"))
        disk.full = False
        token = await services.tokens.access_token(AccountKey("outlook", "ana"))
        stored = await room.stored_tokens()
        assert stored is not None
        assert stored.access_token == token
        assert room.grants() == 1


async def test_the_challenge_that_a_refresh_could_not_meet_goes_into_the_next_authorization():
    async with open_room() as room:
        await room.consent()
        old = await room.token()
        room.sandbox.next_token_error(50076)
        claims = '{"access_token":{"acrs":{"essential":true,"value":"c7"}}}'
        with pytest.raises(AuthorizationRequired):
            await room.token(rejected=old, claims=claims)
        ticket = await room.begin()
        assert "c7" in str(await room.authorizations.start(ticket))
        assert (await room.consent()).kind == "connected"
        assert (await room.view()).account.pending_claims is None

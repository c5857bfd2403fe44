"""A rotation of keys beside other processes that write: whatever they wrote meanwhile stays."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from scalekit_mcp.accounts.model.records import AccountKey, AttemptState
from scalekit_mcp.accounts.vault.changes import AttemptKey, SaveAttempt, SaveTokens, TakeLease
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
from tests.accounts.accounts_support import open_room

OLD = ("old", bytes(range(32)))
NEW = ("new", bytes(range(1, 33)))


class InterruptedRing(KeyRing):
    """Both keys. The first sealing after `meanwhile` was set waits until that has run, as in another process."""

    def __init__(self) -> None:
        super().__init__([NEW, OLD])
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    def seal(self, plaintext: bytes, **where: Any) -> bytes:
        """See `KeyRing`."""
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            other = threading.Thread(target=lambda: asyncio.run(_awaited(meanwhile)))
            other.start()
            other.join()
        return super().seal(plaintext, **where)


async def _awaited(meanwhile: Callable[[], Awaitable[None]]) -> None:
    await meanwhile()


async def refresh(vault: Vault) -> None:
    """What a refresh writes: the lease, then the new tokens."""
    stored = await vault.find_account(AccountKey("outlook", "ana"))
    assert stored is not None
    assert stored.tokens is not None
    account, now = stored.account, stored.account.created_at
    assert await vault.commit(TakeLease(account.id, account.version, "me", now, now + timedelta(seconds=60)))
    fresh = replace(stored.tokens, access_token="access-2", refresh_token="refresh-2")
    assert await vault.commit(SaveTokens(account, fresh, "me", now))


async def test_tokens_that_are_refreshed_while_a_rotation_reads_them_are_kept(shared_database_url: str):
    ring = InterruptedRing()
    async with open_room(shared_database_url, key_ring=KeyRing([OLD])) as room:
        await room.consent()

    async def another_process() -> None:
        async with open_room(shared_database_url, key_ring=KeyRing([OLD])) as other:
            await refresh(other.vault)

    async with open_room(shared_database_url, key_ring=ring) as rotating:
        assert await rotating.stored_tokens() is not None
        ring.meanwhile = another_process
        step = await rotating.vault.reseal(after=None, limit=10)
        assert ring.meanwhile is None
        assert (step.resealed, step.unreadable) == (0, 0)
        assert step.remaining > 0  # the other process has the old key alone: the next round seals its record
        step = await rotating.vault.reseal(after=None, limit=10)
        assert step.resealed == 1
    async with open_room(shared_database_url, key_ring=KeyRing([NEW, OLD])) as after:
        tokens = await after.stored_tokens()
    assert tokens is not None
    assert (tokens.access_token, tokens.refresh_token) == ("access-2", "refresh-2")


async def test_an_attempt_that_goes_on_while_a_rotation_reads_it_is_kept(shared_database_url: str):
    ring = InterruptedRing()
    async with open_room(shared_database_url, key_ring=KeyRing([OLD])) as room:
        await room.begin()
        stored = await room.vault.find_account(AccountKey("outlook", "ana"))
        assert stored is not None
        account_id = stored.account.id

    async def another_process() -> None:
        async with open_room(shared_database_url, key_ring=KeyRing([NEW, OLD])) as other:
            attempt = await other.vault.find_attempt(AttemptKey.LIVE_ACCOUNT, account_id)
            assert attempt is not None
            on_its_way = replace(
                attempt, state=AttemptState.AT_PROVIDER, secrets=replace(attempt.secrets, state="another state")
            )
            assert await other.vault.commit(SaveAttempt(on_its_way))

    async with open_room(shared_database_url, key_ring=ring) as rotating:
        step = await rotating.vault.reseal(after=None, limit=10)
        assert step.after == "attempts:"
        ring.meanwhile = another_process
        step = await rotating.vault.reseal(after=step.after, limit=10)
        assert ring.meanwhile is None
        assert (step.resealed, step.unreadable) == (0, 0)
        attempt = await rotating.vault.find_attempt(AttemptKey.LIVE_ACCOUNT, account_id)
    assert attempt is not None
    assert (attempt.state, attempt.secrets.state) == (AttemptState.AT_PROVIDER, "another state")


async def test_a_refresh_that_began_before_a_rotation_saves_its_tokens_after_it(shared_database_url: str):
    async with open_room(shared_database_url, key_ring=KeyRing([OLD])) as room:
        await room.consent()
        stored = await room.vault.find_account(AccountKey("outlook", "ana"))
        assert stored is not None
        assert stored.tokens is not None
        account, now = stored.account, room.clock.now()
        await room.vault.commit(TakeLease(account.id, account.version, "me", now, now + timedelta(seconds=60)))
        async with open_room(shared_database_url, key_ring=KeyRing([NEW, OLD])) as rotating:
            assert (await rotating.vault.reseal(after=None, limit=10)).resealed == 1
        fresh = replace(stored.tokens, access_token="access-2", refresh_token="refresh-2")
        assert await room.vault.commit(SaveTokens(account, fresh, "me", now))
    async with open_room(shared_database_url, key_ring=KeyRing([NEW, OLD])) as after:
        assert await after.stored_tokens() == fresh

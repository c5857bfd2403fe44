"""Opened tokens leave the memory of the process when their moment is over, however many accounts there are."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace

import anyio.lowlevel
import pytest

from scalekit_mcp.accounts import snapshots
from scalekit_mcp.accounts.model.records import AccountKey, TokenSet
from scalekit_mcp.accounts.snapshots import Snapshots
from scalekit_mcp.errors import ConnectionMisconfigured
from tests.accounts.accounts_support import Room, open_room
from tests.accounts.test_refresh import expire
from tests.support.bounds import HANG_SECONDS
from tests.support.clock import HandClock


def opened_tokens(room: Room) -> int:
    """How many opened tokens the process holds, by whatever refers to them."""
    del room
    gc.collect()
    return sum(isinstance(each, TokenSet) for each in gc.get_objects())


async def test_no_opened_token_stays_when_its_two_seconds_are_over_and_nobody_asks_again():
    before = sum(isinstance(each, TokenSet) for each in gc.get_objects())
    async with open_room(snapshot_seconds=0.2) as room:
        await room.consent("user-0")
        for number in range(1, 40):
            await room.consent(f"user-{number}")
            await room.token(f"user-{number}")
            await room.view(f"user-{number}")
        async with asyncio.timeout(HANG_SECONDS):
            while opened_tokens(room) > before:
                await anyio.lowlevel.checkpoint()


async def test_tokens_read_again_are_kept_for_their_own_moment():
    async with open_room(snapshot_seconds=30) as room:
        await room.consent()
        token = await room.token()
        assert opened_tokens(room) >= 1
        assert await room.token() == token


async def test_the_number_of_remembered_accounts_is_bounded_and_the_oldest_goes_first():
    async with open_room() as room:
        await room.consent()
        stored = await room.vault.find_account(AccountKey("outlook", "ana"))
        assert stored is not None
        kept = Snapshots(HandClock(), 60)
        for number in range(snapshots.MOST_SNAPSHOTS + 5):
            kept.put(replace(stored, account=replace(stored.account, identifier=f"user-{number}")))
        remembered = [
            n for n in range(snapshots.MOST_SNAPSHOTS + 5) if kept.get(AccountKey("outlook", f"user-{n}")) is not None
        ]
        assert len(remembered) == snapshots.MOST_SNAPSHOTS
        assert remembered[0] == 5


async def test_a_refused_connection_does_not_keep_the_token_that_was_sent():
    before = sum(isinstance(each, TokenSet) for each in gc.get_objects())
    async with open_room(snapshot_seconds=0.2) as room:
        await room.consent()
        expire(room)
        room.sandbox.next_token_error(7000222)
        with pytest.raises(ConnectionMisconfigured):
            await room.token()
        async with asyncio.timeout(HANG_SECONDS):
            while opened_tokens(room) > before:
                await anyio.lowlevel.checkpoint()

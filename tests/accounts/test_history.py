"""How long changes of status are remembered."""

from __future__ import annotations

import pytest

from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from tests.accounts.accounts_support import open_room
from tests.support.clock import HandClock

RING = KeyRing([("a", bytes(range(32)))])


@pytest.mark.parametrize(
    ("later_seconds", "kept"),
    [
        (399 * 86_400, {"ana", "bob"}),
        (400 * 86_400, {"ana", "bob"}),
        (400 * 86_400 + 1, {"bob"}),
        (800 * 86_400, {"bob"}),
    ],
)
async def test_history_is_kept_for_400_days(shared_database_url: str, later_seconds: int, kept: set[str]):
    clock = HandClock()
    async with open_room(shared_database_url, key_ring=RING, clock=clock) as room:
        await room.begin("ana")
    clock.advance(later_seconds)
    async with open_room(shared_database_url, key_ring=RING, clock=clock) as room:
        await room.begin("bob")  # the first call of a process forgets what is old, beside itself
    async with open_room(shared_database_url, key_ring=RING, clock=clock) as room:
        history = await room.accounts.history()
    assert {entry.identifier for entry in history} == kept

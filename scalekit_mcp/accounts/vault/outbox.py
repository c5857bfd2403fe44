"""A vault that remembers which changes of status have still to be told to the operator.

What is to be told is written in the transaction of the change itself; it stays due until it is crossed out, so a
process that dies in between loses nothing. Several processes may take from one outbox: each entry is moved by
compare-and-swap on the instant it is due at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, cast

from scalekit_mcp.accounts.model.records import HistoryEntry
from scalekit_mcp.accounts.vault.sealing import KeyRing
from scalekit_mcp.accounts.vault.vault import SqlVault

if TYPE_CHECKING:
    from scalekit_mcp.accounts.vault.history import OutboxStore
    from scalekit_mcp.accounts.vault.store import Store


class OutboxVault(SqlVault):
    """A `SqlVault`; with `outbox` every new history entry is due to be told."""

    def __init__(self, database_url: str, key_ring: KeyRing, *, outbox: bool = False) -> None:
        super().__init__(database_url, key_ring)
        self._outbox = outbox

    async def due_deliveries(self, *, now: datetime, limit: int) -> Sequence[tuple[str, datetime, int, HistoryEntry]]:
        """What is due at `now`, the oldest first: (id, due at, tries so far, entry)."""
        return await self._run(lambda store: cast("OutboxStore", store).due_deliveries(now, limit))

    async def settle_delivery(
        self, entry_id: str, *, due_at: datetime, next_due_at: datetime | None, tries: int
    ) -> bool:
        """Move or cross out (None) what is due at `due_at`; False if somebody else did."""
        return await self._run(
            lambda store: cast("OutboxStore", store).settle_delivery(entry_id, due_at, next_due_at, tries)
        )

    async def _store(self) -> Store:
        if not self._outbox:
            return await super()._store()
        async with self._opening:
            if self._opened is None:
                from scalekit_mcp.accounts.vault.history import OutboxStore

                self._opened = await OutboxStore.open(self._database_url, self._key_ring, self._write_seconds)
            return self._opened

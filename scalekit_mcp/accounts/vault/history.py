"""Statements of the outbox. Heavy: imported with the first use of a vault that has one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from scalekit_mcp.accounts.model.records import HistoryEntry
from scalekit_mcp.accounts.vault import rows, seals
from scalekit_mcp.accounts.vault.store import Store
from scalekit_mcp.accounts.vault.tables import history

_log = logging.getLogger(__name__)


class OutboxStore(Store):
    """An opened vault whose history entries are due until they are told."""

    async def due_deliveries(self, now: datetime, limit: int) -> Sequence[tuple[str, datetime, int, HistoryEntry]]:
        """See `OutboxVault`."""
        due_at = history.c.delivery_due
        statement = (
            select(history).where(due_at.is_not(None), due_at <= rows.to_micros(now)).order_by(due_at, history.c.id)
        )
        due: list[tuple[str, datetime, int, HistoryEntry]] = []
        for row in await self._all(statement.limit(limit)):
            entry = rows.history_from_row(row)
            if entry.cause == rows.UNREADABLE or not isinstance(row["delivery_tries"], int):
                _log.error("The history entry %s of %s is damaged and is not told.", row["id"], seals.whose(row))
                await self.settle_delivery(row["id"], rows.from_micros(row["delivery_due"]), None, 0)
                continue
            due.append((row["id"], rows.from_micros(row["delivery_due"]), row["delivery_tries"], entry))
        return due

    async def settle_delivery(self, entry_id: str, due_at: datetime, next_due_at: datetime | None, tries: int) -> bool:
        """See `OutboxVault`."""
        statement = update(history).where(history.c.id == entry_id, history.c.delivery_due == rows.to_micros(due_at))
        values = {"delivery_due": rows.maybe_micros(next_due_at), "delivery_tries": tries}
        settle = statement.values(values)
        return await self._write(lambda connection: self._execute(connection, settle) == 1, one_statement=True)

    def _add_history(self, connection: Connection, entry: HistoryEntry) -> None:
        values = rows.history_values(entry, self._history_id(entry))
        due = {"delivery_due": values["at"]}
        self._execute(connection, self._insert(history).values({**values, **due}))

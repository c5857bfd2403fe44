"""Changes of status as the vault keeps them, and which of them have still to be told to the operator.

What is to be told is written in the transaction of the change itself; it stays due until it is crossed out, so a
process that dies in between loses nothing. Several processes may take from one outbox: each entry is moved by
compare-and-swap on the instant it is due at.
"""

from __future__ import annotations

import itertools
import logging
import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from scalekit_mcp.accounts.model.records import KEPT_ELSEWHERE, HistoryEntry
from scalekit_mcp.accounts.vault import rows
from scalekit_mcp.accounts.vault.database.statements import Statements
from scalekit_mcp.accounts.vault.sealing import seals
from scalekit_mcp.accounts.vault.tables import history

_log = logging.getLogger(__name__)


class History:
    """Statements on the history; with `outbox` every new entry is due to be told."""

    def __init__(self, statements: Statements, *, outbox: bool) -> None:
        self._statements = statements
        self._outbox = outbox
        self._written = itertools.count()

    async def entries(
        self, connection_name: str | None, identifier: str | None, since: datetime | None, limit: int
    ) -> Sequence[HistoryEntry]:
        """See `Vault.history`."""
        statement = select(history).order_by(history.c.at.desc(), history.c.id.desc()).limit(limit)
        if connection_name is None:
            elsewhere = history.c.connection_name.startswith(KEPT_ELSEWHERE, autoescape=True)
            statement = statement.where(~elsewhere)
        else:
            statement = statement.where(history.c.connection_name == connection_name)
        if identifier is not None:
            statement = statement.where(history.c.identifier == identifier)
        if since is not None:
            statement = statement.where(history.c.at >= rows.to_micros(since))
        return [rows.history_from_row(row) for row in await self._statements.all(statement)]

    def add(self, connection: Connection, entry: HistoryEntry) -> None:
        """Append an entry in the transaction of `connection`."""
        # Sorts by instant, then by the order in which this process wrote.
        entry_id = f"{rows.to_micros(entry.at):020d}{next(self._written):010d}{secrets.token_hex(6)}"
        values = rows.history_values(entry, entry_id)
        if self._outbox:
            values = {**values, "delivery_due": values["at"]}
        self._statements.execute(connection, self._statements.insert(history).values(values))

    async def due_deliveries(self, now: datetime, limit: int) -> Sequence[tuple[str, datetime, int, HistoryEntry]]:
        """See `Vault`."""
        due_at = history.c.delivery_due
        statement = (
            select(history).where(due_at.is_not(None), due_at <= rows.to_micros(now)).order_by(due_at, history.c.id)
        )
        due: list[tuple[str, datetime, int, HistoryEntry]] = []
        for row in await self._statements.all(statement.limit(limit)):
            entry = rows.history_from_row(row)
            if entry.cause == rows.UNREADABLE or not isinstance(row["delivery_tries"], int):
                _log.error("The history entry %s of %s is damaged and is not told.", row["id"], seals.whose(row))
                await self.settle_delivery(row["id"], rows.from_micros(row["delivery_due"]), None, 0)
                continue
            due.append((row["id"], rows.from_micros(row["delivery_due"]), row["delivery_tries"], entry))
        return due

    async def settle_delivery(self, entry_id: str, due_at: datetime, next_due_at: datetime | None, tries: int) -> bool:
        """See `Vault`."""
        statement = update(history).where(history.c.id == entry_id, history.c.delivery_due == rows.to_micros(due_at))
        values = {"delivery_due": rows.maybe_micros(next_due_at), "delivery_tries": tries}
        settle = statement.values(values)
        return await self._statements.write(
            lambda connection: self._statements.execute(connection, settle) == 1, one_statement=True
        )

"""Records of an earlier version of the vault, sealed without what decides about them: sealed anew once, when it opens.

Whether that was done stands in the sealed check of the vault keys, which nobody makes without a key: a row without its
seal is accepted by no read, so that taking the seal away helps nobody.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Executable, select, update

from scalekit_mcp.accounts.vault import rows
from scalekit_mcp.accounts.vault.database.database import tried_again
from scalekit_mcp.accounts.vault.database.statements import Statements
from scalekit_mcp.accounts.vault.sealing import seals
from scalekit_mcp.accounts.vault.tables import (
    attempts,
    connected_accounts,
    record_versions,
    tenant_marks,
    vault_keys,
)
from scalekit_mcp.errors import VaultError

_log = logging.getLogger(__name__)

OLD_KEY_CHECK = b"scalekit-mcp"
KEY_CHECK = b"scalekit-mcp 2"
"""What a check of a vault key holds since the state of a record is sealed."""
_BATCH = 200

_account = connected_accounts.c
_attempt = attempts.c


class OldRecords:
    """Seals the records that an earlier version wrote."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._ring = statements.ring

    async def seal_old_records(self) -> None:
        """Seal every record anew; may be done by several processes at once and begun again."""
        unread = await self._walk(connected_accounts, _account.sealed_state.is_(None), self._seal_account)
        unread += await self._walk(attempts, None, self._seal_attempt)
        for row in await self._statements.all(select(tenant_marks).where(tenant_marks.c.sealed.is_(None))):
            where = [tenant_marks.c[name] == row[name] for name in seals.TENANT_COLUMNS]
            with suppress(VaultError), rows.readable(row):  # a damaged mark counts as none
                anew = update(tenant_marks).where(*where).values(sealed=seals.seal_tenant(self._ring, row))
                await self._run_all([anew])
        for key_id in self._ring.key_ids:
            statement = update(vault_keys).where(vault_keys.c.key_id == key_id)
            await self._run_all([statement.values(sealed_check=self.key_check(key_id))])
        _log.info("The records of the vault were sealed anew for this version; %d could not be opened.", unread)

    def key_check(self, key_id: str) -> bytes:
        """What proves a key."""
        return self._ring.seal(KEY_CHECK, kind="key check", owner=key_id, context=[key_id], key_id=key_id)

    async def _walk(self, table: Any, where: Any, anew: Callable[[rows.Row], list[Executable]]) -> int:
        last, unread = "", 0
        while True:
            statement = select(table).where(table.c.id > last).order_by(table.c.id).limit(_BATCH)
            found = await self._statements.all(statement if where is None else statement.where(where))
            if not found:
                return unread
            last = found[-1]["id"]
            statements: list[Executable] = []
            for row in found:
                try:
                    with rows.readable(row):
                        statements += anew(row)
                except VaultError as exc:
                    unread += 1
                    _log.error("Not sealed anew: %s", exc.message)
            await self._run_all(statements)

    async def _run_all(self, statements: list[Executable]) -> None:
        def run(connection: Connection) -> None:
            for statement in statements:
                self._statements.execute(connection, statement)

        if not statements:
            return
        # Others may be sealing the same records; each is sealed once.
        await tried_again(lambda: self._statements.write(run))

    def _seal_account(self, row: rows.Row) -> list[Executable]:
        values = {**row, "epoch": row["version"], "tokens_version": None}
        changed: dict[str, Any] = {"epoch": row["version"]}
        if row["sealed_tokens"] is not None:
            values["tokens_version"] = changed["tokens_version"] = row["version"]
            bound = [row["connection_name"], row["identifier"]]
            plain = self._ring.open(row["sealed_tokens"], kind="tokens", owner=row["id"], context=bound)
            changed["sealed_tokens"] = self._ring.seal(plain, **rows.tokens_seal(values))
            changed["key_id"] = self._ring.sealing_key_id
        changed |= seals.seal_account(self._ring, values)
        statement = update(connected_accounts).where(
            _account.id == row["id"], _account.version == row["version"], _account.sealed_state.is_(None)
        )
        return [statement.values(changed), self._version(row)]

    def _seal_attempt(self, row: rows.Row) -> list[Executable]:
        context = [row["account_id"], row["connection_name"], row["identifier"]]
        plain = self._ring.open(row["sealed_secrets"], kind="attempt", owner=row["id"], context=context)
        json.loads(plain)
        sealed = self._ring.seal(plain, **rows.attempt_seal(row))
        statement = update(attempts).where(_attempt.id == row["id"], _attempt.version == row["version"])
        return [
            statement.values(sealed_secrets=sealed, key_id=self._ring.sealing_key_id),
            self._version(row),
        ]

    def _version(self, row: rows.Row) -> Executable:
        values = seals.version_values(self._ring, row["id"], row["version"])
        return self._statements.insert(record_versions).values(values).on_conflict_do_nothing()

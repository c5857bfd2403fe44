"""Keys of the vault: proving that the ring at hand is the right one, and sealing all records under its first key."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Executable, exists, func, or_, select, update

from scalekit_mcp.accounts.vault import rows
from scalekit_mcp.accounts.vault.changes import ResealStep
from scalekit_mcp.accounts.vault.database.database import translated
from scalekit_mcp.accounts.vault.database.statements import VERSION_COLUMNS, Statements
from scalekit_mcp.accounts.vault.old_records import OLD_KEY_CHECK, OldRecords
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

_account = connected_accounts.c
_attempt = attempts.c


class VaultKeys:
    """Checks the keys of a vault and seals its records again under a new key."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._ring = statements.ring
        self._old_records = OldRecords(statements)

    async def check(self) -> None:
        """See `Vault`. What is written is what stood there: a write that fails is what is looked for."""
        key_id = self._ring.sealing_key_id
        statement = update(vault_keys).where(vault_keys.c.key_id == key_id).values(key_id=key_id)
        await self._statements.write(
            lambda connection: self._statements.execute(connection, statement), one_statement=True
        )
        with translated():
            await self.check_keys()

    async def check_keys(self) -> None:
        """Raise `VaultError` if records were sealed with keys that are not at hand; remember the first key."""
        known = {row["key_id"]: row["sealed_check"] for row in await self._statements.all(select(vault_keys))}
        old = False
        for key_id, check in known.items():
            if self._ring.key(key_id) is None:
                needed = or_(_account.key_id == key_id, _account.state_key_id == key_id)
                used = await self._statements.first(select(exists().where(needed).label("used")))
                if used is not None and used["used"]:
                    raise VaultError(
                        f"The vault holds tokens sealed with the key '{key_id}', which is not among the keys given "
                        f"({', '.join(self._ring.key_ids)}). Nothing was overwritten.",
                        next_step="The operator adds the missing key to the vault keys and starts again.",
                    )
            else:
                old = self._open_check(key_id, check) == OLD_KEY_CHECK or old
        if self._ring.sealing_key_id not in known:
            key_id = self._ring.sealing_key_id
            insert = (
                self._statements.insert(vault_keys)
                .values(key_id=key_id, sealed_check=self._old_records.key_check(key_id))
                .on_conflict_do_nothing()
            )
            await self._statements.write(
                lambda connection: self._statements.execute(connection, insert), one_statement=True
            )
            row = await self._statements.first(select(vault_keys).where(vault_keys.c.key_id == key_id))
            if row is not None:
                self._open_check(key_id, row["sealed_check"])
        if old:
            await self._old_records.seal_old_records()

    def _open_check(self, key_id: str, check: bytes) -> bytes:
        try:
            return self._ring.open(check, kind="key check", owner=key_id, context=[key_id])
        except VaultError as exc:
            raise VaultError(
                f"The vault key '{key_id}' is not the one that this vault was sealed with. Nothing was overwritten.",
                next_step="The operator restores the right vault key and starts again.",
            ) from exc

    async def reseal(self, after: str | None, limit: int) -> ResealStep:
        """See `Vault`."""
        current = self._ring.sealing_key_id
        table, key = ("accounts", after) if after is None else cast("tuple[str, str]", tuple(after.split(":", 1)))
        if table == "accounts":
            statement = select(*connected_accounts.c, *VERSION_COLUMNS).select_from(
                connected_accounts.outerjoin(record_versions, record_versions.c.record_id == _account.id)
            )
            statement = statement.where(_under_another_key(current))
            found = await self._statements.all(_page(statement, _account.id, key, limit))
            resealed, unreadable = await self._reseal(found, self._resealed_account)
            following = f"accounts:{found[-1]['id']}" if len(found) == limit else "attempts:"
        else:
            statement = select(*attempts.c, *VERSION_COLUMNS).select_from(
                attempts.outerjoin(record_versions, record_versions.c.record_id == _attempt.id)
            )
            statement = statement.where(_attempt.key_id != current)
            found = await self._statements.all(_page(statement, _attempt.id, key, limit))
            resealed, unreadable = await self._reseal(found, self._resealed_attempt)
            following = f"attempts:{found[-1]['id']}" if len(found) == limit else None
            if following is None:
                await self._reseal_tenants()
        return ResealStep(resealed, unreadable, await self._to_reseal(current), following)

    async def _reseal(
        self, found: Sequence[rows.Row], resealed: Callable[[rows.Row], list[Executable]]
    ) -> tuple[int, int]:
        unreadable = 0
        records: list[list[Executable]] = []
        for row in found:
            try:
                with rows.readable(row):
                    records.append(resealed(row))
            except VaultError as exc:
                unreadable += 1
                _log.error("Not sealed anew: %s", exc.message)
        if not records:
            return 0, unreadable

        def write(connection: Connection) -> int:
            # A record that changed meanwhile was sealed anew with that change.
            return sum(all(self._statements.execute(connection, each) == 1 for each in record) for record in records)

        return await self._statements.write(write), unreadable

    def _resealed_account(self, row: rows.Row) -> list[Executable]:
        seals.check_account(self._ring, row)
        changed = seals.seal_account(self._ring, row)
        if row["sealed_tokens"] is not None:
            seal = rows.tokens_seal(row)
            changed["sealed_tokens"] = self._ring.seal(self._ring.open(row["sealed_tokens"], **seal), **seal)
            changed["key_id"] = self._ring.sealing_key_id
        statement = update(connected_accounts).where(_account.id == row["id"], _account.version == row["version"])
        return [statement.values(changed), self._resealed_version(row)]

    def _resealed_attempt(self, row: rows.Row) -> list[Executable]:
        rows.attempt_from_row(row, self._ring)
        seal = rows.attempt_seal(row)
        sealed = self._ring.seal(self._ring.open(row["sealed_secrets"], **seal), **seal)
        statement = update(attempts).where(_attempt.id == row["id"], _attempt.version == row["version"])
        return [
            statement.values(sealed_secrets=sealed, key_id=self._ring.sealing_key_id),
            self._resealed_version(row),
        ]

    def _resealed_version(self, row: rows.Row) -> Executable:
        values = seals.version_values(self._ring, row["id"], row["least_version"])
        statement = update(record_versions).where(
            record_versions.c.record_id == row["id"], record_versions.c.version == row["least_version"]
        )
        return statement.values(sealed=values["sealed"])

    async def _reseal_tenants(self) -> None:
        for row in await self._statements.all(select(tenant_marks)):
            if seals.is_tenant_whole(self._ring, row, row["sealed"]):
                where = [tenant_marks.c[name] == row[name] for name in seals.TENANT_COLUMNS]
                anew = update(tenant_marks).where(*where).values(sealed=seals.seal_tenant(self._ring, row))
                await self._statements.write(partial(self._statements.execute, statement=anew), one_statement=True)

    async def _to_reseal(self, current: str) -> int:
        accounts_left = select(func.count()).where(_under_another_key(current))
        attempts_left = select(func.count()).where(_attempt.key_id != current)
        row = await self._statements.first(
            select((accounts_left.scalar_subquery() + attempts_left.scalar_subquery()).label("n"))
        )
        return 0 if row is None else int(row["n"])


def _under_another_key(current: str) -> ColumnElement[bool]:
    return or_(_account.key_id != current, _account.state_key_id != current)  # NULL: nothing is sealed, so neither


def _page(statement: Any, column: Any, after: str | None, limit: int) -> Any:
    if after:
        statement = statement.where(column > after)
    return statement.order_by(column).limit(limit)

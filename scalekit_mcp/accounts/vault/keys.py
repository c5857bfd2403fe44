"""Keys of the vault: proving that the ring at hand is the right one, and sealing all records under its first key."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Executable, Table, exists, func, or_, select, update

from scalekit_mcp.accounts.vault import rows
from scalekit_mcp.accounts.vault.changes import ResealStep
from scalekit_mcp.accounts.vault.database.database import translated
from scalekit_mcp.accounts.vault.database.statements import VERSION_COLUMNS, Statements
from scalekit_mcp.accounts.vault.grants import grant_rows
from scalekit_mcp.accounts.vault.old_records import OLD_KEY_CHECK, OldRecords
from scalekit_mcp.accounts.vault.sealing import seals
from scalekit_mcp.accounts.vault.tables import (
    attempts,
    connected_accounts,
    grants,
    record_versions,
    refresh_tokens,
    sign_ins,
    tenant_marks,
    vault_keys,
)
from scalekit_mcp.errors import VaultError

_log = logging.getLogger(__name__)

_account = connected_accounts.c
_attempt = attempts.c


@dataclass(frozen=True, slots=True)
class _Walk:
    """One table of a rotation: `resealed` gives the statements that seal a row of it anew."""

    table: Table
    resealed: Callable[[rows.Row], list[Executable]]
    versioned: bool = True


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
                needed = exists().where(or_(_account.key_id == key_id, _account.state_key_id == key_id))
                needed = or_(needed, exists().where(grants.c.key_id == key_id))
                used = await self._statements.first(select(needed.label("used")))
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
        name, key = ("accounts", "") if after is None else cast("tuple[str, str]", tuple(after.split(":", 1)))
        walks = self._walks()
        walk = walks[name]
        statement = select(*walk.table.c)
        if walk.versioned:
            joined = walk.table.outerjoin(record_versions, record_versions.c.record_id == walk.table.c.id)
            statement = select(*walk.table.c, *VERSION_COLUMNS).select_from(joined)
        statement = statement.where(_under_another_key(walk.table, current))
        found = await self._statements.all(_page(statement, walk.table.c.id, key, limit))
        resealed, unreadable = await self._reseal(found, walk.resealed)
        names = [*walks, None]
        following = name if len(found) == limit else names[names.index(name) + 1]
        if following is None:
            await self._reseal_tenants()
        elif following == name:
            following = f"{name}:{found[-1]['id']}"
        else:
            following = f"{following}:"
        return ResealStep(resealed, unreadable, await self._to_reseal(current), following)

    def _walks(self) -> dict[str, _Walk]:
        """The tables that are sealed row by row, in the order in which they are walked through."""
        return {
            "accounts": _Walk(connected_accounts, self._resealed_account),
            "attempts": _Walk(attempts, self._resealed_attempt),
            "sign_ins": _Walk(sign_ins, self._resealed_sign_in),
            "grants": _Walk(grants, self._resealed_grant),
            "refresh_tokens": _Walk(refresh_tokens, self._resealed_refresh_token, versioned=False),
        }

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

    def _resealed_sign_in(self, row: rows.Row) -> list[Executable]:
        grant_rows.sign_in_from_row(row, self._ring)
        seal = grant_rows.sign_in_seal(row)
        sealed = self._ring.seal(self._ring.open(row["sealed_secrets"], **seal), **seal)
        statement = update(sign_ins).where(sign_ins.c.id == row["id"], sign_ins.c.version == row["version"])
        return [
            statement.values(sealed_secrets=sealed, key_id=self._ring.sealing_key_id),
            self._resealed_version(row),
        ]

    def _resealed_grant(self, row: rows.Row) -> list[Executable]:
        grant_rows.grant_from_row(row, self._ring)
        statement = update(grants).where(grants.c.id == row["id"], grants.c.sealed == row["sealed"])
        return [statement.values(grant_rows.seal_grant(self._ring, row)), self._resealed_version(row)]

    def _resealed_refresh_token(self, row: rows.Row) -> list[Executable]:
        grant_rows.token_from_row(row, self._ring)
        statement = update(refresh_tokens).where(
            refresh_tokens.c.id == row["id"], refresh_tokens.c.sealed == row["sealed"]
        )
        return [statement.values(grant_rows.seal_token(self._ring, row))]

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
        left = [
            select(func.count()).where(_under_another_key(walk.table, current)).scalar_subquery()
            for walk in self._walks().values()
        ]
        row = await self._statements.first(select(sum(left[1:], left[0]).label("n")))
        return 0 if row is None else int(row["n"])


def _under_another_key(table: Table, current: str) -> ColumnElement[bool]:
    other = table.c.key_id != current  # NULL: nothing is sealed, so neither
    return or_(other, _account.state_key_id != current) if table is connected_accounts else other


def _page(statement: Any, column: Any, after: str | None, limit: int) -> Any:
    if after:
        statement = statement.where(column > after)
    return statement.order_by(column).limit(limit)

"""Keys of the vault: proving that the ring at hand is the right one, and sealing all records under its first key."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, cast

from sqlalchemy import Executable, exists, func, select, update

from scalekit_mcp.accounts import rows
from scalekit_mcp.accounts.database import translated
from scalekit_mcp.accounts.schema import attempts, connected_accounts, vault_keys
from scalekit_mcp.accounts.statements import Statements
from scalekit_mcp.accounts.vault import ResealStep
from scalekit_mcp.errors import VaultError

_log = logging.getLogger(__name__)

_KEY_CHECK = b"scalekit-mcp"

_account = connected_accounts.c
_attempt = attempts.c


class KeyStore(Statements):
    """What a vault does about its keys."""

    async def check(self) -> None:
        """See `Vault`. What is written is what stood there: a write that fails is what is looked for."""
        key_id = self._ring.sealing_key_id
        statement = update(vault_keys).where(vault_keys.c.key_id == key_id).values(key_id=key_id)
        await self._write(lambda connection: self._execute(connection, statement), one_statement=True)
        with translated():
            await self.check_keys()

    async def check_keys(self) -> None:
        """Raise `VaultError` if records were sealed with keys that are not at hand; remember the first key."""
        known = {row["key_id"]: row["sealed_check"] for row in await self._all(select(vault_keys))}
        for key_id, check in known.items():
            if self._ring.key(key_id) is None:
                used = await self._first(select(exists().where(_account.key_id == key_id).label("used")))
                if used is not None and used["used"]:
                    raise VaultError(
                        f"The vault holds tokens sealed with the key '{key_id}', which is not among the keys given "
                        f"({', '.join(self._ring.key_ids)}). Nothing was overwritten.",
                        next_step="The operator adds the missing key to the vault keys and starts again.",
                    )
            else:
                self._open_check(key_id, check)
        if self._ring.sealing_key_id not in known:
            key_id = self._ring.sealing_key_id
            check = self._ring.seal(_KEY_CHECK, kind="key check", owner=key_id, context=[key_id])
            insert = self._insert(vault_keys).values(key_id=key_id, sealed_check=check).on_conflict_do_nothing()
            await self._write(lambda connection: self._execute(connection, insert), one_statement=True)
            row = await self._first(select(vault_keys).where(vault_keys.c.key_id == key_id))
            if row is not None:
                self._open_check(key_id, row["sealed_check"])

    def _open_check(self, key_id: str, check: bytes) -> None:
        try:
            self._ring.open(check, kind="key check", owner=key_id, context=[key_id])
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
            statement = select(
                _account.id, _account.connection_name, _account.identifier, _account.version, _account.sealed_tokens
            ).where(_account.key_id.is_not(None), _account.key_id != current)
            found = await self._all(_page(statement, _account.id, key, limit))
            resealed, unreadable = await self._reseal(found, self._resealed_account)
            following = f"accounts:{found[-1]['id']}" if len(found) == limit else "attempts:"
        else:
            statement = select(attempts).where(_attempt.key_id != current)
            found = await self._all(_page(statement, _attempt.id, key, limit))
            resealed, unreadable = await self._reseal(found, self._resealed_attempt)
            following = f"attempts:{found[-1]['id']}" if len(found) == limit else None
        return ResealStep(resealed, unreadable, await self._to_reseal(current), following)

    async def _reseal(self, found: Sequence[rows.Row], resealed: Callable[[rows.Row], Executable]) -> tuple[int, int]:
        unreadable = 0
        statements: list[Executable] = []
        for row in found:
            try:
                statements.append(resealed(row))
            except VaultError as exc:
                unreadable += 1
                _log.error("Not sealed anew: %s", exc.message)
        if not statements:
            return 0, unreadable
        done = await self._write(lambda connection: sum(self._execute(connection, each) for each in statements))
        return done, unreadable

    def _resealed_account(self, row: rows.Row) -> Executable:
        seal: dict[str, Any] = {
            "kind": "tokens",
            "owner": row["id"],
            "context": [row["connection_name"], row["identifier"]],
        }
        sealed = self._ring.seal(self._ring.open(row["sealed_tokens"], **seal), **seal)
        statement = update(connected_accounts).where(_account.id == row["id"], _account.version == row["version"])
        return statement.values(sealed_tokens=sealed, key_id=self._ring.sealing_key_id)

    def _resealed_attempt(self, row: rows.Row) -> Executable:
        statement = update(attempts).where(_attempt.id == row["id"], _attempt.version == row["version"])
        sealed = rows.reseal_attempt(row, self._ring)
        return statement.values(sealed_secrets=sealed, key_id=self._ring.sealing_key_id)

    async def _to_reseal(self, current: str) -> int:
        accounts_left = select(func.count()).where(_account.key_id.is_not(None), _account.key_id != current)
        attempts_left = select(func.count()).where(_attempt.key_id != current)
        row = await self._first(select((accounts_left.scalar_subquery() + attempts_left.scalar_subquery()).label("n")))
        return 0 if row is None else int(row["n"])


def _page(statement: Any, column: Any, after: str | None, limit: int) -> Any:
    if after:
        statement = statement.where(column > after)
    return statement.order_by(column).limit(limit)

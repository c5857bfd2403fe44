"""Running statements of the vault: one connection for a read, one transaction for a write, errors in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Executable
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from scalekit_mcp.accounts.vault import rows
from scalekit_mcp.accounts.vault.database import Database, T, in_words, translated
from scalekit_mcp.accounts.vault.sealing import KeyRing
from scalekit_mcp.errors import VaultError


class NoLongerHolds(Exception):
    """A change of a commit was decided on something that is no longer so."""


class Statements:
    """An opened database and the ring that its records are sealed with."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._database = database
        self._ring = ring
        self._insert: Callable[..., Any] = postgresql.insert if database.is_postgresql else sqlite.insert

    async def _first(self, statement: Any, values: Mapping[str, Any] | None = None) -> rows.Row | None:
        def first(connection: Connection) -> rows.Row | None:
            return cast("rows.Row | None", connection.execute(statement, values).mappings().first())

        with translated():
            return await self._database.read(first)

    async def _all(self, statement: Any) -> Sequence[rows.Row]:
        def every(connection: Connection) -> Sequence[rows.Row]:
            return cast("Sequence[rows.Row]", connection.execute(statement).mappings().all())

        with translated():
            return await self._database.read(every)

    async def _write(self, work: Callable[[Connection], T], *, one_statement: bool = False) -> T:
        """Run `work` in one transaction; raises `NoLongerHolds` where it meets what another one wrote."""
        with translated():
            try:
                return await self._database.write(work, one_statement=one_statement)
            except IntegrityError as exc:
                if "CHECK" in str(exc.orig).upper():
                    raise VaultError("The vault refused a status that does not exist. Nothing was written.") from exc
                raise NoLongerHolds from in_words(exc)

    @staticmethod
    def _execute(connection: Connection, statement: Executable) -> int:
        return cast("CursorResult[Any]", connection.execute(statement)).rowcount

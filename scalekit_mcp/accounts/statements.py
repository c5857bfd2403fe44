"""Running statements of the vault: one connection for a read, one transaction for a write, errors in words."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from sqlalchemy import CursorResult, Executable
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from scalekit_mcp.accounts import rows
from scalekit_mcp.accounts.database import Database, in_words, translated
from scalekit_mcp.accounts.sealing import KeyRing
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
        with translated():
            async with self._database.reading() as connection:
                return cast("rows.Row | None", (await connection.execute(statement, values)).mappings().first())

    async def _all(self, statement: Any) -> Sequence[rows.Row]:
        with translated():
            async with self._database.reading() as connection:
                return cast("Sequence[rows.Row]", (await connection.execute(statement)).mappings().all())

    @asynccontextmanager
    async def _writing(self, *, one_statement: bool = False) -> AsyncGenerator[AsyncConnection]:
        begin = self._database.changing if one_statement else self._database.writing
        with translated():
            try:
                async with begin() as connection:
                    yield connection
            except IntegrityError as exc:
                if "CHECK" in str(exc.orig).upper():
                    raise VaultError("The vault refused a status that does not exist. Nothing was written.") from exc
                raise NoLongerHolds from in_words(exc)

    @staticmethod
    async def _execute(connection: AsyncConnection, statement: Executable) -> int:
        return cast("CursorResult[Any]", await connection.execute(statement)).rowcount

"""Running statements of the vault: a connection for a read, a transaction for a write, errors as `VaultError`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Executable, type_coerce
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import NullType

from scalekit_mcp.accounts.vault import rows
from scalekit_mcp.accounts.vault.database.database import Database, T
from scalekit_mcp.accounts.vault.database.failures import breaks_a_check, failure_of, translated
from scalekit_mcp.accounts.vault.sealing import seals
from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.tables import record_versions
from scalekit_mcp.errors import VaultError


class StaleChangeError(Exception):
    """A record was changed by somebody else since it was read, so the commit was not written."""


VERSION_COLUMNS = (
    record_versions.c.version.label("least_version"),
    # As the driver has it: one damaged value must not stop the reading of all rows.
    type_coerce(record_versions.c.sealed, NullType()).label("sealed_version"),
)


class Statements:
    """Runs statements on an opened database; holds the key ring that its records are sealed with."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self.database = database
        self.ring = ring
        self.insert = insert_for(database)

    async def first(self, statement: Any, values: Mapping[str, Any] | None = None) -> rows.Row | None:
        """The first row, or None."""

        def first(connection: Connection) -> rows.Row | None:
            return cast("rows.Row | None", connection.execute(statement, values).mappings().first())

        with translated():
            return await self.database.read(first)

    async def all(self, statement: Any) -> Sequence[rows.Row]:
        """Every row."""

        def every(connection: Connection) -> Sequence[rows.Row]:
            return cast("Sequence[rows.Row]", connection.execute(statement).mappings().all())

        with translated():
            return await self.database.read(every)

    async def write(self, work: Callable[[Connection], T], *, one_statement: bool = False) -> T:
        """Run `work` in one transaction; raises `StaleChangeError` where it meets what another one wrote."""
        with translated():
            try:
                return await self.database.write(work, one_statement=one_statement)
            except IntegrityError as exc:
                if breaks_a_check(exc):
                    raise VaultError("The vault refused a status that does not exist. Nothing was written.") from exc
                raise StaleChangeError from failure_of(exc)

    @staticmethod
    def execute(connection: Connection, statement: Executable) -> int:
        """How many rows a statement changed, in the transaction of `connection`."""
        return cast("CursorResult[Any]", connection.execute(statement)).rowcount

    def write_version(self, connection: Connection, record_id: str, version: int) -> None:
        """Write the version that the row of an account or attempt must have."""
        values = seals.version_values(self.ring, record_id, version)
        upsert = self.insert(record_versions).values(values)
        changed = {"version": values["version"], "sealed": values["sealed"]}
        self.execute(connection, upsert.on_conflict_do_update(index_elements=["record_id"], set_=changed))


def insert_for(database: Database) -> Callable[..., Any]:
    """The `insert` of the database's own dialect. The other dialect stays unloaded: PostgreSQL's takes 2 MB."""
    if database.is_postgresql:
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert
    return insert

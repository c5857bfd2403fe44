"""A database for several processes: SQLite in a file, and a real PostgreSQL where there is one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support import postgres


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A server of this test process."""
    try:
        with postgres.postgresql_server() as url:
            yield url
    except postgres.NoPostgreSQL as exc:
        pytest.skip(str(exc))


@pytest.fixture(params=["file", pytest.param("postgresql", marks=pytest.mark.full)])
async def shared_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A new, empty database that several processes can open."""
    if request.param == "file":
        yield f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}"
    else:
        async with postgres.new_database(request.getfixturevalue("postgresql_server")) as url:
            yield url

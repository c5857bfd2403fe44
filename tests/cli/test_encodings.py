"""Pipes, files and secrets in the encodings that people's machines write: nothing falls over, nothing is lost."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import anyio
import pytest

from scalekit_mcp.actions import open_actions
from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.settings import load_settings
from tests.cli.test_wrong_starts import APP, started
from tests.support.processes import command, environment

PIPES = ["cp1252", "ascii", "latin-1", "cp437", "utf-8"]
IDENTIFIER = "Łukasz → 😀 “é”…"


def piped(encoding: str, *line: str, home: Path, **values: str) -> subprocess.CompletedProcess[bytes]:
    """The command, whose output goes to a pipe of an encoding."""
    given = environment(home, PYTHONIOENCODING=encoding, PYTHONUTF8="0", COLUMNS="400", **APP, **values)
    return subprocess.run(
        command(*line), env=given, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose vault knows a person with letters of many scripts."""
    folder = tmp_path_factory.mktemp("home")
    assert started("accounts", "list", home=folder, **APP).returncode == 0
    (vault,), (keys,) = folder.rglob("vault.sqlite3"), folder.rglob("vault.keys")
    settings = load_settings(
        **APP,
        mode="embedded",
        database_url=f"sqlite+aiosqlite:///{vault.as_posix()}",
        vault_keys=keys.read_text("ascii"),
    )

    async def create() -> None:
        async with open_actions(settings) as actions:
            await actions.get_or_create_connected_account(identifier=IDENTIFIER)

    anyio.run(create)
    return folder


@pytest.mark.parametrize("encoding", PIPES)
@pytest.mark.parametrize(
    "line",
    [
        ("accounts", "list"),
        ("accounts", "show", IDENTIFIER),
        ("accounts", "disconnect", IDENTIFIER),
        ("audit",),
        ("audit", "--identifier", IDENTIFIER),
        ("azure-app", "--name", IDENTIFIER),
        ("tools",),
        ("--help",),
    ],
    ids=lambda line: " ".join(line[:2]),
)
def test_what_people_read_is_printed_on_every_pipe(encoding: str, line: tuple[str, ...], home: Path) -> None:
    ended = piped(encoding, *line, home=home)
    assert ended.returncode == 0, ended.stderr
    assert b"Traceback" not in ended.stderr
    if encoding == "utf-8" and IDENTIFIER in line and line[0] != "audit":
        assert IDENTIFIER in ended.stdout.decode()


@pytest.mark.parametrize("encoding", PIPES)
def test_what_programs_read_comes_back_as_it_was(encoding: str, home: Path) -> None:
    (account,) = json.loads(piped(encoding, "accounts", "list", "--json", home=home).stdout.decode(encoding))
    shown = json.loads(piped(encoding, "accounts", "show", IDENTIFIER, "--json", home=home).stdout.decode(encoding))
    assert account["identifier"] == shown["identifier"] == IDENTIFIER
    assert json.loads(piped(encoding, "tools", "--json", home=home).stdout.decode(encoding))
    for entry in piped(encoding, "audit", "--json", home=home).stdout.decode(encoding).splitlines():
        assert json.loads(entry)["identifier"] == IDENTIFIER


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp437"])
def test_a_refusal_is_printed_on_every_pipe(encoding: str, home: Path) -> None:
    ended = piped(encoding, "accounts", "show", "nobody → 😀", home=home)
    assert ended.returncode == 1
    assert b"There is no connected account for 'nobody -> " in ended.stderr
    assert b"Traceback" not in ended.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_the_demo_runs_on_every_pipe(encoding: str, tmp_path: Path) -> None:
    ended = piped(encoding, "demo", home=tmp_path)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    assert b"steps held." in ended.stdout


# -- files

FILES = {
    "UTF-8": ("utf-8", b""),
    "UTF-8 with a mark": ("utf-8", b"\xef\xbb\xbf"),
    "UTF-16 LE": ("utf-16-le", b"\xff\xfe"),
    "UTF-16 BE": ("utf-16-be", b"\xfe\xff"),
    "UTF-16 LE without a mark": ("utf-16-le", b""),
    "UTF-16 BE without a mark": ("utf-16-be", b""),
    "UTF-32 LE": ("utf-32-le", b"\xff\xfe\x00\x00"),
    "cp1252": ("cp1252", b""),
}


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("kind", FILES)
def test_an_env_file_is_read_in_the_encoding_that_it_has(
    kind: str, line_end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SCALEKIT_MCP_IDENTIFIER", "SCALEKIT_MCP_SANDBOX", "SCALEKIT_MCP_PORT"):
        monkeypatch.delenv(name, raising=False)
    encoding, mark = FILES[kind]
    lines = ["SCALEKIT_MCP_SANDBOX=true", "# naïve", "SCALEKIT_MCP_IDENTIFIER=zoë@café", "SCALEKIT_MCP_PORT='8755'", ""]
    (tmp_path / "env").write_bytes(mark + line_end.join(lines).encode(encoding))
    settings = load_settings(env_file=tmp_path / "env")
    assert (settings.sandbox, settings.identifier, settings.port) == (True, "zoë@café", 8755)


NO_TEXT = [b"\xff\xfeA", b"A=\x00\x01\x02", b"SCALEKIT_MCP_IDENTIFIER=\x81", bytes(1_000_001)]


@pytest.mark.parametrize("content", NO_TEXT)
def test_an_env_file_that_is_no_text_is_refused_by_its_name(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "env").write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        load_settings(env_file=tmp_path / "env")
    assert refused.value.problems[0].startswith(f"--env-file names a file that cannot be used: {tmp_path / 'env'} is ")


def test_an_env_file_that_is_a_folder_or_missing_is_refused_by_its_name(tmp_path: Path) -> None:
    for path, said in ((tmp_path, "is a folder"), (tmp_path / "nowhere", "does not exist")):
        with pytest.raises(ConfigurationError, match=said):
            load_settings(env_file=path)


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind != "cp1252"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_file_is_read_in_the_encoding_that_it_has(
    kind: str, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoding, mark = FILES[kind]
    monkeypatch.delenv("MICROSOFT_CLIENT_SECRET", raising=False)
    monkeypatch.setenv("MICROSOFT_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    (tmp_path / "secret").write_bytes(mark + f"s3cret~é{end}".encode(encoding))
    secret = load_settings(sandbox=True).microsoft_client_secret
    assert secret is not None
    assert secret.get_secret_value() == "s3cret~é"

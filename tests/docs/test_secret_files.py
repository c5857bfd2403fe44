"""The commands of the page about secret files make files that the server reads, and that nobody else can open."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from docs_support import ROOT, blocks
from newcomer import EXPORT, LEFT_OUT, commands

from scalekit_mcp.accounts import KeyRing
from scalekit_mcp.microsoft import credentials_of
from scalekit_mcp.notifications.webhook import parse_secret
from scalekit_mcp.server.callers.session_tokens import parse_keys
from scalekit_mcp.settings import load_settings

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="the commands are those of a POSIX shell"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl"),
]

PAGE = ROOT / "docs" / "secret-files.md"
LINES = [line for block in blocks(PAGE) if block.language == "sh" for line in commands(block.text, prompt=False)]
MAKING = [
    line for line in LINES if line not in LEFT_OUT and not line.startswith("scalekit-mcp") and not EXPORT.match(line)
]


def run(line: str, home: Path) -> subprocess.CompletedProcess[str]:
    """One line, by a shell whose new files everybody could read."""
    return subprocess.run(
        ["/bin/sh", "-c", f"umask 022; {line}"],
        env={**os.environ, "HOME": str(home)},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The folder of secrets, as the page makes it."""
    for line in MAKING:
        done = run(line, tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    return tmp_path / "scalekit-mcp-secrets"


def test_the_folder_and_its_files_are_open_to_their_owner_alone(made: Path):
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made.iterdir()}
    assert modes == dict.fromkeys(
        ("vault-keys", "session-keys", "service-key", "webhook-secret", "client.pem", "client.cer"), 0o600
    )


def test_the_server_reads_every_file(made: Path, monkeypatch: pytest.MonkeyPatch):
    for line in LINES:
        if (found := EXPORT.match(line)) and found[1].startswith("SCALEKIT_MCP_"):
            monkeypatch.setenv(found[1], found[2].replace("~", str(made.parent), 1))
    monkeypatch.setenv("MICROSOFT_CLIENT_CERTIFICATE", str(made / "client.pem"))
    settings = load_settings()
    secrets = {
        name: value.get_secret_value()
        for name in ("vault_keys", "session_keys", "service_key", "webhook_secret")
        if (value := getattr(settings, name))
    }
    assert KeyRing.from_text(secrets["vault_keys"]).key_ids == ("k1",)
    assert [len(key) for key in parse_keys(secrets["session_keys"]).values()] == [32]
    assert len(bytes.fromhex(secrets["service_key"])) == 32
    assert len(parse_secret(secrets["webhook_secret"])) == 32
    assert type(credentials_of(settings)).__name__ == "ClientCertificate"


def test_a_second_run_writes_over_no_key(made: Path):
    kept = {path.name: path.read_text() for path in made.iterdir() if path.suffix == "" or path.name.endswith("keys")}
    for line in MAKING:
        if "set -C" in line:
            assert run(line, made.parent).returncode != 0, line
    assert {name: (made / name).read_text() for name in kept} == kept


def test_a_table_names_every_file_that_is_made_with_its_setting():
    text = PAGE.read_text("utf-8")
    for name in ("vault-keys", "session-keys", "service-key", "webhook-secret", "client-secret"):
        setting = f"{'MICROSOFT' if name == 'client-secret' else 'SCALEKIT_MCP'}_{name.upper().replace('-', '_')}_FILE"
        assert f"| `{name}` | `{setting}` |" in text

"""A start that cannot work ends with a sentence and exit status 2, not with a traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

APP = {"MICROSOFT_CLIENT_ID": "00000000-0000-0000-0000-000000000001"}


def started(*arguments: str, home: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """The command, which has nothing to do with the settings of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SCALEKIT_", "MICROSOFT_"))}
    folders = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA", "APPDATA"), home)
    return subprocess.run(
        [sys.executable, "-m", "scalekit_mcp", *arguments],
        env={**kept, **folders, **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "command", [("serve", "--transport", "http", "--sandbox"), ("sandbox",)], ids=["server", "sandbox"]
)
def test_a_port_that_is_taken_is_named_with_what_to_do(command, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = started(*command, "--port", str(port), home=str(tmp_path))
    assert ended.returncode == 2
    assert f"127.0.0.1, port {port}: another process has the port" in ended.stderr
    assert "choose another --port" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Serving" not in ended.stderr


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("SCALEKIT_MCP_VAULT_KEYS", "planted", "Vault key number 1 is not 'name:base64'."),
        ("MICROSOFT_CLIENT_CERTIFICATE", "nowhere.pem", "MICROSOFT_CLIENT_CERTIFICATE: 'nowhere.pem' cannot be read"),
    ],
)
def test_keys_that_cannot_be_used_end_the_start_and_not_the_first_call(setting, value, said, tmp_path):
    ended = started("serve", "--identifier", "ana", home=str(tmp_path), **APP, **{setting: value})
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "planted" not in ended.stderr
    assert "Traceback" not in ended.stderr

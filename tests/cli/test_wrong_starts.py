"""A start that cannot work ends with a sentence and exit status 2, not with a traceback."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import command, environment

APP: dict[str, Any] = {"MICROSOFT_CLIENT_ID": "00000000-0000-0000-0000-000000000001"}


def started(*arguments: str, home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """The command, which has nothing to do with the settings of whoever runs the tests."""
    return subprocess.run(
        command(*arguments),
        env=environment(home, **settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "line", [("serve", "--transport", "http", "--sandbox"), ("sandbox",)], ids=["server", "sandbox"]
)
def test_a_port_that_is_taken_is_named_with_what_to_do(line, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = started(*line, "--port", str(port), home=tmp_path)
    assert ended.returncode == 2
    assert f"127.0.0.1, port {port}: another process has the port" in ended.stderr
    assert "choose another --port" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Serving" not in ended.stderr


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("SCALEKIT_MCP_VAULT_KEYS", "planted", "not valid: Vault key number 1 is not 'name:base64'."),
        (
            "MICROSOFT_CLIENT_CERTIFICATE",
            "nowhere.pem",
            "is not valid: 'nowhere.pem' cannot be read",
        ),
    ],
)
def test_keys_that_cannot_be_used_end_the_start_and_not_the_first_call(setting, value, said, tmp_path):
    ended = started("serve", "--identifier", "ana", home=tmp_path, **APP, **{setting: value})
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "planted" not in ended.stderr
    assert "Traceback" not in ended.stderr

"""`.env.example` names settings only, holds no secret, and is a whole deployment once it is filled in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from deploy_support import accepted_over_http, example_secrets
from packaging_support import ROOT
from test_bundle import variables

from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.network import Network
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.settings.loading import SECRETS

EXAMPLE = ROOT / ".env.example"
TEXT = EXAMPLE.read_text("utf-8")
LINE = re.compile(r"^(# )?([A-Z][A-Z0-9_]+)=(.*)$", re.MULTILINE)
NETWORK = {"HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"}
NEEDED = ("MICROSOFT_CLIENT_ID", "SCALEKIT_MCP_VAULT_KEYS", "SCALEKIT_MCP_SESSION_KEYS")
"""Without one of these a deployment on PostgreSQL does not start."""


def filled_in(**values: str) -> str:
    """The file with these values in the lines that are not commented out."""

    def line(found: re.Match[str]) -> str:
        name = found[2]
        return found[0] if found[1] or name not in values else f"{name}={values[name]}"

    return LINE.sub(line, TEXT)


def of_the_sandbox() -> dict[str, str]:
    return {
        **example_secrets(),
        **Sandbox().environment("http://localhost:9400"),
        "SCALEKIT_MCP_PUBLIC_URL": "https://calendar.example.com",
    }


def test_each_name_is_a_setting_and_stands_once():
    names = [found[2] for found in LINE.finditer(TEXT)]
    assert set(names) - variables() - NETWORK == set()
    assert len(names) == len(set(names))
    assert {*SECRETS, *NEEDED} <= set(names)


def test_no_secret_has_a_value():
    given = {found[2]: found[3] for found in LINE.finditer(TEXT)}
    assert {name: given[name] for name in SECRETS if given[name]} == {}
    assert not {name for name, value in given.items() if name in NEEDED and value}


def test_filled_in_with_the_sandboxs_values_it_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / ".env"
    path.write_text(filled_in(**of_the_sandbox()), "utf-8")
    settings = accepted_over_http({}, monkeypatch, env_file=path)
    assert settings.base_url == "https://calendar.example.com"
    assert settings.log_format == "json"
    assert settings.microsoft_client_id == Sandbox().environment("http://localhost:9400")["MICROSOFT_CLIENT_ID"]


@pytest.mark.parametrize("name", NEEDED)
def test_with_a_needed_value_left_empty_the_start_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    path = tmp_path / ".env"
    path.write_text(filled_in(**{**of_the_sandbox(), name: ""}), "utf-8")
    with pytest.raises(ConfigurationError):
        accepted_over_http({}, monkeypatch, env_file=path)


@pytest.mark.parametrize(
    "line", [found for found in LINE.finditer(TEXT) if found[1] and found[3]], ids=lambda found: found[2]
)
def test_what_is_commented_out_may_be_used_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: re.Match[str]
):
    from scalekit_mcp.settings import load_settings

    text = f"{line[2]}={line[3]}\n"
    if line[2].endswith("_FILE") and line[2] not in NETWORK:
        (tmp_path / "secret").write_text("k1:x", "utf-8")
        text = f"{line[2]}={(tmp_path / 'secret').as_posix()}\n"
    path = tmp_path / ".env"
    path.write_text(text, "utf-8")
    monkeypatch.delenv(line[2], raising=False)
    assert isinstance(load_settings(env_file=path).network, Network)

"""Every setting that is refused is named, with where its value came from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from scalekit_mcp.actions import open_actions
from scalekit_mcp.cli import cli
from scalekit_mcp.cli.http import session_keys
from scalekit_mcp.cli.options import OPTIONS
from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.server import brand_of
from scalekit_mcp.settings import SECRETS, Settings, check_settings, load_settings, variables_of
from tests.cli.test_wrong_starts import started

TAB = "a\tb"
BAD = {
    "mode": "both",
    "sandbox": "perhaps",
    "identifier": "x" * 101,
    "connection": TAB,
    "connections": "outlook/gmail",
    "tools": "gmail/*",
    "microsoft_client_id": TAB,
    "microsoft_client_secret": TAB,
    "microsoft_client_certificate": "nowhere.pem",
    "microsoft_tenant": TAB,
    "microsoft_cloud": "moon",
    "microsoft_login_url": "http://login.example",
    "microsoft_graph_url": "https://user@graph.example",
    "microsoft_scopes": TAB,
    "scalekit_client_id": TAB,
    "scalekit_client_secret": TAB,
    "scalekit_env_url": "ftp://acme.scalekit.example",
    "hosted_calls": "both",
    "database_url": "mysql://u:planted@localhost/x",
    "vault_keys": "planted",
    "host": TAB,
    "port": "many",
    "public_url": "http://mcp.example",
    "allowed_hosts": "https://calendar.example",
    "allowed_origins": "app.example",
    "auth": "trust-me",
    "allowed_tenants": "organizations",
    "client_metadata_hosts": "https://id.example/",
    "session_keys": "k1",
    "oidc_issuer": "http://issuer.example",
    "oidc_audience": TAB,
    "oidc_identifier_claim": TAB,
    "oidc_require_scopes": "perhaps",
    "oidc_authorization_server": "http://issuer.example",
    "oidc_scopes": "calendar.read,calendar.write",
    "service_key": TAB,
    "rest_proxy": "perhaps",
    "stateless": "perhaps",
    "stop_delay_seconds": "-1",
    "user_verification": "perhaps",
    "user_verify_url": "https://app.example/#x",
    "confirm": "perhaps",
    "read_only": "perhaps",
    "toolsets": "mail",
    "timezone": "Mars/Olympus",
    "log_level": "LOUD",
    "log_format": "xml",
    "product_name": "planted" * 9,
    "product_logo": TAB,
    "product_color": "blue",
    "support_url": "mailto:nobody",
    "privacy_url": "http://app.example/privacy",
    "webhook_url": "http://hook.example",
    "webhook_secret": "whsec_planted",
    "otlp_endpoint": "collector:4318",
    "otel_service_name": TAB,
}
"""A value for each setting that it cannot have."""
GOOD = {
    "MICROSOFT_CLIENT_ID": "00000000-0000-0000-0000-000000000001",
    "SCALEKIT_MCP_IDENTIFIER": "ana",
    "SCALEKIT_MCP_WEBHOOK_URL": "https://hook.example",
    "SCALEKIT_MCP_WEBHOOK_SECRET": "whsec_" + "A" * 32,
    "SCALEKIT_MCP_DATABASE_URL": "sqlite+aiosqlite:///:memory:",
    "SCALEKIT_MCP_VAULT_KEYS": "one:" + "A" * 43 + "=",
    "SCALEKIT_MCP_SESSION_KEYS": "one:" + "A" * 43 + "=",
}


@pytest.fixture(autouse=True)
def environment_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(("SCALEKIT_", "MICROSOFT_", "OTEL_")):
            monkeypatch.delenv(name)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


async def problems_of(**options: object) -> tuple[str, ...]:
    """What a start over HTTP says."""
    with pytest.raises(ConfigurationError) as refused:
        await start(**options)
    return refused.value.problems


async def start(**options: Any) -> None:
    """What `serve --transport http` does before it listens."""
    settings = load_settings(**options)
    check_settings(settings, transport="http")
    session_keys(settings)
    brand_of(settings)
    async with open_actions(settings):
        pass


def test_a_value_that_cannot_be_is_known_for_every_setting():
    assert set(BAD) == set(Settings.model_fields)


async def test_the_values_beside_the_bad_one_are_good():
    await start()


@pytest.mark.parametrize("name", BAD)
async def test_a_value_of_the_environment_is_refused_by_its_variable(name, monkeypatch):
    for variable in variables_of(name):
        monkeypatch.setenv(variable, BAD[name])
        (problem,) = await problems_of()
        assert problem.startswith(f"{variable} (from the environment) ")
        assert "planted" not in problem
        assert problem.endswith(".")
        monkeypatch.delenv(variable)


@pytest.mark.parametrize("name", BAD)
async def test_a_value_of_an_env_file_is_refused_by_its_variable_and_the_file(name, monkeypatch, tmp_path):
    (variable, *_) = variables_of(name)
    monkeypatch.delenv(variable, raising=False)
    file = tmp_path / "settings.env"
    file.write_text(f'{variable}="{BAD[name]}"\n', "utf-8")
    (problem,) = await problems_of(env_file=file)
    assert problem.startswith(f"{variable} (from {file}) ")
    assert "planted" not in problem


@pytest.mark.parametrize("variable", SECRETS)
async def test_a_value_of_a_secret_file_is_refused_by_its_variable_and_the_file(variable, monkeypatch, tmp_path):
    name = next(name for name in BAD if variable in variables_of(name))
    monkeypatch.delenv(variable, raising=False)
    (tmp_path / "secret").write_text(BAD[name], "utf-8")
    monkeypatch.setenv(f"{variable}_FILE", str(tmp_path / "secret"))
    (problem,) = await problems_of()
    assert problem.startswith(f"{variable} (from {tmp_path / 'secret'}, which {variable}_FILE names) ")
    assert "planted" not in problem


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"\xe9", b"\0" * 2_000_000])
@pytest.mark.parametrize("variable", SECRETS)
async def test_a_secret_file_that_cannot_be_used_is_named(variable, content, monkeypatch, tmp_path):
    monkeypatch.delenv(variable, raising=False)
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    monkeypatch.setenv(f"{variable}_FILE", str(tmp_path / "secret"))
    (problem,) = await problems_of()
    assert problem.startswith(f"{variable}_FILE (from the environment) names a file that ")
    assert str(tmp_path / "secret") in problem


WITHOUT_VALUE = {"sandbox", "read_only", "rest_proxy", "stateless", "oidc_require_scopes"}
LATE = {"timezone", "microsoft_client_certificate"}
"""Refused once the log is open: by what reads the value, not by the settings."""
FLAGGED = sorted((set(OPTIONS) & set(BAD) - WITHOUT_VALUE - LATE) | {"microsoft_tenant"})


@pytest.mark.parametrize("name", FLAGGED)
def test_a_value_of_a_flag_is_refused_by_the_flag(name):
    option = OPTIONS["tenant" if name == "microsoft_tenant" else name]

    def nothing() -> None: ...

    flag = option(nothing).__click_params__[0].opts[0]
    ended = CliRunner().invoke(cli, ["serve", "--transport", "http", flag, BAD[name]])
    assert ended.exit_code == 2, ended.output
    assert f"(from {flag})" in ended.output or f"'{flag}'" in ended.output
    assert "Traceback" not in ended.output


def test_a_flag_that_is_refused_once_the_log_is_open_is_named_on_stderr(tmp_path):
    for line in (("--transport", "http"), ("--transport", "stdio")):
        ended = started("serve", "--sandbox", *line, "--timezone", BAD["timezone"], home=tmp_path)
        assert ended.returncode == 2
        assert ended.stderr.startswith(
            "scalekit-mcp: SCALEKIT_MCP_TIMEZONE (from --timezone) is not valid: it is 'Mars"
        )


def test_a_certificate_of_a_flag_that_cannot_be_read_is_named_on_stderr(tmp_path):
    line = ("--client-id", GOOD["MICROSOFT_CLIENT_ID"], "--client-certificate", BAD["microsoft_client_certificate"])
    ended = started("serve", "--identifier", "ana", *line, home=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith(
        "scalekit-mcp: MICROSOFT_CLIENT_CERTIFICATE (from --client-certificate) is not valid"
    )


async def test_settings_that_exclude_each_other_are_both_named_with_their_places(monkeypatch, tmp_path: Path):
    (tmp_path / "env").write_text("MICROSOFT_CLIENT_SECRET=s\n", "utf-8")
    monkeypatch.setenv("MICROSOFT_CLIENT_CERTIFICATE", "app.pem")
    problems = await problems_of(env_file=tmp_path / "env")
    assert problems[0] == (
        f"MICROSOFT_CLIENT_SECRET (from {tmp_path / 'env'}) and MICROSOFT_CLIENT_CERTIFICATE (from the environment) "
        "are both set: keep one."
    )


@pytest.mark.parametrize(
    "value",
    [
        "sqlite+aiosqlite://vault.db",
        "sqlite:///vault.db",
        "postgresql://localhost/x",
        "postgresql+asyncpg://u:planted@localhost:port/x",
        "postgresql+asyncpg://u:planted@[::1/x",
    ],
)
async def test_a_database_that_cannot_be_is_refused_at_the_start(value, monkeypatch):
    monkeypatch.setenv("SCALEKIT_MCP_DATABASE_URL", value)
    (problem,) = await problems_of()
    assert problem.startswith("SCALEKIT_MCP_DATABASE_URL (from the environment) ")
    assert "planted" not in problem


@pytest.mark.parametrize("value", ['calendar."read"', "calendar\\read", "lesen-für-alle", "a " * 600])
async def test_scopes_that_no_header_can_carry_are_refused_by_name(value, monkeypatch):
    monkeypatch.setenv("SCALEKIT_MCP_OIDC_SCOPES", value)
    (problem,) = await problems_of()
    assert problem.startswith("SCALEKIT_MCP_OIDC_SCOPES (from the environment) is not valid: it ")


@pytest.mark.parametrize(
    "value", ["openid", "api://1/calendar.read  api://1/calendar.write", "https://as.example/x+y!"]
)
async def test_scopes_of_any_name_that_oauth_allows_are_taken(value, monkeypatch):
    monkeypatch.setenv("SCALEKIT_MCP_OIDC_SCOPES", value)
    assert load_settings().oidc_scopes == value
    await start()


async def test_spaces_and_line_ends_around_a_value_are_not_part_of_it(monkeypatch):
    monkeypatch.setenv("MICROSOFT_CLIENT_ID", " 00000000-0000-0000-0000-000000000002\r\n")
    monkeypatch.setenv("MICROSOFT_CLIENT_SECRET", "s3cret\n")
    settings = load_settings()
    assert settings.microsoft_client_id == "00000000-0000-0000-0000-000000000002"
    assert settings.microsoft_client_secret is not None
    assert settings.microsoft_client_secret.get_secret_value() == "s3cret"

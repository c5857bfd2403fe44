"""Settings are read once, and what is wrong with them is said in one sentence each."""

from pathlib import Path
from typing import Any

import pytest

from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.settings import check_settings, load_settings

APP: dict[str, Any] = {"MICROSOFT_CLIENT_ID": "00000000-0000-0000-0000-000000000001"}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    import os

    for name in list(os.environ):
        if name.startswith(("SCALEKIT_", "MICROSOFT_")):
            monkeypatch.delenv(name)


def problems_of(**options) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as raised:
        check_settings(load_settings(**options), transport="stdio")
    return raised.value.problems


def test_without_credentials_the_start_is_refused_and_names_the_sandbox():
    (problem,) = problems_of(identifier="ana")
    assert "--sandbox" in problem
    assert "MICROSOFT_CLIENT_ID" in problem


def test_the_sandbox_needs_neither_credentials_nor_an_identifier():
    settings = load_settings(sandbox=True)
    check_settings(settings, transport="stdio")
    assert settings.resolved_mode == "embedded"


def test_stdio_without_an_identifier_is_refused():
    (problem,) = problems_of(**APP)
    assert "--identifier" in problem


def test_every_problem_gets_its_own_sentence(monkeypatch):
    monkeypatch.setenv("SCALEKIT_MCP_PORT", "many")
    monkeypatch.setenv("SCALEKIT_MCP_PUBLIC_URL", "http://mcp.example.com")
    monkeypatch.setenv("SCALEKIT_MCP_AUTH", "trust-me")
    problems = problems_of()
    assert len(problems) == 3
    assert {problem.split()[0] for problem in problems} == {
        "SCALEKIT_MCP_PORT",
        "SCALEKIT_MCP_PUBLIC_URL",
        "SCALEKIT_MCP_AUTH",
    }


def test_the_reason_why_a_value_is_refused_stands_as_it_was_written(monkeypatch):
    monkeypatch.setenv("SCALEKIT_MCP_PORT", "many")
    (problem,) = problems_of(**APP, identifier="ana")
    assert problem.startswith("SCALEKIT_MCP_PORT (from the environment) is not valid: it must be a valid integer")


def test_a_secret_may_stand_in_a_file(monkeypatch, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n", "utf-8")
    monkeypatch.setenv("MICROSOFT_CLIENT_SECRET_FILE", str(secret))
    settings = load_settings(**APP)
    assert settings.microsoft_client_secret is not None
    assert settings.microsoft_client_secret.get_secret_value() == "s3cret"


def test_a_secret_file_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("MICROSOFT_CLIENT_SECRET_FILE", str(tmp_path / "nowhere"))
    (problem,) = problems_of(**APP)
    assert problem.startswith("MICROSOFT_CLIENT_SECRET_FILE")


def test_an_env_file_may_name_the_file_of_a_secret(tmp_path):
    (tmp_path / "secret").write_text("s3cret\n", "utf-8-sig")
    (tmp_path / "env").write_text(f"MICROSOFT_CLIENT_SECRET_FILE={(tmp_path / 'secret').as_posix()}\n", "utf-8")
    secret = load_settings(env_file=tmp_path / "env", **APP).microsoft_client_secret
    assert secret is not None
    assert secret.get_secret_value() == "s3cret"


def test_a_secret_in_an_env_file_comes_before_the_name_of_a_file(tmp_path):
    (tmp_path / "secret").write_text("from the file", "utf-8")
    lines = ["MICROSOFT_CLIENT_SECRET=given", f"MICROSOFT_CLIENT_SECRET_FILE={(tmp_path / 'secret').as_posix()}"]
    (tmp_path / "env").write_text("\n".join(lines), "utf-8")
    secret = load_settings(env_file=tmp_path / "env", **APP).microsoft_client_secret
    assert secret is not None
    assert secret.get_secret_value() == "given"


def test_a_secret_file_that_is_no_text_is_named(monkeypatch, tmp_path):
    (tmp_path / "secret").write_bytes(b"\xff\xfe\x00")
    monkeypatch.setenv("MICROSOFT_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    (problem,) = problems_of(**APP)
    assert problem.startswith("MICROSOFT_CLIENT_SECRET_FILE (from the environment) names a file that cannot be used:")
    assert problem.endswith("secret is not UTF-8 text.")


def test_no_secret_shows_in_a_repr(monkeypatch):
    monkeypatch.setenv("MICROSOFT_CLIENT_SECRET", "planted-secret")
    monkeypatch.setenv("SCALEKIT_MCP_VAULT_KEYS", "k1:planted-key")
    monkeypatch.setenv("SCALEKIT_MCP_DATABASE_URL", "postgresql+asyncpg://u:planted-password@localhost/x")
    assert "planted" not in repr(load_settings(**APP))


def test_a_wrong_secret_value_is_not_echoed(monkeypatch):
    monkeypatch.setenv("SCALEKIT_MCP_DATABASE_URL", "mysql://u:planted@localhost/x")
    assert "planted" not in " ".join(problems_of(identifier="ana", **APP))


def test_no_env_file_is_read_unless_it_is_named(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("MICROSOFT_CLIENT_ID=planted\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_settings(sandbox=True).microsoft_client_id is None
    assert load_settings(sandbox=True, env_file=Path(".env")).microsoft_client_id == "planted"


def test_both_names_of_scalekits_address_are_read(monkeypatch):
    monkeypatch.setenv("SCALEKIT_ENVIRONMENT_URL", "https://acme.scalekit.dev/")
    assert load_settings().scalekit_env_url == "https://acme.scalekit.dev"
    assert load_settings().resolved_mode == "hosted"


def test_read_only_asks_for_the_reading_scope_alone():
    scopes = load_settings(read_only=True, **APP).scopes
    assert "Calendars.Read" in scopes
    assert "Calendars.ReadWrite" not in scopes


@pytest.mark.parametrize("identifier", ["", "x" * 101, "line\nbreak", "\x85"])
def test_an_identifier_with_control_characters_or_without_length_is_refused(identifier):
    with pytest.raises(ConfigurationError, match=r"SCALEKIT_MCP_IDENTIFIER|IDENTIFIER"):
        load_settings(identifier=identifier, **APP)


@pytest.mark.parametrize(
    ("cloud", "login", "graph"),
    [
        ("global", "https://login.microsoftonline.com", "https://graph.microsoft.com/v1.0"),
        ("usgov", "https://login.microsoftonline.us", "https://graph.microsoft.us/v1.0"),
        ("china", "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn/v1.0"),
    ],
)
def test_a_cloud_keeps_login_and_graph_together(monkeypatch, cloud, login, graph):
    monkeypatch.setenv("MICROSOFT_CLOUD", cloud)
    settings = load_settings(**APP)
    assert (settings.login_url, settings.graph_url) == (login, graph)


def test_nobody_is_let_in_without_a_token_on_an_address_that_others_reach(monkeypatch):
    monkeypatch.setenv("SCALEKIT_MCP_AUTH", "none")
    monkeypatch.setenv("SCALEKIT_MCP_HOST", "0.0.0.0")  # noqa: S104 - refused is what is tested
    with pytest.raises(ConfigurationError, match="others can reach"):
        check_settings(load_settings(identifier="ana", **APP), transport="http")

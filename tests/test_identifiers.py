"""One rule for identifiers, at every door: settings, Python, LangChain, REST, credentials, the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from scalekit_mcp.accounts.model.records import AccountKey
from scalekit_mcp.actions import open_actions
from scalekit_mcp.cli import cli
from scalekit_mcp.errors import ConfigurationError, InvalidInput
from scalekit_mcp.server.callers.authentication import AuthenticationError, plain_identifier
from scalekit_mcp.settings import load_settings
from tests.support.identifiers import IMPOSSIBLE, POSSIBLE

wrong = pytest.mark.parametrize("identifier", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
APP: dict[str, Any] = {"microsoft_client_id": "app", "microsoft_client_secret": "x"}


@pytest.mark.parametrize("identifier", POSSIBLE)
def test_an_identifier_is_taken_as_it_is(identifier: str) -> None:
    assert AccountKey("outlook", identifier).identifier == identifier
    assert plain_identifier(identifier) == identifier
    assert load_settings(identifier=identifier, **APP).identifier == identifier


@wrong
def test_a_key_of_no_account_cannot_be_made(identifier: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        AccountKey("outlook", identifier)
    assert refused.value.details["field"] == "identifier"
    assert refused.value.message.isascii()


@wrong
def test_a_credential_that_names_nobody_is_refused(identifier: str) -> None:
    with pytest.raises(AuthenticationError) as refused:
        plain_identifier(identifier)
    assert refused.value.status == 401


@pytest.mark.parametrize("value", [7, True, [], {"sub": "ana"}, b"ana"])
def test_an_identifier_is_text(value: object) -> None:
    with pytest.raises(AuthenticationError):
        plain_identifier(value)


@wrong
def test_a_start_with_an_impossible_identifier_is_refused_by_the_settings_name(identifier: str) -> None:
    with pytest.raises(ConfigurationError, match="SCALEKIT_MCP_IDENTIFIER"):
        load_settings(identifier=identifier, **APP)


@wrong
def test_tools_for_an_impossible_identifier_are_not_made(identifier: str) -> None:
    pytest.importorskip("langchain_core", reason="langchain-core is not installed (`make test-full` does)")
    from scalekit_mcp.langchain import get_tools

    with pytest.raises(InvalidInput):
        get_tools(identifier=identifier)


@wrong
@pytest.mark.parametrize("command", [["show"], ["disconnect"], ["delete", "--yes"]], ids=lambda words: words[0])
def test_a_command_for_an_impossible_identifier_says_so(
    command: list[str], identifier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALEKIT_MCP_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/vault.db")
    monkeypatch.setenv("SCALEKIT_MCP_VAULT_KEYS", "k1:" + "A" * 43 + "=")
    monkeypatch.setenv("MICROSOFT_CLIENT_ID", "app")
    monkeypatch.setenv("MICROSOFT_CLIENT_SECRET", "x")
    result = CliRunner().invoke(cli, ["accounts", *command, "--", identifier])
    assert result.exit_code == 1, result.output
    assert "identifier" in result.output
    assert "Traceback" not in result.output


CALLS = {
    "list_connected_accounts": {"identifier": "a\ud800"},
    "list_connected_accounts, connection": {"connection_name": "o\ud800"},
    "list_connected_accounts, account": {"account_id": "ca_\ud800"},
    "list_connected_accounts, page": {"page_token": "\ud800"},
    "get_authorization_link": {"identifier": "ana", "state": "\ud800"},
    "get_authorization_link, url": {"identifier": "ana", "user_verify_url": "https://x.example/\ud800"},
    "get_connected_account": {"connection_name": "o\ud800", "identifier": "ana"},
    "verify_connected_account_user": {"auth_request_id": "\ud800", "identifier": "ana"},
    "verify_connected_account_user, identifier": {"auth_request_id": "r", "identifier": "a\ud800"},
    "execute_tool": {"identifier": "ana", "tool_name": "t\ud800"},
}


@pytest.mark.parametrize("call", CALLS)
async def test_half_of_a_surrogate_pair_in_any_text_of_a_call_is_refused_by_name(call: str) -> None:
    async with open_actions(load_settings(sandbox=True)) as actions:
        with pytest.raises(InvalidInput) as refused:
            await getattr(actions, call.split(",")[0])(**CALLS[call])
    assert refused.value.details["field"] in {*CALLS[call], "connection_name", "tool_name"}
    refused.value.message.encode()  # it can be written and sent


@pytest.mark.skipif(sys.platform == "win32", reason="an environment of Windows is text already")
def test_bytes_of_the_environment_that_are_no_text_are_no_identifier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALEKIT_MCP_IDENTIFIER", b"ana\xff".decode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationError, match="SCALEKIT_MCP_IDENTIFIER"):
        load_settings(**APP)

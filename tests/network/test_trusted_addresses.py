"""An address that a call gives is held to the rule of the setting of that name: embedded and hosted."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from scalekit_mcp.actions import Actions, open_actions
from scalekit_mcp.errors import ConfigurationError, InvalidInput
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.settings import load_settings

WRONG = (
    "http://app.example/verify",
    "https://user:planted@app.example/verify",
    "https://@app.example/verify",
    "http://localhost@evil.example/verify",
    "http://127.0.0.1.evil.example/verify",
    "javascript:alert(1)",
    "https://app.example/verify#done",
    "https://app.example\\@evil.example",
    "https://app.example/" + "x" * 3000,
)
RIGHT = ("https://app.example/verify?tenant=a", "http://localhost:3000/verify", "http://[::1]:3000/")


@asynccontextmanager
async def actions_of(mode: str) -> AsyncGenerator[Actions]:
    """The calls of a mode, on a sandbox."""
    sandbox = Sandbox()
    async with sandbox.serve() as base_url:
        values: dict[str, Any] = {}
        values |= sandbox.environment(base_url) if mode == "embedded" else sandbox.scalekit_environment()
        settings = load_settings(
            mode=mode, database_url="sqlite+aiosqlite:///:memory:", vault_keys="one:" + "A" * 43 + "=", **values
        )
        async with open_actions(settings) as actions:
            yield actions


@pytest.mark.parametrize("mode", ["embedded", "hosted"])
async def test_a_page_that_a_call_names_is_held_to_the_rule_of_the_setting(mode: str) -> None:
    async with actions_of(mode) as actions:
        for address in WRONG:
            with pytest.raises(InvalidInput) as refused:
                await actions.get_authorization_link(identifier="ana", user_verify_url=address)
            assert refused.value.details["field"] == "user_verify_url"
            assert "planted" not in str(refused.value.to_dict())
        for address in RIGHT:
            assert (await actions.get_authorization_link(identifier="ana", user_verify_url=address)).link


@pytest.mark.parametrize(
    "name",
    [
        "MICROSOFT_LOGIN_URL",
        "MICROSOFT_GRAPH_URL",
        "SCALEKIT_ENV_URL",
        "SCALEKIT_MCP_PUBLIC_URL",
        "SCALEKIT_MCP_USER_VERIFY_URL",
        "SCALEKIT_MCP_WEBHOOK_URL",
        "SCALEKIT_MCP_OIDC_ISSUER",
        "SCALEKIT_MCP_OIDC_AUTHORIZATION_SERVER",
    ],
)
def test_every_setting_that_leads_people_or_tokens_somewhere_has_that_rule(name, monkeypatch) -> None:
    for address in WRONG:
        monkeypatch.setenv(name, address)
        with pytest.raises(ConfigurationError) as refused:
            load_settings(sandbox=True)
        (problem,) = refused.value.problems
        assert problem.startswith(f"{name} (from the environment) is not valid: it ")
        assert "planted" not in problem
    monkeypatch.setenv(name, "https://app.example")
    load_settings(sandbox=True)


def test_an_issuer_keeps_the_slash_that_its_tokens_have(monkeypatch) -> None:
    for name in ("SCALEKIT_MCP_OIDC_ISSUER", "SCALEKIT_MCP_OIDC_AUTHORIZATION_SERVER"):
        monkeypatch.setenv(name, "https://acme.auth0.example/")
    settings = load_settings(sandbox=True)
    assert settings.oidc_issuer == settings.oidc_authorization_server == "https://acme.auth0.example/"

"""`doctor` in hosted mode."""

from __future__ import annotations

from typing import Any

import pytest

from scalekit_mcp.cli.doctor.hosted import examine_hosted
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.settings import load_settings
from tests.support.call_ways import connect
from tests.support.microsoft import signed_in_token

DANA = "dana@company.com"


@pytest.mark.parametrize(
    ("calls", "enabled", "connected", "states"),
    [
        ("auto", True, True, ["ok", "ok"]),
        ("auto", True, False, ["ok", "unknown"]),
        ("auto", False, True, ["ok", "warning"]),
        ("proxy", False, True, ["ok", "mistake"]),
        ("tools", True, True, ["ok", "warning"]),
    ],
)
async def test_the_proxy_is_asked_and_what_it_says_is_said(
    calls: str, enabled: bool, connected: bool, states: list[str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    sandbox = Sandbox()
    token = await signed_in_token(sandbox, DANA)
    sandbox.scalekit_proxy(enabled)
    async with sandbox.serve():
        if connected:
            connect(sandbox, DANA, token)
        given: dict[str, Any] = dict(sandbox.scalekit_environment())
        settings = load_settings(mode="hosted", hosted_calls=calls, database_url="sqlite+aiosqlite://", **given)
        report = await examine_hosted(settings)
    asked = [found for found in report.findings if found.check in ("scalekit", "proxy")]
    assert [found.state for found in asked] == states


async def test_credentials_that_scalekit_refuses_are_a_mistake() -> None:
    sandbox = Sandbox()
    async with sandbox.serve():
        given: dict[str, Any] = {**sandbox.scalekit_environment(), "SCALEKIT_CLIENT_SECRET": "planted-secret"}
        report = await examine_hosted(load_settings(mode="hosted", database_url="sqlite+aiosqlite://", **given))
    assert report.mistakes == ("connection_misconfigured",)
    assert "planted-secret" not in repr(report)

"""From the settings of a process to the hosted implementation."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from actions_support import DANA, IDENTIFIER, MONDAY, PAGES, Bench, link_base, side_by_side
from pydantic import SecretStr

from scalekit_mcp.actions import open_actions
from scalekit_mcp.actions.hosted.actions import HostedActions
from scalekit_mcp.actions.hosted.settings import environment_of, hosted_actions
from scalekit_mcp.actions.options import CallOptions
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.scalekit.app import ScalekitLookAlike
from scalekit_mcp.sandbox.serving import serving
from scalekit_mcp.settings import Settings, load_settings

CREDENTIALS: dict[str, Any] = {
    "SCALEKIT_ENV_URL": "https://acme.scalekit.dev/",
    "SCALEKIT_CLIENT_ID": "skc_1",
    "SCALEKIT_CLIENT_SECRET": "planted-secret",
}


def test_the_environment_is_read_from_the_settings_and_its_secret_shows_nowhere() -> None:
    environment = environment_of(load_settings(mode="hosted", **CREDENTIALS))
    assert environment.env_url == "https://acme.scalekit.dev"
    assert environment.client_secret == "planted-secret"
    assert "planted-secret" not in repr(environment)


def test_a_missing_credential_stops_the_start() -> None:
    with pytest.raises(ConfigurationError) as refused:
        environment_of(load_settings(mode="hosted", sandbox=True))
    assert "SCALEKIT_ENV_URL" in refused.value.message


async def test_the_sandbox_starts_on_the_first_call_and_not_before() -> None:
    started: list[str] = []
    sandbox = Sandbox(week_of=MONDAY)
    scalekit = ScalekitLookAlike(sandbox.world, sandbox.app)
    settings = load_settings(mode="hosted", sandbox=True)
    async with serving(side_by_side(sandbox.app, scalekit.app), port=0, host="127.0.0.1") as base_url:

        async def resolve() -> Settings:
            started.append(base_url)
            sandbox.base_url = base_url
            values = scalekit.environment()
            return settings.model_copy(
                update={
                    "scalekit_env_url": values["SCALEKIT_ENV_URL"],
                    "scalekit_client_id": values["SCALEKIT_CLIENT_ID"],
                    "scalekit_client_secret": SecretStr(values["SCALEKIT_CLIENT_SECRET"]),
                }
            )

        actions = hosted_actions(
            settings,
            CallOptions(clock=SystemClock(), link_base=link_base, timezone="Europe/Berlin", user_verification="off"),
            resolve=resolve,
        )
        try:
            assert started == []
            bench = Bench("hosted", actions, sandbox, scalekit)
            page = await bench.consent(IDENTIFIER, DANA)
            assert page.status == 200
            assert started == [base_url]
            assert await bench.status() == ("ACTIVE", None)
        finally:
            await actions.aclose()


async def test_links_stand_below_the_public_url_unless_somebody_says_otherwise() -> None:
    settings = load_settings(mode="hosted", public_url=PAGES, **CREDENTIALS)
    async with open_actions(settings) as actions:
        assert isinstance(actions, HostedActions)
        assert await actions._options.link_base() == PAGES


def test_a_start_loads_neither_the_vault_nor_graph_nor_the_sandbox() -> None:
    program = (
        "import sys, scalekit_mcp.actions.hosted.settings; "
        "print([n for n in ('sqlalchemy', 'alembic', 'jinja2', 'jwt', 'uvicorn', 'scalekit_mcp.sandbox', "
        "'scalekit_mcp.microsoft', 'scalekit') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"

"""Settings of a deployment, checked as the server checks them at its start."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from scalekit_mcp.settings import Settings, check_settings, load_settings


def example_secrets(*, database_host: str = "localhost") -> dict[str, str]:
    """A value of the right form for every secret that a deployment needs."""
    key = base64.b64encode(b"k" * 32).decode()
    return {
        "MICROSOFT_CLIENT_SECRET": "the-secret-of-an-azure-app",
        "SCALEKIT_MCP_DATABASE_URL": f"postgresql+asyncpg://scalekit:password@{database_host}/scalekit",
        "SCALEKIT_MCP_VAULT_KEYS": f"v1:{key}",
        "SCALEKIT_MCP_SESSION_KEYS": f"s1:{key}",
        "SCALEKIT_MCP_SERVICE_KEY": "a-service-key-of-thirty-two-characters",
    }


def accepted_over_http(
    values: dict[str, str], monkeypatch: pytest.MonkeyPatch, env_file: Path | None = None
) -> Settings:
    """The settings of these variables and the file; ConfigurationError where the server would not start with them."""
    for name in list(os.environ):
        if name.startswith(("SCALEKIT_", "MICROSOFT_", "OTEL_")):
            monkeypatch.delenv(name)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(env_file=env_file)
    check_settings(settings, transport="http")
    return settings

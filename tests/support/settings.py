"""Settings of an embedded server on the sandbox, with a vault in memory."""

from __future__ import annotations

from typing import Any

from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.settings import Settings, load_settings


def sandbox_settings(sandbox: Sandbox, base_url: str, **values: Any) -> Settings:
    """The settings with which the embedded implementation reaches this sandbox; `values` win over these."""
    given: dict[str, Any] = {
        "mode": "embedded",
        "database_url": "sqlite+aiosqlite:///:memory:",
        "vault_keys": KeyRing.generate().to_text(),
        **sandbox.environment(base_url),
        **values,
    }
    return load_settings(**given)

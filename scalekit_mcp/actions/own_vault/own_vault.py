"""Makes the vault of a process from its settings, and checks whether another process still serves a redirect URI."""

from __future__ import annotations

from urllib.parse import urlsplit

import anyio
import httpx2 as httpx

from scalekit_mcp.accounts import KeyRing, Vault
from scalekit_mcp.actions.own_vault.files import check_key_file, key_file, vault_file
from scalekit_mcp.network import Network
from scalekit_mcp.settings import Settings
from scalekit_mcp.upstream import UpstreamClient

IN_MEMORY = "sqlite+aiosqlite:///:memory:"
LISTENER_SECONDS = 2.0
"""Bound on asking whether another process of this machine still serves its pages."""


def vault_of(settings: Settings, *, outbox: bool = False) -> Vault:
    """The vault that the settings name; in memory for the sandbox unless they name one. Opens nothing yet.

    Makes the key file where there is none. Raises `ConfigurationError` or `VaultError` for unusable keys.
    """
    return Vault(_database_url(settings), _key_ring(settings), outbox=outbox)


def vault_in_memory() -> Vault:
    """A vault that ends with its process."""
    return Vault(IN_MEMORY, KeyRing.generate())


def _key_ring(settings: Settings) -> KeyRing:
    if settings.vault_keys is not None:
        with settings.naming("vault_keys"):
            return KeyRing.from_text(settings.vault_keys.get_secret_value())
    if settings.sandbox and settings.database_url is None:
        return KeyRing.generate()
    check_key_file(settings)
    return KeyRing.from_file(key_file())


def _database_url(settings: Settings) -> str:
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    path = vault_file(settings)
    return IN_MEMORY if path is None else f"sqlite+aiosqlite:///{path.as_posix()}"


async def listener_alive(redirect_uri: str) -> bool:
    """Whether the process that gave this redirect URI on this machine still serves it; any other URI counts as served.

    A way back without a query changes nothing and is answered with the address of its outcome: nobody else's program
    that took the port since does that.
    """
    if urlsplit(redirect_uri).hostname != "localhost":
        return True
    try:
        # A client of its own: nothing here may wait for a place in the pool.
        async with Network().client([], make=UpstreamClient, timeout=LISTENER_SECONDS) as http:
            with anyio.fail_after(LISTENER_SECONDS):
                answer = await http.get(redirect_uri)
    except (TimeoutError, httpx.HTTPError):
        return False
    return answer.status_code == 303 and "/oauth/outcome/" in answer.headers.get("location", "")

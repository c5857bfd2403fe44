"""Makes the hosted implementation from the settings of a process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from scalekit_mcp.actions.hosted.actions import HostedActions
from scalekit_mcp.actions.options import CallOptions
from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.scalekit import ScalekitEnvironment
from scalekit_mcp.settings import Settings

if TYPE_CHECKING:
    from scalekit_mcp.accounts import Vault


def hosted_actions(
    settings: Settings, options: CallOptions, *, resolve: Callable[[], Awaitable[Settings]] | None = None
) -> HostedActions:
    """`HostedActions` for `settings`; reads and opens nothing.

    `resolve` gives the settings with Scalekit's address and credentials where they are known only once the sandbox
    runs. The vault of the attempts is the one that embedded mode would have. Raises `ConfigurationError`.
    """

    async def environment() -> ScalekitEnvironment:
        return environment_of(await resolve() if resolve else settings)

    def open_vault() -> Vault:
        from scalekit_mcp.actions.own_vault.own_vault import vault_of

        return vault_of(settings)

    return HostedActions(
        environment, options, open_vault=open_vault, scopes=settings.scopes, calls=settings.hosted_calls
    )


def environment_of(settings: Settings) -> ScalekitEnvironment:
    """Scalekit's address and our credentials there; raises `ConfigurationError` where one is missing."""
    secret = settings.scalekit_client_secret
    if not settings.scalekit_env_url or not settings.scalekit_client_id or secret is None:
        raise ConfigurationError(
            "Hosted mode needs SCALEKIT_ENV_URL, SCALEKIT_CLIENT_ID and SCALEKIT_CLIENT_SECRET.",
        )
    return ScalekitEnvironment(
        env_url=settings.scalekit_env_url.rstrip("/"),
        client_id=settings.scalekit_client_id,
        client_secret=secret.get_secret_value(),
        network=settings.network,
        graph_url=settings.graph_url,
    )

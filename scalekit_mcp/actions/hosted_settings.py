"""The hosted implementation out of the settings of a process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from scalekit_mcp.actions.hosted import HostedActions, ScalekitEnvironment
from scalekit_mcp.actions.protocol import LinkBase
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.settings import Settings


def hosted_actions(
    settings: Settings,
    *,
    clock: Clock,
    link_base: LinkBase | None,
    timezone: str,
    user_verification: str,
    resolve: Callable[[], Awaitable[Settings]] | None = None,
) -> HostedActions:
    """`HostedActions` for `settings`; reads and opens nothing.

    `resolve` gives the settings with Scalekit's address and credentials where they are known only once the sandbox
    runs. Vault keys, where some are set, seal attempts and page tokens. Raises `ConfigurationError`.
    """
    ring = None
    if settings.vault_keys is not None:
        from scalekit_mcp.accounts.vault.sealing import KeyRing

        with settings.naming("vault_keys"):
            ring = KeyRing.from_text(settings.vault_keys.get_secret_value())

    async def environment() -> ScalekitEnvironment:
        return environment_of(await resolve() if resolve else settings)

    async def base_url() -> str:
        return settings.base_url

    return HostedActions(
        environment,
        clock=clock,
        link_base=link_base or base_url,
        connection_name=settings.connection,
        user_verification=user_verification,
        user_verify_url=settings.user_verify_url,
        timezone=timezone,
        ring=ring,
        scopes=settings.scopes,
        sandbox=settings.sandbox,
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
    )

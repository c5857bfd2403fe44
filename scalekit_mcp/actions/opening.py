"""THE SEAM: `Actions`, and the two implementations behind it.

`open_actions(settings)` is the door: it picks the implementation by the settings and does no input or output itself;
the vault opens, connections are made and the sandbox starts on first use.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
from pydantic import SecretStr

from scalekit_mcp.actions.options import CallOptions
from scalekit_mcp.actions.protocol import Actions, LinkBase
from scalekit_mcp.clock import Clock, SystemClock

if TYPE_CHECKING:
    from scalekit_mcp.actions.embedded.actions import EmbeddedActions
    from scalekit_mcp.actions.hosted.actions import HostedActions
    from scalekit_mcp.settings import Settings
    from scalekit_mcp.telemetry import Metrics

__all__ = ["Actions", "LinkBase", "open_actions"]

CLOSE_SECONDS = 5.0


@asynccontextmanager
async def open_actions(
    settings: Settings,
    *,
    clock: Clock | None = None,
    link_base: LinkBase | None = None,
    timezone: str | None = None,
    user_verification: str = "off",
    metrics: Metrics | None = None,
    calls_provider: bool = True,
) -> AsyncGenerator[Actions]:
    """The calls, for as long as the context lasts.

    `link_base` says where our pages are served (default: the public URL of the settings). `timezone` is the zone of
    answers when neither a call nor the settings name one (default: UTC). `user_verification` holds unless the settings
    name one. `metrics` counts what happens at Microsoft. Without `calls_provider` the accounts are only looked at and
    ended, which needs no application at the provider where the vault is our own. Raises `ConfigurationError`.
    """
    from scalekit_mcp.settings import check_settings

    if not calls_provider and settings.keeps_own_vault:
        settings = settings.model_copy(update={"mode": "embedded"})
    check_settings(settings, calls_provider=calls_provider)
    _check_zone(settings)
    _check_keys(settings)

    async def base_url() -> str:
        return settings.base_url

    async with _resolved(settings) as resolve:
        options = CallOptions(
            clock=clock or SystemClock(),
            link_base=link_base or base_url,
            connection_name=settings.connection,
            further_connections=settings.further_connections,
            timezone=settings.timezone or timezone or "UTC",
            user_verification=settings.user_verification or user_verification,
            user_verify_url=settings.user_verify_url,
        )
        actions = _implementation(settings, metrics)(settings, options, resolve=resolve)
        try:
            yield actions
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_SECONDS):
                await actions.aclose()


def _implementation(settings: Settings, metrics: Metrics | None) -> Callable[..., EmbeddedActions | HostedActions]:
    """The implementation that the settings choose; only that one is imported."""
    if settings.resolved_mode == "hosted":
        from scalekit_mcp.actions.hosted.settings import hosted_actions

        return hosted_actions
    from scalekit_mcp.actions.embedded.actions import EmbeddedActions

    return partial(EmbeddedActions, metrics=metrics)


def _check_zone(settings: Settings) -> None:
    """Raise `ConfigurationError` for a time zone that does not exist."""
    if settings.timezone is None:
        return
    from scalekit_mcp.tools import check_lasting_zone_name

    with settings.naming("timezone"):
        try:
            check_lasting_zone_name(settings.timezone)
        except ValueError as error:
            raise ValueError(f"it {error}") from error


def _check_keys(settings: Settings) -> None:
    """Refuse keys that could not be used, before the first call meets them and before anything is written."""
    from scalekit_mcp.actions.own_vault.files import check_key_file

    if settings.vault_keys is not None:
        from scalekit_mcp.accounts import KeyRing

        with settings.naming("vault_keys"):
            KeyRing.from_text(settings.vault_keys.get_secret_value())
    check_key_file(settings)
    if settings.microsoft_client_certificate is not None and settings.resolved_mode == "embedded":
        if settings.sandbox:
            return
        from scalekit_mcp.microsoft import credentials_of

        credentials_of(settings)


@asynccontextmanager
async def _resolved(settings: Settings) -> AsyncGenerator[Callable[[], Awaitable[Settings]] | None]:
    """A call that gives the settings to use, where they are known only once the sandbox runs."""
    if not settings.sandbox:
        yield None
        return
    from scalekit_mcp.concurrency import OnFirstUse

    sandbox = OnFirstUse(lambda: _sandbox_settings(settings))
    failure: Exception | None = None
    async with anyio.create_task_group() as owner:
        owner.start_soon(sandbox.run)
        try:
            yield sandbox.get
        except Exception as error:  # noqa: BLE001 - raised again outside the group, which would wrap it
            failure = error
        owner.cancel_scope.cancel()
    if failure is not None:
        raise failure


@asynccontextmanager
async def _sandbox_settings(settings: Settings) -> AsyncGenerator[Settings]:
    """Run the sandbox and point the settings at it."""
    from scalekit_mcp.sandbox import Sandbox

    sandbox = Sandbox()
    async with sandbox.serve() as base_url:
        values = {**sandbox.environment(base_url), **sandbox.scalekit_environment()}
        yield settings.model_copy(
            update={
                "microsoft_client_id": values["MICROSOFT_CLIENT_ID"],
                "microsoft_client_secret": SecretStr(values["MICROSOFT_CLIENT_SECRET"]),
                "microsoft_client_certificate": None,
                "microsoft_tenant": "common",
                "microsoft_login_url": values["MICROSOFT_LOGIN_URL"],
                "microsoft_graph_url": values["MICROSOFT_GRAPH_URL"],
                "scalekit_env_url": values["SCALEKIT_ENV_URL"],
                "scalekit_client_id": values["SCALEKIT_CLIENT_ID"],
                "scalekit_client_secret": SecretStr(values["SCALEKIT_CLIENT_SECRET"]),
            }
        )

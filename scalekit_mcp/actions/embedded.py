"""The embedded implementation of the seam: our own vault, the operator's Azure app, Microsoft Graph directly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import anyio

from scalekit_mcp.actions.authorize import TYPE_THE_CODE, run_authorize
from scalekit_mcp.actions.models import (
    AuthorizationLinkResponse,
    AuthorizationOutcome,
    AuthorizationPrompt,
    ConnectedAccountResponse,
    ConnectedAccountView,
    ListConnectedAccountsResponse,
    OutcomeKind,
    ToolResult,
)
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import AuthorizationRequired, InvalidInput, PermissionMissing
from scalekit_mcp.settings import Settings, check_identifier
from scalekit_mcp.tools import Authorize, UnknownTool, parse_arguments

if TYPE_CHECKING:
    from scalekit_mcp.accounts.models import ConnectedAccount
    from scalekit_mcp.accounts.outcomes import AccountView, Outcome
    from scalekit_mcp.actions.parts import Parts

LinkBase = Callable[[], Awaitable[str]]


class EmbeddedActions:
    """`Actions` on our own vault. Cheap to make: the vault, the HTTP client and their libraries wait for a first call.

    `resolve` gives the settings that the parts are made of; the sandbox starts in it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        link_base: LinkBase | None,
        timezone: str,
        user_verification: str,
        resolve: Callable[[], Awaitable[Settings]] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._link_base = link_base
        self._timezone = timezone
        self._user_verification = user_verification
        self._resolve = resolve
        self._opening = anyio.Lock()
        self._opened: Parts | None = None

    async def aclose(self) -> None:
        """Close the vault and the HTTP client, if they were ever opened."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.aclose()

    async def _parts(self) -> Parts:
        if self._opened is None:
            async with self._opening:
                if self._opened is None:
                    from scalekit_mcp.actions.parts import build_parts

                    settings = await self._resolve() if self._resolve else self._settings
                    self._opened = build_parts(
                        settings, clock=self._clock, timezone=self._timezone, user_verification=self._user_verification
                    )
        return self._opened

    def _name(self, connection_name: str | None) -> str:
        name = connection_name or self._settings.connection
        if name != self._settings.connection:
            raise InvalidInput(
                f"There is no connection '{name}'; this server has '{self._settings.connection}'.",
                field="connection_name",
            )
        return name

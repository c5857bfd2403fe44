"""THE SEAM: `Actions`, and the two implementations behind it.

`open_actions(settings)` is the door: it picks the implementation by the settings and does no input or output itself;
the vault opens and connections are made on first use.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from scalekit_mcp.actions.protocol import Actions
from scalekit_mcp.clock import Clock, SystemClock

if TYPE_CHECKING:
    from scalekit_mcp.settings import Settings

__all__ = ["Actions", "LinkBase", "open_actions"]

LinkBase = Callable[[], Awaitable[str]]
"""Gives the base address of our own pages; may start what serves them."""


@asynccontextmanager
async def open_actions(
    settings: Settings, *, clock: Clock | None = None, link_base: LinkBase | None = None, timezone: str | None = None
) -> AsyncIterator[Actions]:
    """The calls, for as long as the context lasts.

    `link_base` says where our pages are served (default: the public URL of the settings). `timezone` is the zone of
    answers when neither a call nor the settings name one (default: UTC). Raises `ConfigurationError`.
    """
    from scalekit_mcp.actions.embedded import EmbeddedActions

    settings.check()
    actions = EmbeddedActions(
        settings, clock=clock or SystemClock(), link_base=link_base, timezone=settings.timezone or timezone or "UTC"
    )
    try:
        yield actions
    finally:
        await actions.aclose()

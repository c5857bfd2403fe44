"""The ASGI extension by which an authenticated request vouches for its connection."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import Scope

_VOUCH = "scalekit_mcp.authenticated"


def vouch_for(scope: Scope) -> None:
    """Mark the connection of a request that was authenticated; without a table behind the server it does nothing."""
    extension = scope.get("extensions", {}).get(_VOUCH)
    if extension is not None:
        extension["vouch"]()


def extension_of(vouch: Callable[[], None]) -> dict[str, dict[object, object]]:
    """The ASGI extension by which `vouch_for` reaches a connection."""
    return {_VOUCH: {"vouch": vouch}}

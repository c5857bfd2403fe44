"""The ASGI extension by which a request tells the connection table that it was authenticated."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import Scope

_VOUCH = "scalekit_mcp.authenticated"


def vouch_for(scope: Scope) -> None:
    """Mark the connection of an authenticated request; does nothing where the server has no connection table."""
    extension = scope.get("extensions", {}).get(_VOUCH)
    if extension is not None:
        extension["vouch"]()


def extension_of(vouch: Callable[[], None]) -> dict[str, dict[object, object]]:
    """The ASGI extension by which `vouch_for` reaches a connection."""
    return {_VOUCH: {"vouch": vouch}}

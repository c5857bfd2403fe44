"""An MCP server that gives AI agents each user's Outlook calendar, with one consent per user.

Public names are imported on first use, so that `import scalekit_mcp` costs nothing:

- `open_actions(settings)`: the calls, asynchronously; `load_settings()`, `Settings`
- `Sandbox`: the built-in Microsoft look-alike
- the exceptions of `scalekit_mcp.errors`
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scalekit_mcp.actions import Actions, open_actions
    from scalekit_mcp.errors import ScalekitMCPError
    from scalekit_mcp.sandbox import Sandbox
    from scalekit_mcp.settings import Settings, load_settings

__version__ = "0.1.0"

_HOMES = {
    "Actions": "scalekit_mcp.actions",
    "Sandbox": "scalekit_mcp.sandbox",
    "ScalekitMCPError": "scalekit_mcp.errors",
    "Settings": "scalekit_mcp.settings",
    "load_settings": "scalekit_mcp.settings",
    "open_actions": "scalekit_mcp.actions",
}

__all__ = ["Actions", "Sandbox", "ScalekitMCPError", "Settings", "__version__", "load_settings", "open_actions"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

"""An MCP server that gives AI agents each user's Outlook calendar, with one consent per user.

Public names are imported on first use, so that `import scalekit_mcp` costs nothing:

- `open_actions(settings)`: the calls, asynchronously, as `Actions`; `ScalekitClient`: the same for synchronous code
- `load_settings()`, `Settings`: the environment and options, read once
- `Sandbox`: the built-in Microsoft look-alike
- `ScalekitMCPError`: the base of all exceptions, see `scalekit_mcp.errors`

`scalekit_mcp.langchain.get_tools` needs the extra `langchain`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scalekit_mcp.actions import Actions, open_actions
    from scalekit_mcp.client import ScalekitClient
    from scalekit_mcp.errors import ScalekitMCPError
    from scalekit_mcp.sandbox import Sandbox
    from scalekit_mcp.settings import Settings, load_settings

__version__ = "0.1.0"

_HOMES = {
    "Actions": "scalekit_mcp.actions",
    "Sandbox": "scalekit_mcp.sandbox",
    "ScalekitClient": "scalekit_mcp.client",
    "ScalekitMCPError": "scalekit_mcp.errors",
    "Settings": "scalekit_mcp.settings",
    "load_settings": "scalekit_mcp.settings",
    "open_actions": "scalekit_mcp.actions",
}

__all__ = [
    "Actions",
    "Sandbox",
    "ScalekitClient",
    "ScalekitMCPError",
    "Settings",
    "__version__",
    "load_settings",
    "open_actions",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

"""Real processes of the command, with an empty home and none of this shell's settings."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from mcp import StdioServerParameters

OURS = ("SCALEKIT_", "MICROSOFT_")


def environment(home: Path, **values: str) -> dict[str, str]:
    """This process's environment with an empty home, without our settings, with `values`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    folders = {
        "HOME": home,
        "USERPROFILE": home,
        "APPDATA": home / "AppData",
        "LOCALAPPDATA": home / "AppData",
        "XDG_DATA_HOME": home / "data",
        "XDG_CONFIG_HOME": home / "config",
        "XDG_CACHE_HOME": home / "cache",
    }
    return {**kept, **{name: str(folder) for name, folder in folders.items()}, **values}


def command(*arguments: str) -> list[str]:
    """The command line of `scalekit-mcp` in this environment."""
    return [sys.executable, "-m", "scalekit_mcp", *arguments]


def server(home: Path, *arguments: str, **values: str) -> StdioServerParameters:
    """A stdio server as an MCP host would start it."""
    given: dict[str, Any] = environment(home, **values)
    return StdioServerParameters(command=sys.executable, args=["-m", "scalekit_mcp", "serve", *arguments], env=given)

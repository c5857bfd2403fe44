"""A Microsoft look-alike for tests and demos: sign-in, tokens and calendars on loopback, every failure on a switch.

It shares no code with the product that it imitates Microsoft for.

```python
sandbox = Sandbox()
async with sandbox.serve() as base_url:
    settings = sandbox.environment(base_url)
```
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scalekit_mcp.sandbox.sandbox import Sandbox
    from scalekit_mcp.sandbox.world import World
    from scalekit_mcp.sandbox.world.seed import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_PERSON

__all__ = ["DEFAULT_CLIENT_ID", "DEFAULT_CLIENT_SECRET", "DEFAULT_PERSON", "Sandbox", "World"]

_HOMES = {
    "DEFAULT_CLIENT_ID": "scalekit_mcp.sandbox.world.seed",
    "DEFAULT_CLIENT_SECRET": "scalekit_mcp.sandbox.world.seed",
    "DEFAULT_PERSON": "scalekit_mcp.sandbox.world.seed",
    "Sandbox": "scalekit_mcp.sandbox.sandbox",
    "World": "scalekit_mcp.sandbox.world",
}


def __getattr__(name: str) -> Any:
    """Public names on first use: pytest loads the plugin beside them in every run, and must not wait for them."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

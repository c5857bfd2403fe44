"""An MCP server that gives AI agents each user's Outlook calendar, with one consent per user.

Public names are imported on first use, so that `import scalekit_mcp` costs nothing:

- `open_actions(settings)`: the calls, asynchronously, as `Actions`; `ScalekitClient`: the same for synchronous code
- `load_settings()`, `Settings`: the environment and options, read once
- `Sandbox`: the built-in Microsoft look-alike
- `ScalekitMCPError`: the base of all exceptions, see `scalekit_mcp.errors`

`scalekit_mcp.langchain.get_tools` needs the extra `langchain`.
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]

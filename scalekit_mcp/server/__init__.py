"""The servers: MCP over stdio and HTTP, authentication of callers, web pages, REST. Only this package imports `mcp`.

Other rooms import from here; a name is loaded when it is first asked for. The names stand in `__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

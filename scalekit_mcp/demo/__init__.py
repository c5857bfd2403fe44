"""The guided tours: a real MCP client, a real server process over stdio or HTTP, and the built-in Microsoft.

Other rooms import from here; a name is loaded when it is first asked for. The names stand in `__init__.pyi`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

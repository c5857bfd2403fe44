"""The outer application: a switch on the path's beginning, as thin as it can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

from scalekit_mcp.sandbox.identity.app import IdentityApp
from scalekit_mcp.sandbox.identity.tokens import AccessTokens
from scalekit_mcp.sandbox.pages import Pages
from scalekit_mcp.sandbox.world import World

if TYPE_CHECKING:
    from scalekit_mcp.sandbox.control import Controls


@dataclass
class Halves:
    """Identity and Graph over one world."""

    identity: IdentityApp
    graph: ASGIApp
    tokens: AccessTokens
    pages: Pages


def build(world: World) -> Halves:
    """Both halves for a new world."""
    tokens, pages = AccessTokens(world), Pages()
    return Halves(IdentityApp(world, tokens, pages), _graph(world, tokens), tokens, pages)


def _graph(world: World, tokens: AccessTokens) -> ASGIApp:
    import importlib

    try:
        module: Any = importlib.import_module("scalekit_mcp.sandbox.graph")
        app: ASGIApp = module.GraphApp(world, tokens)
    except (ImportError, AttributeError):
        from starlette.responses import PlainTextResponse

        return PlainTextResponse("no graph", status_code=501)
    return app


class Dispatcher:
    """`/v1.0` to Graph, `/_sandbox` to the switches, the rest to identity."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        halves, path = self._controls.halves, scope["path"]
        if self._controls.world.switches.slow_seconds:
            await anyio.sleep(self._controls.world.switches.slow_seconds)
        if path.startswith("/v1.0"):
            await halves.graph(scope, receive, send)
        else:
            await halves.identity(scope, receive, send)

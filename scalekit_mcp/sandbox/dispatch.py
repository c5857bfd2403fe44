"""The outer application: a switch on the path's beginning, as thin as it can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

from scalekit_mcp.sandbox.control.http import ControlApp
from scalekit_mcp.sandbox.graph import GraphApp
from scalekit_mcp.sandbox.identity.app import IdentityApp
from scalekit_mcp.sandbox.identity.tokens import AccessTokens
from scalekit_mcp.sandbox.pages import Pages
from scalekit_mcp.sandbox.world import World

if TYPE_CHECKING:
    from scalekit_mcp.sandbox.control.controls import Controls
    from scalekit_mcp.sandbox.scalekit.app import ScalekitLookAlike

HOSTED_PREFIX = "/scalekit"


@dataclass
class Halves:
    """Identity and Graph over one world, and the hosted API beside them once somebody wants it."""

    world: World
    identity: IdentityApp
    graph: ASGIApp
    tokens: AccessTokens
    pages: Pages
    _scalekit: ScalekitLookAlike | None = None

    def scalekit(self, microsoft: ASGIApp) -> ScalekitLookAlike:
        """The look-alike of Scalekit's hosted API, which is a client of `microsoft` like any other."""
        if self._scalekit is None:
            from scalekit_mcp.sandbox.scalekit.app import ScalekitLookAlike

            self._scalekit = ScalekitLookAlike(self.world, microsoft, prefix=HOSTED_PREFIX)
        return self._scalekit


def build(world: World) -> Halves:
    """Both halves for a new world."""
    tokens, pages = AccessTokens(world), Pages()
    return Halves(world, IdentityApp(world, tokens, pages), GraphApp(world, tokens), tokens, pages)


class Dispatcher:
    """`/v1.0` to Graph, `/_sandbox` to the switches, `/scalekit` to the hosted API, the rest to identity."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._control = ControlApp(controls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        path = scope["path"]
        if path == "/" or path.startswith("/_sandbox"):
            await self._control(scope, receive, send)
            return
        halves = self._controls.halves
        if path.startswith("/v1.0"):
            await halves.graph(scope, receive, send)  # it waits by itself, where requests under way are counted
            return
        slow_seconds = self._controls.world.switches.slow_seconds
        if slow_seconds:
            await anyio.sleep(slow_seconds)
        if path.startswith(HOSTED_PREFIX + "/"):
            await halves.scalekit(self)(scope, receive, send)
        else:
            await halves.identity(scope, receive, send)

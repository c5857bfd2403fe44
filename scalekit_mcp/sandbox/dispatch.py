"""The outer application: a switch on the path's beginning, as thin as it can be."""

from __future__ import annotations

import anyio
from starlette.types import Receive, Scope, Send

from scalekit_mcp.sandbox.control.controls import Controls
from scalekit_mcp.sandbox.control.http import ControlApp
from scalekit_mcp.sandbox.halves import HOSTED_PREFIX


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

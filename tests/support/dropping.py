"""The sandbox in process, with dropped connections as a client sees them."""

from __future__ import annotations

import httpx2 as httpx
from starlette.types import ASGIApp

from scalekit_mcp.sandbox.world.dropped import ConnectionDropped


class DroppingTransport(httpx.AsyncBaseTransport):
    """ASGI in process; a dropped connection becomes the `ReadError` that a socket would give."""

    def __init__(self, app: ASGIApp) -> None:
        self._inner = httpx.ASGITransport(app=app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._inner.handle_async_request(request)
        except ConnectionDropped as exc:
            raise httpx.ReadError("the connection was dropped", request=request) from exc

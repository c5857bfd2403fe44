"""The loopback HTTP listener of a stdio server, which serves the consent pages from the first consent on."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from typing import TYPE_CHECKING, Any, Self

import anyio
from anyio.abc import TaskGroup
from starlette.applications import Starlette

from scalekit_mcp.actions import Actions
from scalekit_mcp.clock import Clock, SystemClock
from scalekit_mcp.concurrency import OpenOnce
from scalekit_mcp.errors import InternalError
from scalekit_mcp.network import loopback_hosts

if TYPE_CHECKING:
    import uvicorn

    from scalekit_mcp.server.web.brand import Brand

logger = logging.getLogger(__name__)

PREFERRED_PORT = 8754
MAX_CONNECTIONS = 64
_BACKLOG = 64
_STOP_SECONDS = 5
_PORT_TRIES = 20


class Listener:
    """Serves `/connect` and `/oauth/*` on 127.0.0.1 and ::1 while the server runs; opens its port on first use.

    The actions behind the pages are made with this listener's `base_url`, so they are handed over later, by `serve`.
    Microsoft ignores the port of a registered `http://localhost` redirect URI (RFC 8252 section 7.3), so any port does.
    """

    def __init__(
        self,
        *,
        preferred_port: int = PREFERRED_PORT,
        sandbox: bool = False,
        brand: Brand | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._actions: Actions | None = None
        self._preferred_port = preferred_port
        self._sandbox = sandbox
        self._brand = brand
        self._clock = clock or SystemClock()
        self._tasks: TaskGroup | None = None
        self._exit_stack = contextlib.AsyncExitStack()
        self._server: uvicorn.Server | None = None
        self._port = OpenOnce(self._open)

    async def __aenter__(self) -> Self:
        self._tasks = await self._exit_stack.enter_async_context(anyio.create_task_group())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._server is not None:
            self._server.should_exit = True
        if self._tasks is not None:
            self._tasks.cancel_scope.deadline = anyio.current_time() + 2 * _STOP_SECONDS
        self._tasks = None
        await self._exit_stack.aclose()

    def serve(self, actions: Actions) -> None:
        """Set the actions behind the pages; call it before the first link is made."""
        self._actions = actions

    async def base_url(self) -> str:
        """The base of the links, always with the name `localhost`; opens the port if it is not open."""
        return f"http://localhost:{await self._port.get()}"

    async def _open(self) -> int:
        from scalekit_mcp.server.http.connections import DescriptorShare
        from scalekit_mcp.server.http.protocol import UnsignalledServer, bounded_config

        if self._tasks is None:
            raise InternalError("The page listener was used outside its lifetime.")
        sockets = _bind(self._preferred_port)
        port: int = sockets[0].getsockname()[1]
        config = bounded_config(
            self._app(port),
            share=DescriptorShare(connections=MAX_CONNECTIONS, backlog=_BACKLOG),
            lifespan="off",
            log_level="warning",
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
        self._server = UnsignalledServer(config)
        self._tasks.start_soon(self._serve, self._server, sockets, name="page listener")
        logger.info("Serving the sign-in pages on http://localhost:%d", port)
        return port

    async def _serve(self, server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        try:
            await server.serve(sockets=sockets)
        finally:
            for each in sockets:
                each.close()

    def _app(self, port: int) -> Starlette:
        from scalekit_mcp.server.http.middleware import outer_middleware
        from scalekit_mcp.server.web.app import Web, WebOptions
        from scalekit_mcp.server.web.brand import Brand

        hosts = loopback_hosts(port)
        origins = {f"http://localhost:{port}"}
        options = WebOptions(origins=lambda: origins, sandbox=self._sandbox, brand=self._brand or Brand())
        web = Web(self._behind, clock=self._clock, options=options)
        app = Starlette(routes=web.routes(), middleware=outer_middleware(lambda: hosts))
        app.router.redirect_slashes = False
        return app

    def _behind(self) -> Actions:
        if self._actions is None:
            raise InternalError("The page listener has nothing behind it yet.")
        return self._actions


def _bind(preferred_port: int) -> list[socket.socket]:
    """Listening sockets on both loopback addresses and one port: the preferred one, else any that is free on both."""
    for port in (preferred_port, *([0] * _PORT_TRIES)):
        sockets: list[socket.socket] = []
        try:
            first = _listen(socket.AF_INET, "127.0.0.1", port)
            sockets.append(first)
            if _has_ipv6():
                sockets.append(_listen(socket.AF_INET6, "::1", first.getsockname()[1]))
        except OSError:
            for each in sockets:
                each.close()
            continue
        return sockets
    raise InternalError("No port on the loopback interface is free for the sign-in pages.")


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    # asyncio switches Nagle's algorithm off only on sockets that name their protocol; with it an answer takes 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "nt":
            exclusive: Any = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
            listening.setsockopt(socket.SOL_SOCKET, exclusive, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((address, port))
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True

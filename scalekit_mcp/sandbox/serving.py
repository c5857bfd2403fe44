"""The sandbox on a socket: uvicorn in the current event loop, and connections that really drop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TRANSPORT = "sandbox.transport"
STOP_SECONDS = 5.0
START_SECONDS = 10


class _Protocol(HttpToolsProtocol):
    """Tells the application its transport, so that a switched failure can cut the connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {_TRANSPORT: self.transport}  # type: ignore[typeddict-item]


class _Server(uvicorn.Server):
    """Leaves the process's signal handlers alone and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.listening.set()


def _dropping(app: ASGIApp) -> ASGIApp:
    """`ConnectionDropped` becomes a closed socket without a byte of an answer."""

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except Exception as exc:
            from scalekit_mcp.sandbox.world.dropped import ConnectionDropped

            if not isinstance(exc, ConnectionDropped):
                raise
            scope["extensions"][_TRANSPORT].abort()
            message: Message = {"type": ""}
            while message["type"] != "http.disconnect":
                message = await receive()

    return outer


def _sockets(port: int, host: str) -> list[socket.socket]:
    families = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")] if host in _LOOPBACK else []
    if not families:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return [_bound(family, host, port)]
    if host == "::1":
        families.reverse()
    first = _bound(families[0][0], families[0][1], port)
    sockets = [first]
    # The other family is a convenience for `localhost`; a machine without it does without.
    with contextlib.suppress(OSError):
        sockets.append(_bound(families[1][0], families[1][1], first.getsockname()[1]))
    return sockets


def _bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    # asyncio switches Nagle's algorithm off only on sockets that name their protocol; with it an answer takes 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere the option lets a second server take the same port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, *, port: int, host: str, tls: tuple[Path, Path] | None = None) -> AsyncGenerator[str]:
    """Serve `app` until the block ends; gives the base URL. Raises OSError when the port is taken.

    `tls`: paths of a certificate and its key (PEM), for clients that refuse plain http.
    """
    sockets = _sockets(port, host)
    config = uvicorn.Config(
        _dropping(app),
        http=_Protocol,
        loop="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,  # the sandbox has a clock of its own
        ssl_certfile=tls[0] if tls else None,
        ssl_keyfile=tls[1] if tls else None,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=75,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=sockets), name="sandbox server")
    try:
        listening = asyncio.create_task(server.listening.wait())
        await asyncio.wait({task, listening}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if task.done():
            await task
        shown = f"[{host}]" if ":" in host else host
        yield f"{'https' if tls else 'http'}://{shown}:{sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        try:
            # Whoever cancels the block still gets its sockets back.
            with anyio.move_on_after(STOP_SECONDS, shield=True):
                await task
        finally:
            for bound in sockets:
                bound.close()

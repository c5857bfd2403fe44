"""Serving the HTTP application until the process is told to stop, and letting the calls in flight finish."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from scalekit_mcp.errors import ConfigurationError

if TYPE_CHECKING:
    from scalekit_mcp.server.stopping import StopDeadline

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 20.0


class Shutdown:
    """Counts the calls in flight, so that a shutdown can let them finish and refuse new ones.

    `not_ready`: /readyz answers 503. `rejecting`: new calls are refused; it begins with `not_ready` or later.
    """

    def __init__(self) -> None:
        self.not_ready = False
        self.rejecting = False
        self._grace_period_ended = anyio.Event()
        self._running = 0
        self._idle = anyio.Event()

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Middleware of the MCP server: counts tool calls, passes everything on."""
        if ctx.method != "tools/call":
            return await call_next(ctx)
        with self._counted():
            return await call_next(ctx)

    def around(self, app: ASGIApp) -> ASGIApp:
        """The same ASGI application; each of its requests is counted as a call in flight."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            with self._counted():
                await app(scope, receive, send)

        return counted

    @contextlib.contextmanager
    def _counted(self) -> Generator[None]:
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._idle.set()

    async def delay(self, seconds: float) -> None:
        """Go on serving for `seconds`, or until `end_grace_period` is called, while /readyz already answers 503.

        So a load balancer stops sending requests here before new calls are rejected.
        """
        self.not_ready = True
        with anyio.move_on_after(seconds):
            await self._grace_period_ended.wait()

    def end_grace_period(self) -> None:
        """End the wait in `delay` at once."""
        self._grace_period_ended.set()

    async def finish(self, seconds: float) -> None:
        """Reject new calls and wait until the running ones have ended, at most `seconds`."""
        self.not_ready = self.rejecting = True
        with anyio.move_on_after(seconds):
            while self._running:
                self._idle = anyio.Event()
                await self._idle.wait()


async def serve_http(
    app: Starlette,
    *,
    host: str,
    port: int,
    shutdown: Shutdown,
    drain_seconds: float = DRAIN_SECONDS,
    delay_seconds: float = 0.0,
    listening: Callable[[], None] = lambda: None,
    deadline: StopDeadline | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; then new calls are refused and those in flight have `drain_seconds` to finish.

    `deadline` ends a process that hangs nevertheless.

    For `delay_seconds` before that only /readyz refuses; a second signal ends this delay, the one after it the process.
    Calls `listening` once the port answers; raises `ConfigurationError` when it cannot be opened.
    """
    from scalekit_mcp.server.http.connections import descriptor_share, lengthen_queue, raise_descriptor_limit
    from scalekit_mcp.server.http.protocol import UnsignalledServer, bounded_config
    from scalekit_mcp.server.stopping import on_stop_signal

    stop = anyio.Event()

    def begin_to_end() -> None:
        if deadline is not None:
            deadline.begin(drain_seconds + (0.0 if shutdown.not_ready else delay_seconds))

    def told_to_stop() -> None:
        if stop.is_set():
            shutdown.end_grace_period()
        stop.set()

    class ListeningServer(UnsignalledServer):
        deaf = False

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            try:
                await super().startup(sockets=sockets)
            except SystemExit:  # uvicorn's word for a port that it cannot open; it has logged the system's reason
                self.deaf = self.should_exit = True
            if self.started:
                lengthen_queue(self.servers)
                listening()

    share = descriptor_share(raise_descriptor_limit())
    config = bounded_config(app, share=share, host=host, port=port, timeout_graceful_shutdown=2)
    uvicorn_server = ListeningServer(config)
    patient = on_stop_signal(
        told_to_stop, again=lambda: delay_seconds > 0 and not shutdown.rejecting, at_once=begin_to_end
    )
    with patient:
        async with anyio.create_task_group() as tasks:

            async def stop_gracefully() -> None:
                await stop.wait()
                if delay_seconds > 0:
                    logger.info(
                        "Told to stop: not ready any more, calls are served for another %g seconds", delay_seconds
                    )
                    await shutdown.delay(delay_seconds)
                logger.info("Shutting down: calls in flight have %d seconds to finish", drain_seconds)
                await shutdown.finish(drain_seconds)
                uvicorn_server.should_exit = True

            tasks.start_soon(stop_gracefully)
            try:
                await uvicorn_server.serve()
            finally:
                begin_to_end()
            tasks.cancel_scope.cancel()
    if uvicorn_server.deaf:
        raise ConfigurationError(
            f"Nothing can listen on {host}, port {port}: another process has the port, or the address is not this "
            "machine's. Stop that process, or choose another --port or --host."
        )

"""One ASGI application for remote clients: MCP on every transport, the browser's pages, REST, health."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from scalekit_mcp.actions import Actions
from scalekit_mcp.clock import Clock, SystemClock
from scalekit_mcp.errors import ConfigurationError, ScalekitMCPError
from scalekit_mcp.network import is_loopback, loopback_hosts
from scalekit_mcp.server.callers.authentication import (
    Authentication,
    AuthenticationError,
    RequireCaller,
    bearer_of,
    denial_response,
    same_secret,
)
from scalekit_mcp.server.http.middleware import BufferBody, CorsBeside, outer_middleware
from scalekit_mcp.server.http.sessions import (
    MAX_ALL_SESSIONS,
    SESSION_IDLE_SECONDS,
    RequestsPerCaller,
    SessionsPerCaller,
)
from scalekit_mcp.server.metrics import CONTENT_TYPE, CallMetrics

if TYPE_CHECKING:
    from scalekit_mcp.accounts import KeyRing
    from scalekit_mcp.server.oauth.server import AuthorizationServer
    from scalekit_mcp.server.rest.options import RestOptions
    from scalekit_mcp.server.stopping import StopDeadline
    from scalekit_mcp.server.web.brand import Brand
    from scalekit_mcp.server.web.home import Home

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 20.0
MAX_BODY_BYTES = 4 * 1024 * 1024
READY_CACHE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """The options of the HTTP application.

    `public_url` is the base of `/mcp`, `/connect` and `/oauth/*`. `brand` is the product that pages show, `home` what
    `/` says; without it there is no such page. `cookie_keys` (the same on all replicas) seal what the browser keeps.
    `rest` is None without a service key. `resource_metadata` is published for `oidc`.
    `authorization_server` is there for `microsoft` alone.
    `metrics` is published with `metrics_key` as bearer, or openly without one: leave it None on a bind that is not
    loopback.
    """

    public_url: str
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    stateless: bool = False
    sandbox: bool = False
    brand: Brand | None = None
    home: Home | None = None
    cookie_keys: KeyRing | None = None
    rest: RestOptions | None = None
    resource_metadata: dict[str, Any] | None = None
    authorization_server: AuthorizationServer | None = None
    metrics: CallMetrics | None = None
    metrics_key: str | None = field(default=None, repr=False)


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


def create_http_app(
    server: Server[Any],
    actions: Actions,
    *,
    authentication: Authentication,
    options: HttpOptions,
    clock: Clock | None = None,
    shutdown: Shutdown | None = None,
) -> Starlette:
    """The application with all routes. Its lifespan runs the SDK's sessions; `actions` is opened and closed outside."""
    clock = clock or SystemClock()
    shutdown = shutdown or Shutdown()
    server.middleware.append(shutdown)
    hosts, origins = allowed_hosts(options), allowed_origins(options)
    security = TransportSecuritySettings(allowed_hosts=list(hosts), allowed_origins=list(origins))
    manager = StreamableHTTPSessionManager(
        app=server,
        stateless=options.stateless,
        security_settings=security,
        max_request_body_size=MAX_BODY_BYTES,
        session_idle_timeout=SESSION_IDLE_SECONDS,
        max_sessions=2 * MAX_ALL_SESSIONS,  # idle ones are ended long before, so that nobody meets this
    )
    sse = SseServerTransport("/messages/", security_settings=security, max_request_body_size=MAX_BODY_BYTES)

    per_caller = RequestsPerCaller()
    oauth = options.authorization_server
    refusal = None if oauth is None else oauth.refusal

    def protected(app: ASGIApp) -> RequireCaller:
        bounded = per_caller.around(BufferBody(app, max_bytes=MAX_BODY_BYTES))
        return RequireCaller(bounded, authentication, rejecting=lambda: shutdown.rejecting, refusal=refusal)

    routes: list[BaseRoute] = [
        Route("/mcp", endpoint=protected(SessionsPerCaller(StreamableHTTPASGIApp(manager)))),
        Route("/sse", endpoint=protected(SseEndpoint(server, sse, security)), methods=["GET"]),
        Route("/messages", endpoint=protected(sse.handle_post_message)),
        *_browser_routes(actions, options, clock, origins),
        *_health_routes(clock, shutdown, actions, oauth),
    ]
    if oauth is not None:
        routes += oauth.routes
    if options.metrics is not None:
        routes.append(_metrics_route(options.metrics, options.metrics_key))
    if options.resource_metadata is not None:
        routes.append(_metadata_route(options.resource_metadata))
    if options.rest is not None:
        from scalekit_mcp.server.rest.app import Rest

        rest = Rest(actions, options.rest)
        routes.append(Mount("/api/v1", app=shutdown.around(rest.application())))
        routes += rest.root_routes()

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with manager.run():
            yield

    # A scraper knows an address of ours, not our name; without a key the name protects against DNS rebinding.
    exempt = ("/healthz", "/readyz", "/metrics") if options.metrics_key else ("/healthz", "/readyz")
    middleware = [
        *outer_middleware(lambda: hosts, exempt),
        Middleware(
            CorsBeside,
            own_cors=() if oauth is None else oauth.own_cors,
            allow_origins=list(origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=["mcp-session-id", "mcp-protocol-version", "www-authenticate"],
        ),
    ]
    app = Starlette(routes=routes, middleware=middleware, lifespan=lifespan)
    app.router.redirect_slashes = False
    return app


class SseEndpoint:
    """`GET /sse`: one connection of the HTTP+SSE transport, for clients of 2024-11-05."""

    def __init__(self, server: Server[Any], transport: SseServerTransport, security: TransportSecuritySettings) -> None:
        self._server = server
        self._transport = transport
        self._security = TransportSecurityMiddleware(security)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the connection until it closes."""
        refusal = await self._security.validate_request(Request(scope, receive))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        async with self._transport.connect_sse(scope, receive, send) as (read_stream, write_stream):
            await self._server.run(read_stream, write_stream, self._server.create_initialization_options())


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


def allowed_hosts(options: HttpOptions) -> tuple[str, ...]:
    """The Host headers that are ours: the public URL's, what is configured, and loopback beside a loopback URL."""
    public = urlsplit(options.public_url)
    hosts = [public.netloc.casefold(), *(entry.casefold() for entry in options.allowed_hosts)]
    if is_loopback(public.hostname):
        hosts += loopback_hosts("*")
    return tuple(dict.fromkeys(hosts))


def allowed_origins(options: HttpOptions) -> tuple[str, ...]:
    """The Origin headers that may call: the public URL's and what is configured."""
    public = urlsplit(options.public_url)
    own = f"{public.scheme}://{public.netloc}".casefold()
    return tuple(dict.fromkeys([own, *(entry.rstrip("/").casefold() for entry in options.allowed_origins)]))


def _browser_routes(actions: Actions, options: HttpOptions, clock: Clock, origins: tuple[str, ...]) -> list[Route]:
    from scalekit_mcp.server.web.app import Web, WebOptions
    from scalekit_mcp.server.web.brand import Brand
    from scalekit_mcp.server.web.pages import Pages

    brand = options.brand or Brand()
    web_options = WebOptions(
        origins=lambda: origins[:1],
        secure=options.public_url.startswith("https://"),
        sandbox=options.sandbox,
        brand=brand,
        cookie_keys=options.cookie_keys,
        sign_in_callback=None if options.authorization_server is None else options.authorization_server.callback,
    )
    routes = Web(lambda: actions, clock=clock, options=web_options).routes()
    if options.home is not None:
        routes.append(options.home.route(Pages(sandbox=options.sandbox, brand=brand), options.public_url.rstrip("/")))
    return routes


def _metrics_route(metrics: CallMetrics, key: str | None) -> Route:
    async def show(request: Request) -> Response:
        try:
            if key is not None and not same_secret(bearer_of(request.headers), key):
                return denial_response(AuthenticationError(401, "invalid_token", "The service key is wrong."))
        except AuthenticationError as denied:
            return denial_response(denied)
        return Response(await metrics.page(), headers={"content-type": CONTENT_TYPE})

    return Route("/metrics", show, methods=["GET"])


def _metadata_route(document: dict[str, Any]) -> Route:
    async def metadata(request: Request) -> Response:
        del request
        return JSONResponse(document, headers={"cache-control": "public, max-age=3600"})

    return Route("/.well-known/oauth-protected-resource/mcp", metadata, methods=["GET"])


def _health_routes(
    clock: Clock, shutdown: Shutdown, actions: Actions, oauth: AuthorizationServer | None
) -> list[Route]:
    lock = anyio.Lock()
    told: tuple[float, bool] | None = None

    async def check() -> bool:
        try:
            await actions.check()
            if oauth is not None:
                await oauth.ready()
        except ScalekitMCPError as exc:
            logger.warning("Not ready: %s", exc.message)
            return False
        return True

    async def healthz(request: Request) -> Response:
        del request
        return JSONResponse({"ok": True})

    async def readyz(request: Request) -> Response:
        nonlocal told
        del request
        if shutdown.not_ready:
            return JSONResponse({"ready": False, "why": "shutting down"}, status_code=503)
        async with lock:
            now = clock.now().timestamp()
            if told is None or now - told[0] >= READY_CACHE_SECONDS:
                told = (now, await check())
        ready = told[1]
        return JSONResponse({"ready": ready}, status_code=200 if ready else 503)

    return [Route("/healthz", healthz, methods=["GET"]), Route("/readyz", readyz, methods=["GET"])]

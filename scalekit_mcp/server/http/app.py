"""One ASGI application for remote clients: MCP on every transport, the browser's pages, REST, health."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
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
from scalekit_mcp.errors import ScalekitMCPError
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
from scalekit_mcp.server.http.serving import Shutdown
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
    from scalekit_mcp.server.web.brand import Brand
    from scalekit_mcp.server.web.home import Home

logger = logging.getLogger(__name__)

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

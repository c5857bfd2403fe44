"""Middleware for every HTTP route: header values, paths, caching, the `Host` check."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scalekit_mcp.server.hosts import HostGuard


def outer_middleware(allowed_hosts: Callable[[], Collection[str]], exempt: Collection[str] = ()) -> list[Middleware]:
    """The middleware in front of every route, outermost first; `exempt` paths accept every Host."""
    return [
        Middleware(IgnoreDisconnects),
        Middleware(NoStore),
        Middleware(TrimHeaders),
        Middleware(TrimPath),
        Middleware(HostGuard, allowed_hosts=allowed_hosts, exempt=exempt),
    ]


class IgnoreDisconnects:
    """Ends a request quietly if its client disconnected before it had sent everything: the server made no error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        with contextlib.suppress(ClientDisconnect):
            await self._app(scope, receive, send)


class BufferBody:
    """Reads the whole body before it passes a request on, so that no work begins for a body that never ends.

    A body longer than `max_bytes` is passed on as it arrives; the application behind refuses it.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, then pass the request on; raises `ClientDisconnect` if the client disconnected."""
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT", "PATCH"):
            await self._app(scope, receive, send)
            return
        body, more = bytearray(), True
        while more and len(body) <= self._max_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            more = message.get("more_body", False)
        first: Message | None = {"type": "http.request", "body": bytes(body), "more_body": more}

        async def again() -> Message:
            nonlocal first
            if first is None:
                return await receive()
            message, first = first, None
            return message

        await self._app(scope, again, send)


class NoStore:
    """Forbids caches to keep an answer, unless the route says that it is public.

    Nearly every answer carries a token, a link, a code or calendar content (RFC 6749 section 5.1 asks for both headers
    on tokens; RFC 9111 section 5.2.2.5).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the caching headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                headers = MutableHeaders(scope=message)
                told = headers.get("cache-control", "")
                if "public" not in told:
                    headers["pragma"] = "no-cache"
                    if "no-store" not in told:
                        headers["cache-control"] = f"no-store, {told}" if told else "no-store"
            await send(message)

        await self._app(scope, receive, marked)


class TrimHeaders:
    """Takes the white space around header values off (RFC 9110 section 5.5); httptools leaves what trails."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with trimmed header values."""
        if scope["type"] == "http" and any(value[-1:] in (b" ", b"\t") for _, value in scope["headers"]):
            scope = {**scope, "headers": [(name, value.strip(b" \t")) for name, value in scope["headers"]]}
        await self._app(scope, receive, send)


class CorsBeside(CORSMiddleware):
    """The application's CORS, for every path but those whose routes say themselves who may call from another origin."""

    def __init__(self, app: ASGIApp, *, own_cors: Collection[str] = (), **options: Any) -> None:
        super().__init__(app, **options)
        self._own_cors = own_cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; preflight requests of the other paths are answered here."""
        if scope["type"] == "http" and scope["path"] in self._own_cors:
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


OPERATORS_PAGES = frozenset({"/healthz", "/readyz", "/metrics"})
"""What only the operator's own network should reach; proxies hide these addresses."""


class TrimPath:
    """Serves an address with one slash at its end as the one without; the operator's own pages have one address each.

    A redirect would send a client, token and all, to `http://` where TLS ends at a proxy. A proxy in front that hides
    `/metrics` hides just that address.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its path without the slash at the end."""
        if scope["type"] == "http":
            path = scope["path"]
            if len(path) > 1 and path.endswith("/") and not path.endswith("//") and path[:-1] not in OPERATORS_PAGES:
                scope = {**scope, "path": path[:-1]}
        await self._app(scope, receive, send)

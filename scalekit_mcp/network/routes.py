"""Sends each request directly or through the proxy for its address."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping

import httpx2 as httpx

from scalekit_mcp.network.addresses import is_loopback
from scalekit_mcp.network.choice import proxy_for

POOL_CONNECTIONS = 200
POOL_KEPT = 50
KEPT_SECONDS = 120.0
"""Scalekit closes idle connections after five minutes."""


class Routes(httpx.AsyncBaseTransport):
    """Sends each request directly or through a proxy; a pool of connections for each way, opened when it is needed.

    `proxies` holds addresses by `https`, `http` and `all`. What leads to this machine never goes through one.
    """

    def __init__(self, *, proxies: Mapping[str, str], without_proxy: Iterable[str], tls: ssl.SSLContext) -> None:
        self._proxies = dict(proxies)
        self._without_proxy = tuple(without_proxy)
        self._tls = tls
        self._ways: dict[str | None, httpx.AsyncHTTPTransport] = {}

    def proxy_of(self, url: httpx.URL) -> str | None:
        """The proxy for an address; None for the direct way."""
        if is_loopback(url.host):
            return None
        return proxy_for(url.scheme, url.host, url.port, proxies=self._proxies, without_proxy=self._without_proxy)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As `httpx2.AsyncBaseTransport`; a proxy that speaks out of turn is a `ProxyError`."""
        proxy = self.proxy_of(request.url)
        way = self._way(proxy)
        if proxy is None:
            return await way.handle_async_request(request)
        try:
            return await way.handle_async_request(request)
        except httpx.HTTPError:
            raise
        except Exception as error:
            # The SOCKS handshake asserts what it expects, and its parser has exceptions of its own.
            raise httpx.ProxyError("the proxy does not speak its protocol", request=request) from error

    async def aclose(self) -> None:
        """Close every connection."""
        ways, self._ways = list(self._ways.values()), {}
        for way in ways:
            await way.aclose()

    def _way(self, proxy: str | None) -> httpx.AsyncHTTPTransport:
        way = self._ways.get(proxy)
        if way is None:
            limits = httpx.Limits(
                max_connections=POOL_CONNECTIONS, max_keepalive_connections=POOL_KEPT, keepalive_expiry=KEPT_SECONDS
            )
            way = httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False, limits=limits, proxy=proxy)
            self._ways[proxy] = way
        return way

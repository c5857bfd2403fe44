"""The HTTP client and the OAuth client with metrics and spans for each request and each token grant."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import httpx2 as httpx

from scalekit_mcp.accounts import Grant, GrantError, ProviderAccount, TokenSet
from scalekit_mcp.microsoft import MicrosoftOAuth
from scalekit_mcp.telemetry import Metrics, note_request_id, traced
from scalekit_mcp.upstream import ROUTE, UpstreamClient

UNNAMED = "unnamed"
"""The route of a request whose sender named none."""


class InstrumentedClient(UpstreamClient):
    """An HTTP client that counts and traces the requests to Graph and to the token endpoint.

    Of a request only its method and the route that its sender named are recorded, of an answer only its status and its
    `request-id`.
    """

    def __init__(self, metrics: Metrics, *, graph_url: str, **options: Any) -> None:
        super().__init__(**options)
        self._metrics = metrics
        self._graph = httpx.URL(graph_url)

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """As `UpstreamClient.send`."""
        url = request.url
        graph = self._graph
        if url.host == graph.host and url.port == graph.port and url.path.startswith(graph.path + "/"):
            return await self._to_graph(request, options)
        if url.path.endswith("/oauth2/v2.0/token"):
            with traced("POST token", client=True, server__address=url.host) as span:
                response = await super().send(request, **options)
                span.note(http__response__status_code=response.status_code)
                return response
        return await super().send(request, **options)

    async def _to_graph(self, request: httpx.Request, options: dict[str, Any]) -> httpx.Response:
        method, route = request.method, str(request.extensions.get(ROUTE, UNNAMED))
        began = time.perf_counter()
        status = "no_answer"
        with traced(
            f"{method} {route}",
            client=True,
            http__request__method=method,
            url__template=route,
            server__address=request.url.host,
        ) as span:
            try:
                response = await super().send(request, **options)
                status = str(response.status_code)
                request_id = response.headers.get("request-id")
                note_request_id(request_id)
                span.note(http__response__status_code=response.status_code, microsoft__request_id=request_id)
                if response.status_code >= 400:
                    span.failed(status)
                return response
            finally:
                seconds = time.perf_counter() - began
                metrics = self._metrics
                metrics.count("graph_requests_total", method=method, status=status)
                metrics.observe("graph_request_seconds", seconds, method=method)
                if status in {"429", "503"}:
                    metrics.count("graph_throttles_total", status=status)
                if status == "no_answer" or status >= "400":
                    metrics.count("graph_errors_total", status=status)


class InstrumentedOAuth(MicrosoftOAuth):
    """`MicrosoftOAuth` that records a span for each token grant and counts its outcome."""

    def __init__(self, metrics: Metrics, http: httpx.AsyncClient, **options: Any) -> None:
        super().__init__(http, **options)
        self._metrics = metrics

    async def refresh_token_grant(
        self, *, refresh_token: str, account: ProviderAccount, scopes: Sequence[str], claims: str | None = None
    ) -> TokenSet:
        """As `MicrosoftOAuth.refresh_token_grant`."""
        with traced("refresh", error_type=_code) as span:
            try:
                tokens = await super().refresh_token_grant(
                    refresh_token=refresh_token, account=account, scopes=scopes, claims=claims
                )
            except GrantError as failure:
                span.note(scalekit_mcp__fault=str(failure.fault.value))
                self._metrics.count("refreshes_total", outcome=str(failure.fault.value))
                raise
            self._metrics.count("refreshes_total", outcome="ok")
            return tokens

    async def authorization_code_grant(
        self, *, code: str, redirect_uri: str, code_verifier: str, nonce: str, scopes: Sequence[str]
    ) -> Grant:
        """As `MicrosoftOAuth.authorization_code_grant`."""
        with traced("redeem code", error_type=_code):
            try:
                grant = await super().authorization_code_grant(
                    code=code, redirect_uri=redirect_uri, code_verifier=code_verifier, nonce=nonce, scopes=scopes
                )
            except GrantError as failure:
                self._metrics.count("code_redemptions_total", outcome=str(failure.fault.value))
                raise
            self._metrics.count("code_redemptions_total", outcome="ok")
            return grant


def _code(error: Exception) -> str:
    """The error type of a span: the provider's code if the provider refused, else the name of the exception class."""
    return error.code if isinstance(error, GrantError) else type(error).__qualname__

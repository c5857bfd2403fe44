"""The parts that meet the outside, watched: requests, refreshes and changes of status leave a trace."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx2 as httpx

from scalekit_mcp.accounts.authorization.provider import Grant, GrantFailure
from scalekit_mcp.accounts.model.records import ConnectedAccount, HistoryEntry, ProviderAccount, TokenSet
from scalekit_mcp.accounts.vault.changes import Change, ChangeStatus
from scalekit_mcp.accounts.vault.outbox import OutboxVault
from scalekit_mcp.microsoft.identity.oauth import MicrosoftOAuth
from scalekit_mcp.telemetry import Metrics, note_request_id, traced
from scalekit_mcp.upstream import ROUTE, UpstreamClient

logger = logging.getLogger("scalekit_mcp.events")

UNNAMED = "unnamed"
"""The route of a request whose sender named none."""


class ObservedClient(UpstreamClient):
    """An HTTP client that counts and traces the requests to Graph and to the token endpoint.

    Of a request only its method and the route that its sender named are told, of an answer its status and its
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


class ObservedOAuth(MicrosoftOAuth):
    """Microsoft's token endpoint with a span, a number and, where it refuses, a line for each grant."""

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
            except GrantFailure as failure:
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
            except GrantFailure as failure:
                self._metrics.count("code_redemptions_total", outcome=str(failure.fault.value))
                raise
            self._metrics.count("code_redemptions_total", outcome="ok")
            return grant


class ObservedVault(OutboxVault):
    """The vault with a line and a number for every change of status."""

    def __init__(self, metrics: Metrics, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._metrics = metrics
        self._changed: Callable[[], None] | None = None

    def on_change(self, changed: Callable[[], None]) -> None:
        """Have `changed` called after every change of status."""
        self._changed = changed

    async def create_account(self, account: ConnectedAccount, entry: HistoryEntry) -> bool:
        """As `OutboxVault.create_account`."""
        created = await super().create_account(account, entry)
        if created:
            self._tell(entry)
        return created

    async def delete_account(self, account_id: str, entry: HistoryEntry) -> bool:
        """As `OutboxVault.delete_account`."""
        deleted = await super().delete_account(account_id, entry)
        if deleted:
            self._tell(entry)
        return deleted

    async def commit(self, *changes: Change) -> bool:
        """As `OutboxVault.commit`."""
        written = await super().commit(*changes)
        if written:
            for change in changes:
                if isinstance(change, ChangeStatus) and change.change.visible:
                    self._tell(change.change.entry())
        return written

    def _tell(self, entry: HistoryEntry) -> None:
        old, new = str(entry.old_status or "none"), str(entry.new_status or "deleted")
        self._metrics.count("status_changes_total", old_status=old, new_status=new, cause=str(entry.cause))
        logger.info(
            "'%s' on '%s': %s -> %s (%s)",
            entry.identifier,
            entry.connection_name,
            old,
            new if entry.new_reason is None else f"{new}, {entry.new_reason}",
            entry.cause,
            extra={
                "event": "status_changed",
                "identifier": entry.identifier,
                "connection_name": entry.connection_name,
                "account_id": entry.account_id,
                "old_status": entry.old_status,
                "new_status": entry.new_status,
                "old_reason": entry.old_reason,
                "new_reason": entry.new_reason,
                "cause": str(entry.cause),
                "code": entry.code,
            },
        )
        if self._changed is not None:
            self._changed()


def _code(error: Exception) -> str:
    """The provider's own number of a refusal; the kind of anything else."""
    return error.code if isinstance(error, GrantFailure) else type(error).__qualname__

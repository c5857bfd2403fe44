"""Microsoft Graph through Scalekit's proxy, as `GraphClient` reaches it: addresses, and who refused what.

Three parties can refuse a call there: Microsoft (Graph's error object, or Scalekit's with `TOOL_ERROR`), Scalekit (the
gRPC status as JSON), and whatever else stands in between (a page in HTML, an empty body). Only Microsoft's word decides
about events, and only Scalekit's about the machine's own token.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2 as httpx

from scalekit_mcp.errors import (
    AuthorizationRequired,
    ConnectionMisconfigured,
    InvalidInput,
    ProviderUnavailable,
    ScalekitMCPError,
)
from scalekit_mcp.microsoft import GraphFailure, Refusal, Then, graph_refusal, on_host_of
from scalekit_mcp.scalekit.proxy.proxy import PREFIX, ProxyNotEnabled, is_switched_off
from scalekit_mcp.scalekit.refusals import graph_failure
from scalekit_mcp.scalekit.rest import RefusedBy, ScalekitError, refused_by

_WHAT = "carry a call to Microsoft Graph"
_HEADERS_HINT = (
    "The operator checks SCALEKIT_MCP_CONNECTION and SCALEKIT_ENV_URL, and whether a reverse proxy on the way drops "
    "headers whose names have an underscore (connection_name)."
)


@dataclass(frozen=True, slots=True)
class ProxiedGraph:
    """Graph below `{env_url}/proxy`; `graph_url` is Graph's own address, version included, which its links name."""

    env_url: str
    graph_url: str
    name: str = "Scalekit's proxy to Microsoft Graph"

    def url(self, address: str) -> str:
        """As `GraphEndpoint`."""
        return self._base_url + urlsplit(self.graph_url).path + address

    @property
    def _base_url(self) -> str:
        return self.env_url.rstrip("/") + PREFIX

    def url_of_next(self, link: str) -> str:
        """The page's address at the proxy: path and query of a link to Graph's own host, or to the proxy itself.

        Nothing is ever sent to the host that the link names.
        """
        if on_host_of(self._base_url, link):
            return link
        if on_host_of(self.graph_url, link) or on_host_of(_beside(self.env_url, self.graph_url), link):
            parts = urlsplit(link)
            return f"{self._base_url}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        if not link.startswith(("http://", "https://")):
            raise InvalidInput(
                "`page` is of a list that was read another way and cannot be continued.",
                field="page",
                next_step="Leave `page` out to begin the list again.",
            )
        raise ProviderUnavailable(
            "The answer through Scalekit's proxy points to its next page on another host, which is not followed.",
            retryable=False,
            who_acts="operator",
            next_step="The operator checks MICROSOFT_CLOUD; without a further page, narrow the window.",
        )

    def refusal(self, status: int, headers: httpx.Headers, content: bytes) -> Refusal:
        """As `GraphEndpoint`."""
        if is_switched_off(content):
            return Refusal(GraphFailure(status), Then.RAISE, error=ProxyNotEnabled())
        by = refused_by(content)
        failure = ScalekitError.of(status, headers, content)
        if by is RefusedBy.PROVIDER:
            return self._by_microsoft(failure, headers, content)
        return Refusal(GraphFailure(status), _then(status, by), error=_from(failure, _error(failure, by)))

    def _by_microsoft(self, failure: ScalekitError, headers: httpx.Headers, content: bytes) -> Refusal:
        said = GraphFailure.read(failure.status, content, headers.get("request-id"))
        if failure.from_provider:
            said = graph_failure(failure)
        if said.status == 401:
            refused = AuthorizationRequired(
                "Microsoft no longer accepts the permission of this account.",
                status="EXPIRED",
                reason="unknown",
                request_id=said.request_id,
            )
            return Refusal(said, Then.RAISE, error=_from(failure, refused))
        refusal = graph_refusal(said, headers)
        # A claims challenge is met by a person's token, and that one is Scalekit's to get.
        return Refusal(said, Then.RAISE if refusal.then is Then.RENEW else refusal.then, refusal.claims)


def _beside(env_url: str, graph_url: str) -> str:
    """Graph's path on the environment's own host: a proxy may write its own name into links."""
    return urlsplit(env_url)._replace(path=urlsplit(graph_url).path).geturl()


def _then(status: int, by: RefusedBy) -> Then:
    if status == 401:
        return Then.RENEW
    if status == 429:
        return Then.WAIT
    # Whoever stands in between may have handed the request on before it gave up, also with a 503.
    return Then.SETTLE if status >= 500 or status == 408 else Then.RAISE


def _error(failure: ScalekitError, by: RefusedBy) -> ScalekitMCPError:
    """The error of a refusal that is not Microsoft's."""
    if by is RefusedBy.SCALEKIT:
        error = failure.as_error(_WHAT)
        if failure.status == 404 or (failure.status < 500 and isinstance(error, ProviderUnavailable)):
            return ConnectionMisconfigured(error.message, next_step=_HEADERS_HINT)
        return error
    if failure.status == 401:
        return AuthorizationRequired(
            "The call through Scalekit's proxy was refused without a reason, also with a renewed token of the API "
            "client: most likely Microsoft no longer accepts the permission of this account.",
            status="EXPIRED",
            reason="unknown",
        )
    if failure.status == 429 or failure.status >= 500 or failure.status < 400:
        return failure.as_error(_WHAT)
    return ConnectionMisconfigured(
        f"The address of Scalekit's proxy answers HTTP {failure.status}, in words that are neither Microsoft's nor "
        "Scalekit's; nothing was read or changed.",
        next_step="The operator checks SCALEKIT_ENV_URL and what stands between this server and Scalekit; "
        "SCALEKIT_MCP_HOSTED_CALLS=tools does without the proxy.",
    )


def _from(cause: ScalekitError, error: ScalekitMCPError) -> ScalekitMCPError:
    """The error with its cause, by which it is seen that the account may be why."""
    error.__cause__ = cause
    return error

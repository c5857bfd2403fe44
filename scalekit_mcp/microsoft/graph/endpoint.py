"""Where Graph is reached, and what an answer that is no success means for the call.

`DirectGraph` is Microsoft's own address. What stands between this server and Graph (Scalekit's proxy) is another
`GraphEndpoint`; retries, limits and the settling of lost answers are those of `GraphClient` for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import httpx2 as httpx

from scalekit_mcp.errors import ProviderUnavailable, ScalekitMCPError
from scalekit_mcp.microsoft.graph.answers import on_host_of
from scalekit_mcp.microsoft.graph.errors import GraphFailure
from scalekit_mcp.microsoft.identity.challenge import claims_challenge


class Then(Enum):
    """What may follow a refusal."""

    RENEW = "renew"
    """Another access token may do: one is asked for, and the request is sent once more."""
    WAIT = "wait"
    """Nothing was carried out: the same request may be sent again after a pause."""
    SETTLE = "settle"
    """The request may have been carried out."""
    RAISE = "raise"
    """Nothing was carried out, and the same request would be refused again."""


_BY_STATUS: Mapping[int, Then] = {
    401: Then.RENEW,
    408: Then.SETTLE,
    429: Then.WAIT,
    500: Then.SETTLE,
    502: Then.SETTLE,
    503: Then.WAIT,
    504: Then.SETTLE,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success. `claims` is a claims challenge that another token has to meet.

    `error` is the error to raise where it was not Graph that refused; else the error follows from `failure`.
    """

    failure: GraphFailure
    then: Then
    claims: str | None = None
    error: ScalekitMCPError | None = None


class GraphEndpoint(Protocol):
    """Where Graph is reached."""

    @property
    def name(self) -> str:
        """Who answers there, as messages call it."""
        ...

    def url(self, address: str) -> str:
        """The address of a request, given its path and query below the version (`/me/events?$top=1`)."""
        ...

    def url_of_next(self, link: str) -> str:
        """Where the next page is that an `@odata.nextLink` names ("Paging Microsoft Graph data").

        Raises `ScalekitMCPError` for a link that leads elsewhere: an access token never leaves for another host.
        """
        ...

    def refusal(self, status: int, headers: httpx.Headers, content: bytes) -> Refusal:
        """What an answer without success means; `content` is empty where it was too large to be read."""
        ...


@dataclass(frozen=True, slots=True)
class DirectGraph:
    """Microsoft's own address; `base_url` has the version (`https://graph.microsoft.com/v1.0`)."""

    base_url: str
    name: str = "Microsoft Graph"

    def url(self, address: str) -> str:
        """As `GraphEndpoint`."""
        return self.base_url.rstrip("/") + address

    def url_of_next(self, link: str) -> str:
        """The link itself, if it leads to the configured host and below the configured path."""
        if not on_host_of(self.base_url.rstrip("/"), link):
            raise ProviderUnavailable(
                "Microsoft Graph's answer points to its next page on another host, which is not followed.",
                retryable=False,
                who_acts="operator",
                next_step="The operator checks MICROSOFT_GRAPH_URL; without a further page, narrow the window.",
            )
        return link

    def refusal(self, status: int, headers: httpx.Headers, content: bytes) -> Refusal:
        """As `GraphEndpoint`; Graph says in a claims challenge which token it wants instead."""
        return graph_refusal(GraphFailure.read(status, content, headers.get("request-id")), headers)


def graph_refusal(failure: GraphFailure, headers: httpx.Headers) -> Refusal:
    """What a refusal by Graph itself means."""
    claims = claims_challenge(headers.get_list("www-authenticate"))
    if failure.status == 403 and claims is not None:
        return Refusal(failure, Then.RENEW, claims)
    then = _BY_STATUS.get(failure.status, Then.RAISE)
    return Refusal(failure, then, claims if then is Then.RENEW else None)

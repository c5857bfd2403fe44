"""The Scalekit environment that keeps the tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

from scalekit_mcp.network import Network


@dataclass(frozen=True, slots=True)
class ScalekitEnvironment:
    """The address of a Scalekit environment (no slash at its end) and our credentials there.

    `graph_url` is Microsoft Graph's own address, version included, to which Scalekit's proxy leads.
    """

    env_url: str
    client_id: str
    client_secret: str = field(repr=False)
    network: Network = field(default_factory=Network)
    graph_url: str = "https://graph.microsoft.com/v1.0"

"""Where the environment of Scalekit is that keeps the tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

from scalekit_mcp.network import Network


@dataclass(frozen=True, slots=True)
class ScalekitEnvironment:
    """Where Scalekit is and who we are there. `env_url` without a slash at the end."""

    env_url: str
    client_id: str
    client_secret: str = field(repr=False)
    network: Network = field(default_factory=Network)

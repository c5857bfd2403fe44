"""What the REST routes need from whoever composes the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scalekit_mcp.clock import Clock, SystemClock
from scalekit_mcp.server.callers.session_tokens import SessionTokens
from scalekit_mcp.server.limits import CallLimiter
from scalekit_mcp.server.metrics import CallMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class RestOptions:
    """What the routes need: the key that opens them, and what mints session tokens (None: minting is not offered).

    `connections` are those of the settings, the calendar's first, with their providers' keys. `proxy`: calls of the
    caller's own to the provider are offered. `limiter` holds how many calls of one user run at once; share the MCP
    server's. `metrics` counts the calls.
    """

    service_key: str = field(repr=False)
    public_url: str
    version: str = ""
    read_only: bool = False
    connections: Mapping[str, str] = field(default_factory=lambda: {"outlook": "OUTLOOK"})
    proxy: bool = False
    session_tokens: SessionTokens | None = None
    limiter: CallLimiter = field(default_factory=CallLimiter)
    metrics: CallMetrics = field(default_factory=CallMetrics)
    clock: Clock = field(default_factory=SystemClock)

    @property
    def connection_name(self) -> str:
        """The connection of the calendar."""
        return next(iter(self.connections))

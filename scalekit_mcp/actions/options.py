"""What whoever opens the seam decides, whoever keeps the tokens."""

from __future__ import annotations

from dataclasses import dataclass

from scalekit_mcp.actions.protocol import LinkBase
from scalekit_mcp.call_deadline import MAX_CALL_SECONDS
from scalekit_mcp.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """Time, our own pages, and how calls behave.

    `further_connections` are those beside the calendar's whose tools Scalekit runs. `link_base` gives the address under
    which our own pages are served. `timezone` is the zone of answers where a call names none. `user_verification` is
    `off`, `confirm` or `url`; for `url`, `user_verify_url` is the operator's page. `call_seconds` is the longest that
    one tool call lasts.
    """

    clock: Clock
    link_base: LinkBase
    connection_name: str = "outlook"
    further_connections: tuple[str, ...] = ()
    timezone: str = "UTC"
    user_verification: str = "confirm"
    user_verify_url: str | None = None
    call_seconds: float = MAX_CALL_SECONDS

    @property
    def connections(self) -> tuple[str, ...]:
        """The names of all connections, the calendar's first."""
        return (self.connection_name, *self.further_connections)

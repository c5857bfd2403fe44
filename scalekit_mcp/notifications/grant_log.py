"""Logs and counts every end of a grant of an app."""

from __future__ import annotations

import logging

from scalekit_mcp.accounts import ClientGrant, GrantEnd
from scalekit_mcp.telemetry import Metrics

_SUSPICIOUS = (GrantEnd.CODE_REUSED, GrantEnd.REFRESH_TOKEN_REUSED)
"""Somebody holds a copy of what only the app should have."""

logger = logging.getLogger("scalekit_mcp.events")


class GrantLog:
    """A listener of the vault, for `Vault.on_grant_end`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def __call__(self, grant: ClientGrant) -> None:
        """Count and log one end."""
        why = str(grant.ended_why)
        self._metrics.count("grants_ended_total", reason=why)
        logger.log(
            logging.WARNING if grant.ended_why in _SUSPICIOUS else logging.INFO,
            "The grant %s of the app at %s, which calls itself '%s', for '%s' ended: %s.",
            *(grant.id, grant.client.host, grant.client.name, grant.identifier, why),
            extra={"event": "grant_ended", "grant": grant.id, "reason": why},
        )

"""A line in the log and a number for every change of an account's status."""

from __future__ import annotations

import logging

from scalekit_mcp.accounts.model.records import HistoryEntry
from scalekit_mcp.telemetry import Metrics

logger = logging.getLogger("scalekit_mcp.events")


class StatusLog:
    """A listener of the vault, for `Vault.on_status_change`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def __call__(self, entry: HistoryEntry) -> None:
        """Count and log one change."""
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

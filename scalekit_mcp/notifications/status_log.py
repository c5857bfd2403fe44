"""Logs and counts every change of an account's status."""

from __future__ import annotations

import logging
from dataclasses import asdict

from scalekit_mcp.accounts import HistoryEntry
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
            extra={"event": "status_changed", **{name: value for name, value in asdict(entry).items() if name != "at"}},
        )

"""Counts and times every tool call for monitoring, and writes one line of the audit log for each."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from scalekit_mcp.actions import Actions
from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.telemetry import AUDIT_LOGGER, Metrics, noting, target_id

audit = logging.getLogger(AUDIT_LOGGER)
logger = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATUSES = ("PENDING", "ACTIVE", "EXPIRED", "REVOKED")
GATHER_SECONDS = 30.0
"""How long counted numbers of accounts are reused, because counting a large vault takes time."""


class CallMetrics:
    """Counts the calls of one process. Labels are tool names and words of closed lists, never a caller's input.

    `registry` holds what others of the process count too; `gather` brings numbers that are looked up, not counted.
    """

    def __init__(self, registry: Metrics | None = None, *, gather: Callable[[], Awaitable[None]] | None = None) -> None:
        self.registry = registry or Metrics()
        self._gather = gather

    def observe(self, tool_name: str, outcome: str, seconds: float) -> None:
        """Count one finished call."""
        self.registry.count("tool_calls_total", tool=tool_name, outcome=outcome)
        self.registry.observe("tool_call_seconds", seconds, tool=tool_name)

    async def page(self) -> str:
        """All numbers, those that have to be looked up too."""
        if self._gather is not None:
            await self._gather()
        return self.render()

    def render(self) -> str:
        """The counters as text."""
        return self.registry.render()


class AccountNumbers:
    """How many accounts have which status; looked up at most every `GATHER_SECONDS`."""

    def __init__(self, registry: Metrics, actions: Actions, *, connection_name: str | None) -> None:
        self._registry = registry
        self._actions = actions
        self._connection_name = connection_name
        self._next_at = 0.0

    async def __call__(self) -> None:
        """Update the numbers if they are too old; if the vault does not answer they stay as they were."""
        now = time.monotonic()
        if now < self._next_at:
            return
        self._next_at = now + GATHER_SECONDS
        try:
            for status in STATUSES:
                page = await self._actions.list_connected_accounts(
                    connection_name=self._connection_name, status=status, page_size=1
                )
                self._registry.gauge("connected_accounts", page.total_size, status=status)
        except ScalekitMCPError as exc:
            logger.warning("Accounts were not counted: %s", exc.code)


class MeasuredCall:
    """One tool call as it runs: whose it is, how it ended, what it acted on."""

    def __init__(self, identifier: str) -> None:
        self.identifier = identifier
        self.outcome = "cancelled"
        self._target_id: str | None = None

    @property
    def target(self) -> str | None:
        """The id of the event that was acted on."""
        return self._target_id

    def acts_on(self, *candidates: Mapping[str, Any] | None) -> None:
        """Take the event's id from the first of `candidates` (a result, the arguments) that holds one."""
        self._target_id = target_id(*candidates) or self._target_id


@contextmanager
def watched(
    metrics: CallMetrics, tool_name: str, *, identifier: str = "-", label: str | None = None
) -> Generator[MeasuredCall]:
    """Measure one tool call: at its end it is counted, and the audit log gets a line without arguments and results.

    `label` is what is counted where the names of tools are others' and may be many.
    """
    call = MeasuredCall(identifier)
    began = time.perf_counter()
    with noting(tool_name) as noted:
        try:
            yield call
        finally:
            seconds = time.perf_counter() - began
            metrics.observe(label or tool_name, call.outcome, seconds)
            milliseconds = round(seconds * 1000)
            audit.info(
                "%s for %s: %s in %d ms",
                tool_name,
                call.identifier,
                call.outcome,
                milliseconds,
                extra={
                    "event": "tool_call",
                    "tool_name": tool_name,
                    "identifier": call.identifier,
                    "target_id": call.target,
                    "outcome": call.outcome,
                    "duration_ms": milliseconds,
                    "request_ids": noted.request_ids or None,
                    "trace_id": noted.trace_id,
                },
            )

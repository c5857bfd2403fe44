"""A signed message to the operator for every change of an account's status ("Standard Webhooks", specification 1.0).

What has to be told is written into the vault together with the change itself, and crossed out when it was told: a
restart, a crash or a receiver that is down loses nothing silently. Events and their payload are named as Scalekit's.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import httpx2 as httpx

from scalekit_mcp.accounts import HistoryEntry, Reason, scalekit_status
from scalekit_mcp.clock import Clock, rfc3339
from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.telemetry import Metrics
from scalekit_mcp.upstream import AnswerTooLargeError

logger = logging.getLogger("scalekit_mcp.webhook")

RETRY_SECONDS = (5.0, 30.0)
"""How long after a failed delivery the next one follows; after two retries an event is given up, with an error line."""
DELIVERY_SECONDS = 10.0
LEASE_SECONDS = 60.0
POLL_SECONDS = 5.0
CLOSE_SECONDS = 3.0
_BATCH = 20


@dataclass(frozen=True, slots=True)
class Due:
    """An event that has to be told: its id in the history, when it is due, how often it was tried."""

    id: str
    due_at: datetime
    tries: int
    entry: HistoryEntry


class Outbox(Protocol):
    """The part of the vault that stores the events still to be delivered; raises `VaultError`."""

    async def due_deliveries(self, *, now: datetime, limit: int) -> Sequence[tuple[str, datetime, int, HistoryEntry]]:
        """The events that are due, the oldest first: (id, due at, tries so far, entry)."""
        ...

    async def settle_delivery(
        self, entry_id: str, *, due_at: datetime, next_due_at: datetime | None, tries: int
    ) -> bool:
        """Postpone the event due at `due_at`, or remove it (None); False if another process did so first."""
        ...


@dataclass(frozen=True, slots=True)
class Webhook:
    """The receiver's address and the signing key; `secret` is the decoded part of `whsec_...`."""

    url: str
    secret: bytes = field(repr=False)


def parse_secret(text: str) -> bytes:
    """The key in `whsec_<base64>`; raises ValueError unless it has 24 to 64 bytes."""
    encoded = text.strip().removeprefix("whsec_")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.strip().startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError("it must be whsec_ and the base64 of 24 to 64 random bytes")
    return key


def signed_headers(message_id: str, timestamp: int, body: bytes, secret: bytes) -> dict[str, str]:
    """The three headers of a message: HMAC-SHA256 over `id.timestamp.body`."""
    signature = hmac.digest(secret, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + base64.b64encode(signature).decode(),
    }


def _status(status: str | None, reason: str | None) -> str | None:
    return None if status is None else scalekit_status(status, reason, held=reason == Reason.AWAITING_CONFIRMATION)


def event_of(entry_id: str, entry: HistoryEntry, *, provider: str = "OUTLOOK") -> dict[str, Any] | None:
    """The message of a change; None where only the reason of a PENDING account moved."""
    old = _status(entry.old_status, entry.old_reason)
    new = _status(entry.new_status, entry.new_reason)
    if entry.old_status is None and entry.new_status is not None:
        kind = "connected_account.created"
    elif entry.new_status is None:
        kind = "connected_account.deleted"
    elif (old, entry.old_status) == (new, entry.new_status):
        return None
    else:
        kind = "connected_account.status_updated"
    data = {
        "id": entry.account_id,
        "identifier": entry.identifier,
        "connection_name": entry.connection_name,
        "provider": provider,
        "authorization_type": "OAUTH",
        "status": new,
        "old_status": old,
        "account_status": entry.new_status,
        "old_account_status": entry.old_status,
        "reason": entry.new_reason,
        "old_reason": entry.old_reason,
        "code": entry.code,
    }
    return {
        "spec_version": "1",
        "id": f"evt_{entry_id}",
        "type": kind,
        "occurred_at": rfc3339(entry.at),
        "object": "ConnectedAccount",
        "data": {name: value for name, value in data.items() if value is not None},
    }


class WebhookSender:
    """Delivers due events in the background; no call waits for it. Several processes may share one outbox."""

    def __init__(self, webhook: Webhook, outbox: Outbox, *, http: httpx.AsyncClient, clock: Clock, metrics: Metrics):
        self._webhook = webhook
        self._outbox = outbox
        self._http = http
        self._clock = clock
        self._metrics = metrics
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver; a second call changes nothing."""
        if self._task is None:
            # Not in the context of whichever call came first: nothing of that call belongs to what is told later.
            self._task = asyncio.create_task(self._run(), name="webhook", context=Context())

    def wake(self, entry: HistoryEntry) -> None:
        """Look for due events at once, because a change was written."""
        del entry
        self._wake.set()

    async def aclose(self) -> None:
        """Deliver due events for a few seconds at most; the rest stays in the vault for the next start."""
        task, self._task = self._task, None
        if task is None:
            return
        self._closing = True
        self._wake.set()
        _, late = await asyncio.wait({task}, timeout=CLOSE_SECONDS)
        for each in late:
            each.cancel()
            with suppress(asyncio.CancelledError):
                await each

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.deliver_due()
            except ScalekitMCPError as exc:
                logger.warning("Webhooks wait: %s", exc.message)
            except Exception:
                logger.exception("Webhooks wait: something unexpected happened")
            if self._closing:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()

    async def deliver_due(self) -> int:
        """Deliver every event that is due now; returns how many were delivered."""
        told = 0
        while True:
            found = await self._outbox.due_deliveries(now=self._clock.now(), limit=_BATCH)
            for entry_id, due_at, tries, entry in found:
                told += await self._deliver(Due(entry_id, due_at, tries, entry))
            if len(found) < _BATCH:
                return told

    async def _deliver(self, due: Due) -> bool:
        event = event_of(due.id, due.entry)
        if event is None:
            await self._outbox.settle_delivery(due.id, due_at=due.due_at, next_due_at=None, tries=due.tries)
            return False
        lease = self._clock.now() + timedelta(seconds=LEASE_SECONDS)
        if not await self._outbox.settle_delivery(due.id, due_at=due.due_at, next_due_at=lease, tries=due.tries):
            return False  # another process tells it
        failure = await self._post(event)
        tries = due.tries + 1
        if failure is None:
            outcome, next_due_at = "delivered", None
        elif due.tries < len(RETRY_SECONDS):
            outcome = "failed"
            next_due_at = self._clock.now() + timedelta(seconds=RETRY_SECONDS[due.tries])
        else:
            outcome, next_due_at = "given_up", None
        await self._outbox.settle_delivery(due.id, due_at=lease, next_due_at=next_due_at, tries=tries)
        self._metrics.count("webhook_deliveries_total", outcome=outcome)
        self._log(event, outcome, failure, tries)
        return failure is None

    async def _post(self, event: dict[str, Any]) -> str | None:
        """Send one message; None if the receiver accepted it, else a word for what went wrong."""
        body = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
        headers = signed_headers(event["id"], int(self._clock.now().timestamp()), body, self._webhook.secret)
        try:
            async with asyncio.timeout(DELIVERY_SECONDS):
                response = await self._http.post(
                    self._webhook.url,
                    content=body,
                    headers={"content-type": "application/json", **headers},
                    follow_redirects=False,
                )
        except (TimeoutError, httpx.TimeoutException):
            return "timeout"
        except AnswerTooLargeError as exc:
            status = exc.status_code  # the status says whether it was taken; nothing is read of the body
            return None if 200 <= status < 300 else f"HTTP {status}"
        except httpx.HTTPError as exc:
            return type(exc).__name__
        return None if response.is_success else f"HTTP {response.status_code}"

    def _log(self, event: dict[str, Any], outcome: str, failure: str | None, tries: int) -> None:
        level = {"delivered": logging.INFO, "failed": logging.WARNING, "given_up": logging.ERROR}[outcome]
        logger.log(
            level,
            "%s of '%s' %s%s",
            event["type"],
            event["data"]["identifier"],
            {
                "delivered": "was delivered",
                "failed": "was not taken and will be sent again",
                "given_up": "was not taken and is given up; `scalekit-mcp audit` shows it",
            }[outcome],
            f" ({failure})" if failure else "",
            extra={
                "event": "webhook",
                "webhook_id": event["id"],
                "event_type": event["type"],
                "identifier": event["data"]["identifier"],
                "outcome": outcome,
                "attempt": tries,
            },
        )

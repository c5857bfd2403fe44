"""What the sandbox keeps of what happened: requests as received, mails as sent, what rooms were asked. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True)
class MailRecord:
    """One mail that a calendar sent to one person."""

    kind: str
    """`invitation`, `update`, `cancellation` or `response`."""
    sender: str
    to: str
    subject: str
    comment: str
    ical_uid: str
    at: datetime


@dataclass(frozen=True)
class RoomRequest:
    """An invitation that a room has not answered yet; `day` names one date of a series."""

    room: str
    """The room's address in lower case."""
    ical_uid: str
    """That of the meeting or series."""
    day: date | None
    due: datetime


@dataclass(frozen=True)
class RecordedRequest:
    """One request as received. Secrets are kept: a sandbox has none that matter, and tests look for planted ones."""

    number: int
    at: datetime
    area: str
    """`identity`, `graph` or `scalekit` (the hosted API)."""
    method: str
    path: str
    query: dict[str, str] = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    body: Any = field(repr=False)
    person: str | None = None
    status: int | None = None

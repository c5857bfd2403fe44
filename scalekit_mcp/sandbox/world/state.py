"""The sandbox's world: tenants, people, applications, consents, the clock and the switches.

Plain data that both halves of the look-alike share: `identity` (sign-in and tokens) and `graph` (calendars) read and
change it, the control surface and the Python methods of `Sandbox` turn its switches.
"""

from __future__ import annotations

import itertools
import random
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from scalekit_mcp.sandbox.world.switches import GraphFault, Switches, TokenFault

if TYPE_CHECKING:
    from scalekit_mcp.sandbox.graph.calendar.store import Mailbox

__all__ = [
    "CONSUMER_TENANT",
    "AppRegistration",
    "EnterpriseApp",
    "GraphFault",
    "MailRecord",
    "Person",
    "RecordedRequest",
    "SandboxClock",
    "Switches",
    "Tenant",
    "TokenFault",
    "World",
]

CONSUMER_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"


class SandboxClock:
    """Wall time plus an offset that can be moved, or a fixed instant."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        """The sandbox's present, an aware datetime in UTC."""
        if self._frozen is not None:
            return self._frozen
        return datetime.now(UTC) + self._offset

    def advance(self, seconds: float) -> None:
        """Move the present forward."""
        if self._frozen is not None:
            self._frozen += timedelta(seconds=seconds)
        else:
            self._offset += timedelta(seconds=seconds)

    def freeze(self, at: datetime | None) -> None:
        """Stop the clock at `at`, or let it run again from there (None)."""
        if at is None and self._frozen is not None:
            self._offset = self._frozen - datetime.now(UTC)
        self._frozen = at


@dataclass
class Tenant:
    """An organization in the look-alike's directory (or the tenant of personal accounts)."""

    id: str
    name: str
    domain: str
    personal: bool = False
    user_consent: str = "allow_all"
    """`allow_all`, `managed` (calendar scopes need an administrator) or `none`."""
    admin_consent_workflow: bool = False
    teams_allowed: bool = True


@dataclass
class Person:
    """Somebody who can sign in."""

    oid: str
    tenant_id: str
    name: str
    address: str
    time_zone: str = "UTC"
    is_admin: bool = False
    is_guest: bool = False
    enabled: bool = True
    deleted: bool = False
    has_mailbox: bool = True
    teams_allowed: bool = True
    home_oid: str | None = None
    """A guest's own account elsewhere, the one that the sign-in page offers."""


@dataclass
class AppRegistration:
    """A registered application."""

    client_id: str
    name: str
    client_secret: str | None = field(repr=False)
    redirect_uris: tuple[str, ...] = ("http://localhost/oauth/callback", "http://localhost/oauth/admin-consent")
    platform: str = "web"
    """`web`, `spa` or `native` (a public client)."""
    audience: str = "AzureADandPersonalMicrosoftAccount"
    home_tenant_id: str | None = None
    secret_expires_at: datetime | None = None
    certificates: tuple[str, ...] = ()
    """PEM certificates whose assertions are accepted."""
    permissions: tuple[str, ...] = ("User.Read", "Calendars.ReadWrite")
    """The registration's own list, which `.default` and the older admin consent page stand for."""
    deleted: bool = False


@dataclass
class EnterpriseApp:
    """An application's principal in one tenant."""

    client_id: str
    tenant_id: str
    enabled: bool = True
    deleted: bool = False
    assignment_required: bool = False
    assigned_oids: set[str] = field(default_factory=set[str])
    admin_scopes: set[str] = field(default_factory=set[str])
    user_scopes: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Consented scopes, short names, by the person's oid."""


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


class World:
    """Everything that the look-alike knows."""

    def __init__(self, *, seed: int = 0, week_of: datetime | None = None) -> None:
        self.clock = SandboxClock()
        self.random = random.Random(seed)  # noqa: S311 - reproducible runs, nothing here is a real secret
        self.week_of = week_of
        self.base_url = "http://localhost"
        """Where the sandbox is reached, without a slash at the end; set while it is served."""
        self.tenants: dict[str, Tenant] = {}
        self.people: dict[str, Person] = {}
        """By lower-case address."""
        self.apps: dict[str, AppRegistration] = {}
        self.enterprise_apps: dict[tuple[str, str], EnterpriseApp] = {}
        """By (client_id, tenant_id)."""
        self.switches = Switches()
        self.requests: deque[RecordedRequest] = deque(maxlen=20_000)
        self.mails: list[MailRecord] = []
        """What attendees and organizers were mailed, oldest first."""
        self.mailboxes: dict[str, Mailbox] = {}
        """By the person's oid; filled when a mailbox is first needed."""
        self._numbers = itertools.count(1)

    def new_guid(self) -> str:
        """A GUID from the world's own seeded source."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def record(self, **fields: Any) -> RecordedRequest:
        """Keep one received request."""
        entry = RecordedRequest(number=next(self._numbers), at=self.clock.now(), **fields)
        self.requests.append(entry)
        return entry

    def person_by_oid(self, oid: str) -> Person | None:
        """The person with this object id, also a deleted one."""
        return next((person for person in self.people.values() if person.oid == oid), None)

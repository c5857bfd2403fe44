"""Whom the look-alike's directory knows: tenants, people and their hours, rooms, lists, applications. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

CONSUMER_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
WORKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
Shows = Literal["availability", "details", "view", "nothing", "no_entry"]
RoomAnswers = Literal["automatic", "accept", "decline", "never"]


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


@dataclass(frozen=True)
class WorkingHours:
    """The hours in which somebody can be met: `HH:MM`, an end before the start ends on the next day."""

    starts: str = "08:00"
    ends: str = "17:00"
    days: tuple[str, ...] = WORKDAYS
    time_zone: str | None = None
    """A Windows or IANA name, answered as it is written; None: the person's own zone under its Windows name."""
    zone_rules: Literal["name", "custom", "swapped"] = "name"
    """How the zone is answered: by name, as a `customTimeZone` with its rules, or as one whose two rules are swapped
    and whose bias holds the summer hour, as somebody reported."""


@dataclass
class Sharing:
    """What `getSchedule` shows of somebody to others."""

    shows: Shows = "availability"
    """`availability`: blocks without a subject; `details`: with subject and place; `view`: only the line of digits;
    `nothing`: an entry that is empty; `no_entry`: none at all."""
    error: tuple[str, str] | None = None
    """Code and text of an error instead."""


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
    aliases: tuple[str, ...] = ()
    """Further mail addresses."""
    working_hours: WorkingHours | None = field(default_factory=WorkingHours)
    """None: not told to anybody."""
    sharing: Sharing = field(default_factory=Sharing)

    def goes_by(self, address: str) -> bool:
        """Whether this is a mail address of theirs, in any letter case."""
        lower = address.lower()
        return lower == self.address.lower() or any(lower == alias.lower() for alias in self.aliases)


@dataclass
class Room:
    """A room or a piece of equipment with a calendar."""

    account: Person
    answers: RoomAnswers = "automatic"
    """`automatic`: accepts what does not overlap anything that it accepted before, and declines the rest."""


@dataclass
class DistributionList:
    """A list of the directory (`list`), or a Microsoft 365 group with a calendar of its own (`group`)."""

    tenant_id: str
    name: str
    address: str
    members: tuple[str, ...] = ()
    kind: Literal["list", "group"] = "list"


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

    def delete(self) -> None:
        """The principal is gone with its grants; a new consent brings it back."""
        self.deleted = True
        self.admin_scopes.clear()
        self.user_scopes.clear()

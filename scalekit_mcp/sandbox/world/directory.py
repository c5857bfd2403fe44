"""Whom the look-alike's directory knows: tenants, people, applications and their consents. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

CONSUMER_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"


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

    def delete(self) -> None:
        """The principal is gone with its grants; a new consent brings it back."""
        self.deleted = True
        self.admin_scopes.clear()
        self.user_scopes.clear()

"""Scopes: their spelling, who supports them, who may consent to them."""

from __future__ import annotations

import re

from scalekit_mcp.sandbox.identity.errors import IdentityError

GRAPH_PREFIX = "https://graph.microsoft.com/"
OIDC = ("openid", "profile", "email", "offline_access")

DESCRIPTIONS: dict[str, str] = {
    "openid": "Sign you in",
    "profile": "View your basic profile",
    "email": "View your email address",
    "offline_access": "Maintain access to data you have given it access to",
    "User.Read": "Sign you in and read your profile",
    "User.ReadBasic.All": "Read the basic profiles of all users",
    "Calendars.ReadBasic": "Read the basic details of your calendars",
    "Calendars.Read": "Read your calendars",
    "Calendars.ReadWrite": "Have full access to your calendars",
    "Calendars.Read.Shared": "Read calendars you can access",
    "Calendars.ReadWrite.Shared": "Read and write calendars you can access",
    "MailboxSettings.Read": "Read your mailbox settings",
    "MailboxSettings.ReadWrite": "Read and write your mailbox settings",
    "OnlineMeetings.ReadWrite": "Read and create your online meetings",
    "Contacts.Read": "Read your contacts",
    "Contacts.ReadWrite": "Have full access to your contacts",
    "Mail.Read": "Read your mail",
    "Mail.ReadWrite": "Read and write your mail",
    "Mail.Send": "Send mail as you",
    "People.Read": "Read your relevant people list",
    "Tasks.Read": "Read your tasks",
    "Tasks.ReadWrite": "Have full access to your tasks",
    "Place.Read.All": "Read all company places",
    "Directory.Read.All": "Read directory data",
}
_CANONICAL = {name.lower(): name for name in DESCRIPTIONS}
NOT_FOR_PERSONAL = frozenset(
    {
        "Calendars.Read.Shared",
        "Calendars.ReadWrite.Shared",
        "OnlineMeetings.ReadWrite",
        "Place.Read.All",
        "Directory.Read.All",
        "User.ReadBasic.All",
    }
)
ADMIN_ONLY = frozenset({"Place.Read.All", "Directory.Read.All"})
_MANAGED = re.compile(r"^(Calendars|Mail|MailboxSettings|Contacts|Tasks|People|OnlineMeetings|Chat|Files|Sites)\b")
"""What the Microsoft-managed policy takes out of the user's hands ("Manage app consent policies")."""
_RESOURCE = re.compile(r"^(https?://[^/]+)/+(.+)$")
_GRAPH_HOSTS = re.compile(
    r"^https?://(graph\.microsoft\.(com|us)|dod-graph\.microsoft\.us|microsoftgraph\.chinacloudapi\.cn"
    r"|localhost(:\d+)?|127\.0\.0\.1(:\d+)?|\[::1\](:\d+)?|00000003-0000-0000-c000-000000000000)$",
    re.IGNORECASE,
)


def parse_scopes(scope: str, *, permissions: tuple[str, ...]) -> frozenset[str]:
    """The short names in a `scope` parameter; `.default` stands for the registration's `permissions`.

    Raises:
        IdentityError: unknown resource (500011), unknown scope (650053), `.default` beside named scopes (70011).
    """
    names: set[str] = set()
    default = False
    for item in scope.split():
        name = _short_name(item)
        if name == ".default":
            default = True
            continue
        if name.lower() not in _CANONICAL:
            raise IdentityError(650053, f"Scope: '{name}'.")
        names.add(_CANONICAL[name.lower()])
    if default:
        if names - set(OIDC):
            raise IdentityError(70011, "'.default' cannot be combined with resource-specific scopes.")
        names.update(permissions)
    return frozenset(names)


def _short_name(item: str) -> str:
    found = _RESOURCE.match(item)
    if found is None:
        return item
    if not _GRAPH_HOSTS.match(found.group(1)):
        raise IdentityError(500011, f"Resource: '{found.group(1)}'.")
    return found.group(2).removeprefix("v1.0/")


def resource_scopes(scopes: frozenset[str] | set[str]) -> frozenset[str]:
    """Without the OpenID Connect ones."""
    return frozenset(scopes) - frozenset(OIDC)


def needs_admin(scopes: frozenset[str], policy: str) -> frozenset[str]:
    """Which of `scopes` an ordinary user cannot consent to under the tenant's consent `policy`."""
    if policy == "none":
        return scopes
    if policy == "managed":
        return frozenset(name for name in scopes if name in ADMIN_ONLY or _MANAGED.match(name))
    return scopes & ADMIN_ONLY


def echo(scopes: frozenset[str], *, personal: bool, form: str = "by_account") -> str:
    """The `scope` member of a token answer: full names for organizations, short ones for personal accounts.

    `form` `full` or `short` is one form for both.

    `offline_access` is not echoed.
    """
    names = sorted(resource_scopes(scopes))
    if form == "full" or (form == "by_account" and not personal):
        names = [GRAPH_PREFIX + name for name in names]
    if personal:
        return " ".join([*names, *(name for name in OIDC[:3] if name in scopes)])
    return " ".join([*names, *(OIDC[:3] if "openid" in scopes else ())])

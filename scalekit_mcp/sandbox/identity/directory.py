"""Who may sign in where, and what was consented to."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from scalekit_mcp.sandbox.identity.errors import IdentityError
from scalekit_mcp.sandbox.identity.scopes import OIDC, needs_admin, resource_scopes
from scalekit_mcp.sandbox.world import CONSUMER_TENANT, AppRegistration, EnterpriseApp, Person, Tenant, World

_GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
_MULTI = ("common", "organizations", "consumers")


class Directory:
    """Questions about the world that sign-in and token endpoint both ask."""

    def __init__(self, world: World) -> None:
        self.world = world

    def tenant_of(self, authority: str) -> Tenant | None:
        """The tenant behind a path segment; None for `common` and `organizations`.

        Raises:
            IdentityError: 90002 or 900023, nothing known by that name.
        """
        name = authority.lower()
        if name in ("common", "organizations"):
            return None
        if name == "consumers":
            return self.world.tenants[CONSUMER_TENANT]
        found = self.world.tenants.get(name) or next((t for t in self.world.tenants.values() if t.domain == name), None)
        if found is None or (found.personal and name != CONSUMER_TENANT):
            if _GUID.match(name) or "." in name:
                raise IdentityError(90002, f"Tenant: '{authority}'.")
            raise IdentityError(900023, f"Identifier: '{authority}'.")
        return found

    def app(self, client_id: str) -> AppRegistration:
        """The registration. Raises IdentityError 700016 for an unknown or deleted one."""
        app = self.world.apps.get(client_id.lower())
        if app is None or app.deleted:
            raise IdentityError(700016, f"Application: '{client_id}'.")
        return app

    def check_audience(self, app: AppRegistration, authority: str) -> None:
        """Refuse an authority that the registration's signInAudience does not cover."""
        tenant = self.tenant_of(authority)
        if app.audience == "AzureADMyOrg":
            if tenant is None:
                raise IdentityError(50194, f"Application: '{app.client_id}'.")
            if tenant.id != app.home_tenant_id:
                raise IdentityError(700016, f"Application: '{app.client_id}', tenant: '{tenant.name}'.")
        elif app.audience == "AzureADMultipleOrgs" and tenant is not None and tenant.personal:
            raise IdentityError(9002332)
        elif app.audience == "PersonalMicrosoftAccount" and not (tenant is not None and tenant.personal):
            raise IdentityError(9002331)

    def account_at(self, app: AppRegistration, home: Person, authority: str) -> Person:
        """The account that `home` has at this authority, a guest's record for instance.

        Raises:
            IdentityError: 50020, 500208, or 50057 and 50034 for a disabled or deleted account.
        """
        tenant = self.tenant_of(authority)
        personal = self.world.tenants[home.tenant_id].personal
        if tenant is None:
            if personal and (authority.lower() == "organizations" or app.audience == "AzureADMultipleOrgs"):
                raise IdentityError(50020, f"Account: '{home.address}' from identity provider 'live.com'.")
            account = home
        elif tenant.id == home.tenant_id:
            account = home
        elif tenant.personal:
            raise IdentityError(500208, f"Account: '{home.address}'.")
        else:
            guest = next(
                (
                    person
                    for person in self.world.people.values()
                    if person.home_oid == home.oid and person.tenant_id == tenant.id
                ),
                None,
            )
            if guest is None:
                raise IdentityError(50020, f"Account: '{home.address}', tenant: '{tenant.name}'.")
            account = guest
        for person in (home, account):
            if person.deleted:
                raise IdentityError(500341)
            if not person.enabled:
                raise IdentityError(50057)
        return account

    def enterprise_app(self, client_id: str, tenant_id: str) -> EnterpriseApp:
        """The application's principal in the tenant; made by the first consent."""
        key = (client_id, tenant_id)
        if key not in self.world.enterprise_apps:
            self.world.enterprise_apps[key] = EnterpriseApp(client_id, tenant_id)
        return self.world.enterprise_apps[key]

    def check_principal(self, client_id: str, person: Person, *, refreshing: bool) -> None:
        """Refuse what the tenant's administrators switched off.

        Raises:
            IdentityError: 7000112 disabled; at a refresh 700016 or 65001 deleted; 50105 not assigned.
        """
        principal = self.enterprise_app(client_id, person.tenant_id)
        if principal.deleted and refreshing:
            raise IdentityError(self.world.switches.deleted_app_code, f"Application: '{client_id}'.")
        if principal.deleted:
            return
        if not principal.enabled:
            raise IdentityError(7000112, f"Application: '{client_id}'.")
        if principal.assignment_required and person.oid not in principal.assigned_oids:
            raise IdentityError(50105, f"Application: '{client_id}'.")

    def consented(self, client_id: str, person: Person) -> frozenset[str]:
        """Every scope that the person, or an administrator for all, has consented to."""
        principal = self.world.enterprise_apps.get((client_id, person.tenant_id))
        if principal is None or principal.deleted:
            return frozenset()
        return frozenset(principal.admin_scopes | principal.user_scopes.get(person.oid, set()))

    def missing(self, client_id: str, person: Person, scopes: frozenset[str]) -> frozenset[str]:
        """Which of `scopes` still need consent; an administrator's consent covers the OpenID Connect ones too."""
        principal = self.world.enterprise_apps.get((client_id, person.tenant_id))
        covered = frozenset(OIDC) if principal is not None and principal.admin_scopes else frozenset[str]()
        return scopes - self.consented(client_id, person) - covered

    def consent(self, client_id: str, person: Person, scopes: frozenset[str], *, for_everybody: bool = False) -> None:
        """Remember a consent; a deleted principal comes back."""
        principal = self.enterprise_app(client_id, person.tenant_id)
        if principal.deleted:
            principal.deleted, principal.enabled = False, True
            principal.admin_scopes.clear()
            principal.user_scopes.clear()
        if for_everybody:
            principal.admin_scopes |= scopes
        else:
            principal.user_scopes.setdefault(person.oid, set()).update(scopes)

    def admin_only(self, person: Person, scopes: frozenset[str]) -> frozenset[str]:
        """Which of `scopes` this person cannot consent to."""
        if person.is_admin:
            return frozenset()
        tenant = self.world.tenants[person.tenant_id]
        if tenant.personal:
            return frozenset()
        if tenant.user_consent == "none":
            return scopes
        return needs_admin(resource_scopes(scopes), tenant.user_consent)


def redirect_uri_registered(app: AppRegistration, redirect_uri: str) -> bool:
    """Exact match; for `http://localhost` the port is ignored ("Redirect URI (reply URL) restrictions")."""
    if redirect_uri in app.redirect_uris:
        return True
    try:
        wanted = urlsplit(redirect_uri)
    except ValueError:
        return False
    if wanted.scheme != "http" or wanted.hostname != "localhost" or wanted.fragment:
        return False
    for registered in map(urlsplit, app.redirect_uris):
        if registered.scheme == "http" and registered.hostname == "localhost":
            same_path = (registered.path or "/") == (wanted.path or "/")
            if same_path and registered.query == wanted.query:
                return True
    return False


def is_multi_tenant(authority: str) -> bool:
    """True for `common`, `organizations` and `consumers`."""
    return authority.lower() in _MULTI

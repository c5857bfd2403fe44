"""Whom and what a switch means: people by address, tenants by id, domain or name, applications by client id."""

from __future__ import annotations

from scalekit_mcp.sandbox.identity.store import AdminRequest, IdentityStore
from scalekit_mcp.sandbox.world import AppRegistration, EnterpriseApp, Person, Tenant, World
from scalekit_mcp.sandbox.world.seed import DEFAULT_CLIENT_ID


def person(world: World, address: str) -> Person:
    """Somebody, by address. Raises LookupError when there is nobody."""
    found = world.people.get(address.strip().lower())
    if found is None:
        raise LookupError(f"The sandbox has nobody with the address '{address}'.")
    return found


def tenant(world: World, name: str) -> Tenant:
    """A tenant, by id, domain or name. Raises LookupError when there is none."""
    wanted = name.strip().lower()
    for candidate in world.tenants.values():
        if wanted in (candidate.id, candidate.domain.lower(), candidate.name.lower()):
            return candidate
    raise LookupError(f"The sandbox has no tenant '{name}'.")


def registration(world: World, client_id: str | None) -> AppRegistration:
    """An application registration, the default one when left out. Raises LookupError when there is none."""
    found = world.apps.get((client_id or DEFAULT_CLIENT_ID).lower())
    if found is None:
        raise LookupError(f"The sandbox has no application '{client_id}'.")
    return found


def enterprise_app(world: World, tenant_name: str, client_id: str | None) -> EnterpriseApp:
    """An application's principal in a tenant, made when it has none. Raises LookupError for an unknown name."""
    app, found = registration(world, client_id), tenant(world, tenant_name)
    return world.enterprise_apps.setdefault((app.client_id, found.id), EnterpriseApp(app.client_id, found.id))


def enterprise_apps(world: World, tenant_id: str, client_id: str | None) -> list[EnterpriseApp]:
    """The principals of a tenant; with `client_id`, that application's alone."""
    return [
        principal
        for (app, home), principal in world.enterprise_apps.items()
        if home == tenant_id and (client_id is None or app == client_id.lower())
    ]


def pending_request(store: IdentityStore, number: int) -> AdminRequest:
    """What somebody asked the administrators for. Raises LookupError when nothing of this number waits."""
    for request in store.admin_requests:
        if request.number == number and request.state == "pending":
            return request
    raise LookupError(f"The sandbox has no request for approval {number} that waits.")

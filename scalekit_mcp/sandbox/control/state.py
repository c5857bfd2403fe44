"""The sandbox's state as JSON values, for the control surface and the start page."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from scalekit_mcp.sandbox.identity.store import IdentityStore
from scalekit_mcp.sandbox.world import AppRegistration, RecordedRequest, World


def state_of(world: World, store: IdentityStore) -> dict[str, Any]:
    """Everything but tokens and calendars; application secrets are shown, they are the sandbox's own."""
    switches = asdict(world.switches)
    switches["withheld_scopes"] = sorted(world.switches.withheld_scopes)
    return {
        "sandbox": "This is a sandbox, not Microsoft.",
        "base_url": world.base_url,
        "now": world.clock.now().isoformat(),
        "tenants": [asdict(tenant) for tenant in world.tenants.values()],
        "people": [_dated(asdict(person)) for person in world.people.values()],
        "rooms": [asdict(room) for room in world.rooms.values()],
        "lists": [asdict(listed) for listed in world.lists.values()],
        "apps": [_dated(asdict(app)) for app in world.apps.values()],
        "enterprise_apps": [
            {
                **asdict(principal),
                "assigned_oids": sorted(principal.assigned_oids),
                "admin_scopes": sorted(principal.admin_scopes),
                "user_scopes": {oid: sorted(scopes) for oid, scopes in principal.user_scopes.items()},
            }
            for principal in world.enterprise_apps.values()
        ],
        "admin_requests": [asdict(request) for request in store.admin_requests],
        "refresh_tokens": sum(token.ended_by is None for token in store.refresh_tokens.values()),
        "switches": switches,
        "last_request": world.requests[-1].number if world.requests else 0,
    }


def environment_of(app: AppRegistration, base_url: str) -> dict[str, str]:
    """The settings with which a client of Microsoft reaches the sandbox as this application."""
    return {
        "MICROSOFT_CLIENT_ID": app.client_id,
        "MICROSOFT_CLIENT_SECRET": app.client_secret or "",
        "MICROSOFT_LOGIN_URL": base_url,
        "MICROSOFT_GRAPH_URL": f"{base_url}/v1.0",
    }


def request_as_json(request: RecordedRequest) -> dict[str, Any]:
    """One recorded request as JSON values."""
    return {**asdict(request), "at": request.at.isoformat()}


def _dated(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in values.items()}

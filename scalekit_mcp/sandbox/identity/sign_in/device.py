"""The device authorization grant for public registrations (RFC 8628)."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from scalekit_mcp.sandbox.identity.directory import Directory
from scalekit_mcp.sandbox.identity.errors import IdentityError
from scalekit_mcp.sandbox.identity.scopes import parse_scopes
from scalekit_mcp.sandbox.identity.store import AuthorizeRequest, DeviceRequest, IdentityStore
from scalekit_mcp.sandbox.world import World

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ23456789"


def begin_device_authorization(
    world: World, store: IdentityStore, authority: str, form: dict[str, str], base_url: str
) -> dict[str, Any]:
    """The answer of the device authorization endpoint (RFC 8628 section 3.2).

    Raises:
        IdentityError: unknown tenant or application, wrong audience, missing or unknown scope.
    """
    directory = Directory(world)
    for name in ("client_id", "scope"):
        if not form.get(name):
            raise IdentityError(900144, f"Parameter: '{name}'.")
    directory.tenant_of(authority)
    app = directory.app(form["client_id"])
    directory.check_audience(app, authority)
    device = DeviceRequest(
        device_code="1.D" + secrets.token_urlsafe(150),
        user_code="".join(secrets.choice(ALPHABET) for _ in range(9)),
        client_id=app.client_id,
        authority=authority,
        scopes=parse_scopes(form["scope"], permissions=app.permissions),
        expires_at=world.clock.now() + timedelta(seconds=world.switches.device_code_seconds),
        interval_seconds=world.switches.device_interval_seconds,
    )
    store.devices[device.device_code] = device
    page = f"{base_url}/devicelogin"
    return {
        "user_code": device.user_code,
        "device_code": device.device_code,
        "verification_uri": page,
        "expires_in": world.switches.device_code_seconds,
        "interval": device.interval_seconds,
        "message": f"To sign in, open {page} in a browser and enter the code {device.user_code}.",
    }


def device_sign_in(world: World, store: IdentityStore, user_code: str) -> AuthorizeRequest | None:
    """The sign-in that a typed user code stands for; None for an unknown, used or expired code."""
    typed = "".join(user_code.upper().split()).replace("-", "")
    now = world.clock.now()
    for device in store.devices.values():
        if device.user_code == typed and device.state == "pending" and device.grant is None and device.expires_at > now:
            return AuthorizeRequest(
                client_id=device.client_id,
                authority=device.authority,
                redirect_uri="",
                scopes=device.scopes,
                kind="device",
                device_code=device.device_code,
            )
    return None

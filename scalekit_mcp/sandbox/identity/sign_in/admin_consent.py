"""Admin consent, both generations ("Admin consent on the Microsoft identity platform")."""

from __future__ import annotations

from collections.abc import Sequence

from scalekit_mcp.sandbox.identity.directory import Directory
from scalekit_mcp.sandbox.identity.errors import IdentityError
from scalekit_mcp.sandbox.identity.scopes import parse_scopes
from scalekit_mcp.sandbox.identity.sign_in.authorize import single_values, trusted_app
from scalekit_mcp.sandbox.identity.store import AuthorizeRequest


def parse_admin_consent(
    directory: Directory, authority: str, pairs: Sequence[tuple[str, str]], *, version: int
) -> AuthorizeRequest:
    """A validated request of the admin consent endpoint; every fault is shown on a page.

    The newer endpoint has no `common`; the older one grants whatever the registration lists.

    Raises:
        IdentityError: see `trusted_app`; 900144 without a scope at the newer endpoint.
    """
    if version == 2 and authority.lower() in ("common", "consumers"):
        raise IdentityError(90002, f"Tenant: '{authority}'; use a tenant or 'organizations'.")
    query = single_values(pairs)
    app, redirect_uri = trusted_app(directory, authority, query)
    if version == 2 and not query.get("scope"):
        raise IdentityError(900144, "Parameter: 'scope'.")
    scope = query["scope"] if version == 2 else ".default"
    return AuthorizeRequest(
        client_id=app.client_id,
        authority=authority if authority.lower() != "common" else "organizations",
        redirect_uri=redirect_uri,
        scopes=parse_scopes(scope, permissions=app.permissions),
        state=query.get("state"),
        kind="admin_v2" if version == 2 else "admin_v1",
    )

"""`accounts hosts`: the apps that people let use an account, and taking that away from one of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from scalekit_mcp.accounts import AccountKey, AccountServices, ClientGrant, GrantEnd, Grants
from scalekit_mcp.cli.output import print_json
from scalekit_mcp.cli.vault import with_accounts
from scalekit_mcp.clock import SystemClock, rfc3339
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.settings import Settings


def run_hosts(settings: Settings, identifier: str, *, end: str | None, as_json: bool) -> None:
    """Print the apps that may use an account; with `end`, a grant's id, end that grant first.

    Raises:
        ConnectedAccountNotFound: there is no such account.
        InvalidInput: `end` names no grant of this account that lives.
    """
    key = AccountKey(settings.connection, identifier)

    async def use(connected: AccountServices) -> Sequence[ClientGrant]:
        await connected.accounts.get(key)
        grants = Grants(connected.vault, SystemClock())
        found = await grants.list(key)
        if end is None:
            return found
        if end not in {grant.id for grant in found} or not await grants.end(end, GrantEnd.ENDED_BY_OPERATOR):
            raise InvalidInput(
                f"'{identifier}' has no app with the grant '{end[:60]}'; it may have ended already.",
                field="end",
                next_step=f"`scalekit-mcp accounts hosts {identifier}` lists the apps and their grants.",
            )
        return [grant for grant in found if grant.id != end]

    found = with_accounts(settings, use)
    if as_json:
        print_json([_as_value(grant) for grant in found])
        return
    if end is not None:
        click.echo("Ended. Its tokens are refused within two seconds; the app asks the person to sign in again.")
    if not found:
        click.echo(f"No app may use the account of '{identifier}'.")
        return
    for grant in found:
        click.echo(f"{grant.id}  {grant.client.host}, which calls itself '{grant.client.name}'")
        click.echo(f"  {' '.join(grant.scopes)}, since {_day(grant.created_at)}, last used {_day(grant.last_used_at)}")


def _as_value(grant: ClientGrant) -> dict[str, Any]:
    """A grant for a program; never a hash or a token."""
    return {
        "grant": grant.id,
        "client_name": grant.client.name,
        "client_host": grant.client.host,
        "client_kind": grant.client.kind.value,
        "scopes": list(grant.scopes),
        "created_at": rfc3339(grant.created_at),
        "last_used_at": rfc3339(grant.last_used_at),
        "expires_at": rfc3339(grant.expires_at),
    }


def _day(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"

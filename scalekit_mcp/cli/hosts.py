"""`accounts hosts`: the apps that people let use an account, and taking that away from one of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from scalekit_mcp.accounts import AccountKey, AccountServices, ClientGrant, GrantEnd, Grants
from scalekit_mcp.actions import GrantView, grant_view
from scalekit_mcp.cli.output import print_json
from scalekit_mcp.cli.progress import Progress
from scalekit_mcp.cli.vault import with_accounts
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.settings import Settings


def run_hosts(settings: Settings, identifier: str, *, end: str | None, as_json: bool) -> None:
    """Print the apps that may use an account; with `end`, a grant's id, end that grant first.

    Raises:
        ConnectedAccountNotFound: there is no such account.
        InvalidInput: `end` names no grant of this account that lives.
    """
    key = AccountKey(settings.connection, identifier)

    async def use(connected: AccountServices, _: Progress) -> Sequence[ClientGrant]:
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

    found = [grant_view(grant) for grant in with_accounts(settings, "Reading the apps", use)]
    if as_json:
        print_json([grant.to_dict() for grant in found])
        return
    if end is not None:
        click.echo("Ended. Its tokens are refused within two seconds; the app asks the person to sign in again.")
    if not found:
        click.echo(f"No app may use the account of '{identifier}'.")
        return
    print_grants(found)


def print_grants(grants: Sequence[GrantView], *, indent: str = "") -> None:
    """Print apps for a person, two lines each; the first begins with the id by which one is ended."""
    for grant in grants:
        name = f"which calls itself '{grant.client_name}'" if grant.client_name else "which gives no name"
        days = f"since {_day(grant.created_at)}, last used {_day(grant.last_used_at)}"
        click.echo(f"{indent}{grant.grant}  {grant.client_host}, {name}")
        click.echo(f"{indent}  {' '.join(grant.scopes)}, {days}")


def _day(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"

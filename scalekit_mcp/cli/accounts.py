"""`accounts` and `connect`: what an operator does with connected accounts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar

import anyio
import click

from scalekit_mcp.actions import Actions, ConnectedAccountView, open_actions
from scalekit_mcp.cli.hosts import print_grants
from scalekit_mcp.cli.output import print_json, print_table
from scalekit_mcp.cli.progress import Progress
from scalekit_mcp.errors import AuthorizationRequired, VaultError
from scalekit_mcp.settings import SANDBOX_IDENTIFIER, Settings

T = TypeVar("T")
CONNECT_SECONDS = 900


def with_actions(settings: Settings, doing: str, use: Callable[[Actions, Progress], Awaitable[T]]) -> T:
    """Open the `Actions`, run one function on them, and close them; needs no Azure app. `doing` is for its progress."""

    async def run() -> T:
        with Progress(doing) as progress:
            async with open_actions(settings, calls_provider=False) as actions:
                return await use(actions, progress)

    return anyio.run(run)


def as_json_value(account: ConnectedAccountView) -> dict[str, Any]:
    """An account for a program: instants as ISO 8601 text."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(account).items()
    }


async def all_accounts(actions: Actions, status: str | None, progress: Progress) -> list[ConnectedAccountView]:
    """All accounts, read page after page."""
    found: list[ConnectedAccountView] = []
    token: str | None = None
    while True:
        page = await actions.list_connected_accounts(status=status, page_size=200, page_token=token)
        found.extend(page.connected_accounts)
        progress.at(len(found), page.total_size)
        token = page.next_page_token
        if token is None:
            return found


def run_list(settings: Settings, *, as_json: bool, status: str | None) -> None:
    """Print all accounts."""
    found = with_actions(
        settings, "Reading the accounts", lambda actions, progress: all_accounts(actions, status, progress)
    )
    if as_json:
        print_json([as_json_value(account) for account in found])
        return
    if not found:
        click.echo("No connected account yet. `scalekit-mcp connect --identifier ...` makes one.")
        return
    print_table(
        ("IDENTIFIER", "STATUS", "REASON", "WHO ACTS", "MAILBOX", "CONNECTION", "UPDATED (UTC)"),
        [
            (
                account.identifier,
                account.status,
                account.reason or "-",
                account.who_acts,
                account.mailbox or "-",
                account.connection_name,
                f"{account.updated_at:%Y-%m-%d %H:%M}" if account.updated_at else "-",
            )
            for account in found
        ],
        needed=2,
    )


def run_show(settings: Settings, identifier: str, *, as_json: bool) -> None:
    """Print one account."""
    response = with_actions(
        settings, "Reading the account", lambda actions, _: actions.get_connected_account(identifier=identifier)
    )
    account = response.connected_account
    values = as_json_value(account)
    if as_json:
        print_json({**values, "grants": [grant.to_dict() for grant in response.grants]})
        return
    for name, value in values.items():
        if value not in (None, (), [], False):
            text = ", ".join(account.granted_scopes) if name == "granted_scopes" else value
            click.echo(f"{name.replace('_', ' '):26} {text}")
    if response.grants:
        click.echo("apps that may use it (`accounts hosts` ends one):")
        print_grants(response.grants, indent="  ")


def run_disconnect(settings: Settings, identifier: str) -> None:
    """Forget the tokens of one account."""

    async def use(actions: Actions, _: Progress) -> None:
        await actions.get_connected_account(identifier=identifier)
        await actions.disconnect(identifier=identifier)

    with_actions(settings, "Disconnecting the account", use)
    click.echo(
        f"Disconnected '{identifier}': its tokens are gone from the vault. Microsoft has no call that revokes them; "
        "the user can remove the app's permission at myapps.microsoft.com or account.live.com/consent/Manage."
    )


def run_delete(settings: Settings, identifier: str, *, confirmed: bool) -> None:
    """Remove one account for good; asks first unless that is confirmed."""

    async def look(actions: Actions, _: Progress) -> ConnectedAccountView:
        return (await actions.get_connected_account(identifier=identifier)).connected_account

    async def delete(actions: Actions, _: Progress) -> None:
        await actions.delete_connected_account(identifier=identifier)

    try:
        found = with_actions(settings, "Reading the account", look)
        state = found.status + (f", {found.mailbox}" if found.mailbox else "")
    except VaultError as damaged:  # what cannot be read can still be removed
        state = damaged.message
    if not confirmed:
        question = f"Remove the account of '{identifier}' ({state}) and its tokens for good?"
        _confirm(question)
    with_actions(settings, "Removing the account", delete)
    click.echo(f"Deleted '{identifier}' and its sealed tokens.")


def _confirm(question: str) -> None:
    """Ask a person; ends the command unless they say yes."""
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:  # Ctrl-C, or nobody there to ask
        click.echo(err=True)
        agreed = False
    if not agreed:
        click.echo("Nothing was removed.", err=True)
        raise click.exceptions.Exit(1)


def run_connect(settings: Settings, *, open_browser: bool, reconnect: bool = False) -> None:
    """Open the authorization link and wait until the account is ACTIVE."""
    from scalekit_mcp.cli.serve import stdio_composition

    identifier = settings.identifier or SANDBOX_IDENTIFIER

    async def run() -> ConnectedAccountView:
        async with stdio_composition(settings) as actions:
            with Progress("Asking for a link"):
                response = await actions.get_or_create_connected_account(identifier=identifier)
                if response.connected_account.status == "ACTIVE" and not reconnect:
                    return response.connected_account
                link = await actions.get_authorization_link(identifier=identifier, reconnect=reconnect)
            click.echo(f"Open this link in a browser on this machine:\n\n  {link.link}\n", err=True)
            if link.admin_consent_url:
                click.echo(
                    "If Microsoft says 'Need admin approval', send this link to your IT:\n\n"
                    f"  {link.admin_consent_url}\n",
                    err=True,
                )
            if open_browser:
                import webbrowser

                await anyio.to_thread.run_sync(webbrowser.open, link.link)
            click.echo("Waiting for the consent (Ctrl-C stops waiting) ...", err=True)
            response = await actions.wait_for_authorization(identifier=identifier, timeout_seconds=CONNECT_SECONDS)
            return response.connected_account

    print_connection(identifier, anyio.run(run))


def print_connection(identifier: str, account: ConnectedAccountView) -> None:
    """Print that the account is connected; raises `AuthorizationRequired` if it is not ACTIVE."""
    if account.status != "ACTIVE":
        raise AuthorizationRequired(
            f"The account '{identifier}' is {account.status} ({account.reason}).",
            next_step=account.last_authorization_error or "Run `scalekit-mcp connect` again.",
        )
    click.echo(f"Connected: '{identifier}' is ACTIVE as {account.mailbox or account.display_name or 'a mailbox'}.")

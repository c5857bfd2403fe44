"""`connect --paste` and `connect --device-code`: a consent for a machine without a browser (SSH, a container)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import anyio
import click

from scalekit_mcp.actions import CALLBACK_PATH, AuthorizationOutcome, ConnectedAccountView, OutcomeKind, open_actions
from scalekit_mcp.cli.accounts import print_connection
from scalekit_mcp.cli.progress import Progress
from scalekit_mcp.errors import AuthorizationRequired, ConfigurationError
from scalekit_mcp.settings import SANDBOX_IDENTIFIER, Settings

if TYPE_CHECKING:
    from scalekit_mcp.actions import Actions

_TRIES = 3


def run_paste(settings: Settings, *, reconnect: bool = False) -> None:
    """Let the person sign in on another machine and paste the address they end on; nothing listens here."""
    _embedded_only(settings, "--paste")
    identifier = settings.identifier or SANDBOX_IDENTIFIER

    async def link_base() -> str:
        return f"http://localhost:{settings.port}"

    async def run() -> ConnectedAccountView:
        async with open_actions(settings, link_base=link_base) as actions:
            with Progress("Asking for a link"):
                response = await actions.get_or_create_connected_account(identifier=identifier)
                if response.connected_account.status == "ACTIVE" and not reconnect:
                    return response.connected_account
                # A link of an earlier try may belong to another process that listens; this one starts anew.
                link = await actions.get_authorization_link(identifier=identifier, reconnect=True)
                started = await actions.start_authorization(link.link.rpartition("/")[2])
            if isinstance(started, AuthorizationOutcome):
                raise _refused(started)
            click.echo(f"Open this address in a browser on any machine and sign in:\n\n  {started}\n", err=True)
            if link.admin_consent_url:
                click.echo(
                    "If Microsoft says 'Need admin approval', send this link to your IT:\n\n"
                    f"  {link.admin_consent_url}\n",
                    err=True,
                )
            click.echo(
                f"The browser ends on an address that begins with http://localhost:{settings.port}{CALLBACK_PATH} and "
                "does not load. That is expected: copy that whole address.",
                err=True,
            )
            await _take_pasted(actions)
            return (await actions.get_connected_account(identifier=identifier)).connected_account

    print_connection(identifier, anyio.run(run))


async def _take_pasted(actions: Actions) -> None:
    for left in range(_TRIES - 1, -1, -1):
        text = await anyio.to_thread.run_sync(lambda: click.prompt("Address", err=True))
        query = callback_query(text)
        if query is None:
            click.echo(f"That is not the address after the sign-in: it holds `code=` and `state=`. {left} tries left.")
            continue
        with Progress("Finishing the sign-in"):
            outcome = await actions.complete_authorization(query)
        if outcome.kind is not OutcomeKind.CONNECTED:
            raise _refused(outcome)
        return
    raise AuthorizationRequired("No usable address was pasted.", next_step="Run `scalekit-mcp connect --paste` again.")


def callback_query(text: str) -> dict[str, str] | None:
    """What the callback would have received; None for a text that is no such address (RFC 6749 section 4.1.2)."""
    try:
        pairs = parse_qsl(urlsplit(text.strip()).query, keep_blank_values=True)
    except ValueError:
        return None
    query = dict(pairs)
    fits = len(query) == len(pairs) and "state" in query and ("code" in query or "error" in query)
    return query if fits else None


def run_device_code(settings: Settings, *, reconnect: bool = False) -> None:
    """Show a code that the person enters on another machine (RFC 8628); for public registrations."""
    _embedded_only(settings, "--device-code")
    if not settings.sandbox and (settings.microsoft_client_secret or settings.microsoft_client_certificate):
        raise ConfigurationError(
            "--device-code is for a public client registration, and a secret or certificate is set: use --paste, or "
            "a registration as `scalekit-mcp azure-app --public-client` prints it."
        )
    identifier = settings.identifier or SANDBOX_IDENTIFIER
    print_connection(identifier, anyio.run(lambda: _device_code(settings, identifier, reconnect=reconnect)))


async def _device_code(settings: Settings, identifier: str, *, reconnect: bool) -> ConnectedAccountView:
    from scalekit_mcp.accounts import AccountKey, GrantError
    from scalekit_mcp.actions import embedded_services, view_of
    from scalekit_mcp.clock import SystemClock

    services = embedded_services(settings, clock=SystemClock(), timezone="UTC", user_verification="off")
    try:
        provider, scopes = services.provider, settings.scopes
        with Progress("Asking for a code"):
            device = await provider.device_authorization(scopes)
        minutes = max(1, round((device.expires_at - services.clock.now()).total_seconds() / 60))
        click.echo(
            f"Open {device.verification_uri} in a browser on any machine and enter the code\n\n"
            f"  {device.user_code}\n\nIt is good for {minutes} minutes. Enter it only if you ran this command yourself."
            "\nWaiting for the consent (Ctrl-C stops waiting) ...",
            err=True,
        )
        grant = await provider.device_code_grant(device, scopes=scopes)
        view = await services.connected.authorizations.adopt(
            AccountKey(settings.connection, identifier), grant, reconnect=reconnect
        )
    except GrantError as failure:
        raise AuthorizationRequired(
            f"{failure.message} ({failure.code})", next_step=str(failure.next_step), who_acts=failure.who_acts
        ) from failure
    finally:
        await services.aclose()
    return view_of(view)


def _embedded_only(settings: Settings, flag: str) -> None:
    if settings.resolved_mode == "hosted":
        raise ConfigurationError(f"{flag} needs an Azure app of your own; in hosted mode open the link of `connect`.")
    if flag == "--device-code" and settings.sandbox:
        raise ConfigurationError(
            "--device-code needs a public client, and --sandbox uses one with a secret: run `scalekit-mcp sandbox` and "
            "set MICROSOFT_CLIENT_ID to its desktop registration."
        )


def _refused(outcome: AuthorizationOutcome) -> AuthorizationRequired:
    return AuthorizationRequired(f"{outcome.title}. {outcome.message}", next_step=str(outcome.next_step))

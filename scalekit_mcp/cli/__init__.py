"""The command `scalekit-mcp`: parses, calls, prints. The composition root.

Exit status: 0 done, 1 refused or failed, 2 wrong usage or configuration.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from scalekit_mcp import __version__
from scalekit_mcp.cli.groups import Group
from scalekit_mcp.cli.options import ADDRESSES, BRAND, EVERYTHING, MICROSOFT, OIDC, SCALEKIT, settings_options
from scalekit_mcp.cli.output import prepare_streams
from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.settings import Settings, check_settings
from scalekit_mcp.start_up import without_collector
from scalekit_mcp.telemetry import queue_stderr


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="scalekit-mcp")
def cli() -> None:
    """Outlook calendars for AI agents, over MCP. Start with `scalekit-mcp demo`."""


@cli.command()
@click.option(
    "--transport",
    type=click.Choice(["stdio", "http", "sse"]),
    default="stdio",
    show_default=True,
    help="How clients connect; sse is http with the address for older clients.",
)
@settings_options(*EVERYTHING)
def serve(settings: Settings, transport: str) -> None:
    """Run the MCP server: on stdio for one person, on HTTP for many."""
    check_settings(settings, transport="stdio" if transport == "stdio" else "http")
    if transport == "stdio":
        with without_collector():
            from scalekit_mcp.cli.serve import run_stdio
        run_stdio(settings)
    else:
        from scalekit_mcp.cli.http import run_http

        run_http(settings, sse=transport == "sse")


@cli.command()
@click.option(
    "--mode",
    type=click.Choice(["embedded", "hosted"]),
    default="embedded",
    show_default=True,
    help="Who keeps the tokens in the tour: a vault of its own, or Scalekit's look-alike.",
)
@click.option("--remote", is_flag=True, help="Tour a remote host instead, which signs in by OAuth over HTTP.")
@click.option("--interactive", is_flag=True, help="Give the consent yourself, in your own browser.")
def demo(mode: str, *, remote: bool, interactive: bool) -> None:
    """Run the guided tour: a real client, a real server, the built-in Microsoft."""
    import anyio

    if remote:
        if mode == "hosted":
            raise click.UsageError("--remote needs a vault of our own: leave --mode hosted out.")
        from scalekit_mcp.demo import run_remote_tour

        sys.exit(anyio.run(lambda: run_remote_tour(interactive=interactive)))
    from scalekit_mcp.demo import run_tour

    sys.exit(anyio.run(lambda: run_tour(hosted=mode == "hosted", interactive=interactive)))


@cli.command()
@click.option("--port", default=9400, show_default=True, help="Port to listen on; 0 takes any free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--week-of", type=click.DateTime(["%Y-%m-%d"]), help="Monday of the seeded week [default: this week].")
def sandbox(port: int, host: str, week_of: Any) -> None:
    """Run the built-in Microsoft look-alike alone, for agents and tests of your own."""
    from scalekit_mcp.cli.serve import run_sandbox

    run_sandbox(port=port, host=host, week_of=week_of.date() if week_of else None)


@cli.command()
@settings_options(
    *("sandbox", "identifier", "mode", "connection", *MICROSOFT, *ADDRESSES, *SCALEKIT),
    *("port", *BRAND, "log_level"),
)
@click.option("--no-browser", is_flag=True, help="Print the link instead of opening it.")
@click.option("--paste", is_flag=True, help="No browser here: sign in elsewhere, paste the address you end on.")
@click.option("--device-code", is_flag=True, help="No browser here: enter a code elsewhere (public clients only).")
@click.option("--reconnect", is_flag=True, help="Begin anew, also where another Microsoft account is connected.")
def connect(settings: Settings, *, no_browser: bool, paste: bool, device_code: bool, reconnect: bool) -> None:
    """Connect an account: open the authorization link and wait until it is ACTIVE."""
    check_settings(settings, transport="stdio")
    if paste and device_code:
        raise click.UsageError("--paste and --device-code are two ways; take one.")
    if paste or device_code:
        from scalekit_mcp.cli.connect_elsewhere import run_device_code, run_paste

        (run_paste if paste else run_device_code)(settings, reconnect=reconnect)
        return
    from scalekit_mcp.cli.accounts import run_connect

    run_connect(settings, open_browser=not no_browser, reconnect=reconnect)


@cli.command()
@settings_options("mode", "hosted_calls")
@click.option("--json", "as_json", is_flag=True, help="Print the catalogue as JSON, as an MCP client receives it.")
def tools(settings: Settings, *, as_json: bool) -> None:
    """List the tools and their parameters."""
    from scalekit_mcp.cli.tools import print_tools

    print_tools(settings, as_json=as_json)


@cli.command("session-token")
@settings_options("identifier", "port", "public_url")
@click.option(
    "--ttl",
    "ttl_seconds",
    type=click.IntRange(1, 86_400),
    default=3600,
    show_default=True,
    help="Seconds, at most a day.",
)
@click.option("--read-only", is_flag=True, help="A token that may not change anything.")
@click.option("--email", help="The user's address, vouched for by you: a matching sign-in needs no code.")
def session_token(settings: Settings, *, ttl_seconds: int, read_only: bool, email: str | None) -> None:
    """Print a session token for one user, for the HTTP transports."""
    from scalekit_mcp.cli.http import mint_session_token

    if settings.identifier is None:
        raise ConfigurationError("Say whose token this is with --identifier.")
    token, _ = mint_session_token(
        settings, settings.identifier, ttl_seconds=ttl_seconds, read_only=read_only, email=email
    )
    click.echo(token)


@cli.group()
def accounts() -> None:
    """Look at connected accounts and end them."""


@accounts.command("list")
@settings_options("connection")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")
@click.option(
    "--status",
    type=click.Choice(["PENDING", "ACTIVE", "EXPIRED", "REVOKED"], case_sensitive=False),
    help="Only accounts with this status.",
)
def accounts_list(settings: Settings, *, as_json: bool, status: str | None) -> None:
    """List all connected accounts."""
    from scalekit_mcp.cli.accounts import run_list

    run_list(settings, as_json=as_json, status=status)


@accounts.command("show")
@settings_options("connection")
@click.argument("identifier")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")
def accounts_show(settings: Settings, identifier: str, *, as_json: bool) -> None:
    """Show one connected account, with its reason and who must act."""
    from scalekit_mcp.cli.accounts import run_show

    run_show(settings, identifier, as_json=as_json)


@accounts.command("hosts")
@settings_options("connection")
@click.argument("identifier")
@click.option("--end", metavar="GRANT", help="End this app's access; the account and other apps are not touched.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")
def accounts_hosts(settings: Settings, identifier: str, *, end: str | None, as_json: bool) -> None:
    """List the apps that may use an account since somebody signed in with Microsoft, or end one."""
    from scalekit_mcp.cli.hosts import run_hosts

    run_hosts(settings, identifier, end=end, as_json=as_json)


@accounts.command("disconnect")
@settings_options("connection")
@click.argument("identifier")
def accounts_disconnect(settings: Settings, identifier: str) -> None:
    """Forget an account's tokens and keep its record."""
    from scalekit_mcp.cli.accounts import run_disconnect

    run_disconnect(settings, identifier)


@accounts.command("delete")
@settings_options("connection")
@click.argument("identifier")
@click.option("--yes", is_flag=True, help="Confirm the action without prompting.")
def accounts_delete(settings: Settings, identifier: str, *, yes: bool) -> None:
    """Remove an account and its tokens for good."""
    from scalekit_mcp.cli.accounts import run_delete

    run_delete(settings, identifier, confirmed=yes)


@cli.command("azure-app")
@settings_options("tenant", "microsoft_cloud", "microsoft_scopes", "public_url", "read_only")
@click.option("--public-client", is_flag=True, help="A desktop registration without a secret.")
@click.option("--name", default="scalekit-mcp", show_default=True, help="Display name of the app.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["portal", "az", "json"]),
    default="portal",
    show_default=True,
    help="Steps for the Azure portal, commands for the Azure CLI, or a manifest.",
)
def azure_app(settings: Settings, *, public_client: bool, name: str, form: str) -> None:
    """Print the Azure app registration that this configuration needs."""
    from scalekit_mcp.cli.azure_app import as_az, as_json, as_portal, registration

    app = registration(settings, public_client=public_client, name=name)
    write = {"portal": as_portal, "az": as_az, "json": as_json}[form]
    click.echo(write(app))


@cli.command()
@settings_options(
    *("mode", "identifier", "connection", *MICROSOFT, *ADDRESSES, *SCALEKIT, "hosted_calls"),
    *("public_url", "auth", *OIDC, "read_only"),
)
@click.option(
    "--accounts",
    type=click.Choice(["work", "personal", "both"]),
    help="Who shall sign in [default: whom the tenant setting admits].",
)
@click.option("--seen", metavar="AADSTS...", help="A number that somebody saw on Microsoft's page.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")
def doctor(settings: Settings, *, accounts: Any, seen: str | None, as_json: bool) -> None:
    """Check the Azure app and the settings against Microsoft, without signing in; exit 1 if a mistake was found.

    In hosted mode: check that Scalekit answers, and whether its proxy carries calls.

    With --auth microsoft (or oidc) also ask the public address what a remote host asks, and say what it would miss.
    """
    from scalekit_mcp.cli.doctor.report import run_doctor

    if not run_doctor(settings, accounts=accounts, seen=seen, as_json=as_json):
        sys.exit(1)


@cli.group()
def vault() -> None:
    """Look after the vault: its tables and its keys."""


@vault.command("migrate")
@settings_options()
def vault_migrate(settings: Settings) -> None:
    """Bring the vault's tables to the newest version."""
    from scalekit_mcp.cli.vault import run_migrate

    run_migrate(settings)


@vault.command("rotate")
@settings_options()
def vault_rotate(settings: Settings) -> None:
    """Seal every record under a new key while servers go on; may be stopped and begun again."""
    from scalekit_mcp.cli.vault import run_rotate

    run_rotate(settings)


@cli.command()
@settings_options("identifier")
@click.option("--since", help="A date, an instant, or an age such as 24h or 7d.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="Most lines.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, for a program.")
def audit(settings: Settings, *, since: str | None, limit: int, as_json: bool) -> None:
    """Show what happened to connected accounts: every change of status, its cause and Microsoft's code."""
    from scalekit_mcp.cli.audit import run_audit

    run_audit(settings, identifier=settings.identifier, since=since, limit=limit, as_json=as_json)


def main() -> None:
    """The console script. What serves goes on, and ends, also when nobody reads what it tells on stderr."""
    prepare_streams()
    if sys.argv[1:2] in (["serve"], ["sandbox"]):
        queue_stderr()
    cli()

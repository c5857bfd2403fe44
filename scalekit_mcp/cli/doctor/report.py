"""`doctor`: runs the checks, and prints their findings and what to do."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import anyio
import click

from scalekit_mcp.cli.progress import Begin, Progress, unwatched
from scalekit_mcp.clock import Clock, SystemClock
from scalekit_mcp.errors import ConfigurationError, ScalekitMCPError
from scalekit_mcp.settings import Settings

if TYPE_CHECKING:
    from scalekit_mcp.cli.doctor.checks import WhoSignsIn
    from scalekit_mcp.cli.doctor.findings import Report

_SIGNS = {"ok": "ok      ", "mistake": "MISTAKE ", "warning": "warning ", "unknown": "unknown "}
_MOST_ACCOUNTS = 500


def run_doctor(settings: Settings, *, accounts: WhoSignsIn | None, seen: str | None, as_json: bool) -> bool:
    """Check the configuration and print the report; True if no mistake was found."""
    number = _number(seen)
    if number is not None and (settings.sandbox or not _has_credentials(settings)):
        report = _explained(number)  # what a helpdesk asks, which has no credentials
    elif settings.sandbox:
        raise ConfigurationError(
            "doctor checks a configuration against Microsoft; for a sandbox that runs, set MICROSOFT_LOGIN_URL and the "
            "other settings that `scalekit-mcp sandbox` prints."
        )
    elif settings.resolved_mode == "hosted":
        from scalekit_mcp.cli.doctor.hosted import examine_hosted

        report = anyio.run(lambda: _watched(lambda begin: examine_hosted(settings, seen=number, begin=begin)))
    else:
        report = anyio.run(
            lambda: _watched(lambda begin: examine(settings, accounts=accounts, seen=number, begin=begin))
        )
    click.echo(json.dumps(as_value(report), indent=2) if as_json else as_text(report))
    return not report.mistakes


async def _watched(look: Callable[[Begin], Awaitable[Report]]) -> Report:
    """Carry the checks out with a line on stderr about those that take long."""
    with Progress("Looking") as progress:
        return await look(progress.begin)


def _has_credentials(settings: Settings) -> bool:
    """Whether an application at Microsoft or an environment of Scalekit is named at all."""
    if settings.keeps_own_vault:
        return settings.microsoft_client_id is not None
    return settings.scalekit_client_id is not None


def _explained(number: int) -> Report:
    """What a number of Microsoft's pages means, and nothing else."""
    from scalekit_mcp.cli.doctor.checks import seen_number
    from scalekit_mcp.cli.doctor.findings import Report

    report = Report()
    seen_number(report, number)
    return report


async def examine(
    settings: Settings,
    *,
    accounts: WhoSignsIn | None = None,
    seen: int | None = None,
    clock: Clock | None = None,
    begin: Begin = unwatched,
) -> Report:
    """All checks of one configuration. `begin` is told what is being done."""
    from scalekit_mcp.cli.doctor.checks import REQUEST_SECONDS, Doctor, seen_number, vault_evidence
    from scalekit_mcp.cli.doctor.machine import check_machine
    from scalekit_mcp.upstream import UpstreamClient

    clock = clock or SystemClock()
    network = settings.network
    begin("Asking Microsoft")
    async with network.client(settings.addresses, make=UpstreamClient, timeout=REQUEST_SECONDS, cookies=True) as http:
        report = await Doctor(settings, http, clock).check(accounts)
    if settings.auth in ("microsoft", "oidc"):
        from scalekit_mcp.cli.doctor.remote_hosts import check_public_address

        begin(f"Asking {settings.base_url}")
        await check_public_address(report, settings)
    begin("Looking at this machine and its vault")
    await anyio.to_thread.run_sync(check_machine, report, settings, clock.now())
    try:
        vault_evidence(report, await _from_vault(settings))
    except ScalekitMCPError as exc:
        report.add("vault", "unknown", f"The vault was not looked at: {exc.message}", fix=exc.next_step)
    if seen is not None:
        seen_number(report, seen)
    return report


async def _from_vault(settings: Settings) -> list[tuple[str | None, str | None, str | None]]:
    """(reason, cause of the last change, last authorization error) of accounts that are not ACTIVE, if a vault exists.

    Raises:
        ScalekitMCPError: the vault cannot be opened or read.
    """
    from scalekit_mcp.accounts import AccountView
    from scalekit_mcp.actions import embedded_services, vault_file

    found: list[tuple[str | None, str | None, str | None]] = []
    path = vault_file(settings)
    if path is not None and not path.exists():
        return []
    services = embedded_services(settings, clock=SystemClock(), timezone="UTC", user_verification="off")
    try:
        accounts = services.connected.accounts
        history = await accounts.history(connection_name=settings.connection, limit=_MOST_ACCOUNTS)
        causes = {entry.identifier: entry.cause for entry in reversed(history)}
        for status in ("PENDING", "EXPIRED"):
            page = await accounts.list(connection_name=settings.connection, status=status, page_size=_MOST_ACCOUNTS)
            found += [
                (
                    str(view.account.reason) if view.account.reason else None,
                    causes.get(view.account.identifier),
                    view.account.last_authorization_error,
                )
                for view in page.accounts
                if isinstance(view, AccountView)
            ]
    finally:
        await services.aclose()
    return found


def as_value(report: Report) -> dict[str, Any]:
    """The report for a program."""
    return {
        "ok": not report.mistakes,
        "mistakes": list(report.mistakes),
        "findings": [
            {name: value for name, value in asdict(found).items() if value is not None} for found in report.findings
        ],
    }


def as_text(report: Report) -> str:
    """The report for a person."""
    lines: list[str] = []
    for found in report.findings:
        evidence = f" [{found.evidence}]" if found.evidence else ""
        lines.append(f"{_SIGNS[found.state]} {found.check}: {found.message}{evidence}")
        if found.fix:
            who = ", by the customer's IT" if found.who_acts == "it_admin" else ""
            lines.append(f"           {'Fix' if found.state == 'mistake' else 'Look'}{who}: {found.fix}")
    count = len(report.mistakes)
    lines += ["", f"{count} mistake(s) found." if count else "No mistake found from outside."]
    return "\n".join(lines)


def _number(seen: str | None) -> int | None:
    if seen is None:
        return None
    digits = seen.upper().removeprefix("AADSTS")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 9:
        raise ConfigurationError("--seen takes the number of Microsoft's page, such as AADSTS50011.")
    return int(digits)

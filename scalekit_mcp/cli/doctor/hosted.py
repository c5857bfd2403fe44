"""The checks of hosted mode: whether Scalekit answers, and whether its proxy carries calls to Microsoft Graph."""

from __future__ import annotations

import anyio
import httpx2 as httpx

from scalekit_mcp.actions import Actions, ProviderCall, open_actions
from scalekit_mcp.cli.doctor.checks import REQUEST_SECONDS, seen_number
from scalekit_mcp.cli.doctor.findings import Check, Finding, Report
from scalekit_mcp.cli.doctor.machine import add_unreachable, check_clock, check_machine
from scalekit_mcp.cli.doctor.remote_hosts import check_public_address
from scalekit_mcp.cli.progress import Begin, unwatched
from scalekit_mcp.clock import Clock, SystemClock
from scalekit_mcp.errors import NotOffered, ScalekitMCPError
from scalekit_mcp.settings import Settings
from scalekit_mcp.upstream import UpstreamClient

_BY_TOOLS = "Calls go by Scalekit's tools, which refuse some parameters and have no scheduling tools."


async def examine_hosted(
    settings: Settings, *, seen: int | None = None, clock: Clock | None = None, begin: Begin = unwatched
) -> Report:
    """Ask Scalekit for an account and, with one that is ACTIVE, its proxy for a calendar; changes nothing.

    `seen` is a number that somebody saw on Microsoft's page; `begin` is told what is being done.
    """
    report = Report()
    clock = clock or SystemClock()
    if seen is not None:
        seen_number(report, seen)
    begin("Asking Scalekit")
    if await _check_way_to_scalekit(report, settings, clock):
        await _check_calls(report, settings)
    if settings.auth == "oidc":
        begin(f"Asking {settings.base_url}")
        await check_public_address(report, settings)
    begin("Looking at this machine")
    await anyio.to_thread.run_sync(check_machine, report, settings, clock.now())
    return report


async def _check_way_to_scalekit(report: Report, settings: Settings, clock: Clock) -> bool:
    """Whether Scalekit's host answers at all; compares the clocks if it does."""
    address = settings.scalekit_env_url or ""
    asked_at = clock.now()
    async with settings.network.client([address], make=UpstreamClient, timeout=REQUEST_SECONDS) as http:
        try:
            answer = await http.get(address)
        except httpx.HTTPError as error:
            add_unreachable(report, "scalekit", "Scalekit at", settings, address, error)
            return False
    check_clock(report, answer, "Scalekit", asked_at=asked_at, answered_at=clock.now())
    return True


async def _check_calls(report: Report, settings: Settings) -> None:
    async with open_actions(settings) as actions:
        try:
            page = await actions.list_connected_accounts(status="ACTIVE", page_size=1)
        except ScalekitMCPError as error:
            _add_refusal(report, "scalekit", error)
            return
        report.add("scalekit", "ok", "Scalekit takes the API credentials and lists the accounts of the connection.")
        identifier = settings.identifier or next((one.identifier for one in page.connected_accounts), None)
        if settings.hosted_calls == "tools":
            report.add("proxy", "warning", f"SCALEKIT_MCP_HOSTED_CALLS is tools. {_BY_TOOLS}")
        elif identifier is None:
            report.add(
                "proxy",
                "unknown",
                "No account is ACTIVE yet, and without one the proxy cannot be asked.",
                fix="Connect an account (`scalekit-mcp connect`), and run doctor again.",
            )
        else:
            await _check_proxy(report, settings, actions, identifier)


async def _check_proxy(report: Report, settings: Settings, actions: Actions, identifier: str) -> None:
    call = ProviderCall.of("/v1.0/me/calendar", query={"$select": "id"})
    try:
        answer = await actions.request(call, identifier=identifier)
    except NotOffered as error:
        report.add("proxy", "unknown", error.message)
    except ScalekitMCPError as error:
        if settings.hosted_calls == "auto" and "not enabled" in error.message:
            report.add("proxy", "warning", f"{error.message} {_BY_TOOLS}", fix=error.next_step)
        else:
            _add_refusal(report, "proxy", error)
    else:
        state = "ok" if answer.ok else "unknown"
        report.add("proxy", state, f"Scalekit's proxy carries calls to Microsoft Graph (HTTP {answer.status_code}).")


def _add_refusal(report: Report, check: Check, error: ScalekitMCPError) -> None:
    report.findings.append(
        Finding(check, "mistake", error.message, error.code, error.next_step, who_acts=error.who_acts)
    )

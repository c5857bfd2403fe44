"""What `doctor` finds on this machine, without a request: the way out to other machines, and who can read its files."""

from __future__ import annotations

from scalekit_mcp.cli.doctor_checks import Report
from scalekit_mcp.settings import Settings


def check_machine(report: Report, settings: Settings) -> None:
    """Add the proxies and certificate authorities that are used."""
    report.add("network", "ok", f"To other machines: {settings.network.description()}.")

"""What `doctor` finds on this machine, without a request: the way out to other machines, and who can read its files."""

from __future__ import annotations

import os

from scalekit_mcp.actions import exposed_files
from scalekit_mcp.cli.doctor.checks import Report
from scalekit_mcp.settings import Settings


def check_machine(report: Report, settings: Settings) -> None:
    """Add the proxies and certificate authorities that are used, and private files that others can open."""
    report.add("network", "ok", f"To other machines: {settings.network.description()}.")
    exposed = exposed_files(settings)
    for file in exposed:
        report.add("files", "warning", f"{file.path} can be {file.others}.", fix=file.command)
    if os.name != "posix":
        report.add("files", "unknown", "Who can open the files with keys, tokens and secrets stands in access lists.")
    elif not exposed:
        report.add("files", "ok", "Nobody else on this machine can open the files with keys, tokens and secrets.")

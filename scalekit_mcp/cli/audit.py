"""`audit`: the history of connected accounts, as the vault keeps it for 400 days."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from scalekit_mcp.cli.output import print_json, print_table
from scalekit_mcp.cli.vault import with_accounts
from scalekit_mcp.clock import SystemClock, rfc3339
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.settings import Settings

if TYPE_CHECKING:
    from scalekit_mcp.accounts import HistoryEntry

_AGE = re.compile(r"(\d{1,4})([hdw])")
_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def run_audit(settings: Settings, *, identifier: str | None, since: str | None, limit: int, as_json: bool) -> None:
    """Print changes of status, the oldest first; as JSON one object a line."""
    try:
        after = None if since is None else parse_since(since, now=SystemClock().now())
    except InvalidInput as error:
        raise click.BadParameter(error.message, param_hint="--since") from error
    entries = with_accounts(
        settings,
        "Reading the history",
        lambda connected, _: connected.accounts.history(identifier=identifier, since=after, limit=limit),
    )
    oldest_first = list(reversed(entries))
    if as_json:
        for entry in oldest_first:
            print_json(as_value(entry), indent=None)
        return
    if not oldest_first:
        click.echo("Nothing has happened that fits.")
        return
    print_table(
        ("AT (UTC)", "IDENTIFIER", "FROM", "TO", "CAUSE", "CODE", "CONNECTION"),
        [
            (
                f"{entry.at:%Y-%m-%d %H:%M:%S}",
                entry.identifier,
                _state(entry.old_status, entry.old_reason) or "-",
                _state(entry.new_status, entry.new_reason) or "deleted",
                entry.cause,
                entry.code or "-",
                entry.connection_name,
            )
            for entry in oldest_first
        ],
        needed=4,
    )
    if len(entries) == limit:
        click.echo(f"The newest {limit} are shown; --limit shows more.", err=True)


def as_value(entry: HistoryEntry) -> dict[str, Any]:
    """One change for a program; instants as ISO 8601 in UTC."""
    return asdict(entry) | {"at": rfc3339(entry.at)}


def parse_since(text: str, *, now: datetime) -> datetime:
    """An ISO 8601 date or instant (UTC unless it says otherwise), or an age such as `24h`, `7d`, `2w`.

    Raises:
        InvalidInput: it is neither.
    """
    age = _AGE.fullmatch(text.strip())
    if age is not None:
        return now - int(age[1]) * _UNITS[age[2]]
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError as exc:
        raise InvalidInput(
            "it must be a date (2026-11-01), an instant (2026-11-01T08:00:00Z) or an age (24h, 7d, 2w).",
            field="since",
        ) from exc
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _state(status: str | None, reason: str | None) -> str:
    return "" if status is None else f"{status} ({reason})" if reason else str(status)

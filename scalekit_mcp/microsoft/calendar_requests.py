"""What the five operations share when they speak to Graph: paths, preferences, zones and reading one event."""

from __future__ import annotations

from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.microsoft.events import Event
from scalekit_mcp.microsoft.graph import GraphRequest, MailboxSession, segment
from scalekit_mcp.microsoft.graph_zones import graph_zone
from scalekit_mcp.tools.values import Refused
from scalekit_mcp.tools.zones import Zone, resolve_zone


def asked_zone(name: str) -> Zone:
    """The zone called `name`; raises `InvalidInput`."""
    try:
        return resolve_zone(name)
    except Refused as exc:
        raise InvalidInput(f"`timezone` {exc.message}.", field="timezone") from exc


def preferences(zone: Zone | None, *, body_format: str | None = "text") -> tuple[str, ...]:
    """`Prefer` values: times in `zone` (by a name that Graph takes) and the body's format."""
    wanted: tuple[str, ...] = ()
    if zone is not None:
        wanted += (f'outlook.timezone="{graph_zone(zone)}"',)
    if body_format is not None:
        wanted += (f'outlook.body-content-type="{body_format}"',)
    return wanted


def events_path(calendar_id: str | None, collection: str = "events") -> str:
    """The path of a calendar's `events` or `calendarView`."""
    return f"/me/{collection}" if calendar_id is None else f"/me/calendars/{segment(calendar_id)}/{collection}"


def event_path(event_id: str) -> str:
    """The path of one event."""
    return f"/me/events/{segment(event_id)}"


async def read_event(
    session: MailboxSession,
    event_id: str,
    *,
    zone: Zone | None = None,
    body_format: str | None = "html",
    select: str | None = None,
    expand: str | None = None,
) -> Event:
    """One event as Graph has it; raises `EventNotFound`."""
    params: dict[str, str] = {}
    if select is not None:
        params["$select"] = select
    if expand is not None:
        params["$expand"] = expand
    prefer = preferences(zone, body_format=body_format)
    return (await session.send(GraphRequest("GET", event_path(event_id), params=params or None, prefer=prefer))).body

"""What the five operations share when they speak to Graph: paths, preferences, zones and reading one event."""

from __future__ import annotations

from scalekit_mcp.calendar.events.event import Event
from scalekit_mcp.calendar.events.rows import LIST_FIELDS
from scalekit_mcp.calendar.events.shapes import UnreadableAnswer, event_of, shown_event
from scalekit_mcp.calendar.events.zones import graph_zone
from scalekit_mcp.errors import InvalidInput, OutcomeUnknown, ScalekitMCPError
from scalekit_mcp.microsoft.graph.client import AnswerLost, GraphRequest, MailboxSession, segment
from scalekit_mcp.microsoft.graph.requests import AnswerTooLong
from scalekit_mcp.tools.remarks import Remarks, warned
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
    required: tuple[str, ...] = (),
) -> Event:
    """One event, whole, for whoever decides by it.

    Raises `EventNotFound`, and `UnreadableAnswer` where a member is odd or one of the `required` is missing.
    """
    body = await _event_body(session, event_id, zone=zone, body_format=body_format, select=select, expand=expand)
    return event_of(body, required=required)


async def read_to_show(
    session: MailboxSession,
    event_id: str,
    *,
    zone: Zone | None = None,
    body_format: str | None = "text",
    select: str | None = None,
) -> tuple[Event, Remarks]:
    """One event without its odd members, and the warning about them; raises `EventNotFound`, `UnreadableAnswer`."""
    body = await _event_body(session, event_id, zone=zone, body_format=body_format, select=select)
    event, warnings = shown_event(body)
    return event, warned(*warnings)


async def change_event(
    session: MailboxSession, request: GraphRequest, *, event_id: str, zone: Zone | None
) -> tuple[Event, Remarks]:
    """Send a PATCH and return the event after it.

    Where Microsoft made the change and its answer cannot be read, the event is read instead. Raises `AnswerLost` while
    it is open whether the change was made, and `OutcomeUnknown` where it was made and the event cannot be read.
    """
    try:
        response = await session.send(request)
        event, warnings = shown_event(response.body)
    except AnswerLost as lost:
        if not lost.carried_out:
            raise
    except UnreadableAnswer:
        pass
    else:
        return event, warned(*warnings)
    try:
        return await _read_after_change(session, event_id, zone)
    except ScalekitMCPError as exc:
        raise OutcomeUnknown(
            "Microsoft made the change, but neither its answer nor the event can be read now.",
            next_step="Do not repeat the change; read the event in a minute.",
        ) from exc


async def _read_after_change(session: MailboxSession, event_id: str, zone: Zone | None) -> tuple[Event, Remarks]:
    try:
        return await read_to_show(session, event_id, zone=zone)
    except AnswerTooLong:
        event, remarks = await read_to_show(session, event_id, zone=zone, select=",".join(LIST_FIELDS))
        return event, remarks + warned("The event is too large to be shown whole; its text is left out.")


async def _event_body(
    session: MailboxSession,
    event_id: str,
    *,
    zone: Zone | None,
    body_format: str | None,
    select: str | None,
    expand: str | None = None,
) -> Event:
    params: dict[str, str] = {}
    if select is not None:
        params["$select"] = select
    if expand is not None:
        params["$expand"] = expand
    prefer = preferences(zone, body_format=body_format)
    return (await session.send(GraphRequest("GET", event_path(event_id), params=params or None, prefer=prefer))).body

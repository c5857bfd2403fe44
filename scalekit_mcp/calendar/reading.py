"""Shared by the five operations: the zone of an answer, reading one event, and reading it after a change."""

from __future__ import annotations

from dataclasses import replace

from scalekit_mcp.calendar.events.answers.rows import LIST_FIELDS
from scalekit_mcp.calendar.events.event import Event
from scalekit_mcp.calendar.events.shapes import event_of, shown_event
from scalekit_mcp.calendar.failures import AnswerTooLong, ChangeAnswerLostError, UnreadableAnswer
from scalekit_mcp.calendar.mailbox import Form, Mailbox
from scalekit_mcp.errors import InvalidInput, OutcomeUnknown, ScalekitMCPError
from scalekit_mcp.tools import ArgumentError, Remarks, Zone, resolve_zone, warned

WHOLE = Form(body_format="html")
"""The form of an event that decisions are made on: its body as HTML, times in UTC."""


def shown_in(zone: Zone | None) -> Form:
    """An event as it is shown: its text as plain text, times in `zone`."""
    return Form(zone=zone, body_format="text")


def asked_zone(name: str) -> Zone:
    """The zone called `name`; raises `InvalidInput`."""
    try:
        return resolve_zone(name)
    except ArgumentError as exc:
        raise InvalidInput(f"`timezone` {exc.message}.", field="timezone") from exc


async def read_event(mailbox: Mailbox, event_id: str, form: Form = WHOLE, *, required: tuple[str, ...] = ()) -> Event:
    """One event with all properties, for code that makes decisions by it.

    Raises `EventNotFound`, and `UnreadableAnswer` where a member is odd or one of the `required` is missing.
    """
    return event_of(await mailbox.get(event_id, form), required=required)


async def read_to_show(mailbox: Mailbox, event_id: str, form: Form) -> tuple[Event, Remarks]:
    """One event without its odd members, and the warning about them; raises `EventNotFound`, `UnreadableAnswer`."""
    event, warnings = shown_event(await mailbox.get(event_id, form))
    return event, warned(*warnings)


async def change_event(
    mailbox: Mailbox, event_id: str, changes: Event, *, zone: Zone | None, etag: str | None
) -> tuple[Event, Remarks]:
    """Change an event and return it as it is then.

    Where Microsoft made the change and its answer cannot be read, the event is read instead. Raises
    `ChangeAnswerLostError` while it is open whether the change was made, and `OutcomeUnknown` where it was made and the
    event cannot be read.
    """
    try:
        event, warnings = shown_event(await mailbox.update(event_id, changes, form=shown_in(zone), etag=etag))
    except ChangeAnswerLostError as lost:
        if not lost.carried_out:
            raise
    except UnreadableAnswer:
        pass
    else:
        return event, warned(*warnings)
    try:
        return await _read_after_change(mailbox, event_id, zone)
    except ScalekitMCPError as exc:
        raise OutcomeUnknown(
            "Microsoft made the change, but neither its answer nor the event can be read now.",
            next_step="Do not repeat the change; read the event in a minute.",
        ) from exc


async def _read_after_change(mailbox: Mailbox, event_id: str, zone: Zone | None) -> tuple[Event, Remarks]:
    try:
        return await read_to_show(mailbox, event_id, shown_in(zone))
    except AnswerTooLong:
        event, remarks = await read_to_show(mailbox, event_id, replace(shown_in(zone), select=LIST_FIELDS))
        return event, remarks + warned("The event is too large to be shown whole; its text is left out.")

"""Arguments to the JSON that Microsoft Graph takes. Pure functions.

Sources: Create event, Update event, dateTimeTimeZone resource type, event resource type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scalekit_mcp.calendar.events.event import join_url
from scalekit_mcp.calendar.events.join_block import join_block, keep_join_block, text_as_html
from scalekit_mcp.calendar.events.recurrence import graph_recurrence
from scalekit_mcp.calendar.events.times import PatchedTimes, graph_moment, patch_times
from scalekit_mcp.calendar.events.writing.attendees import ATTENDEE_PARAMETERS, graph_attendees, merge_attendees
from scalekit_mcp.calendar.events.writing.series import series_recurrence
from scalekit_mcp.tools import (
    NO_REMARKS,
    ArgumentError,
    CreateCalendarEvent,
    EventFields,
    Remarks,
    UpdateCalendarEvent,
    noted,
    resolve_zone,
    warned,
)

__all__ = ["CURRENT_SELECT", "Patch", "create_body", "keep_join_block", "patch_body"]

CURRENT_SELECT = (
    "id", "start", "end", "isAllDay", "originalStartTimeZone", "originalEndTimeZone", "attendees", "organizer",
    "isOrganizer", "recurrence", "type", "seriesMasterId", "body", "isOnlineMeeting", "onlineMeetingProvider",
    "onlineMeeting",
)  # fmt: skip
"""What `patch_body` reads of the current event; the body must be asked for as HTML."""

_PLAIN = (
    "subject", "hideAttendees", "isAllDay", "isOnlineMeeting", "onlineMeetingProvider", "isReminderOn",
    "reminderMinutesBeforeStart", "importance", "sensitivity", "showAs", "responseRequested", "allowNewTimeProposals",
)  # fmt: skip
"""Parameters that are Graph's properties unchanged."""

_READS_CURRENT = (
    frozenset({"start_datetime", "end_datetime", "isAllDay", "body_content", "isOnlineMeeting"}) | ATTENDEE_PARAMETERS
)
_CLEAR_READS_CURRENT = frozenset({"body_content", "recurrence"}) | ATTENDEE_PARAMETERS


@dataclass(frozen=True, slots=True)
class Patch:
    """What to send to an event: the `body` (empty if nothing is left to change) and `remarks` for the result.

    With `needs_current` nothing was made: read the event (`CURRENT_SELECT`, body as HTML) and ask again with it.
    """

    body: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    remarks: Remarks = NO_REMARKS
    needs_current: bool = False


def create_body(args: CreateCalendarEvent, *, transaction_id: str, personal: bool = False) -> dict[str, Any]:
    """The body of a POST. `transaction_id` makes a repeat harmless; `personal` accounts are asked for no provider."""
    body = _plain(args, personal=personal)
    if args.body_content is not None:
        body["body"] = {"contentType": args.body_contentType or "text", "content": args.body_content}
    body["start"] = graph_moment(args.start_datetime, resolve_zone(args.start_timezone))
    # Two names of one zone are taken for two zones by all-day events.
    body["end"] = graph_moment(
        args.end_datetime, resolve_zone(args.start_timezone if args.isAllDay else args.end_timezone)
    )
    body |= _places(args)
    attendees = graph_attendees(args)
    if attendees:
        body["attendees"] = attendees
    if args.categories is not None:
        body["categories"] = list(args.categories)
    if args.recurrence is not None:
        body["recurrence"] = graph_recurrence(args.recurrence.complete(args.start_datetime.date()))
    if args.reminderMinutesBeforeStart is not None:
        body["isReminderOn"] = True
    body["transactionId"] = transaction_id
    return body


def patch_body(
    args: UpdateCalendarEvent,
    current: Mapping[str, Any] | None = None,
    *,
    occurrence: Mapping[str, Any] | None = None,
    personal: bool = False,
) -> Patch:
    """The body of a PATCH with exactly what was given; parts are merged into what the event has.

    `current` is the event that will be patched. When an occurrence was named and its series is patched, `occurrence` is
    the one named: its times then say how the time of day moves. Raises `InvalidInput`.
    """
    if current is None:
        if _needs_current(args):
            return Patch(needs_current=True)
        current = {}
    body = _plain(args, personal=personal) | _places(args)
    remarks = NO_REMARKS
    cleared = frozenset(args.clear or ())
    if args.categories is not None or "categories" in cleared:
        body["categories"] = list(args.categories or ())
    if args.given & ATTENDEE_PARAMETERS or cleared & ATTENDEE_PARAMETERS:
        merged = merge_attendees(args, current)
        remarks += merged.remarks
        if merged.changed:
            body["attendees"] = merged.attendees
    if args.body_content is not None or "body_content" in cleared:
        body["body"], told = _patched_content(args, current)
        remarks += told
    remarks += _online_meeting_stays(args, current)
    try:
        times = patch_times(args, current, occurrence)
        recurrence, times, told = _recurrence(args, current, times, cleared=cleared)
        body |= times.body | recurrence
        remarks += noted(*times.notes) + told
    except ArgumentError as exc:
        raise exc.as_invalid_input() from exc
    return Patch(body, remarks)


def _needs_current(args: UpdateCalendarEvent) -> bool:
    return bool(
        args.given & _READS_CURRENT or args.recurrence is not None or frozenset(args.clear or ()) & _CLEAR_READS_CURRENT
    )


def _plain(args: EventFields, *, personal: bool) -> dict[str, Any]:
    body = {name: getattr(args, name) for name in _PLAIN if name in args.given}
    if personal:
        # Asking for Teams by name takes the link away from a personal account altogether.
        body.pop("onlineMeetingProvider", None)
    return body


def _places(args: EventFields) -> dict[str, Any]:
    """`location` replaces all places of an event, so with both given the one becomes the first of the others."""
    cleared = frozenset(getattr(args, "clear", None) or ())
    if cleared & {"location", "locations"}:
        return {"location": {"displayName": ""}, "locations": []}
    if args.locations is None:
        return {} if args.location is None else {"location": {"displayName": args.location}}
    places = [dict(place) for place in args.locations]
    if args.location is not None:
        named = [p for p in places if p.get("displayName", "").casefold() == args.location.casefold()]
        first = named[0] if named else {"displayName": args.location}
        places = [first, *(p for p in places if p is not first)]
    return {"locations": places}


def _patched_content(args: UpdateCalendarEvent, current: Mapping[str, Any]) -> tuple[dict[str, Any], Remarks]:
    content, kind = args.body_content or "", args.body_contentType or "text"
    before: Mapping[str, Any] = current.get("body") or {}
    old = str(before.get("content") or "")
    url = join_url(current)
    if join_block(old) is not None:
        return {"contentType": "html", "content": keep_join_block(old, content, kind)}, NO_REMARKS
    if current.get("isOnlineMeeting") and url is not None and url in old.replace("&amp;", "&"):
        new = text_as_html(content) if kind == "text" else content
        told = "The meeting's join information could not be told from the old text, which was kept below the new."
        return {"contentType": "html", "content": f"{new}<br>\r\n{old}"}, warned(told)
    return {"contentType": kind, "content": content}, NO_REMARKS


def _online_meeting_stays(args: UpdateCalendarEvent, current: Mapping[str, Any]) -> Remarks:
    if not current.get("isOnlineMeeting") or args.isOnlineMeeting is None:
        return NO_REMARKS
    if not args.isOnlineMeeting:
        return warned("Microsoft does not take the online meeting away from an event; its join link stays.")
    before = current.get("onlineMeetingProvider")
    if args.onlineMeetingProvider not in {None, before}:
        return warned(f"Microsoft does not change the provider of an online meeting; it stays {before}.")
    return NO_REMARKS


def _recurrence(
    args: UpdateCalendarEvent,
    current: Mapping[str, Any],
    times: PatchedTimes,
    *,
    cleared: frozenset[str],
) -> tuple[dict[str, Any], PatchedTimes, Remarks]:
    if "recurrence" in cleared:
        _refuse_on_occurrence(current, "clear")
        if current.get("recurrence") is None:
            return {}, times, noted("The event did not recur, so there was no recurrence to clear.")
        return {"recurrence": None}, times, NO_REMARKS
    if args.recurrence is not None:
        _refuse_on_occurrence(current, sorted(n for n in args.given if n.startswith("recurrence_"))[0])
    value, times = series_recurrence(args.recurrence, current, times)
    return {} if value is None else {"recurrence": value}, times, NO_REMARKS


def _refuse_on_occurrence(current: Mapping[str, Any], name: str) -> None:
    if current.get("type") in {"occurrence", "exception"}:
        raise ArgumentError("concerns the whole series; set apply_to to series, or name the series by its id", name)

"""Graph's JSON to the parameters of the hosted Outlook tools. Pure functions; what no tool can do is refused by name.

Source: Scalekit's connector page "Outlook", tools `outlook_create_calendar_event` and following.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from scalekit_mcp.errors import InternalError, InvalidInput
from scalekit_mcp.tools import (
    TOOLS,
    Arguments,
    CreateCalendarEvent,
    DeleteCalendarEvent,
    EventFields,
    ListCalendarEvents,
    UpdateCalendarEvent,
)

HOSTED_PATTERNS = frozenset({"daily", "weekly"})
KINDS = ("required", "optional", "resource")

_SAME_NAME = frozenset(
    {
        "subject",
        "hideAttendees",
        "isAllDay",
        "isOnlineMeeting",
        "onlineMeetingProvider",
        "isReminderOn",
        "reminderMinutesBeforeStart",
        "importance",
        "sensitivity",
        "showAs",
    }
)
_TRUE_BY_DEFAULT = frozenset({"responseRequested", "allowNewTimeProposals"})
_NOT_EMPTIED = ("location", "locations", "categories", "body_content", "recurrence")
_NO_EMPTYING = "no hosted tool empties it"
_NO_PATTERN = "the hosted tools know daily and weekly recurrence only"
_NO_FIRST_DAY = "the hosted tools count weeks from Sunday"
_NO_OTHER_CALENDAR = "the hosted tools work on the default calendar only"

NAMES_NOT_SENT = "Names of attendees were not sent, only their addresses; Outlook shows the names that it knows."


def refused(field: str, reason: str) -> InvalidInput:
    """The `InvalidInput` for a parameter that the hosted tools do not have."""
    return InvalidInput(
        f"`{field}` cannot be used on a connection that Scalekit hosts: {reason}.",
        field=field,
        next_step=f"Leave {field} out; a server with its own vault (SCALEKIT_MCP_MODE=embedded) can do it.",
    )


def refused_tool(tool_name: str) -> InvalidInput:
    """The `InvalidInput` for a tool that no hosted tool stands for."""
    return InvalidInput(
        f"{tool_name} cannot be used on a connection that Scalekit hosts: its tools have nothing like it.",
        next_step="A server with its own vault (SCALEKIT_MCP_MODE=embedded) can do it.",
    )


def check_supported(args: Arguments) -> list[str]:
    """Warnings about arguments that lose something on the way; raises `InvalidInput` for one that no tool can do."""
    if not TOOLS[args.tool_name].hosted:
        raise refused_tool(args.tool_name)
    if isinstance(args, CreateCalendarEvent):
        if args.transaction_id is not None:
            raise refused("transaction_id", "the hosted tools have no key that keeps a repeat from booking twice")
        for name in sorted(_TRUE_BY_DEFAULT):
            if getattr(args, name) is False:
                raise refused(name, "the hosted tools always use Outlook's default, true")
    if isinstance(args, CreateCalendarEvent | ListCalendarEvents) and args.calendar_id is not None:
        raise refused("calendar_id", _NO_OTHER_CALENDAR)
    _check_following(args)
    if isinstance(args, UpdateCalendarEvent):
        for name in _NOT_EMPTIED:
            if name in (args.clear or ()):
                raise refused("clear", f"{name} is named in it, and {_NO_EMPTYING}")
    if isinstance(args, DeleteCalendarEvent) and args.permanent:
        raise refused("permanent", "the hosted tools only move events to Deleted Items")
    if isinstance(args, EventFields):
        _check_fields(args)
        return [NAMES_NOT_SENT] if _names_people(args) else []
    return []


def _check_following(args: Arguments) -> None:
    if isinstance(args, UpdateCalendarEvent | DeleteCalendarEvent) and args.apply_to == "following":
        raise refused("apply_to", "the hosted tools have no key that keeps half of a split from being booked twice")


def _check_fields(args: EventFields) -> None:
    if args.recurrence_type is not None and args.recurrence_type not in HOSTED_PATTERNS:
        raise refused("recurrence_type", _NO_PATTERN)
    for name in ("recurrence_day_of_month", "recurrence_month", "recurrence_week_index"):
        if getattr(args, name) is not None:
            raise refused(name, _NO_PATTERN)
    if args.recurrence_first_day_of_week not in (None, "sunday"):
        raise refused("recurrence_first_day_of_week", _NO_FIRST_DAY)
    if any("," in name for name in args.categories or ()):
        raise refused("categories", "the hosted tools separate names by commas, and one of these holds a comma")


def _names_people(args: EventFields) -> bool:
    lists = [getattr(args, f"attendees_{kind}") for kind in KINDS]
    if isinstance(args, UpdateCalendarEvent):
        lists += [args.attendees_add, args.attendees_add_optional]
    return any(attendee.name for people in lists for attendee in people or ())


def event_params(body: Mapping[str, Any], warnings: list[str]) -> dict[str, Any]:
    """The parameters of create or update for the body of a POST or PATCH to Graph.

    Every property becomes a parameter or is refused; only the transaction id, which no tool takes, and properties that
    say what Outlook does anyway are left out. Sentences for the result are added to `warnings`.
    """
    params: dict[str, Any] = {}
    for name, value in body.items():
        if name in _SAME_NAME:
            params[name] = value
        elif name in ("start", "end"):
            params[f"{name}_datetime"], params[f"{name}_timezone"] = value["dateTime"], value["timeZone"]
        elif name == "body":
            params["body_content"], params["body_contentType"] = value["content"], value["contentType"]
        elif name == "location":
            params["location"] = _filled(value.get("displayName"), "location")
        elif name == "locations":
            params["locations"] = json.dumps(_filled(value, "locations"), ensure_ascii=False)
        elif name == "categories":
            params["categories"] = ",".join(_filled(value, "categories"))
        elif name == "attendees":
            params |= _attendees(value)
        elif name == "recurrence":
            params |= _recurrence(value, warnings)
        elif name != "transactionId" and not (name in _TRUE_BY_DEFAULT and value is True):
            raise InternalError(f"The property {name} of an event has no counterpart among the hosted tools.")
    return params


def _filled(value: Any, name: str) -> Any:
    if not value:
        raise refused("clear", f"{name} would be emptied, and {_NO_EMPTYING}")
    return value


def _attendees(people: list[dict[str, Any]]) -> dict[str, str]:
    """The whole list by kind: the hosted update replaces it as Graph does."""
    addresses: dict[str, list[str]] = {}
    for person in people:
        addresses.setdefault(person.get("type") or "required", []).append(person["emailAddress"]["address"])
    if not addresses:
        raise refused("clear", "nobody would be left among the attendees, and no hosted tool removes the last one")
    return {f"attendees_{kind}": ",".join(addresses[kind]) for kind in KINDS if kind in addresses}


def _recurrence(value: dict[str, Any] | None, warnings: list[str]) -> dict[str, Any]:
    if value is None:
        raise refused("clear", f"recurrence is named in it, and {_NO_EMPTYING}")
    pattern, span = cast("dict[str, Any]", value["pattern"]), cast("dict[str, Any]", value["range"])
    if pattern["type"] not in HOSTED_PATTERNS:
        raise refused("recurrence_type", f"the series is {pattern['type']}, and {_NO_PATTERN}")
    interval = int(pattern.get("interval") or 1)
    if interval > 1 and str(pattern.get("firstDayOfWeek") or "sunday").lower() != "sunday":
        raise refused("recurrence_interval", f"the series counts its weeks from another day, and {_NO_FIRST_DAY}")
    params = {
        "recurrence_type": pattern["type"],
        "recurrence_interval": interval,
        "recurrence_range_type": span["type"],
        "recurrence_start_date": span["startDate"],
    }
    if pattern.get("daysOfWeek"):
        params["recurrence_days_of_week"] = ",".join(pattern["daysOfWeek"])
    if span["type"] == "endDate":
        params["recurrence_end_date"] = span["endDate"]
    if span["type"] == "numbered":
        params["recurrence_occurrences"] = span["numberOfOccurrences"]
    if span.get("recurrenceTimeZone"):
        warnings.append("The zone of the series could not be sent; Outlook takes the zone of its start.")
    return params

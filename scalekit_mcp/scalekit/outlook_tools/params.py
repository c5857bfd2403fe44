"""Graph's JSON to the parameters of the hosted Outlook tools. Pure functions; what no tool can do is refused by name.

Source: Scalekit's connector page "Outlook", tools `outlook_create_calendar_event` and following.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from scalekit_mcp.errors import InternalError, InvalidInput
from scalekit_mcp.tools import (
    HOSTED_LIMITS,
    HOSTED_PATTERNS,
    LAST_ATTENDEE,
    NO_COUNTERPART_REASON,
    OTHER_PATTERN,
    OTHER_WEEK,
    TOOLS,
    Arguments,
    EventFields,
    HostedLimit,
    UpdateCalendarEvent,
    has_counterpart,
    limit_of,
)

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
_EMPTYING = next(limit for limit in HOSTED_LIMITS if limit.parameter == "clear")

NAMES_NOT_SENT = "Names of attendees were not sent, only their addresses; Outlook shows the names that it knows."


def refused(limit: HostedLimit, because: str = "") -> InvalidInput:
    """The `InvalidInput` for a parameter that Scalekit's tools do not carry; `because` is said before the reason."""
    return InvalidInput(
        f"`{limit.parameter}` cannot be used on a connection that Scalekit hosts by its tools: "
        f"{because}{limit.reason}.",
        field=limit.parameter,
        next_step=f"Leave {limit.parameter} out. Scalekit's proxy (SCALEKIT_MCP_HOSTED_CALLS=proxy, where Scalekit "
        "enables it) or a server with its own vault can do it.",
    )


def refused_tool(tool_name: str) -> InvalidInput:
    """The `InvalidInput` for a tool that no tool of Scalekit's stands for."""
    return InvalidInput(
        f"{tool_name} cannot be used on a connection that Scalekit hosts by its tools: {NO_COUNTERPART_REASON}.",
        next_step="Scalekit's proxy (SCALEKIT_MCP_HOSTED_CALLS=proxy, where Scalekit enables it) or a server with its "
        "own vault can do it.",
    )


def check_supported(args: Arguments) -> list[str]:
    """Warnings about arguments that lose something on the way; raises `InvalidInput` for one that no tool can do."""
    if not has_counterpart(TOOLS[args.tool_name]):
        raise refused_tool(args.tool_name)
    limit = limit_of(args)
    if limit is not None:
        raise refused(limit)
    return [NAMES_NOT_SENT] if isinstance(args, EventFields) and _names_people(args) else []


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
        raise refused(_EMPTYING, f"{name} would be emptied, and ")
    return value


def _attendees(people: list[dict[str, Any]]) -> dict[str, str]:
    """The whole list by kind: the hosted update replaces it as Graph does."""
    addresses: dict[str, list[str]] = {}
    for person in people:
        addresses.setdefault(person.get("type") or "required", []).append(person["emailAddress"]["address"])
    if not addresses:
        raise refused(LAST_ATTENDEE, "nobody would be left among the attendees, and ")
    return {f"attendees_{kind}": ",".join(addresses[kind]) for kind in KINDS if kind in addresses}


def _recurrence(value: dict[str, Any] | None, warnings: list[str]) -> dict[str, Any]:
    if value is None:
        raise refused(_EMPTYING, "recurrence is named in it, and ")
    pattern, span = cast("dict[str, Any]", value["pattern"]), cast("dict[str, Any]", value["range"])
    if pattern["type"] not in HOSTED_PATTERNS:
        raise refused(OTHER_PATTERN, f"the series is {pattern['type']}, and ")
    interval = int(pattern.get("interval") or 1)
    if interval > 1 and str(pattern.get("firstDayOfWeek") or "sunday").lower() != "sunday":
        raise refused(OTHER_WEEK, "the series counts its weeks from another day, and ")
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

"""What carries the calls of a server, and what each carrier cannot do: for the listing, the refusals and the docs.

Microsoft Graph carries everything, directly or through Scalekit's proxy. Scalekit's own Outlook tools do not:
`HOSTED_LIMITS` and `NO_COUNTERPART` say what, and nothing else does. Source: Scalekit's connector page "Outlook".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from scalekit_mcp.tools.base import Arguments
from scalekit_mcp.tools.inputs.recurrence import TYPES
from scalekit_mcp.tools.parameters import CLEARABLE
from scalekit_mcp.tools.tool_spec import ListedDifferently, ToolSpec

CREATE, LIST = "outlook_create_calendar_event", "outlook_list_calendar_events"
UPDATE, DELETE = "outlook_update_calendar_event", "outlook_delete_calendar_event"

HOSTED_PATTERNS = ("daily", "weekly")
NOT_EMPTIED = ("location", "locations", "categories", "body_content", "recurrence")
_EMPTIED = tuple(name for name in CLEARABLE if name not in NOT_EMPTIED)


class Carrier(Enum):
    """Who carries out calls."""

    GRAPH = "graph"
    """Microsoft Graph, directly or through Scalekit's proxy."""
    HOSTED_TOOLS = "hosted_tools"
    """The Outlook tools that Scalekit runs."""


@dataclass(frozen=True, slots=True)
class HostedLimit:
    """One thing that Scalekit's tools cannot carry: of these tools, this parameter, where it is as `what` says.

    `refuses` tells that of the value that is given; None where it depends on the event. `listed` is how the parameter
    is shown to models instead; None: as ever, because most of its values are carried.
    """

    tools: tuple[str, ...]
    parameter: str
    what: str
    reason: str
    refuses: Callable[[Any], bool] | None = None
    listed: ListedDifferently | None = None


_GONE = ListedDifferently()


def _always(value: object) -> bool:
    del value
    return True


def _limit(tools: tuple[str, ...], parameter: str, reason: str) -> HostedLimit:
    """A parameter that has no counterpart at all."""
    return HostedLimit(tools, parameter, "any value", reason, _always, _GONE)


_WRITING = (CREATE, UPDATE)
_NO_PATTERN = "Scalekit's tools know daily and weekly recurrence only"
_NO_FIRST_DAY = "Scalekit's tools count weeks from Sunday"
_NO_CALENDAR = "Scalekit's tools work on the default calendar only"

OTHER_PATTERN = HostedLimit(
    (UPDATE,), "recurrence_type", "a change of the recurrence of a monthly or yearly series", _NO_PATTERN
)
OTHER_WEEK = HostedLimit(
    (UPDATE,), "recurrence_interval", "more than 1, of a series whose weeks begin on another day", _NO_FIRST_DAY
)
LAST_ATTENDEE = HostedLimit(
    (UPDATE,), "clear", "or the removal of the last attendee", "no tool of Scalekit's removes the last attendee"
)

HOSTED_LIMITS: tuple[HostedLimit, ...] = (
    _limit((CREATE,), "transaction_id", "Scalekit's tools have no key that keeps a repeat from booking twice"),
    *(
        HostedLimit(
            (CREATE,),
            name,
            "`false`",
            "Scalekit's tools always use Outlook's default, true",
            lambda value: value is False,
            _GONE,
        )
        for name in ("allowNewTimeProposals", "responseRequested")
    ),
    _limit((CREATE, LIST), "calendar_id", _NO_CALENDAR),
    HostedLimit(
        (UPDATE, DELETE),
        "apply_to",
        "`following`",
        "Scalekit's tools have no key that keeps half of a split from being booked twice",
        lambda value: value == "following",
        ListedDifferently("this: the event of the id. series: all.", ("this", "series")),
    ),
    HostedLimit(
        (UPDATE,),
        "clear",
        ", ".join(f"`{name}`" for name in NOT_EMPTIED),
        "no tool of Scalekit's empties it",
        lambda names: bool(set(names) & set(NOT_EMPTIED)),
        ListedDifferently("Names to empty: " + ", ".join(_EMPTIED) + "."),
    ),
    LAST_ATTENDEE,
    HostedLimit(
        (DELETE,),
        "permanent",
        "`true`",
        "Scalekit's tools only move events to Deleted Items",
        lambda value: value is True,
        _GONE,
    ),
    HostedLimit(
        _WRITING,
        "recurrence_type",
        ", ".join(f"`{name}`" for name in TYPES if name not in HOSTED_PATTERNS),
        _NO_PATTERN,
        lambda value: value not in HOSTED_PATTERNS,
        ListedDifferently("How the event repeats.", HOSTED_PATTERNS),
    ),
    *(
        _limit(_WRITING, name, _NO_PATTERN)
        for name in ("recurrence_day_of_month", "recurrence_month", "recurrence_week_index")
    ),
    OTHER_PATTERN,
    HostedLimit(
        _WRITING,
        "recurrence_first_day_of_week",
        "anything but `sunday`",
        _NO_FIRST_DAY,
        lambda value: value != "sunday",
        _GONE,
    ),
    OTHER_WEEK,
    HostedLimit(
        _WRITING,
        "categories",
        "a name with a comma in it",
        "Scalekit's tools separate names by commas",
        lambda names: any("," in name for name in names),
    ),
)
"""In the order in which a call with several of them is refused."""

NO_COUNTERPART_REASON = "Scalekit's tools have nothing like it"


def has_counterpart(spec: ToolSpec) -> bool:
    """Whether a tool runs by Scalekit's tools at all."""
    return spec.toolset != "scheduling"


def carried(spec: ToolSpec, carrier: Carrier) -> ToolSpec | None:
    """The tool as it is listed where this carrier is used; None where it is not."""
    if carrier is Carrier.GRAPH:
        return spec
    if not has_counterpart(spec):
        return None
    changes = {
        limit.parameter: limit.listed
        for limit in HOSTED_LIMITS
        if spec.name in limit.tools and limit.listed is not None
    }
    return replace(spec, listed_differently=changes) if changes else spec


def limit_of(arguments: Arguments) -> HostedLimit | None:
    """What of these arguments Scalekit's tools cannot carry, as far as the arguments alone tell it."""
    for limit in HOSTED_LIMITS:
        if arguments.tool_name in limit.tools and limit.refuses is not None:
            value: object = getattr(arguments, limit.parameter)
            if value is not None and limit.refuses(value):
                return limit
    return None

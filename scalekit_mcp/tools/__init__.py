"""WHAT THE MODEL SEES: the catalogue of tools, their argument and output models."""

from scalekit_mcp.tools.arguments import (
    Authorize,
    CreateCalendarEvent,
    DeleteCalendarEvent,
    EventFields,
    GetCalendarEvent,
    ListCalendarEvents,
    UpdateCalendarEvent,
)
from scalekit_mcp.tools.base import Arguments
from scalekit_mcp.tools.catalogue import TOOLS, ToolSpec, UnknownTool, markdown_table, parse_arguments
from scalekit_mcp.tools.people import Attendee
from scalekit_mcp.tools.recurrence import Recurrence
from scalekit_mcp.tools.remarks import Remarks, warned
from scalekit_mcp.tools.zones.zone import Zone, resolve_zone

__all__ = [
    "TOOLS",
    "Arguments",
    "Attendee",
    "Authorize",
    "CreateCalendarEvent",
    "DeleteCalendarEvent",
    "EventFields",
    "GetCalendarEvent",
    "ListCalendarEvents",
    "Recurrence",
    "Remarks",
    "ToolSpec",
    "UnknownTool",
    "UpdateCalendarEvent",
    "Zone",
    "markdown_table",
    "parse_arguments",
    "resolve_zone",
    "warned",
]

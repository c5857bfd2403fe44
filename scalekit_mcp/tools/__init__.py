"""The catalogue of tools as a model sees it, with their argument and output models."""

from scalekit_mcp.tools.answer_size import (
    MAX_ANSWER_CHARACTERS,
    MAX_ERROR_CHARACTERS,
    fitted,
    shortened,
    shortening_warning,
    to_json,
)
from scalekit_mcp.tools.base import Arguments, invalid_input, read_parameters
from scalekit_mcp.tools.calendar.arguments import (
    Authorize,
    CreateCalendarEvent,
    DeleteCalendarEvent,
    EventFields,
    GetCalendarEvent,
    ListCalendarEvents,
    UpdateCalendarEvent,
)
from scalekit_mcp.tools.calendar.checks import check_all_day
from scalekit_mcp.tools.carriers import (
    HOSTED_LIMITS,
    HOSTED_PATTERNS,
    LAST_ATTENDEE,
    NO_COUNTERPART_REASON,
    OTHER_PATTERN,
    OTHER_WEEK,
    Carrier,
    HostedLimit,
    has_counterpart,
    limit_of,
)
from scalekit_mcp.tools.catalogue import (
    TOOLS,
    UnknownToolError,
    carried_tools,
    markdown_table,
    offered_tools,
    parse_arguments,
)
from scalekit_mcp.tools.connectors.arguments import checked_arguments
from scalekit_mcp.tools.connectors.connector_tool import ConnectorTool, ConnectorTools
from scalekit_mcp.tools.inputs.invisible import comparable, has_hidden, without_hidden
from scalekit_mcp.tools.inputs.people import KINDS, MAXIMUM_ATTENDEES, Attendee, attendees, person_key
from scalekit_mcp.tools.inputs.recurrence import WEEKDAYS, Recurrence
from scalekit_mcp.tools.inputs.values import NO_DATE, ArgumentError, shown
from scalekit_mcp.tools.instructions import server_instructions
from scalekit_mcp.tools.parameters import EVENT_PROPERTIES, Parameter
from scalekit_mcp.tools.parameters import boolean as boolean_parameter
from scalekit_mcp.tools.parameters import identifier_of as identifier_parameter
from scalekit_mcp.tools.parameters import integer as integer_parameter
from scalekit_mcp.tools.parameters import orderby as orderby_parameter
from scalekit_mcp.tools.parameters import select as select_parameter
from scalekit_mcp.tools.parameters import text as text_parameter
from scalekit_mcp.tools.parameters import zone as zone_parameter
from scalekit_mcp.tools.remarks import NO_REMARKS, Remarks, noted, warned
from scalekit_mcp.tools.scheduling.arguments import (
    FindMeetingTimes,
    GetFreeBusySchedule,
    ListCalendars,
    RespondToEvent,
    SearchPeople,
)
from scalekit_mcp.tools.tool_spec import ToolSpec
from scalekit_mcp.tools.zones.abbreviations import check_lasting_zone_name
from scalekit_mcp.tools.zones.zone import Zone, fold_note, present, resolve_zone, to_instant, to_local, windows_zones

__all__ = [
    "EVENT_PROPERTIES",
    "HOSTED_LIMITS",
    "HOSTED_PATTERNS",
    "KINDS",
    "LAST_ATTENDEE",
    "MAXIMUM_ATTENDEES",
    "MAX_ANSWER_CHARACTERS",
    "MAX_ERROR_CHARACTERS",
    "NO_COUNTERPART_REASON",
    "NO_DATE",
    "NO_REMARKS",
    "OTHER_PATTERN",
    "OTHER_WEEK",
    "TOOLS",
    "WEEKDAYS",
    "ArgumentError",
    "Arguments",
    "Attendee",
    "Authorize",
    "Carrier",
    "ConnectorTool",
    "ConnectorTools",
    "CreateCalendarEvent",
    "DeleteCalendarEvent",
    "EventFields",
    "FindMeetingTimes",
    "GetCalendarEvent",
    "GetFreeBusySchedule",
    "HostedLimit",
    "ListCalendarEvents",
    "ListCalendars",
    "Parameter",
    "Recurrence",
    "Remarks",
    "RespondToEvent",
    "SearchPeople",
    "ToolSpec",
    "UnknownToolError",
    "UpdateCalendarEvent",
    "Zone",
    "attendees",
    "boolean_parameter",
    "carried_tools",
    "check_all_day",
    "check_lasting_zone_name",
    "checked_arguments",
    "comparable",
    "fitted",
    "fold_note",
    "has_counterpart",
    "has_hidden",
    "identifier_parameter",
    "integer_parameter",
    "invalid_input",
    "limit_of",
    "markdown_table",
    "noted",
    "offered_tools",
    "orderby_parameter",
    "parse_arguments",
    "person_key",
    "present",
    "read_parameters",
    "resolve_zone",
    "select_parameter",
    "server_instructions",
    "shortened",
    "shortening_warning",
    "shown",
    "text_parameter",
    "to_instant",
    "to_json",
    "to_local",
    "warned",
    "windows_zones",
    "without_hidden",
    "zone_parameter",
]

"""The parameters of the tools: for each its JSON schema, its description for a model, and how its value is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from scalekit_mcp.confirmation_code import read_code
from scalekit_mcp.tools.inputs import people, places, recurrence, values
from scalekit_mcp.tools.inputs.values import ArgumentError, Parse, nearest, shown
from scalekit_mcp.tools.zones.abbreviations import check_zone_name


@dataclass(frozen=True)
class Parameter:
    """One parameter as the catalogue publishes it (`schema`, `description`) and as a call is read (`parse`).

    `many` says that it takes a list. A `literal` one takes words such as `null` as the text they are.
    """

    description: str
    parse: Parse
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    zone_dated_by: tuple[str, ...] | None = None
    """Only of a time zone: the parameters with the local times that it is for."""
    many: bool = False
    literal: bool = False

    def is_absent(self, value: object) -> bool:
        """Whether this value of the parameter means "not given".

        Besides what never means anything, that is what Graph writes for "not used": 0 for a number that cannot be 0,
        and the first day of the year 1 for a date.
        """
        if values.is_absent(value, words=not self.literal):
            return True
        if self.schema.get("type") == "integer" and self.schema.get("minimum", 0) > 0:
            return values.is_zero(value)
        return (
            self.schema.get("format") == "date" and isinstance(value, str) and value.strip().startswith(values.NO_DATE)
        )

    def json_schema(self) -> dict[str, Any]:
        """The flat schema that goes into `tools/list`."""
        return {**self.schema, "description": self.description}

    def described(self, description: str) -> Parameter:
        """The same parameter with another description."""
        return replace(self, description=description)


def text(
    description: str, maximum: int, *, one_line: bool = True, publish: bool = True, literal: bool = False
) -> Parameter:
    """Text; `maximum` is published unless it is only a guard."""
    schema: dict[str, Any] = {"type": "string"}
    if publish:
        schema["maxLength"] = maximum
    return Parameter(description, values.text(maximum, one_line=one_line), schema, literal=literal)


def identifier_of(description: str) -> Parameter:
    """An opaque id."""
    return Parameter(description, values.opaque_id)


def calendar(description: str) -> Parameter:
    """A calendar, by its id or its name."""
    return Parameter(description, values.text(1024))


def boolean(description: str) -> Parameter:
    """True or false."""
    return Parameter(description, values.boolean, {"type": "boolean"})


def integer(description: str, minimum: int, maximum: int) -> Parameter:
    """A whole number within bounds."""
    schema = {"type": "integer", "minimum": minimum, "maximum": maximum}
    return Parameter(description, values.integer(minimum, maximum), schema)


def choice(description: str, *options: str, also: dict[str, str] | None = None) -> Parameter:
    """One of a closed list."""
    return Parameter(description, values.choice(*options, also=also), {"type": "string", "enum": list(options)})


def local_datetime(description: str, zone_field: str) -> Parameter:
    """A local date-time whose zone stands in another parameter.

    No pattern is published: it would keep hosts from sending the plain date of a whole day, which is read, too.
    """
    return Parameter(description, values.local_datetime(zone_field))


def date(description: str) -> Parameter:
    """A date."""
    return Parameter(description, values.calendar_date, {"type": "string", "format": "date"})


def _zone_name(value: object) -> str:
    if not isinstance(value, str):
        raise ArgumentError("must be text: an IANA or Windows zone name")
    check_zone_name(value)
    return value.strip()


def zone(description: str, *dated_by: str) -> Parameter:
    """A time zone, by its IANA or Windows name, of the local times in the parameters `dated_by`."""
    return Parameter(description, _zone_name, zone_dated_by=dated_by)


def attendees(description: str) -> Parameter:
    """Mail addresses, comma-separated."""
    return Parameter(description, people.attendees, many=True)


def addresses(description: str) -> Parameter:
    """Mail addresses without names, comma-separated."""

    def parse(value: object) -> tuple[str, ...]:
        return tuple(attendee.address for attendee in people.attendees(value))

    return Parameter(description, parse, many=True)


def place(description: str, maximum: int) -> Parameter:
    """The name of one place."""
    return Parameter(description, places.place_name(maximum), {"type": "string", "maxLength": maximum})


def body(description: str, maximum: int) -> Parameter:
    """What stands in an event."""
    return Parameter(description, values.body_content(maximum), {"type": "string", "maxLength": maximum})


def locations(description: str) -> Parameter:
    """Places as the JSON text of an array."""
    return Parameter(description, places.locations, many=True)


def categories(description: str) -> Parameter:
    """Names of categories, comma-separated."""
    return Parameter(description, values.text_list(values.text(255)), many=True)


def weekdays(description: str) -> Parameter:
    """Days of the week, comma-separated."""
    short = {day[:length]: day for day in recurrence.WEEKDAYS for length in (2, 3)}
    return Parameter(description, values.text_list(values.choice(*recurrence.WEEKDAYS, also=short)), many=True)


EVENT_PROPERTIES = (
    "allowNewTimeProposals", "attendees", "body", "bodyPreview", "cancelledOccurrences", "categories", "changeKey",
    "createdDateTime", "end", "hasAttachments", "hideAttendees", "iCalUId", "id", "importance", "isAllDay",
    "isCancelled", "isDraft", "isOnlineMeeting", "isOrganizer", "isReminderOn", "lastModifiedDateTime", "location",
    "locations", "onlineMeeting", "onlineMeetingProvider", "onlineMeetingUrl", "organizer", "originalEndTimeZone",
    "originalStart", "originalStartTimeZone", "recurrence", "reminderMinutesBeforeStart", "responseRequested",
    "responseStatus", "sensitivity", "seriesMasterId", "showAs", "start", "subject", "transactionId", "type", "webLink",
)  # fmt: skip
"""What `$select` can name (event resource type)."""


def _property_name(value: object) -> str:
    name = values.text(64)(value)
    known = {p.casefold(): p for p in EVENT_PROPERTIES}.get(name.partition("/")[0].casefold())
    if known is None:
        hint = nearest(name, EVENT_PROPERTIES)
        advice = f"did you mean {hint[0]}?" if hint else f"events have {', '.join(EVENT_PROPERTIES)}"
        raise ArgumentError(f"names {shown(name)}, which is not a property of an event; {advice}")
    return known


def select(description: str) -> Parameter:
    """Names of event properties, comma-separated; a path such as `start/dateTime` selects its property."""
    return Parameter(description, values.text_list(_property_name), many=True)


CLEARABLE = (
    "attendees_required", "attendees_optional", "attendees_resource", "location", "locations", "categories",
    "body_content", "recurrence",
)  # fmt: skip


def clear(description: str) -> Parameter:
    """Names of parameters to empty, comma-separated."""
    return Parameter(description, values.text_list(values.choice(*CLEARABLE)), many=True)


_ORDER = re.compile(r"[A-Za-z][A-Za-z0-9]*(/[A-Za-z][A-Za-z0-9]*)*( +(asc|desc))?", re.IGNORECASE)


def _order(value: object) -> str:
    result = values.text(512)(value)
    for part in result.split(","):
        if not _ORDER.fullmatch(part.strip()):
            raise ArgumentError(
                f"holds {shown(part.strip())}; write a property and asc or desc, such as start/dateTime asc"
            )
        if part.strip().split()[0].casefold() in {"start", "end"}:
            raise ArgumentError(
                f"names '{part.strip().split()[0]}', which has no order; write start/dateTime or end/dateTime"
            )
    return ", ".join(" ".join(part.split()) for part in result.split(","))


def orderby(description: str) -> Parameter:
    """An OData order."""
    return Parameter(description, _order)


def _confirmation_code(value: object) -> str:
    code = read_code(value)
    if code is None:
        # The value stays out of the message: it is a credential.
        raise ArgumentError("must be the 8 characters that the page showed to the user")
    return code


def confirmation_code(description: str) -> Parameter:
    """Eight characters, read by `read_code`."""
    return Parameter(description, _confirmation_code)

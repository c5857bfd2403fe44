"""The questions that a person must confirm before a call sends mail to people or deletes an event."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, cast

from scalekit_mcp.tools import ConnectorTool, attendees

CREATE = "outlook_create_calendar_event"
UPDATE = "outlook_update_calendar_event"
DELETE = "outlook_delete_calendar_event"
RESPOND = "outlook_respond_to_event"
PEOPLE_PARAMETERS = (
    "attendees_required",
    "attendees_optional",
    "attendees_resource",
    "attendees_add",
    "attendees_add_optional",
    "attendees_remove",
)
_SHOWN_PEOPLE = 10
_SHOWN_CHARACTERS = 120
_SHOWN_ARGUMENTS = 600


def mails_on_create(tool_input: Mapping[str, Any]) -> bool:
    """Whether booking the event mails anybody."""
    return any(tool_input.get(name) for name in PEOPLE_PARAMETERS)


def mails_on_update(tool_input: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether changing the event mails anybody: those who are invited, or are now."""
    return bool(event.get("attendees")) or mails_on_create(tool_input)


def create_question(tool_input: Mapping[str, Any]) -> str:
    """The question before this event is created: who gets mail."""
    people = [name for parameter in PEOPLE_PARAMETERS for name in _listed(tool_input.get(parameter))]
    when = _plain(tool_input.get("start_datetime"))
    return f"Book '{_plain(tool_input.get('subject'))}' on {when} and mail invitations to {_people(people)}?"


def update_question(tool_input: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """The question before this event is changed: who gets mail."""
    changed = ", ".join(sorted(name for name, value in tool_input.items() if name != "event_id" and value is not None))
    people = _invited(event) + [name for parameter in PEOPLE_PARAMETERS for name in _listed(tool_input.get(parameter))]
    return f"Change '{_plain(event.get('subject'))}' ({_plain(changed)}) and mail {_people(people)}?"


def delete_question(event: Mapping[str, Any]) -> str:
    """The question before this event is deleted: who gets mail, and what is lost."""
    people = _invited(event)
    start = str(cast("Mapping[str, Any]", event.get("start") or {}).get("dateTime") or "").partition(".")[0]
    told = f" and mail a cancellation to {_people(people)}" if people and event.get("isOrganizer") is not False else ""
    return f"Delete '{_plain(event.get('subject'))}' of {_plain(start)}{told}?"


def respond_question(tool_input: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """The question before an invitation is answered: who gets mail."""
    organizer = cast("Mapping[str, Mapping[str, str]]", event.get("organizer") or {}).get("emailAddress", {})
    told = "" if tool_input.get("send_response") is False else f" and mail {_people([organizer.get('address', '')])}"
    return f"Answer '{_plain(event.get('subject'))}' with {_plain(tool_input.get('response'))}{told}?"


def connector_question(tool: ConnectorTool, arguments: str) -> str:
    """The question before a tool of a further connection changes something: which tool, and what it is given."""
    given = _plain(arguments, _SHOWN_ARGUMENTS)
    return f"Run {_plain(tool.title)} ({tool.name}) of '{tool.connection_name}' with {given}?"


def _invited(event: Mapping[str, Any]) -> list[str]:
    attendees = cast("list[Mapping[str, Mapping[str, str]]]", event.get("attendees") or [])
    return [str(attendee.get("emailAddress", {}).get("address", "")) for attendee in attendees]


def _listed(value: object) -> list[str]:
    return [] if value is None else [attendee.wire() for attendee in attendees(value)]


def _people(names: list[str]) -> str:
    names = list(dict.fromkeys(_plain(name) for name in names if name))
    if not names:
        return "nobody"
    more = f" and {len(names) - _SHOWN_PEOPLE} more" if len(names) > _SHOWN_PEOPLE else ""
    return ", ".join(names[:_SHOWN_PEOPLE]) + more


def _plain(value: object, most: int = _SHOWN_CHARACTERS) -> str:
    """Strangers' text on one line, without control characters or direction overrides, and never long."""
    text = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} else c for c in str(value or "(none)"))
    text = " ".join(text.split())
    return text if len(text) <= most else text[:most] + "..."

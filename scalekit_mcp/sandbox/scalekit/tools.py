"""The Outlook calendar tools of the look-alike's catalogue: hosted parameters in, one request to Graph out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote


class BadParameters(ValueError):
    """Parameters that the catalogue's schema refuses."""


@dataclass(frozen=True)
class Request:
    """One request to Graph, relative to `/v1.0`."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: dict[str, Any] | None = None


@dataclass(frozen=True)
class Tool:
    """One tool: its parameters by JSON type, the required ones, and the request that it makes."""

    name: str
    parameters: Mapping[str, str]
    required: tuple[str, ...]
    build: Callable[[dict[str, Any]], Request]

    def request(self, params: dict[str, Any]) -> Request:
        """The request for these parameters; raises `BadParameters`."""
        for name in self.required:
            if params.get(name) in (None, ""):
                raise BadParameters(f"missing required parameter: {name}")
        for name, value in params.items():
            wanted = self.parameters.get(name)
            if wanted is None:
                raise BadParameters(f"unknown parameter: {name}")
            if not _TYPES[wanted](value):
                raise BadParameters(f"parameter {name} must be {wanted}")
        return self.build(params)

    def definition(self) -> dict[str, Any]:
        """The tool as `GET /tools` shows it."""
        return {
            "name": self.name,
            "display_name": self.name.removeprefix("outlook_").replace("_", " ").capitalize(),
            "description": "",
            "input_schema": {
                "type": "object",
                "properties": {name: {"type": kind} for name, kind in self.parameters.items()},
                "required": list(self.required),
            },
        }


_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
}

_EVENT = {
    "subject": "string",
    "start_datetime": "string",
    "start_timezone": "string",
    "end_datetime": "string",
    "end_timezone": "string",
    "body_content": "string",
    "body_contentType": "string",
    "location": "string",
    "locations": "string",
    "attendees_required": "string",
    "attendees_optional": "string",
    "attendees_resource": "string",
    "hideAttendees": "boolean",
    "isAllDay": "boolean",
    "isOnlineMeeting": "boolean",
    "onlineMeetingProvider": "string",
    "isReminderOn": "boolean",
    "reminderMinutesBeforeStart": "integer",
    "importance": "string",
    "sensitivity": "string",
    "showAs": "string",
    "recurrence_type": "string",
    "recurrence_interval": "integer",
    "recurrence_days_of_week": "string",
    "recurrence_range_type": "string",
    "recurrence_start_date": "string",
    "recurrence_end_date": "string",
    "recurrence_occurrences": "integer",
}
_PLAIN = (
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
)


def _event(params: dict[str, Any]) -> dict[str, Any]:
    body = {name: params[name] for name in _PLAIN if name in params}
    for edge in ("start", "end"):
        if f"{edge}_datetime" in params:
            zone = params.get(f"{edge}_timezone")
            if zone is None:
                raise BadParameters(f"{edge}_timezone is required with {edge}_datetime")
            body[edge] = {"dateTime": params[f"{edge}_datetime"], "timeZone": zone}
    if "body_content" in params:
        body["body"] = {"contentType": params.get("body_contentType", "text"), "content": params["body_content"]}
    if "location" in params:
        body["location"] = {"displayName": params["location"]}
    if "locations" in params:
        body["locations"] = json.loads(params["locations"])
    if "categories" in params:
        body["categories"] = _split(params["categories"])
    people = [
        {"type": kind, "emailAddress": {"address": address}}
        for kind in ("required", "optional", "resource")
        for address in _split(params.get(f"attendees_{kind}", ""))
    ]
    if people:
        body["attendees"] = people
    if any(name.startswith("recurrence_") for name in params):
        body["recurrence"] = _recurrence(params)
    return body


def _recurrence(params: dict[str, Any]) -> dict[str, Any]:
    if "recurrence_type" not in params:
        raise BadParameters("recurrence_type is required for a recurring event")
    pattern: dict[str, Any] = {
        "type": params["recurrence_type"],
        "interval": params.get("recurrence_interval", 1),
    }
    if "recurrence_days_of_week" in params:
        pattern["daysOfWeek"] = [day.lower() for day in _split(params["recurrence_days_of_week"])]
    start = params.get("recurrence_start_date") or str(params.get("start_datetime", ""))[:10]
    span: dict[str, Any] = {"type": params.get("recurrence_range_type", "noEnd"), "startDate": start}
    if "recurrence_end_date" in params:
        span["endDate"] = params["recurrence_end_date"]
    if "recurrence_occurrences" in params:
        span["numberOfOccurrences"] = params["recurrence_occurrences"]
    return {"pattern": pattern, "range": span}


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _create(params: dict[str, Any]) -> Request:
    return Request("POST", "/me/events", body=_event(params))


def _update(params: dict[str, Any]) -> Request:
    return Request("PATCH", _path(params), body=_event(params))


def _get(params: dict[str, Any]) -> Request:
    return Request("GET", _path(params))


def _delete(params: dict[str, Any]) -> Request:
    return Request("DELETE", _path(params))


def _cancel(params: dict[str, Any]) -> Request:
    return Request("POST", _path(params) + "/cancel", body={"comment": params.get("comment", "")})


def _list(params: dict[str, Any]) -> Request:
    query = {"$" + name: _number(value) for name, value in params.items()}
    return Request("GET", "/me/events", query)


def _view(params: dict[str, Any]) -> Request:
    return Request("GET", "/me/calendarView", {name: _number(value) for name, value in params.items()})


def _instances(params: dict[str, Any]) -> Request:
    query = {name: _number(value) for name, value in params.items() if name.startswith("$")}
    query |= {"startDateTime": params["start_date_time"], "endDateTime": params["end_date_time"]}
    return Request("GET", _path(params) + "/instances", query)


def _path(params: dict[str, Any]) -> str:
    return "/me/events/" + quote(params["event_id"], safe="")


def _number(value: Any) -> str:
    # Numbers travel through the hosted API as doubles.
    return str(int(value)) if isinstance(value, int | float) else cast("str", value)


_ID = {"event_id": "string"}
_ODATA = {"filter": "string", "orderby": "string", "select": "string", "skip": "number", "top": "number"}
_VIEW = {
    "startDateTime": "string",
    "endDateTime": "string",
    "$filter": "string",
    "$orderby": "string",
    "$select": "string",
    "$top": "integer",
}
_INSTANCES = _ID | {"start_date_time": "string", "end_date_time": "string", "$select": "string", "$top": "integer"}
_TIMES = ("start_datetime", "start_timezone", "end_datetime", "end_timezone")

CATALOGUE: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("outlook_create_calendar_event", _EVENT, ("subject", *_TIMES), _create),
        Tool("outlook_update_calendar_event", _ID | _EVENT | {"categories": "string"}, ("event_id",), _update),
        Tool("outlook_get_calendar_event", _ID, ("event_id",), _get),
        Tool("outlook_delete_calendar_event", _ID, ("event_id",), _delete),
        Tool("outlook_list_calendar_events", _ODATA, (), _list),
        Tool("outlook_get_calendar_view", _VIEW, ("startDateTime", "endDateTime"), _view),
        Tool("outlook_cancel_event", _ID | {"comment": "string"}, ("event_id",), _cancel),
        Tool("outlook_list_event_instances", _INSTANCES, ("event_id", "start_date_time", "end_date_time"), _instances),
    )
}
"""The calendar part of the catalogue that an agent's five tools need."""

"""Tools of Scalekit's Outlook catalogue that our own tools do under another name; REST alone takes them.

A client written for Scalekit calls them with the catalogue's parameters and reads Microsoft's form in the answer. Each
runs as our tools do, through `Actions.execute_tool`; a parameter that the catalogue does not have is refused by name.
Source: Scalekit's connector page "Outlook".
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, cast

from scalekit_mcp.errors import EventNotFound, InvalidInput
from scalekit_mcp.tools import (
    EVENT_PROPERTIES,
    ArgumentError,
    Parameter,
    identifier_parameter,
    integer_parameter,
    invalid_input,
    orderby_parameter,
    read_parameters,
    select_parameter,
    shown,
    text_parameter,
)

Run = Callable[[str, dict[str, Any]], Awaitable[Mapping[str, Any]]]
"""Runs one of our tools for the user at hand: its name and its arguments in, its answer out."""

Work = Callable[[Run, dict[str, Any]], Awaitable[dict[str, Any]]]

DEFAULT_ROWS = 10
MAX_LOOKS = 10
"""Most pages of a window that are searched for the dates of one series."""

_GET = "outlook_get_calendar_event"
_LIST = "outlook_list_calendar_events"
_DELETE = "outlook_delete_calendar_event"
_ROWS_A_LOOK = 1000
_NOT_IN_VIEW = frozenset({"cancelledOccurrences", "createdDateTime", "lastModifiedDateTime"})
_WHOLE = tuple(name for name in EVENT_PROPERTIES if name not in _NOT_IN_VIEW)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})?", re.IGNORECASE)


@dataclass(frozen=True)
class CatalogueTool:
    """One tool of Scalekit's catalogue. `renamed` maps parameters of our tools to those of this one, for refusals."""

    name: str
    title: str
    description: str
    parameters: Mapping[str, Parameter]
    required: tuple[str, ...]
    output_schema: Mapping[str, Any]
    work: Work
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    read_only: bool = True
    destructive: bool = False
    idempotent: bool = True
    open_world: bool = True

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """A flat JSON schema without unknown members."""
        return {
            "type": "object",
            "properties": {name: parameter.json_schema() for name, parameter in self.parameters.items()},
            "required": list(self.required),
            "additionalProperties": False,
        }

    async def execute(self, run: Run, params: Mapping[str, Any]) -> dict[str, Any]:
        """The answer's `data`; raises what `run` raises, and `InvalidInput` that names the catalogue's parameter."""
        read = self._read(params)
        try:
            return await self.work(run, read)
        except InvalidInput as error:
            named = self.renamed.get(str(error.details.get("field")))
            if named is None:
                raise
            message = error.message
            for ours, theirs in self.renamed.items():
                name = rf"\b{ours}\b" if "_" in ours else rf"(?<=`){ours}(?=`)"  # "filter" is a word of prose, too
                message = re.sub(name, theirs, message)
            raise InvalidInput(message, next_step=error.next_step, **{**error.details, "field": named}) from error

    def _read(self, params: Mapping[str, Any]) -> dict[str, Any]:
        reading = read_parameters(params, self.parameters, self.required)
        if reading.problems:
            raise invalid_input(reading.problems)
        return reading.values


def _utc(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not _INSTANT.fullmatch(text):
        raise ArgumentError(f"is {shown(value)}; write an instant such as 2026-04-06T00:00:00Z")
    try:
        instant = datetime.fromisoformat(text.upper())
        # Without an offset Microsoft reads UTC (List calendarView).
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ArgumentError(f"is {shown(value)}, which is not in the calendar") from None
    return instant.replace(tzinfo=None).isoformat(timespec="seconds")


def _instant(description: str) -> Parameter:
    return Parameter(description, _utc, {"type": "string", "format": "date-time"})


async def _view(run: Run, read: dict[str, Any]) -> dict[str, Any]:
    wanted: tuple[str, ...] | None = read.get("$select")
    answer = await run(
        _LIST,
        {
            "start_datetime": read["startDateTime"],
            "end_datetime": read["endDateTime"],
            "timezone": "UTC",
            "filter": read.get("$filter"),
            "orderby": read.get("$orderby"),
            "select": ",".join((*(wanted or _WHOLE), "isAllDay")),
            "top": read.get("$top", DEFAULT_ROWS),
        },
    )
    return {"value": _rows(answer, wanted)} | _also(answer, "next_page", "notes", "warnings")


async def _instances(run: Run, read: dict[str, Any]) -> dict[str, Any]:
    master = read["event_id"]
    event = await run(_GET, {"event_id": master, "select": "id,type"})
    if event.get("type") != "seriesMaster":
        raise InvalidInput("`event_id` names no series.", field="event_id")
    wanted: tuple[str, ...] | None = read.get("$select")
    arguments: dict[str, Any] = {
        "start_datetime": read["start_date_time"],
        "end_datetime": read["end_date_time"],
        "timezone": "UTC",
        "select": ",".join((*(wanted or _WHOLE), "isAllDay", "seriesMasterId")),
        "top": _ROWS_A_LOOK,
    }
    found: list[dict[str, Any]] = []
    size = read.get("$top", DEFAULT_ROWS)
    for _ in range(MAX_LOOKS):
        answer = await run(_LIST, arguments)
        ours = [row for row in answer["value"] if row.get("seriesMasterId") == event["id"]]
        found += _rows({"value": ours}, wanted)
        if len(found) >= size or "next_page" not in answer:
            return {"value": found[:size]} | _also(answer, "notes", "warnings")
        arguments = {"page": answer["next_page"]}
    raise InvalidInput(
        "`end_date_time` is too far away: the calendar holds too many other events up to then.", field="end_date_time"
    )


async def _cancel(run: Run, read: dict[str, Any]) -> dict[str, Any]:
    event_id = read["event_id"]
    if "comment" not in read:
        # Deleting is what cancels without a message, but for a guest it would only clear their own calendar.
        event = await run(_GET, {"event_id": event_id, "select": "id,isOrganizer"})
        if event.get("isOrganizer") is False:
            raise InvalidInput(
                "`event_id` is somebody else's meeting; only its organizer cancels it.", field="event_id"
            )
    answer = await run(_DELETE, {"event_id": event_id, "cancellation_message": read.get("comment")})
    if answer.get("already_gone"):
        raise EventNotFound("The event does not exist in this mailbox any more.")
    return _also(answer, "notes", "warnings")


def _rows(answer: Mapping[str, Any], wanted: tuple[str, ...] | None) -> list[dict[str, Any]]:
    """The rows as Microsoft writes them: whole days as midnights, no property that was not asked for."""
    names = None if wanted is None else {"id", *wanted}
    rows: list[dict[str, Any]] = []
    for row in cast("list[dict[str, Any]]", answer["value"]):
        whole = {name: value for name, value in row.items() if names is None or name in names}
        if row.get("isAllDay"):
            whole |= {name: _midnight(whole[name]) for name in ("start", "end") if name in whole}
        rows.append(whole)
    return rows


def _midnight(moment: dict[str, Any]) -> dict[str, Any]:
    return {**moment, "dateTime": str(moment["dateTime"])[:10] + "T00:00:00.0000000"}


def _also(answer: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: answer[name] for name in names if name in answer}


_VALUE = {"value": {"type": "array", "items": {"type": "object"}}}
_SENTENCES = {"type": "array", "items": {"type": "string"}}
_REMARKS = {"notes": _SENTENCES, "warnings": _SENTENCES}
_ID = identifier_parameter("Id of the event.")
_SELECT = select_parameter("Comma-separated properties; default: all.")

_TOOLS = (
    CatalogueTool(
        name="outlook_get_calendar_view",
        title="Get calendar view",
        description=(
            "Lists what takes place between two instants, recurring events expanded, times in UTC. next_page, where "
            f"there are more, goes on in {_LIST}."
        ),
        parameters={
            "startDateTime": _instant("Start of the window, RFC 3339; UTC without an offset."),
            "endDateTime": _instant("End of the window, exclusive."),
            "$filter": text_parameter("OData filter.", 4096, publish=False),
            "$orderby": orderby_parameter("OData order, e.g. start/dateTime asc."),
            "$select": _SELECT,
            "$top": integer_parameter(f"Most events; default {DEFAULT_ROWS}.", 1, 1000),
        },
        required=("startDateTime", "endDateTime"),
        output_schema={"type": "object", "properties": {**_VALUE, "next_page": {"type": "string"}, **_REMARKS}},
        work=_view,
        renamed={
            "start_datetime": "startDateTime",
            "end_datetime": "endDateTime",
            "filter": "$filter",
            "orderby": "$orderby",
            "select": "$select",
            "top": "$top",
        },
    ),
    CatalogueTool(
        name="outlook_list_event_instances",
        title="List event instances",
        description="Lists the dates of one series between two instants, times in UTC.",
        parameters={
            "event_id": identifier_parameter("Id of the series."),
            "start_date_time": _instant("Start of the window, RFC 3339; UTC without an offset."),
            "end_date_time": _instant("End of the window, exclusive."),
            "$select": _SELECT,
            "$top": integer_parameter(f"Most dates; default {DEFAULT_ROWS}.", 1, 200),
        },
        required=("event_id", "start_date_time", "end_date_time"),
        output_schema={"type": "object", "properties": {**_VALUE, **_REMARKS}},
        work=_instances,
        renamed={"start_datetime": "start_date_time", "end_datetime": "end_date_time", "select": "$select"},
    ),
    CatalogueTool(
        name="outlook_cancel_event",
        title="Cancel event",
        description="Cancels a meeting of the user's own and mails the comment to those invited.",
        parameters={"event_id": _ID, "comment": text_parameter("What the attendees read.", 10_000, one_line=False)},
        required=("event_id",),
        output_schema={"type": "object", "properties": _REMARKS},
        work=_cancel,
        renamed={"cancellation_message": "comment"},
        read_only=False,
        destructive=True,
    ),
)

CATALOGUE_TOOLS: Mapping[str, CatalogueTool] = MappingProxyType({tool.name: tool for tool in _TOOLS})
"""The tools by name, in the order in which they are listed."""

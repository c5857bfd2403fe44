"""The catalogue's tools that list events and cancel one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from scalekit_mcp.actions.catalogue.moments import instant_parameter
from scalekit_mcp.actions.catalogue.tool import REMARKS, ROWS, CatalogueTool, Run, members
from scalekit_mcp.errors import EventNotFound, InvalidInput
from scalekit_mcp.tools import (
    EVENT_PROPERTIES,
    identifier_parameter,
    integer_parameter,
    orderby_parameter,
    select_parameter,
    text_parameter,
)

DEFAULT_ROWS = 10
MAX_LOOKS = 10
"""Most pages of a window that are searched for the dates of one series."""

_GET = "outlook_get_calendar_event"
_LIST = "outlook_list_calendar_events"
_DELETE = "outlook_delete_calendar_event"
_ROWS_A_LOOK = 1000
_NOT_IN_VIEW = frozenset({"cancelledOccurrences", "createdDateTime", "lastModifiedDateTime"})
_WHOLE = tuple(name for name in EVENT_PROPERTIES if name not in _NOT_IN_VIEW)


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
    return {"value": _rows(answer, wanted)} | members(answer, "next_page", "notes", "warnings")


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
            return {"value": found[:size]} | members(answer, "notes", "warnings")
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
    return members(answer, "notes", "warnings")


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


_VALUE = {"value": ROWS}
_ID = identifier_parameter("Id of the event.")
_SELECT = select_parameter("Comma-separated properties; default: all.")

EVENT_TOOLS = (
    CatalogueTool(
        name="outlook_get_calendar_view",
        title="Get calendar view",
        description=(
            "Lists what takes place between two instants, recurring events expanded, times in UTC. next_page, where "
            f"there are more, goes on in {_LIST}."
        ),
        parameters={
            "startDateTime": instant_parameter("Start of the window, RFC 3339; UTC without an offset."),
            "endDateTime": instant_parameter("End of the window, exclusive."),
            "$filter": text_parameter("OData filter.", 4096, publish=False),
            "$orderby": orderby_parameter("OData order, e.g. start/dateTime asc."),
            "$select": _SELECT,
            "$top": integer_parameter(f"Most events; default {DEFAULT_ROWS}.", 1, 1000),
        },
        required=("startDateTime", "endDateTime"),
        output_schema={"type": "object", "properties": {**_VALUE, "next_page": {"type": "string"}, **REMARKS}},
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
            "start_date_time": instant_parameter("Start of the window, RFC 3339; UTC without an offset."),
            "end_date_time": instant_parameter("End of the window, exclusive."),
            "$select": _SELECT,
            "$top": integer_parameter(f"Most dates; default {DEFAULT_ROWS}.", 1, 200),
        },
        required=("event_id", "start_date_time", "end_date_time"),
        output_schema={"type": "object", "properties": {**_VALUE, **REMARKS}},
        work=_instances,
        renamed={"start_datetime": "start_date_time", "end_datetime": "end_date_time", "select": "$select"},
    ),
    CatalogueTool(
        name="outlook_cancel_event",
        title="Cancel event",
        description="Cancels a meeting of the user's own and mails the comment to those invited.",
        parameters={"event_id": _ID, "comment": text_parameter("What the attendees read.", 10_000, one_line=False)},
        required=("event_id",),
        output_schema={"type": "object", "properties": REMARKS},
        work=_cancel,
        renamed={"cancellation_message": "comment"},
        read_only=False,
        destructive=True,
    ),
)

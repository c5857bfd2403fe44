"""Microsoft Graph by way of Scalekit: each request of the calendar becomes one call of a hosted Outlook tool.

`HostedSession` stands where a `GraphSession` stands, so that everything that the calendar knows (merging attendees,
cutting windows, settling lost answers) holds for hosted accounts, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, cast
from urllib.parse import unquote

from scalekit_mcp.calendar.events.event import Event, address_of, instant_of
from scalekit_mcp.calendar.events.shapes import checked_event, event_of
from scalekit_mcp.clock import rfc3339
from scalekit_mcp.errors import Conflict, InternalError, ProviderUnavailable, ScalekitMCPError, Throttled
from scalekit_mcp.microsoft.graph.client import AnswerLost, GraphRequest, GraphResponse
from scalekit_mcp.scalekit.answers import Preferences
from scalekit_mcp.scalekit.params import event_params
from scalekit_mcp.scalekit.refusals import (
    ACCEPTS_LOSS,
    changed_unread,
    created_unread,
    outcome_unknown,
    provider_error,
)
from scalekit_mcp.scalekit.rest import (
    TOOL_SECONDS,
    AnswerLostError,
    ScalekitFailure,
    ScalekitRest,
    Sending,
    safe_id,
)
from scalekit_mcp.scalekit.tool_data import Verdict, event_in, failure_in, rows_in, verdict_on

MAX_ROWS = 1000
"""Most rows of one call of `outlook_get_calendar_view` and `outlook_list_calendar_events`."""

MAX_INSTANCES = 200
_MOST_DAYS_OF_INSTANCES = 1825
_ALWAYS_READ = frozenset({"isAllDay"})
_LINK = "hosted:"
_EVENT_PATH = re.compile(r"/me/events/([^/]+)")


class HostedSession:
    """One mailbox behind a hosted connected account, for one call.

    `warnings` are sentences for the result; `execution_id` is Scalekit's number of the last tool call, for support.
    `discard_exceptions` says that the caller accepted the loss of edited dates of a series.
    """

    def __init__(
        self, rest: ScalekitRest, *, connection_name: str, identifier: str, discard_exceptions: bool = False
    ) -> None:
        self._rest = rest
        self._connection_name = connection_name
        self._identifier = identifier
        self._discard_exceptions = discard_exceptions
        self._lost = False
        self.warnings: list[str] = []
        self.execution_id: str | None = None

    async def send(self, request: GraphRequest) -> GraphResponse:
        """As `GraphSession.send`; raises `ScalekitFailure` where Scalekit itself refuses."""
        params = request.params or {}
        wanted = Preferences.of(request.prefer, params.get("$select"), params.get("$expand"))
        event = _EVENT_PATH.fullmatch(request.path)
        event_id = None if event is None else unquote(event[1])
        match request.method, request.path:
            case "GET", "/me/events":
                return await self._list(request, params, wanted)
            case "GET", "/me/calendarView":
                return await self._view(request, params, wanted, 0)
            case "POST", "/me/events":
                return _response(wanted.applied(await self._create(request)))
            case "GET", _ if event_id is not None:
                return _response(wanted.applied(await self._get(request, event_id)))
            case "PATCH", _ if event_id is not None:
                return _response(wanted.applied(await self._update(request, event_id)))
            case "DELETE", _ if event_id is not None:
                await self._remove(request, "outlook_delete_calendar_event", {"event_id": event_id})
                return _response({})
            case "POST", path if path.endswith("/cancel"):
                event_id = unquote(path.removeprefix("/me/events/").removesuffix("/cancel"))
                given = cast("dict[str, Any]", request.json)
                await self._remove(request, "outlook_cancel_event", {"event_id": event_id, **given})
                return _response({})
            case _:
                raise InternalError(f"No hosted tool stands for {request.method} {request.path.split('/')[-1]}.")

    async def get_next(self, next_link: str, request: GraphRequest) -> GraphResponse:
        """The next page of a list or view that `send` began."""
        where = cast("dict[str, Any]", json.loads(next_link.removeprefix(_LINK)))
        params = cast("dict[str, str]", where["params"])
        wanted = Preferences.of(request.prefer, params.get("$select"))
        if request.path == "/me/events":
            return await self._list(request, params, wanted)
        return await self._view(request, params, wanted, int(where["offset"]))

    # -- reading

    async def _get(self, request: GraphRequest, event_id: str) -> Event:
        data = await self._read(request, "outlook_get_calendar_event", {"event_id": event_id})
        event = event_in(data)
        if event is None:
            raise self._unreadable()
        if "exceptionOccurrences" in (request.params or {}).get("$expand", ""):
            return {**event, "exceptionOccurrences": await self._exceptions(request, event)}
        return event

    async def _exceptions(self, request: GraphRequest, master: Event) -> list[Event]:
        """The edited dates of a series; the deleted ones show nowhere in the hosted tools."""
        self.warnings.append("Single dates that were deleted from the series cannot be seen here and may come back.")
        series = event_of(master, required=("start",))
        start = instant_of(series["start"]) - timedelta(days=1)
        last = start + timedelta(days=_MOST_DAYS_OF_INSTANCES)
        recurrence = cast("Event", series.get("recurrence") or {})
        span = cast("Event", recurrence.get("range") or {})
        if span.get("type") == "endDate" and span.get("endDate"):
            ends = datetime.fromisoformat(str(span["endDate"])[:10]).replace(tzinfo=UTC) + timedelta(days=2)
            last = min(last, ends)
        params = {
            "event_id": master["id"],
            "start_date_time": rfc3339(start, timespec="seconds"),
            "end_date_time": rfc3339(last, timespec="seconds"),
            "$select": "id,type,originalStart,start,end",
            "$top": MAX_INSTANCES,
        }
        rows = rows_in(await self._read(request, "outlook_list_event_instances", params))
        if rows is None:
            raise self._unreadable()
        if len(rows["value"]) >= MAX_INSTANCES:
            self.warnings.append(f"Only the first {MAX_INSTANCES} dates of the series were searched for edits.")
        return [event_of(row) for row in cast("list[Event]", rows["value"]) if _kind(row) in ("exception", None)]

    async def _list(self, request: GraphRequest, params: Mapping[str, str], wanted: Preferences) -> GraphResponse:
        size, skip = int(params.get("$top", "20")), int(params.get("$skip", "0"))
        hosted: dict[str, Any] = {"top": min(size + 1, MAX_ROWS)}
        if skip:
            hosted["skip"] = skip
        hosted |= _odata(params, wanted, prefix="")
        rows, more = await self._rows(request, "outlook_list_calendar_events", hosted, size)
        link = None
        if more and rows:
            link = _link({**params, "$skip": str(skip + len(rows))}, 0)
        return _page(rows, wanted, link)

    async def _view(
        self, request: GraphRequest, params: Mapping[str, str], wanted: Preferences, offset: int
    ) -> GraphResponse:
        """One page of a window. The hosted tool has no cursor, so that a later page is the tail of a longer answer."""
        size = int(params.get("$top", "20"))
        hosted: dict[str, Any] = {name: params[name] for name in ("startDateTime", "endDateTime")}
        hosted["$top"] = min(offset + size + 1, MAX_ROWS)
        hosted |= _odata(params, wanted, prefix="$")
        rows, more = await self._rows(request, "outlook_get_calendar_view", hosted, offset + size)
        link = _link(params, offset + size) if more else None
        if more and offset + size >= MAX_ROWS:
            link = None
            self.warnings.append(
                f"The window holds more than {MAX_ROWS} events; ask for a shorter one to see the rest."
            )
        return _page(rows[offset:], wanted, link)

    async def _rows(
        self, request: GraphRequest, tool: str, params: dict[str, Any], size: int
    ) -> tuple[list[Event], bool]:
        """At most `size` rows, and whether there are more."""
        answer = rows_in(await self._read(request, tool, params))
        if answer is None:
            raise self._unreadable()
        rows = cast("list[Event]", answer["value"])
        full = len(rows) > size or (size >= MAX_ROWS and len(rows) >= MAX_ROWS)
        return rows[:size], full or bool(answer.get("@odata.nextLink"))

    # -- writing

    async def _create(self, request: GraphRequest) -> Event:
        body = dict(cast("Event", request.json))
        categories = body.pop("categories", None)
        data = await self._write(request, "outlook_create_calendar_event", event_params(body, self.warnings))
        event = event_in(data)
        if event is None:
            raise created_unread(execution_id=self.execution_id)
        if categories:
            # Create has no categories, update has.
            params = {"event_id": event["id"], "categories": ",".join(categories)}
            try:
                await self._execute("outlook_update_calendar_event", params, sending=Sending.WRITE)
                event = {**event, "categories": categories}
            except (ScalekitFailure, AnswerLostError, ScalekitMCPError):
                self.warnings.append("The event was created, but its categories could not be set.")
        return event

    async def _update(self, request: GraphRequest, event_id: str) -> Event:
        params = {"event_id": event_id, **event_params(cast("Event", request.json), self.warnings)}
        try:
            data = await self._write(request, "outlook_update_calendar_event", params)
        except Conflict as refused:
            # A server of this product looks after the edited dates, too; the hosted tool has no such parameter.
            if not self._discard_exceptions or refused.details.get("field") != ACCEPTS_LOSS:
                raise
            data = await self._write(request, "outlook_update_calendar_event", {**params, ACCEPTS_LOSS: True})
        event = event_in(data)
        if event is None:
            self._require_done(request, data)
            event = await self._changed(request.path, event_id)
        left = _still_invited(cast("Event", request.json), checked_event(event)[0] or {})
        if left:
            self.warnings.append(f"These attendees should have been removed but are still there: {', '.join(left)}.")
        return event

    async def _changed(self, path: str, event_id: str) -> Event:
        """The event after a change that was carried out."""
        try:
            return await self._get(GraphRequest("GET", path), event_id)
        except (ScalekitFailure, ProviderUnavailable, Throttled) as unread:
            raise changed_unread("update the event", execution_id=self.execution_id) from unread

    async def _remove(self, request: GraphRequest, tool: str, params: dict[str, Any]) -> None:
        self._require_done(request, await self._write(request, tool, params))

    def _require_done(self, request: GraphRequest, data: object) -> None:
        """Go on only where the answer says that the change was made; what it is else, reading the event settles."""
        if verdict_on(data) is Verdict.UNCLEAR:
            self._lost = True
            raise AnswerLost(request, sent=True, status=200, request_id=None)

    # -- calls

    async def _read(self, request: GraphRequest, tool: str, params: dict[str, Any]) -> object:
        try:
            return await self._execute(tool, params, sending=Sending.READ)
        except ScalekitFailure as failure:
            self._raise(failure, request, writes=False)

    async def _write(self, request: GraphRequest, tool: str, params: dict[str, Any]) -> object:
        """A call that changes something: once, whatever happens to its answer."""
        if self._lost:
            if request.path.endswith("/cancel"):  # those invited may have been mailed although the event still shows
                raise outcome_unknown("cancel the event", execution_id=self.execution_id)
            raise ProviderUnavailable(
                "The change was sent once, its answer was lost, and reading the event shows that it was not made.",
                next_step="Repeat the call.",
                execution_id=self.execution_id,
            )
        try:
            return await self._execute(tool, params, sending=Sending.WRITE)
        except AnswerLostError as lost:
            self._raise_lost(request, lost.status, lost)
        except ScalekitFailure as failure:
            self._raise(failure, request, writes=True)

    async def _execute(self, tool: str, params: dict[str, Any], *, sending: Sending) -> object:
        body = {
            "tool_name": tool,
            "params": params,
            "connector": self._connection_name,
            "identifier": self._identifier,
        }
        try:
            answer = await self._rest.post("/execute_tool", body, sending=sending, seconds=TOOL_SECONDS)
        except ScalekitFailure as failure:
            self.execution_id = failure.execution_id or self.execution_id
            raise
        self.execution_id = safe_id(answer.get("execution_id")) or self.execution_id
        failure = failure_in(answer)
        if failure is not None:
            raise failure
        return cast("object", answer.get("data"))

    def _raise(self, failure: ScalekitFailure, request: GraphRequest, *, writes: bool) -> NoReturn:
        if not failure.from_provider:
            if writes and failure.status >= 500:
                self._raise_lost(request, failure.status, failure)
            raise failure
        error = provider_error(failure, request)
        if writes and isinstance(error, ProviderUnavailable):
            self._raise_lost(request, failure.status, failure)
        raise error from failure

    def _raise_lost(self, request: GraphRequest, status: int | None, cause: Exception) -> NoReturn:
        self._lost = True
        carried_out = status is not None and 200 <= status <= 299
        if request.path == "/me/events":
            if carried_out:
                raise created_unread(execution_id=self.execution_id) from cause
            raise outcome_unknown("create the event", execution_id=self.execution_id) from cause
        raise AnswerLost(request, sent=True, status=status, request_id=None, carried_out=carried_out) from cause

    def _unreadable(self) -> ProviderUnavailable:
        return ProviderUnavailable(
            "Scalekit's answer holds no event in Microsoft's form.",
            who_acts="operator",
            retryable=False,
            next_step="The operator reports the execution id to Scalekit.",
            execution_id=self.execution_id,
        )


def _kind(row: object) -> object:
    """The type of a date of a series; None for what is no event, over which a change must not be decided."""
    return cast("Event", row).get("type", "occurrence") if isinstance(row, dict) else None


def _still_invited(body: Event, event: Event) -> list[str]:
    """Who is on an event although the change named others only: a server may keep kinds that were not sent."""
    if "attendees" not in body or not event.get("attendees"):
        return []
    meant = {(address_of(person) or "").casefold() for person in [*body["attendees"], event.get("organizer")]}
    there = [address_of(person) or "" for person in event["attendees"]]
    return [address for address in there if address.casefold() not in meant]


def _odata(params: Mapping[str, str], wanted: Preferences, *, prefix: str) -> dict[str, str]:
    named = {prefix + name: params["$" + name] for name in ("filter", "orderby") if "$" + name in params}
    if wanted.selected is not None:
        # All-day events are never converted between zones, so that it must be known which they are.
        named[prefix + "select"] = ",".join(sorted(wanted.selected | _ALWAYS_READ))
    return named


def _page(rows: Sequence[object], wanted: Preferences, link: str | None) -> GraphResponse:
    """Rows that are no objects stay as they are: whoever reads pages looks for them."""
    shown = [wanted.applied(cast("Event", row), keep=_ALWAYS_READ) if isinstance(row, dict) else row for row in rows]
    body: Event = {"value": shown}
    if link is not None:
        body["@odata.nextLink"] = link
    return _response(body)


def _link(params: Mapping[str, str], offset: int) -> str:
    return _LINK + json.dumps({"params": dict(params), "offset": offset}, separators=(",", ":"))


def _response(body: Event) -> GraphResponse:
    return GraphResponse(200, body, {}, None)

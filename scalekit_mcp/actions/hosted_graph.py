"""Microsoft Graph by way of Scalekit: each request of the calendar becomes one call of a hosted Outlook tool.

`HostedSession` stands where a `GraphSession` stands, so that everything that the calendar knows (merging attendees,
cutting windows, settling lost answers) holds for hosted accounts, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, cast
from urllib.parse import unquote

from scalekit_mcp.actions.hosted_answers import Preferences
from scalekit_mcp.actions.hosted_params import event_params, unwrapped
from scalekit_mcp.actions.hosted_rest import (
    TOOL_SECONDS,
    AnswerLostError,
    ScalekitFailure,
    ScalekitRest,
    Sending,
    outcome_unknown,
)
from scalekit_mcp.clock import rfc3339
from scalekit_mcp.errors import (
    AuthorizationRequired,
    Conflict,
    InternalError,
    ProviderUnavailable,
    ScalekitMCPError,
    Throttled,
)
from scalekit_mcp.microsoft.events import Event, address_of, instant_of
from scalekit_mcp.microsoft.graph import AnswerLost, GraphRequest, GraphResponse
from scalekit_mcp.microsoft.graph_errors import TABLE, GraphFailure, clean_reason, error_for

MAX_ROWS = 1000
"""Most rows of one call of `outlook_get_calendar_view` and `outlook_list_calendar_events`."""

MAX_INSTANCES = 200
_MOST_DAYS_OF_INSTANCES = 1825
_ALWAYS_READ = frozenset({"isAllDay"})
_LINK = "hosted:"
_EVENT_PATH = re.compile(r"/me/events/([^/]+)")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9._-]{3,79}")
_STATUS_OF_CODE = {
    "UNAUTHORIZED": 401,
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "CONFLICT": 409,
    "RATE_LIMITED": 429,
}
_PAUSE_SECONDS = 30
_ACCEPTS_LOSS = "discard_exceptions"


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
                await self._write(request, "outlook_delete_calendar_event", {"event_id": event_id})
                return _response({})
            case "POST", path if path.endswith("/cancel"):
                event_id = unquote(path.removeprefix("/me/events/").removesuffix("/cancel"))
                given = cast("dict[str, Any]", request.json)
                await self._write(request, "outlook_cancel_event", {"event_id": event_id, **given})
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
        event = unwrapped(data, rows=False)
        if event is None:
            raise self._unreadable()
        if "exceptionOccurrences" in (request.params or {}).get("$expand", ""):
            return {**event, "exceptionOccurrences": await self._exceptions(request, event)}
        return event

    async def _exceptions(self, request: GraphRequest, master: Event) -> list[Event]:
        """The edited dates of a series; the deleted ones show nowhere in the hosted tools."""
        self.warnings.append("Single dates that were deleted from the series cannot be seen here and may come back.")
        start = instant_of(master["start"]) - timedelta(days=1)
        last = start + timedelta(days=_MOST_DAYS_OF_INSTANCES)
        recurrence = cast("Event", master.get("recurrence") or {})
        span = cast("Event", recurrence.get("range") or {})
        if span.get("type") == "endDate":
            ends = datetime.fromisoformat(str(span["endDate"])[:10]).replace(tzinfo=UTC) + timedelta(days=2)
            last = min(last, ends)
        params = {
            "event_id": master["id"],
            "start_date_time": rfc3339(start, timespec="seconds"),
            "end_date_time": rfc3339(last, timespec="seconds"),
            "$select": "id,type,originalStart,start,end",
            "$top": MAX_INSTANCES,
        }
        rows = unwrapped(await self._read(request, "outlook_list_event_instances", params), rows=True)
        if rows is None:
            raise self._unreadable()
        if len(rows["value"]) >= MAX_INSTANCES:
            self.warnings.append(f"Only the first {MAX_INSTANCES} dates of the series were searched for edits.")
        return [row for row in cast("list[Event]", rows["value"]) if row.get("type") == "exception"]

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
        answer = unwrapped(await self._read(request, tool, params), rows=True)
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
        event = unwrapped(data, rows=False)
        if event is None:
            raise outcome_unknown("create the event", execution_id=self.execution_id)
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
            if not self._discard_exceptions or refused.details.get("field") != _ACCEPTS_LOSS:
                raise
            data = await self._write(request, "outlook_update_calendar_event", {**params, _ACCEPTS_LOSS: True})
        event = unwrapped(data, rows=False)
        if event is None:
            event = await self._get(GraphRequest("GET", request.path), event_id)
        left = _still_invited(cast("Event", request.json), event)
        if left:
            self.warnings.append(f"These attendees should have been removed but are still there: {', '.join(left)}.")
        return event

    # -- calls

    async def _read(self, request: GraphRequest, tool: str, params: dict[str, Any]) -> object:
        try:
            return await self._execute(tool, params, sending=Sending.READ)
        except ScalekitFailure as failure:
            self._raise(failure, request, writes=False)

    async def _write(self, request: GraphRequest, tool: str, params: dict[str, Any]) -> object:
        """A call that changes something: once, whatever happens to its answer."""
        if self._lost:
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
        execution_id = answer.get("execution_id")
        self.execution_id = execution_id if isinstance(execution_id, str) else self.execution_id
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
        if request.method == "POST":
            what = "create the event" if request.path == "/me/events" else "cancel the event"
            raise outcome_unknown(what, execution_id=self.execution_id) from cause
        raise AnswerLost(request, sent=True, status=status, request_id=None) from cause

    def _unreadable(self) -> ProviderUnavailable:
        return ProviderUnavailable(
            "Scalekit's answer holds no event in Microsoft's form.",
            who_acts="operator",
            retryable=False,
            next_step="The operator reports the execution id to Scalekit.",
            execution_id=self.execution_id,
        )


def provider_error(failure: ScalekitFailure, request: GraphRequest) -> ScalekitMCPError:
    """The error of a refusal by Microsoft (`TOOL_ERROR`).

    401 means that the user's grant is dead, whatever the machine's own token is worth.
    """
    graph = graph_failure(failure)
    if graph.status == 401:
        return AuthorizationRequired(
            "Microsoft no longer accepts the permission of this account.",
            status="EXPIRED",
            reason="unknown",
            execution_id=failure.execution_id,
        )
    if failure.asks_for == _ACCEPTS_LOSS:
        return Conflict(
            clean_reason(failure.message) or "This change would undo edits of single dates of the series.",
            next_step="Ask the user; to accept the loss, repeat the call with discard_exceptions=true.",
            field=_ACCEPTS_LOSS,
            execution_id=failure.execution_id,
        )
    error = error_for(graph, method=request.method, path=request.path, params=request.params)
    error.details["execution_id"] = failure.execution_id
    if isinstance(error, Throttled):
        pause = failure.retry_after_seconds or _PAUSE_SECONDS
        error.details.setdefault("retry_after_seconds", max(1, round(pause)))
    error.details = {name: value for name, value in error.details.items() if value is not None}
    return error


def graph_failure(failure: ScalekitFailure) -> GraphFailure:
    """Graph's refusal as far as it can be told from Scalekit's: its error body, else a code that its text names."""
    said = failure.tool_error_message or failure.message
    status = failure.status
    if status in (400, 500):
        status = _STATUS_OF_CODE.get((failure.tool_error_code or "").upper(), status)
    brace = said.find("{")
    if brace >= 0:
        read = GraphFailure.read(status, said[brace:].encode())
        if read.codes:
            return GraphFailure(_status_of(read, status), read.codes, read.reason, read.request_id)
    words = [failure.tool_error_code or "", *_WORD.findall(said)]
    codes = tuple(dict.fromkeys(word for word in words if word.lower() in TABLE))
    found = GraphFailure(status, codes, clean_reason(said))
    return GraphFailure(_status_of(found, status), codes, found.reason)


def _status_of(failure: GraphFailure, status: int) -> int:
    """A known code of a refusal is never a server's failure, although it may arrive as one."""
    if status == 500 and failure.codes and failure.codes[0].lower() == "invalidauthenticationtoken":
        return 401
    return status


def _still_invited(body: Event, event: Event) -> list[str]:
    """Who is on an event although the change named others only: a server may keep kinds that were not sent."""
    if "attendees" not in body or "attendees" not in event:
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


def _page(rows: list[Event], wanted: Preferences, link: str | None) -> GraphResponse:
    body: Event = {"value": [wanted.applied(row, keep=_ALWAYS_READ) for row in rows]}
    if link is not None:
        body["@odata.nextLink"] = link
    return _response(body)


def _link(params: Mapping[str, str], offset: int) -> str:
    return _LINK + json.dumps({"params": dict(params), "offset": offset}, separators=(",", ":"))


def _response(body: Event) -> GraphResponse:
    return GraphResponse(200, body, {}, None)

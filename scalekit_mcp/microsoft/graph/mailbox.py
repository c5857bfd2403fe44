"""A `Mailbox` over Microsoft Graph: each method is one HTTP request.

Paths, query options and `Prefer` values are spelled here. Sources: the pages of the event resource type (List events,
List calendarView, List instances, Create event, Update event, Delete event, event: cancel, event: permanentDelete),
List calendars, "Paging Microsoft Graph data".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from scalekit_mcp.calendar import AnswerTooLong, Event, EventQuery, Form, Page, Span, UnreadableAnswer, graph_zone
from scalekit_mcp.clock import rfc3339
from scalekit_mcp.microsoft.graph.answers import next_link_of
from scalekit_mcp.microsoft.graph.client import GraphSession
from scalekit_mcp.microsoft.graph.requests import GraphRequest, GraphResponse, Repeat

_EVENT = "/me/events/{id}"
_OWNER, _ME = "users", "me"
_PURGE = {_OWNER: "/users/{id}/events/{id}/permanentDelete", _ME: f"{_EVENT}/permanentDelete"}

_SMALLER = 8
"""By what the number of rows is divided when a page was too large."""

_UNQUOTABLE = re.compile(r'["\\\x00-\x1f\x7f]')
"""What cannot stand in the quotes of a search."""

_TOP_IN_LINK = re.compile(r"((?:\$|%24)top=)(\d{1,4})(?!\d)", re.IGNORECASE)


class GraphMailbox:
    """The mailbox behind one session; `owner_id` is the object id of a work or school account, else None.

    A deletion for good is documented below /users/{id} and not for every cloud; a personal account's own id is not its
    object id.
    """

    def __init__(self, session: GraphSession, *, owner_id: str | None) -> None:
        self._session = session
        self._owner_id = owner_id
        self.purge_addresses = (_ME,) if owner_id is None else (_OWNER, _ME)

    async def get(self, event_id: str, form: Form) -> Event:
        """Get event."""
        params = _select(form)
        request = GraphRequest(
            "GET", _EVENT, (event_id,), params=params, prefer=_prefer(form), about="event", alone=params is None
        )
        return await self._event(request)

    async def exceptions(self, series_id: str, select: tuple[str, ...]) -> Event:
        """Get event, its exceptions expanded."""
        params = {
            "$select": "id,cancelledOccurrences",
            "$expand": f"exceptionOccurrences($select={','.join(select)})",
        }
        return await self._event(GraphRequest("GET", _EVENT, (series_id,), params=params, about="event"))

    async def list(self, query: EventQuery, cursor: str | None = None) -> Page:
        """List events."""
        return await self._events(_listed("events", query), cursor)

    async def view(self, query: EventQuery, span: Span, cursor: str | None = None) -> Page:
        """List calendarView."""
        return await self._events(_listed("calendarView", query, span), cursor)

    async def instances(self, series_id: str, query: EventQuery, span: Span, cursor: str | None = None) -> Page:
        """List instances."""
        params, prefer = _options(query, span), _prefer(query.form)
        request = GraphRequest("GET", f"{_EVENT}/instances", (series_id,), params=params, prefer=prefer, about="event")
        return await self._events(request, cursor)

    async def create(self, event: Event, *, calendar_id: str | None, form: Form) -> Event:
        """Create event. Its `transactionId` is what makes a repeat harmless."""
        repeat = Repeat.SAFE if event.get("transactionId") else Repeat.REFUSED_ONLY
        request = replace(_in_calendar("POST", "events", calendar_id), json=event, prefer=_prefer(form), repeat=repeat)
        return await self._event(request)

    async def update(self, event_id: str, changes: Event, *, form: Form, etag: str | None) -> Event:
        """Update event."""
        headers = {"If-Match": etag} if etag else None
        request = replace(_on_event("PATCH", event_id), json=changes, prefer=_prefer(form), headers=headers)
        return await self._event(request)

    async def delete(self, event_id: str) -> None:
        """Delete event."""
        await self._session.send(_on_event("DELETE", event_id))

    async def purge(self, event_id: str, address: str) -> None:
        """event: permanentDelete, below /users or below /me; an address that cannot be read may not be offered."""
        ids = (event_id,) if address == _ME else (str(self._owner_id), event_id)
        await self._session.send(GraphRequest("POST", _PURGE[address], ids, about="event"))

    async def cancel(self, event_id: str, comment: str) -> None:
        """event: cancel."""
        await self._session.send(replace(_on_event("POST", event_id, "/cancel"), json={"comment": comment}))

    async def calendars(self, select: tuple[str, ...], *, top: int | None = None, cursor: str | None = None) -> Page:
        """List calendars."""
        params = {"$select": ",".join(select)} | ({} if top is None else {"$top": str(top)})
        request = GraphRequest("GET", "/me/calendars", params=params)
        return _page(await self._page_at(request, cursor), "")

    async def default_calendar(self, select: tuple[str, ...]) -> dict[str, Any]:
        """Get calendar."""
        request = GraphRequest("GET", "/me/calendar", params={"$select": ",".join(select)})
        return (await self._session.send(request)).body

    async def respond(self, event_id: str, action: str, body: dict[str, Any]) -> None:
        """event: accept, event: tentativelyAccept, event: decline."""
        await self._session.send(replace(_on_event("POST", event_id, f"/{action}"), json=body))

    async def schedules(self, addresses: Sequence[str], span: Span, *, interval: timedelta) -> Page:
        """calendar: getSchedule, asked and answered in UTC."""
        body = {
            "schedules": list(addresses),
            "startTime": _utc_moment(span.begin),
            "endTime": _utc_moment(span.end),
            "availabilityViewInterval": int(interval.total_seconds() // 60),
        }
        # A question, though it is sent by POST: repeating it changes nothing.
        request = GraphRequest("POST", "/me/calendar/getSchedule", json=body, repeat=Repeat.SAFE)
        return _page(await self._page_at(request, None), " of schedules")

    async def people(self, search: str, *, top: int) -> Page:
        """List people. Without the header the service looks into the mailbox only."""
        quoted = _UNQUOTABLE.sub(" ", search).strip()
        params = {"$search": f'"{quoted}"', "$top": str(top), "$select": "displayName,scoredEmailAddresses,personType"}
        headers = {"X-PeopleQuery-QuerySources": "Mailbox,Directory"}
        return _page(await self._page_at(GraphRequest("GET", "/me/people", params=params, headers=headers), None), "")

    async def _event(self, request: GraphRequest) -> Event:
        return (await self._session.send(request)).body

    async def _page_at(self, request: GraphRequest, cursor: str | None) -> GraphResponse:
        return await self._session.send(request, next_link=cursor)

    async def _events(self, request: GraphRequest, cursor: str | None) -> Page:
        """One page of events; one that is too large is asked for again with fewer rows."""
        while True:
            try:
                return _page(await self._page_at(request, cursor), " of events")
            except AnswerTooLong:
                smaller = _with_fewer_rows(request, cursor)
                if smaller is None:
                    raise
                request, cursor = smaller


def _utc_moment(at: datetime) -> dict[str, str]:
    return {"dateTime": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "timeZone": "UTC"}


def _page(response: GraphResponse, of_what: str) -> Page:
    listed: object = response.body.get("value")
    if not isinstance(listed, list):
        raise UnreadableAnswer(f"it holds no list{of_what}")
    return Page(cast("list[object]", listed), next_link_of(response.body), response.size)


def _prefer(form: Form) -> tuple[str, ...]:
    """Times in a zone (by a name that Graph takes) and the body's format."""
    wanted: tuple[str, ...] = ()
    if form.zone is not None:
        wanted += (f'outlook.timezone="{graph_zone(form.zone)}"',)
    if form.body_format is not None:
        wanted += (f'outlook.body-content-type="{form.body_format}"',)
    return wanted


def _select(form: Form) -> dict[str, str] | None:
    return None if form.select is None else {"$select": ",".join(form.select)}


def _on_event(method: str, event_id: str, action: str = "") -> GraphRequest:
    return GraphRequest(method, _EVENT + action, (event_id,), about="event", alone=True)


def _in_calendar(method: str, name: str, calendar_id: str | None) -> GraphRequest:
    if calendar_id is None:
        return GraphRequest(method, f"/me/{name}")
    return GraphRequest(method, f"/me/calendars/{{id}}/{name}", (calendar_id,), about="calendar")


def _listed(name: str, query: EventQuery, span: Span | None = None) -> GraphRequest:
    request = _in_calendar("GET", name, query.calendar_id)
    return replace(request, params=_options(query, span), prefer=_prefer(query.form))


def _options(query: EventQuery, span: Span | None) -> dict[str, str]:
    options: dict[str, Any] = {}
    if span is not None:
        options["startDateTime"] = rfc3339(span.begin, timespec="seconds")
        options["endDateTime"] = rfc3339(span.end, timespec="seconds")
    options |= _select(query.form) or {}
    options["$top"] = str(query.top)
    options |= {
        name: value for name, value in (("$filter", query.filter), ("$orderby", query.orderby)) if value is not None
    }
    if query.skip:
        options["$skip"] = str(query.skip)
    return options


def _with_fewer_rows(request: GraphRequest, link: str | None) -> tuple[GraphRequest, str | None] | None:
    """The same page with fewer rows; None where there is nothing to make smaller."""
    if link is None:
        params = dict(request.params or {})
        rows = int(params.get("$top", "0"))
        if rows <= 1:
            return None
        params["$top"] = str(max(1, rows // _SMALLER))
        return replace(request, params=params), None
    found = _TOP_IN_LINK.search(link)
    if found is None or int(found[2]) <= 1:
        return None
    return request, f"{link[: found.start(2)]}{max(1, int(found[2]) // _SMALLER)}{link[found.end(2) :]}"

"""A `Mailbox` over Scalekit: each method is one call of a hosted Outlook tool.

`ScalekitMailbox` stands where a `GraphMailbox` stands, so that everything that the calendar knows (merging attendees,
cutting windows, settling lost answers) holds for hosted accounts, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, cast

from scalekit_mcp.calendar import (
    ChangeAnswerLostError,
    Event,
    EventQuery,
    Form,
    Page,
    Span,
    address_of,
    body_characters,
    checked_event,
    event_of,
    instant_of,
    neutralise,
)
from scalekit_mcp.clock import rfc3339
from scalekit_mcp.concurrency import off_loop
from scalekit_mcp.errors import Conflict, InternalError, ProviderUnavailable, ScalekitMCPError, Throttled
from scalekit_mcp.microsoft import Subject
from scalekit_mcp.scalekit.answers import Preferences
from scalekit_mcp.scalekit.outlook_tools.cursors import page_cursor, page_place
from scalekit_mcp.scalekit.outlook_tools.params import event_params
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
    ScalekitError,
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
_SINGLE_DATES = Form(select=("id", "cancelledOccurrences", "exceptionOccurrences"))


@dataclass(frozen=True, slots=True)
class _Change:
    """A kind of change, and what a refusal of it is about."""

    subject: Subject


_CREATE = _Change(Subject(None, reads=False))
_UPDATE = _Change(Subject("event", reads=False, alone=True))
_DELETE = _Change(Subject("event", reads=False, alone=True))
_CANCEL = _Change(Subject("event", reads=False, alone=True))


class ScalekitMailbox:
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
        self.purge_addresses: Sequence[str] = ()
        self.warnings: list[str] = []
        self.execution_id: str | None = None

    # -- reading

    async def get(self, event_id: str, form: Form) -> Event:
        """One event; raises `ScalekitError` where Scalekit itself refuses, as every verb does."""
        event = await self._get(event_id, Subject("event", reads=True, alone=form.select is None, options=_named(form)))
        return await _shown(event, form)

    async def exceptions(self, series_id: str, select: tuple[str, ...]) -> Event:
        """A series with its edited dates; the deleted ones show nowhere in the hosted tools."""
        subject = Subject("event", reads=True, options=frozenset({"select", "expand"}))
        event = await self._get(series_id, subject)
        event = {**event, "exceptionOccurrences": await self._edited(subject, event, select)}
        return await _shown(event, _SINGLE_DATES)

    async def list(self, query: EventQuery, cursor: str | None = None) -> Page:
        """Single events and masters of series."""
        self._require_default(query.calendar_id)
        size, skip = page_place(cursor, query.top, query.skip)
        params: dict[str, Any] = {"top": min(size + 1, MAX_ROWS)}
        if skip:
            params["skip"] = skip
        wanted = Preferences.of(query.form)
        params |= _options(query, wanted, prefix="")
        rows, more = await self._rows("outlook_list_calendar_events", params, _subject(query), size)
        return await _page(rows, wanted, page_cursor(size, skip + len(rows)) if more and rows else None)

    async def view(self, query: EventQuery, span: Span, cursor: str | None = None) -> Page:
        """One page of a span. The hosted tool has no cursor, so that a later page is the tail of a longer answer."""
        self._require_default(query.calendar_id)
        size, offset = page_place(cursor, query.top, 0)
        last = offset + size
        wanted = Preferences.of(query.form)
        params: dict[str, Any] = {
            "startDateTime": rfc3339(span.begin, timespec="seconds"),
            "endDateTime": rfc3339(span.end, timespec="seconds"),
            "$top": min(last + 1, MAX_ROWS),
            **_options(query, wanted, prefix="$"),
        }
        rows, more = await self._rows("outlook_get_calendar_view", params, _subject(query), last)
        if more and last >= MAX_ROWS:
            more = False
            self.warnings.append(
                f"The window holds more than {MAX_ROWS} events; ask for a shorter one to see the rest."
            )
        return await _page(rows[offset:], wanted, page_cursor(size, last) if more else None)

    async def instances(self, series_id: str, query: EventQuery, span: Span, cursor: str | None = None) -> Page:
        """Not offered in pages: `exceptions` looks through the dates of a series."""
        del series_id, query, span, cursor
        raise _no_tool("the dates of a series in pages")

    async def calendars(self, select: tuple[str, ...], *, top: int | None = None, cursor: str | None = None) -> Page:
        """Not offered: the hosted tools work on the default calendar only."""
        del select, top, cursor
        raise _no_tool("calendars")

    def _require_default(self, calendar_id: str | None) -> None:
        if calendar_id is not None:
            raise _no_tool("another calendar than the default one")

    async def _get(self, event_id: str, subject: Subject) -> Event:
        event = event_in(await self._read("outlook_get_calendar_event", {"event_id": event_id}, subject))
        if event is None:
            raise self._unreadable()
        return event

    async def _edited(self, subject: Subject, master: Event, select: tuple[str, ...]) -> Sequence[Event]:
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
            "$select": ",".join(select),
            "$top": MAX_INSTANCES,
        }
        rows = rows_in(await self._read("outlook_list_event_instances", params, subject))
        if rows is None:
            raise self._unreadable()
        if len(rows["value"]) >= MAX_INSTANCES:
            self.warnings.append(f"Only the first {MAX_INSTANCES} dates of the series were searched for edits.")
        return [event_of(row) for row in cast("list[Event]", rows["value"]) if _kind(row) in ("exception", None)]

    async def _rows(
        self, tool: str, params: dict[str, Any], subject: Subject, size: int
    ) -> tuple[Sequence[object], bool]:
        """At most `size` rows, and whether there are more."""
        answer = rows_in(await self._read(tool, params, subject))
        if answer is None:
            raise self._unreadable()
        rows = cast("Sequence[object]", answer["value"])
        full = len(rows) > size or (size >= MAX_ROWS and len(rows) >= MAX_ROWS)
        return rows[:size], full or bool(answer.get("@odata.nextLink"))

    # -- writing

    async def create(self, event: Event, *, calendar_id: str | None, form: Form) -> Event:
        """The event that was created; no tool takes its `transactionId`."""
        self._require_default(calendar_id)
        body = dict(event)
        categories = body.pop("categories", None)
        data = await self._write(_CREATE, "outlook_create_calendar_event", event_params(body, self.warnings))
        created = event_in(data)
        if created is None:
            raise created_unread(execution_id=self.execution_id)
        if categories:
            # Create has no categories, update has.
            params = {"event_id": created["id"], "categories": ",".join(categories)}
            try:
                await self._execute("outlook_update_calendar_event", params, sending=Sending.WRITE)
                created = {**created, "categories": categories}
            except (ScalekitError, AnswerLostError, ScalekitMCPError):
                self.warnings.append("The event was created, but its categories could not be set.")
        return await _shown(created, form)

    async def update(self, event_id: str, changes: Event, *, form: Form, etag: str | None) -> Event:
        """The event after a change; no tool takes a condition, so that `etag` holds nothing back."""
        del etag
        params = {"event_id": event_id, **event_params(changes, self.warnings)}
        try:
            data = await self._write(_UPDATE, "outlook_update_calendar_event", params)
        except Conflict as refused:
            # A server of this product looks after the edited dates, too; the hosted tool has no such parameter.
            if not self._discard_exceptions or refused.details.get("field") != ACCEPTS_LOSS:
                raise
            data = await self._write(_UPDATE, "outlook_update_calendar_event", {**params, ACCEPTS_LOSS: True})
        event = event_in(data)
        if event is None:
            self._require_done(data)
            event = await self._changed(event_id)
        left = _still_invited(changes, checked_event(event)[0] or {})
        if left:
            people = neutralise(", ".join(left))
            self.warnings.append(f"These attendees should have been removed but are still there: {people}.")
        return await _shown(event, form)

    async def _changed(self, event_id: str) -> Event:
        """The event after a change that was carried out."""
        try:
            return await self._get(event_id, Subject("event", reads=True, alone=True))
        except (ScalekitError, ProviderUnavailable, Throttled) as unread:
            raise changed_unread("update the event", execution_id=self.execution_id) from unread

    async def delete(self, event_id: str) -> None:
        """Move an event to Deleted Items."""
        self._require_done(await self._write(_DELETE, "outlook_delete_calendar_event", {"event_id": event_id}))

    async def cancel(self, event_id: str, comment: str) -> None:
        """Delete a meeting of the user's own and mail the comment to those invited."""
        params = {"event_id": event_id, "comment": comment}
        self._require_done(await self._write(_CANCEL, "outlook_cancel_event", params))

    async def purge(self, event_id: str, address: str) -> None:
        """Not offered: the hosted tools only move events to Deleted Items."""
        del event_id, address
        raise _no_tool("a deletion for good")

    def _require_done(self, data: object) -> None:
        """Go on only where the answer says that the change was made; what it is else, reading the event settles."""
        if verdict_on(data) is Verdict.UNCLEAR:
            self._lost = True
            raise ChangeAnswerLostError(sent=True, status=200, request_id=None)

    # -- calls

    async def _read(self, tool: str, params: dict[str, Any], subject: Subject) -> object:
        try:
            return await self._execute(tool, params, sending=Sending.READ)
        except ScalekitError as failure:
            self._raise(failure, subject)

    async def _write(self, change: _Change, tool: str, params: dict[str, Any]) -> object:
        """A call that changes something: once, whatever happens to its answer."""
        if self._lost:
            if change is _CANCEL:  # those invited may have been mailed although the event still shows
                raise outcome_unknown("cancel the event", execution_id=self.execution_id)
            raise ProviderUnavailable(
                "The change was sent once, its answer was lost, and reading the event shows that it was not made.",
                next_step="Repeat the call.",
                execution_id=self.execution_id,
            )
        try:
            return await self._execute(tool, params, sending=Sending.WRITE)
        except AnswerLostError as lost:
            self._raise_lost(change, lost.status, lost)
        except ScalekitError as failure:
            self._raise(failure, change.subject, change)

    async def _execute(self, tool: str, params: dict[str, Any], *, sending: Sending) -> object:
        body = {
            "tool_name": tool,
            "params": params,
            "connector": self._connection_name,
            "identifier": self._identifier,
        }
        try:
            answer = await self._rest.post("/execute_tool", body, sending=sending, seconds=TOOL_SECONDS)
        except ScalekitError as failure:
            self.execution_id = failure.execution_id or self.execution_id
            raise
        self.execution_id = safe_id(answer.get("execution_id")) or self.execution_id
        failure = failure_in(answer)
        if failure is not None:
            raise failure
        return cast("object", answer.get("data"))

    def _raise(self, failure: ScalekitError, subject: Subject, change: _Change | None = None) -> NoReturn:
        if not failure.from_provider:
            if change is not None and failure.status >= 500:
                self._raise_lost(change, failure.status, failure)
            raise failure
        error = provider_error(failure, subject)
        if change is not None and isinstance(error, ProviderUnavailable):
            self._raise_lost(change, failure.status, failure)
        raise error from failure

    def _raise_lost(self, change: _Change, status: int | None, cause: Exception) -> NoReturn:
        self._lost = True
        carried_out = status is not None and 200 <= status <= 299
        if change is _CREATE:
            if carried_out:
                raise created_unread(execution_id=self.execution_id) from cause
            raise outcome_unknown("create the event", execution_id=self.execution_id) from cause
        raise ChangeAnswerLostError(sent=True, status=status, request_id=None, carried_out=carried_out) from cause

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


def _no_tool(what: str) -> InternalError:
    return InternalError(f"No hosted tool stands for {what}.")


def _named(form: Form) -> frozenset[str]:
    return frozenset() if form.select is None else frozenset({"select"})


def _subject(query: EventQuery) -> Subject:
    given = (("filter", query.filter), ("orderby", query.orderby))
    return Subject(None, reads=True, options=_named(query.form) | {name for name, value in given if value is not None})


def _options(query: EventQuery, wanted: Preferences, *, prefix: str) -> dict[str, str]:
    given = (("filter", query.filter), ("orderby", query.orderby))
    named = {prefix + name: value for name, value in given if value is not None}
    if wanted.selected is not None:
        # All-day events are never converted between zones, so that it must be known which they are.
        named[prefix + "select"] = ",".join(sorted(wanted.selected | _ALWAYS_READ))
    return named


async def _shown(event: Event, form: Form) -> Event:
    return await off_loop(body_characters([event]), lambda: Preferences.of(form).applied(event))


async def _page(rows: Sequence[object], wanted: Preferences, cursor: str | None) -> Page:
    """Rows that are no objects stay as they are: whoever reads pages looks for them."""

    def shown() -> list[object]:
        return [wanted.applied(cast("Event", row), keep=_ALWAYS_READ) if isinstance(row, dict) else row for row in rows]

    events = [cast("Event", row) for row in rows if isinstance(row, dict)]
    return Page(await off_loop(body_characters(events), shown), cursor)

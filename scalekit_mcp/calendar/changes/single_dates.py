"""Finds the dates of a series that were edited or deleted one by one.

The short way is one request that expands `exceptionOccurrences`. Where Microsoft refuses or ignores that, the instances
of the series are listed and looked through. Sources: event resource type, List instances.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import cast

from scalekit_mcp.calendar.events.event import Event, instant_of
from scalekit_mcp.calendar.events.recurrence import recurrence_from_graph
from scalekit_mcp.calendar.events.series_dates import dates_of
from scalekit_mcp.calendar.events.shapes import event_of
from scalekit_mcp.calendar.listing.page_tokens import Position
from scalekit_mcp.calendar.listing.pages import Instances, in_microsofts_order
from scalekit_mcp.calendar.mailbox import EventQuery, Form, Mailbox, Span
from scalekit_mcp.calendar.reading import read_event
from scalekit_mcp.errors import (
    Conflict,
    EventNotFound,
    InternalError,
    InvalidInput,
    ProviderUnavailable,
    ScalekitMCPError,
)
from scalekit_mcp.tools import NO_REMARKS, Remarks, noted, warned

MAX_DAYS = 1825
"""Longest span of instances that one request may ask for."""
MAX_SPANS = 4
"""Twenty years of a series are looked through, more than Outlook lets one last."""
MAX_INSTANCES = 10_000

_FIELDS = ("id", "type", "originalStart", "start", "end")
_EXTENT = Form(select=("id", "start", "recurrence"))
_DELETED = Form(select=("id", "cancelledOccurrences"))
_ROWS = 500
_WAS_DELETED = "(deleted)"
_DAY = timedelta(days=1)
_REFUSED = frozenset({400, 404, 405, 406, 500, 501})
"""Statuses of a request that Microsoft does not carry out in this form."""
_DELETED_UNSEEN = (
    "Single dates that were deleted from the series cannot be seen here and may come back with a change of its times."
)


@dataclass(frozen=True, slots=True)
class SingleDates:
    """The edited and deleted dates, as parts of a sentence in order; a warning where not all can be seen."""

    listed: list[str]
    warning: str | None = None


async def single_dates(mailbox: Mailbox, master_id: str) -> SingleDates:
    """The edited and deleted dates of a series; raises `EventNotFound`, and `Conflict` where they cannot be told."""
    try:
        series = event_of(await mailbox.exceptions(master_id, _FIELDS))
    except (EventNotFound, InvalidInput, InternalError, ProviderUnavailable) as refused:
        if refused.details.get("graph_status") not in _REFUSED:
            raise
        series = {}
    if series.get("exceptionOccurrences") is not None:
        return SingleDates(_sentence_parts(series["exceptionOccurrences"], series.get("cancelledOccurrences")))
    return await _from_instances(mailbox, master_id)


async def _from_instances(mailbox: Mailbox, master_id: str) -> SingleDates:
    deleted, warning = await _deleted(mailbox, master_id)
    master = await read_event(mailbox, master_id, _EXTENT, required=("start",))
    begin, end = _span(master)
    edited: list[Event] = []
    try:
        for _ in range(MAX_SPANS):
            stop = min(end, begin + timedelta(days=MAX_DAYS))
            source = Instances(mailbox, EventQuery(Form(select=_FIELDS), _ROWS), Span(begin, stop), master_id)
            found = await in_microsofts_order(source, Position(), MAX_INSTANCES, keep=_is_edited)
            edited += found.events
            if stop >= end:
                break
            begin = stop
    except (InvalidInput, InternalError) as refused:
        raise Conflict(
            "Microsoft does not tell which dates of the series were edited, and this change could undo those edits. "
            "Nothing was changed.",
            next_step="Ask the user; to accept the loss, repeat the call with discard_exceptions=true.",
            field="discard_exceptions",
        ) from refused
    return SingleDates(_sentence_parts(edited, deleted), warning)


async def _deleted(mailbox: Mailbox, master_id: str) -> tuple[list[str], str | None]:
    try:
        series = await read_event(mailbox, master_id, _DELETED)
    except (InvalidInput, InternalError, ProviderUnavailable) as refused:
        if refused.details.get("graph_status") not in _REFUSED:
            raise
        return [], _DELETED_UNSEEN
    deleted = series.get("cancelledOccurrences")
    return ([], _DELETED_UNSEEN) if deleted is None else (deleted, None)


async def fate_of(mailbox: Mailbox, series_id: str, at_risk: list[str], recurrence: object) -> Remarks:
    """What became of edited and deleted dates whose loss was accepted: Microsoft does not say which changes keep them.

    `recurrence` is the series' own after the change, as Graph answered it: a date of it that is not deleted any more
    takes place again, which nobody asked for.
    """
    if not at_risk:
        return NO_REMARKS
    try:
        found = await single_dates(mailbox, series_id)
    except ScalekitMCPError:
        return warned(f"Whether edits of single dates were lost could not be read: {listed(at_risk)}.")
    kept = [day for day in at_risk if day in found.listed]
    lost = [day for day in at_risk if day not in found.listed]
    unseen = [day for day in lost if day.endswith(_WAS_DELETED)] if found.warning is not None else []
    gone = [day for day in lost if day not in unseen]
    dates = [date.fromisoformat(day[:10]) for day in gone if day.endswith(_WAS_DELETED)]
    again = [str(day) for day in _dates_among(recurrence, dates)]
    return noted(
        f"Edits and deletions of single dates of the series are gone: {listed(gone)}." if gone else None,
        f"Edits and deletions of single dates of the series are still there: {listed(kept)}." if kept else None,
    ) + warned(
        f"Dates that had been deleted are in the calendar again: {listed(again)}. Tell the user, and delete them once "
        "more if they shall not take place."
        if again
        else None,
        f"Whether deletions of single dates were lost could not be read: {listed(unseen)}." if unseen else None,
    )


def _dates_among(recurrence: object, days: list[date]) -> list[date]:
    """Which of these days the pattern names, in order."""
    if not isinstance(recurrence, dict) or not days:
        return []
    series = recurrence_from_graph(cast("Event", recurrence))
    if series.start_date is None:
        return []
    return [day for day in dates_of(series, series.start_date, max(days)) if day in days]


def _is_edited(instance: Event) -> bool:
    return str(instance.get("type")).casefold() == "exception"


def _span(master: Event) -> tuple[datetime, datetime]:
    begin = instant_of(master["start"]) - _DAY
    farthest = begin + timedelta(days=MAX_DAYS * MAX_SPANS)
    recurrence = cast("Event", master.get("recurrence") or {})
    span = cast("Event", recurrence.get("range") or {})
    if str(span.get("type")).casefold() != "enddate" or not span.get("endDate"):
        return begin, farthest
    last = datetime.fromisoformat(str(span["endDate"])[:10]).replace(tzinfo=UTC) + 2 * _DAY
    return begin, max(begin + _DAY, min(last, farthest))


def _sentence_parts(exceptions: list[Event], deleted: list[str] | None) -> list[str]:
    found: set[tuple[str, str]] = set()
    for exception in exceptions:
        moment = exception.get("originalStart") or cast("Event", exception.get("start") or {}).get("dateTime")
        found.add((str(moment)[:10], "edited"))
    for name in deleted or ():
        day = re.search(r"\d{4}-\d{2}-\d{2}$", name)
        if day is not None:
            found.add((day.group(), "deleted"))
    return [f"{day} ({how})" for day, how in sorted(found)]


def loss_refusal(
    dates: list[str], gap: tuple[date, date] | None, *, edits: str = "edits", series: str = "The series", keep: str = ""
) -> Conflict:
    """The refusal that names what a change would lose: edited dates, and those from `gap[0]` until `gap[1]`."""
    told = f"This change would undo {edits} of single dates of the series: {listed(dates)}. " if dates else ""
    if gap is not None:
        told += f"{series} would begin on {gap[1]}: the dates from {gap[0]} until then would disappear. "
    return Conflict(
        f"{told}Nothing was changed.",
        next_step=f"Ask the user; to accept the loss, repeat the call with discard_exceptions=true.{keep}",
        field="discard_exceptions",
        edited_occurrences=dates,
    )


def listed(days: list[str]) -> str:
    """Dates as part of a sentence."""
    return ", ".join(days[:20]) + (f" and {len(days) - 20} more" if len(days) > 20 else "")

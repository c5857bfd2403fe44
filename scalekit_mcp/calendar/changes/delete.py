"""Deleting events: without a message, with a message to attendees, or permanently; one date of a series or all.

Sources: Delete event, event: cancel, event: permanentDelete.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from scalekit_mcp.calendar.changes.calendar_membership import is_listed
from scalekit_mcp.calendar.changes.series_split import FIRST_DATE, CutSeries, SeriesSplit, read_cut
from scalekit_mcp.calendar.events.answers.told import ANSWER_LOST, MAX_TOLD, invited, told_member
from scalekit_mcp.calendar.events.event import Event, address_of, event_result, series_meant
from scalekit_mcp.calendar.failures import ChangeAnswerLostError, MalformedEventId
from scalekit_mcp.calendar.mailbox import Form, Mailbox
from scalekit_mcp.calendar.reading import asked_zone, read_event
from scalekit_mcp.calendar.text import neutralise
from scalekit_mcp.errors import (
    Conflict,
    EventNotFound,
    InternalError,
    InvalidInput,
    OutcomeUnknown,
    ProviderUnavailable,
    ScalekitMCPError,
    Throttled,
)
from scalekit_mcp.tools import NO_REMARKS, DeleteCalendarEvent, Remarks, noted, warned

_PERHAPS_GONE = frozenset({400, 409, 410, 412})
"""Statuses with which Microsoft also refuses to delete or cancel what is gone."""

_NOT_OFFERED = frozenset({400, 404, 405, 501})
"""Statuses of an address that does not exist."""

_NOTHING_DELETED = "Nothing was deleted by this call: the mailbox has no event with this id any more, or never had one."

_NO_DATE = (
    "Nothing was deleted by this call: the mailbox has no date of a series with this id any more. If later dates of "
    "the series are still there, give the id of the first of them."
)
_MAILED_OR_NOT = "Whether Microsoft mailed the attendees is not known: the event could not be read before its deletion."
_PURGED = "Whether Microsoft mails a cancellation for a deletion for good is not known; invited: {people}."
_OWN_COPY = (
    "This was somebody else's meeting: only the user's own copy was deleted, and the organizer was not told, as they "
    "would be if the user declined."
)

_KNOWN = (
    "id",
    "type",
    "seriesMasterId",
    "isOrganizer",
    "organizer",
    "attendees",
    "subject",
    "start",
    "end",
    "isAllDay",
    "isCancelled",
)
_WHEREABOUTS = Form(select=("id", "isCancelled", "isOrganizer", "start", "end"))
_EXISTENCE = Form(select=("id",))

Deletion = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class _Deletion:
    """One deletion on its way: of which event, as it was before (None: that could not be read), and what to tell.

    `settled`: that it was carried out is known by reading, because its answer was lost.
    """

    args: DeleteCalendarEvent
    event_id: str
    before: Event | None = None
    remarks: Remarks = NO_REMARKS
    settled: bool = False


class CalendarDelete:
    """Carries out `outlook_delete_calendar_event` for one connected account; `timezone` is that of its answers."""

    def __init__(self, mailbox: Mailbox, *, timezone: str) -> None:
        self._mailbox = mailbox
        self._timezone = timezone
        self._splits = SeriesSplit(mailbox, personal=False)

    async def delete(self, args: DeleteCalendarEvent) -> dict[str, Any]:
        """`{deleted, already_gone, event?, told?, notes?, warnings?}`; what is gone already is a success.

        Raises `EventNotFound` for what is no id of an event: whoever shortened an id means another event.
        """
        if args.apply_to == "following":
            series = await self._series_of(args)
            if series is None:
                return {"deleted": True, "already_gone": True, **(args.remarks + warned(_NO_DATE)).members()}
            if not series.is_whole:
                return await self._end(args, series)
            whole = {"event_id": series.id, "apply_to": None, "remarks": args.remarks + noted(FIRST_DATE)}
            args = args.model_copy(update=whole)
        doing = _Deletion(args, args.event_id, remarks=args.remarks)
        try:
            already = await self._carry_out(doing)
        except MalformedEventId:
            raise
        except EventNotFound:
            already = True
        answer: dict[str, Any] = {"deleted": True, "already_gone": already}
        if already:
            return answer | (doing.remarks + warned(_NOTHING_DELETED)).members()
        told, about_mails = _told(doing)
        shown: Event = {} if doing.before is None else {"event": self._shown(doing.before)}
        return answer | shown | told | (doing.remarks + about_mails).members()

    async def _series_of(self, args: DeleteCalendarEvent) -> CutSeries | None:
        try:
            return await read_cut(self._mailbox, args.event_id, asked_zone(self._timezone))
        except MalformedEventId:
            raise
        except EventNotFound:
            return None

    async def _end(self, args: DeleteCalendarEvent, series: CutSeries) -> dict[str, Any]:
        remarks = await self._splits.end(series, discard=bool(args.discard_exceptions))
        people = [neutralise(address) for address in invited(series.master)]
        told, cut = told_member(people, for_model=args.answer_characters is not None)
        answer = {"deleted": True, "already_gone": False, "event": self._shown(series.occurrence)}
        return answer | told | (args.remarks + remarks + cut).members()

    def _shown(self, event: Event) -> Event:
        named = {name: event[name] for name in ("subject", "start", "end", "isAllDay", "type") if name in event}
        shown = event_result(named, asked=asked_zone(self._timezone))
        shown.pop("isAllDay", None)  # a date without a time says it
        return shown

    async def _carry_out(self, doing: _Deletion) -> bool:
        deletion = await self._deletion(doing)
        if deletion is None:
            return await self._purge(doing)
        return await self._send(deletion, doing)

    async def _deletion(self, doing: _Deletion) -> Deletion | None:
        """What to do, None for a deletion for good."""
        args = doing.args
        await self._look(doing)
        if args.cancellation_message is not None and doing.before is not None:
            if doing.before.get("isOrganizer") is False:
                raise InvalidInput(
                    "Only the organizer of a meeting can cancel it with a message; this one is somebody else's.",
                    field="cancellation_message",
                    next_step="Leave cancellation_message out: the event then leaves the user's own calendar.",
                )
            if any(address_of(person) for person in doing.before.get("attendees") or ()):
                return partial(self._mailbox.cancel, doing.event_id, args.cancellation_message)
            doing.remarks += warned("Nobody is invited to this event, so that no message was sent.")
        return None if args.permanent else partial(self._mailbox.delete, doing.event_id)

    async def _look(self, doing: _Deletion) -> None:
        """Read the event, and find the series if that is meant; without need for it, an unreadable one is let be."""
        needed = doing.args.apply_to is not None or doing.args.cancellation_message is not None
        form = Form(zone=asked_zone(self._timezone), select=_KNOWN)
        try:
            doing.before = await read_event(self._mailbox, doing.event_id, form)
        except (ProviderUnavailable, InternalError, InvalidInput):
            if needed:
                raise
            return
        series_id = series_meant(doing.before, doing.args.apply_to)
        if series_id is not None:
            doing.event_id = series_id
            try:
                doing.before = await read_event(self._mailbox, series_id, form)
            except (ProviderUnavailable, InternalError, InvalidInput):
                doing.before = None

    async def _purge(self, doing: _Deletion) -> bool:
        """Delete for good, by whichever address Microsoft offers it; True if the event was gone before.

        An address that is not offered is answered like an event that does not exist, so the event decides.
        """
        for address in self._mailbox.purge_addresses:
            try:
                return await self._send(partial(self._mailbox.purge, doing.event_id, address), doing)
            except MalformedEventId:
                raise
            except (EventNotFound, InvalidInput, InternalError) as refused:
                if refused.details.get("graph_status") not in _NOT_OFFERED:
                    raise
                await read_event(self._mailbox, doing.event_id, _EXISTENCE)
        raise InvalidInput(
            "Microsoft does not offer to delete this event for good; nothing was deleted.",
            field="permanent",
            next_step="Leave permanent out: the event then goes to Deleted Items.",
        )

    async def _send(self, deletion: Deletion, doing: _Deletion) -> bool:
        """Carry out the deletion, once more where it was not carried out; True if the event was gone before this call.

        A lost answer is settled by reading, and so is a refusal that Microsoft also gives for what is gone.
        """
        lost = False
        for _ in range(2):
            try:
                await deletion()
            except ChangeAnswerLostError as exc:
                if exc.carried_out:
                    return False
                if await self._is_gone(doing.event_id, exc):
                    doing.settled = True
                    return False
                if lost:
                    raise OutcomeUnknown(
                        "The deletion was sent to Microsoft twice, and both answers were lost; the event still shows.",
                        next_step="Read the event in a minute; if it is still there, delete it again.",
                    ) from exc
                lost = True
            except EventNotFound:
                if lost:
                    doing.settled = True
                    return False  # the first try had been carried out
                raise
            except (InvalidInput, Conflict, InternalError) as refused:
                if refused.details.get("graph_status") not in _PERHAPS_GONE:
                    raise
                if not await self._is_gone(doing.event_id, refused):
                    raise
                doing.settled = lost
                return not lost
            else:
                return False
        return False  # not reached: the second try returns or raises

    async def _is_gone(self, event_id: str, cause: Exception) -> bool:
        """Whether the event left the calendar.

        Raises what is known where it cannot be read: `OutcomeUnknown` after a lost answer, else the refusal.
        """
        try:
            event = await read_event(self._mailbox, event_id, _WHEREABOUTS)
        except EventNotFound:
            return True
        except ScalekitMCPError as exc:
            if not isinstance(cause, ChangeAnswerLostError):
                raise cause from exc
            if not isinstance(exc, ProviderUnavailable | Throttled):
                raise
            raise OutcomeUnknown(
                "The deletion was sent to Microsoft, but no answer came back, and the event cannot be read now.",
                next_step="Delete the event again in a minute: a deletion of what is gone does no harm.",
            ) from exc
        # A cancelled meeting of the user's own lies in Deleted Items, where an immutable id still finds it.
        if event.get("isCancelled") and event.get("isOrganizer") is not False:
            return True
        # What lies there otherwise shows in no calendar. After a lost answer another deletion tells, which is cheaper.
        return not isinstance(cause, ChangeAnswerLostError) and not await is_listed(self._mailbox, event)


def _told(doing: _Deletion) -> tuple[dict[str, list[str]], Remarks]:
    """Who was mailed of a deletion that was carried out, and the notes about it."""
    event = doing.before
    if event is None:
        return {}, noted(_MAILED_OR_NOT)
    if event.get("isOrganizer") is False:
        return {}, noted(None if event.get("isCancelled") else _OWN_COPY)
    people = [] if event.get("isCancelled") else invited(event)
    for_model = doing.args.answer_characters is not None
    if people and doing.args.permanent:
        some = ", ".join(people[:MAX_TOLD]) + (f" and {len(people) - MAX_TOLD} more" if len(people) > MAX_TOLD else "")
        return {}, noted(_PURGED.format(people=neutralise(some)))
    told, cut = told_member([neutralise(address) for address in people], for_model=for_model)
    return told, cut + noted(ANSWER_LOST if people and doing.settled else None)

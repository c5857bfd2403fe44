"""Changes of a series from one of its dates on: its end, and where it shall go on differently a new series.

Several writes make one change, so that each is settled before the next. The new series comes first, so that nothing is
ever missing, wherever the change is broken off: its request can be repeated, with a transactionId that is derived from
the change itself. Then the old one ends, which reading its range settles. Rooms are invited to the new series last, for
they would decline what overlaps the old one. Sources: Update event, Create event.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import anyio

from scalekit_mcp.calendar.changes.calendar_membership import calendar_of, is_listed
from scalekit_mcp.calendar.changes.own_time import Planned, require_free
from scalekit_mcp.calendar.changes.single_dates import fate_of, loss_refusal, single_dates
from scalekit_mcp.calendar.events.answers.told import invited
from scalekit_mcp.calendar.events.event import Event, address_of, body_characters, join_url, series_meant
from scalekit_mcp.calendar.events.shapes import shown_event
from scalekit_mcp.calendar.events.writing.lost_answers import same_recurrence
from scalekit_mcp.calendar.events.writing.series_cut import (
    Continuation,
    SeriesCut,
    continued,
    cut_at,
    transaction_id_of,
)
from scalekit_mcp.calendar.failures import ChangeAnswerLostError, MalformedEventId, UnreadableAnswer
from scalekit_mcp.calendar.mailbox import Form, Mailbox
from scalekit_mcp.calendar.reading import WHOLE, change_event, read_event, read_to_show, shown_in
from scalekit_mcp.concurrency import off_loop
from scalekit_mcp.errors import (
    Conflict,
    EventNotFound,
    InvalidInput,
    OutcomeUnknown,
    ProviderUnavailable,
    ScalekitMCPError,
)
from scalekit_mcp.tools import NO_REMARKS, Remarks, UpdateCalendarEvent, Zone, noted, warned

FIRST_DATE = "The date is the first one of its series, so that the whole series is meant."

_EXTENT = Form(select=("id", "recurrence"))
_CHANGED_MEANWHILE = frozenset({409, 412})
_TRIES = 3
_GONE = (
    "List the period. If this call was made before, its change is probably there: from the cut on the dates have new "
    "ids, with which further changes are made. Rooms that are missing there are invited by attendees_resource."
)
_NOT_KNOWN = "Whether the series has its new end is not known."


@dataclass(frozen=True, slots=True)
class CutSeries:
    """A date of a series of the user's own, the series, and where it is cut."""

    occurrence: Event = field(repr=False)
    master: Event = field(repr=False)
    cut: SeriesCut

    @property
    def id(self) -> str:
        """The id of the series."""
        return str(self.master["id"])

    @property
    def is_whole(self) -> bool:
        """Whether the date is the first one, so that nothing would be left of the series."""
        return not self.cut.earlier


async def read_cut(mailbox: Mailbox, event_id: str, zone: Zone | None = None) -> CutSeries:
    """The series of this date, which is read in `zone`.

    Raises `InvalidInput` for what is no date of a series that the user organizes.
    """
    try:
        occurrence = await read_event(mailbox, event_id, shown_in(zone), required=("start", "end", "type"))
    except MalformedEventId:
        raise
    except EventNotFound as gone:
        raise EventNotFound(
            "No date of a series has this id (any more); this call changed nothing and mailed nobody.",
            next_step=_GONE,
            **gone.details,
        ) from gone
    series_id = series_meant(occurrence, "following")
    if series_id is None:
        raise InvalidInput("The id names no date of a series.", field="apply_to", next_step="Leave apply_to out.")
    master = await read_event(mailbox, series_id, WHOLE, required=("start", "end", "type", "recurrence"))
    if master.get("isOrganizer") is not True:
        raise InvalidInput(
            "This is somebody else's series: only its organizer can change it from one of its dates on.",
            field="apply_to",
            next_step="Ask the organizer, or change single dates in the user's own calendar.",
        )
    return CutSeries(occurrence, master, await anyio.to_thread.run_sync(cut_at, occurrence, master))


@dataclass(frozen=True, slots=True)
class Split:
    """A series that was split: the new one, who was mailed about either half, and what to tell."""

    event: Event = field(repr=False)
    mailed: list[str]
    remarks: Remarks


@dataclass(frozen=True, slots=True)
class _End:
    """Another end of a series: the whole recurrence, and how to see that it is made or that the one before stands."""

    wanted: Event = field(repr=False)
    is_made: Callable[[Any], bool]
    is_before: Callable[[Any], bool]


def _cut(series: CutSeries) -> _End:
    had = series.cut.had
    return _End(series.cut.shortened, series.cut.is_made, lambda there: same_recurrence(there, had))


@dataclass(slots=True)
class _Losses:
    """Edited and deleted dates whose loss was accepted, and what to tell beside them."""

    dates: list[str]
    remarks: Remarks = NO_REMARKS


class SeriesSplit:
    """Carries out `apply_to=following` for one connected account."""

    def __init__(self, mailbox: Mailbox, *, personal: bool) -> None:
        self._mailbox = mailbox
        self._personal = personal

    async def end(self, series: CutSeries, *, discard: bool) -> Remarks:
        """End the series before its cut; what to tell of it."""
        losses = await self._losses(series, discard=discard, deletes=True)
        with anyio.CancelScope(shield=True):
            try:
                await self._set_end(series.id, _cut(series), series.master.get("@odata.etag"))
            except OutcomeUnknown as exc:
                raise OutcomeUnknown(
                    "The end of the series was sent to Microsoft, but no answer tells whether it was made.",
                    next_step="Repeat the same call in a minute: it does no harm.",
                    old_series_id=series.id,
                ) from exc
        told = noted(
            f"The series with the id {series.id} ends now with its date on {series.cut.earlier[-1]}; its dates from "
            f"{series.cut.on} on are gone."
        )
        return losses.remarks + told + await self._afterwards(series, losses)

    async def split(self, args: UpdateCalendarEvent, series: CutSeries, zone: Zone, now: datetime) -> Split:
        """Begin a new series at the cut, with the changes; it comes in `zone`."""
        make = partial(continued, args, series.master, series.cut, personal=self._personal)
        new = await off_loop(len(args.body_content or "") + body_characters([series.master]), make)
        losses = await self._losses(series, discard=bool(args.discard_exceptions), skipped=new)
        calendar_id = await calendar_of(self._mailbox, {**series.occurrence, "id": series.id})
        body = {**new.body_without_rooms, "transactionId": transaction_id_of(args, series.master, series.cut)}
        if args.only_if_free:
            calendars = (None,) if calendar_id is None else (None, calendar_id)
            planned = Planned(new.body, calendars, frozenset({series.id}), str(body["transactionId"]))
            await require_free(self._mailbox, planned, now)
        # A caller who goes away must not leave half of it behind; every request has its own limit of time.
        event: Event = {}
        remarks = NO_REMARKS
        asked = body
        with anyio.CancelScope(shield=True):
            event, remarks = await self._create_first(series, partial(self._create, body, calendar_id, zone))
            remarks = new.remarks + losses.remarks + remarks
            if new.rooms:
                event, asked, about_rooms = await self._with_rooms(event, new, zone)
                remarks += about_rooms
            event, about_link = await self._with_link(event, new, zone)
            remarks += _about_split(series, new, event) + about_link + await self._afterwards(series, losses)
        mailed = invited(series.master)
        mailed += [address for address in invited(asked) if address.casefold() not in map(str.casefold, mailed)]
        return Split(event, mailed, remarks)

    async def _losses(
        self, series: CutSeries, *, discard: bool, skipped: Continuation | None = None, deletes: bool = False
    ) -> _Losses:
        """What goes with the cut; raises `Conflict`, naming it, unless its loss is accepted."""
        losses = _Losses([])
        try:
            found = await single_dates(self._mailbox, series.id)
            losses = _Losses(found.listed, warned(found.warning))
        except Conflict:
            if not discard:
                raise
            losses.remarks += warned("Whether single dates of the series were edited cannot be read.")
        if deletes:
            # A date that was deleted and is deleted with the rest is no loss.
            on = str(series.cut.on)
            losses.dates = [day for day in losses.dates if not (day[:10] >= on and day.endswith("(deleted)"))]
        gap = None if skipped is None else skipped.skipped
        if not losses.dates and gap is None:
            return losses
        if not discard:
            raise loss_refusal(losses.dates, gap, edits="edits and deletions", series="The new series")
        if gap is not None:
            losses.remarks += noted(f"The dates of the series from {gap[0]} until {gap[1]} are gone.")
        return losses

    async def _create_first(
        self, series: CutSeries, create: Callable[[], Awaitable[tuple[Event, Remarks]]]
    ) -> tuple[Event, Remarks]:
        """Make the new series, then end the old one; raises what says which half stands, if one does not."""
        try:
            event, remarks = await create()
        except (ChangeAnswerLostError, UnreadableAnswer) as lost:
            raise OutcomeUnknown(
                "The new series was sent to Microsoft, but no answer that can be read came back: it may or may not be "
                f"in the calendar. The old series, {series.id}, was not changed.",
                next_step="Repeat the same call: it cannot book twice, and it ends the old series as well.",
                old_series_id=series.id,
            ) from lost
        half = (
            f"The new series was made, with the id {event['id']}, but the old one, {series.id}, "
            "{state}: both may show from " + str(series.cut.on) + " on."
        )
        again = "Repeat the same call: it finds the new series and only ends the old one."
        ids: dict[str, Any] = {"old_series_id": series.id, "new_series_id": event["id"]}
        try:
            await self._set_end(series.id, _cut(series), series.master.get("@odata.etag"))
        except OutcomeUnknown as exc:
            state = "may or may not have been ended"
            raise OutcomeUnknown(half.format(state=state), next_step=again, **ids) from exc
        except ScalekitMCPError as exc:
            raise _half_done(exc, half.format(state="was not ended"), again, ids) from exc
        return event, remarks

    async def _with_rooms(self, event: Event, new: Continuation, zone: Zone) -> tuple[Event, Event, Remarks]:
        """The new series with its rooms, the attendees that it has then, and what to tell.

        Repeating does no harm: who is invited already is not mailed.
        """
        people = {"attendees": new.body["attendees"]}
        problem = "Microsoft's answers were lost"
        for _ in range(_TRIES):
            try:
                event, remarks = await change_event(self._mailbox, str(event["id"]), people, zone=zone, etag=None)
            except ChangeAnswerLostError:
                continue
            except ScalekitMCPError as refused:
                problem = refused.message.rstrip(".")
                break
            return event, people, remarks
        rooms = ", ".join(str(address_of(room)) for room in new.rooms)
        told = warned(
            f"Whether {rooms} could be invited to the new series is not known: {problem}. Read the new series, and "
            "give what is missing in attendees_resource."
        )
        return event, new.body_without_rooms, told

    async def _create(self, body: Event, calendar_id: str | None, zone: Zone) -> tuple[Event, Remarks]:
        """The new series, made now or by an earlier call; raises `ChangeAnswerLostError` while that is open."""
        try:
            event, remarks = await self._send_new(body, calendar_id, zone)
        except (ChangeAnswerLostError, UnreadableAnswer):
            event, remarks = await self._send_new(body, calendar_id, zone)
        if not await is_listed(self._mailbox, event):
            raise Conflict(
                f"An earlier call made this new series, with the id {event['id']}, and it has been deleted since.",
                next_step="Ask the user; to split the series anew, give another change along, such as its start.",
                new_series_id=event["id"],
            )
        return event, remarks

    async def _send_new(self, body: Event, calendar_id: str | None, zone: Zone) -> tuple[Event, Remarks]:
        try:
            answer = await self._mailbox.create(body, calendar_id=calendar_id, form=shown_in(zone))
        except Conflict as exc:
            existing = exc.details.get("existing_event_id")
            if existing is None:
                raise
            # Nobody else knows the transactionId: the series is that of an earlier call.
            return await read_to_show(self._mailbox, str(existing), shown_in(zone))
        event, odd = shown_event(answer)
        return event, warned(*odd)

    async def _set_end(self, series_id: str, end: _End, etag: Any) -> None:
        """Give a series another end; lost answers and changes in between are settled by reading.

        Raises `OutcomeUnknown` where that does not tell, and the refusal where nothing was changed.
        """
        lost: Exception | None = None
        for _ in range(_TRIES):
            try:
                await self._mailbox.update(series_id, {"recurrence": end.wanted}, form=_EXTENT, etag=etag)
            except ChangeAnswerLostError as exc:
                if exc.carried_out:
                    return
                lost = exc
            except ScalekitMCPError as exc:
                if lost is None and exc.details.get("graph_status") not in _CHANGED_MEANWHILE:
                    raise
            else:
                return
            try:
                now = await read_event(self._mailbox, series_id, _EXTENT)
            except ScalekitMCPError as exc:
                if lost is None:
                    raise
                raise OutcomeUnknown(_NOT_KNOWN) from exc
            if end.is_made(now.get("recurrence")):
                return
            if not end.is_before(now.get("recurrence")):
                break
            # Where the very same version is refused, Microsoft does not take the condition at all.
            same = etag == now.get("@odata.etag")
            etag = None if same and lost is None else now.get("@odata.etag")
        if lost is not None:
            raise OutcomeUnknown(_NOT_KNOWN) from lost
        raise Conflict("Somebody else changed the series meanwhile.")

    async def _with_link(self, event: Event, new: Continuation, zone: Zone) -> tuple[Event, Remarks]:
        """The new series read once more if its link is not in the first answer."""
        if not new.body.get("isOnlineMeeting") or join_url(event) is not None:
            return event, NO_REMARKS
        if event.get("isOnlineMeeting"):
            try:
                event = await read_event(self._mailbox, str(event["id"]), shown_in(zone))
            except ScalekitMCPError:
                return event, warned("The meeting link of the new series could not be read yet.")
        if join_url(event) is not None:
            return event, NO_REMARKS
        return event, warned("The new series has no online-meeting link, or not yet; read it in a minute.")

    async def _afterwards(self, series: CutSeries, losses: _Losses) -> Remarks:
        """What reading the old series shows: whether it ends as asked, and what is left of edited dates."""
        try:
            now = await read_event(self._mailbox, series.id, _EXTENT)
            ended = series.cut.is_made(now.get("recurrence"))
        except ScalekitMCPError:
            return warned("The old series could not be read after the change.")
        remarks = warned(None if ended else "The old series shows another end than the one it was given; look at it.")
        return remarks + await fate_of(self._mailbox, series.id, losses.dates, now.get("recurrence"))


def _about_split(series: CutSeries, new: Continuation, event: Event) -> Remarks:
    url = join_url(event)
    people = bool(new.body.get("attendees"))
    return noted(
        f"The series was split. Its dates until {series.cut.earlier[-1]} stay in the old series, {series.id}; from "
        f"{new.begins} on the new series holds them, with the id {event['id']}.",
        f"The new series has a meeting link of its own, {url}; the earlier dates keep theirs." if url else None,
        "Those invited were mailed about both: an update of the old series and an invitation to the new one, which "
        "they have to answer anew" + (", rooms too." if new.rooms else ".")
        if people
        else None,
    )


def _half_done(cause: ScalekitMCPError, told: str, next_step: str, ids: dict[str, Any]) -> ScalekitMCPError:
    """The error for half of a change: what stands, why, and what to do."""
    details = {**cause.details, **ids}
    message = f"{told} {cause.message}"
    if cause.retryable:
        return ProviderUnavailable(message, next_step=next_step, **details)
    return Conflict(message, next_step=next_step, who_acts=cause.who_acts, **details)

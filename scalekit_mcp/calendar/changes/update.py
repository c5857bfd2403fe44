"""Updating an event: changes exactly the given properties, and reports only what is known to have happened.

What is there is read only where the change depends on it. Then the change carries the event's etag, so that somebody
else's change in between is noticed (412) and met by reading again. Sources: Update event, event resource type.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from scalekit_mcp.calendar.changes.own_time import Planned, calendars_to_look_at, require_free
from scalekit_mcp.calendar.changes.series_split import FIRST_DATE, CutSeries, SeriesSplit, read_cut
from scalekit_mcp.calendar.changes.single_dates import fate_of, loss_refusal, single_dates
from scalekit_mcp.calendar.events.answers.told import ANSWER_LOST, mailed_by_change, told_member
from scalekit_mcp.calendar.events.event import Event, body_characters, event_result, join_url, series_meant
from scalekit_mcp.calendar.events.writing.attendees import refusal_of_people
from scalekit_mcp.calendar.events.writing.body import CURRENT_SELECT, patch_body
from scalekit_mcp.calendar.events.writing.lost_answers import ChangeOutcome, change_outcome, property_equals
from scalekit_mcp.calendar.events.writing.series import dates_lost_before_start
from scalekit_mcp.calendar.failures import ChangeAnswerLostError
from scalekit_mcp.calendar.mailbox import Form, Mailbox
from scalekit_mcp.calendar.reading import (
    asked_zone,
    change_event,
    read_event,
    read_to_show,
    shown_in,
)
from scalekit_mcp.clock import Clock
from scalekit_mcp.concurrency import off_loop
from scalekit_mcp.errors import Conflict, InvalidInput, OutcomeUnknown, ProviderUnavailable, ScalekitMCPError, Throttled
from scalekit_mcp.tools import NO_REMARKS, Remarks, UpdateCalendarEvent, Zone, noted, warned

_SOMEBODY_ELSES = (
    "This is somebody else's meeting: only the user's own copy was changed, and the organizer's next update overwrites "
    "it. Ask the organizer to change the meeting itself."
)

_NOT_KNOWN = "The change was sent, but its answer was lost, and reading the event does not tell whether it was made."

_KEEP_EARLIER = " To keep the earlier dates, give the id of the first date that shall change, with apply_to=following."

_CURRENT = Form(body_format="html", select=CURRENT_SELECT)

_CHANGED_MEANWHILE = frozenset({409, 412})
"""Statuses that say that somebody else's change came in between."""


@dataclass(slots=True)
class _Change:
    """One update on its way: which event, what it was before (None where it does not matter), and what to tell.

    `occurrence` is the one that was named when its series is changed; `at_risk` are edited dates whose loss was
    accepted; `unconditional`: without the event's etag; `mailed` are those whom Microsoft mailed.
    """

    args: UpdateCalendarEvent
    event_id: str
    before: Event | None = None
    occurrence: Event | None = None
    remarks: Remarks = NO_REMARKS
    at_risk: list[str] = field(default_factory=list[str])
    unconditional: bool = False
    mailed: list[str] = field(default_factory=list[str])


class CalendarUpdate:
    """Carries out `outlook_update_calendar_event` for one connected account."""

    def __init__(self, mailbox: Mailbox, *, personal: bool, clock: Clock, timezone: str) -> None:
        self._mailbox = mailbox
        self._personal = personal
        self._clock = clock
        self._timezone = timezone
        self._splits = SeriesSplit(mailbox, personal=personal)

    async def update(self, args: UpdateCalendarEvent) -> dict[str, Any]:
        """The event after the change, with `told`, `notes` and `warnings`."""
        zone = asked_zone(args.start_timezone or args.end_timezone or self._timezone)
        series = await read_cut(self._mailbox, args.event_id) if args.apply_to == "following" else None
        if series is not None and not series.is_whole:
            split = await self._splits.split(args, series, zone, self._clock.now())
            told, cut = told_member(split.mailed, for_model=args.answer_characters is not None)
            return event_result(split.event | told, asked=zone, remarks=args.remarks + split.remarks + cut)
        change = await self._begin(args) if series is None else _of_whole(args, series)
        event = await self._carry_out(change, zone)
        remarks = args.remarks + noted(None if series is None else FIRST_DATE)
        remarks += change.remarks + await fate_of(
            self._mailbox, change.event_id, change.at_risk, event.get("recurrence")
        )
        remarks += warned(*self._shortfalls(change, event))
        told, cut = told_member(change.mailed, for_model=args.answer_characters is not None)
        return event_result(event | told, asked=zone, remarks=remarks + cut)

    async def _begin(self, args: UpdateCalendarEvent) -> _Change:
        """Find the event that is meant, and read it if the change depends on it."""
        if args.apply_to is None and not args.only_if_free and not patch_body(args).needs_current:
            return _Change(args, args.event_id)
        event = await self._read(args.event_id)
        series_id = series_meant(event, args.apply_to)
        if series_id is not None:
            master = await self._read(series_id)
            return _Change(args, str(master["id"]), master, event)
        return _Change(args, args.event_id, event)

    async def _carry_out(self, change: _Change, zone: Zone) -> Event:
        """Send the change, at most twice, and return the event as it is then."""
        lost: ChangeAnswerLostError | None = None
        for last in (False, True):
            body = await self._body(change)
            if not body:
                change.remarks += noted("Nothing was changed: the event already is as asked.")
                event, remarks = await read_to_show(self._mailbox, change.event_id, shown_in(zone))
                change.remarks += remarks
                return event
            await self._guard(change, body)
            try:
                return await self._send(change, body, zone)
            except InvalidInput as exc:
                if lost is None:
                    raise refusal_of_people(exc, change.args, body) from exc
                return await self._made_before(change, body, zone, exc)
            except Conflict as exc:
                if exc.details.get("graph_status") not in _CHANGED_MEANWHILE or (last and lost is None):
                    raise
                settled = await self._settle(change, body, zone) if lost else None
                if isinstance(settled, dict):
                    return settled
                if last:
                    raise OutcomeUnknown(_NOT_KNOWN) from exc
                await self._read_again(change)
            except ChangeAnswerLostError as exc:
                lost = exc
                settled = await self._settle(change, body, zone)
                if isinstance(settled, dict):
                    return settled
                if settled is ChangeOutcome.UNKNOWN or last:
                    raise OutcomeUnknown(_NOT_KNOWN) from exc
        raise OutcomeUnknown(_NOT_KNOWN)  # not reached: the last try returns or raises

    async def _made_before(self, change: _Change, body: Event, zone: Zone, refused: InvalidInput) -> Event:
        """The event, if the change was made by a first try whose answer was lost; the second one was refused."""
        settled = await self._settle(change, body, zone)
        if isinstance(settled, dict):
            return settled
        if settled is ChangeOutcome.UNKNOWN:
            raise OutcomeUnknown(_NOT_KNOWN) from refused
        raise refusal_of_people(refused, change.args, body) from refused

    async def _read_again(self, change: _Change) -> None:
        """Somebody else's change came in between; if none did, Microsoft does not take the condition at all."""
        refused = change.before
        change.before = await self._read(change.event_id)
        if refused is not None and refused.get("@odata.etag") == change.before.get("@odata.etag"):
            change.unconditional = True

    async def _send(self, change: _Change, body: Event, zone: Zone) -> Event:
        etag = None if change.before is None or change.unconditional else change.before.get("@odata.etag")
        event, remarks = await change_event(
            self._mailbox, change.event_id, body, zone=zone, etag=str(etag) if etag else None
        )
        change.remarks += remarks
        change.mailed = mailed_by_change(body, change.before, event)
        return event

    async def _body(self, change: _Change) -> Event:
        make = partial(patch_body, change.args, change.before, occurrence=change.occurrence, personal=self._personal)
        patch = await off_loop(len(change.args.body_content or "") + body_characters([change.before]), make)
        change.remarks = patch.remarks
        return patch.body

    async def _settle(self, change: _Change, body: Event, zone: Zone) -> ChangeOutcome | Event:
        """After a lost answer: the event if the change was made, else what reading tells; keeps what was read."""
        try:
            now = await read_event(self._mailbox, change.event_id)
        except (ProviderUnavailable, Throttled) as exc:
            raise OutcomeUnknown(_NOT_KNOWN) from exc
        make = partial(change_outcome, body, before=change.before, now=now)
        settled = await off_loop(body_characters([body, now]), make)
        if settled is not ChangeOutcome.APPLIED:
            change.before = now
            return settled
        change.mailed = mailed_by_change(body, change.before, now)
        change.remarks += noted(ANSWER_LOST if change.mailed else None)
        try:
            return await read_event(self._mailbox, change.event_id, shown_in(zone))
        except ScalekitMCPError:
            return now  # the change was made; a failed second look must not hide that

    async def _read(self, event_id: str) -> Event:
        """What changes depend on, the body as HTML, times in UTC."""
        return await read_event(self._mailbox, event_id, _CURRENT, required=("start", "end", "type"))

    async def _guard(self, change: _Change, body: Event) -> None:
        """Refuse a change that would lose what nobody agreed to lose, or for which the user is not as free as asked."""
        await self._guard_losses(change, body)
        await self._require_free(change, body)

    async def _guard_losses(self, change: _Change, body: Event) -> None:
        """Refuse a change of a series that would lose edits of single dates or dates themselves, unless accepted."""
        before = change.before
        if before is None or before.get("type") != "seriesMaster" or not _moves(body, before):
            return
        edited, warning = await self._edited(change)
        change.remarks += warned(warning)
        earlier = dates_lost_before_start(body, before)
        if not edited and earlier is None:
            return
        if not change.args.discard_exceptions:
            keep = "" if earlier is None else _KEEP_EARLIER
            raise loss_refusal(edited, earlier, keep=keep)
        change.at_risk = edited
        if earlier is not None:
            change.remarks += noted(f"The dates of the series from {earlier[0]} until {earlier[1]} are gone.")

    async def _require_free(self, change: _Change, body: Event) -> None:
        if not change.args.only_if_free:
            return
        before = change.before or {}
        event = before | body
        if "start" in body:
            event.pop("originalStartTimeZone", None)
        own = frozenset(str(known) for known in (change.event_id, before.get("seriesMasterId")) if known)
        calendars, told = await calendars_to_look_at(self._mailbox, {**before, "id": change.event_id})
        change.remarks += told
        await require_free(self._mailbox, Planned(event, calendars, own), self._clock.now())

    async def _edited(self, change: _Change) -> tuple[list[str], str | None]:
        """The dates of a series that were edited or deleted; a warning where not all can be seen."""
        try:
            dates = await single_dates(self._mailbox, change.event_id)
        except Conflict:
            if not change.args.discard_exceptions:
                raise
            return [], "Whether single dates of the series were edited cannot be read; such edits may be lost."
        return dates.listed, dates.warning

    def _shortfalls(self, change: _Change, event: Event) -> list[str]:
        """What was asked for and did not happen."""
        told: list[str] = []
        args, before = change.args, change.before
        if event.get("isOrganizer") is False:
            told.append(_SOMEBODY_ELSES)
        had = None if before is None else join_url(before)
        has = join_url(event)
        if args.isOnlineMeeting and has is None:
            told.append(
                "The event has no Teams link: personal Microsoft accounts cannot have one."
                if self._personal
                else "The event has no online-meeting link: Microsoft does not offer the provider asked for here."
            )
        elif had is not None and had != has:
            told.append(
                "The event lost its online-meeting link with this change."
                if has is None
                else "The event's online-meeting link changed with this change; the old link may no longer work."
            )
        return told


def _of_whole(args: UpdateCalendarEvent, series: CutSeries) -> _Change:
    """The change of a whole series, because it was asked for from its first date on."""
    return _Change(args, series.id, series.master, series.occurrence)


def _moves(body: Event, before: Event) -> bool:
    """Whether a body changes when a series takes place."""
    if body.get("isAllDay", before.get("isAllDay")) != before.get("isAllDay"):
        return True
    return any(
        name in body and not property_equals(before, name, body[name]) for name in ("start", "end", "recurrence")
    )

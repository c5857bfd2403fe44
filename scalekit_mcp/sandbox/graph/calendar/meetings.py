"""Meetings between people: mails, the attendees' own copies, answers, cancellations.

Graph pages "Update event" (who is mailed), "event: cancel", "event: accept", "Delete event". People of this world get
a copy in their own calendar with its own id and the same iCalUId; strangers are only mailed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Protocol

from scalekit_mcp.sandbox.graph.calendar.store import master_of
from scalekit_mcp.sandbox.world import MailRecord, Person, World
from scalekit_mcp.sandbox.world.mailbox import NEVER, Attendee, Event, Mailbox, Moment
from scalekit_mcp.sandbox.world.records import RoomRequest

_SHARED = (
    "subject",
    "body",
    "start",
    "end",
    "is_all_day",
    "location",
    "locations",
    "importance",
    "sensitivity",
    "response_requested",
    "allow_new_time_proposals",
    "hide_attendees",
    "is_online",
    "provider",
    "online_meeting",
    "recurrence",
)
_CANCELED = "Canceled: "
_DATE_DIGITS = 8
"""At the end of the uid of one date of a series."""
RESPONSES = {"accept": "accepted", "decline": "declined", "tentativelyAccept": "tentativelyAccepted"}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to an invitation: `verb` is a key of `RESPONSES`, `proposed` another start and end."""

    verb: str
    comment: str = ""
    send: bool = True
    proposed: tuple[Moment, Moment] | None = None


class MailboxFinder(Protocol):
    """Finds the mailboxes that mail reaches."""

    def at_address(self, address: str) -> Mailbox | None:
        """The mailbox behind a mail address of this world, if there is one."""
        ...


class Meetings:
    """Carries what an organizer or attendee does to the other people of the world."""

    def __init__(self, world: World, mailboxes: MailboxFinder) -> None:
        self._world = world
        self._mailboxes = mailboxes

    def created(self, mailbox: Mailbox, event: Event, *, quietly: bool = False) -> None:
        """Invite everybody: mails (unless `quietly`) and copies."""
        for attendee in event.attendees:
            if not quietly:
                self._mail("invitation", event, event.organizer[1], attendee.address)
            self._deliver(mailbox, event, attendee.address)

    def changed(self, mailbox: Mailbox, event: Event, before: list[Attendee], *, everybody: bool, moved: bool) -> None:
        """After the organizer's change: mail those it concerns and bring their copies up to date.

        Args:
            mailbox: the organizer's.
            event: what was changed; a master, a single event or an exception.
            before: the attendees before the change.
            everybody: something that matters to all changed, not only the list of attendees.
            moved: start, end or recurrence changed, so that earlier answers no longer count.
        """
        if not event.is_organizer:
            return
        restarted = moved and self._world.switches.reset_answers
        if restarted:
            for target in (event, *event.exceptions.values()):
                target.attendees = [
                    replace(one, response="none", response_time=NEVER, proposed=None) for one in target.attendees
                ]
        old = {attendee.address.lower(): attendee for attendee in before}
        new = {attendee.address.lower(): attendee for attendee in event.attendees}
        for address, attendee in new.items():
            if address not in old:
                self._mail("invitation", event, event.organizer[1], attendee.address)
            elif everybody:
                self._mail("update", event, event.organizer[1], attendee.address)
        for address, attendee in old.items():
            if address not in new:
                self._mail("cancellation", event, event.organizer[1], attendee.address)
                if event.original_date is None:
                    self._withdraw(event, attendee.address)
        master = master_of(mailbox, event)
        for attendee in master.attendees:
            self._deliver(mailbox, master, attendee.address, asked_again=event if restarted else None)

    def cancelled(self, mailbox: Mailbox, event: Event, comment: str = "") -> None:
        """After the organizer took away a meeting or one occurrence: mail and mark the copies."""
        if not event.is_organizer:
            return
        for attendee in event.attendees:
            self._mail("cancellation", event, event.organizer[1], attendee.address, comment)
            if event.original_date is None:
                self._withdraw(event, attendee.address)
            else:
                self._deliver(mailbox, master_of(mailbox, event), attendee.address)

    def answered(self, mailbox: Mailbox, event: Event, reply: Reply) -> None:
        """Note an answer in the own calendar and, if it is sent, mail it and note it in the organizer's."""
        response, now = RESPONSES[reply.verb], self._world.clock.now()
        if event.original_date is not None:
            event = except_occurrence(master_of(mailbox, event), event.original_date)
        self._note_own(mailbox, event, response, now)
        if reply.send:
            self._mail("response", event, mailbox.owner.address, event.organizer[1], reply.comment)
            self._tell_organizer(mailbox, event, response, now, reply.proposed)

    def _note_own(self, mailbox: Mailbox, event: Event, response: str, now: datetime) -> None:
        """A series is answered with its dates, those apart that were answered by themselves."""
        before = (event.response, event.response_time)
        together = [date for date in event.exceptions.values() if (date.response, date.response_time) == before]
        theirs = self._organizers_copy(event)
        for target in (event, *together):
            target.response, target.response_time = response, now
            accepted = "busy" if theirs is None else _on(theirs, target.original_date).show_as
            target.show_as = {"tentativelyAccepted": "tentative", "declined": "free"}.get(response, accepted)
            _note_attendee(target, mailbox.owner, response, now, None)
            target.touch(now)
        master_of(mailbox, event).touch(now)

    def _tell_organizer(
        self, mailbox: Mailbox, event: Event, response: str, now: datetime, proposed: tuple[Moment, Moment] | None
    ) -> None:
        master = self._organizers_copy(event)
        if master is None or event.original_date in master.cancelled_dates:
            return
        target = master if event.original_date is None else except_occurrence(master, event.original_date)
        before = _answer_of(target, mailbox.owner)
        together = [date for date in target.exceptions.values() if _answer_of(date, mailbox.owner) == before]
        for one in (target, *together):
            _note_attendee(one, mailbox.owner, response, now, proposed)
            one.touch(now)
        master.touch(now)

    def _organizers_copy(self, event: Event) -> Event | None:
        """The organizer's event or series, where the organizer is of this world."""
        theirs = self._mailboxes.at_address(event.organizer[1])
        uid = event.ical_uid if event.original_date is None else event.ical_uid[:-_DATE_DIGITS]
        return theirs.by_uid(uid) if theirs is not None else None

    def _deliver(self, mailbox: Mailbox, event: Event, address: str, *, asked_again: Event | None = None) -> None:
        """Give an attendee's mailbox the present state of the meeting; `asked_again`: what has a new time."""
        theirs = self._mailboxes.at_address(address)
        if theirs is None or theirs is mailbox:
            return
        now = self._world.clock.now()
        copy = theirs.by_uid(event.ical_uid)
        if copy is None or copy.is_deleted:
            copy = replace(
                event,
                key=self._world.new_guid().replace("-", ""),
                calendar_key=theirs.default_calendar.key,
                created=event.created,
                is_organizer=False,
                response="notResponded",
                response_time=NEVER,
                show_as="tentative",
                categories=[],
                is_reminder_on=True,
                reminder_minutes=15,
                transaction_id=None,
                moves=0,
                version=1,
                rendered={},
                exceptions={},
                occurrences={},
            )
            theirs.add(copy)
            asked_again = event
        copy.is_cancelled = False
        if asked_again is event:
            _ask_again(copy)
            copy.exceptions, copy.cancelled_dates = {}, set(event.cancelled_dates)
        _copy_shared(event, copy, theirs, now)
        self._deliver_dates(event, copy, theirs, asked_again)
        copy.touch(now)
        if asked_again is not None and address.lower() in self._world.rooms:
            self._ask_room(address, copy, asked_again)

    def _deliver_dates(self, event: Event, copy: Event, theirs: Mailbox, asked_again: Event | None) -> None:
        """Bring the edited and deleted dates of a series up to date; own answers stay, also that a date is declined."""
        now = self._world.clock.now()
        asked_day = asked_again.original_date if asked_again is not None else None
        copy.cancelled_dates = (copy.cancelled_dates - {asked_day}) | event.cancelled_dates
        answered, copy.exceptions = copy.exceptions, {}
        for day in {**event.exceptions, **answered}:
            if day in copy.cancelled_dates:
                continue
            own = except_occurrence(copy, day)
            if day in answered:
                own.response, own.response_time = answered[day].response, answered[day].response_time
                own.show_as = answered[day].show_as
            if day == asked_day:
                _ask_again(own)
            _copy_shared(event.exceptions.get(day) or event.occurrence_on(day), own, theirs, now)

    def _ask_room(self, address: str, copy: Event, asked: Event) -> None:
        due = self._world.clock.now() + timedelta(seconds=self._world.switches.room_answer_seconds)
        self._world.room_requests.append(RoomRequest(address.lower(), copy.ical_uid, asked.original_date, due))

    def _withdraw(self, event: Event, address: str) -> None:
        theirs = self._mailboxes.at_address(address)
        copy = theirs.by_uid(event.ical_uid) if theirs is not None else None
        if copy is None or copy.is_organizer or copy.is_cancelled:
            return
        copy.is_cancelled = True
        copy.subject = _CANCELED + (copy.subject or "")
        copy.show_as = "free"
        copy.touch(self._world.clock.now())

    def _mail(self, kind: str, event: Event, sender: str, to: str, comment: str = "") -> None:
        self._world.mails.append(
            MailRecord(
                kind=kind,
                sender=sender,
                to=to,
                subject=event.subject or "",
                comment=comment,
                ical_uid=event.ical_uid,
                at=self._world.clock.now(),
            )
        )


def except_occurrence(master: Event, day: date) -> Event:
    """The exception of a series on `day`, made out of the unchanged occurrence when there is none yet."""
    found = master.exceptions.get(day)
    if found is None:
        found = master.occurrence_on(day)
        master.occurrences.pop(day, None)
        found.kind = "exception"
        found.rendered.clear()
        master.exceptions[day] = found
    return found


def _copy_shared(source: Event, copy: Event, theirs: Mailbox, now: datetime) -> None:
    for name in _SHARED:
        setattr(copy, name, getattr(source, name))
    copy.attendees = [
        replace(attendee)
        if not theirs.owner.goes_by(attendee.address)
        else replace(attendee, response=copy.response, response_time=copy.response_time)
        for attendee in source.attendees
    ]
    copy.modified = now
    copy.rendered.clear()


def _ask_again(copy: Event) -> None:
    copy.response, copy.response_time, copy.show_as = "notResponded", NEVER, "tentative"


def _note_attendee(
    event: Event, person: Person, response: str, at: datetime, proposed: tuple[Moment, Moment] | None
) -> None:
    for attendee in event.attendees:
        if person.goes_by(attendee.address):
            attendee.response, attendee.response_time, attendee.proposed = response, at, proposed


def _on(master: Event, day: date | None) -> Event:
    """The series, or its edited date on `day`."""
    return master if day is None else master.exceptions.get(day, master)


def _answer_of(event: Event, person: Person) -> tuple[str, datetime] | None:
    return next(((one.response, one.response_time) for one in event.attendees if person.goes_by(one.address)), None)

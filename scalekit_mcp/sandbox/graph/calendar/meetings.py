"""Meetings between people: mails, the attendees' own copies, answers, cancellations.

Graph pages "Update event" (who is mailed), "event: cancel", "event: accept", "Delete event". People of this world get
a copy in their own calendar with its own id and the same iCalUId; strangers are only mailed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Protocol

from scalekit_mcp.sandbox.graph.calendar.store import master_of
from scalekit_mcp.sandbox.graph.errors import GraphError, invalid_request
from scalekit_mcp.sandbox.world import MailRecord, World
from scalekit_mcp.sandbox.world.mailbox import NEVER, Attendee, Event, Mailbox, Moment

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
RESPONSES = {"accept": "accepted", "decline": "declined", "tentativelyAccept": "tentativelyAccepted"}


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

    def respond(
        self,
        mailbox: Mailbox,
        event: Event,
        verb: str,
        *,
        comment: str = "",
        send: bool = True,
        proposed: tuple[Moment, Moment] | None = None,
    ) -> None:
        """Accept, decline or tentatively accept.

        Raises:
            GraphError: 400, the caller is the organizer, no answer was asked for, or the proposal is not allowed.
        """
        if event.is_organizer:
            raise invalid_request("You can't respond to this meeting because you're the meeting organizer.")
        if send and not event.response_requested:
            raise invalid_request("The meeting organizer hasn't requested a response.")
        if comment and not send:
            raise invalid_request("'SendResponse' must be true when 'Comment' is not null.")
        if proposed is not None and not (send and event.allow_new_time_proposals):
            raise GraphError(400, "ErrorInvalidParameter", "A new time can't be proposed for this meeting.")
        response, now = RESPONSES[verb], self._world.clock.now()
        self._note_own(mailbox, event, response, now)
        if send:
            self._mail("response", event, mailbox.owner.address, event.organizer[1], comment)
            self._tell_organizer(mailbox, event, response, now, proposed)

    def _note_own(self, mailbox: Mailbox, event: Event, response: str, now: datetime) -> None:
        targets = [event]
        if event.recurrence is not None:
            targets += event.exceptions.values()
        for target in targets:
            target.response, target.response_time = response, now
            target.show_as = {"accepted": "busy", "tentativelyAccepted": "tentative"}.get(response, target.show_as)
            _note_attendee(target, mailbox.owner.address, response, now, None)
            target.touch(now)

    def _tell_organizer(
        self, mailbox: Mailbox, event: Event, response: str, now: datetime, proposed: tuple[Moment, Moment] | None
    ) -> None:
        theirs = self._mailboxes.at_address(event.organizer[1])
        master = theirs.by_uid(master_of(mailbox, event).ical_uid) if theirs is not None else None
        if master is None:
            return
        target = master
        if event.original_date is not None:
            if event.original_date in master.cancelled_dates:
                return
            target = except_occurrence(master, event.original_date)
        _note_attendee(target, mailbox.owner.address, response, now, proposed)
        target.touch(now)
        master.touch(now)

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
        _copy_shared(event, copy, theirs, now)
        copy.is_cancelled = False
        if asked_again is event:
            _ask_again(copy)
            copy.exceptions = {}
        copy.cancelled_dates = set(event.cancelled_dates)
        answered, copy.exceptions = copy.exceptions, {}
        for day, exception in event.exceptions.items():
            own = except_occurrence(copy, day)
            if day in answered:
                own.response, own.response_time = answered[day].response, answered[day].response_time
                own.show_as = answered[day].show_as
            if asked_again is not None and asked_again.original_date == day:
                _ask_again(own)
            _copy_shared(exception, own, theirs, now)
        copy.touch(now)

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
    own = theirs.owner.address.lower()
    copy.attendees = [
        replace(attendee)
        if attendee.address.lower() != own
        else replace(attendee, response=copy.response, response_time=copy.response_time)
        for attendee in source.attendees
    ]
    copy.modified = now
    copy.rendered.clear()


def _ask_again(copy: Event) -> None:
    copy.response, copy.response_time, copy.show_as = "notResponded", NEVER, "tentative"


def _note_attendee(
    event: Event, address: str, response: str, at: datetime, proposed: tuple[Moment, Moment] | None
) -> None:
    for attendee in event.attendees:
        if attendee.address.lower() == address.lower():
            attendee.response, attendee.response_time, attendee.proposed = response, at, proposed

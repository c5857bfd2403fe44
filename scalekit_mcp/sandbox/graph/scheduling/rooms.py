"""Rooms that answer their invitations by themselves, some time after they were asked."""

from __future__ import annotations

from datetime import timedelta

from scalekit_mcp.sandbox.graph.calendar.mailboxes import Mailboxes
from scalekit_mcp.sandbox.graph.calendar.meetings import Reply
from scalekit_mcp.sandbox.graph.calendar.replies import Replies
from scalekit_mcp.sandbox.graph.calendar.store import listed, view
from scalekit_mcp.sandbox.world import World
from scalekit_mcp.sandbox.world.mailbox import Event, Mailbox
from scalekit_mcp.sandbox.world.records import RoomRequest

_HORIZON = timedelta(days=366)
_COMMENTS = {
    "accept": "Your request was accepted.",
    "decline": "Your request was declined because there are conflicts.",
}


class Rooms:
    """Answers what waits in `World.room_requests`."""

    def __init__(self, world: World, mailboxes: Mailboxes, replies: Replies) -> None:
        self._world = world
        self._mailboxes = mailboxes
        self._replies = replies

    def answer_due(self) -> None:
        """Let every room answer whose time has come, in the order in which they were asked."""
        waiting = self._world.room_requests
        if not waiting:
            return
        now = self._world.clock.now()
        due = [request for request in waiting if request.due <= now]
        waiting[:] = [request for request in waiting if request.due > now]
        for request in due:
            self._answer(request)

    def _answer(self, request: RoomRequest) -> None:
        room = self._world.rooms.get(request.room)
        mailbox = self._mailboxes.at_address(request.room)
        copy = mailbox.by_uid(request.ical_uid) if mailbox is not None else None
        if room is None or mailbox is None or copy is None or copy.is_deleted or copy.is_cancelled:
            return
        if request.day is not None and request.day in copy.cancelled_dates:
            return
        meeting = copy if request.day is None else copy.occurrence_on(request.day)
        verb = room.answers
        if verb == "automatic":
            verb = "decline" if self._conflicts(mailbox, copy, meeting) else "accept"
        if verb != "never":
            self._replies.note(mailbox, meeting, Reply(verb, _COMMENTS[verb], send=meeting.response_requested))

    def _conflicts(self, mailbox: Mailbox, copy: Event, meeting: Event) -> bool:
        """Whether a date of the meeting overlaps what the room has accepted, looking ahead for a year."""
        begin, switches = meeting.start.instant, self._world.switches
        end = begin + _HORIZON if meeting.recurrence is not None else meeting.end.instant
        others = [event for event in listed(mailbox, mailbox.default_calendar) if event is not copy]
        wanted = view([meeting], begin, end, switches)
        taken = view(others, begin, end, switches)
        return any(
            event.start.instant < date.end.instant and event.end.instant > date.start.instant
            for event in taken
            if _holds(event)
            for date in wanted
        )


def _holds(event: Event) -> bool:
    return not event.is_cancelled and event.show_as != "free" and event.response in ("accepted", "organizer")

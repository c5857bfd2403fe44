"""Answers to invitations (Graph pages "event: accept", "event: tentativelyAccept", "event: decline")."""

from __future__ import annotations

from scalekit_mcp.sandbox.graph.calendar.events import Events
from scalekit_mcp.sandbox.graph.calendar.meetings import Reply
from scalekit_mcp.sandbox.graph.errors import GraphError, invalid_request
from scalekit_mcp.sandbox.world import World
from scalekit_mcp.sandbox.world.mailbox import Event, Mailbox


class Replies:
    """What the receivers of invitations answer."""

    def __init__(self, world: World, events: Events) -> None:
        self._world = world
        self._events = events

    def reply(self, mailbox: Mailbox, event: Event, reply: Reply) -> None:
        """Answer as a client of Graph may.

        Raises:
            GraphError: 400, the caller is the organizer, no answer was asked for, a comment or a proposal is not sent,
                the organizer allows no proposals, or it is too late.
        """
        switches = self._world.switches
        if event.is_organizer:
            raise invalid_request("You can't respond to this meeting because you're the meeting organizer.")
        refusing = ("refuse", "refuse_sent") if reply.send else ("refuse",)
        if not event.response_requested and switches.response_not_requested in refusing:
            raise invalid_request("The meeting organizer hasn't requested a response.")
        is_over = event.recurrence is None and event.end.instant <= self._world.clock.now()
        if switches.response_too_late == "refuse" and (event.is_cancelled or is_over):
            raise invalid_request("You can't respond to a meeting that is cancelled or over.")
        if reply.comment and not reply.send:
            rule = invalid_request("'SendResponse' must be true when 'Comment' is not null.")
            raise GraphError(400, switches.comment_without_response, rule.message)
        if reply.proposed is not None and not (reply.send and event.allow_new_time_proposals):
            raise GraphError(400, "ErrorInvalidParameter", "A new time can't be proposed for this meeting.")
        self.note(mailbox, event, reply)

    def note(self, mailbox: Mailbox, event: Event, reply: Reply) -> None:
        """Note an answer in both calendars and mail it; what was declined moves to Deleted Items unless it is kept."""
        self._events.meetings.answered(mailbox, event, reply)
        is_room = mailbox.owner.address.lower() in self._world.rooms
        if reply.verb == "decline" and (is_room or self._world.switches.declined == "deleted"):
            self._events.delete(mailbox, event)

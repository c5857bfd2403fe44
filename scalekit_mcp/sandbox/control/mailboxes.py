"""What the switches do inside mailboxes: calendars that are added, invitations that are answered."""

from __future__ import annotations

from scalekit_mcp.sandbox.graph.calendar.events import Events
from scalekit_mcp.sandbox.graph.calendar.mailboxes import Mailboxes
from scalekit_mcp.sandbox.graph.calendar.meetings import Reply
from scalekit_mcp.sandbox.graph.calendar.replies import Replies
from scalekit_mcp.sandbox.graph.calendar.store import listed
from scalekit_mcp.sandbox.world import Person, World
from scalekit_mcp.sandbox.world.mailbox import Calendar


def new_calendar(world: World, person: Person, name: str) -> Calendar:
    """An empty calendar in somebody's mailbox."""
    calendar = Calendar(world.new_guid().replace("-", ""), name)
    Mailboxes(world).of(person).calendars[calendar.key] = calendar
    return calendar


def calendar_to_share(world: World, owner: Person, name: str) -> Calendar:
    """An own calendar of somebody by its name, made when there is none."""
    for calendar in Mailboxes(world).of(owner).calendars.values():
        if calendar.name == name and calendar.owner is None:
            return calendar
    return new_calendar(world, owner, name)


def answer_newest(world: World, person: Person, subject: str, reply: Reply) -> None:
    """Answer the newest event with this subject that somebody else organizes.

    Raises:
        LookupError: there is none.
        GraphError: 400, it may not be answered so.
    """
    mailboxes = Mailboxes(world)
    mailbox = mailboxes.of(person)
    for event in listed(mailbox, None):
        if event.subject == subject and not event.is_organizer:
            Replies(world, Events(world, mailboxes)).reply(mailbox, event, reply)
            return
    raise LookupError(f"'{person.address}' has no invitation with the subject '{subject}'.")

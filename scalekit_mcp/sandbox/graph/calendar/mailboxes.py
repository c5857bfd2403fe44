"""Everybody's mailbox, by person or by mail address."""

from __future__ import annotations

from scalekit_mcp.sandbox.graph.calendar.week import empty_mailbox, seed_weeks
from scalekit_mcp.sandbox.graph.errors import GraphError
from scalekit_mcp.sandbox.world import Person, World
from scalekit_mcp.sandbox.world.mailbox import Mailbox


class Mailboxes:
    """All mailboxes of a world, made and filled with a week of events when first needed."""

    def __init__(self, world: World) -> None:
        self._world = world

    def of(self, person: Person) -> Mailbox:
        """The person's mailbox.

        Raises:
            GraphError: 404 `MailboxNotEnabledForRESTAPI`, the person has none.
        """
        mailbox = self._world.mailboxes.get(person.oid)
        if person.has_mailbox and not person.deleted:
            return mailbox if mailbox is not None else self._opened(person)
        raise GraphError(
            404,
            "MailboxNotEnabledForRESTAPI",
            "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
        )

    def at_address(self, address: str) -> Mailbox | None:
        """The mailbox behind a mail address of this world, if there is one."""
        person = self._world.reachable(address)
        if person is None or person.deleted or not person.has_mailbox:
            return None
        return self.of(person)

    def _opened(self, person: Person) -> Mailbox:
        seed_weeks(self._world, self)
        if person.address.lower() in self._world.rooms:
            self._world.mailboxes.setdefault(person.oid, empty_mailbox(person))
        if person.oid not in self._world.mailboxes:
            seed_weeks(self._world, self, also=person)
        return self._world.mailboxes[person.oid]

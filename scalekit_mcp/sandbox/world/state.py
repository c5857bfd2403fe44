"""The sandbox's world: everything that the look-alike knows, in one object.

Plain data that both halves of the look-alike share: `identity` (sign-in and tokens) and `graph` (calendars) read and
change it, the control surface and the Python methods of `Sandbox` turn its switches.
"""

from __future__ import annotations

import itertools
import random
import uuid
from collections import deque
from datetime import datetime
from typing import Any

from scalekit_mcp.sandbox.world.clock import SandboxClock
from scalekit_mcp.sandbox.world.directory import AppRegistration, DistributionList, EnterpriseApp, Person, Room, Tenant
from scalekit_mcp.sandbox.world.mailbox import Mailbox
from scalekit_mcp.sandbox.world.records import MailRecord, RecordedRequest, RoomRequest
from scalekit_mcp.sandbox.world.switches import Switches


class World:
    """Everything that the look-alike knows."""

    def __init__(self, *, seed: int = 0, week_of: datetime | None = None) -> None:
        self.clock = SandboxClock()
        self.random = random.Random(seed)  # noqa: S311 - reproducible runs, nothing here is a real secret
        self.week_of = week_of
        self.base_url = "http://localhost"
        """Where the sandbox is reached, without a slash at the end; set while it is served."""
        self.tenants: dict[str, Tenant] = {}
        self.people: dict[str, Person] = {}
        """By lower-case address."""
        self.rooms: dict[str, Room] = {}
        """By lower-case address; a room has a mailbox and cannot sign in."""
        self.lists: dict[str, DistributionList] = {}
        """By lower-case address."""
        self.room_requests: list[RoomRequest] = []
        """What rooms were invited to and have not answered, in the order of the invitations."""
        self.aliases: dict[str, Person] = {}
        """By further address, in lower case."""
        self.apps: dict[str, AppRegistration] = {}
        self.enterprise_apps: dict[tuple[str, str], EnterpriseApp] = {}
        """By (client_id, tenant_id)."""
        self.switches = Switches()
        self.requests: deque[RecordedRequest] = deque(maxlen=20_000)
        self.mails: list[MailRecord] = []
        """What attendees and organizers were mailed, oldest first."""
        self.mailboxes: dict[str, Mailbox] = {}
        """By the person's oid; filled when a mailbox is first needed."""
        self._numbers = itertools.count(1)

    def new_guid(self) -> str:
        """A GUID from the world's own seeded source."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def record(self, **fields: Any) -> RecordedRequest:
        """Keep one received request."""
        entry = RecordedRequest(number=next(self._numbers), at=self.clock.now(), **fields)
        self.requests.append(entry)
        return entry

    def reachable(self, address: str) -> Person | None:
        """Whose mailbox mail to this address reaches: a person's, by any of their addresses, or a room's."""
        lower = address.lower()
        room = self.rooms.get(lower)
        return self.people.get(lower) or (room.account if room is not None else self.aliases.get(lower))

    def person_by_oid(self, oid: str) -> Person | None:
        """The person with this object id, also a deleted one."""
        return next((person for person in self.people.values() if person.oid == oid), None)

"""The switches around other people's time: their blocks, hours, what they share, rooms and lists."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, time
from typing import Literal
from uuid import UUID

from scalekit_mcp.sandbox.control import lookup
from scalekit_mcp.sandbox.graph.calendar.mailboxes import Mailboxes
from scalekit_mcp.sandbox.world import Person, World, zones
from scalekit_mcp.sandbox.world.directory import (
    DistributionList,
    Room,
    RoomAnswers,
    Sharing,
    Shows,
    WorkingHours,
)
from scalekit_mcp.sandbox.world.mailbox import Event, Moment

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class SchedulingControls:
    """What a test of a scheduling assistant sets; reached as `Sandbox.scheduling`, over HTTP by the same names.

    Addresses are those of people or rooms. Whoever is not known raises LookupError.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def add_busy(
        self,
        address: str,
        start: datetime,
        end: datetime,
        status: Literal["free", "tentative", "busy", "oof", "workingElsewhere", "unknown"] = "busy",
        subject: str = "",
        location: str = "",
        private: bool = False,
        time_zone: str | None = None,
    ) -> None:
        """Put a block into somebody's default calendar, an event like any other.

        Times without an offset are in `time_zone`, or in the person's own zone. From midnight to midnight it is an
        all-day event. Raises ValueError for an end before the start or an unknown zone.
        """
        person = self._anybody(address)
        zone = time_zone or person.time_zone
        begins, ends = _moment(start, zone), _moment(end, zone)
        if ends.instant < begins.instant:
            raise ValueError("end: it is before the start")
        mailbox, now = Mailboxes(self._world).of(person), self._world.clock.now()
        key = self._world.new_guid().replace("-", "")
        midnights = begins.local.time() == ends.local.time() == time() and begins.local.date() < ends.local.date()
        event = Event(
            key=key,
            calendar_key=mailbox.default_calendar.key,
            start=begins,
            end=ends,
            ical_uid=f"040000008200E00074C5B7101A82E008{key.upper():0>96}",
            organizer=(person.name, person.address),
            created=now,
            modified=now,
            subject=subject,
            is_all_day=midnights,
            show_as=status,
            sensitivity="private" if private else "normal",
        )
        if location:
            event.location = {"displayName": location}
            event.locations = [event.location]
        mailbox.add(event)

    def clear_calendar(self, address: str) -> None:
        """Take every event out of somebody's calendars, also the week that they come with."""
        Mailboxes(self._world).of(self._anybody(address)).events.clear()

    def set_working_hours(
        self,
        address: str,
        starts: str = "08:00",
        ends: str = "17:00",
        days: str = "monday,tuesday,wednesday,thursday,friday",
        time_zone: str | None = None,
        zone_rules: Literal["name", "custom", "swapped"] = "name",
        known: bool = True,
    ) -> None:
        """When somebody works: `HH:MM`, an end before the start is on the next day; `known=False`: not told.

        `time_zone` is a Windows or IANA name, answered as written; `zone_rules` answers it as rules instead. Raises
        ValueError for hours, days or a zone that cannot be read.
        """
        person = self._anybody(address)
        chosen = tuple(day.strip().lower() for day in days.split(",") if day.strip())
        for day in chosen:
            if day not in _DAYS:
                raise ValueError(f"days: '{day}' is no day of the week")
        for text in (starts, ends):
            if len(text) != 5:  # also "8:00" is a time for Python
                raise ValueError("starts, ends: HH:MM is expected")
            time.fromisoformat(text)
        if time_zone is not None:
            _known_zone(time_zone)
        person.working_hours = WorkingHours(starts, ends, chosen, time_zone, zone_rules) if known else None

    def share_schedule(
        self, address: str, shows: Shows = "availability", error: str | None = None, message: str = "Not available."
    ) -> None:
        """What others see of somebody with `getSchedule`.

        `availability`: blocks without subjects; `details`: with subject and place; `view`: the line of digits alone;
        `nothing`: an empty entry; `no_entry`: none. With `error` (a number such as 5009) an error instead.
        """
        self._anybody(address).sharing = Sharing(shows, None if error is None else (error, message))

    def add_room(
        self,
        address: str,
        name: str | None = None,
        tenant: str = "Contoso",
        time_zone: str = "UTC",
        answers: RoomAnswers = "automatic",
    ) -> None:
        """Add a room that answers its invitations; again: change how it answers.

        `automatic` accepts what is free and declines conflicts; `never` leaves every invitation unanswered.
        """
        lower = address.strip().lower()
        if lower in self._world.rooms:
            self._world.rooms[lower].answers = answers
            return
        home = lookup.tenant(self._world, tenant)
        _known_zone(time_zone)
        oid = str(UUID(bytes=hashlib.sha256(f"{home.id}/{lower}".encode()).digest()[:16], version=4))
        account = Person(oid, home.id, name or address.partition("@")[0], address.strip(), time_zone=time_zone)
        self._world.rooms[lower] = Room(account, answers)

    def add_list(
        self,
        address: str,
        members: str = "",
        name: str | None = None,
        tenant: str = "Contoso",
        kind: Literal["list", "group"] = "list",
    ) -> None:
        """Add a distribution list with these members (addresses, comma-separated), or a group with its own calendar."""
        chosen = tuple(member.strip() for member in members.split(",") if member.strip())
        home = lookup.tenant(self._world, tenant)
        self._world.lists[address.strip().lower()] = DistributionList(
            home.id, name or address.partition("@")[0], address.strip(), chosen, kind
        )

    def add_alias(self, address: str, alias: str) -> None:
        """A further mail address of somebody."""
        person = self._anybody(address)
        person.aliases = (*person.aliases, alias.strip())
        self._world.aliases[alias.strip().lower()] = person

    def _anybody(self, address: str) -> Person:
        found = self._world.reachable(address.strip())
        if found is None:
            raise LookupError(f"The sandbox has nobody with the address '{address}'.")
        return found


def _known_zone(name: str) -> None:
    try:
        zones.zone_named(name)
    except zones.UnknownZoneError as exc:
        raise ValueError(f"time_zone: '{name}' is no known zone") from exc


def _moment(at: datetime, zone: str) -> Moment:
    _known_zone(zone)
    if at.tzinfo is None:
        return Moment.of(at, zone)
    return Moment(at.astimezone(zones.zone_named(zone)).replace(tzinfo=None), zone, at.astimezone(UTC))

"""Whom somebody knows: those of the own calendar by how often they are met, then the directory of the organization."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from scalekit_mcp.sandbox.world import Person, World
from scalekit_mcp.sandbox.world.directory import DistributionList
from scalekit_mcp.sandbox.world.mailbox import Event, Mailbox

_USER, _CONTACT = ("Person", "OrganizationUser"), ("Person", "PersonalContact")
_IMPLICIT, _ROOM, _GUEST = ("Person", "ImplicitContact"), ("Other", "Room"), ("Other", "Guest")
_ADDRESSLESS = "Facilities desk"
"""An entry of the directory that has no mail address."""


@dataclass(frozen=True, slots=True)
class Known:
    """One person, group or room as a hit; `kind` is class and subclass, `address` may be empty."""

    id: str
    name: str
    address: str
    kind: tuple[str, str]
    further_addresses: tuple[str, ...] = ()


def known_to(world: World, mailbox: Mailbox, *, directory: bool) -> list[Known]:
    """Everybody whom the owner of a mailbox may mean, the most relevant first; never the owner."""
    found: dict[str, Known] = {}
    for address, name in _met(mailbox):
        found[address.lower()] = _known(world, address, name)
    if directory and not world.tenants[mailbox.owner.tenant_id].personal:
        for entry in _directory(world, mailbox.owner):
            found.setdefault(entry.address.lower() or entry.name, entry)
    return list(found.values())


def _met(mailbox: Mailbox) -> list[tuple[str, str]]:
    """Address and name of everybody in the events of a mailbox, those of most events first."""
    own = mailbox.owner
    counts: Counter[str] = Counter()
    names: dict[str, tuple[str, str]] = {}
    for event in mailbox.events.values():
        if event.is_deleted:
            continue
        for address, name in _people_of(event):
            if address and not own.goes_by(address):
                counts[address.lower()] += 1
                names.setdefault(address.lower(), (address, name))
    return [names[address] for address, _ in counts.most_common()]


def _people_of(event: Event) -> Iterable[tuple[str, str]]:
    yield event.organizer[1], event.organizer[0]
    for attendee in event.attendees:
        yield attendee.address, attendee.name


def _known(world: World, address: str, name: str) -> Known:
    person = world.reachable(address)
    if person is not None:
        return _of_person(world, person)
    listed = world.lists.get(address.lower())
    if listed is not None:
        return _of_list(listed)
    return Known(_id_of(address), name or address, address, _IMPLICIT)


def _directory(world: World, owner: Person) -> Iterable[Known]:
    for person in world.people.values():
        if person.tenant_id == owner.tenant_id and person is not owner and not person.deleted:
            yield _of_person(world, person)
    for room in world.rooms.values():
        if room.account.tenant_id == owner.tenant_id:
            yield _of_person(world, room.account)
    for listed in world.lists.values():
        if listed.tenant_id == owner.tenant_id:
            yield _of_list(listed)
    yield Known(_id_of(_ADDRESSLESS), _ADDRESSLESS, "", _CONTACT)


def _of_person(world: World, person: Person) -> Known:
    kind = _ROOM if person.address.lower() in world.rooms else _GUEST if person.is_guest else _USER
    return Known(person.oid, person.name, person.address, kind, person.aliases)


def _of_list(listed: DistributionList) -> Known:
    kind = ("Group", "UnifiedGroup" if listed.kind == "group" else "PublicDistributionList")
    return Known(_id_of(listed.address), listed.name, listed.address, kind)


def _id_of(text: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, text))

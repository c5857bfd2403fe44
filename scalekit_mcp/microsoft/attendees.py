"""Attendees of an event: made from arguments, and merged into those that an event has.

Graph replaces the whole list (Update event), so a change of one kind has to carry the others along.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.microsoft.events import address_of
from scalekit_mcp.tools.arguments import EventFields, UpdateCalendarEvent
from scalekit_mcp.tools.people import MAXIMUM_ATTENDEES, Attendee
from scalekit_mcp.tools.remarks import Remarks, noted, warned

KINDS = ("required", "optional", "resource")
ATTENDEE_PARAMETERS = frozenset({*(f"attendees_{kind}" for kind in KINDS), "attendees_add", "attendees_remove"})

GraphAttendee = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MergedAttendees:
    """The whole list for a PATCH, what has to be said about it, and whether it differs from the current one."""

    attendees: list[GraphAttendee]
    remarks: Remarks
    changed: bool


def graph_attendees(args: EventFields) -> list[GraphAttendee]:
    """All attendees that the arguments name, required first."""
    return [_new(attendee, kind) for kind in KINDS for attendee in _given(args, kind)]


def merge_attendees(args: UpdateCalendarEvent, current: Mapping[str, Any]) -> MergedAttendees:
    """The attendees after the update: kinds that are not given stay, people who stay keep name and answer.

    Raises `InvalidInput` when the meeting would have more people than Microsoft takes.
    """
    organizer = (address_of(current.get("organizer")) or "").casefold()
    before = [a for a in _members(current.get("attendees")) if address_of(a)]
    people = {_key(a): _kept(a) for a in before if _key(a) != organizer and not _is_organizer(a)}
    remarks = Remarks()
    for kind in KINDS:
        name = f"attendees_{kind}"
        if name in args.given or name in (args.clear or ()):
            people = {key: a for key, a in people.items() if _kind(a) != kind}
            _put(people, _given(args, kind), kind, before)
    remarks += _moved(args.attendees_add or (), people)
    _put(people, args.attendees_add or (), "required", before)
    for address in args.attendees_remove or ():
        if people.pop(address.casefold(), None) is None:
            remarks += warned(f"{address} was not invited, so there was nobody to remove.")
    if organizer in people:
        del people[organizer]
        remarks += warned("The organizer takes part anyway and was left out of the attendees.")
    if len(people) > MAXIMUM_ATTENDEES:
        raise InvalidInput(
            f"The event would have {len(people)} attendees; it takes at most {MAXIMUM_ATTENDEES}.",
            field=next(iter(sorted(args.given & ATTENDEE_PARAMETERS)), None),
        )
    result = sorted(people.values(), key=lambda a: KINDS.index(_kind(a)))
    changed = {(_key(a), _kind(a), _name(a)) for a in before} != {(_key(a), _kind(a), _name(a)) for a in result}
    return MergedAttendees(result, remarks, changed)


def _put(
    people: dict[str, GraphAttendee], given: Iterable[Attendee], kind: str, before: Sequence[GraphAttendee]
) -> None:
    known = {_key(a): a for a in before}
    for attendee in given:
        old = known.get(attendee.key)
        if old is None:
            people[attendee.key] = _new(attendee, kind)
            continue
        entry: GraphAttendee = {**_kept(old), "type": kind}
        if attendee.name:
            entry["emailAddress"]["name"] = attendee.name
        people[attendee.key] = entry


def _moved(added: Iterable[Attendee], people: Mapping[str, GraphAttendee]) -> Remarks:
    found = ((a, people.get(a.key)) for a in added)
    kinds = [(a.address, _kind(entry)) for a, entry in found if entry is not None]
    return noted(
        *(
            f"{address} was already invited."
            if kind == "required"
            else f"{address} was already invited as {kind} and is required now."
            for address, kind in kinds
        )
    )


def _given(args: EventFields, kind: str) -> tuple[Attendee, ...]:
    return getattr(args, f"attendees_{kind}") or ()


def _new(attendee: Attendee, kind: str) -> GraphAttendee:
    mail = {"address": attendee.address} | ({"name": attendee.name} if attendee.name else {})
    return {"type": kind, "emailAddress": mail}


def _kept(entry: GraphAttendee) -> GraphAttendee:
    """Without what the service computes, such as a proposed time."""
    kept: GraphAttendee = {"type": _kind(entry), "emailAddress": dict(entry["emailAddress"])}
    return kept | ({"status": entry["status"]} if entry.get("status") else {})


def _members(value: Any) -> list[GraphAttendee]:
    return cast("list[GraphAttendee]", value) if isinstance(value, list) else []


def _key(entry: GraphAttendee) -> str:
    return (address_of(entry) or "").casefold()


def _kind(entry: GraphAttendee) -> str:
    kind = entry.get("type")
    return kind if kind in KINDS else "required"


def _name(entry: GraphAttendee) -> str | None:
    return entry["emailAddress"].get("name")


def _is_organizer(entry: GraphAttendee) -> bool:
    status = entry.get("status")
    return isinstance(status, dict) and cast("dict[str, Any]", status).get("response") == "organizer"

"""Attendees of an event, from the arguments of a tool, merged with those that the event already has.

Graph replaces the whole list (Update event), so a change of one kind has to carry the others along.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from scalekit_mcp.calendar.events.event import address_of
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools import (
    KINDS,
    MAXIMUM_ATTENDEES,
    Attendee,
    EventFields,
    Remarks,
    UpdateCalendarEvent,
    noted,
    person_key,
    shown,
    warned,
)

ATTENDEE_PARAMETERS = frozenset(
    {*(f"attendees_{kind}" for kind in KINDS), "attendees_add", "attendees_add_optional", "attendees_remove"}
)

GraphAttendee = dict[str, Any]
People = dict[str, GraphAttendee]
"""People of an event by what identifies them, in their order."""


@dataclass(frozen=True, slots=True)
class MergedAttendees:
    """The whole attendee list for a PATCH, remarks for the result, and whether it differs from the current list."""

    attendees: list[GraphAttendee]
    remarks: Remarks
    changed: bool


def graph_attendees(args: EventFields) -> list[GraphAttendee]:
    """All attendees that the arguments name, required first."""
    return [_new(attendee, kind) for kind in KINDS for attendee in _given(args, kind)]


def merge_attendees(args: UpdateCalendarEvent, current: Mapping[str, Any]) -> MergedAttendees:
    """The attendees after the update: kinds that are not given stay, people who stay keep name and answer.

    Somebody without a mail address (an entry of the directory, a list of people) cannot be named by one, so that they
    stay where a list of their kind is given, and go when their kind is cleared.
    Raises `InvalidInput` when the meeting would have more people than Microsoft takes, and for somebody who has no
    address and is not on the event.
    """
    organizer = (address_of(current.get("organizer")) or "").casefold()
    before = _by_key(current.get("attendees"))
    people = {key: _kept(a) for key, a in before.items() if key != organizer and not _is_organizer(a)}
    _check_known(args, before)
    remarks = Remarks()
    for kind in KINDS:
        given = _given(args, kind)
        if kind in _cleared(args):
            people = {key: a for key, a in people.items() if _kind(a) != kind}
        elif f"attendees_{kind}" in args.given:
            named = {attendee.key for attendee in given}
            left = {key: a for key, a in people.items() if _kind(a) == kind and not has_mail(a) and key not in named}
            remarks += warned(
                *(f"{shown_person(a)} has no e-mail address and stays invited as {kind}." for a in left.values())
            )
            people = {key: a for key, a in people.items() if _kind(a) != kind or key in left}
        _put(people, given, kind, before)
    for added, kind in ((args.attendees_add or (), "required"), (args.attendees_add_optional or (), "optional")):
        remarks += noted(*_moved(added, kind, people))
        _put(people, added, kind, before)
    for address in args.attendees_remove or ():
        if people.pop(person_key(address, None), None) is None:
            remarks += warned(f"{address} was not invited, so there was nobody to remove.")
    if organizer in people:
        del people[organizer]
        remarks += warned("The organizer takes part anyway and was left out of the attendees.")
    if len(people) > MAXIMUM_ATTENDEES:
        raise InvalidInput(
            f"The event would have {len(people)} attendees; it takes at most {MAXIMUM_ATTENDEES}.",
            field=next(iter(sorted(args.given & ATTENDEE_PARAMETERS)), None),
        )
    result = sorted(people.items(), key=lambda item: KINDS.index(_kind(item[1])))
    changed = {_state(*item) for item in before.items()} != {_state(*item) for item in result}
    return MergedAttendees([a for _, a in result], remarks, changed)


def has_mail(entry: Mapping[str, Any]) -> bool:
    """Whether an attendee has a mail address; `/o=...` names an entry of an Exchange directory."""
    return "@" in (address_of(entry) or "")


def identity(entry: Mapping[str, Any]) -> str:
    """A text that is equal for two entries of the same person."""
    mail = _mail(entry)
    return person_key(mail.get("address"), mail.get("name"))


def shown_person(entry: Mapping[str, Any]) -> str:
    """The name or address by which a message calls an attendee."""
    mail = _mail(entry)
    return shown(mail.get("name") or mail.get("address") or "somebody without a name")


def refusal_of_people(error: InvalidInput, args: UpdateCalendarEvent, body: Mapping[str, Any]) -> InvalidInput:
    """Microsoft's refusal of a change, naming those whom it carried along without a mail address, if there are any."""
    people = [shown_person(entry) for entry in _members(body.get("attendees")) if not has_mail(entry)]
    if not people or error.details.get("graph_code") != "ErrorInvalidRecipients":
        return error
    return InvalidInput(
        f"Microsoft refuses the change: {', '.join(people[:5])} on this event cannot be invited again, because they "
        "have no e-mail address. Nothing was changed.",
        next_step="Ask the user to change the attendees in Outlook, or leave the attendees of this event as they are.",
        **{**error.details, "field": next(iter(sorted(args.given & ATTENDEE_PARAMETERS)), "clear")},
    )


def _cleared(args: UpdateCalendarEvent) -> set[str]:
    return {name.removeprefix("attendees_") for name in args.clear or ()}


def _check_known(args: UpdateCalendarEvent, before: People) -> None:
    for name in sorted(args.given & ATTENDEE_PARAMETERS - {"attendees_remove"}):
        for attendee in cast("tuple[Attendee, ...]", getattr(args, name) or ()):
            if not attendee.can_be_invited and attendee.key not in before:
                raise InvalidInput(
                    f"`{name}` names {shown(attendee.name or attendee.address)}, who is not on the event and has no "
                    "e-mail address to invite.",
                    field=name,
                )


def _by_key(attendees: Any) -> People:
    """The people of an event; those who cannot be told apart are numbered, so that nobody gets lost."""
    people: People = {}
    for entry in _members(attendees):
        key = identity(entry)
        while key in people:
            key += "#"
        people[key] = entry
    return people


def _put(people: People, given: Iterable[Attendee], kind: str, before: People) -> None:
    for attendee in given:
        wanted = attendee.kind or kind
        old = before.get(attendee.key)
        if old is None:
            people[attendee.key] = _new(attendee, wanted)
            continue
        entry: GraphAttendee = {**_kept(old), "type": wanted}
        if attendee.name:
            entry["emailAddress"]["name"] = attendee.name
        people[attendee.key] = entry


def _moved(added: Iterable[Attendee], kind: str, people: People) -> list[str]:
    told: list[str] = []
    for attendee in added:
        entry = people.get(attendee.key)
        if entry is None:
            continue
        wanted, had = attendee.kind or kind, _kind(entry)
        if wanted != had:
            told.append(f"{attendee.address} was already invited as {had} and is {wanted} now.")
        elif attendee.kind is None:
            told.append(f"{attendee.address} was already invited.")
    return told


def _given(args: EventFields, kind: str) -> tuple[Attendee, ...]:
    return getattr(args, f"attendees_{kind}") or ()


def _new(attendee: Attendee, kind: str) -> GraphAttendee:
    mail = {"address": attendee.address} | ({"name": attendee.name} if attendee.name else {})
    return {"type": kind, "emailAddress": mail}


def _kept(entry: GraphAttendee) -> GraphAttendee:
    """Without what the service computes, such as a proposed time."""
    kept: GraphAttendee = {"type": _kind(entry), "emailAddress": dict(_mail(entry))}
    return kept | ({"status": entry["status"]} if entry.get("status") else {})


def _members(value: Any) -> list[GraphAttendee]:
    members = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("GraphAttendee", member) for member in members if isinstance(member, dict)]


def _mail(entry: Mapping[str, Any]) -> dict[str, Any]:
    mail = entry.get("emailAddress")
    return cast("dict[str, Any]", mail) if isinstance(mail, dict) else {}


def _kind(entry: GraphAttendee) -> str:
    kind = entry.get("type")
    return kind if kind in KINDS else "required"


def _state(key: str, entry: GraphAttendee) -> tuple[str, str, str | None]:
    return key, _kind(entry), _mail(entry).get("name")


def _is_organizer(entry: GraphAttendee) -> bool:
    status = entry.get("status")
    return isinstance(status, dict) and cast("dict[str, Any]", status).get("response") == "organizer"

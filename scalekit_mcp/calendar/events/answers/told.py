"""Whom Microsoft mails about a change: `told` in an answer.

Microsoft mails the attendees of the user's own meetings, rooms like people, and never the organizer. Sources: Create
event, Update event, Delete event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scalekit_mcp.calendar.events.event import Event, address_of
from scalekit_mcp.tools import NO_REMARKS, Remarks, noted

MAX_TOLD = 20
"""Most addresses in an answer for a model."""

ANSWER_LOST = (
    "Microsoft's answer was lost, but the calendar shows that the change was made: those in `told` should have been "
    "mailed."
)

_OF_THE_OWN_COPY = frozenset({"isReminderOn", "reminderMinutesBeforeStart", "showAs", "categories", "sensitivity"})
"""Properties that concern the user's own copy; a change of nothing else mails nobody."""


def invited(event: Mapping[str, Any]) -> list[str]:
    """The mail addresses of those invited, in their order, without the organizer."""
    organizer = (address_of(event.get("organizer")) or "").casefold()
    found: dict[str, str] = {}
    for person in event.get("attendees") or ():
        address = address_of(person)
        answer: Mapping[str, Any] = person.get("status") or {}
        if address is None or "@" not in address or answer.get("response") == "organizer":
            continue
        if address.casefold() != organizer:
            found.setdefault(address.casefold(), address)
    return list(found.values())


def mailed_by_change(changes: Event, before: Event | None, after: Event) -> list[str]:
    """Who is mailed when the event `before` (None: not known, its attendees stay) is changed and is `after` then.

    A change of the attendees alone is mailed to those added or removed, any other that matters to everybody.
    """
    known = before or {}
    if after.get("isOrganizer", known.get("isOrganizer")) is False:
        return []
    there = invited(after if after.get("attendees") is not None else {**known, **changes})
    if "attendees" not in changes:
        return there if changes.keys() - _OF_THE_OWN_COPY else []
    had = invited(known)
    keys, had_keys = ({address.casefold() for address in people} for people in (there, had))
    removed = [address for address in had if address.casefold() not in keys]
    if changes.keys() - _OF_THE_OWN_COPY - {"attendees"}:
        return there + removed
    return [address for address in there if address.casefold() not in had_keys] + removed


def told_member(addresses: Sequence[str], *, for_model: bool) -> tuple[dict[str, list[str]], Remarks]:
    """The member of an answer, absent where nobody was mailed, and a note where a model is told only of the first."""
    if not addresses:
        return {}, NO_REMARKS
    if not for_model or len(addresses) <= MAX_TOLD:
        return {"told": list(addresses)}, NO_REMARKS
    cut = noted(f"{len(addresses)} people were mailed; `told` names the first {MAX_TOLD}.")
    return {"told": list(addresses[:MAX_TOLD])}, cut

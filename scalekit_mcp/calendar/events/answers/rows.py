"""The rows of a list: all selected properties, or without `select` only the few that scheduling needs.

A list without `select` goes into a model's context every time, so its rows are silent about what most events say and
keep to a size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scalekit_mcp.calendar.events.answers.lean import lean_event
from scalekit_mcp.calendar.events.event import CUT, Event, presented
from scalekit_mcp.calendar.text import is_harmless, neutralised
from scalekit_mcp.tools import Zone, to_json

LIST_FIELDS = (
    "id",
    "subject",
    "start",
    "end",
    "isAllDay",
    "location",
    "attendees",
    "organizer",
    "isOrganizer",
    "responseStatus",
    "showAs",
    "isOnlineMeeting",
    "isCancelled",
    "type",
    "sensitivity",
)
"""What a scheduler reads of a list; without `select` nothing else is asked for."""

ROW_BYTES = 430
"""What a row of a list without `select` may weigh on average as JSON: twenty rows with all that stands around them
(the next page, now, warnings) stay below nine kilobytes."""


@dataclass(frozen=True, slots=True)
class ShownRows:
    """The rows of a list as they are shown, the length of their JSON, and the warnings about them."""

    rows: list[Event] = field(repr=False)
    characters: int
    warnings: tuple[str, ...] = ()


def shown_rows(
    events: Sequence[Mapping[str, Any]],
    selected: frozenset[str] | None,
    asked: Zone | None = None,
    *,
    for_model: bool = False,
) -> ShownRows:
    """The rows of a list as they are shown; `asked` is the zone that the request preferred.

    `selected` are the properties that were asked for; None is a list without `select`, whose rows are lean and held to
    `ROW_BYTES` on average, `for_model` first by leaving out what was said before, then by cutting lists of attendees.
    """
    if selected is None:
        rows = [lean_event(event, asked) for event in events]
        text, warnings = _hold_to_size(rows, for_model=for_model)
    else:
        shown = (presented(event, asked) for event in events)
        rows = [{name: value for name, value in row.items() if name in selected} for row in shown]
        text, warnings = to_json(rows), ()
    if is_harmless(text):
        return ShownRows(rows, len(text), warnings)
    clean, cut = neutralised(rows)
    return ShownRows(clean, len(to_json(clean)), (*warnings, *([CUT] if cut else [])))


def _hold_to_size(rows: list[Event], *, for_model: bool) -> tuple[str, tuple[str, ...]]:
    """Make rows smaller in place, step by step, until they keep to the limit; their JSON and what was left out."""
    allowed = ROW_BYTES * max(len(rows), 10)
    text = to_json(rows)
    if for_model and _bytes(text) > allowed:
        _say_once(rows)
        text = to_json(rows)
    touched: dict[str, None] = {}
    for what, reduce in _REDUCTIONS:
        if _bytes(text) <= allowed:
            break
        if _reduced(rows, what.rpartition(" ")[2], reduce):
            touched[what] = None
            text = to_json(rows)
    if not touched:
        return text, ()
    left_out = " and ".join(touched)
    return text, (f"To keep this answer small, {left_out} were shortened or left out; `select` gives them whole.",)


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _say_once(rows: list[Event]) -> None:
    """Leave out what was said before, so that nothing is lost: a person's name, and the zone of an end."""
    named: set[tuple[str, str]] = set()

    def told(person: Event) -> Event:
        mail = person["emailAddress"]
        if not {"name", "address"} <= mail.keys():
            return person
        who = (str(mail["address"]).casefold(), str(mail["name"]))
        if who in named:
            return {**person, "emailAddress": {"address": mail["address"]}}
        named.add(who)
        return person

    for row in rows:
        start, end = row.get("start"), row.get("end")
        if start and end and start.get("timeZone") == end.get("timeZone"):
            row["end"] = {"dateTime": end["dateTime"]}
        if "attendees" in row:
            row["attendees"] = [told(person) for person in row["attendees"]]
        if "organizer" in row:
            row["organizer"] = told(row["organizer"])


def _reduced(rows: list[Event], name: str, reduce: Callable[[Any], Any]) -> bool:
    changed = False
    for row in rows:
        value = row.get(name)
        if value is None:
            continue
        smaller = reduce(value)
        if smaller is value:
            continue
        changed = True
        if smaller:
            row[name] = smaller
        else:
            del row[name]
    return changed


def _first(count: int) -> Callable[[list[Event]], list[Event]]:
    return lambda people: people[:count] if len(people) > count else people


def _without_answers(people: list[Event]) -> list[Event]:
    if not any("status" in person for person in people):
        return people
    return [{name: value for name, value in person.items() if name != "status"} for person in people]


def _without_names(people: list[Event]) -> list[Event]:
    if not any({"name", "address"} <= person["emailAddress"].keys() for person in people):
        return people
    return [{**person, "emailAddress": _address_or_name(person["emailAddress"])} for person in people]


def _address_or_name(mail: Event) -> Event:
    return {"address": mail["address"]} if "address" in mail else mail


def _short_place(place: Event) -> Event:
    name = str(place.get("displayName"))
    return place if len(name) <= 40 else {"displayName": f"{name[:37]}..."}


_REDUCTIONS: Sequence[tuple[str, Callable[[Any], Any]]] = (
    ("attendees", _first(10)),
    ("attendees", _first(5)),
    ("names of attendees", _without_names),
    ("attendees", _without_answers),
    ("attendees", _first(3)),
    ("attendees", _first(2)),
    ("responseStatus", lambda _: None),
    ("attendees", _first(1)),
    ("attendees", lambda _: None),
    ("organizer", lambda _: None),
    ("subject", lambda text: text if len(text) <= 60 else f"{text[:57]}..."),
    ("location", _short_place),
)
"""What a list without `select` gives up first, last what is missed most."""

"""The people and rooms of a user's own meetings, and which of them a query names.

Source: event resource type (attendees, organizer). An address is only ever one that stands in an event.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from scalekit_mcp.calendar.events.event import Event, address_of
from scalekit_mcp.tools import without_hidden

EVENT_FIELDS = ("id", "attendees", "organizer", "isOrganizer", "isCancelled", "seriesMasterId", "type")
"""What is read of the events."""

LONGEST_NAME = 256

Kind = Literal["person", "room"]


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """A person or room by mail address, and in how many of the meetings that were read they take part."""

    name: str = field(repr=False)
    address: str = field(repr=False)
    meetings: int
    kind: Kind


def people_of(events: Iterable[Event], own_addresses: Collection[str]) -> list[KnownPerson]:
    """Everybody in these events but the user, those of most meetings first; each date of a series counts."""
    rows = [event for event in events if not event.get("isCancelled")]
    own = {address.casefold() for address in own_addresses}
    own |= {_address(row.get("organizer")) or "" for row in rows if row.get("isOrganizer")}
    invited = _people_of_series(rows)
    meetings: Counter[str] = Counter()
    names: dict[str, Counter[str]] = {}
    written: dict[str, str] = {}
    rooms: Counter[str] = Counter()
    for row in rows:
        people = cast("list[Event]", row.get("attendees") or invited.get(str(row.get("seriesMasterId")), []))
        there: set[str] = set()
        for person in (*people, cast("Event", row.get("organizer") or {})):
            key = _address(person)
            if key is None or key in own or key in there:
                continue
            there.add(key)
            written.setdefault(key, address_of(person) or key)
            name = _name(person)
            if name.casefold() not in ("", key):
                names.setdefault(key, Counter())[name] += 1
            if person.get("type") == "resource":
                rooms[key] += 1
        meetings.update(there)
    found = [
        KnownPerson(
            name=names[key].most_common(1)[0][0] if key in names else written[key],
            address=written[key],
            meetings=count,
            kind="room" if rooms[key] * 2 > count else "person",
        )
        for key, count in meetings.items()
    ]
    return sorted(found, key=lambda person: (-person.meetings, person.name.casefold(), person.address))


def _people_of_series(rows: Iterable[Event]) -> Mapping[str, list[Event]]:
    """Who is invited to each series: a row may leave out the people of its series."""
    found: dict[str, list[Event]] = {}
    for row in rows:
        people = row.get("attendees")
        if people and row.get("seriesMasterId"):
            found.setdefault(str(row["seriesMasterId"]), people)
    return found


def _address(person: Any) -> str | None:
    """The address in lower case; None for what mail cannot be sent to, such as a name of the directory."""
    address = address_of(person)
    return address.casefold() if address and "@" in address and not address.startswith("/") else None


def _name(person: Event) -> str:
    mail = person.get("emailAddress")
    name = cast("Event", mail).get("name") if isinstance(mail, dict) else None
    return name.strip()[:LONGEST_NAME] if isinstance(name, str) else ""


# --- matching

_PARTS = re.compile(r"[\s\-._,;:'\"()/&+]+")
_UNDECOMPOSED = str.maketrans(
    {
        "ł": "l",
        "ø": "o",
        "ß": "ss",
        "đ": "d",
        "ð": "d",
        "\u0131": "i",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ħ": "h",
        "ŋ": "n",
    }
)
"""Letters that Unicode does not take apart into a letter and an accent."""


def folded_words(text: str) -> list[str]:
    """The words of a name without letter case and accents: `Żaneta Müller-Łoś` has zaneta, muller and los."""
    seen = without_hidden(text[:LONGEST_NAME]).casefold()
    letters = unicodedata.normalize("NFKD", seen)
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter)).translate(_UNDECOMPOSED)
    return [part for part in _PARTS.split(plain) if any(letter.isalnum() for letter in part)]


def is_named(words: Iterable[str], name: str, address: str) -> bool:
    """Whether every one of these words begins a part of the name, or of the address before the @."""
    mailbox = address.partition("@")[0]
    parts = {*folded_words(name), *folded_words(mailbox)}
    return all(any(part.startswith(word) for part in parts) for word in words)


def is_addressed(query: str, address: str) -> bool:
    """Whether the query is the address, or the beginning of it with its @."""
    return "@" in query and address.casefold().startswith(query.strip().casefold())

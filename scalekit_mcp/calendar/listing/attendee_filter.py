"""Filters of a window over its attendees, applied here: Microsoft refuses `attendees/any(...)`.

Only what has one meaning is taken out of a filter: conditions joined by `and`, each on one attendee's address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scalekit_mcp.calendar.events.event import address_of

_INVITED = re.compile(
    r"attendees/any\(\s*(\w+)\s*:\s*(tolower\(\s*)?\1/emailAddress/address\s*(?(2)\))\s+eq\s+'((?:[^']|'')*)'\s*\)",
    re.IGNORECASE,
)
_WORDS = re.compile(r"'(?:[^']|'')*'|[()]|\b(?:and|or|not)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AttendeeFilter:
    """The addresses that must all be invited, and the rest of the filter, which Microsoft applies."""

    addresses: frozenset[str] = frozenset()
    rest: str | None = None

    @classmethod
    def of(cls, text: str | None) -> AttendeeFilter:
        """Take the conditions on attendees out of an OData filter."""
        conditions = [] if text is None else _joined_by_and(text)
        found = {condition: _INVITED.fullmatch(condition) for condition in conditions}
        addresses = frozenset(
            match.group(3).replace("''", "'").strip().casefold() for match in found.values() if match is not None
        )
        if not addresses:
            return cls(rest=text)
        rest = [condition for condition in conditions if found[condition] is None]
        return cls(addresses, " and ".join(rest) or None)

    def keeps(self, event: Mapping[str, Any]) -> bool:
        """Whether everybody who must be is invited."""
        if not self.addresses:
            return True
        people = event.get("attendees") or ()
        return self.addresses <= {(address_of(person) or "").casefold() for person in people}


def _joined_by_and(text: str) -> list[str]:
    """The conditions of a filter that are joined by `and` alone; the whole filter as one where they are not."""
    parts: list[str] = []
    depth = begin = 0
    for found in _WORDS.finditer(text):
        word = found.group().casefold()
        if word == "(":
            depth += 1
        elif word == ")":
            depth -= 1
        elif depth == 0 and word in {"or", "not"}:
            return [text]
        elif depth == 0 and word == "and":
            parts.append(text[begin : found.start()])
            begin = found.end()
    return [part.strip() for part in (*parts, text[begin:])]

"""Calendars as rows that can be compared: one for each event and each date of a series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.scene import DANA, Mail

_JOIN_BLOCK = "____"
"""What begins the part of a body that a meeting service writes."""


@dataclass(frozen=True, order=True)
class Row:
    """One event, or one date of a series, by what people see of it; times are Dana's, whole days are dates.

    `people` are pairs of address and kind (required, optional, resource); `answer` is Dana's own to somebody else's
    meeting.
    """

    start: str
    end: str
    subject: str
    calendar: str = "Calendar"
    people: frozenset[tuple[str, str]] = frozenset()
    organizer: str = DANA
    all_day: bool = False
    recurring: bool = False
    online: bool = False
    show_as: str = "busy"
    sensitivity: str = "normal"
    importance: str = "normal"
    location: str = ""
    categories: tuple[str, ...] = ()
    reminder: int | None = None
    body: str = ""
    answer: str = ""

    def __str__(self) -> str:
        return f"'{self.subject}' {self.start} to {self.end}"

    def differences(self, other: Row) -> list[str]:
        """The names of what is not the same."""
        return [name for name in Row.__dataclass_fields__ if getattr(self, name) != getattr(other, name)]


@dataclass(frozen=True)
class State:
    """What stands in the calendars at one moment: Dana's rows, what the others organize, and their whole events."""

    rows: tuple[Row, ...]
    others: tuple[Row, ...]
    events: Mapping[str, list[dict[str, Any]]] = field(repr=False)
    mails: tuple[Mail, ...] = ()


def state_of(read: Mapping[str, list[tuple[str, dict[str, Any]]]], mails: list[Mail]) -> State:
    """The state out of what `Scene.read` gives."""
    rows = [_row(calendar, event) for calendar, event in read[DANA]]
    others = [
        _row(calendar, event)
        for address, events in read.items()
        for calendar, event in events
        if address != DANA and event["isOrganizer"]
    ]
    events = {address: [event for _, event in found] for address, found in read.items()}
    return State(tuple(sorted(rows, key=_order)), tuple(sorted(others, key=_order)), events, tuple(mails))


def _order(row: Row) -> tuple[str, str, str]:
    return row.start, row.end, row.subject


def _row(calendar: str, event: dict[str, Any]) -> Row:
    length = len("2027-03-16") if event["isAllDay"] else len("2027-03-16T09:00")
    start, end = (event[edge]["dateTime"][:length].replace("T", " ") for edge in ("start", "end"))
    own = event["isOrganizer"]
    return Row(
        start=start,
        end=end,
        subject=event["subject"] or "",
        calendar=calendar,
        people=frozenset((each["emailAddress"]["address"].lower(), each["type"]) for each in event["attendees"]),
        organizer=event["organizer"]["emailAddress"]["address"].lower(),
        all_day=event["isAllDay"],
        recurring=event["type"] != "singleInstance",
        online=event["isOnlineMeeting"],
        show_as=event["showAs"],
        sensitivity=event["sensitivity"],
        importance=event["importance"],
        location=event["location"].get("displayName", ""),
        categories=tuple(sorted(event["categories"])),
        reminder=event["reminderMinutesBeforeStart"] if event["isReminderOn"] else None,
        body=event["body"]["content"].partition(_JOIN_BLOCK)[0].strip(),
        answer="" if own else event["responseStatus"]["response"],
    )

"""What a task is: what a person says, what stands in the calendar, how it must end, and how it can be played.

A play is written by hand. It proves that the task can be solved with the tools, and that its check can fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from evaluation.expectations import Expected
from evaluation.scene import ZONE, Entry

CREATE, GET, LIST, UPDATE, DELETE = (
    f"outlook_{name}_calendar_event{'s' if name == 'list' else ''}"
    for name in ("create", "get", "list", "update", "delete")
)
FIND, FREE_BUSY, RESPOND = "outlook_find_meeting_times", "outlook_get_free_busy_schedule", "outlook_respond_to_event"
CALENDARS, SEARCH = "outlook_list_calendars", "outlook_search_people"


@dataclass(frozen=True)
class Id:
    """In the arguments of a call: the id of an event that an earlier answer named, by subject and start."""

    subject: str
    on: str = ""


@dataclass(frozen=True)
class Taken:
    """In the arguments of a call: what stands at this path in the answer before it."""

    path: tuple[str | int, ...]


@dataclass(frozen=True)
class Call:
    """One call of a tool. `refused` is the code of the error that it must get."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    refused: str = ""


@dataclass(frozen=True)
class Play:
    """Calls in order, and the words at their end."""

    calls: tuple[Call, ...] = ()
    answer: str = "Done."

    def but(self, number: int, **arguments: Any) -> Play:
        """The same with other arguments in one call; None takes one out."""
        call = self.calls[number]
        given = {name: value for name, value in {**call.arguments, **arguments}.items() if value is not None}
        calls = list(self.calls)
        calls[number] = replace(call, arguments=given)
        return replace(self, calls=tuple(calls))

    def then(self, *calls: Call) -> Play:
        """The same and more."""
        return replace(self, calls=(*self.calls, *calls))

    def saying(self, answer: str) -> Play:
        """The same with other last words."""
        return replace(self, answer=answer)


@dataclass(frozen=True)
class Task:
    """One task. `wrong` are plays, by what is wrong with them, that must be graded as failed."""

    name: str
    asked: str
    expected: Expected
    play: Play
    wrong: Mapping[str, Play]
    seeds: tuple[Entry, ...] = ()


def listing(first: str, end: str, **more: Any) -> Call:
    """A look at the days from `first` until before `end`."""
    window = {"start_datetime": f"{first}T00:00:00", "end_datetime": f"{end}T00:00:00", "timezone": ZONE}
    return Call(LIST, {**window, "top": 100, **more})


def booking(subject: str, start: str, end: str, **more: Any) -> Call:
    """A new event; `start` and `end` as `2027-03-16 09:00`."""
    return Call(CREATE, {"subject": subject, **span(start, end), **more})


def update(event: Id, **changes: Any) -> Call:
    """A change of an event that was listed before."""
    return Call(UPDATE, {"event_id": event, **changes})


def span(start: str, end: str, zone: str = ZONE) -> dict[str, str]:
    """The parameters of a time; whole days are given by dates."""
    begins, ends = (each.replace(" ", "T") + (":00" if " " in each else "T00:00:00") for each in (start, end))
    return {"start_datetime": begins, "start_timezone": zone, "end_datetime": ends, "end_timezone": zone}

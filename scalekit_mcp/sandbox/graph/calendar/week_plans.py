"""What the seeded weeks are made of: a few kinds of day, different for everybody and without clashes.

Whole hours of a day are given to one kind of event each, so that whatever is drawn from the lists leaves nobody with
two appointments at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

STRANGER = ("Erin Park", "erin.park@northwind.example")
MEETINGS_ZONE = "America/Chicago"
"""Its late morning is also Europe's afternoon: meetings between people stand in this zone."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """One event of the week: day 0 is Monday; `starts` is hours and minutes; `minutes` its length."""

    subject: str
    day: int
    starts: tuple[int, int] = (0, 0)
    minutes: int = 60
    body: str = ""
    place: str = ""
    all_day: bool = False
    changes: dict[str, Any] = field(default_factory=dict[str, Any])


_FOCUS = (
    Plan("Focus: quarterly numbers", 0, (13, 0), 120, changes={"categories": ["Blue category"]}),
    Plan("Write the launch notes", 0, (13, 30), 90),
    Plan("Prepare the customer workshop", 0, (12, 30), 120),
    Plan("Focus: review of designs", 0, (13, 0), 60, changes={"categories": ["Green category"]}),
    Plan("Read the contract drafts", 0, (14, 0), 75),
)
_NOON = (
    Plan("Lunch with the design team", 2, (12, 0), 60, place="Canteen"),
    Plan("Running group", 2, (12, 15), 45, place="Park", changes={"show_as": "oof"}),
    Plan("Lunch with Sam", 2, (12, 30), 60, place="Corner cafe"),
    Plan("Brown bag: writing good tests", 2, (12, 0), 45, place="Room 4", changes={"show_as": "tentative"}),
)
_PRIVATE = (
    Plan("Dentist", 3, (8, 0), 45, changes={"sensitivity": "private", "show_as": "oof"}),
    Plan("Physiotherapy", 3, (7, 45), 45, changes={"sensitivity": "private", "show_as": "oof"}),
    Plan("Take the car to the garage", 3, (8, 0), 30, changes={"sensitivity": "private", "show_as": "oof"}),
)
_FRIDAY = (
    Plan("Conference day", 4, all_day=True, place="Town hall", changes={"show_as": "oof"}),
    Plan("Working from home", 4, all_day=True, changes={"show_as": "workingElsewhere"}),
    Plan("On call", 4, all_day=True, changes={"show_as": "free"}),
    Plan("Day off", 4, all_day=True, changes={"show_as": "oof"}),
    Plan("Customer visit", 4, all_day=True, place="Rotterdam", changes={"show_as": "workingElsewhere"}),
)
_INVITATIONS = (
    Plan("Northwind contract", 0, (16, 0), 45, "Could we go through the open points of the contract?"),
    Plan("Northwind: first look at the pilot", 0, (16, 30), 30, "Thirty minutes are enough, I will share my screen."),
    Plan("Call with Northwind", 0, (15, 30), 60, "Price list and delivery dates."),
)
MEETINGS = (
    Plan("Roadmap review", 1, (10, 0), 60, "Agenda: what ships, what waits."),
    Plan("Pipeline review", 2, (9, 0), 45, "Bring the three largest open deals."),
    Plan("Hiring sync", 3, (10, 0), 30, "Two candidates are left for the platform role."),
    Plan("Launch plan", 3, (11, 0), 60, "Who does what in the last two weeks."),
    Plan("Budget check", 1, (11, 30), 45, "Actual numbers against the plan."),
    Plan("Support triage", 2, (10, 0), 30, "The oldest tickets first."),
    Plan("Partner update", 1, (9, 0), 30, "News of the week."),
    Plan("Security review", 3, (9, 0), 45, "Findings of the last scan."),
)
"""One for each person of an organization, in order; wall-clock times of `MEETINGS_ZONE`."""


def plans_of(place: int) -> list[Plan]:
    """What the person at this place of the directory does alone."""
    return [_drawn(kind, place, turn) for turn, kind in enumerate((_FOCUS, _NOON, _PRIVATE, _FRIDAY))]


def invitation_of(place: int) -> Plan:
    """What the person at this place was invited to from outside."""
    return _drawn(_INVITATIONS, place, 4)


def _drawn(kind: Sequence[T], place: int, turn: int) -> T:
    # 5 * 4 * 3 * 5 * 3 weeks, gone through in steps, so that neighbours have little in common.
    return kind[(place * (2 * turn + 1) + place // 5 * turn) % len(kind)]

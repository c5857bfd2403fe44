"""What must be true after a task: what left the calendar, what came, what changed, who was mailed, what was said.

Everything that is not named must be as it was before, so that every side effect fails the task.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from evaluation.scene import DANA
from evaluation.view import Row, State

Change = Callable[[Row], Row]
MOST_PROBLEMS = 6


@dataclass(frozen=True)
class Outcome:
    """The calendars before and after a task, and the last words of the player."""

    before: State
    after: State
    answer: str


@dataclass(frozen=True)
class At:
    """Rows by subject, and by the beginning of their start (`on`) or from a date on (`since`)."""

    subject: str
    on: str = ""
    since: str = ""

    def of(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that are meant; raises `LookupError` where a task names what it did not seed."""
        found = [
            row
            for row in rows
            if row.subject == self.subject and row.start.startswith(self.on) and row.start >= self.since
        ]
        if not found:
            raise LookupError(f"no event {self.subject!r} {self.on}{self.since} stands in the calendar before the task")
        return found


@dataclass(frozen=True)
class Changed:
    """Rows that must be there in another form, and in no other respect."""

    at: At
    change: Change


def to(start: str, end: str) -> Change:
    """At another time."""
    return lambda row: replace(row, start=start, end=end)


def clock(start: str, end: str) -> Change:
    """On the same date at another time of day."""
    return lambda row: replace(row, start=f"{row.start[:10]} {start}", end=f"{row.end[:10]} {end}")


def having(**values: Any) -> Change:
    """With other values of members of `Row`."""
    return lambda row: replace(row, **values)


def with_people(add: dict[str, str] | None = None, remove: tuple[str, ...] = ()) -> Change:
    """With others invited: `add` gives kinds by address."""
    return lambda row: replace(
        row, people=frozenset(pair for pair in row.people if pair[0] not in remove) | frozenset((add or {}).items())
    )


@dataclass(frozen=True)
class New:
    """An event that must have come. `subject` and `location` are patterns; None is whatever it may be."""

    start: str
    end: str
    subject: str = ""
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    calendar: str = "Calendar"
    all_day: bool = False
    recurring: bool = False
    online: bool | None = None
    show_as: str | None = "busy"
    sensitivity: str | None = "normal"
    reminder: int | None = None
    location: str = ""

    def faults(self, row: Row) -> list[str]:
        """In which members a row is not as asked."""
        people = frozenset(
            (address, kind)
            for kind, people in (("required", self.required), ("optional", self.optional), ("resource", self.rooms))
            for address in people
        )
        exact = {"start": self.start, "end": self.end, "people": people, "calendar": self.calendar}
        exact |= {"all_day": self.all_day, "recurring": self.recurring}
        given = {"online": self.online, "show_as": self.show_as, "sensitivity": self.sensitivity}
        given |= {"reminder": self.reminder}
        exact |= {name: value for name, value in given.items() if value is not None}
        faults = [name for name, value in exact.items() if getattr(row, name) != value]
        patterns = {"subject": self.subject, "location": self.location}
        return faults + [
            name for name, pattern in patterns.items() if not re.search(pattern, getattr(row, name), re.IGNORECASE)
        ]

    def __str__(self) -> str:
        return f"{self.start} to {self.end}"


def on_each(days: Sequence[str], start: str, end: str, **members: Any) -> tuple[New, ...]:
    """The dates of a new series."""
    return tuple(New(f"{day} {start}", f"{day} {end}", recurring=True, **members) for day in days)


@dataclass(frozen=True)
class Expected:
    """How a task must end. Without members: nothing changed, nobody was mailed.

    `told` are the addresses that got any mail; `may_tell` those that may have got one. `says` and `never_says` are
    patterns for the last words (letter case does not matter); `also` finds further problems, one sentence each.
    """

    gone: tuple[At, ...] = ()
    new: tuple[New, ...] = ()
    changed: tuple[Changed, ...] = ()
    told: tuple[str, ...] = ()
    may_tell: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    never_says: tuple[str, ...] = ()
    also: tuple[Callable[[Outcome], str | None], ...] = field(default=())

    def problems(self, outcome: Outcome) -> list[str]:
        """What is not as asked; nothing: the task is passed."""
        found = self._calendar(outcome) + self._mails(outcome)
        if outcome.after.others != outcome.before.others:
            found.append("the events of other people changed")
        answer = _plain(outcome.answer)
        found += [f"the answer does not say {wanted!r}" for wanted in self.says if not _said(wanted, answer)]
        found += [f"the answer says {unwanted!r}" for unwanted in self.never_says if _said(unwanted, answer)]
        found += [problem for check in self.also if (problem := check(outcome)) is not None]
        return found[:MOST_PROBLEMS]

    def _calendar(self, outcome: Outcome) -> list[str]:
        expected = Counter(outcome.before.rows)
        for at in self.gone:
            expected -= Counter(at.of(outcome.before.rows))
        for each in self.changed:
            rows = each.at.of(outcome.before.rows)
            expected -= Counter(rows)
            expected += Counter(each.change(row) for row in rows)
        present = Counter(outcome.after.rows)
        surplus, missing = sorted((present - expected).elements()), sorted((expected - present).elements())
        found: list[str] = []
        for wanted in self.new:
            fitting = min(surplus, key=lambda row: len(wanted.faults(row)), default=None)
            if fitting is None:
                found.append(f"nothing new stands there {wanted}")
                continue
            surplus.remove(fitting)
            if faults := wanted.faults(fitting):
                found.append(f"new is {fitting}, not as asked: {', '.join(faults)}")
        for row in missing:
            same = next((each for each in surplus if (each.subject, each.start) == (row.subject, row.start)), None)
            if same is None:
                found.append(f"missing is {row}")
            else:
                surplus.remove(same)
                found.append(f"{row} differs in {', '.join(row.differences(same))}")
        return found + [f"not asked for is {row}" for row in surplus]

    def _mails(self, outcome: Outcome) -> list[str]:
        told = {mail.to for mail in outcome.after.mails if mail.to != DANA}  # rooms and people answer her
        silent, needless = set(self.told) - told, told - set(self.told) - set(self.may_tell)
        found = [f"nobody mailed {address}" for address in sorted(silent)]
        return found + [f"{address} was mailed" for address in sorted(needless)]


def comment_mailed(pattern: str) -> Callable[[Outcome], str | None]:
    """Somebody was mailed words that fit the pattern."""

    def check(outcome: Outcome) -> str | None:
        said = any(re.search(pattern, mail.comment, re.IGNORECASE) for mail in outcome.after.mails)
        return None if said else f"nobody was mailed a text like {pattern!r}"

    return check


def answered(organizer: str, subject: str, response: str, proposed: str = "") -> Callable[[Outcome], str | None]:
    """The organizer's own event shows this answer of Dana, and the start that she proposes instead, in UTC."""

    def check(outcome: Outcome) -> str | None:
        events = outcome.after.events[organizer]
        [event] = [each for each in events if each["subject"] == subject and each["isOrganizer"]][:1]
        [dana] = [each for each in event["attendees"] if each["emailAddress"]["address"].startswith("dana@")]
        if dana["status"]["response"] != response:
            return f"{organizer} sees the answer {dana['status']['response']}"
        slot = dana.get("proposedNewTime") or {}
        start = str(slot.get("start", {}).get("dateTime", ""))[:16].replace("T", " ")
        return None if start == proposed else f"{organizer} sees the proposal {start or 'of no other time'}"

    return check


def _plain(answer: str) -> str:
    """The words without marks that models put around them, and with the usual sign for each kind of blank and dash."""
    plain = re.sub(r"[*_`]", "", answer).translate({0x202F: " ", 0xA0: " ", 0x2013: "-", 0x2014: "-", 0x2011: "-"})
    return re.sub(r"\s+", " ", plain.replace("\u2019", "'"))


def _said(pattern: str, answer: str) -> bool:
    return re.search(pattern, answer, re.IGNORECASE) is not None


def days(first: str, *, step: int, count: int) -> tuple[str, ...]:
    """Dates at a distance of `step` days."""
    begin = datetime.fromisoformat(first).toordinal()
    return tuple(datetime.fromordinal(begin + step * number).date().isoformat() for number in range(count))

"""What is known of somebody's time: the entries of a getSchedule answer, read without trusting them.

Whoever's entry is missing, an error or contradictory is not known to be free. Sources: calendar: getSchedule,
scheduleInformation, scheduleItem and workingHours resource types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from scalekit_mcp.calendar.events.event import instant_of
from scalekit_mcp.calendar.mailbox import Span
from scalekit_mcp.calendar.scheduling.working_hours import WorkingHours, working_hours_of
from scalekit_mcp.calendar.text import microsofts_words, neutralise

Status = Literal["free", "workingElsewhere", "unknown", "tentative", "busy", "oof"]

STATUSES: tuple[Status, ...] = ("free", "workingElsewhere", "unknown", "tentative", "busy", "oof")
"""From the least to the most that keeps somebody from coming."""

_BY_NAME: Mapping[str, Status] = {status.casefold(): status for status in STATUSES}
_BY_CODE: Mapping[str, Status] = {"1": "tentative", "2": "busy", "3": "oof"}
"""What the characters of an availabilityView mean. 0 is free, and also working elsewhere."""

SLOT = timedelta(minutes=15)
"""How long one character of the view that we ask for stands."""

TOO_MANY_ENTRIES = "5006"
"""More than a thousand entries in the window; a shorter window can be read."""


@dataclass(frozen=True, slots=True)
class Block:
    """From `start` up to `end` (aware, UTC) somebody is not simply free; `subject` only where they show it."""

    start: datetime
    end: datetime
    status: Status
    subject: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PersonSchedule:
    """The time of one person or room in a window. `problem` says in words why it is not known."""

    address: str
    blocks: Sequence[Block] = ()
    hours: WorkingHours | None = None
    problem: str | None = None


def unknown_schedule(address: str, span: Span, problem: str) -> PersonSchedule:
    """Somebody of whom nothing is known."""
    return PersonSchedule(address, (Block(span.begin, span.end, "unknown"),), problem=problem)


def joined(first: PersonSchedule, second: PersonSchedule) -> PersonSchedule:
    """What two windows in a row say of the same person; what reaches over their border comes twice and counts once."""
    blocks = dict.fromkeys((*first.blocks, *second.blocks))
    return PersonSchedule(
        first.address, tuple(blocks), hours=first.hours or second.hours, problem=first.problem or second.problem
    )


@dataclass(frozen=True, slots=True)
class ScheduleAnswer:
    """The schedules of one answer by address in lower case, and who has too many entries for this window.

    `misnamed` are perhaps answered under another address: they are left out, and something else was answered instead.
    """

    schedules: Mapping[str, PersonSchedule]
    too_many: frozenset[str]
    misnamed: frozenset[str] = frozenset()


def read_answer(rows: Iterable[object], asked: Sequence[str], span: Span) -> ScheduleAnswer:
    """The schedule of everybody who was asked for, in the window of the request.

    An alias may be answered under the mailbox's own address, and the order of an answer is not promised: only a single
    answer to a single question is known to be about whom was asked for.
    """
    entries = [cast("dict[str, Any]", row) for row in rows if isinstance(row, dict)]
    by_address: dict[str, dict[str, Any]] = {}
    for entry in entries:
        by_address.setdefault(str(entry.get("scheduleId")).casefold(), entry)
    if len(asked) == len(entries) == 1:
        by_address[asked[0].casefold()] = entries[0]
    found: dict[str, PersonSchedule] = {}
    too_many: set[str] = set()
    left_out = {address.casefold() for address in asked} - by_address.keys()
    others = len(entries) - (len(asked) - len(left_out))
    for address in asked:
        key = address.casefold()
        entry = by_address.get(key)
        error = None if entry is None else entry.get("error")
        if isinstance(error, dict):
            told = cast("dict[str, Any]", error)
            if str(told.get("responseCode")) == TOO_MANY_ENTRIES:
                too_many.add(key)
            words = microsofts_words(str(told.get("message") or "")) or "no reason given"
            found[key] = unknown_schedule(address, span, f"Microsoft: {words}")
        elif entry is None:
            found[key] = unknown_schedule(address, span, "Microsoft's answer leaves this address out.")
        else:
            found[key] = _schedule(address, entry, span)
    return ScheduleAnswer(found, frozenset(too_many), frozenset(left_out if others > 0 else ()))


def _schedule(address: str, entry: Mapping[str, Any], span: Span) -> PersonSchedule:
    view = entry.get("availabilityView")
    items = entry.get("scheduleItems")
    if not isinstance(view, str) or (not view and not items):
        return unknown_schedule(address, span, "Microsoft's answer does not say when this address is free.")
    blocks, odd = _blocks(cast("list[Any]", items) if isinstance(items, list) else [])
    blocks += _contradicted(view, blocks, span)
    problem = "Part of Microsoft's answer could not be read; times around it may be taken." if odd else None
    if odd:
        blocks.append(Block(span.begin, span.end, "unknown"))
    return PersonSchedule(address, tuple(blocks), working_hours_of(entry.get("workingHours")), problem)


def _blocks(items: Sequence[Any]) -> tuple[list[Block], int]:
    """What is not free, and how many entries could not be read. Entries that take no time block nothing."""
    blocks: list[Block] = []
    odd = 0
    for item in items:
        try:
            start, end = instant_of(item["start"]), instant_of(item["end"])
            status = _BY_NAME.get(str(item["status"]).casefold(), "unknown")
        except (KeyError, TypeError, ValueError, OverflowError):
            odd += 1
            continue
        if status != "free" and start < end:
            blocks.append(Block(start, end, status, _subject(item)))
    return blocks, odd


def _subject(item: Mapping[str, Any]) -> str | None:
    subject = item.get("subject")
    if item.get("isPrivate") or not isinstance(subject, str) or not subject.strip():
        return None
    return neutralise(subject.strip())


def _contradicted(view: str, blocks: Sequence[Block], span: Span) -> list[Block]:
    """Slots of the view that are taken although no entry covers them.

    Where there are no entries at all the person shares no more than the view, and its word is taken; else nobody knows
    which of the two is right.
    """
    taken = sorted((block.start, block.end) for block in blocks if block.status != "workingElsewhere")
    found: list[Block] = []
    ends_last = span.begin
    place = 0
    for index, code in enumerate(view):
        if code not in _BY_CODE and code == "0":
            continue
        start = span.begin + index * SLOT
        end = start + SLOT
        if start >= span.end:
            break
        while place < len(taken) and taken[place][0] < end:
            ends_last = max(ends_last, taken[place][1])
            place += 1
        if ends_last <= start:
            status = "unknown" if blocks else _BY_CODE.get(code, "unknown")
            if found and found[-1].end == start and found[-1].status == status:
                found[-1] = Block(found[-1].start, end, status)
            else:
                found.append(Block(start, end, status))
    return found

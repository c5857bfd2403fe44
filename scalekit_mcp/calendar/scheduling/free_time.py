"""Finds times at which people can meet. Pure: schedules and a question in, suggestions and reasons out.

All arithmetic is in seconds of UTC; the wall clock only chooses the quarter hours to begin at. Every person's blocks
mark ranges of the possible starts, so that the work grows with the number of blocks and of starts, not with their
product.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from scalekit_mcp.calendar.scheduling.schedules import STATUSES, PersonSchedule, Status

QUARTER_SECONDS = 900
"""Meetings begin on quarter hours. The offsets of all zones in use are whole quarters, so that these are UTC's too."""

_TAKEN = frozenset({"busy", "oof"})
_UNSURE = frozenset({"tentative", "unknown"})

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Question:
    """A meeting of `duration` between `begin` and `end` (aware), not before `now`; at most `most` suggestions.

    `required` and `optional` are people, the user among them; `rooms` is what may be booked, any one of them.
    """

    begin: datetime
    end: datetime
    duration: timedelta
    now: datetime
    required: Sequence[PersonSchedule]
    optional: Sequence[PersonSchedule] = ()
    rooms: Sequence[PersonSchedule] = ()
    working_hours: bool = True
    most: int = 5


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A time for the meeting. `availability` has everybody's worst status in it, `rooms` the addresses of free ones."""

    start: datetime
    end: datetime
    availability: dict[str, Status] = field(repr=False)
    rooms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Blocking:
    """How much of the possible starts one required person alone takes away, from 0 to 1."""

    address: str
    share: float


@dataclass(frozen=True, slots=True)
class Found:
    """Suggestions, best first; without any, why: no time is left, no hours are shared, or who is taken."""

    suggestions: list[Suggestion]
    no_time_left: bool = False
    no_common_hours: bool = False
    blocking: list[Blocking] = field(default_factory=list["Blocking"])


def find_times(question: Question) -> Found:
    """The best times: nobody required unsure, then with a room, then with fewest conflicts of optional people."""
    duration = int(question.duration.total_seconds())
    low = max(_seconds(question.begin), _next_minute(question.now))
    high = _seconds(question.end)
    if high - low < duration:
        return Found([], no_time_left=True)
    open_times = _common_hours(question, low, high)
    if all(stop - start < duration for start, stop in open_times):
        return Found([], no_common_hours=True)
    people = (*question.required, *question.optional, *question.rooms)
    starts = _starts(open_times, duration, people, not_at=low if low > _seconds(question.begin) else None)
    if not starts:
        return Found([], no_time_left=True)
    required = _Counts(starts, duration)
    unsure = _Counts(starts, duration)
    for person in question.required:
        required.mark(_merged(person, _TAKEN))
        unsure.mark(_merged(person, _UNSURE))
    optional, rooms = _Counts(starts, duration), _Counts(starts, duration)
    for person in question.optional:
        optional.mark(_merged(person, _TAKEN))
    for room in question.rooms:
        rooms.mark(_merged(room, _TAKEN | _UNSURE))
    taken = required.counts()
    if all(taken):
        return Found([], blocking=_blocking(question.required, starts, duration, taken))
    doubts, conflicts, rooms_taken = unsure.counts(), optional.counts(), rooms.counts()
    ranked = sorted(
        (doubts[i] > 0, len(question.rooms) > 0 and rooms_taken[i] == len(question.rooms), conflicts[i], starts[i])
        for i in range(len(starts))
        if not taken[i]
    )
    chosen = _spread(ranked, duration, question.most)
    return Found([_suggestion(start, duration, question) for *_, start in chosen])


# --- possible starts


def _common_hours(question: Question, low: int, high: int) -> list[Interval]:
    """When all required people work whose hours are known, within the window."""
    common = [(low, high)]
    if not question.working_hours:
        return common
    for person in question.required:
        if person.hours is not None:
            shifts = person.hours.shifts(question.begin, question.end)
            common = _overlap(common, [(_seconds(start), _seconds(stop)) for start, stop in shifts])
    return common


def _overlap(first: Sequence[Interval], second: Sequence[Interval]) -> list[Interval]:
    """What lies in both of two sorted lists of intervals."""
    found: list[Interval] = []
    i = j = 0
    while i < len(first) and j < len(second):
        start, stop = max(first[i][0], second[j][0]), min(first[i][1], second[j][1])
        if start < stop:
            found.append((start, stop))
        if first[i][1] < second[j][1]:
            i += 1
        else:
            j += 1
    return found


def _starts(
    open_times: Sequence[Interval], duration: int, people: Iterable[PersonSchedule], *, not_at: int | None
) -> list[int]:
    """Quarter hours, the beginnings of the hours, and the ends of blocks, where the whole meeting fits; sorted.

    Hours that begin `not_at` a moment are only cut there, so that nothing is suggested for it.
    """
    ends = sorted({_seconds(block.end) for person in people for block in person.blocks if block.end > block.start})
    found: set[int] = set()
    for start, stop in open_times:
        last = stop - duration
        if last < start:
            continue
        first_quarter = -(-start // QUARTER_SECONDS) * QUARTER_SECONDS
        found.update(range(first_quarter, last + 1, QUARTER_SECONDS))
        if start != not_at:
            found.add(start)
        found.update(ends[bisect_left(ends, start) : bisect_right(ends, last)])
    return sorted(found)


class _Counts:
    """For every possible start, how many of the marked people are taken during the meeting."""

    def __init__(self, starts: Sequence[int], duration: int) -> None:
        self._starts = starts
        self._duration = duration
        self._changes = [0] * (len(starts) + 1)

    def mark(self, taken: Iterable[Interval]) -> None:
        """Count one person once in every start whose meeting meets one of these (sorted, apart) intervals."""
        last = 0
        for begin, stop in taken:
            # A meeting that ends when the block begins, or begins when it ends, does not meet it.
            first = max(bisect_right(self._starts, begin - self._duration), last)
            last = bisect_left(self._starts, stop)
            if first < last:
                self._changes[first] += 1
                self._changes[last] -= 1

    def counts(self) -> list[int]:
        return list(accumulate(self._changes))[:-1]


def _merged(person: PersonSchedule, statuses: Iterable[str]) -> list[Interval]:
    """When a person has one of these statuses: sorted, and apart from each other."""
    spans = sorted(
        (_seconds(block.start), _seconds(block.end))
        for block in person.blocks
        if block.status in statuses and block.end > block.start
    )
    found: list[Interval] = []
    for start, stop in spans:
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], stop))
        else:
            found.append((start, stop))
    return found


# --- the best of them


Rank = tuple[bool, bool, int, int]


def _spread(ranked: Sequence[Rank], duration: int, most: int) -> list[Rank]:
    """The best that do not overlap each other; those of a class that do only where the number is not reached."""
    chosen: list[Rank] = []
    at = 0
    while at < len(ranked) and len(chosen) < most:
        end = at
        while end < len(ranked) and ranked[end][:3] == ranked[at][:3]:
            end += 1
        picked: list[Rank] = []
        overlapping: list[Rank] = []
        for rank in ranked[at:end]:
            if len(chosen) + len(picked) == most:
                break
            if any(abs(rank[3] - other[3]) < duration for other in (*chosen, *picked)):
                overlapping.append(rank)
            else:
                picked.append(rank)
        picked += overlapping[: most - len(chosen) - len(picked)]
        chosen += sorted(picked)
        at = end
    return chosen


def _suggestion(start: int, duration: int, question: Question) -> Suggestion:
    begin = datetime.fromtimestamp(start, UTC)
    end = begin + timedelta(seconds=duration)
    people = (*question.required, *question.optional)
    rooms = tuple(room.address for room in question.rooms if _worst(room, begin, end) in ("free", "workingElsewhere"))
    return Suggestion(begin, end, {person.address: _worst(person, begin, end) for person in people}, rooms)


def _worst(person: PersonSchedule, begin: datetime, end: datetime) -> Status:
    met = {b.status for b in person.blocks if b.start < end and b.end > begin and b.start < b.end}
    worst: Status = "free"
    for status in STATUSES:
        worst = status if status in met else worst
    return worst


def _blocking(
    required: Sequence[PersonSchedule], starts: Sequence[int], duration: int, taken: Sequence[int]
) -> list[Blocking]:
    """Who alone keeps the others from meeting, those first who do so most."""
    found: list[Blocking] = []
    for person in required:
        own = _Counts(starts, duration)
        own.mark(_merged(person, _TAKEN))
        alone = sum(1 for mine, all_of_them in zip(own.counts(), taken, strict=True) if mine and all_of_them == 1)
        found.append(Blocking(person.address, alone / len(starts)))
    return sorted(found, key=lambda blocking: -blocking.share)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _next_minute(moment: datetime) -> int:
    return -(-int(-(-moment.timestamp() // 1)) // 60) * 60

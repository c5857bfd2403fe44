"""The search for times at which people can meet, held against a brute force that shares no code with it."""

from __future__ import annotations

import random
import time as clock_time
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from scalekit_mcp.calendar.scheduling.free_time import Found, Question, find_times
from scalekit_mcp.calendar.scheduling.schedules import Block, PersonSchedule, Status
from scalekit_mcp.calendar.scheduling.working_hours import WorkingHours, working_hours_of

MONDAY = datetime(2026, 4, 6, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ZONES = [
    "UTC",
    "America/New_York",
    "America/Los_Angeles",
    "Europe/London",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Auckland",
]
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday")


def at(hours: float) -> datetime:
    return MONDAY + hours * HOUR


def block(start: float, end: float, status: Status = "busy") -> Block:
    return Block(at(start), at(end), status)


def hours(zone: str, opens: str = "09:00", closes: str = "17:00", days: tuple[str, ...] = WEEK) -> WorkingHours:
    found = working_hours_of(
        {"daysOfWeek": list(days), "startTime": f"{opens}:00", "endTime": f"{closes}:00", "timeZone": {"name": zone}}
    )
    assert found is not None
    return found


def person(name: str, *blocks: Block, hours: WorkingHours | None = None) -> PersonSchedule:
    return PersonSchedule(f"{name}@company.com", blocks, hours)


def ask(*required: PersonSchedule, begin: float = 8, end: float = 18, minutes: int = 60, **more: object) -> Found:
    question = Question(
        begin=at(begin),
        end=at(end),
        duration=timedelta(minutes=minutes),
        now=MONDAY - HOUR,
        required=required,
        **more,  # type: ignore[arg-type] - the fields of the question
    )
    return find_times(question)


def starts(found: Found) -> list[float]:
    return [(suggestion.start - MONDAY) / HOUR for suggestion in found.suggestions]


def test_the_first_free_hours_come_first_and_do_not_overlap() -> None:
    assert starts(ask(person("a", block(8, 9)), most=3)) == [9, 10, 11]


def test_back_to_back_is_free() -> None:
    assert starts(ask(person("a", block(8, 9), block(10, 18)))) == [9]


def test_a_block_that_began_before_the_window_counts() -> None:
    assert starts(ask(person("a", block(-5, 10)), most=1)) == [10]


def test_a_block_that_takes_no_time_blocks_nothing() -> None:
    assert starts(ask(person("a", block(8.5, 8.5)), most=1)) == [8]


def test_starts_are_quarter_hours_and_the_ends_of_blocks() -> None:
    assert starts(ask(person("a", Block(at(8), at(8) + 7 * MINUTE, "busy")), end=9.5, minutes=60, most=20)) == [
        pytest.approx(8 + 7 / 60),
        8.25,
        8.5,
    ]


def test_nothing_is_suggested_in_the_past() -> None:
    question = Question(at(8), at(18), HOUR, at(12) + 10 * MINUTE, [person("a")], most=1)
    assert starts(find_times(question)) == [12.25]


@pytest.mark.parametrize("status", ["tentative", "unknown"])
def test_times_of_which_nobody_is_sure_rank_below_sure_ones(status: Status) -> None:
    found = ask(person("a", block(8, 12, status), block(13, 18)), most=3)
    assert starts(found)[0] == 12
    assert starts(found)[1:] == [8, 9]
    assert found.suggestions[1].availability == {"a@company.com": status}


def test_somebody_who_works_elsewhere_is_free_and_it_is_said() -> None:
    found = ask(person("a", block(8, 18, "workingElsewhere")), most=1)
    assert starts(found) == [8]
    assert found.suggestions[0].availability == {"a@company.com": "workingElsewhere"}


def test_optional_people_rank_and_never_forbid() -> None:
    found = ask(person("a"), optional=[person("b", block(8, 10)), person("c", block(8, 11), block(14, 18))], most=4)
    assert starts(found) == [11, 11.25, 12, 13]
    assert 10 in starts(ask(person("a"), optional=[person("b", block(8, 10)), person("c", block(8, 18))], most=20))


def test_a_time_without_a_free_room_ranks_below_one_with_a_room() -> None:
    rooms = [person("r1", block(8, 17)), person("r2", block(8, 12), block(13, 16, "tentative"))]
    found = ask(person("a"), rooms=rooms, most=20, end=18)
    rooms_at = dict(zip(starts(found), [s.rooms for s in found.suggestions], strict=True))
    assert starts(found)[:6] == [12, 16, 16.25, 16.5, 16.75, 17]
    assert (rooms_at[12], rooms_at[17]) == (("r2@company.com",), ("r1@company.com", "r2@company.com"))
    assert rooms_at[8] == ()


def test_only_hours_in_which_all_required_work_are_suggested_each_in_their_own_zone() -> None:
    new_york, berlin = hours("America/New_York"), hours("Europe/Berlin")
    found = ask(person("a", hours=new_york), person("b", hours=berlin), begin=0, end=24, most=20)
    assert [min(starts(found)), max(starts(found))] == [13, 14]  # 9:00 in New York to 17:00 in Berlin


def test_the_hours_of_optional_people_and_of_whom_no_hours_are_known_are_not_looked_at() -> None:
    found = ask(person("a"), optional=[person("b", hours=hours("Asia/Tokyo"))], most=1)
    assert starts(found) == [8]


def test_a_change_of_clocks_moves_the_hours_and_never_their_wall_time() -> None:
    sunday = hours("America/New_York", days=("saturday", "sunday"))
    shifts = sunday.shifts(datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC))
    assert [start.hour for start, _ in shifts] == [14, 13]  # clocks are put forward in the night to Sunday


def test_shifts_over_midnight_that_touch_are_one() -> None:
    night = hours("UTC", "22:00", "06:00", (*WEEK, "saturday", "sunday"))
    assert len(night.shifts(at(0), at(24))) == 2
    day_and_night = hours("UTC", "00:00", "00:00", (*WEEK, "saturday", "sunday"))
    assert len(day_and_night.shifts(at(0), at(24))) == 1


def test_a_shift_that_begins_in_a_gap_of_the_clock_begins_with_the_change() -> None:
    early = hours("America/New_York", "02:30", "10:00", ("sunday",))
    [(start, _)] = early.shifts(datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC))
    assert start == datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_no_time_left_no_common_hours_and_who_is_in_the_way_are_told_apart() -> None:
    assert ask(person("a"), begin=8, end=8.5).no_time_left
    assert find_times(Question(at(8), at(9), HOUR, at(8.5), [person("a")])).no_time_left
    tokyo, london = hours("Asia/Tokyo"), hours("America/Los_Angeles")
    assert ask(person("a", hours=tokyo), person("b", hours=london), begin=0, end=24).no_common_hours
    assert ask(person("a", hours=hours("UTC", "09:00", "10:00")), minutes=90).no_common_hours
    found = ask(person("a", block(8, 18)), person("b", block(8, 9)))
    assert found.blocking[0].address == "a@company.com"
    assert found.blocking[1].share == 0


def test_a_slot_may_run_over_midnight_only_where_hours_join() -> None:
    day = hours("UTC", "00:00", "00:00", ("monday", "tuesday"))
    assert 23.5 in starts(ask(person("a", block(0, 23.5), hours=day), begin=0, end=25, most=20))


# --- brute force


def brute_force(question: Question) -> list[tuple[bool, bool, int, datetime]]:
    """Every start that the rules allow, ranked; minute by minute and person by person, as slow as it is plain."""
    everybody = (*question.required, *question.optional, *question.rooms)
    ends = {b.end for p in everybody for b in p.blocks if b.start < b.end}
    begin = max(question.begin, question.now)
    if begin.second or begin.microsecond:
        begin = begin.replace(second=0, microsecond=0) + MINUTE

    def works(p: PersonSchedule, minute: datetime) -> bool:
        if p.hours is None:
            return True
        local = minute.astimezone(ZoneInfo(p.hours.zone_name)).replace(tzinfo=None)
        days = [local.date() - timedelta(days=n) for n in (0, 1)]
        return any(
            day.weekday() in p.hours.days
            and datetime.combine(day, p.hours.opens)
            <= local
            < datetime.combine(day if p.hours.closes > p.hours.opens else day + timedelta(days=1), p.hours.closes)
            for day in days
        )

    open_minutes: dict[datetime, bool] = {}

    def all_work(minute: datetime) -> bool:
        if minute not in open_minutes:
            open_minutes[minute] = not question.working_hours or all(works(p, minute) for p in question.required)
        return open_minutes[minute]

    def statuses(p: PersonSchedule, start: datetime) -> set[str]:
        return {b.status for b in p.blocks if b.start < start + question.duration and b.end > start and b.start < b.end}

    found: list[tuple[bool, bool, int, datetime]] = []
    start = begin
    while start + question.duration <= question.end:
        edge = start == begin if begin == question.begin else False
        left_edge = all_work(start) and (edge or (start > begin and not all_work(start - MINUTE)))
        if start.minute % 15 == 0 or start in ends or left_edge:
            minutes = int(question.duration / MINUTE)
            if all(all_work(start + n * MINUTE) for n in range(minutes)):
                taken = any(statuses(p, start) & {"busy", "oof"} for p in question.required)
                if not taken:
                    unsure = any(statuses(p, start) & {"tentative", "unknown"} for p in question.required)
                    free_rooms = [r for r in question.rooms if not statuses(r, start) - {"workingElsewhere"}]
                    conflicts = sum(bool(statuses(p, start) & {"busy", "oof"}) for p in question.optional)
                    found.append((unsure, bool(question.rooms) and not free_rooms, conflicts, start))
        start += MINUTE
    return sorted(found)


def made_up(seed: int) -> Question:
    """A question about people in many zones, around a change of clocks, with whole days and hours of all kinds."""
    dice = random.Random(seed)  # noqa: S311 - made-up calendars, the same in every run
    begin = datetime(2026, dice.choice([3, 10, 6]), dice.randint(5, 28), dice.randint(0, 23), tzinfo=UTC)
    days = dice.choice([1, 2, 3, 5])

    def somebody(name: str) -> PersonSchedule:
        blocks: list[Block] = []
        for _ in range(dice.randint(0, 14)):
            start = begin + timedelta(minutes=dice.randrange(-600, days * 1440))
            length = dice.choice([0, 5, 15, 30, 45, 60, 90, 240])
            if dice.random() < 0.1:
                zone = ZoneInfo(dice.choice(ZONES))
                midnight = datetime.combine(start.date(), time(), tzinfo=zone)
                start, length = midnight.astimezone(UTC), 1440
            kinds: list[Status] = ["busy", "busy", "busy", "oof", "tentative", "unknown", "workingElsewhere"]
            status = dice.choice(kinds)
            blocks.append(Block(start, start + timedelta(minutes=length), status))
        given = None
        if dice.random() < 0.7:
            opens, closes = dice.choice(
                [("09:00", "17:00"), ("08:30", "18:00"), ("22:00", "06:00"), ("00:00", "00:00")]
            )
            given = hours(dice.choice(ZONES), opens, closes, (*WEEK, *dice.choice([(), ("saturday", "sunday")])))
        return PersonSchedule(f"{name}@company.com", tuple(blocks), given)

    return Question(
        begin=begin,
        end=begin + timedelta(days=days, minutes=dice.choice([0, 7, 30])),
        duration=timedelta(minutes=dice.choice([5, 25, 30, 60, 90, 180])),
        now=begin + timedelta(minutes=dice.choice([-60, 0, 17, 200]), seconds=dice.choice([0, 3])),
        required=[somebody(f"r{n}") for n in range(dice.randint(1, 4))],
        optional=[somebody(f"o{n}") for n in range(dice.randint(0, 3))],
        rooms=[somebody(f"room{n}") for n in range(dice.choice([0, 0, 2]))],
        working_hours=dice.random() < 0.6,
        most=dice.randint(1, 20),
    )


@pytest.mark.parametrize("seed", range(150))
def test_what_is_suggested_is_what_a_brute_force_finds(seed: int) -> None:
    question = made_up(seed)
    every = brute_force(question)
    found = find_times(question)
    ranks = {start: rank for *rank, start in every}
    assert len(found.suggestions) == min(question.most, len(every))
    classes = [tuple(ranks[suggestion.start]) for suggestion in found.suggestions]
    assert classes == sorted(classes)
    # each class is emptied before the next one is begun
    for rank in set(classes[:-1]) - {classes[-1]} if classes else set():
        assert classes.count(rank) == sum(tuple(each[:3]) == rank for each in every)
    if every:
        assert found.suggestions[0].start == every[0][3]
    for suggestion in found.suggestions:
        assert suggestion.end - suggestion.start == question.duration


def test_twenty_people_over_62_days_are_searched_as_the_brute_force_does() -> None:
    dice = random.Random(7)  # noqa: S311 - made-up calendars, the same in every run
    people = []
    for n in range(20):
        blocks = []
        for _ in range(120):
            start = MONDAY + timedelta(minutes=15 * dice.randrange(0, 62 * 96))
            blocks.append(Block(start, start + timedelta(minutes=dice.choice([30, 60, 120])), "busy"))
        people.append(PersonSchedule(f"p{n}@company.com", tuple(blocks), hours(dice.choice(["Europe/London", "UTC"]))))
    question = Question(MONDAY, MONDAY + timedelta(days=62), HOUR, MONDAY, people, most=20)
    every = brute_force(question)
    found = find_times(question)
    assert len(found.suggestions) == min(20, len(every))
    assert {s.start for s in found.suggestions} <= {start for *_, start in every}


def test_time_grows_no_faster_than_blocks_times_people() -> None:
    def seconds(people: int, blocks: int) -> float:
        dice = random.Random(people)  # noqa: S311 - made-up calendars, the same in every run
        everybody = []
        for n in range(people):
            taken = []
            for _ in range(blocks):
                start = MONDAY + timedelta(minutes=dice.randrange(0, 62 * 1440))
                taken.append(Block(start, start + timedelta(minutes=20), "tentative"))
            everybody.append(PersonSchedule(f"p{n}@company.com", tuple(taken)))
        question = Question(MONDAY, MONDAY + timedelta(days=62), HOUR, MONDAY, everybody)
        best = float("inf")
        for _ in range(3):
            begin = clock_time.perf_counter()
            find_times(question)
            best = min(best, clock_time.perf_counter() - begin)
        return best

    small, large = seconds(10, 100), seconds(40, 400)
    assert large / small < 16 * 3


def test_the_window_of_a_date_that_has_no_working_day_says_so() -> None:
    saturday = datetime.combine(date(2026, 4, 11), time(), tzinfo=UTC)
    question = Question(saturday, saturday + timedelta(days=1), HOUR, MONDAY, [person("a", hours=hours("UTC"))])
    assert find_times(question).no_common_hours

"""outlook_find_meeting_times over the sandbox's getSchedule: everybody's blocks and hours, each in their own zone."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any

import pytest

from scalekit_mcp.errors import InvalidInput, MailboxUnavailable, PermissionMissing, ProviderUnavailable
from scalekit_mcp.sandbox import Sandbox
from tests.support.microsoft import SignedIn, signed_in

FIND = "outlook_find_meeting_times"
DANA, ALICE, BOB, NORA = "dana@company.com", "alice@company.com", "bob@company.com", "nora@company.com"
PAT, LISBON, OSLO = "pat@outlook.example", "lisbon@company.com", "oslo@company.com"
DAY = {
    "start_datetime": "2026-04-01T08:00:00",
    "end_datetime": "2026-04-01T18:00:00",
    "timezone": "UTC",
    "duration_minutes": 60,
}


def at(hour: int, minute: int = 0, day: int = 1) -> datetime:
    return datetime(2026, 4, day, hour, minute)  # noqa: DTZ001 - the zone stands beside it


@asynccontextmanager
async def free_people(*addresses: str, me: str = DANA, **options: Any) -> AsyncGenerator[SignedIn]:
    """The user and others with empty calendars, who work from 8 to 18 in UTC."""
    box = Sandbox(week_of=date(2026, 3, 30))
    async with signed_in(box, me, **options) as user:
        for address in (me, *addresses):
            box.scheduling.clear_calendar(address)
            box.scheduling.set_working_hours(address, "08:00", "18:00", time_zone="UTC")
        yield user


async def find(me: SignedIn, **arguments: Any) -> dict[str, Any]:
    return await me.schedule(FIND, **{**DAY, **arguments})


def starts(answer: dict[str, Any]) -> list[str]:
    return [suggestion["start"]["dateTime"][11:16] for suggestion in answer["suggestions"]]


def asked(me: SignedIn) -> int:
    return sum(request.path.endswith("/getSchedule") for request in me.received("POST"))


async def test_the_first_times_at_which_all_are_free_are_suggested_with_everybodys_availability() -> None:
    async with free_people(ALICE, BOB) as me:
        me.sandbox.scheduling.add_busy(ALICE, at(8), at(10), time_zone="UTC")
        me.sandbox.scheduling.add_busy(DANA, at(11), at(12), time_zone="UTC")
        me.sandbox.scheduling.add_busy(BOB, at(13), at(14), "workingElsewhere", time_zone="UTC")
        answer = await find(me, attendees=f"{ALICE}, {BOB}", max_results=3)
        assert starts(answer) == ["10:00", "12:00", "13:00"]
        assert answer["suggestions"][2]["availability"] == {DANA: "free", ALICE: "free", BOB: "workingElsewhere"}
        assert answer["suggestions"][0]["end"] == {"dateTime": "2026-04-01T11:00:00", "timeZone": "UTC"}
        assert answer["now"]["timeZone"] == "UTC"
        assert "reason" not in answer
        assert asked(me) == 1


async def test_working_hours_are_those_of_each_persons_own_zone_and_can_be_left_out() -> None:
    async with free_people(ALICE) as me:
        me.sandbox.scheduling.set_working_hours(ALICE, "09:00", "17:00", time_zone="Eastern Standard Time")
        assert starts(await find(me, attendees=ALICE, max_results=20))[0] == "13:00"
        assert starts(await find(me, attendees=ALICE, working_hours=False))[0] == "08:00"


@pytest.mark.parametrize("rules", ["custom", "name"])
async def test_a_zone_given_by_its_rules_is_understood_across_a_change_of_clocks(rules: str) -> None:
    async with free_people(ALICE) as me:
        for week, first in (("2026-03-06", "14:00"), ("2026-03-10", "13:00")):
            me.clock.at = me.clock.at.replace(month=3, day=1)
            me.sandbox.scheduling.set_working_hours(
                ALICE,
                "09:00",
                "17:00",
                time_zone="America/New_York",
                zone_rules=rules,  # type: ignore[arg-type] - a name of the parametrization
            )
            window = {"start_datetime": f"{week}T08:00:00", "end_datetime": f"{week}T18:00:00"}
            assert starts(await find(me, attendees=ALICE, **window))[0] == first


async def test_rules_that_contradict_themselves_stand_for_winter_time_and_it_is_said() -> None:
    async with free_people(ALICE) as me:
        me.sandbox.scheduling.set_working_hours(
            ALICE, "09:00", "17:00", time_zone="America/New_York", zone_rules="swapped"
        )
        answer = await find(me, attendees=ALICE)
        assert any("odd rules" in note for note in answer["notes"]), answer.get("notes")


@pytest.mark.parametrize(
    ("shows", "error", "word"),
    [
        ("nothing", None, "does not say"),
        ("no_entry", None, "leaves this address out"),
        ("availability", "5009", "Not available"),
        ("availability", "5016", "Not available"),
    ],
)
async def test_somebody_who_cannot_be_read_is_unknown_and_never_free(shows: Any, error: str | None, word: str) -> None:
    async with free_people(ALICE, BOB) as me:
        me.sandbox.scheduling.share_schedule(ALICE, shows, error)
        me.sandbox.scheduling.add_busy(BOB, at(8), at(9), time_zone="UTC")
        answer = await find(me, attendees=[ALICE, BOB])
        assert {suggestion["availability"][ALICE] for suggestion in answer["suggestions"]} == {"unknown"}
        assert starts(answer)[0] == "09:00"
        assert any(ALICE in warning and word in warning for warning in answer["warnings"]), answer["warnings"]


async def test_an_address_that_microsoft_does_not_know_is_named_with_its_words() -> None:
    async with free_people() as me:
        answer = await find(me, attendees="nobody@company.com")
        assert answer["suggestions"][0]["availability"]["nobody@company.com"] == "unknown"
        assert any("nobody@company.com" in warning for warning in answer["warnings"])


async def test_somebody_who_shares_only_the_view_is_taken_where_the_view_says_so() -> None:
    async with free_people(ALICE) as me:
        me.sandbox.scheduling.add_busy(ALICE, at(8), at(12), time_zone="UTC")
        me.sandbox.scheduling.share_schedule(ALICE, "view")
        assert starts(await find(me, attendees=ALICE))[0] == "12:00"


async def test_tentative_people_rank_below_free_ones_and_optional_ones_never_forbid() -> None:
    async with free_people(ALICE, BOB) as me:
        me.sandbox.scheduling.add_busy(ALICE, at(8), at(17), "tentative", time_zone="UTC")
        me.sandbox.scheduling.add_busy(BOB, at(8), at(18), time_zone="UTC")
        answer = await find(me, attendees=ALICE, attendees_optional=BOB, max_results=2)
        assert starts(answer) == ["17:00", "08:00"]
        assert answer["suggestions"][1]["availability"] == {DANA: "free", ALICE: "tentative", BOB: "busy"}


async def test_a_free_room_is_named_and_times_without_one_come_last() -> None:
    async with free_people(LISBON, OSLO) as me:
        me.sandbox.scheduling.add_busy(LISBON, at(8), at(10), time_zone="UTC")
        me.sandbox.scheduling.add_busy(OSLO, at(8), at(18), time_zone="UTC")
        answer = await find(me, rooms=[LISBON, OSLO], max_results=1)
        assert starts(answer) == ["10:00"]
        assert answer["suggestions"][0]["rooms"] == [LISBON]
        me.sandbox.scheduling.add_busy(LISBON, at(10), at(18), time_zone="UTC")
        assert (await find(me, rooms=[LISBON, OSLO], max_results=1))["suggestions"][0]["rooms"] == []


async def test_without_a_time_the_reason_says_who_is_in_the_way() -> None:
    async with free_people(ALICE, BOB) as me:
        me.sandbox.scheduling.add_busy(ALICE, at(8), at(18), time_zone="UTC")
        answer = await find(me, attendees=[ALICE, BOB])
        assert answer["suggestions"] == []
        assert f"{ALICE} (100%)" in answer["reason"]
        assert BOB not in answer["reason"]


async def test_without_common_hours_the_reason_says_when_each_works() -> None:
    async with free_people(ALICE) as me:
        me.sandbox.scheduling.set_working_hours(ALICE, "20:00", "23:00", time_zone="UTC")
        answer = await find(me, attendees=ALICE, end_datetime="2026-04-02T00:00:00")
        assert f"{ALICE}: 20:00 to 23:00 UTC" in answer["reason"]
        assert "working_hours=false" in answer["reason"]


async def test_nothing_is_suggested_for_the_past() -> None:
    async with free_people() as me:
        me.clock.at = me.clock.at.replace(month=4, day=1, hour=14, minute=5)
        assert starts(await find(me))[0] == "14:15"
        me.clock.at = me.clock.at.replace(hour=17, minute=30)
        assert "too short or past" in (await find(me))["reason"]


async def test_forty_people_are_asked_for_in_parts_of_twenty() -> None:
    async with free_people() as me:
        people = [f"p{number}@company.com" for number in range(39)]
        for address in people:
            me.sandbox.add_person(address)
            me.sandbox.scheduling.clear_calendar(address)
        answer = await find(me, attendees=people)
        assert asked(me) == 2
        assert set(answer["suggestions"][0]["availability"].values()) == {"free"}


async def test_62_days_over_a_change_of_clocks_are_asked_for_in_two_halves() -> None:
    async with free_people() as me:
        window = {"start_datetime": "2026-09-15T00:00:00", "end_datetime": "2026-11-16T00:00:00"}
        answer = await find(me, timezone="America/New_York", working_hours=False, max_results=1, **window)
        assert starts(answer) == ["00:00"]
        assert asked(me) == 2


async def test_somebody_with_too_many_entries_is_read_in_shorter_windows() -> None:
    async with free_people(ALICE) as me:
        me.sandbox.behaviour("most_schedule_entries", 10)
        for hour in range(8, 17):
            for minute in (0, 30):
                me.sandbox.scheduling.add_busy(ALICE, at(hour, minute), at(hour, minute + 15), time_zone="UTC")
        answer = await find(me, attendees=ALICE)
        assert starts(answer)[0] == "16:45"
        assert "warnings" not in answer


@pytest.mark.parametrize("value", [{"schedule_status": "title"}, {"schedule_order": "reversed"}])
async def test_microsofts_other_ways_to_answer_are_understood(value: dict[str, Any]) -> None:
    async with free_people(ALICE, BOB) as me:
        for name, setting in value.items():
            me.sandbox.behaviour(name, setting)
        me.sandbox.scheduling.add_busy(ALICE, at(8), at(10), time_zone="UTC")
        assert starts(await find(me, attendees=[ALICE, BOB]))[0] == "10:00"


async def test_an_all_day_event_covers_the_day_of_the_zone_it_was_made_in() -> None:
    async with free_people(ALICE) as me:
        me.sandbox.scheduling.add_busy(ALICE, at(0, day=1), at(0, day=2), time_zone="Asia/Tokyo")
        answer = await find(me, attendees=ALICE, working_hours=False, max_results=1)
        assert starts(answer) == ["15:00"]  # midnight in Tokyo


async def test_a_personal_account_sees_its_own_time_and_says_that_others_are_unknown() -> None:
    async with free_people(me=PAT) as me:
        await me.create(
            subject="Dentist",
            start_datetime="2026-04-01T08:00:00",
            start_timezone="UTC",
            end_datetime="2026-04-01T10:00:00",
            end_timezone="UTC",
        )
        answer = await find(me, attendees=ALICE, max_results=1)
        assert asked(me) == 0
        assert starts(answer) == ["10:00"]
        assert answer["suggestions"][0]["availability"] == {PAT: "free", ALICE: "unknown"}
        assert any("personal" in warning for warning in answer["warnings"])


async def test_people_who_fail_to_be_read_are_unknown_while_others_were_read() -> None:
    async with free_people() as me:
        people = [f"p{number}@company.com" for number in range(39)]
        for address in people:
            me.sandbox.add_person(address)
            me.sandbox.scheduling.clear_calendar(address)
        me.sandbox.graph_error(503, times=4, path_contains="getSchedule")
        answer = await find(me, attendees=people)
        assert set(answer["suggestions"][0]["availability"].values()) <= {"unknown", "free"}


async def test_where_nobody_can_be_read_the_call_fails_as_the_service_did() -> None:
    async with free_people(ALICE) as me:
        me.sandbox.graph_error(503, times=50, path_contains="getSchedule")
        with pytest.raises((ProviderUnavailable, MailboxUnavailable)):
            await find(me, attendees=ALICE)


async def test_a_missing_permission_is_said_as_such() -> None:
    async with free_people(ALICE) as me:
        me.sandbox.graph_error(403, code="ErrorAccessDenied", times=1, path_contains="getSchedule")
        with pytest.raises(PermissionMissing):
            await find(me, attendees=ALICE)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"end_datetime": "2026-06-10T08:00:00"}, "end_datetime"),
        ({"end_datetime": "2026-04-01T08:00:00"}, "end_datetime"),
        ({"end_datetime": "2026-04-01"}, "end_datetime"),
        ({"end_datetime": "2026-04-01T08:30:00"}, "end_datetime"),
        ({"duration_minutes": 4}, "duration_minutes"),
        ({"attendees": "alice"}, "attendees"),
        ({"timezone": "EST5"}, "timezone"),
    ],
)
async def test_what_cannot_be_asked_is_refused_by_name_before_anything_is_sent(
    arguments: dict[str, Any], field: str
) -> None:
    async with free_people() as me:
        with pytest.raises(InvalidInput) as refused:
            await find(me, **arguments)
        assert refused.value.details["field"] == field
        assert asked(me) == 0


async def test_the_user_and_people_named_twice_count_once() -> None:
    async with free_people(ALICE) as me:
        answer = await find(me, attendees=[ALICE, DANA, "Alice@Company.com"], attendees_optional=ALICE)
        assert answer["suggestions"][0]["availability"] == {DANA: "free", ALICE: "free"}

"""outlook_get_free_busy_schedule over the sandbox's getSchedule."""

from __future__ import annotations

from typing import Any

import pytest

from scalekit_mcp.tools import parse_arguments
from tests.scheduling.test_meeting_times import ALICE, BOB, at, free_people
from tests.support.microsoft import SignedIn

SHOW = "outlook_get_free_busy_schedule"
DAY = {"start_datetime": "2026-04-01T08:00:00", "end_datetime": "2026-04-01T18:00:00", "timezone": "UTC"}


async def show(me: SignedIn, people: Any, **arguments: Any) -> list[dict[str, Any]]:
    return (await me.schedule(SHOW, people=people, **{**DAY, **arguments}))["value"]


async def test_what_is_taken_is_shown_in_the_asked_zone_with_the_hours_of_each_person() -> None:
    async with free_people(ALICE, BOB) as me:
        me.sandbox.scheduling.add_busy(ALICE, at(9), at(10), time_zone="UTC")
        me.sandbox.scheduling.add_busy(ALICE, at(14), at(15), "oof", time_zone="UTC")
        alice, bob = await show(
            me,
            [ALICE, BOB],
            start_datetime="2026-04-01T04:00:00",
            end_datetime="2026-04-01T14:00:00",
            timezone="America/New_York",
        )
        assert alice == {
            "address": ALICE,
            "busy": [
                {"status": "busy", "start": "2026-04-01T05:00:00", "end": "2026-04-01T06:00:00"},
                {"status": "oof", "start": "2026-04-01T10:00:00", "end": "2026-04-01T11:00:00"},
            ],
            "working_hours": {
                "days": ["monday", "tuesday", "wednesday", "thursday", "friday"],
                "start": "08:00",
                "end": "18:00",
                "timeZone": "UTC",
            },
        }
        assert (bob["address"], bob["busy"]) == (BOB, [])


async def test_blocks_that_touch_are_one_unless_they_show_a_subject() -> None:
    async with free_people(ALICE) as me:
        for hour in (9, 10, 11):
            me.sandbox.scheduling.add_busy(ALICE, at(hour), at(hour + 1), subject="Deep\u202e work", time_zone="UTC")
        [alice] = await show(me, ALICE)
        assert [(block["start"][11:16], block["end"][11:16]) for block in alice["busy"]] == [("09:00", "12:00")]
        me.sandbox.scheduling.share_schedule(ALICE, "details")
        [alice] = await show(me, ALICE)
        assert [block["subject"] for block in alice["busy"]] == ["Deep\ufffd work"] * 3


async def test_a_block_keeps_its_real_start_where_it_reaches_out_of_the_window() -> None:
    async with free_people(ALICE) as me:
        me.sandbox.scheduling.add_busy(ALICE, at(6), at(9), time_zone="UTC")
        [alice] = await show(me, ALICE)
        assert alice["busy"][0]["start"] == "2026-04-01T06:00:00"


async def test_somebody_who_cannot_be_read_says_why_and_is_not_known_to_be_free() -> None:
    async with free_people(ALICE) as me:
        me.sandbox.scheduling.share_schedule(ALICE, error="5016", message="Proxy web request failed.")
        [alice] = await show(me, ALICE)
        assert "Proxy web request failed." in alice["error"]
        assert [block["status"] for block in alice["busy"]] == ["unknown"]


@pytest.mark.parametrize("order", ["asked", "reversed"])
async def test_whom_microsoft_answers_under_another_address_is_known(order: str) -> None:
    async with free_people(ALICE, BOB) as me:
        me.sandbox.behaviour("schedule_id", "mailbox")
        me.sandbox.behaviour("schedule_order", order)
        for address, alias, hour in ((ALICE, "a.moreau@company.com", 9), (BOB, "robert@company.com", 13)):
            me.sandbox.scheduling.add_alias(address, alias)
            me.sandbox.scheduling.add_busy(address, at(hour), at(hour + 1), time_zone="UTC")
        shown = await show(me, ["robert@company.com", ALICE, "a.moreau@company.com", "nobody@company.com"])
        assert [row["address"] for row in shown] == [
            *("robert@company.com", ALICE, "a.moreau@company.com", "nobody@company.com"),
        ]
        assert [[block["start"][11:16] for block in row["busy"]] for row in shown[:3]] == [
            ["13:00"],
            ["09:00"],
            ["09:00"],
        ]
        assert all("error" not in row for row in shown[:3])
        assert "error" in shown[3]


async def test_an_answer_about_somebody_else_alone_is_taken_for_nobody_who_was_answered_too() -> None:
    async with free_people(ALICE, BOB) as me:
        me.sandbox.scheduling.share_schedule(BOB, "no_entry")
        [_, bob] = await show(me, [ALICE, BOB])
        assert "leaves this address out" in bob["error"]
        assert len([request for request in me.received("POST") if request.path.endswith("getSchedule")]) == 1


async def test_a_private_event_shows_no_subject() -> None:
    async with free_people(ALICE) as me:
        me.sandbox.scheduling.share_schedule(ALICE, "details")
        me.sandbox.scheduling.add_busy(ALICE, at(9), at(10), subject="Doctor", private=True, time_zone="UTC")
        [alice] = await show(me, ALICE)
        assert "subject" not in alice["busy"][0]


async def test_an_answer_that_would_be_too_long_for_a_model_is_cut_per_person_and_says_so() -> None:
    async with free_people(ALICE, BOB) as me:
        me.sandbox.scheduling.share_schedule(ALICE, "details")
        for day in range(1, 29):
            for hour in range(8, 18):
                me.sandbox.scheduling.add_busy(
                    ALICE, at(hour, day=day), at(hour, 45, day=day), subject="x" * 200, time_zone="UTC"
                )
        window = {**DAY, "end_datetime": "2026-04-30T18:00:00"}
        arguments = parse_arguments(SHOW, {"people": f"{ALICE},{BOB}", **window}).with_limit(20_000)
        answer = (await me.scheduling.run(arguments)).result
        assert len(str(answer)) < 22_000
        assert any(ALICE in warning and "too long" in warning for warning in answer["warnings"])
        assert answer["value"][1]["address"] == BOB

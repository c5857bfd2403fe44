"""`only_if_free`: what stands in the way of an event, what does not, and that nothing is written or mailed then."""

from datetime import date
from typing import Any

import pytest

from scalekit_mcp.calendar.events.series_dates import dates_of
from scalekit_mcp.errors import Conflict
from scalekit_mcp.tools import Recurrence, parse_arguments
from tests.microsoft.test_calendar_update import STANDUP, ZONE, at, occurrences, sandbox
from tests.support.microsoft import SignedIn, signed_in

TEN = at("2026-04-01", "10:00:00", "11:00:00")
REVIEW: dict[str, Any] = {"subject": "Review", **TEN}
NEW: dict[str, Any] = {"subject": "New", "attendees_required": "alice@company.com", "only_if_free": True}
ALL_DAY = {"isAllDay": True, **at("2026-04-01", "00:00:00", "00:00:00")} | {"end_datetime": "2026-04-02T00:00:00"}


async def refused(me: SignedIn, **arguments: Any) -> list[str]:
    """The subjects in the way of a create; nothing was written and nobody was mailed."""
    before = len(me.received("POST"))
    mails = len(me.sandbox.world.mails)
    with pytest.raises(Conflict) as conflict:
        await me.create(**NEW, **arguments)
    assert len(me.received("POST")) == before
    assert len(me.sandbox.world.mails) == mails
    assert conflict.value.details["field"] == "only_if_free"
    return [row["subject"] for row in conflict.value.details["conflicts"]]


async def test_an_event_in_the_way_refuses_the_create_and_is_named() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**REVIEW)
        with pytest.raises(Conflict) as conflict:
            await me.create(**NEW, **at("2026-04-01", "17:30:00", "18:30:00", "Europe/Berlin"))
        assert conflict.value.details["conflicts"] == [
            {
                "subject": "Review",
                "start": {"dateTime": "2026-04-01T17:00:00.0000000", "timeZone": "Europe/Berlin"},
                "end": {"dateTime": "2026-04-01T18:00:00.0000000", "timeZone": "Europe/Berlin"},
            }
        ]
        assert "'Review', 2026-04-01T17:00 to 2026-04-01T18:00" in conflict.value.message


@pytest.mark.parametrize("hours", [("09:00:00", "10:00:00"), ("11:00:00", "12:00:00")])
async def test_what_only_touches_the_event_does_not_stand_in_its_way(hours: tuple[str, str]) -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**REVIEW)
        assert (await me.create(**NEW, **at("2026-04-01", *hours)))["told"] == ["alice@company.com"]


@pytest.mark.parametrize("shown", ["tentative", "busy", "oof", "workingElsewhere"])
async def test_whatever_is_not_free_stands_in_the_way(shown: str) -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**REVIEW, showAs=shown)
        assert await refused(me, **TEN) == ["Review"]


async def test_free_cancelled_and_declined_events_do_not_stand_in_the_way() -> None:
    same = sandbox()
    same.world.switches.declined = "kept"
    async with signed_in(same, "alice@company.com") as alice, signed_in(same) as me:
        await me.create(**REVIEW, showAs="free")
        cancelled = await alice.create(**REVIEW, attendees_required="dana@company.com")
        await alice.delete(cancelled["id"])
        await alice.create(**{**REVIEW, "subject": "Declined"}, attendees_required="dana@company.com")
        mine = next(row for row in await occurrences(me) if row["subject"] == "Declined")
        await me.graph("POST", f"/me/events/{mine['id']}/decline", {})
        await me.create(**NEW, **TEN)


async def test_an_invitation_that_was_not_answered_stands_in_the_way() -> None:
    same = sandbox()
    async with signed_in(same, "alice@company.com") as alice, signed_in(same) as me:
        await alice.create(**REVIEW, attendees_required="dana@company.com")
        assert await refused(me, **TEN) == ["Review"]


async def test_whole_days_are_compared_by_dates() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(subject="Leave", showAs="oof", **ALL_DAY)
        # 23:30 in Chicago is the next day in UTC, where all-day events lie.
        assert await refused(me, **at("2026-04-01", "23:00:00", "23:30:00")) == ["Leave"]
        assert await refused(me, **ALL_DAY) == ["Leave"]
        await me.create(**NEW, **at("2026-03-31", "19:00:00", "20:00:00"))
        await me.create(**NEW, **at("2026-04-02", "00:00:00", "01:00:00"))


async def test_an_event_of_a_whole_day_meets_the_events_of_that_day_in_its_zone() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(subject="Late", **at("2026-04-01", "23:00:00", "23:30:00"))
        assert await refused(me, **ALL_DAY) == ["Late"]


async def test_every_date_of_a_series_is_looked_at_in_one_request() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(subject="Dentist", **at("2026-05-11", "09:15:00", "09:45:00"))
        series = {name: value for name, value in STANDUP.items() if name != "subject"}
        assert await refused(me, **series) == ["Dentist"]
        assert len(me.received("GET")) == 1
        await me.create(
            **NEW, **{**series, "recurrence_days_of_week": "tuesday", **at("2026-04-07", "09:00:00", "09:30:00")}
        )


async def test_the_calendar_that_is_named_is_looked_at() -> None:
    async with signed_in(box := sandbox()) as me:
        box.add_calendar(me.address, "Team calendar")
        await me.create(**REVIEW, calendar_id="Team calendar")
        assert await refused(me, **TEN, calendar_id="team calendar") == ["Review"]
        await me.create(**NEW, **TEN)


async def test_more_events_than_are_listed_are_said_to_be_there() -> None:
    async with signed_in(sandbox()) as me:
        for number in range(7):
            await me.create(**{**REVIEW, "subject": f"Review {number}"})
        assert len(await refused(me, **TEN)) == 5


async def test_a_repeat_under_its_own_key_does_not_stand_in_its_own_way() -> None:
    async with signed_in(sandbox()) as me:
        for arguments in (TEN, {name: value for name, value in STANDUP.items() if name != "subject"}):
            key = str(len(arguments))
            first = await me.create(**NEW, **arguments, transaction_id=key)
            assert (await me.create(**NEW, **arguments, transaction_id=key))["id"] == first["id"]


async def test_update_looks_at_the_new_time_and_leaves_the_event_itself_out() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**REVIEW)
        event = await me.create(subject="Mine", **at("2026-04-01", "12:00:00", "13:00:00"))
        await me.update(event["id"], **at("2026-04-01", "12:30:00", "13:30:00"), only_if_free=True)
        with pytest.raises(Conflict) as conflict:
            await me.update(event["id"], start_datetime="2026-04-01T10:30:00", start_timezone=ZONE, only_if_free=True)
        assert [row["subject"] for row in conflict.value.details["conflicts"]] == ["Review"]
        assert len(me.received("PATCH")) == 1


@pytest.mark.parametrize("apply_to", [None, "following"])
@pytest.mark.parametrize("calendar", [None, "Private"], ids=["in the default calendar", "in the event's calendar"])
async def test_a_move_looks_at_the_calendar_of_the_event_and_at_the_default_one(
    calendar: str | None, apply_to: str | None
) -> None:
    async with signed_in(sandbox()) as me:
        other = {} if calendar is None else {"calendar_id": calendar}
        await me.create(**{**REVIEW, **at("2026-04-27", "15:00:00", "16:00:00")}, **other)
        await me.create(**STANDUP, calendar_id="Private")
        rows = await me.calendar.run(
            parse_arguments(
                "outlook_list_calendar_events",
                {"start_datetime": "2026-04-20T00:00:00", "end_datetime": "2026-05-01T00:00:00", "timezone": ZONE}
                | {"calendar_id": "Private", "filter": "subject eq 'Weekly Team Standup'"},
            )
        )
        date_of_it = next(row["id"] for row in rows["value"] if row["start"]["dateTime"].startswith("2026-04-27"))
        move = {**at("2026-04-27", "15:30:00", "16:30:00"), "only_if_free": True, "apply_to": apply_to}
        with pytest.raises(Conflict) as conflict:
            await me.update(date_of_it, **move)
        assert [row["subject"] for row in conflict.value.details["conflicts"]] == ["Review"]
        assert me.received("PATCH") == []
        free = {**move, **at("2026-04-27", "17:00:00", "18:00:00")}
        assert (await me.update(date_of_it, **free))["start"]["dateTime"].startswith("2026-04-27T17")


async def test_where_the_calendar_of_an_event_cannot_be_found_the_default_one_is_looked_at_and_that_is_said() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**REVIEW, calendar_id="Private")
        me.sandbox.graph_error(403, "ErrorAccessDenied", path_contains="/me/calendars", times=9)
        moved = await me.update(event["id"], **at("2026-04-01", "12:00:00", "13:00:00"), only_if_free=True)
        assert any("default calendar alone" in warning for warning in moved["warnings"])


async def test_the_dates_of_a_series_do_not_stand_in_its_way() -> None:
    async with signed_in(sandbox()) as me:
        series = await me.create(**STANDUP)
        await me.create(subject="Dentist", **at("2026-05-11", "10:15:00", "10:45:00"))
        await me.update(series["id"], **at("2026-04-06", "09:10:00", "09:40:00"), only_if_free=True)
        second = (await occurrences(me))[1]
        await me.update(second["id"], **at("2026-04-13", "09:20:00", "09:50:00"), only_if_free=True)
        moved = at("2026-04-06", "10:00:00", "10:30:00")
        with pytest.raises(Conflict) as conflict:
            await me.update(series["id"], **moved, only_if_free=True, discard_exceptions=True)
        assert [row["subject"] for row in conflict.value.details["conflicts"]] == ["Dentist"]


@pytest.mark.parametrize(
    ("series", "found"),
    [
        (Recurrence(type="daily", interval=3, occurrences=3), ["2026-04-06", "2026-04-09", "2026-04-12"]),
        (
            Recurrence(type="weekly", interval=2, days_of_week=("monday", "friday"), occurrences=4),
            ["2026-04-06", "2026-04-10", "2026-04-20", "2026-04-24"],
        ),
        (
            Recurrence(type="absoluteMonthly", interval=1, day_of_month=6, end_date=date(2026, 6, 5)),
            ["2026-04-06", "2026-05-06"],
        ),
        (
            Recurrence(type="relativeMonthly", interval=1, days_of_week=("monday",), week_index="first", occurrences=2),
            ["2026-04-06", "2026-05-04"],
        ),
    ],
)
def test_the_dates_of_a_series_follow_its_pattern(series: Recurrence, found: list[str]) -> None:
    assert [str(day) for day in dates_of(series, date(2026, 4, 6), date(2027, 4, 6))] == found

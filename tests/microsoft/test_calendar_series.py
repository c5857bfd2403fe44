"""Changes of a series: where its first event goes, which dates it keeps, and what is lost only if that is accepted."""

import json
import re
from datetime import date
from typing import Any

import pytest

from scalekit_mcp.calendar.events.series_dates import vanishing_dates
from scalekit_mcp.errors import Conflict, InvalidInput
from scalekit_mcp.sandbox.world import GraphFault
from scalekit_mcp.tools import Recurrence
from tests.microsoft.test_calendar_update import SPRING, STANDUP, ZONE, at, sandbox
from tests.support.microsoft import SignedIn, signed_in

MONTHLY = {
    **STANDUP,
    "recurrence_type": "absoluteMonthly",
    "recurrence_days_of_week": None,
    "recurrence_range_type": None,
}
RELATIVE = {**MONTHLY, "recurrence_type": "relativeMonthly", "recurrence_days_of_week": "monday"}
YEARLY = {**MONTHLY, "recurrence_type": "absoluteYearly", "recurrence_end_date": "2029-06-30"}
SECOND_TUESDAY = {"recurrence_days_of_week": "tuesday", "recurrence_week_index": "second"}
DAILY = {**MONTHLY, "recurrence_type": "daily"}


async def days(me: SignedIn, subject: str = "Weekly Team Standup", **window: Any) -> list[str]:
    listed = await me.list(**SPRING | window, top=200)
    return [event["start"]["dateTime"][:10] for event in listed["value"] if event["subject"] == subject]


async def occurrence_on(me: SignedIn, day: str) -> str:
    listed = await me.list(**SPRING, top=200)
    return next(event["id"] for event in listed["value"] if event["start"]["dateTime"].startswith(day))


@pytest.mark.parametrize(
    ("series", "change", "first"),
    [
        (STANDUP, {"recurrence_days_of_week": "thursday"}, "2026-04-09"),
        (STANDUP, {"recurrence_days_of_week": "sunday"}, "2026-04-12"),
        (STANDUP, {"recurrence_days_of_week": "tuesday,friday"}, "2026-04-07"),
        (STANDUP, {"recurrence_days_of_week": "wednesday", "recurrence_interval": 2}, "2026-04-08"),
        (MONTHLY, {"recurrence_day_of_month": 20}, "2026-04-20"),
        (MONTHLY, {"recurrence_day_of_month": 1}, "2026-05-01"),
        (RELATIVE, {"recurrence_week_index": "third"}, "2026-04-20"),
        (STANDUP, {"recurrence_type": "relativeMonthly", "recurrence_days_of_week": "friday"}, "2026-04-10"),
    ],
)
async def test_a_recurrence_that_does_not_fit_the_first_event_moves_it_to_the_first_date_that_does(
    series: dict[str, Any], change: dict[str, Any], first: str
) -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**series)
        updated = await me.update(event["id"], **change)
        moved = await me.get(event["id"], timezone=ZONE)
        assert moved["start"]["dateTime"][:16] == f"{first}T09:00"
        assert moved["end"]["dateTime"][:16] == f"{first}T09:30"
        assert updated["recurrence"]["range"]["startDate"] == first
        assert (await days(me))[0] == first
        assert any(first in note and "2026-04-06" in note for note in updated["notes"])
        assert "warnings" not in updated


async def test_a_series_of_whole_days_moves_to_another_weekday_too() -> None:
    async with signed_in(sandbox()) as me:
        whole = {**STANDUP, "isAllDay": True, "start_datetime": "2026-04-06", "end_datetime": "2026-04-07"}
        event = await me.create(**whole)
        updated = await me.update(event["id"], recurrence_days_of_week="friday")
        assert (updated["start"]["dateTime"], updated["end"]["dateTime"]) == ("2026-04-10", "2026-04-11")


async def test_a_new_weekday_with_a_new_end_moves_the_start_along() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**STANDUP)
        longer = {"end_datetime": "2026-04-06T10:00:00", "end_timezone": ZONE}
        updated = await me.update(event["id"], recurrence_days_of_week="thursday", **longer)
        assert updated["start"]["dateTime"][:16] == "2026-04-09T09:00"
        assert updated["end"]["dateTime"][:16] == "2026-04-09T10:00"


async def test_a_weekday_and_a_later_start_that_skip_dates_are_refused_until_their_loss_is_accepted() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**STANDUP)
        change = {"recurrence_days_of_week": "thursday", **at("2026-05-07", "09:00:00", "09:30:00")}
        with pytest.raises(Conflict) as refused:
            await me.update(event["id"], **change)
        assert refused.value.details["field"] == "discard_exceptions"
        assert "2026-04-06" in refused.value.message
        assert "2026-05-07" in refused.value.message
        assert "apply_to=following" in refused.value.next_step
        assert me.received("PATCH") == []
        accepted = await me.update(event["id"], **change, discard_exceptions=True)
        assert any("2026-04-06" in note for note in accepted["notes"])
        assert (await days(me))[0] == "2026-05-07"


@pytest.mark.parametrize(
    ("series", "start"),
    [(STANDUP, "2026-04-13"), (STANDUP, "2026-06-01"), (DAILY, "2026-04-08"), (MONTHLY, "2026-05-06")],
)
async def test_a_later_start_alone_that_skips_dates_is_refused_first(series: dict[str, Any], start: str) -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**series)
        with pytest.raises(Conflict, match="would disappear"):
            await me.update(event["id"], **at(start, "09:00:00", "09:30:00"))
        assert me.received("PATCH") == []


@pytest.mark.parametrize(
    ("kind", "interval", "first", "lost"),
    [
        ("daily", 1, "2026-04-07", True),
        ("daily", 4, "2026-04-07", False),
        ("daily", 4, "2026-04-10", True),
        ("weekly", 1, "2026-04-13", True),
        ("weekly", 2, "2026-04-13", False),
        ("weekly", 2, "2026-04-20", True),
        ("absoluteMonthly", 2, "2026-05-06", False),
        ("absoluteMonthly", 2, "2026-06-06", True),
        ("absoluteYearly", 1, "2027-04-06", True),
        ("absoluteYearly", 2, "2027-04-06", False),
        ("weekly", 1, "2026-04-06", False),
        ("weekly", 1, "2026-03-30", False),
    ],
)
def test_dates_are_lost_only_where_the_series_would_have_had_some_before_its_new_start(
    kind: str, interval: int, first: str, lost: bool
) -> None:
    begins, start = date(2026, 4, 6), date.fromisoformat(first)
    pattern = Recurrence(type=kind, interval=interval).complete(start)
    assert vanishing_dates(pattern, begins, start) == lost


async def test_what_the_refusal_of_lost_dates_offers_instead_works() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**STANDUP)
        await me.update(event["id"], recurrence_end_date="2026-04-30")
        rest = {**STANDUP, **at("2026-05-07", "09:00:00", "09:30:00"), "recurrence_days_of_week": "thursday"}
        await me.create(**rest)
        assert [day for day in await days(me) if day < "2026-05-15"] == [
            "2026-04-06", "2026-04-13", "2026-04-20", "2026-04-27", "2026-05-07", "2026-05-14",
        ]  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        at("2026-04-06", "15:00:00", "15:30:00"),
        at("2026-04-07", "00:00:00", "00:30:00", "Europe/Berlin"),
        {"recurrence_days_of_week": "tuesday", **at("2026-04-07", "09:00:00", "09:30:00")},
    ],
)
async def test_a_move_that_skips_no_date_is_made_without_asking(change: dict[str, Any]) -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**{**STANDUP, **at("2026-04-06", "16:00:00", "16:30:00")})
        if "Europe/Berlin" in change.values():
            change = {**change, "recurrence_days_of_week": "tuesday"}
        await me.update(event["id"], **change)
        assert len(me.received("PATCH")) == 1


@pytest.mark.parametrize(
    ("series", "held", "asked", "parts"),
    [
        (STANDUP, "2026-04-20", "2026-04-21", {"recurrence_days_of_week": "tuesday"}),
        (STANDUP, "2026-04-20", "2026-04-19", {"recurrence_days_of_week": "sunday"}),
        (MONTHLY, "2026-05-06", "2026-05-20", {"recurrence_day_of_month": "20"}),
        (RELATIVE, "2026-05-04", "2026-05-12", SECOND_TUESDAY),
        (YEARLY, "2026-04-06", "2026-05-07", {"recurrence_day_of_month": "7", "recurrence_month": "5"}),
        (
            {**STANDUP, "recurrence_days_of_week": "monday,wednesday"},
            "2026-04-22",
            "2026-04-23",
            {"recurrence_days_of_week": "tuesday,thursday"},
        ),
    ],
)  # fmt: skip
async def test_another_date_of_an_occurrence_for_the_series_is_refused_with_the_one_way_that_moves_it(
    series: dict[str, Any], held: str, asked: str, parts: dict[str, str]
) -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**series)
        change = {"apply_to": "series", **at(asked, "11:00:00", "11:30:00")}
        occurrence = await occurrence_on(me, held)
        with pytest.raises(InvalidInput) as refused:
            await me.update(occurrence, **change)
        assert refused.value.details["field"] == "start_datetime"
        assert dict(re.findall(r"(recurrence_\w+)=(\S+?)(?= | as well)", refused.value.message)) == parts
        assert me.received("PATCH") == []
        moved = await me.update(occurrence, **change, **parts)
        assert moved["type"] == "seriesMaster"
        assert moved["start"]["dateTime"][11:16] == "11:00"
        assert asked in await days(me)
        assert held not in await days(me)
        assert any("The first event of the series moves" in note for note in moved["notes"])


@pytest.mark.parametrize(("series", "asked"), [(STANDUP, "2026-04-27"), (DAILY, "2026-04-21")])
async def test_a_date_that_moves_no_series_is_refused_with_ways_that_work(series: dict[str, Any], asked: str) -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**series)
        occurrence = await occurrence_on(me, "2026-04-20")
        with pytest.raises(InvalidInput) as refused:
            await me.update(occurrence, apply_to="series", **at(asked, "11:00:00", "11:30:00"))
        assert "leave apply_to out" in refused.value.message
        assert "give 2026-04-20 with that time" in refused.value.message
        await me.update(occurrence, apply_to="series", **at("2026-04-20", "11:00:00", "11:30:00"))
        assert "2026-04-20" in await days(me)


async def test_a_time_of_day_of_an_occurrence_goes_with_a_new_weekday_of_its_series() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**STANDUP)
        occurrence = await occurrence_on(me, "2026-04-20")
        change = {"recurrence_days_of_week": "thursday", **at("2026-04-20", "11:00:00", "11:30:00")}
        moved = await me.update(occurrence, apply_to="series", **change)
        assert moved["start"]["dateTime"][:16] == "2026-04-09T11:00"
        other = await occurrence_on(me, "2026-04-23")
        with pytest.raises(InvalidInput, match="where the new recurrence has no date"):
            await me.update(other, apply_to="series", **change | at("2026-04-24", "11:00:00", "11:30:00"))


def as_custom(event: dict[str, Any], zone: str) -> dict[str, Any]:
    """What Graph answers of an event whose zone it has no name for: the zone as `tzone://`, the times in UTC."""
    recurrence = {**event["recurrence"], "range": {**event["recurrence"]["range"], "recurrenceTimeZone": zone}}
    return {**event, "originalStartTimeZone": zone, "originalEndTimeZone": zone, "recurrence": recurrence}


@pytest.mark.parametrize("zone", ["tzone://Microsoft/Custom", "tzone://Microsoft/Utc", "Not A Zone", "Customized Time"])
@pytest.mark.parametrize("change", [{"recurrence_end_date": "2026-05-31"}, {"recurrence_occurrences": 4},
                                    {"recurrence_range_type": "noEnd"}])  # fmt: skip
async def test_a_series_in_a_zone_without_a_name_keeps_its_start_date_and_zone_when_its_end_changes(
    zone: str, change: dict[str, Any]
) -> None:
    async with signed_in(sandbox()) as me:
        # Monday evening in Hawaii, which is Tuesday in UTC.
        event = await me.create(**{**STANDUP, **at("2026-04-06", "20:00:00", "20:30:00", "Pacific/Honolulu")})
        custom = as_custom(await me.graph("GET", f"/me/events/{event['id']}"), zone)
        fault = GraphFault(status=200, method="GET", body=json.dumps(custom), path_contains=event["id"])
        me.sandbox.world.switches.graph_faults.append(fault)
        await me.update(event["id"], **change)
        (patch,) = me.received("PATCH")
        sent = patch.body
        assert set(sent) == {"recurrence"}
        assert sent["recurrence"]["pattern"]["daysOfWeek"] == ["monday"]
        assert sent["recurrence"]["range"]["startDate"] == "2026-04-06"
        assert sent["recurrence"]["range"].get("recurrenceTimeZone") == ("UTC" if zone.endswith("/Utc") else None)


async def test_a_series_in_a_zone_without_a_name_moves_to_another_weekday_only_with_its_start() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**STANDUP)
        custom = as_custom(await me.graph("GET", f"/me/events/{event['id']}"), "tzone://Microsoft/Custom")
        fault = GraphFault(status=200, method="GET", body=json.dumps(custom), path_contains=event["id"], times=2)
        me.sandbox.world.switches.graph_faults.append(fault)
        with pytest.raises(InvalidInput) as refused:
            await me.update(event["id"], recurrence_days_of_week="thursday")
        assert refused.value.details["field"] == "start_datetime"
        times = at("2026-04-09", "09:00:00", "09:30:00")
        moved = await me.update(event["id"], recurrence_days_of_week="thursday", **times)
        assert moved["start"]["dateTime"][:16] == "2026-04-09T09:00"


@pytest.mark.parametrize("end", ["discard", "keep"])
@pytest.mark.parametrize("change", [{"recurrence_end_date": "2026-05-31"}, {"recurrence_occurrences": 9}])
async def test_what_became_of_edited_dates_after_another_end_is_read_and_said(end: Any, change: dict[str, Any]) -> None:
    async with signed_in(sandbox()) as me:
        me.sandbox.world.switches.series_end_update = end
        event = await me.create(**STANDUP)
        await me.update(await occurrence_on(me, "2026-04-13"), subject="Edited")
        await me.delete(await occurrence_on(me, "2026-04-27"))
        with pytest.raises(Conflict, match=r"2026-04-13 \(edited\), 2026-04-27 \(deleted\)"):
            await me.update(event["id"], **change)
        updated = await me.update(event["id"], **change, discard_exceptions=True)
        (note,) = (note for note in updated["notes"] if "2026-04-13" in note)
        assert ("are gone" in note) == (end == "discard")
        assert ("2026-04-27" in await days(me)) == (end == "discard")
        again = [warning for warning in updated.get("warnings", []) if "in the calendar again: 2026-04-27." in warning]
        assert bool(again) == (end == "discard")


async def test_a_deleted_date_that_lies_after_the_new_end_is_not_said_to_be_back() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**STANDUP)
        await me.delete(await occurrence_on(me, "2026-05-18"))
        updated = await me.update(event["id"], recurrence_end_date="2026-05-10", discard_exceptions=True)
        assert "warnings" not in updated
        assert any("are gone: 2026-05-18 (deleted)" in note for note in updated["notes"])


async def test_deleted_dates_that_cannot_be_seen_are_not_said_to_be_back() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**STANDUP)
        await me.delete(await occurrence_on(me, "2026-04-27"))

        async def hide(request: Any) -> None:
            if request.method == "PATCH":
                me.sandbox.behaviour("expand_exceptions", "refuse")
                me.sandbox.behaviour("select_cancelled", "refuse")

        me.http.event_hooks = {"request": [hide]}
        updated = await me.update(event["id"], recurrence_end_date="2026-05-31", discard_exceptions=True)
        assert any("could not be read: 2026-04-27 (deleted)" in warning for warning in updated["warnings"])
        assert not any("again" in warning for warning in updated["warnings"])


async def test_edits_that_cannot_be_read_back_are_not_claimed_to_be_lost_or_kept() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**STANDUP)
        await me.update(await occurrence_on(me, "2026-04-13"), subject="Edited")
        sent: list[str] = []

        async def break_reading(request: Any) -> None:
            if request.method == "PATCH":
                sent.append("the change")
                fault = GraphFault(status=403, method="GET", path_contains=event["id"], times=9)
                me.sandbox.world.switches.graph_faults.append(fault)

        me.http.event_hooks = {"request": [break_reading]}
        updated = await me.update(event["id"], recurrence_end_date="2026-05-31", discard_exceptions=True)
        assert sent
        assert any("could not be read" in warning and "2026-04-13" in warning for warning in updated["warnings"])

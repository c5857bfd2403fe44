"""Series in the mailbox: their occurrences, exceptions and deleted dates, in wall-clock time."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx2 as httpx
from dateutil import rrule
from graph_client import Graph, create, path, refusal
from hypothesis import given, settings
from hypothesis import strategies as st

WIDE = {"startDateTime": "2026-01-01T00:00:00Z", "endDateTime": "2030-12-30T00:00:00Z", "$top": "1000"}
DAY_NAMES = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def weekly(*names: str, start: str = "2026-03-02", **span: Any) -> dict[str, Any]:
    return {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": list(names)},
        "range": {"type": "numbered", "startDate": start, "numberOfOccurrences": 4, **span},
    }


def at(day: str, hour: str = "10:00:00", zone: str = "America/New_York") -> dict[str, str]:
    return {"dateTime": f"{day}T{hour}", "timeZone": zone}


async def series(client: httpx.AsyncClient, recurrence: dict[str, Any], day: str = "2026-03-02") -> dict[str, Any]:
    return await create(client, start=at(day), end=at(day, "11:00:00"), recurrence=recurrence)


async def instances(client: httpx.AsyncClient, master: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.get(path(master, "/instances"), params=WIDE)
    assert answer.status_code == 200, answer.text
    return sorted(answer.json()["value"], key=lambda event: event["start"]["dateTime"])


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    start = draw(st.dates(date(2026, 1, 1), date(2026, 12, 31)))
    kind = draw(st.sampled_from(["daily", "weekly", "absoluteMonthly", "relativeMonthly"]))
    return {
        "start": start,
        "kind": kind,
        "interval": draw(st.integers(1, 4)),
        "days": sorted(draw(st.frozensets(st.integers(0, 6), min_size=1))) if kind == "weekly" else [start.weekday()],
        "count": draw(st.integers(1, 12)),
        "deleted": draw(st.frozensets(st.integers(0, 11), max_size=4)),
        "moved": draw(st.frozensets(st.integers(0, 11), max_size=4)),
        "hour": draw(st.integers(0, 23)),
        "zone": draw(st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific Standard Time"])),
    }


def rule_days(case: dict[str, Any]) -> list[date]:
    base: dict[str, Any] = {
        "dtstart": datetime.combine(case["start"], datetime.min.time()),
        "interval": case["interval"],
        "count": case["count"],
    }
    if case["kind"] == "daily":
        rule = rrule.rrule(rrule.DAILY, **base)
    elif case["kind"] == "weekly":
        rule = rrule.rrule(rrule.WEEKLY, byweekday=case["days"], wkst=rrule.SU, **base)
    elif case["kind"] == "absoluteMonthly":
        rule = rrule.rrule(rrule.MONTHLY, bymonthday=range(1, case["start"].day + 1), bysetpos=-1, **base)
    else:
        rule = rrule.rrule(rrule.MONTHLY, byweekday=rrule.weekday(case["days"][0])(-1), **base)
    return [moment.date() for moment in rule]


def pattern(case: dict[str, Any]) -> dict[str, Any]:
    shaped: dict[str, Any] = {"type": case["kind"], "interval": case["interval"]}
    if case["kind"] in ("weekly", "relativeMonthly"):
        shaped["daysOfWeek"] = [DAY_NAMES[day] for day in case["days"]]
    if case["kind"] == "relativeMonthly":
        shaped["index"] = "last"
    if case["kind"] == "absoluteMonthly":
        shaped["dayOfMonth"] = case["start"].day
    return shaped


def utc(day: date, hour: int, zone: str) -> datetime:
    named = ZoneInfo("America/Los_Angeles" if zone == "Pacific Standard Time" else zone)
    return datetime.combine(day, datetime.min.time().replace(hour=hour), tzinfo=named).astimezone(UTC)


async def _played(case: dict[str, Any]) -> tuple[list[tuple[str, datetime]], list[tuple[str, datetime]]]:
    graph = Graph()
    hour, zone = case["hour"], case["zone"]
    first = case["start"].isoformat()
    async with graph.signed_in() as client:
        master = await create(
            client,
            start={"dateTime": f"{first}T{hour:02d}:00:00", "timeZone": zone},
            end={"dateTime": f"{first}T{hour:02d}:30:00", "timeZone": zone},
            recurrence={
                "pattern": pattern(case),
                "range": {"type": "numbered", "startDate": first, "numberOfOccurrences": case["count"]},
            },
        )
        days = rule_days(case)
        left = {day: ("occurrence", utc(day, hour, zone)) for day in days}
        for number, occurrence in enumerate(await instances(client, master)):
            day = days[number]
            if number in case["deleted"]:
                assert (await client.delete(path(occurrence))).status_code == 204
                del left[day]
            elif number in case["moved"]:
                begin = utc(day, hour, zone) + timedelta(minutes=10)
                moved = {
                    "start": {"dateTime": begin.strftime("%Y-%m-%dT%H:%M:%S"), "timeZone": "UTC"},
                    "end": {
                        "dateTime": (begin + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%S"),
                        "timeZone": "UTC",
                    },
                }
                answer = await client.patch(path(occurrence), json=moved)
                assert (answer.status_code, answer.json()["type"]) == (200, "exception"), answer.text
                left[day] = ("exception", begin)
        seen = [
            (event["type"], datetime.fromisoformat(event["start"]["dateTime"][:26]).replace(tzinfo=UTC))
            for event in await instances(client, master)
        ]
        return seen, sorted(left.values(), key=lambda entry: entry[1])


@settings(max_examples=60)
@given(cases())
def test_a_series_with_exceptions_and_deletions_equals_dateutils(case: dict[str, Any]):
    seen, expected = asyncio.run(_played(case))
    assert seen == expected


async def test_a_series_keeps_its_wall_clock_across_daylight_saving():
    graph = Graph()
    async with graph.signed_in() as client:
        master = await series(client, weekly("monday"))
        starts = [event["start"]["dateTime"][:16] for event in await instances(client, master)]
        assert starts == ["2026-03-02T15:00", "2026-03-09T14:00", "2026-03-16T14:00", "2026-03-23T14:00"]


async def test_a_master_shows_the_first_occurrence_and_zero_filled_recurrence():
    graph = Graph()
    async with graph.signed_in() as client:
        master = await series(client, weekly("Wednesday"))
        assert master["type"] == "seriesMaster"
        assert master["start"]["dateTime"] == "2026-03-04T15:00:00.0000000"
        assert master["recurrence"] == {
            "pattern": {
                "type": "weekly",
                "interval": 1,
                "month": 0,
                "dayOfMonth": 0,
                "daysOfWeek": ["wednesday"],
                "firstDayOfWeek": "sunday",
                "index": "first",
            },
            "range": {
                "type": "numbered",
                "startDate": "2026-03-02",
                "endDate": "0001-01-01",
                "recurrenceTimeZone": "America/New_York",
                "numberOfOccurrences": 4,
            },
        }


async def test_occurrences_have_their_own_ids_and_uids_and_name_their_series():
    graph = Graph()
    async with graph.signed_in() as client:
        master = await series(client, weekly("monday"))
        found = await instances(client, master)
        assert len({event["id"] for event in found}) == len({event["iCalUId"] for event in found}) == 4
        assert {event["seriesMasterId"] for event in found} == {master["id"]}
        assert {event["recurrence"] for event in found} == {None}
        assert found[1]["originalStart"] == "2026-03-09T14:00:00Z"
        assert (await client.get(path(found[1]))).json()["id"] == found[1]["id"]


async def test_a_list_of_events_shows_masters_and_no_occurrences():
    graph = Graph()
    graph.empty("dana@company.com")
    async with graph.signed_in() as client:
        master = await series(client, weekly("monday"))
        occurrence = (await instances(client, master))[1]
        await client.patch(path(occurrence), json={"subject": "Other"})
        assert [event["type"] for event in (await client.get("/me/events")).json()["value"]] == ["seriesMaster"]


async def test_a_deleted_date_is_named_on_the_master_and_gone_from_the_series():
    graph = Graph()
    async with graph.signed_in() as client:
        master = await series(client, weekly("monday"))
        second = (await instances(client, master))[1]
        assert (await client.delete(path(second))).status_code == 204
        assert refusal(await client.get(path(second))) == (404, "ErrorItemNotFound")
        assert len(await instances(client, master)) == 3
        plain = (await client.get(path(master))).json()
        assert "cancelledOccurrences" not in plain
        selected = (await client.get(path(master), params={"$select": "cancelledOccurrences"})).json()
        assert selected["cancelledOccurrences"] == [f"OID.{master['id']}.2026-03-09"]


async def test_an_occurrence_may_not_cross_its_neighbour():
    graph = Graph()
    async with graph.signed_in() as client:
        master = await series(client, weekly("monday"))
        second = (await instances(client, master))[1]
        crossing = {"start": at("2026-03-17"), "end": at("2026-03-17", "11:00:00")}
        assert refusal(await client.patch(path(second), json=crossing)) == (400, "ErrorOccurrenceCrossingBoundary")


async def test_an_exception_keeps_where_the_pattern_put_it():
    graph = Graph()
    async with graph.signed_in() as client:
        master = await series(client, weekly("monday"))
        second = (await instances(client, master))[1]
        moved = await client.patch(
            path(second), json={"start": at("2026-03-10", "16:00:00"), "end": at("2026-03-10", "17:00:00")}
        )
        assert moved.json()["originalStart"] == "2026-03-09T14:00:00Z"
        assert moved.json()["id"] == second["id"]
        expanded = (await client.get(path(master), params={"$expand": "exceptionOccurrences"})).json()
        assert [event["id"] for event in expanded["exceptionOccurrences"]] == [second["id"]]


async def test_moving_a_series_discards_its_exceptions_and_another_subject_does_not():
    graph = Graph()
    async with graph.signed_in() as client:
        master = await series(client, weekly("monday"))
        second = (await instances(client, master))[1]
        await client.patch(path(second), json={"subject": "Once different"})
        await client.patch(path(master), json={"subject": "Renamed", "location": {"displayName": "Room 1"}})
        found = await instances(client, master)
        assert {event["location"]["displayName"] for event in found} == {"Room 1"}
        assert "Once different" in [event["subject"] for event in await instances(client, master)]
        later = {"start": at("2026-03-02", "12:00:00"), "end": at("2026-03-02", "13:00:00")}
        assert (await client.patch(path(master), json=later)).status_code == 200
        assert {event["subject"] for event in await instances(client, master)} == {"Renamed"}


async def test_a_recurrence_of_null_makes_a_series_one_event_and_giving_one_makes_a_series():
    graph = Graph()
    async with graph.signed_in() as client:
        single = await create(client, start=at("2026-03-02"), end=at("2026-03-02", "11:00:00"))
        made = (await client.patch(path(single), json={"recurrence": weekly("monday")})).json()
        assert made["type"] == "seriesMaster"
        back = (await client.patch(path(single), json={"recurrence": None})).json()
        assert (back["type"], back["recurrence"]) == ("singleInstance", None)
        assert refusal(await client.get(path(single, "/instances"), params=WIDE)) == (400, "ErrorInvalidRequest")


async def test_an_occurrence_has_no_recurrence_of_its_own():
    graph = Graph()
    async with graph.signed_in() as client:
        second = (await instances(client, await series(client, weekly("monday"))))[1]
        answer = await client.patch(path(second), json={"recurrence": weekly("monday")})
        assert refusal(answer) == (400, "ErrorInvalidRequest")

"""Laws of the calendar operations, tried on many inputs against one sandbox."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from dateutil import tz
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.tools.zones.zone import resolve_zone
from tests.support.microsoft import SignedIn, signed_in
from tests.support.tool_calls import create_arguments

MANY = settings(max_examples=25)
ZONES = [
    "UTC", "America/New_York", "America/St_Johns", "Asia/Tokyo", "Asia/Kathmandu", "Europe/Berlin", "Europe/London",
    "Pacific/Kiritimati", "Pacific/Auckland", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Calcutta",
    "Eastern Standard Time", "W. Europe Standard Time", "Morocco Standard Time",
]  # fmt: skip


def alone(body: Callable[[SignedIn], Awaitable[None]]) -> None:
    """Run a body with an empty calendar; hypothesis calls synchronous functions."""

    async def run() -> None:
        async with signed_in(Sandbox(week_of=date(2026, 3, 30))) as me:
            await body(me)

    asyncio.run(run())


async def book(me: SignedIn, number: int, start: datetime, end: datetime, zone: str, *, all_day: bool) -> None:
    await me.create(
        subject=f"event {number}",
        start_datetime=start.isoformat(timespec="seconds"),
        start_timezone=zone,
        end_datetime=end.isoformat(timespec="seconds"),
        end_timezone=zone,
        **({"isAllDay": True} if all_day else {}),
    )


async def walk(me: SignedIn, **arguments: Any) -> list[dict[str, Any]]:
    answer = await me.list(**arguments)
    rows = list(answer["value"])
    while "next_page" in answer and len(rows) < 500:
        answer = await me.list(page=answer["next_page"])
        rows += answer["value"]
    return rows


slots = st.lists(st.tuples(st.integers(-30, 200), st.integers(1, 60), st.booleans()), max_size=14)


@MANY
@given(slots, st.sampled_from(ZONES), st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York"]), st.integers(1, 6))
def test_any_page_size_walks_a_window_to_the_same_exact_list(
    slots: list[tuple[int, int, bool]], zone: str, made_in: str, size: int
) -> None:
    begin = datetime.fromisoformat("2026-06-01T00:00:00")
    end = begin + timedelta(days=5)

    async def body(me: SignedIn) -> None:
        expected: set[str] = set()
        low, high = (edge.replace(tzinfo=tz.gettz(resolve_zone(zone).iana)).astimezone(UTC) for edge in (begin, end))
        for number, (hours, length, all_day) in enumerate(slots):
            start = begin + timedelta(hours=hours)
            stop = start + timedelta(hours=length)
            if all_day:
                start = datetime.combine(start.date(), datetime.min.time())
                stop = start + timedelta(days=1 + length // 24)
            await book(me, number, start, stop, made_in, all_day=all_day)
            there = tz.gettz(made_in)
            if all_day:
                inside = start < end and stop > begin
            else:
                inside = start.replace(tzinfo=there) < high and stop.replace(tzinfo=there) > low
            if inside:
                expected.add(f"event {number}")
        window = {"start_datetime": begin.isoformat(), "end_datetime": end.isoformat(), "timezone": zone}
        whole = await walk(me, **window, top=1000, select="subject,start,isAllDay")
        assert {row["subject"] for row in whole} == expected
        assert len(whole) == len(expected)
        keys = [(row["start"]["dateTime"][:10], not row["isAllDay"], row["start"]["dateTime"][:19]) for row in whole]
        assert keys == sorted(keys)
        assert await walk(me, **window, top=size, select="subject,start,isAllDay") == whole

    alone(body)


@MANY
@given(st.integers(0, 14), st.integers(1, 6), st.booleans())
def test_any_page_size_walks_a_plain_list_to_the_same_list(count: int, size: int, ordered: bool) -> None:
    async def body(me: SignedIn) -> None:
        for number in range(count):
            start = datetime.fromisoformat("2026-06-01T09:00:00") + timedelta(hours=7 * number % 50)
            await book(me, number, start, start + timedelta(hours=1), "UTC", all_day=False)
        query = {"orderby": "start/dateTime desc"} if ordered else {}
        whole = await walk(me, top=1000, **query)
        assert len(whole) == count
        assert await walk(me, top=size, **query) == whole

    alone(body)


def _changes() -> list[tuple[str, datetime]]:
    """The clock changes of five years in the zones above, found with dateutil alone."""
    found: list[tuple[str, datetime]] = []
    for zone in ZONES:
        rules = tz.gettz(resolve_zone(zone).iana)
        hour = datetime(2026, 1, 1, tzinfo=UTC)
        before = hour.astimezone(rules).utcoffset()
        while hour.year < 2031:
            hour += timedelta(hours=6)
            offset = hour.astimezone(rules).utcoffset()
            if offset != before:
                found.append((zone, hour))
            before = offset
    return found


CHANGES = _changes()


@settings(MANY, max_examples=60)
@given(st.sampled_from(CHANGES), st.integers(-1000, 1000), st.integers(1, 2000))
def test_around_every_clock_change_the_wall_time_and_zone_asked_for_are_the_ones_stored(
    change: tuple[str, datetime], minutes: int, length: int
) -> None:
    zone, near = change
    rules = tz.gettz(resolve_zone(zone).iana)
    start = near.astimezone(rules).replace(tzinfo=None, fold=0) + timedelta(minutes=minutes)
    end = start + timedelta(minutes=length)
    # A time inside a gap is refused, one of two equal times is the first: both are tested by name elsewhere.
    for local in (start, end):
        assume(tz.datetime_exists(local, rules))
        assume(not tz.datetime_ambiguous(local, rules))
    assume(start.replace(tzinfo=rules).astimezone(UTC) < end.replace(tzinfo=rules).astimezone(UTC))

    async def body(me: SignedIn) -> None:
        await book(me, 1, start, end, zone, all_day=False)
        row = (await me.list(select="start,end,originalStartTimeZone", timezone=zone))["value"][0]
        assert row["start"]["dateTime"][:19] == start.isoformat(timespec="seconds")
        assert row["end"]["dateTime"][:19] == end.isoformat(timespec="seconds")
        assert resolve_zone(row["originalStartTimeZone"]).windows == resolve_zone(zone).windows
        stored = next(iter(me.sandbox.world.mailboxes[me.account.oid].events.values()))
        assert stored.start.instant == start.replace(tzinfo=rules).astimezone(UTC)
        assert stored.end.instant == end.replace(tzinfo=rules).astimezone(UTC)

    alone(body)


def _people(arguments: dict[str, Any]) -> dict[str, str]:
    """Address to kind, of all three lists of attendees."""
    return {
        address: kind
        for kind in ("required", "optional", "resource")
        for address in re.findall(r"[\w.]+@[\w.]+", str(arguments.get(f"attendees_{kind}", "")))
    }


@settings(MANY, max_examples=60)
@given(create_arguments())
def test_every_field_that_a_create_gives_is_in_the_event_that_is_read_back(made: dict[str, Any]) -> None:
    async def body(me: SignedIn) -> None:
        event_id = (await me.create(**made))["id"]
        html = made.get("body_contentType") == "html"
        zone = made["start_timezone"]
        event = await me.get(event_id, timezone=zone, body_format="html" if html else "text")
        assert event["subject"] == made["subject"]
        for name in ("importance", "sensitivity", "showAs"):
            assert event[name].casefold() == made.get(name, event[name]).casefold()
        for name in ("hideAttendees", "isReminderOn", "reminderMinutesBeforeStart", "responseRequested"):
            assert event[name] == made.get(name, event[name])
        assert event["allowNewTimeProposals"] == made.get("allowNewTimeProposals", event["allowNewTimeProposals"])
        assert event["isReminderOn"] or "reminderMinutesBeforeStart" not in made
        assert event["isAllDay"] == made.get("isAllDay", False)
        assert set(event["categories"]) == set(made.get("categories", ()))
        assert {p["emailAddress"]["address"]: p["type"] for p in event["attendees"]} == _people(made)
        places = [made["location"]] if "location" in made else []
        places += [place["displayName"] for place in made.get("locations", ())]
        assert {place["displayName"] for place in event["locations"]} == set(places)
        assert "".join(made.get("body_content", "").split()) in "".join(event["body"]["content"].split())
        assert event["start"]["dateTime"][:19] == made["start_datetime"]
        end = datetime.fromisoformat(event["end"]["dateTime"][:19]).replace(tzinfo=tz.gettz(resolve_zone(zone).iana))
        there = tz.gettz(resolve_zone(made["end_timezone"]).iana)
        if not event["isAllDay"]:
            end = end.astimezone(there)
        assert end.replace(tzinfo=None) == datetime.fromisoformat(made["end_datetime"])
        if "recurrence_type" not in made:
            assert event["recurrence"] is None
            return
        pattern, until = event["recurrence"]["pattern"], event["recurrence"]["range"]
        assert pattern["type"] == {"yearly": "absoluteYearly"}.get(made["recurrence_type"], made["recurrence_type"])
        assert pattern["interval"] == made["recurrence_interval"]
        assert until["startDate"] == made["start_datetime"][:10]
        if "recurrence_days_of_week" in made:
            assert set(pattern["daysOfWeek"]) == set(made["recurrence_days_of_week"].split(","))
            assert pattern["firstDayOfWeek"] == made["recurrence_first_day_of_week"]
        if "recurrence_end_date" in made:
            assert (until["type"], until["endDate"]) == ("endDate", made["recurrence_end_date"])
        if "recurrence_occurrences" in made:
            assert (until["type"], until["numberOfOccurrences"]) == ("numbered", made["recurrence_occurrences"])
        assert until["type"] == made.get("recurrence_range_type", until["type"])

    alone(body)


texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")), min_size=1)


@MANY
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "subject": texts.map(lambda text: text.strip()[:200]).filter(bool),
            "importance": st.sampled_from(["low", "normal", "high"]),
            "sensitivity": st.sampled_from(["normal", "personal", "private", "confidential"]),
            "showAs": st.sampled_from(["free", "tentative", "busy", "oof", "workingElsewhere"]),
            "reminderMinutesBeforeStart": st.integers(0, 10_000),
            "hideAttendees": st.booleans(),
            "categories": st.lists(st.sampled_from(["Red", "Blue", "Green"]), min_size=1, unique=True),
            "attendees_required": st.just("bob@company.com,eve@example.com"),
            "attendees_resource": st.just("room2@company.com"),
            "location": texts.map(lambda text: text.strip()[:100]).filter(bool),
            "body_content": texts,
        },
    ).filter(bool)
)
def test_an_update_changes_exactly_what_it_was_given_and_the_whole_rest_stays(given_fields: dict[str, Any]) -> None:
    touched = {
        "attendees_required": {"attendees"},
        "attendees_resource": {"attendees"},
        "location": {"location", "locations"},
        "body_content": {"body", "bodyPreview"},
        "reminderMinutesBeforeStart": {"reminderMinutesBeforeStart", "isReminderOn"},
    }
    allowed = set().union(*(touched.get(name, {name}) for name in given_fields))

    async def body(me: SignedIn) -> None:
        event = await me.create(
            subject="Before",
            start_datetime="2026-06-01T09:00:00",
            start_timezone="Europe/Berlin",
            end_datetime="2026-06-01T10:00:00",
            end_timezone="Europe/Berlin",
            attendees_required="alice@company.com",
            attendees_optional="carol@company.com",
            isOnlineMeeting=True,
            body_content="Agenda",
        )
        before = await me.get(event["id"], body_format="html")
        await me.update(event["id"], **given_fields)
        after = await me.get(event["id"], body_format="html")
        different = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        assert different - {"changeKey", "lastModifiedDateTime"} <= allowed
        for name in given_fields.keys() & {"subject", "importance", "sensitivity", "showAs", "hideAttendees"}:
            assert after[name] == given_fields[name]
        if "attendees_required" in given_fields:
            assert "carol@company.com" in {a["emailAddress"]["address"] for a in after["attendees"]}
        assert after["onlineMeeting"] == before["onlineMeeting"]

    alone(body)

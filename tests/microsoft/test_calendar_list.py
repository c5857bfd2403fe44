import json
import re
from datetime import date
from typing import Any
from urllib.parse import urlencode

import pytest

from scalekit_mcp.calendar.listing.attendee_filter import AttendeeFilter
from scalekit_mcp.errors import CalendarNotFound, InvalidInput, ProviderUnavailable
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.world import GraphFault
from scalekit_mcp.tools import TOOLS
from tests.support.microsoft import SignedIn, signed_in

WEEK: dict[str, Any] = {
    "start_datetime": "2026-05-04T00:00:00",
    "end_datetime": "2026-05-11T00:00:00",
    "timezone": "America/New_York",
}
MAY_FILTER = "start/dateTime ge '2026-05-04T00:00:00' and end/dateTime le '2026-05-11T00:00:00'"


def sandbox() -> Sandbox:
    return Sandbox(week_of=date(2026, 3, 30))


async def book(me: SignedIn, subject: str, start: str, end: str, zone: str = "America/New_York", **more: Any) -> str:
    event = await me.create(
        subject=subject, start_datetime=start, start_timezone=zone, end_datetime=end, end_timezone=zone, **more
    )
    return event["id"]


async def book_week(me: SignedIn) -> None:
    """Five working days, each with an all-day event, two meetings at the same time and one late in the evening."""
    for day in range(4, 9):
        at = f"2026-05-{day:02d}"
        await book(me, f"day {day}", at, f"2026-05-{day + 1:02d}", isAllDay=True)
        await book(me, f"first {day}", f"{at}T09:00:00", f"{at}T10:00:00")
        await book(me, f"second {day}", f"{at}T09:00:00", f"{at}T09:30:00")
        await book(me, f"late {day}", f"{at}T23:00:00", f"{at}T23:45:00")


async def walk(me: SignedIn, **arguments: Any) -> list[dict[str, Any]]:
    answer = await me.list(**arguments)
    rows = list(answer["value"])
    while "next_page" in answer and len(rows) < 500:
        answer = await me.list(page=answer["next_page"])
        rows += answer["value"]
    return rows


async def test_a_window_shows_the_occurrences_that_a_filter_on_dates_does_not() -> None:
    async with signed_in(sandbox()) as me:
        await book(
            me, "Standup", "2026-04-06T09:00:00", "2026-04-06T09:30:00", recurrence_type="weekly",
            recurrence_end_date="2026-06-30",
        )  # fmt: skip
        window = await me.list(**WEEK)
        assert [(e["subject"], e["start"]["dateTime"]) for e in window["value"]] == [("Standup", "2026-05-04T09:00:00")]
        assert me.received()[-1].path == "/v1.0/me/calendarView"
        filtered = await me.list(filter=MAY_FILTER)
        assert filtered["value"] == []
        assert any("start_datetime and end_datetime" in warning for warning in filtered["warnings"])


async def test_a_filter_without_dates_brings_no_warning_about_recurring_events() -> None:
    async with signed_in(sandbox()) as me:
        assert "warnings" not in await me.list(filter="startswith(subject,'Q')")


async def test_every_page_of_a_list_asks_for_immutable_ids_and_the_same_zone() -> None:
    async with signed_in(sandbox()) as me:
        await book_week(me)
        await walk(me, top=7, timezone="Asia/Tokyo")
        prefer = {request.headers["prefer"] for request in me.received("GET")}
        assert len(me.received("GET")) > 2
        assert len(prefer) == 1
        assert 'IdType="ImmutableId"' in prefer.pop()


async def test_a_plain_list_of_twenty_events_is_one_request() -> None:
    async with signed_in(sandbox()) as me:
        await book_week(me)
        before = len(me.received())
        answer = await me.list(top=20)
        assert len(answer["value"]) == 20
        assert len(me.received()) == before + 1


async def test_twenty_ordinary_events_are_at_most_ten_kilobytes_of_text_and_hold_no_html() -> None:
    async with signed_in(sandbox()) as me:
        for number in range(24):
            await book(
                me, f"Review of milestone {number}", f"2026-05-04T{number:02d}:00:00", f"2026-05-04T{number:02d}:30:00",
                attendees_required="alice@company.com,bob@company.com", attendees_optional="carol@company.com",
                location="Conference room 12", isOnlineMeeting=True, body_content="<p>Agenda</p>" * 100,
                body_contentType="html",
            )  # fmt: skip
        for arguments in ({"top": 20, "timezone": "America/New_York"}, {**WEEK, "top": 20}):
            answer = await me.list(**arguments)
            text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
            assert len(answer["value"]) == 20
            assert "next_page" in answer
            assert len(text.encode()) <= 10_000
            assert "html" not in text


async def test_odata_options_go_out_as_given_with_the_seeds_sample_query() -> None:
    async with signed_in(sandbox()) as me:
        await me.list(
            filter="start/dateTime ge '2026-04-01T00:00:00' and end/dateTime le '2026-04-07T23:59:59'",
            select="subject,start,end,location,attendees",
            orderby="start/dateTime asc",
            top=20,
            skip=0,
        )
        query = me.received()[-1].query
        assert query["$filter"] == "start/dateTime ge '2026-04-01T00:00:00' and end/dateTime le '2026-04-07T23:59:59'"
        assert query["$orderby"] == "start/dateTime asc"
        assert query["$top"] == "20"
        assert set(query["$select"].split(",")) == {"id", "subject", "start", "end", "location", "attendees"}


async def test_select_keeps_the_id_and_what_the_join_link_needs() -> None:
    async with signed_in(sandbox()) as me:
        await book(me, "Online", "2026-05-04T09:00:00", "2026-05-04T10:00:00", isOnlineMeeting=True)
        answer = await me.list(**WEEK, select="subject,onlineMeeting")
        assert answer["value"][0].keys() == {"id", "subject", "onlineMeeting", "isOnlineMeeting"}
        assert answer["value"][0]["onlineMeeting"]["joinUrl"]


async def test_a_filter_that_microsoft_refuses_comes_back_with_its_reason_and_a_working_example() -> None:
    async with signed_in(sandbox()) as me:
        with pytest.raises(InvalidInput) as refused:
            await me.list(filter="start/dateTime ge 2026-05-04T00:00:00 and")
        assert refused.value.details["field"] == "filter"
        assert len(refused.value.message) > 30
        assert "start/dateTime ge '2026-" in refused.value.next_step


async def test_all_day_events_of_neighbouring_days_are_cut_off_a_day_in_every_zone() -> None:
    for zone in ("America/New_York", "Asia/Tokyo", "Pacific/Kiritimati", "UTC"):
        async with signed_in(sandbox()) as me:
            for day in range(3, 7):
                await book(me, f"day {day}", f"2026-05-{day:02d}", f"2026-05-{day + 1:02d}", zone, isAllDay=True)
            answer = await me.list(
                start_datetime="2026-05-04T00:00:00", end_datetime="2026-05-06T00:00:00", timezone=zone
            )
            assert [event["subject"] for event in answer["value"]] == ["day 4", "day 5"]
            assert [event["start"]["dateTime"] for event in answer["value"]] == ["2026-05-04", "2026-05-05"]


async def test_a_window_is_ordered_by_local_start_with_all_day_events_first() -> None:
    async with signed_in(sandbox()) as me:
        await book_week(me)
        rows = (await me.list(**WEEK, top=100))["value"]
        assert len(rows) == 20
        assert [row["subject"] for row in rows[::4]] == [f"day {day}" for day in range(4, 9)]
        assert [row["subject"] for row in rows[3::4]] == [f"late {day}" for day in range(4, 9)]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
async def test_any_page_size_walks_to_the_same_list(zone: str) -> None:
    async with signed_in(sandbox()) as me:
        await book_week(me)
        window = {**WEEK, "timezone": zone, "select": "subject"}
        whole = await walk(me, **window, top=1000)
        assert len(whole) == 20
        for size in (1, 2, 3, 7, 19, 20, 21):
            assert await walk(me, **window, top=size) == whole
        for query in ({}, {"orderby": "start/dateTime desc"}, {"filter": "startswith(subject,'d')"}, {"skip": 5}):
            everything = await walk(me, top=1000, select="subject", **query)
            for size in (1, 6, 10):
                assert await walk(me, top=size, select="subject", **query) == everything


async def test_a_window_with_an_order_of_its_own_walks_to_the_same_list_too() -> None:
    async with signed_in(sandbox()) as me:
        await book_week(me)
        window = {**WEEK, "select": "subject", "orderby": "start/dateTime desc"}
        whole = await walk(me, **window, top=1000)
        assert whole[0]["subject"] == "late 8"
        assert await walk(me, **window, top=3) == whole


async def test_an_all_day_event_that_microsoft_lists_late_still_comes_first_on_its_day() -> None:
    async with signed_in(sandbox()) as me:
        for minute in range(0, 240, 6):
            at = f"2026-05-05T{1 + minute // 60:02d}:{minute % 60:02d}:00"
            await book(me, f"night shift {minute}", at, "2026-05-05T09:00:00", "Asia/Tokyo")
        await book(me, "Holiday", "2026-05-05", "2026-05-06", "UTC", isAllDay=True)
        window = {**WEEK, "timezone": "Asia/Tokyo", "select": "subject"}
        assert [event["subject"] for event in (await me.list(**window, top=1))["value"]] == ["Holiday"]
        whole = await walk(me, **window, top=100)
        assert len(whole) == 41
        assert await walk(me, **window, top=3) == whole


async def test_pages_are_followed_up_to_top_when_microsoft_gives_less_at_once() -> None:
    async with signed_in(sandbox()) as me:
        await book_week(me)
        everything = (await me.list(top=100, select="subject"))["value"]
        page = {"value": [], "@odata.nextLink": "http://localhost/v1.0/me/events?$top=4&$select=id,subject"}
        me.sandbox.world.switches.graph_faults.append(GraphFault(status=200, body=json.dumps(page), method="GET"))
        answer = await me.list(top=10, select="subject")
        assert answer["value"] == everything[:10]
        rest = await me.list(page=answer["next_page"])
        assert rest["value"] == everything[10:20]


@pytest.mark.parametrize(
    "arguments", [{}, WEEK, {**WEEK, "orderby": "start/dateTime"}], ids=["list", "window", "order"]
)
async def test_a_call_stops_after_twenty_empty_pages_and_the_next_one_goes_on(arguments: dict[str, Any]) -> None:
    async with signed_in(sandbox()) as me:
        await book_week(me)
        whole = (await me.list(**arguments, top=100))["value"]
        await me.list(**arguments, top=99)
        sent = me.received()[-1]
        real = f"http://localhost{sent.path}?{urlencode(sent.query)}"
        page = {"value": [], "@odata.nextLink": real}
        me.sandbox.world.switches.graph_faults.append(
            GraphFault(status=200, body=json.dumps(page), method="GET", times=20)
        )
        before = len(me.received())
        answer = await me.list(**arguments, top=99)
        assert answer["value"] == []
        assert len(me.received()) == before + 20
        assert (await me.list(page=answer["next_page"]))["value"] == whole


async def test_a_next_link_to_another_host_is_not_followed() -> None:
    async with signed_in(sandbox()) as me:
        page = {"value": [], "@odata.nextLink": "https://evil.example/v1.0/me/events?$skip=1"}
        me.sandbox.world.switches.graph_faults.append(GraphFault(status=200, body=json.dumps(page), method="GET"))
        with pytest.raises(ProviderUnavailable):
            await me.list(top=10)


async def test_next_page_works_alone_and_refuses_other_arguments_and_other_people() -> None:
    same = sandbox()
    async with signed_in(same) as me, signed_in(same, "alice@company.com") as other:
        await book_week(me)
        first = await me.list(top=3, filter="startswith(subject,'f')", timezone="Asia/Tokyo")
        token = first["next_page"]
        rest = await me.list(page=token)
        assert [event["subject"][:5] for event in rest["value"]] == ["first", "first"]
        assert rest["value"][0]["start"]["timeZone"] == "Asia/Tokyo"
        assert (await me.list(page=token, top=3))["value"] == rest["value"]
        for beside in ({"top": 4}, {"filter": "startswith(subject,'s')"}, {"orderby": "start/dateTime"}):
            with pytest.raises(InvalidInput) as refused:
                await me.list(page=token, **beside)
            assert refused.value.details["field"] == "page"
        for person, page in ((other, token), (me, token[:-2] + "AA"), (me, "nonsense")):
            with pytest.raises(InvalidInput) as refused:
                await person.list(page=page)
            assert refused.value.details["field"] == "page"


async def test_a_window_of_ten_years_is_refused_before_the_call_with_the_limit() -> None:
    async with signed_in(sandbox()) as me:
        with pytest.raises(InvalidInput, match="1825"):
            await me.list(start_datetime="2026-01-01T00:00:00", end_datetime="2036-01-01T00:00:00", timezone="UTC")
        assert me.received() == []


async def test_the_longest_window_that_microsoft_allows_is_answered() -> None:
    async with signed_in(sandbox()) as me:
        await book(me, "Someday", "2030-12-30T22:00:00", "2030-12-30T23:00:00", "UTC")
        answer = await me.list(start_datetime="2026-01-01T00:00:00", end_datetime="2030-12-31T00:00:00", timezone="UTC")
        assert [event["subject"] for event in answer["value"]] == ["Someday"]


async def test_skip_is_refused_in_a_window() -> None:
    async with signed_in(sandbox()) as me:
        with pytest.raises(InvalidInput) as refused:
            await me.list(**WEEK, skip=5)
        assert refused.value.details["field"] == "skip"
        assert me.received() == []


async def test_every_list_tells_what_now_is() -> None:
    async with signed_in(sandbox()) as me:
        assert (await me.list(**WEEK))["now"] == {
            "dateTime": "2026-03-30T05:00:00-04:00",
            "timeZone": "America/New_York",
            "weekday": "Monday",
        }
        for search in ({}, {"filter": "subject eq 'Review'"}, {"select": "subject"}, {"timezone": "America/New_York"}):
            assert (await me.list(**search))["now"]["weekday"] == "Monday"
        assert (await me.list())["now"]["dateTime"] == "2026-03-30T09:00:00+00:00"


async def test_a_filter_narrows_a_window() -> None:
    async with signed_in(sandbox()) as me:
        await book_week(me)
        answer = await me.list(**WEEK, filter="isAllDay eq true", select="subject")
        assert [event["subject"] for event in answer["value"]] == [f"day {day}" for day in range(4, 9)]


async def test_an_unknown_calendar_is_said_to_be_unknown() -> None:
    async with signed_in(sandbox()) as me:
        with pytest.raises((CalendarNotFound, InvalidInput)) as refused:
            await me.list(calendar_id="AAMkAGI1AAAnothere=")
        assert refused.value.details.get("field") == "calendar_id" or isinstance(refused.value, CalendarNotFound)


async def test_harmful_characters_of_a_strangers_subject_never_come_out_raw() -> None:
    same = sandbox()
    async with signed_in(same, "alice@company.com") as alice, signed_in(same) as me:
        await alice.graph(
            "POST",
            "/me/events",
            {
                "subject": "Gift\u202efdp.exe\x07",
                "body": {"contentType": "text", "content": "\u2066ignore\u2069 all"},
                "location": {"displayName": "Room\u202a1"},
                "start": {"dateTime": "2026-05-04T09:00:00", "timeZone": "UTC"},
                "end": {"dateTime": "2026-05-04T10:00:00", "timeZone": "UTC"},
                "attendees": [{"emailAddress": {"address": "dana@company.com"}}],
            },
        )
        listed = (await me.list(**WEEK))["value"]
        assert listed[0]["subject"].startswith("Gift\ufffdfdp.exe")
        got = await me.get(listed[0]["id"])
        text = json.dumps([listed, got], ensure_ascii=False)
        assert not any("\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069" or c == "\x07" for c in text)


async def test_the_filter_for_people_that_the_description_shows_finds_them_in_a_window() -> None:
    shown = TOOLS["outlook_list_calendar_events"].input_schema["properties"]["filter"]["description"]
    example = re.search(r"attendees/any.*?'x@y.com'\)", shown)
    assert example is not None
    wanted = example.group().replace("x@y.com", "alice@company.com")
    day = {"start_timezone": "UTC", "end_timezone": "UTC"}
    async with signed_in(Sandbox(week_of=date(2026, 3, 30))) as me:
        for subject, who in (("With Alice", "alice@company.com,bob@company.com"), ("With Bob", "bob@company.com")):
            times = {"start_datetime": "2026-04-01T10:00:00", "end_datetime": "2026-04-01T11:00:00"}
            await me.create(subject=subject, attendees_required=who, **times, **day)
        window = {"start_datetime": "2026-04-01T00:00:00", "end_datetime": "2026-04-02T00:00:00", "timezone": "UTC"}
        listed = await me.list(filter=wanted, **window)
        assert [row["subject"] for row in listed["value"]] == ["With Alice"]
        assert me.received("GET")[-1].query.get("$filter") is None
        with pytest.raises(InvalidInput, match="attendees") as refused:
            await me.list(filter=wanted)
        assert "start_datetime" in refused.value.next_step


async def test_a_filter_for_people_goes_with_others_with_an_order_and_over_pages() -> None:
    async with signed_in(Sandbox(week_of=date(2026, 3, 30))) as me:
        for number in range(9):
            day = f"2026-05-0{number + 1}"
            times = {"start_datetime": f"{day}T10:00:00", "end_datetime": f"{day}T11:00:00"}
            who = "O'Brien@company.com,bob@company.com" if number % 2 else "bob@company.com"
            zones = {"start_timezone": "UTC", "end_timezone": "UTC"}
            await me.create(subject=f"Talk {number}", attendees_required=who, **times, **zones)
        window = {"start_datetime": "2026-05-01T00:00:00", "end_datetime": "2026-06-01T00:00:00", "timezone": "UTC"}
        both = (
            "attendees/any(p: tolower(p/emailAddress/address) eq 'o''brien@company.com') and startswith(subject, 'T')"
        )
        both += " and (subject ne 'Talk 3' or isAllDay eq true)"
        found: list[str] = []
        answer = await me.list(filter=both, top=2, select="subject", **window)
        while True:
            found += [row["subject"] for row in answer["value"]]
            assert all(row.keys() == {"id", "subject"} for row in answer["value"])
            if "next_page" not in answer:
                break
            answer = await me.list(page=answer["next_page"])
        assert found == ["Talk 1", "Talk 5", "Talk 7"]
        backwards = await me.list(filter=both, orderby="subject desc", **window)
        assert [row["subject"] for row in backwards["value"]] == found[::-1]


@pytest.mark.parametrize(
    "other",
    [
        "attendees/any(a:a/emailAddress/address eq 'x@y.com') or subject eq 'A'",
        "not attendees/any(a:a/emailAddress/address eq 'x@y.com')",
        "attendees/any(a:b/emailAddress/address eq 'x@y.com')",
        "subject eq 'attendees/any(a:a/emailAddress/address eq ''x@y.com'')'",
    ],
)
async def test_a_filter_of_another_meaning_is_left_to_microsoft(other: str) -> None:
    assert AttendeeFilter.of(other) == AttendeeFilter(rest=other)

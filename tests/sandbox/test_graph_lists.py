"""Lists, pages, views and preferences over HTTP."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx2 as httpx
import pytest
from graph_client import Graph, create, event_body, path, refusal

DANA = "dana@company.com"


def window(begin: str, end: str, **options: str) -> dict[str, str]:
    return {"startDateTime": begin, "endDateTime": end, **options}


async def subjects(client: httpx.AsyncClient, where: str, options: dict[str, str]) -> list[str]:
    answer = await client.get(where, params=options)
    assert answer.status_code == 200, answer.text
    return [event["subject"] for event in answer.json()["value"]]


def on(day: int, hour: int = 10, zone: str = "UTC") -> dict[str, Any]:
    begin = datetime(2026, 4, day, hour)  # noqa: DTZ001 - wall-clock time
    return {
        "start": {"dateTime": begin.isoformat(), "timeZone": zone},
        "end": {"dateTime": (begin + timedelta(hours=1)).isoformat(), "timeZone": zone},
    }


async def test_pages_of_ten_are_followed_to_the_end_without_loss():
    graph = Graph()
    graph.empty(DANA)
    async with graph.signed_in() as client:
        for number in range(23):
            await create(client, subject=f"Event {number:02d}", **on(1 + number))
        url, seen, sizes = "/me/events?$orderby=start/dateTime&$select=subject", [], []
        while url:
            page = (await client.get(url)).json()
            sizes.append(len(page["value"]))
            seen += [event["subject"] for event in page["value"]]
            url = page.get("@odata.nextLink")
            if url:
                assert parse_qs(urlsplit(url).query)["$select"] == ["subject"]
        assert (sizes, seen) == ([10, 10, 3], [f"Event {number:02d}" for number in range(23)])


async def test_top_skip_and_count_are_obeyed_and_checked():
    graph = Graph()
    graph.empty(DANA)
    async with graph.signed_in() as client:
        for number in range(5):
            await create(client, subject=str(number), **on(1 + number))
        page = (await client.get("/me/events", params={"$top": "2", "$skip": "1", "$count": "true"})).json()
        assert [event["subject"] for event in page["value"]] == ["3", "2"]  # the newest come first
        assert page["@odata.count"] == 5
        assert page["@odata.nextLink"].endswith("$skip=3")
        for wrong in ("-1", "x", "1.5", ""):
            assert refusal(await client.get("/me/events", params={"$top": wrong})) == (400, "BadRequest")
        assert (await client.get("/me/events", params={"$top": "2000"})).status_code == 200
        graph.world.switches.top_over_1000 = "refuse"
        assert refusal(await client.get("/me/events", params={"$top": "2000"})) == (400, "BadRequest")


async def test_unsupported_options_are_refused():
    graph = Graph()
    async with graph.signed_in() as client:
        assert refusal(await client.get("/me/events", params={"$search": "x"})) == (400, "UnsupportedQueryOption")
        assert refusal(await client.get("/me/events", params={"$apply": "x"})) == (400, "BadRequest")


async def test_a_view_excludes_what_only_touches_the_window():
    graph = Graph()
    graph.empty(DANA)
    async with graph.signed_in() as client:
        await create(client, subject="before", **on(1, 9))
        await create(client, subject="inside", **on(1, 10))
        await create(client, subject="after", **on(1, 11))
        inside = window("2026-04-01T10:00:00", "2026-04-01T11:00:00Z")
        assert await subjects(client, "/me/calendarView", inside) == ["inside"]
        shifted = window("2026-04-01T06:00:00-04:00", "2026-04-01T07:00:00-04:00")
        assert await subjects(client, "/me/calendarView", shifted) == ["inside"]


async def test_an_all_day_event_is_matched_as_utc_days_whatever_zone_it_has():
    graph = Graph()
    graph.empty(DANA)
    async with graph.signed_in() as client:
        day = {
            "isAllDay": True,
            "start": {"dateTime": "2026-04-01T00:00:00", "timeZone": "Asia/Tokyo"},
            "end": {"dateTime": "2026-04-02T00:00:00", "timeZone": "Asia/Tokyo"},
        }
        await create(client, subject="Holiday", **day)
        tokyo_day = window("2026-03-31T15:00:00Z", "2026-04-01T00:00:00Z")  # the Tokyo day's first nine hours
        assert await subjects(client, "/me/calendarView", tokyo_day) == []
        next_day = window("2026-04-01T15:00:00Z", "2026-04-02T15:00:00Z")
        assert await subjects(client, "/me/calendarView", next_day) == ["Holiday"]
        shown = (
            await client.get(
                "/me/calendarView",
                params=window("2026-04-01T00:00:00Z", "2026-04-02T00:00:00Z"),
                headers={"Prefer": 'outlook.timezone="Pacific Standard Time"'},
            )
        ).json()["value"][0]
        assert shown["start"] == {"dateTime": "2026-04-01T00:00:00.0000000", "timeZone": "Pacific Standard Time"}
        assert shown["end"]["dateTime"] == "2026-04-02T00:00:00.0000000"


@pytest.mark.parametrize(
    ("begin", "end", "code"),
    [
        ("2020-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "ErrorInvalidRequest"),
        ("2026-04-02T00:00:00Z", "2026-04-01T00:00:00Z", "ErrorInvalidParameter"),
        ("", "2026-04-01T00:00:00Z", "ErrorInvalidParameter"),
        ("yesterday", "2026-04-01T00:00:00Z", "ErrorInvalidParameter"),
    ],
)
async def test_a_window_that_microsoft_refuses_is_refused(begin: str, end: str, code: str):
    graph = Graph()
    async with graph.signed_in() as client:
        assert refusal(await client.get("/me/calendarView", params=window(begin, end))) == (400, code)


async def test_exactly_1825_days_are_allowed():
    graph = Graph()
    async with graph.signed_in() as client:
        last = date(2026, 1, 1) + timedelta(days=1825)
        assert (await client.get("/me/calendarView", params=window("2026-01-01", last.isoformat()))).status_code == 200


async def test_a_view_fills_the_meeting_only_beside_is_online_meeting():
    graph = Graph()
    graph.empty(DANA)
    async with graph.signed_in() as client:
        await create(client, isOnlineMeeting=True, **on(1))
        day = ("2026-04-01T00:00:00Z", "2026-04-02T00:00:00Z")
        alone = await client.get("/me/calendarView", params=window(*day, **{"$select": "subject,onlineMeeting"}))
        assert alone.json()["value"][0]["onlineMeeting"] is None
        both = await client.get("/me/calendarView", params=window(*day, **{"$select": "onlineMeeting,isOnlineMeeting"}))
        assert both.json()["value"][0]["onlineMeeting"]["joinUrl"].startswith("https://teams.microsoft.com/")
        listed = await client.get("/me/events", params={"$select": "onlineMeeting"})
        assert listed.json()["value"][0]["onlineMeeting"] is not None


async def test_a_view_does_not_select_when_an_event_was_created():
    graph = Graph()
    graph.empty(DANA)
    async with graph.signed_in() as client:
        await create(client, **on(1))
        options = window("2026-04-01", "2026-04-02", **{"$select": "subject,createdDateTime"})
        assert set((await client.get("/me/calendarView", params=options)).json()["value"][0]) == {
            "@odata.etag",
            "id",
            "subject",
        }
        graph.world.switches.view_created = "refuse"
        assert refusal(await client.get("/me/calendarView", params=options)) == (400, "BadRequest")


async def test_a_view_filtered_by_subject_fails_when_an_event_has_none():
    graph = Graph()
    graph.empty(DANA)
    async with graph.signed_in() as client:
        await create(client, **on(1))
        options = window("2026-04-01", "2026-04-03", **{"$filter": "contains(subject,'Q2')"})
        assert await subjects(client, "/me/calendarView", options) == ["Q2 Planning Kickoff"]
        await create(client, **{**on(2), "subject": None})
        assert refusal(await client.get("/me/calendarView", params=options)) == (500, "ErrorInternalServerError")


async def test_a_filter_on_an_all_day_event_compares_its_local_midnight():
    graph = Graph()
    graph.empty(DANA)
    async with graph.signed_in() as client:
        days = {
            "isAllDay": True,
            "start": {"dateTime": "2026-04-01T00:00:00", "timeZone": "Asia/Tokyo"},
            "end": {"dateTime": "2026-04-02T00:00:00", "timeZone": "Asia/Tokyo"},
        }
        await create(client, **days)
        missed = {"$filter": "start/dateTime ge '2026-04-01T00:00:00'"}
        assert await subjects(client, "/me/events", missed) == []
        found = {"$filter": "start/dateTime eq '2026-03-31T15:00:00'"}
        assert await subjects(client, "/me/events", found) == ["Q2 Planning Kickoff"]


async def test_the_preferred_zone_and_body_type_are_applied_and_confirmed():
    graph = Graph()
    async with graph.signed_in() as client:
        made = await create(client, body={"contentType": "html", "content": "<p>One</p><script>x()</script><p>Two</p>"})
        assert made["body"]["contentType"] == "html"
        assert made["body"]["content"].startswith("<html><head>")
        assert "script" not in made["body"]["content"]
        wishes = {"Prefer": 'outlook.timezone="Tokyo Standard Time", outlook.body-content-type="text"'}
        answer = await client.get(path(made), headers=wishes)
        assert answer.json()["start"] == {"dateTime": "2026-04-01T23:00:00.0000000", "timeZone": "Tokyo Standard Time"}
        assert answer.json()["body"] == {"contentType": "text", "content": "One\r\nTwo"}
        assert 'outlook.body-content-type="text"' in answer.headers["preference-applied"]


async def test_several_prefer_headers_count_together():
    graph = Graph()
    async with graph.signed_in() as client:
        made = await create(client)
        headers = [("Prefer", 'outlook.timezone="Asia/Tokyo"'), ("Prefer", 'IdType="ImmutableId"')]
        seen = (await client.get(path(made), headers=headers)).json()
        assert seen["start"]["timeZone"] == "Asia/Tokyo"
        assert seen["id"] != made["id"]


@pytest.mark.parametrize("zone", ["undefined", "[]", "Greenwich Mean Time", ""])
async def test_an_unknown_preferred_zone_is_refused(zone: str):
    graph = Graph()
    async with graph.signed_in() as client:
        answer = await client.get("/me/events", headers={"Prefer": f'outlook.timezone="{zone}"'})
        assert refusal(answer) == (400, "TimeZoneNotSupportedException")


async def test_several_calendars_hold_their_own_events():
    graph = Graph()
    async with graph.signed_in() as client:
        calendars = {entry["name"]: entry for entry in (await client.get("/me/calendars")).json()["value"]}
        assert set(calendars) == {"Calendar", "Birthdays", "Private"}
        assert calendars["Calendar"]["isDefaultCalendar"]
        private, birthdays = calendars["Private"]["id"], calendars["Birthdays"]["id"]
        made = await client.post(f"/me/calendars/{private}/events", json=event_body(subject="Gym"))
        assert made.status_code == 201
        assert "Gym" in await subjects(client, f"/me/calendars/{private}/events", {})
        assert "Gym" not in await subjects(client, "/me/events", {"$top": "50"})
        graph.world.switches.me_events = "all"
        assert "Gym" in await subjects(client, "/me/events", {"$top": "50"})
        found = await client.get(f"/me/calendars/{private}/calendarView", params=window("2026-04-01", "2026-04-03"))
        assert [event["subject"] for event in found.json()["value"]] == ["Gym"]
        refused = await client.post(f"/me/calendars/{birthdays}/events", json=event_body())
        assert refusal(refused) == (403, "ErrorAccessDenied")
        one = await client.get(f"/me/calendars/{private}")
        assert one.json()["name"] == "Private"
        assert (await client.get("/me/calendar")).json()["id"] == calendars["Calendar"]["id"]
        elsewhere = f"/me/calendars/{birthdays}/events/{quote(made.json()['id'], safe='')}"
        assert refusal(await client.get(elsewhere)) == (404, "ErrorItemNotFound")


async def test_the_signed_in_person_is_also_reached_by_id_and_name_and_others_are_not():
    graph = Graph()
    async with graph.signed_in() as client:
        me = (await client.get("/me")).json()
        assert (me["userPrincipalName"], me["displayName"]) == (DANA, "Dana Lindqvist")
        for name in (me["id"], DANA):
            assert (await client.get(f"/users/{name}/events")).status_code == 200
        assert refusal(await client.get("/users/bob@company.com/events")) == (403, "ErrorAccessDenied")
        assert refusal(await client.get("/users/nobody@company.com/events")) == (404, "ErrorInvalidUser")


async def test_mailbox_settings_need_their_own_permission():
    graph = Graph()
    async with graph.signed_in() as client:
        assert refusal(await client.get("/me/mailboxSettings")) == (403, "ErrorAccessDenied")
    async with graph.signed_in(scopes=frozenset({"MailboxSettings.Read"})) as client:
        assert (await client.get("/me/mailboxSettings")).json()["timeZone"] == "Central Standard Time"
        assert (await client.get("/me/mailboxSettings/timeZone")).json()["value"] == "Central Standard Time"


async def test_the_supported_zones_come_in_both_standards():
    graph = Graph()
    async with graph.signed_in() as client:
        windows = (await client.get("/me/outlook/supportedTimeZones")).json()["value"]
        assert "Pacific Standard Time" in [zone["alias"] for zone in windows]
        standard = "supportedTimeZones(TimeZoneStandard=microsoft.graph.timeZoneStandard'Iana')"
        iana = (await client.get(f"/me/outlook/{standard}")).json()["value"]
        assert "America/New_York" in [zone["alias"] for zone in iana]


async def test_an_unescaped_slash_in_an_id_breaks_the_path():
    graph = Graph()
    async with graph.signed_in() as client:
        assert refusal(await client.get("/me/events/abc/def")) == (400, "RequestBroker--ParseUri")
        made = await create(client)
        assert refusal(await client.get(path(made, "/def"))) == (400, "RequestBroker--ParseUri")
        assert refusal(await client.get("/me/events/abc%2Fdef")) == (400, "ErrorInvalidIdMalformed")


async def test_a_second_slash_after_the_version_counts_as_one_as_msgraph_sdk_sends_it():
    async with Graph().signed_in() as client:
        doubled, plain = [
            (
                await client.get(f"https://graph.test/v1.0{slash}me/events", params={"$select": "subject", "$top": "2"})
            ).json()
            for slash in ("//", "/")
        ]
        assert doubled == plain
        assert "//me" not in doubled["@odata.nextLink"]
        assert (await client.get("/me//events")).status_code == 400


async def test_everything_received_is_recorded():
    graph = Graph()
    async with graph.signed_in() as client:
        await create(client)
        await client.get("/me/events", params={"$top": "3"}, headers={"Prefer": 'IdType="ImmutableId"'})
    written, read = graph.world.requests
    assert (written.method, written.status, written.person) == ("POST", 201, DANA)
    assert written.body["subject"] == "Q2 Planning Kickoff"
    assert (read.path, read.query, read.headers["prefer"]) == ("/v1.0/me/events", {"$top": "3"}, 'IdType="ImmutableId"')

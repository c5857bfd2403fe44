"""What calendar servers commonly get wrong, one test each, through a real MCP client down to the sandbox.

The finer points of each stand in the tests of the operations beside this file; what Graph's codes become, in
`test_graph_codes_through_the_seam.py`.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.agent import Agent, agent

NEW_YORK = "America/New_York"
MEETING: dict[str, Any] = {
    "subject": "Review",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": NEW_YORK,
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": NEW_YORK,
}
WEEKLY = {"recurrence_type": "weekly", "recurrence_occurrences": 10}
MAY_WEEK = {"start_datetime": "2026-05-04T00:00:00", "end_datetime": "2026-05-11T00:00:00", "timezone": NEW_YORK}


def at(day: str, start: str, end: str, zone: str = NEW_YORK, **more: Any) -> dict[str, Any]:
    """The arguments of a meeting on a day."""
    return {
        "subject": "Review",
        "start_datetime": f"{day}T{start}:00",
        "start_timezone": zone,
        "end_datetime": f"{day}T{end}:00",
        "end_timezone": zone,
        **more,
    }


def people(event: dict[str, Any]) -> dict[str, str]:
    return {person["emailAddress"]["address"]: person.get("type", "required") for person in event["attendees"]}


async def series_in_window(me: Agent) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A weekly series and its first occurrences as a window lists them."""
    master = await me.did("create", **MEETING, **WEEKLY)
    window = {"start_datetime": "2026-04-01T00:00:00", "end_datetime": "2026-05-01T00:00:00", "timezone": NEW_YORK}
    rows = (await me.did("list", **window))["value"]
    return master, [row for row in rows if row["type"] == "occurrence"]


# -- lists


async def test_a_week_is_listed_with_its_recurring_meetings_and_a_filter_on_dates_says_that_it_has_none() -> None:
    async with agent() as me:
        await me.did("create", **MEETING, **WEEKLY)
        week = await me.did("list", **MAY_WEEK)
        assert [row["start"]["dateTime"] for row in week["value"]] == ["2026-05-06T10:00:00"]
        filtered = await me.did(
            "list", filter="start/dateTime ge '2026-05-04T00:00:00' and end/dateTime le '2026-05-11T00:00:00'"
        )
        assert filtered["value"] == []
        assert any("start_datetime and end_datetime" in warning for warning in filtered["warnings"])


async def test_every_request_asks_for_immutable_ids_and_an_id_is_taken_to_the_letter() -> None:
    async with agent() as me:
        event = await me.did("create", **MEETING)
        for number in range(12):
            await me.did("create", **at("2026-05-05", f"{number:02d}:00", f"{number:02d}:30"))
        first = await me.did("list", top=5)
        await me.did("list", page=first["next_page"])
        await me.did("list", **MAY_WEEK)
        await me.did("update", event_id=event["id"], attendees_add="alice@company.com")
        await me.did("get", event_id=event["id"])
        other_case = await me.refused("get", event_id=event["id"].swapcase())
        assert other_case["code"] in {"event_not_found", "invalid_input"}
        await me.did("delete", event_id=event["id"])
        assert any("skip" in str(request.query).lower() for request in me.received("GET"))
        assert all('IdType="ImmutableId"' in request.headers["prefer"] for request in me.received())


async def test_an_all_day_event_is_found_on_its_own_days_only_however_far_from_utc_its_owner_lives() -> None:
    async with agent() as me:
        for zone in ("Pacific/Auckland", "America/Los_Angeles"):
            whole_day = {**at("2026-06-10", "00:00", "00:00", zone, isAllDay=True), "end_datetime": "2026-06-11"}
            event = await me.did("create", **whole_day)
            for day, found in (("09", False), ("10", True), ("11", False)):
                window = {"start_datetime": f"2026-06-{day}T00:00:00", "end_datetime": f"2026-06-{day}T23:59:00"}
                rows = (await me.did("list", **window, timezone=zone))["value"]
                assert [row["id"] for row in rows] == ([event["id"]] if found else [])
            await me.did("delete", event_id=event["id"])


async def test_a_window_goes_out_in_utc_and_a_filter_without_quotes_comes_back_with_one_that_works() -> None:
    async with agent() as me:
        await me.did("create", **at("2026-05-04", "22:00", "23:00"))
        me.forget()
        day = {"start_datetime": "2026-05-04T00:00:00", "end_datetime": "2026-05-05T00:00:00", "timezone": NEW_YORK}
        rows = (await me.did("list", **day))["value"]
        assert [row["start"]["dateTime"] for row in rows] == ["2026-05-04T22:00:00"]
        query = me.received("GET")[0].query
        assert all(query[name].endswith("Z") for name in ("startDateTime", "endDateTime"))
        refused = await me.refused("list", filter="start/dateTime ge 2026-05-04T00:00:00")
        assert refused["field"] == "filter"
        example = re.search(r"start/dateTime ge '[^']+' and start/dateTime lt '[^']+'", refused["next_step"])
        assert example
        await me.did("list", filter=example[0])


async def test_pages_are_followed_to_the_number_asked_for_and_more_is_announced() -> None:
    async with agent() as me:
        for number in range(23):
            await me.did("create", **at("2026-05-05", f"{number:02d}:00", f"{number:02d}:30"))
        for query in ({}, MAY_WEEK):
            first = await me.did("list", **query, top=15)
            assert len(first["value"]) == 15
            rest = await me.did("list", page=first["next_page"])
            assert len(rest["value"]) == 8
            assert "next_page" not in rest
            assert len({row["id"] for row in first["value"] + rest["value"]}) == 23


async def test_a_page_elsewhere_gets_no_token() -> None:
    async with agent() as me:
        page = {"value": [], "@odata.nextLink": "https://elsewhere.example/v1.0/me/events?$skip=1"}
        me.fail(status=200, body=json.dumps(page), method="GET")
        refused = await me.refused("list", top=5)
        assert (refused["code"], refused["who_acts"]) == ("provider_unavailable", "operator")
        assert len(me.received()) == 1


async def test_a_window_comes_in_the_order_of_starts_whatever_order_the_events_were_made_in() -> None:
    async with agent() as me:
        for hour in ("15", "09", "12", "08"):
            await me.did("create", **at("2026-05-05", f"{hour}:00", f"{hour}:30"))
        rows = (await me.did("list", **MAY_WEEK))["value"]
        assert [row["start"]["dateTime"][11:13] for row in rows] == ["08", "09", "12", "15"]


async def test_selecting_the_online_meeting_in_a_window_gives_its_link() -> None:
    async with agent() as me:
        await me.did("create", **at("2026-05-05", "09:00", "10:00"), isOnlineMeeting=True)
        rows = (await me.did("list", **MAY_WEEK, select="subject,onlineMeeting"))["value"]
        assert rows[0]["onlineMeeting"]["joinUrl"]


async def test_a_window_of_ten_years_is_refused_with_the_limit_before_anything_is_sent() -> None:
    async with agent() as me:
        decade = {"start_datetime": "2026-01-01T00:00:00", "end_datetime": "2036-01-01T00:00:00", "timezone": "UTC"}
        refused = await me.refused("list", **decade)
        assert (refused["code"], refused["field"]) == ("invalid_input", "end_datetime")
        assert "1825 days" in refused["message"]
        assert me.received() == []


# -- create


async def test_a_create_whose_answer_is_lost_books_once_and_mails_each_invitation_once() -> None:
    async with agent() as me:
        me.fail(drop="after", method="POST")
        event = await me.did("create", **MEETING, attendees_required="alice@company.com")
        first, second = me.received("POST")
        assert first.body == second.body
        assert first.body["transactionId"]
        assert [row["id"] for row in (await me.did("list"))["value"]] == [event["id"]]
        assert len(me.sandbox.world.mails) == 1


async def test_a_create_that_stayed_undecided_can_be_repeated_later_without_booking_twice() -> None:
    async with agent() as me:
        me.fail(drop="after", method="POST", times=50)
        refused = await me.refused("create", **MEETING, attendees_required="alice@company.com")
        assert refused["code"] == "outcome_unknown"
        key = re.search(r"transaction_id=(\S+):", refused["next_step"])
        assert key
        me.heal()
        again = {**MEETING, "attendees_required": "alice@company.com", "transaction_id": key[1]}
        event = await me.did("create", **again)
        assert [row["id"] for row in (await me.did("list"))["value"]] == [event["id"]]
        assert len(me.sandbox.world.mails) == 1


async def test_a_transaction_id_reused_with_other_content_is_a_conflict_that_names_the_event() -> None:
    async with agent() as me:
        event = await me.did("create", **MEETING, transaction_id="once")
        assert (await me.did("create", **MEETING, transaction_id="once"))["id"] == event["id"]
        refused = await me.refused("create", **{**MEETING, "subject": "Another"}, transaction_id="once")
        assert refused["code"] == "conflict"
        assert event["id"] in refused["message"]
        assert len((await me.did("list"))["value"]) == 1


async def test_a_create_without_a_start_is_refused_because_microsoft_would_book_it_now() -> None:
    async with agent() as me:
        for name in ("start_datetime", "start_timezone"):
            refused = await me.refused("create", **{**MEETING, name: None})
            assert (refused["code"], refused["field"]) == ("invalid_input", name)
        assert me.received() == []


async def test_an_end_that_is_not_after_the_start_is_refused_comparing_instants_across_zones() -> None:
    async with agent() as me:
        mixed = {**MEETING, "start_timezone": "America/Los_Angeles", "end_timezone": "Europe/Berlin"}
        refused = await me.refused("create", **{**mixed, "end_datetime": "2026-04-01T18:30:00"})
        assert (refused["code"], refused["field"]) == ("invalid_input", "end_datetime")
        assert me.received() == []
        await me.did("create", **{**mixed, "end_datetime": "2026-04-01T19:30:00"})


async def test_a_time_that_the_clock_skips_is_refused_and_one_that_it_repeats_is_told() -> None:
    async with agent() as me:
        refused = await me.refused("create", **at("2026-03-08", "02:30", "04:00"))
        assert refused["field"] == "start_datetime"
        assert "2026-03-08T03:30:00" in refused["message"]
        assert me.received() == []
        event = await me.did("create", **at("2026-11-01", "01:30", "03:00"))
        assert any("happens twice" in warning for warning in event["notes"])


async def test_an_all_day_event_ends_on_the_day_after_its_last_and_is_shown_by_dates_in_any_zone() -> None:
    async with agent() as me:
        day = at("2026-04-01", "00:00", "23:59", isAllDay=True)
        for end in ("2026-04-01T23:59:00", "2026-04-01T00:00:00", "2026-04-01"):
            refused = await me.refused("create", **{**day, "end_datetime": end})
            assert "2026-04-02T00:00:00" in refused["message"]
        refused = await me.refused("create", **{**day, "end_datetime": "2026-04-02", "end_timezone": "Asia/Tokyo"})
        assert refused["field"] == "end_timezone"
        assert me.received() == []
        event = await me.did("create", **{**day, "end_datetime": "2026-04-02"})
        for zone in ("Asia/Tokyo", "Pacific/Honolulu"):
            shown = await me.did("get", event_id=event["id"], timezone=zone)
            assert (shown["start"]["dateTime"], shown["end"]["dateTime"]) == ("2026-04-01", "2026-04-02")


async def test_a_teams_link_is_claimed_only_when_it_is_there() -> None:
    async with agent() as me:
        event = await me.did("create", **MEETING, isOnlineMeeting=True)
        assert event["onlineMeeting"]["joinUrl"]
        assert "warnings" not in event
        me.sandbox.people["dana@company.com"].teams_allowed = False
        without = await me.did("create", **MEETING, isOnlineMeeting=True, onlineMeetingProvider="teamsForBusiness")
        assert any("no online-meeting link" in warning for warning in without["warnings"])


async def test_a_personal_account_is_told_that_it_has_no_teams() -> None:
    async with agent("pat@outlook.example") as me:
        event = await me.did("create", **MEETING, isOnlineMeeting=True, onlineMeetingProvider="teamsForBusiness")
        assert "onlineMeetingProvider" not in me.received("POST")[0].body
        assert any("personal Microsoft accounts" in warning for warning in event["warnings"])


async def test_the_join_link_is_that_of_the_online_meeting_and_the_legacy_address_stays_empty() -> None:
    async with agent() as me:
        made = await me.did("create", **MEETING, isOnlineMeeting=True)
        event = await me.did("get", event_id=made["id"])
        assert "onlineMeetingUrl" not in event
        assert event["onlineMeeting"]["joinUrl"].startswith("https://")


async def test_a_series_starts_on_the_date_of_its_first_event_which_its_pattern_must_have() -> None:
    async with agent() as me:
        event = await me.did("create", **at("2026-04-01", "22:00", "23:00"), **WEEKLY)
        assert event["recurrence"]["range"]["startDate"] == "2026-04-01"  # already the 2nd in UTC
        assert event["recurrence"]["pattern"]["daysOfWeek"] == ["wednesday"]
        for wrong in ({"recurrence_days_of_week": "monday"}, {"recurrence_start_date": "2026-04-02"}):
            refused = await me.refused("create", **MEETING, **WEEKLY, **wrong)
            assert refused["field"] in wrong
        sent = me.received("POST")
        assert len(sent) == 1
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", sent[0].body["recurrence"]["range"]["startDate"])


async def test_a_weekly_ten_o_clock_stays_ten_o_clock_when_the_clock_changes() -> None:
    async with agent() as me:
        await me.did("create", **at("2026-10-22", "10:00", "11:00", "Europe/Berlin"), **WEEKLY)
        window = {"start_datetime": "2026-10-20T00:00:00", "end_datetime": "2026-11-12T00:00:00"}
        rows = (await me.did("list", **window, timezone="Europe/Berlin"))["value"]
        assert [row["start"]["dateTime"] for row in rows] == [
            f"{day}T10:00:00" for day in ("2026-10-22", "2026-10-29", "2026-11-05")
        ]


async def test_a_zone_that_microsoft_does_not_list_goes_out_by_its_windows_name_and_nonsense_is_refused() -> None:
    async with agent() as me:
        # The older name of the zone is known to everybody but Microsoft's list.
        me.sandbox.world.switches.iana_zones = "documented"
        event = await me.did("create", **at("2026-04-01", "10:00", "11:00", "Asia/Calcutta"))
        assert me.received("POST")[0].body["start"]["timeZone"] == "India Standard Time"
        assert event["start"] == {"dateTime": "2026-04-01T10:00:00", "timeZone": "Asia/Calcutta"}
        refused = await me.refused("create", **at("2026-04-01", "10:00", "11:00", "New York"))
        assert (refused["field"], NEW_YORK in refused["message"]) == ("start_timezone", True)


# -- update


async def test_new_required_attendees_leave_the_optional_ones_and_the_room_invited() -> None:
    async with agent() as me:
        event = await me.did(
            "create", **MEETING, attendees_required="alice@company.com,bob@company.com",
            attendees_optional="carol@company.com", attendees_resource="room1@company.com",
        )  # fmt: skip
        updated = await me.did("update", event_id=event["id"], attendees_required="dave@company.com")
        assert people(updated) == {
            "dave@company.com": "required", "carol@company.com": "optional", "room1@company.com": "resource",
        }  # fmt: skip
        emptied = await me.did("update", event_id=event["id"], clear="attendees_optional")
        assert people(emptied) == {"dave@company.com": "required", "room1@company.com": "resource"}


async def test_a_new_description_of_a_teams_meeting_keeps_its_join_block_and_its_link() -> None:
    async with agent() as me:
        event = await me.did("create", **MEETING, isOnlineMeeting=True, body_content="Agenda: one")
        link = event["onlineMeeting"]["joinUrl"]
        updated = await me.did("update", event_id=event["id"], body_content="Agenda: two")
        assert updated["onlineMeeting"]["joinUrl"] == link
        body = (await me.did("get", event_id=event["id"], body_format="html"))["body"]["content"]
        assert "Agenda: two" in body
        assert "Agenda: one" not in body
        assert link in body


async def test_an_occurrences_id_changes_one_date_and_the_whole_series_only_when_that_is_said() -> None:
    async with agent() as me:
        master, occurrences = await series_in_window(me)
        await me.did("update", event_id=occurrences[1]["id"], subject="Only this one")
        assert (await me.did("get", event_id=occurrences[2]["id"]))["subject"] == "Review"
        await me.did("update", event_id=occurrences[2]["id"], apply_to="series", location="Room 4")
        assert (await me.did("get", event_id=occurrences[3]["id"]))["location"]["displayName"] == "Room 4"
        refused = await me.refused("update", event_id=master["id"], apply_to="this", subject="Which one?")
        assert (refused["code"], refused["field"]) == ("invalid_input", "apply_to")


async def test_a_change_to_somebody_elses_meeting_is_said_to_stay_in_the_own_copy() -> None:
    async with agent() as me:
        meeting = {
            "subject": "Budget",
            "start": {"dateTime": "2026-04-01T10:00:00", "timeZone": "UTC"},
            "end": {"dateTime": "2026-04-01T11:00:00", "timeZone": "UTC"},
            "attendees": [{"type": "required", "emailAddress": {"address": "dana@company.com"}}],
        }
        theirs = await me.graph("POST", "/me/events", meeting, address="alice@company.com")
        mine = (await me.did("list"))["value"][0]
        updated = await me.did(
            "update", event_id=mine["id"], start_datetime="2026-04-01T14:00:00", start_timezone="UTC"
        )
        assert any("own copy" in warning for warning in updated["warnings"])
        path = f"/me/events/{quote(theirs['id'], safe='')}"
        unmoved = await me.graph("GET", path, address="alice@company.com")
        assert unmoved["start"]["dateTime"].startswith("2026-04-01T10:00")


async def test_a_concurrent_change_is_read_again_and_the_update_made_once_more_then_it_is_a_conflict() -> None:
    async with agent() as me:
        event = await me.did("create", **MEETING)
        me.fail(status=412, code="ErrorIrresolvableConflict", method="PATCH")
        await me.did("update", event_id=event["id"], attendees_add="alice@company.com")
        assert [request.method for request in me.received()][-4:] == ["GET", "PATCH", "GET", "PATCH"]
        me.fail(status=412, code="ErrorIrresolvableConflict", method="PATCH", times=5)
        refused = await me.refused("update", event_id=event["id"], attendees_add="bob@company.com")
        assert refused["code"] == "conflict"
        assert me.sandbox.world.switches.graph_faults[0].times == 3


# -- delete and permissions


async def test_deleting_what_is_already_gone_is_a_success_that_says_so() -> None:
    async with agent() as me:
        event = await me.did("create", **MEETING)
        deleted = await me.did("delete", event_id=event["id"])
        assert (deleted["deleted"], deleted["already_gone"]) == (True, False)
        again = await me.did("delete", event_id=event["id"])
        assert (again["deleted"], again["already_gone"]) == (True, True)
        assert "Nothing was deleted by this call" in again["warnings"][0]


@pytest.mark.parametrize("tool", ["create", "delete"])
async def test_a_missing_permission_names_it_with_a_link_and_leaves_the_account_active(tool: str) -> None:
    async with agent(scopes="openid profile offline_access User.Read Calendars.Read") as me:
        arguments = MEETING if tool == "create" else {"event_id": "AAMkAGI="}
        refused = await me.refused(tool, **arguments)
        assert (refused["code"], refused["missing_scopes"]) == ("permission_missing", ["Calendars.ReadWrite"])
        assert "/connect/" in refused["authorization_url"]
        assert me.received() == []
        assert await me.status() == ("ACTIVE", None)
        me.fail(status=403, code="ErrorAccessDenied")
        assert (await me.refused("list"))["code"] == "permission_missing"
        assert await me.status() == ("ACTIVE", None)

import json
from datetime import date
from typing import Any, Literal

import pytest

from scalekit_mcp.errors import CalendarNotFound, Conflict, InvalidInput
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.world import GraphFault
from tests.support.microsoft import signed_in

KICKOFF: dict[str, Any] = {
    "subject": "Q2 Planning Kickoff",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "America/New_York",
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": "America/New_York",
}


def sandbox() -> Sandbox:
    return Sandbox(week_of=date(2026, 3, 30))


async def test_a_meeting_is_created_with_one_request_and_answered_in_its_own_zone() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(
            **KICKOFF,
            attendees_required="alice@company.com,Bob <bob@company.com>",
            attendees_optional="carol@company.com",
            body_content="Please review the Q2 roadmap doc before joining.",
            isOnlineMeeting=True,
            onlineMeetingProvider="teamsForBusiness",
            reminderMinutesBeforeStart=15,
        )
        assert [request.method for request in me.received()] == ["POST"]
        assert event["start"] == {"dateTime": "2026-04-01T10:00:00.0000000", "timeZone": "America/New_York"}
        assert event["end"]["dateTime"] == "2026-04-01T11:00:00.0000000"
        assert [(a["emailAddress"]["address"], a["type"]) for a in event["attendees"]] == [
            ("alice@company.com", "required"),
            ("bob@company.com", "required"),
            ("carol@company.com", "optional"),
        ]
        assert event["onlineMeeting"]["joinUrl"].startswith("https://teams.microsoft.com/")
        assert event["body"]["contentType"] == "text"
        assert "warnings" not in event
        assert not any(name.startswith("@odata.") for name in event)


async def test_every_create_carries_a_transaction_id_and_two_calls_never_share_one() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**KICKOFF)
        await me.create(**KICKOFF)
        ids = [request.body["transactionId"] for request in me.received("POST")]
        assert len(set(ids)) == 2


async def test_the_same_transaction_id_and_content_returns_the_first_event() -> None:
    async with signed_in(sandbox()) as me:
        first = await me.create(**KICKOFF, transaction_id="plan-7", attendees_required="alice@company.com")
        second = await me.create(**KICKOFF, transaction_id="plan-7", attendees_required="alice@company.com")
        assert second["id"] == first["id"]
        assert [mail.kind for mail in me.sandbox.world.mails] == ["invitation"]


@pytest.mark.parametrize("status", [400, 409])
async def test_a_transaction_id_reused_with_edited_content_is_a_conflict_that_names_the_event(
    status: Literal[400, 409],
) -> None:
    async with signed_in(sandbox()) as me:
        me.sandbox.world.switches.duplicate_transaction_status = status
        first = await me.create(**KICKOFF, transaction_id="plan-7")
        with pytest.raises(Conflict) as refused:
            await me.create(**{**KICKOFF, "subject": "Another"}, transaction_id="plan-7")
        assert first["id"] in refused.value.message
        assert refused.value.code == "conflict"
        assert "transaction_id" in refused.value.next_step
        assert not any(e["subject"] == "Another" for e in (await me.list(top=100))["value"])


async def test_create_without_a_start_is_refused_before_microsoft_books_it_now() -> None:
    async with signed_in(sandbox()) as me:
        arguments = {name: value for name, value in KICKOFF.items() if name != "start_datetime"}
        with pytest.raises(InvalidInput) as refused:
            await me.create(**arguments)
        assert refused.value.details["field"] == "start_datetime"
        assert me.received() == []


@pytest.mark.parametrize("end", ["2026-04-01T10:00:00", "2026-04-01T09:00:00"])
async def test_an_end_that_is_not_after_the_start_is_refused_before_the_call(end: str) -> None:
    async with signed_in(sandbox()) as me:
        with pytest.raises(InvalidInput) as refused:
            await me.create(**{**KICKOFF, "end_datetime": end})
        assert refused.value.details["field"] == "end_datetime"
        assert me.received() == []


async def test_start_and_end_are_compared_as_instants_across_mixed_zones() -> None:
    async with signed_in(sandbox()) as me:
        mixed = {**KICKOFF, "end_datetime": "2026-04-01T09:00:00", "end_timezone": "America/Los_Angeles"}
        event = await me.create(**mixed)
        assert event["originalEndTimeZone"] == "America/Los_Angeles"
        assert event["end"]["dateTime"] == "2026-04-01T12:00:00.0000000"
        with pytest.raises(InvalidInput):
            await me.create(**{**mixed, "end_datetime": "2026-04-01T06:59:00"})


async def test_a_start_inside_a_dst_gap_is_refused_and_one_in_a_fold_is_taken_with_a_warning() -> None:
    async with signed_in(sandbox()) as me:
        gap = {**KICKOFF, "start_datetime": "2026-03-08T02:30:00", "end_datetime": "2026-03-08T04:00:00"}
        with pytest.raises(InvalidInput, match="does not exist"):
            await me.create(**gap)
        assert me.received() == []
        fold = {**KICKOFF, "start_datetime": "2026-11-01T01:30:00", "end_datetime": "2026-11-01T03:00:00"}
        event = await me.create(**fold)
        assert any("twice" in warning for warning in event["notes"])


async def test_an_all_day_event_is_midnight_to_midnight_and_shows_dates() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(
            subject="Offsite",
            isAllDay=True,
            start_datetime="2026-04-01",
            start_timezone="Asia/Tokyo",
            end_datetime="2026-04-03",
            end_timezone="Asia/Tokyo",
        )
        assert me.received()[0].body["start"] == {"dateTime": "2026-04-01T00:00:00", "timeZone": "Asia/Tokyo"}
        assert (event["start"]["dateTime"], event["end"]["dateTime"]) == ("2026-04-01", "2026-04-03")


@pytest.mark.parametrize("end", ["2026-04-01T23:59:00", "2026-04-01T00:00:00"])
async def test_an_all_day_end_at_23_59_or_on_the_start_day_is_refused_with_the_right_value(end: str) -> None:
    async with signed_in(sandbox()) as me:
        whole_day = {**KICKOFF, "isAllDay": True, "start_datetime": "2026-04-01T00:00:00", "end_datetime": end}
        with pytest.raises(InvalidInput, match="2026-04-02T00:00:00"):
            await me.create(**whole_day)


async def test_a_teams_link_that_microsoft_did_not_give_is_told_and_never_claimed() -> None:
    async with signed_in(sandbox()) as me:
        me.sandbox.people["dana@company.com"].teams_allowed = False
        event = await me.create(**KICKOFF, isOnlineMeeting=True, onlineMeetingProvider="teamsForBusiness")
        assert event["onlineMeeting"] is None
        assert any("no online-meeting link" in warning for warning in event["warnings"])


async def test_a_personal_account_is_not_asked_for_a_provider_and_told_that_there_is_no_teams_link() -> None:
    async with signed_in(sandbox(), "pat@outlook.example") as me:
        event = await me.create(**KICKOFF, isOnlineMeeting=True, onlineMeetingProvider="teamsForBusiness")
        assert "onlineMeetingProvider" not in me.received("POST")[0].body
        assert any("personal" in warning for warning in event["warnings"])


async def test_the_join_link_is_that_of_online_meeting_not_the_legacy_url() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**KICKOFF, isOnlineMeeting=True)
        assert event["onlineMeetingUrl"] is None
        assert event["onlineMeeting"]["joinUrl"]


async def test_the_recurrence_starts_on_the_date_of_the_event_in_its_zone() -> None:
    async with signed_in(sandbox()) as me:
        late = {**KICKOFF, "start_datetime": "2026-04-06T23:00:00", "end_datetime": "2026-04-06T23:30:00"}
        event = await me.create(**late, recurrence_type="weekly", recurrence_end_date="2026-06-30")
        assert event["recurrence"]["range"]["startDate"] == "2026-04-06"
        assert event["recurrence"]["pattern"]["daysOfWeek"] == ["monday"]
        with pytest.raises(InvalidInput):
            await me.create(**late, recurrence_type="weekly", recurrence_days_of_week="tuesday")


async def test_a_weekly_nine_o_clock_stays_nine_o_clock_across_the_clock_change() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(
            subject="Standup",
            start_datetime="2026-10-19T09:00:00",
            start_timezone="Europe/Berlin",
            end_datetime="2026-10-19T09:15:00",
            end_timezone="Europe/Berlin",
            recurrence_type="weekly",
            recurrence_occurrences=4,
        )
        assert me.received("POST")[0].body["start"]["timeZone"] == "Europe/Berlin"
        listed = await me.list(
            start_datetime="2026-10-18T00:00:00", end_datetime="2026-11-20T00:00:00", timezone="Europe/Berlin"
        )
        assert [event["start"]["dateTime"] for event in listed["value"] if event["subject"] == "Standup"] == [
            f"{day}T09:00:00" for day in ("2026-10-19", "2026-10-26", "2026-11-02", "2026-11-09")
        ]


@pytest.mark.parametrize("zone", ["Africa/Casablanca", "America/Chihuahua", "Asia/Calcutta", "Morocco Standard Time"])
async def test_a_zone_outside_microsofts_list_is_mapped_to_its_windows_name(zone: str) -> None:
    async with signed_in(sandbox()) as me:
        me.sandbox.world.switches.iana_zones = "documented"
        event = await me.create(**{**KICKOFF, "start_timezone": zone, "end_timezone": zone})
        assert event["start"] == {"dateTime": "2026-04-01T10:00:00.0000000", "timeZone": zone}


async def test_an_event_goes_into_the_calendar_that_was_named() -> None:
    async with signed_in(sandbox()) as me:
        calendars = (await me.graph("GET", "/me/calendars"))["value"]
        default = next(calendar for calendar in calendars if calendar["isDefaultCalendar"])
        event = await me.create(**KICKOFF, calendar_id=default["id"])
        listed = await me.list(calendar_id=default["id"], top=100, select="id")
        assert event["id"] in [row["id"] for row in listed["value"]]
        with pytest.raises((CalendarNotFound, InvalidInput)) as refused:
            await me.create(**KICKOFF, calendar_id=event["id"])
        assert refused.value.code in ("calendar_not_found", "invalid_input")


async def test_a_link_that_comes_late_is_read_once_more() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**KICKOFF, isOnlineMeeting=True)
        late = {**await me.graph("GET", f"/me/events/{event['id']}"), "onlineMeeting": None}
        me.sandbox.world.switches.graph_faults.append(
            GraphFault(status=201, apply=True, method="POST", body=json.dumps(late))
        )
        again = await me.create(**KICKOFF, isOnlineMeeting=True)
        assert again["onlineMeeting"]["joinUrl"]
        assert [request.method for request in me.received()[-2:]] == ["POST", "GET"]


async def test_undocumented_properties_of_an_answer_pass_through() -> None:
    async with signed_in(sandbox()) as me:
        me.sandbox.world.switches.occurrence_id_extra = True
        assert "occurrenceId" in await me.create(**KICKOFF)

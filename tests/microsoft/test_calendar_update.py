import json
from datetime import date
from typing import Any

import httpx2 as httpx
import pytest

from scalekit_mcp.errors import Conflict, EventNotFound, InvalidInput
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.world import GraphFault
from tests.support.microsoft import SignedIn, signed_in

ZONE = "America/Chicago"
MEETING: dict[str, Any] = {
    "subject": "Review",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": ZONE,
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": ZONE,
    "attendees_required": "alice@company.com,bob@company.com",
    "attendees_optional": "carol@company.com",
    "attendees_resource": "room1@company.com",
    "location": "Room 1",
    "body_content": "Agenda",
    "categories": "Blue category",
    "importance": "high",
    "isOnlineMeeting": True,
}
STANDUP: dict[str, Any] = {
    "subject": "Weekly Team Standup",
    "start_datetime": "2026-04-06T09:00:00",
    "start_timezone": ZONE,
    "end_datetime": "2026-04-06T09:30:00",
    "end_timezone": ZONE,
    "recurrence_type": "weekly",
    "recurrence_days_of_week": "Monday",
    "recurrence_range_type": "endDate",
    "recurrence_end_date": "2026-06-30",
}
SPRING = {"start_datetime": "2026-04-01T00:00:00", "end_datetime": "2026-07-01T00:00:00", "timezone": ZONE}
CHANGES_ANYWAY = {"changeKey", "lastModifiedDateTime", "notes", "warnings"}


def sandbox() -> Sandbox:
    return Sandbox(week_of=date(2026, 3, 30))


def at(day: str, begin: str, end: str, zone: str = ZONE) -> dict[str, str]:
    return {
        "start_datetime": f"{day}T{begin}",
        "start_timezone": zone,
        "end_datetime": f"{day}T{end}",
        "end_timezone": zone,
    }


def people(event: dict[str, Any]) -> dict[str, str]:
    return {a["emailAddress"]["address"]: a["type"] for a in event["attendees"]}


async def occurrences(me: SignedIn) -> list[dict[str, Any]]:
    return (await me.list(**SPRING, select="subject,start,end,type,seriesMasterId", top=100))["value"]


async def changed_fields(me: SignedIn, event_id: str, **arguments: Any) -> tuple[set[str], dict[str, Any]]:
    """What differs between the whole event before and after an update."""
    before = await me.get(event_id, timezone=ZONE, body_format="html")
    answer = await me.update(event_id, **arguments)
    after = await me.get(event_id, timezone=ZONE, body_format="html")
    different = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return different - CHANGES_ANYWAY, answer


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({"subject": "Renamed"}, {"subject"}),
        ({"importance": "low"}, {"importance"}),
        ({"showAs": "free"}, {"showAs"}),
        ({"location": "Room 2"}, {"location", "locations"}),
        ({"categories": "Red category,Green category"}, {"categories"}),
        ({"reminderMinutesBeforeStart": 5}, {"reminderMinutesBeforeStart"}),
        ({"sensitivity": "private"}, {"sensitivity"}),
        (at("2026-04-01", "14:00:00", "15:00:00"), {"start", "end"}),
        ({"attendees_add": "dave@company.com"}, {"attendees"}),
        ({"body_content": "New agenda"}, {"body", "bodyPreview"}),
        ({"clear": "attendees_optional"}, {"attendees"}),
        ({"clear": "categories"}, {"categories"}),
        ({"clear": "location"}, {"location", "locations"}),
        ({"hideAttendees": True}, {"hideAttendees"}),
        ({"isReminderOn": False}, {"isReminderOn"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
async def test_an_update_changes_exactly_the_given_fields(arguments: dict[str, Any], fields: set[str]) -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        different, _ = await changed_fields(me, event["id"], **arguments)
        assert different == fields


async def test_updating_the_required_attendees_keeps_the_optional_ones_and_the_room() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        updated = await me.update(
            event["id"],
            **at("2026-04-01", "14:00:00", "15:00:00"),
            attendees_required="alice@company.com,bob@company.com,dave@company.com",
        )
        assert people(updated) == {
            "alice@company.com": "required",
            "bob@company.com": "required",
            "dave@company.com": "required",
            "carol@company.com": "optional",
            "room1@company.com": "resource",
        }


async def test_people_are_added_and_removed_and_a_stranger_to_the_meeting_is_a_warning() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        me.sandbox.world.mails.clear()
        updated = await me.update(
            event["id"], attendees_add="dave@company.com", attendees_remove="BOB@company.com,eve@company.com"
        )
        assert people(updated).keys() == {
            "alice@company.com", "dave@company.com", "carol@company.com", "room1@company.com",
        }  # fmt: skip
        assert any("eve@company.com" in warning for warning in updated["warnings"])
        assert {(mail.kind, mail.to) for mail in me.sandbox.world.mails} == {
            ("invitation", "dave@company.com"),
            ("cancellation", "bob@company.com"),
        }


async def test_a_plain_change_costs_one_request() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        before = len(me.received())
        await me.update(event["id"], subject="Renamed", showAs="free")
        assert [request.method for request in me.received()[before:]] == ["PATCH"]


async def test_nothing_is_sent_when_there_is_nothing_to_change() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        updated = await me.update(event["id"], attendees_add="alice@company.com")
        assert me.received("PATCH") == []
        assert any("Nothing was changed" in warning for warning in updated["notes"])


@pytest.mark.parametrize(("content", "kind"), [("New agenda", "text"), ("<p>New <b>agenda</b></p>", "html")])
async def test_a_new_body_of_an_online_meeting_keeps_the_join_block_and_the_join_url(content: str, kind: str) -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        for _ in range(3):
            updated = await me.update(event["id"], body_content=content, body_contentType=kind)
            assert updated["onlineMeeting"]["joinUrl"] == event["onlineMeeting"]["joinUrl"]
            assert "warnings" not in updated
        got = await me.get(event["id"])
        assert "Agenda" not in got["body"]["content"]
        assert "New" in got["body"]["content"]
        assert got["body"]["content"].count("Microsoft Teams meeting") == 1


async def test_clearing_the_body_of_an_online_meeting_keeps_the_join_url() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        updated = await me.update(event["id"], clear="body_content")
        assert updated["onlineMeeting"] == event["onlineMeeting"]


async def test_a_lost_join_url_is_told() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        stored = next(iter(me.sandbox.world.mailboxes[me.account.oid].events.values()))
        stored.body = "<p>somebody removed the block</p>"
        stored.touch(me.sandbox.clock.now())
        updated = await me.update(event["id"], body_content="New agenda")
        assert updated["onlineMeeting"] is None
        assert any("lost its online-meeting link" in warning for warning in updated["warnings"])


async def test_an_event_is_converted_to_an_online_meeting() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**{**MEETING, "isOnlineMeeting": False})
        updated = await me.update(event["id"], isOnlineMeeting=True, onlineMeetingProvider="teamsForBusiness")
        assert updated["onlineMeeting"]["joinUrl"]
        assert "warnings" not in updated


async def test_a_conversion_that_microsoft_did_not_carry_out_is_told() -> None:
    async with signed_in(sandbox(), "pat@outlook.example") as me:
        event = await me.create(**at("2026-04-01", "10:00:00", "11:00:00"), subject="Mine")
        updated = await me.update(event["id"], isOnlineMeeting=True)
        assert updated["onlineMeeting"] is None
        assert any("personal" in warning for warning in updated["warnings"])


async def test_switching_an_online_meeting_off_is_told_to_be_impossible() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        updated = await me.update(event["id"], isOnlineMeeting=False, subject="Renamed")
        assert updated["isOnlineMeeting"]
        assert updated["warnings"]


async def test_a_start_without_an_end_keeps_the_duration_and_says_so() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        updated = await me.update(event["id"], start_datetime="2026-04-02T15:00:00", start_timezone=ZONE)
        assert updated["start"]["dateTime"][:19] == "2026-04-02T15:00:00"
        assert updated["end"]["dateTime"][:19] == "2026-04-02T16:00:00"
        assert any("duration" in warning for warning in updated["notes"])


async def test_an_end_before_the_start_that_the_event_has_is_refused() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        with pytest.raises(InvalidInput) as refused:
            await me.update(event["id"], end_datetime="2026-04-01T09:00:00", end_timezone=ZONE)
        assert refused.value.details["field"] == "end_datetime"
        assert me.received("PATCH") == []


async def test_an_attendees_update_is_told_to_change_only_the_own_copy() -> None:
    same = sandbox()
    async with signed_in(same, "alice@company.com") as alice, signed_in(same) as me:
        await alice.create(**{**MEETING, "attendees_required": "dana@company.com"})
        mine = (await me.list(top=5))["value"][0]
        updated = await me.update(mine["id"], subject="My name for it")
        assert any("own copy" in warning for warning in updated["warnings"])
        assert (await alice.list(top=5))["value"][0]["subject"] == "Review"


async def test_an_occurrence_id_changes_that_one_and_the_master_id_the_series() -> None:
    async with signed_in(sandbox()) as me:
        master = await me.create(**STANDUP)
        second = (await occurrences(me))[1]
        changed = await me.update(second["id"], subject="Standup with guests")
        assert changed["type"] == "exception"
        subjects = [event["subject"] for event in await occurrences(me)]
        assert subjects.count("Standup with guests") == 1
        await me.update(master["id"], importance="high")
        assert {(await me.get(event["id"]))["importance"] for event in (await occurrences(me))[2:4]} == {"high"}


async def test_an_occurrence_id_with_series_acts_on_the_master() -> None:
    async with signed_in(sandbox()) as me:
        master = await me.create(**STANDUP)
        third = (await occurrences(me))[2]
        updated = await me.update(third["id"], apply_to="series", subject="Daily no more")
        assert updated["id"] == master["id"]
        assert {event["subject"] for event in await occurrences(me)} == {"Daily no more"}


async def test_an_occurrence_id_with_series_moves_the_time_of_day_of_all() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**STANDUP)
        before = await occurrences(me)
        await me.update(before[2]["id"], apply_to="series", **at("2026-04-20", "15:00:00", "15:45:00"))
        after = await occurrences(me)
        assert [event["start"]["dateTime"][:10] for event in after] == [e["start"]["dateTime"][:10] for e in before]
        assert {event["start"]["dateTime"][11:19] for event in after} == {"15:00:00"}
        assert {event["end"]["dateTime"][11:19] for event in after} == {"15:45:00"}


async def test_an_occurrence_id_with_series_and_another_date_is_refused_naming_the_recurrence() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**STANDUP)
        third = (await occurrences(me))[2]
        with pytest.raises(InvalidInput) as refused:
            await me.update(third["id"], apply_to="series", **at("2026-04-21", "15:00:00", "15:45:00"))
        assert refused.value.details["field"] == "start_datetime"
        assert "recurrence_" in refused.value.message + refused.value.next_step
        assert me.received("PATCH") == []


async def test_a_master_id_with_this_is_refused() -> None:
    async with signed_in(sandbox()) as me:
        master = await me.create(**STANDUP)
        calls = (me.update(master["id"], apply_to="this", subject="x"), me.delete(master["id"], apply_to="this"))
        for refused_call in calls:
            with pytest.raises(InvalidInput) as refused:
                await refused_call
            assert refused.value.details["field"] == "apply_to"
        assert [request.method for request in me.received() if request.method in ("PATCH", "DELETE")] == []


async def test_recurrence_given_in_part_merges_with_what_is_there() -> None:
    async with signed_in(sandbox()) as me:
        master = await me.create(**STANDUP)
        updated = await me.update(master["id"], recurrence_interval=2)
        assert updated["recurrence"]["pattern"]["interval"] == 2
        assert updated["recurrence"]["pattern"]["daysOfWeek"] == ["monday"]
        assert updated["recurrence"]["range"]["endDate"] == "2026-06-30"
        shorter = await me.update(master["id"], recurrence_end_date="2026-05-31")
        assert shorter["recurrence"]["pattern"]["interval"] == 2
        assert shorter["recurrence"]["range"]["endDate"] == "2026-05-31"


async def test_a_single_event_becomes_a_series_and_a_series_one_event() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**at("2026-04-06", "09:00:00", "09:30:00"), subject="One")
        series = await me.update(event["id"], recurrence_type="daily", recurrence_occurrences=3)
        assert series["type"] == "seriesMaster"
        assert len(await occurrences(me)) == 3
        single = await me.update(event["id"], clear="recurrence")
        assert single["type"] == "singleInstance"
        assert single["recurrence"] is None


async def test_a_change_that_discards_edited_occurrences_is_refused_with_their_list() -> None:
    async with signed_in(sandbox()) as me:
        master = await me.create(**STANDUP)
        dates = await occurrences(me)
        await me.update(dates[1]["id"], **at("2026-04-13", "11:00:00", "11:30:00"))
        await me.delete(dates[3]["id"])
        for change in (at("2026-04-06", "10:00:00", "10:30:00"), {"recurrence_interval": 2}, {"clear": "recurrence"}):
            patches = len(me.received("PATCH"))
            with pytest.raises(Conflict) as refused:
                await me.update(master["id"], **change)
            assert "2026-04-13" in refused.value.message
            assert "2026-04-27" in refused.value.message
            assert "discard_exceptions" in refused.value.next_step
            assert len(me.received("PATCH")) == patches


async def test_a_change_that_keeps_edited_occurrences_is_made_without_asking() -> None:
    async with signed_in(sandbox()) as me:
        master = await me.create(**STANDUP)
        await me.update((await occurrences(me))[1]["id"], subject="Edited")
        updated = await me.update(master["id"], showAs="free", attendees_add="alice@company.com")
        assert updated["showAs"] == "free"


async def test_with_discard_exceptions_the_loss_is_accepted_and_told() -> None:
    async with signed_in(sandbox()) as me:
        master = await me.create(**STANDUP)
        await me.update((await occurrences(me))[1]["id"], subject="Edited")
        updated = await me.update(master["id"], **at("2026-04-06", "10:00:00", "10:30:00"), discard_exceptions=True)
        assert updated["start"]["dateTime"][11:19] == "10:00:00"
        assert any("2026-04-13" in warning for warning in updated["notes"])


async def test_a_412_without_a_change_in_between_is_met_without_the_condition() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        me.sandbox.world.switches.graph_faults.append(GraphFault(status=412, method="PATCH"))
        updated = await me.update(event["id"], attendees_add="dave@company.com")
        assert "dave@company.com" in people(updated)
        first, second = me.received("PATCH")
        assert first.headers.get("if-match")
        assert not second.headers.get("if-match")  # the etag fitted: Microsoft does not take the condition


async def test_somebody_elses_new_attendee_survives_a_concurrent_merge() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        done: list[str] = []

        async def other_change_first(request: httpx.Request) -> None:
            if request.method == "PATCH" and not done:
                done.append("somebody else's application comes first")
                current = await me.graph("GET", f"/me/events/{event['id']}")
                eve = {"type": "optional", "emailAddress": {"address": "eve@example.com"}}
                await me.graph("PATCH", f"/me/events/{event['id']}", {"attendees": [*current["attendees"], eve]})

        me.http.event_hooks = {"request": [other_change_first]}
        updated = await me.update(event["id"], attendees_add="dave@company.com")
        assert {"eve@example.com", "dave@company.com", "carol@company.com"} <= people(updated).keys()


async def test_a_change_that_collides_twice_is_a_conflict() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        me.sandbox.world.switches.graph_faults.append(GraphFault(status=412, method="PATCH", times=2))
        with pytest.raises(Conflict):
            await me.update(event["id"], attendees_add="dave@company.com")
        assert len(me.received("PATCH")) == 2


async def test_a_transient_412_without_a_precondition_is_tried_once_more() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        me.sandbox.world.switches.graph_faults.append(GraphFault(status=412, method="PATCH"))
        assert (await me.update(event["id"], subject="Renamed"))["subject"] == "Renamed"


async def test_the_zone_an_event_was_made_in_is_kept_where_no_time_is_given() -> None:
    async with signed_in(sandbox()) as me:
        master = await me.create(**STANDUP)
        updated = await me.update(master["id"], recurrence_end_date="2026-05-31", subject="Shorter")
        assert updated["originalStartTimeZone"] in (ZONE, "Central Standard Time")
        assert updated["recurrence"]["range"]["startDate"] == "2026-04-06"


async def test_a_custom_zone_is_read_as_utc_and_never_sent_back() -> None:
    async with signed_in(sandbox()) as me:
        master = await me.create(**STANDUP)
        current = await me.graph("GET", f"/me/events/{master['id']}")
        custom = {**current, "originalStartTimeZone": "tzone://Microsoft/Custom"}
        custom["originalEndTimeZone"] = "tzone://Microsoft/Custom"
        me.sandbox.world.switches.graph_faults.append(
            GraphFault(status=200, method="GET", body=json.dumps(custom), path_contains=master["id"])
        )
        await me.update(master["id"], recurrence_interval=2)
        assert "tzone" not in json.dumps([request.body for request in me.received("PATCH")])


async def test_updating_what_is_gone_says_so() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**MEETING)
        await me.delete(event["id"])
        for change in ({"subject": "x"}, {"attendees_add": "dave@company.com"}):
            with pytest.raises(EventNotFound):
                await me.update(event["id"], **change)

"""`apply_to=following`: a series that ends before one of its dates, and goes on differently or not at all."""

import json
from typing import Any

import pytest

from scalekit_mcp.errors import Conflict, InvalidInput, ProviderUnavailable
from tests.microsoft.test_calendar_lost_answers import mails
from tests.microsoft.test_calendar_series import DAILY, MONTHLY, days, occurrence_on
from tests.microsoft.test_calendar_update import STANDUP, ZONE, at, sandbox
from tests.support.microsoft import SignedIn, signed_in

FULL: dict[str, Any] = {
    **STANDUP,
    "attendees_required": "alice@company.com",
    "attendees_optional": "bob@company.com",
    "body_content": "Agenda & more",
    "location": "Room 1",
    "categories": "Blue category",
    "importance": "high",
    "sensitivity": "private",
    "showAs": "tentative",
    "reminderMinutesBeforeStart": 10,
    "isReminderOn": True,
    "responseRequested": False,
    "allowNewTimeProposals": False,
    "hideAttendees": True,
    "isOnlineMeeting": True,
}
LATER = at("2026-05-04", "11:00:00", "11:30:00")
FOLLOWING = {"apply_to": "following"}
ONLY_MONDAYS_OF_APRIL = ["2026-04-06", "2026-04-13", "2026-04-20", "2026-04-27"]


async def masters(me: SignedIn) -> list[dict[str, Any]]:
    """The series of the calendar, oldest first."""
    listed = await me.graph("GET", "/me/events?$top=50")
    return sorted(
        (event for event in listed["value"] if event["type"] == "seriesMaster"),
        key=lambda event: event["recurrence"]["range"]["startDate"],
    )


def span(event: dict[str, Any]) -> dict[str, Any]:
    return event["recurrence"]["range"]


async def test_a_series_ends_before_a_date_and_goes_on_with_all_it_had_and_the_changes() -> None:
    async with signed_in(sandbox()) as me:
        old = await me.create(**FULL)
        me.sandbox.world.mails.clear()
        new = await me.update(await occurrence_on(me, "2026-05-04"), **FOLLOWING, **LATER, subject="Later standup")
        first, second = await masters(me)
        assert first["id"] == old["id"]
        assert second["id"] == new["id"]
        assert span(first)["endDate"] == "2026-05-03"
        assert (span(second)["startDate"], span(second)["endDate"]) == ("2026-05-04", "2026-06-30")
        assert await days(me) == ONLY_MONDAYS_OF_APRIL
        assert (await days(me, "Later standup"))[:2] == ["2026-05-04", "2026-05-11"]
        shown = await me.get(new["id"], timezone=ZONE, body_format="html")
        assert shown["start"]["dateTime"][:16] == "2026-05-04T11:00"
        same = (
            "categories", "importance", "sensitivity", "showAs", "reminderMinutesBeforeStart", "isReminderOn",
            "responseRequested", "allowNewTimeProposals", "hideAttendees", "isOnlineMeeting", "onlineMeetingProvider",
        )  # fmt: skip
        before = await me.get(old["id"], timezone=ZONE, body_format="html")
        assert {name: shown[name] for name in same} == {name: before[name] for name in same}
        assert {a["emailAddress"]["address"]: a["type"] for a in shown["attendees"]} == {
            "alice@company.com": "required", "bob@company.com": "optional",
        }  # fmt: skip
        assert shown["location"]["displayName"] == "Room 1"
        assert "Agenda &amp; more" in shown["body"]["content"]
        links = before["onlineMeeting"]["joinUrl"], shown["onlineMeeting"]["joinUrl"]
        assert links[0] != links[1]
        content = shown["body"]["content"].replace("&amp;", "&")
        assert links[0] not in content
        assert content.count(links[1]) == 1
        assert any(links[1] in note for note in new["notes"])
        assert any(old["id"] in note and new["id"] in note for note in new["notes"])
        assert "warnings" not in new
        assert mails(me) == {
            (kind, who): 1 for kind in ("update", "invitation") for who in ("alice@company.com", "bob@company.com")
        }


@pytest.mark.parametrize(
    ("series", "cut", "more", "expected"),
    [
        ({**STANDUP, "recurrence_range_type": None, "recurrence_end_date": None, "recurrence_occurrences": 6},
         "2026-04-27", {}, {"type": "numbered", "numberOfOccurrences": 3, "startDate": "2026-04-27"}),
        ({**STANDUP, "recurrence_range_type": None, "recurrence_end_date": None}, "2026-04-27", {},
         {"type": "noEnd", "startDate": "2026-04-27"}),
        (STANDUP, "2026-04-27", {"recurrence_days_of_week": "thursday"},
         {"type": "endDate", "startDate": "2026-04-30", "endDate": "2026-06-30"}),
        (STANDUP, "2026-04-27", {"recurrence_end_date": "2026-05-31"},
         {"type": "endDate", "startDate": "2026-04-27", "endDate": "2026-05-31"}),
        (STANDUP, "2026-04-27", {"recurrence_occurrences": 2},
         {"type": "numbered", "startDate": "2026-04-27", "numberOfOccurrences": 2}),
        (DAILY, "2026-04-27", at("2026-04-28", "09:00:00", "09:30:00") | {"discard_exceptions": True},
         {"type": "endDate", "startDate": "2026-04-28"}),
        (MONTHLY, "2026-05-06", {"recurrence_day_of_month": 20}, {"type": "endDate", "startDate": "2026-05-20"}),
    ],
)  # fmt: skip
async def test_what_is_left_of_a_series_keeps_its_end_unless_another_is_given(
    series: dict[str, Any], cut: str, more: dict[str, Any], expected: dict[str, Any]
) -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**series)
        new = await me.update(await occurrence_on(me, cut), **FOLLOWING, **{"location": "Room 2"} | more)
        assert expected.items() <= span(new).items()
        first, _ = await masters(me)
        assert span(first)["type"] == "endDate"
        assert span(first)["endDate"] < cut


async def test_deleted_dates_before_the_cut_count_for_the_number_of_dates_that_are_left() -> None:
    async with signed_in(sandbox()) as me:
        series = {**STANDUP, "recurrence_range_type": None, "recurrence_end_date": None, "recurrence_occurrences": 6}
        await me.create(**series)
        await me.delete(await occurrence_on(me, "2026-04-13"))
        cut = await occurrence_on(me, "2026-04-27")
        with pytest.raises(Conflict, match=r"2026-04-13 \(deleted\)"):
            await me.update(cut, **FOLLOWING, location="Room 2")
        new = await me.update(cut, **FOLLOWING, location="Room 2", discard_exceptions=True)
        assert span(new)["numberOfOccurrences"] == 3


async def test_every_second_week_stays_every_second_week() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**{**STANDUP, "recurrence_interval": 2, "recurrence_days_of_week": "monday,friday"})
        before = await days(me)
        cut = await occurrence_on(me, "2026-05-08")
        with pytest.raises(InvalidInput, match="has no date"):
            await me.update(cut, **FOLLOWING, **at("2026-05-15", "09:00:00", "09:30:00"))
        assert me.received("PATCH") == []
        await me.update(cut, **FOLLOWING, location="Room 2")
        assert await days(me) == before


@pytest.mark.parametrize("whole_days", [False, True])
@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Pacific/Honolulu"])
async def test_the_cut_is_a_date_of_the_series_own_zone(zone: str, whole_days: bool) -> None:
    async with signed_in(sandbox()) as me:
        times: dict[str, Any] = at("2026-04-06", "20:00:00", "20:30:00", zone)
        if zone == "Pacific/Auckland":
            times = at("2026-04-06", "07:00:00", "07:30:00", zone)
        if whole_days:
            times = at("2026-04-06", "00:00:00", "00:00:00", zone) | {
                "end_datetime": "2026-04-07T00:00:00",
                "isAllDay": True,
            }
        await me.create(**STANDUP | times)
        listed = await me.list(start_datetime="2026-04-01T00:00:00", end_datetime="2026-07-01T00:00:00", timezone=zone)
        cut = next(row["id"] for row in listed["value"] if row["start"]["dateTime"].startswith("2026-05-04"))
        new = await me.update(cut, **FOLLOWING, location="Room 2")
        first, second = await masters(me)
        assert span(first)["endDate"] == "2026-05-03"
        assert span(second)["startDate"] == "2026-05-04"
        shown = await me.get(new["id"], timezone=zone)
        assert shown["start"]["dateTime"][:10] == "2026-05-04"
        assert shown["start"]["dateTime"][11:16] in times["start_datetime"] or whole_days


async def test_a_moved_date_is_cut_where_the_pattern_had_it() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**STANDUP)
        moved = await occurrence_on(me, "2026-05-04")
        await me.update(moved, **at("2026-05-06", "09:00:00", "09:30:00"))
        with pytest.raises(Conflict, match=r"2026-05-04 \(edited\)"):
            await me.update(moved, **FOLLOWING, location="Room 2")
        await me.update(moved, **FOLLOWING, location="Room 2", discard_exceptions=True)
        assert (await days(me))[:6] == [*ONLY_MONDAYS_OF_APRIL, "2026-05-04", "2026-05-11"]


@pytest.mark.parametrize("verb", ["update", "delete"])
async def test_an_id_that_names_no_date_of_ones_own_series_is_refused(verb: str) -> None:
    async with signed_in(sandbox()) as me:

        def call(event_id: str) -> Any:
            more = {"subject": "Other"} if verb == "update" else {}
            return getattr(me, verb)(event_id, **FOLLOWING, **more)

        series = await me.create(**STANDUP)
        single = await me.create(**{name: value for name, value in STANDUP.items() if "recurrence" not in name})
        for event in (series, single):
            with pytest.raises(InvalidInput) as refused:
                await call(event["id"])
            assert refused.value.details["field"] == "apply_to"
        async with signed_in(me.sandbox, "alice@company.com", empty=False) as alice:
            await alice.create(**{**STANDUP, "subject": "Alice's", "attendees_required": "dana@company.com"})
        listed = await me.list(start_datetime="2026-05-01T00:00:00", end_datetime="2026-05-12T00:00:00")
        theirs = next(row["id"] for row in listed["value"] if row["subject"] == "Alice's")
        with pytest.raises(InvalidInput, match="somebody else's series"):
            await call(theirs)
        assert me.received("PATCH") == me.received("DELETE") == []


async def test_from_the_first_date_on_is_the_whole_series() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**STANDUP)
        updated = await me.update(await occurrence_on(me, "2026-04-06"), **FOLLOWING, subject="Other")
        assert updated["id"] == event["id"]
        assert any("whole series" in note for note in updated["notes"])
        deleted = await me.delete(await occurrence_on(me, "2026-04-06"), **FOLLOWING)
        assert deleted["deleted"]
        assert not deleted["already_gone"]
        assert any("whole series" in note for note in deleted["notes"])
        assert await masters(me) == []


async def test_deleting_from_a_date_on_ends_the_series_and_mails_each_attendee_once() -> None:
    async with signed_in(sandbox()) as me:
        event = await me.create(**FULL)
        me.sandbox.world.mails.clear()
        cut = await occurrence_on(me, "2026-05-04")
        deleted = await me.delete(cut, **FOLLOWING)
        assert (deleted["deleted"], deleted["already_gone"]) == (True, False)
        assert any(event["id"] in note and "2026-04-27" in note for note in deleted["notes"])
        assert await days(me) == ONLY_MONDAYS_OF_APRIL
        assert mails(me) == {("update", "alice@company.com"): 1, ("update", "bob@company.com"): 1}
        again = await me.delete(cut, **FOLLOWING)
        assert again["already_gone"]
        assert len(me.received("PATCH")) == 1


@pytest.mark.parametrize("name", ["cancellation_message", "permanent"])
async def test_what_only_a_deletion_can_do_is_refused_with_an_earlier_end(name: str) -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**STANDUP)
        with pytest.raises(InvalidInput) as refused:
            await me.delete(await occurrence_on(me, "2026-05-04"), **FOLLOWING, **{name: "true"})
        assert refused.value.details["field"] == name


async def test_a_recurrence_cannot_be_cleared_from_a_date_on() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**STANDUP)
        with pytest.raises(InvalidInput) as refused:
            await me.update(await occurrence_on(me, "2026-05-04"), **FOLLOWING, clear="recurrence")
        assert refused.value.details["field"] == "clear"


@pytest.mark.parametrize("end", ["discard", "keep"])
@pytest.mark.parametrize("verb", ["update", "delete"])
async def test_edited_dates_before_and_after_the_cut_are_named_first_and_what_is_gone_is_said(
    verb: str, end: Any
) -> None:
    async with signed_in(sandbox()) as me:
        me.sandbox.world.switches.series_end_update = end
        await me.create(**STANDUP)
        await me.update(await occurrence_on(me, "2026-04-13"), subject="Edited before")
        await me.delete(await occurrence_on(me, "2026-04-20"))
        await me.update(await occurrence_on(me, "2026-05-11"), subject="Edited after")
        await me.delete(await occurrence_on(me, "2026-05-18"))
        sent = len(me.received("PATCH")), len(me.received("POST"))
        cut = await occurrence_on(me, "2026-05-04")
        more = {"location": "Room 2"} if verb == "update" else {}
        call = getattr(me, verb)
        with pytest.raises(Conflict) as refused:
            await call(cut, **FOLLOWING, **more)
        named = ["2026-04-13 (edited)", "2026-04-20 (deleted)", "2026-05-11 (edited)", "2026-05-18 (deleted)"]
        # A date that was deleted and is deleted with the rest is no loss.
        assert refused.value.details["edited_occurrences"] == (named if verb == "update" else named[:3])
        assert refused.value.details["field"] == "discard_exceptions"
        assert (len(me.received("PATCH")), len(me.received("POST"))) == sent
        done = await call(cut, **FOLLOWING, **more, discard_exceptions=True)
        (gone,) = (note for note in done["notes"] if "are gone: " in note)
        kept = [note for note in done["notes"] if "are still there" in note]
        before = named[:2]
        assert all((day in gone) == (end == "discard") for day in before)
        assert named[2] in gone
        assert bool(kept) == (end == "keep")
        assert ("2026-04-20" in await days(me)) == (end == "discard")
        again = [warning for warning in done.get("warnings", []) if "in the calendar again: 2026-04-20." in warning]
        assert bool(again) == (end == "discard")


async def test_a_start_before_the_last_date_of_the_old_series_is_over_is_refused() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**STANDUP)
        cut = await occurrence_on(me, "2026-05-04")
        for day in ("2026-04-20", "2026-04-27"):
            with pytest.raises(InvalidInput) as refused:
                await me.update(cut, **FOLLOWING, **at(day, "09:15:00", "09:30:00"))
            assert refused.value.details["field"] == "start_datetime"
        assert len(me.received("PATCH")) == 0


async def test_dates_that_neither_series_would_have_are_lost_only_if_that_is_accepted() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**STANDUP)
        cut = await occurrence_on(me, "2026-05-04")
        later = at("2026-05-18", "09:00:00", "09:30:00")
        with pytest.raises(Conflict, match="2026-05-04 until then would disappear"):
            await me.update(cut, **FOLLOWING, **later)
        assert len(me.received("PATCH")) == 0
        await me.update(cut, **FOLLOWING, **later, discard_exceptions=True)
        assert (await days(me))[4] == "2026-05-18"


async def test_a_series_of_another_calendar_goes_on_in_that_calendar() -> None:
    async with signed_in(sandbox()) as me:
        calendars = (await me.graph("GET", "/me/calendars"))["value"]
        other = next(c["id"] for c in calendars if not c["isDefaultCalendar"] and c["canEdit"])
        await me.create(**STANDUP, calendar_id=other)
        window = {"start_datetime": "2026-05-01T00:00:00", "end_datetime": "2026-05-06T00:00:00", "timezone": ZONE}
        (row,) = (await me.list(**window, calendar_id=other))["value"]
        await me.update(row["id"], **FOLLOWING, subject="Later")
        assert [r["subject"] for r in (await me.list(**window, calendar_id=other))["value"]] == ["Later"]


@pytest.mark.parametrize("online", [None, False])
async def test_the_new_series_is_an_online_meeting_unless_that_is_not_wanted(online: bool | None) -> None:
    async with signed_in(sandbox()) as me:
        await me.create(**FULL)
        more = {"location": "Room 2"} if online is None else {"isOnlineMeeting": online, "body_content": "New"}
        new = await me.update(await occurrence_on(me, "2026-05-04"), **FOLLOWING, **more)
        assert new["isOnlineMeeting"] == (online is None)
        assert "teams.microsoft" not in json.dumps(new) or online is None


async def test_a_room_accepts_the_new_series_although_it_lies_where_the_old_one_did() -> None:
    async with signed_in(sandbox()) as me:
        await me.create(
            **{**STANDUP, "attendees_required": "alice@company.com"}, attendees_resource="lisbon@company.com"
        )
        new = await me.update(await occurrence_on(me, "2026-05-04"), **FOLLOWING, subject="Renamed")
        assert new["told"] == ["alice@company.com", "lisbon@company.com"]
        read = await me.get(new["id"])
        answers = {each["emailAddress"]["address"]: each["status"]["response"] for each in read["attendees"]}
        assert answers == {"alice@company.com": "none", "lisbon@company.com": "accepted"}
        said = {mail.comment for mail in me.sandbox.world.mails if mail.sender == "lisbon@company.com"}
        assert said == {"Your request was accepted."}


async def test_attendees_and_text_change_with_the_new_series_alone() -> None:
    async with signed_in(sandbox()) as me:
        old = await me.create(**FULL)
        change = {"attendees_add": "dave@company.com", "attendees_remove": "bob@company.com", "body_content": "Anew"}
        new = await me.update(await occurrence_on(me, "2026-05-04"), **FOLLOWING, **change)
        assert {a["emailAddress"]["address"] for a in new["attendees"]} == {"alice@company.com", "dave@company.com"}
        assert "Anew" in new["body"]["content"]
        assert "Agenda" not in new["body"]["content"]
        before = await me.get(old["id"])
        assert {a["emailAddress"]["address"] for a in before["attendees"]} == {"alice@company.com", "bob@company.com"}


async def test_a_split_that_shall_be_made_only_if_the_user_is_free_is_refused_before_anything_is_written() -> None:
    async with signed_in(sandbox()) as me:
        old = await me.create(**STANDUP)
        once = {name: value for name, value in STANDUP.items() if "recurrence" not in name}
        other = await me.create(**once | at("2026-05-18", "11:15:00", "11:45:00"))
        cut = await occurrence_on(me, "2026-05-04")
        with pytest.raises(Conflict, match="not free then"):
            await me.update(cut, **FOLLOWING, **LATER, only_if_free=True)
        assert [master["id"] for master in await masters(me)] == [old["id"]]
        await me.delete(other["id"])
        me.sandbox.graph_error(503, method="PATCH", times=50)
        with pytest.raises(ProviderUnavailable):
            await me.update(cut, **FOLLOWING, **LATER, only_if_free=True)
        me.sandbox.world.switches.graph_faults.clear()
        # Neither the old series nor the half that was made stands in the way.
        new = await me.update(cut, **FOLLOWING, **LATER, only_if_free=True)
        assert [master["id"] for master in await masters(me)] == [old["id"], new["id"]]

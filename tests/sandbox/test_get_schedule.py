"""`getSchedule`: what is refused, and what is shown of everybody's time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from scheduling_client import (
    ALICE,
    BOB,
    DANA,
    FIONA,
    GUEST,
    NORA,
    PAT,
    TEAM,
    WRITE,
    asked,
    at,
    book,
    client_of,
    copy_of,
    fixed_sandbox,
    invited,
    path,
    refused,
    schedules,
    shown,
)

TOO_LONG = (
    "The requested time duration specified for FreeBusyViewOptions.TimeWindow is too long. The allowed limit = 62 "
    "days; the actual limit = 63 days."
)
MERGED = (
    "The specified merged free/busy interval is not valid. Specify an interval that is less than the free/busy time "
    "window and  between 5 and 1440 minutes."
)


def day(hour: int, minute: int = 0) -> datetime:
    return datetime(2029, 3, 5, hour, minute)  # noqa: DTZ001 - in the zone that the switch is given


@pytest.mark.parametrize(
    ("changes", "status", "code", "message"),
    [
        ({"availabilityViewInterval": 4}, 400, "ErrorInvalidMergedFreeBusyInterval", MERGED),
        ({"availabilityViewInterval": 1441}, 400, "ErrorInvalidMergedFreeBusyInterval", MERGED),
        ({"availabilityViewInterval": 601}, 400, "ErrorInvalidMergedFreeBusyInterval", MERGED),
        ({"availabilityViewInterval": None}, 500, "ErrorInternalServerError", "An internal server error occurred."),
        ({"endTime": at("2029-03-05T08:00:00")}, 400, "ErrorInvalidTimeInterval", "TimeWindow is invalid."),
        ({"endTime": at("2029-03-04T08:00:00")}, 400, "ErrorInvalidTimeInterval", "TimeWindow is invalid."),
        ({"endTime": at("2029-05-06T08:00:01")}, 400, "ErrorTimeIntervalTooBig", TOO_LONG),
        ({"schedules": []}, 400, "ErrorMailboxDataArrayEmpty", "There are no mailboxes"),
        ({"schedules": [f"p{n}@company.com" for n in range(21)]}, 400, "ErrorMailboxDataArrayTooBig", "size = 20"),
        ({"startTime": at("2029-03-05T08:00:00", "Mars/Phobos")}, 400, "TimeZoneNotSupportedException", "Mars/Phobos"),
        ({"startTime": None}, 400, "TimeZoneNotSupportedException", ""),
        ({"colour": "red"}, 400, "RequestBodyRead", "colour"),
    ],
)
async def test_a_request_that_breaks_a_rule_is_refused(
    changes: dict[str, Any], status: int, code: str, message: str
) -> None:
    async with client_of(fixed_sandbox()) as dana:
        found = await refused(dana, asked(ALICE, **changes))
    assert found[:2] == (status, code)
    assert message in found[2]


async def test_the_limits_themselves_pass() -> None:
    async with client_of(fixed_sandbox()) as dana:
        for changes in (
            {"availabilityViewInterval": 5},
            {"availabilityViewInterval": 600},
            {"endTime": at("2029-05-06T08:00:00"), "availabilityViewInterval": 1440},
            {"Schedules": [ALICE] * 20},
        ):
            body = asked(ALICE, **changes)
            if "Schedules" in changes:
                del body["schedules"]
            answer = await dana.post("/me/calendar/getSchedule", json=body)
            assert answer.status_code == 200, answer.text
            assert len(answer.json()["value"]) == 1


async def test_a_window_shorter_than_the_default_interval_is_refused_unless_another_is_given() -> None:
    async with client_of(fixed_sandbox()) as dana:
        short = asked(ALICE, endTime=at("2029-03-05T08:20:00"))
        del short["availabilityViewInterval"]
        assert (await refused(dana, short))[1] == "ErrorInvalidMergedFreeBusyInterval"
        assert len(await schedules(dana, ALICE, endTime=at("2029-03-05T08:20:00"), availabilityViewInterval=15)) == 1


async def test_switches_widen_the_request() -> None:
    sandbox = fixed_sandbox()
    sandbox.behaviour("schedule_addresses", 100)
    sandbox.behaviour("schedule_null_interval", "default")
    sandbox.behaviour("schedule_days", 61)
    async with client_of(sandbox) as dana:
        many = [f"p{n}@company.com" for n in range(100)]
        assert len(await schedules(dana, *many, availabilityViewInterval=None)) == 100
        assert (await refused(dana, asked(*many, "more@company.com")))[1] == "ErrorMailboxDataArrayTooBig"
        assert (await refused(dana, asked(ALICE, endTime=at("2029-05-05T09:00:00"))))[1] == "ErrorTimeIntervalTooBig"


async def test_personal_accounts_and_a_token_without_calendars_are_refused_and_other_peoples_paths_too() -> None:
    sandbox = fixed_sandbox()
    for address, scope, status in ((PAT, WRITE, 403), (DANA, "User.Read", 403), (DANA, "Calendars.ReadBasic", 200)):
        async with client_of(sandbox, address, scope) as client:
            answer = await client.post("/me/calendar/getSchedule", json=asked(DANA))
            assert answer.status_code == status
    async with client_of(sandbox) as dana:
        own, other = (sandbox.people[address].oid for address in (DANA, ALICE))
        calendar = (await dana.get("/me/calendar")).json()["id"]
        for where, status in (
            (f"/users/{own}/calendar/getSchedule", 200),
            (f"/users/{other}/calendar/getSchedule", 403),
            (f"/me/calendars/{calendar}/getSchedule", 200),
            ("/me/calendars/nonsense/getSchedule", 400),
        ):
            assert (await dana.post(where, json=asked(DANA))).status_code == status, where
        assert (await dana.get("/me/calendar/getSchedule")).status_code == 405


async def test_busy_time_is_shown_whole_with_hours_in_everybodys_own_zone() -> None:
    sandbox = fixed_sandbox(ALICE, BOB)
    sandbox.scheduling.set_working_hours(BOB, "10:00", "18:30", "monday,tuesday", time_zone="America/New_York")
    sandbox.scheduling.add_busy(ALICE, day(7), day(9), time_zone="UTC")
    sandbox.scheduling.add_busy(ALICE, day(8, 30), day(9, 30), "tentative", time_zone="UTC")
    sandbox.scheduling.add_busy(ALICE, day(17), day(20), "oof", time_zone="UTC")
    sandbox.scheduling.add_busy(ALICE, day(7), day(8), time_zone="UTC")
    sandbox.scheduling.add_busy(BOB, day(9), day(10))
    async with client_of(sandbox) as dana:
        alice, bob = await schedules(dana, ALICE, BOB)
    assert shown(alice) == [
        ("busy", "2029-03-05T07:00", "2029-03-05T09:00"),
        ("tentative", "2029-03-05T08:30", "2029-03-05T09:30"),
        ("oof", "2029-03-05T17:00", "2029-03-05T20:00"),
    ]
    assert alice["availabilityView"] == "2100000003"
    assert alice["workingHours"] == {
        "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
        "startTime": "08:00:00.0000000",
        "endTime": "17:00:00.0000000",
        "timeZone": {"name": "Central Standard Time"},
    }
    assert shown(bob) == [("busy", "2029-03-05T14:00", "2029-03-05T15:00")]
    assert bob["workingHours"]["daysOfWeek"] == ["monday", "tuesday"]
    assert (bob["workingHours"]["startTime"], bob["workingHours"]["endTime"]) == (
        "10:00:00.0000000",
        "18:30:00.0000000",
    )
    assert bob["workingHours"]["timeZone"] == {"name": "America/New_York"}
    assert bob["scheduleItems"][0]["start"] == {"dateTime": "2029-03-05T14:00:00.0000000", "timeZone": "UTC"}


async def test_the_preferred_zone_is_that_of_the_items_and_the_requests_zone_only_reads_the_request() -> None:
    sandbox = fixed_sandbox(BOB)
    sandbox.scheduling.add_busy(BOB, day(9), day(10), time_zone="America/New_York")
    window: dict[str, Any] = {
        "startTime": at("2029-03-05T09:00:00", "Eastern Standard Time"),
        "endTime": at("2029-03-05T11:00:00", "Eastern Standard Time"),
    }
    async with client_of(sandbox) as dana:
        (plain,) = await schedules(dana, BOB, **window)
        (preferred,) = await schedules(dana, BOB, zone="Europe/Berlin", **window)
    assert plain["availabilityView"] == preferred["availabilityView"] == "20"
    assert plain["scheduleItems"][0]["start"] == at("2029-03-05T14:00:00.0000000")
    assert preferred["scheduleItems"][0]["start"] == at("2029-03-05T15:00:00.0000000", "Europe/Berlin")


async def test_all_day_events_run_between_the_midnights_of_their_own_zone() -> None:
    sandbox = fixed_sandbox(BOB)
    midnights = datetime(2029, 3, 5), datetime(2029, 3, 6)  # noqa: DTZ001 - in the zone beside it
    sandbox.scheduling.add_busy(BOB, *midnights, "oof", time_zone="Asia/Tokyo")
    async with client_of(sandbox) as dana:
        (entry,) = await schedules(dana, BOB)
        (later,) = await schedules(dana, BOB, startTime=at("2029-03-05T15:00:00"))
        (sooner,) = await schedules(dana, BOB, startTime=at("2029-03-04T16:00:00"), endTime=at("2029-03-04T18:00:00"))
    assert shown(entry) == [("oof", "2029-03-04T15:00", "2029-03-05T15:00")]
    assert entry["availabilityView"] == "3333333000"
    assert later["scheduleItems"] == []
    assert shown(sooner) == shown(entry)


async def test_an_event_without_a_length_is_an_item_and_holds_no_time() -> None:
    sandbox = fixed_sandbox(BOB)
    sandbox.scheduling.add_busy(BOB, day(9, 30), day(9, 30), time_zone="UTC")
    async with client_of(sandbox) as dana:
        (entry,) = await schedules(dana, BOB)
    assert shown(entry) == [("busy", "2029-03-05T09:30", "2029-03-05T09:30")]
    assert entry["availabilityView"] == "0000000000"


@pytest.mark.parametrize(("digit", "view"), [("0", "0120000000"), ("4", "4120000000")])
async def test_working_elsewhere_has_an_item_and_is_a_zero_in_the_view_or_by_switch_a_four(
    digit: str, view: str
) -> None:
    sandbox = fixed_sandbox(BOB)
    sandbox.behaviour("schedule_elsewhere", digit)
    sandbox.scheduling.add_busy(BOB, day(8), day(11), "workingElsewhere", time_zone="UTC")
    sandbox.scheduling.add_busy(BOB, day(9), day(10), "tentative", time_zone="UTC")
    sandbox.scheduling.add_busy(BOB, day(10), day(11), time_zone="UTC")
    sandbox.scheduling.add_busy(BOB, day(15), day(16), "free", time_zone="UTC")
    async with client_of(sandbox) as dana:
        (entry,) = await schedules(dana, BOB)
    assert entry["availabilityView"] == view
    assert [item["status"] for item in entry["scheduleItems"]] == ["workingElsewhere", "tentative", "busy", "free"]


async def test_statuses_can_be_written_in_title_case() -> None:
    sandbox = fixed_sandbox(BOB)
    sandbox.behaviour("schedule_status", "title")
    sandbox.scheduling.add_busy(BOB, day(15), day(16), "workingElsewhere")
    async with client_of(sandbox) as dana:
        (entry,) = await schedules(dana, BOB, endTime=at("2029-03-06T18:00:00"))
    assert [item["status"] for item in entry["scheduleItems"]] == ["WorkingElsewhere"]


async def test_subjects_are_told_only_where_they_are_shared_and_of_private_events_only_to_oneself() -> None:
    sandbox = fixed_sandbox(DANA, ALICE, BOB)
    for address in (DANA, ALICE, BOB):
        sandbox.scheduling.add_busy(address, day(9), day(10), subject="Pitch", location="Hall", time_zone="UTC")
        sandbox.scheduling.add_busy(address, day(11), day(12), subject="Dentist", private=True, time_zone="UTC")
    sandbox.scheduling.share_schedule(ALICE, "details")
    async with client_of(sandbox) as dana:
        own, alice, bob = await schedules(dana, DANA, ALICE, BOB)
    plain = {"status", "start", "end"}
    named = {*plain, "subject", "location", "isPrivate"}
    assert [set(item) for item in bob["scheduleItems"]] == [plain, plain]
    assert [set(item) for item in alice["scheduleItems"]] == [named, plain]
    assert (
        alice["scheduleItems"][0] | {"subject": "Pitch", "location": "Hall", "isPrivate": False}
        == (alice["scheduleItems"][0])
    )
    assert [item["isPrivate"] for item in own["scheduleItems"]] == [False, True]
    assert own["scheduleItems"][1]["subject"] == "Dentist"


async def test_people_who_cannot_be_read_have_an_error_or_no_entry_or_no_items() -> None:
    sandbox = fixed_sandbox(ALICE, BOB)
    sandbox.add_person("eve@company.com")
    sandbox.no_mailbox(GUEST, False)
    sandbox.scheduling.share_schedule(BOB, "view")
    sandbox.scheduling.share_schedule("eve@company.com", "no_entry")
    sandbox.scheduling.share_schedule("dave@company.com", "nothing")
    sandbox.scheduling.share_schedule(ALICE, error="5013", message="Something {odd}.")
    sandbox.scheduling.add_busy(BOB, day(9), day(10), time_zone="UTC")
    wanted = ("nobody@company.com", "x@elsewhere.example", FIONA, GUEST, NORA, PAT, ALICE, BOB, "dave@company.com")
    async with client_of(sandbox) as dana:
        entries = await schedules(dana, *wanted, "eve@company.com")
    assert [entry["scheduleId"] for entry in entries] == list(wanted)
    errors = [entry.get("error") for entry in entries]
    assert errors[0] == {
        "responseCode": "5009",
        "message": "Unable to resolve e-mail address nobody@company.com to an Active Directory object.",
    }
    assert [error["responseCode"] for error in errors if error] == ["5009", "5009", *["5016"] * 4, "5013"]
    assert errors[2] == {"responseCode": "5016", "message": "Proxy web request failed."}
    assert errors[6] == {"responseCode": "5013", "message": "Something {odd}."}
    assert all(set(entry) == {"scheduleId", "error"} for entry in entries[:7])
    assert (entries[7]["availabilityView"], entries[7]["scheduleItems"]) == ("0200000000", [])
    assert entries[8] == {"scheduleId": "dave@company.com", "availabilityView": "", "scheduleItems": []}


async def test_more_entries_than_allowed_are_an_error_of_that_person_alone() -> None:
    sandbox = fixed_sandbox(ALICE, BOB)
    sandbox.behaviour("most_schedule_entries", 2)
    for hour in (9, 11, 13):
        sandbox.scheduling.add_busy(BOB, day(hour), day(hour + 1), time_zone="UTC")
    async with client_of(sandbox) as dana:
        alice, bob = await schedules(dana, ALICE, BOB)
        (half,) = await schedules(dana, BOB, endTime=at("2029-03-05T13:00:00"))
    assert "error" not in alice
    assert bob["error"] == {
        "responseCode": "5006",
        "message": "The result set contains too many calendar entries. The allowed size = 2; the actual size = 3.",
    }
    assert len(half["scheduleItems"]) == 2


async def test_a_list_is_its_members_laid_over_one_another_without_names_and_they_count() -> None:
    sandbox = fixed_sandbox(ALICE, BOB, "carol@company.com")
    sandbox.scheduling.share_schedule(ALICE, "details")
    sandbox.scheduling.add_busy(ALICE, day(9), day(10), subject="Pitch", time_zone="UTC")
    sandbox.scheduling.add_busy(BOB, day(9, 30), day(11), "tentative", time_zone="UTC")
    sandbox.scheduling.add_list("crowd@company.com", ",".join(f"p{n}@company.com" for n in range(19)))
    sandbox.scheduling.add_list("group@company.com", ALICE, kind="group")
    async with client_of(sandbox) as dana:
        team, group = await schedules(dana, TEAM, "group@company.com", zone="Europe/Berlin")
        entries = await schedules(dana, DANA, "crowd@company.com")
    assert team["availabilityView"] == "0210000000"
    assert team["scheduleItems"] == [
        {"status": "busy", "start": berlin(10), "end": berlin(11)},
        {"status": "tentative", "start": berlin(10, 30), "end": berlin(12)},
    ]
    assert "workingHours" not in team
    assert (group["availabilityView"], group["scheduleItems"]) == ("0000000000", [])
    assert entries[1]["error"]["responseCode"] == "5036"


def berlin(hour: int, minute: int = 0) -> dict[str, str]:
    return at(f"2029-03-05T{hour:02d}:{minute:02d}:00.0000000", "Europe/Berlin")


async def test_other_spellings_and_addresses_of_one_mailbox_are_found() -> None:
    sandbox = fixed_sandbox()
    sandbox.scheduling.add_alias(ALICE, "a.moreau@company.com")
    async with client_of(sandbox) as dana:
        entries = await schedules(dana, "ALICE@company.com", "alice@COMPANY.com", "A.Moreau@company.com")
        assert [entry["scheduleId"] for entry in entries] == ["ALICE@company.com", "A.Moreau@company.com"]
        sandbox.behaviour("schedule_id", "mailbox")
        sandbox.behaviour("schedule_order", "reversed")
        again = await schedules(dana, "A.Moreau@company.com", BOB)
    assert [entry["scheduleId"] for entry in again] == [BOB, ALICE]


async def test_hours_can_be_unknown_run_over_midnight_or_be_told_by_the_rules_of_a_zone() -> None:
    sandbox = fixed_sandbox()
    hours = sandbox.scheduling.set_working_hours
    hours(ALICE, known=False)
    hours(BOB, "22:00", "06:00", time_zone="America/Los_Angeles", zone_rules="custom")
    hours("carol@company.com", time_zone="Europe/London", zone_rules="swapped")
    hours("dave@company.com", time_zone="Asia/Tokyo", zone_rules="custom")
    async with client_of(sandbox) as dana:
        alice, bob, carol, dave = await schedules(dana, ALICE, BOB, "carol@company.com", "dave@company.com")
    assert "workingHours" not in alice
    assert (bob["workingHours"]["startTime"], bob["workingHours"]["endTime"]) == (
        "22:00:00.0000000",
        "06:00:00.0000000",
    )
    rule = {"time": "02:00:00.0000000", "dayOfWeek": "sunday", "year": 0}
    assert bob["workingHours"]["timeZone"] == {
        "@odata.type": "#microsoft.graph.customTimeZone",
        "name": "Customized Time Zone",
        "bias": 480,
        "standardOffset": {**rule, "dayOccurrence": 1, "month": 11},
        "daylightOffset": {**rule, "dayOccurrence": 2, "month": 3, "daylightBias": -60},
    }
    london = carol["workingHours"]["timeZone"]
    assert (london["bias"], london["standardOffset"]["month"], london["daylightOffset"]["month"]) == (-60, 3, 10)
    assert london["standardOffset"]["dayOccurrence"] == 5
    tokyo = dave["workingHours"]["timeZone"]
    assert (tokyo["bias"], tokyo["standardOffset"]["month"], tokyo["daylightOffset"]["daylightBias"]) == (-540, 0, 0)


async def test_invitations_cancelled_meetings_and_series_are_in_the_schedule() -> None:
    sandbox = fixed_sandbox(DANA, ALICE)
    weekly = {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"]},
        "range": {"type": "numbered", "startDate": "2029-02-26", "numberOfOccurrences": 3},
    }
    first = {"start": at("2029-02-26T15:00:00"), "end": at("2029-02-26T16:00:00")}
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        meeting = await book(dana, attendees=invited(ALICE))
        await book(dana, subject="Series", recurrence=weekly, attendees=invited(ALICE), **first)
        (before,) = await schedules(dana, ALICE)
        copy = await copy_of(alice, meeting)
        assert copy is not None
        await alice.post(path(copy, "/accept"), json={})
        (accepted,) = await schedules(dana, ALICE)
        await dana.post(path(meeting, "/cancel"), json={})
        (cancelled,) = await schedules(dana, ALICE)
    series = ("tentative", "2029-03-05T15:00", "2029-03-05T16:00")
    for entry, status in ((before, "tentative"), (accepted, "busy"), (cancelled, "free")):
        assert shown(entry) == [(status, "2029-03-05T10:00", "2029-03-05T11:00"), series]


@pytest.mark.parametrize("status", [403, 404, 501])
async def test_what_a_personal_account_is_told_can_be_switched(status: int) -> None:
    sandbox = fixed_sandbox()
    sandbox.behaviour("schedule_personal_status", status)
    async with client_of(sandbox, PAT) as pat:
        assert (await refused(pat, asked(PAT)))[0] == status


async def test_a_window_is_measured_in_hours_also_over_a_change_of_clocks() -> None:
    def days(count: int) -> dict[str, Any]:
        first = datetime(2029, 10, 15)  # noqa: DTZ001 - in the zone beside it
        last = first + timedelta(days=count)
        chicago = "Central Standard Time"
        return {"startTime": at(first.isoformat(), chicago), "endTime": at(last.isoformat(), chicago)}

    async with client_of(fixed_sandbox()) as dana:
        assert (await refused(dana, asked(ALICE, **days(62))))[1] == "ErrorTimeIntervalTooBig"
        assert (await dana.post("/me/calendar/getSchedule", json=asked(ALICE, **days(61)))).status_code == 200


async def test_what_is_not_documented_of_schedules_can_be_switched() -> None:
    sandbox = fixed_sandbox(DANA, ALICE, BOB)
    sandbox.behaviour("declined", "kept")
    midnights = datetime(2029, 3, 5), datetime(2029, 3, 6)  # noqa: DTZ001 - in the zone beside it
    sandbox.scheduling.add_busy(BOB, *midnights, "oof", time_zone="Asia/Tokyo")
    async with client_of(sandbox) as dana, client_of(sandbox, ALICE) as alice:
        for subject in ("Open", "Declined", "Cancelled"):
            made = await book(dana, subject=subject, attendees=invited(ALICE))
            copy = await copy_of(alice, made)
            assert copy is not None
            if subject == "Declined":
                await alice.post(path(copy, "/decline"), json={})
            if subject == "Cancelled":
                await dana.delete(path(made))
        (usual,) = await schedules(dana, ALICE)
        assert sorted(status for status, _, _ in shown(usual)) == ["free", "free", "tentative"]
        sandbox.behaviour("schedule_unanswered", "omit")
        sandbox.behaviour("schedule_all_day", "utc_day")
        alice_now, bob = await schedules(dana, ALICE, BOB)
        assert [status for status, _, _ in shown(alice_now)] == ["free", "free"]
        assert shown(bob) == [("oof", "2029-03-05T00:00", "2029-03-06T00:00")]
        assert bob["availabilityView"] == "3333333333"
        sandbox.behaviour("schedule_cancelled", "omit")
        (none,) = await schedules(dana, ALICE)
    assert none["scheduleItems"] == []


async def test_only_the_default_calendar_counts() -> None:
    sandbox = fixed_sandbox(DANA)
    sandbox.add_calendar(DANA, "Team")
    async with client_of(sandbox) as dana:
        calendars = (await dana.get("/me/calendars")).json()["value"]
        team = next(calendar["id"] for calendar in calendars if calendar["name"] == "Team")
        made = await dana.post(f"/me/calendars/{team}/events", json={
            "subject": "Elsewhere", "start": at("2029-03-05T10:00:00"), "end": at("2029-03-05T11:00:00"),
        })  # fmt: skip
        assert made.status_code == 201
        (own,) = await schedules(dana, DANA)
    assert own["scheduleItems"] == []

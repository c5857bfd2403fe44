"""Bodies are checked as Microsoft checks them; retry keys, etags, ids and Deleted Items."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from graph_client import Graph, create, event_body, path, refusal

DANA = "dana@company.com"
KEY = "7E163156-7762-4BEB-A1C6-729EA81755A7"
IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}


def times(start: str, end: str, zone: str = "UTC", end_zone: str | None = None) -> dict[str, Any]:
    return {
        "start": {"dateTime": start, "timeZone": zone},
        "end": {"dateTime": end, "timeZone": end_zone or zone},
    }


def recurrence(pattern: dict[str, Any], **span: Any) -> dict[str, Any]:
    return {"recurrence": {"pattern": pattern, "range": {"type": "noEnd", "startDate": "2026-04-01", **span}}}


DAILY = {"type": "daily", "interval": 1}
DAY = "2026-04-01T00:00:00"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sujbect": "x"}, "RequestBodyRead"),
        ({"body": {"contentType": "text", "text": "x"}}, "RequestBodyRead"),
        ({"attendees": [{"emailAddress": {"address": "a@b.c"}, "kind": "required"}]}, "RequestBodyRead"),
        ({"showAs": "sometimes"}, "RequestBodyRead"),
        ({"body": {"contentType": "markdown", "content": "x"}}, "RequestBodyRead"),
        (recurrence({"type": "hourly", "interval": 1}), "RequestBodyRead"),
        (recurrence({"type": "weekly", "interval": 1, "daysOfWeek": ["caturday"]}), "RequestBodyRead"),
        ({"subject": 5}, "UnableToDeserializePostBody"),
        ({"isAllDay": "true"}, "UnableToDeserializePostBody"),
        ({"reminderMinutesBeforeStart": "15"}, "UnableToDeserializePostBody"),
        ({"reminderMinutesBeforeStart": 2**31}, "UnableToDeserializePostBody"),
        ({"attendees": {"emailAddress": {}}}, "UnableToDeserializePostBody"),
        ({"start": "2026-04-01T10:00:00"}, "UnableToDeserializePostBody"),
        ({"start": {"dateTime": "next week", "timeZone": "UTC"}}, "UnableToDeserializePostBody"),
        ({"start": {"dateTime": "2026-02-30T10:00:00", "timeZone": "UTC"}}, "UnableToDeserializePostBody"),
        (recurrence(DAILY, startDate="2026-04-01T00:00:00"), "UnableToDeserializePostBody"),
        ({"start": {"dateTime": DAY, "timeZone": "Mars/Olympus"}}, "TimeZoneNotSupportedException"),
        ({"start": {"dateTime": DAY, "timeZone": ""}}, "TimeZoneNotSupportedException"),
        ({"start": {"dateTime": DAY}}, "TimeZoneNotSupportedException"),
        ({"start": {}}, "TimeZoneNotSupportedException"),
        (recurrence(DAILY, recurrenceTimeZone="Nowhere"), "TimeZoneNotSupportedException"),
        (times("2026-04-01T11:00:00", "2026-04-01T10:00:00"), "ErrorPropertyValidationFailure"),
        (times("2026-04-01T10:00:00", "2026-04-01T10:30:00", "UTC", "Asia/Tokyo"), "ErrorPropertyValidationFailure"),
        ({"isAllDay": True}, "ErrorPropertyValidationFailure"),
        ({"isAllDay": True, **times(DAY, DAY)}, "ErrorPropertyValidationFailure"),
        ({"isAllDay": True, **times(DAY, "2026-04-01T23:59:00")}, "ErrorPropertyValidationFailure"),
        (
            {"isAllDay": True, **times(DAY, "2026-04-03T00:00:00", "UTC", "Asia/Tokyo")},
            "ErrorPropertyValidationFailure",
        ),
        (recurrence({"type": "daily", "interval": 0}), "ErrorInvalidRequest"),
        (recurrence({"type": "daily"}), "ErrorInvalidRequest"),
        (recurrence({"interval": 1}), "ErrorInvalidRequest"),
        (recurrence({"type": "weekly", "interval": 1}), "ErrorInvalidRequest"),
        (recurrence({"type": "absoluteMonthly", "interval": 1}), "ErrorInvalidRequest"),
        (recurrence({"type": "absoluteYearly", "interval": 1, "dayOfMonth": 3}), "ErrorInvalidRequest"),
        (recurrence({"type": "relativeMonthly", "interval": 1}), "ErrorInvalidRequest"),
        (recurrence({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 32}), "ErrorInvalidRequest"),
        (recurrence(DAILY, type="numbered"), "ErrorInvalidRequest"),
        (recurrence(DAILY, type="numbered", numberOfOccurrences=0), "ErrorInvalidRequest"),
        (recurrence(DAILY, type="endDate"), "ErrorInvalidRequest"),
        (recurrence(DAILY, type="endDate", endDate="2026-03-31"), "ErrorInvalidRequest"),
        ({"recurrence": {"pattern": DAILY}}, "ErrorInvalidRequest"),
        ({"attendees": [{"emailAddress": {"name": "Nobody"}}]}, "ErrorInvalidRecipients"),
        ({"attendees": [{"emailAddress": {"address": "no-address"}}]}, "ErrorInvalidRecipients"),
        (
            {"attendees": [{"emailAddress": {"address": f"a{n}@b.example"}} for n in range(501)]},
            "ErrorInvalidRequest",
        ),
    ],
)
async def test_a_bad_body_is_refused_with_microsofts_code(changes: dict[str, Any], code: str):
    graph = Graph()
    graph.empty(DANA)
    async with graph.signed_in() as client:
        assert refusal(await client.post("/me/events", json=event_body(**changes))) == (400, code)
        assert (await client.get("/me/events")).json()["value"] == []
        made = await create(client)
        changed = {**changes, **({} if "recurrence" not in changes else times(DAY, "2026-04-01T01:00:00"))}
        assert refusal(await client.patch(path(made), json=changed)) == (400, code)
        assert (await client.get(path(made))).json() == made, "a refused change changes nothing"


@pytest.mark.parametrize("content", [b"{", b"[1]", b"", b'"x"', b"\xff"])
async def test_a_body_that_is_no_json_object_is_refused(content: bytes):
    graph = Graph()
    async with graph.signed_in() as client:
        assert refusal(await client.post("/me/events", content=content)) == (400, "BadRequest")


async def test_undeclared_properties_are_dropped_when_the_switch_says_so():
    graph = Graph()
    graph.world.switches.undeclared_properties = "ignore"
    async with graph.signed_in() as client:
        made = await create(client, notAProperty=1, body={"contentType": "text", "content": "x", "other": 2})
        assert "notAProperty" not in made


async def test_enum_members_and_types_are_read_without_regard_to_case():
    graph = Graph()
    async with graph.signed_in() as client:
        made = await create(client, showAs="WorkingElsewhere", body={"contentType": "HTML", "content": "x"})
        assert made["showAs"] == "workingElsewhere"


async def test_an_event_without_a_start_begins_now():
    graph = Graph()
    async with graph.signed_in() as client:
        answer = await client.post("/me/events", json={"subject": "No start"})
        assert answer.status_code == 201
        assert answer.json()["start"]["dateTime"] == "2026-03-25T09:00:00.0000000"


async def test_an_event_of_no_length_is_accepted():
    graph = Graph()
    async with graph.signed_in() as client:
        made = await create(client, **times("2026-04-01T10:00:00", "2026-04-01T10:00:00"))
        assert made["start"] == made["end"]


@pytest.mark.parametrize(
    ("reading", "start"), [("convert", "2026-04-01T10:00:00"), ("ignore", "2026-04-01T08:00:00"), ("refuse", None)]
)
async def test_an_offset_beside_a_zone_is_read_as_the_switch_says(
    reading: Literal["convert", "ignore", "refuse"], start: str | None
):
    graph = Graph()
    graph.world.switches.datetime_offset = reading
    async with graph.signed_in() as client:
        body = event_body(
            start={"dateTime": "2026-04-01T10:00:00Z", "timeZone": "Europe/Berlin"},
            end={"dateTime": "2026-04-01T11:00:00Z", "timeZone": "Europe/Berlin"},
        )
        answer = await client.post("/me/events", json=body)
        if start is None:
            assert refusal(answer) == (400, "ErrorPropertyValidationFailure")
        else:
            assert answer.json()["start"]["dateTime"] == f"{start}.0000000"


async def test_a_time_inside_a_gap_is_shifted_or_refused():
    graph = Graph()
    gap = times("2026-03-08T02:30:00", "2026-03-08T04:00:00", "America/New_York")
    async with graph.signed_in() as client:
        assert (await create(client, **gap))["start"]["dateTime"] == "2026-03-08T07:30:00.0000000"
        graph.world.switches.dst_gap = "refuse"
        answer = await client.post("/me/events", json=event_body(**gap))
        assert refusal(answer) == (400, "ErrorPropertyValidationFailure")


async def test_only_documented_iana_names_are_accepted_when_the_switch_says_so():
    graph = Graph()
    oslo = times("2026-04-01T10:00:00", "2026-04-01T11:00:00", "Europe/Oslo")
    async with graph.signed_in() as client:
        assert (await create(client, **oslo))["originalStartTimeZone"] == "Europe/Oslo"
        graph.world.switches.iana_zones = "documented"
        assert refusal(await client.post("/me/events", json=event_body(**oslo)))[1] == "TimeZoneNotSupportedException"


async def test_the_same_key_and_content_give_the_same_event_and_no_second_mail():
    graph = Graph()
    async with graph.signed_in() as client:
        body = event_body(transactionId=KEY, attendees=[{"emailAddress": {"address": "guest@elsewhere.example"}}])
        first = await client.post("/me/events", json=body)
        second = await client.post("/me/events", json=body)
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json()["id"] == second.json()["id"]
        assert len(graph.world.mails) == 1


async def test_the_same_key_with_other_content_names_the_existing_event():
    graph = Graph()
    async with graph.signed_in() as client:
        made = await create(client, transactionId=KEY)
        answer = await client.post("/me/events", json=event_body(transactionId=KEY, subject="Other"))
        assert refusal(answer) == (400, "ErrorDuplicateTransactionId")
        assert answer.json()["error"]["@event.existingEventId"] == made["id"]
        calendars = (await client.get("/me/calendars")).json()["value"]
        private = next(entry["id"] for entry in calendars if entry["name"] == "Private")
        elsewhere = await client.post(f"/me/calendars/{private}/events", json=event_body(transactionId=KEY))
        assert refusal(elsewhere) == (400, "ErrorDuplicateTransactionId")


@pytest.mark.parametrize(("memory", "same"), [("forget", False), ("remember", True)])
async def test_a_deleted_events_key_is_remembered_as_the_switch_says(
    memory: Literal["forget", "remember"], *, same: bool
):
    graph = Graph()
    graph.world.switches.duplicate_transaction_after_delete = memory
    async with graph.signed_in() as client:
        body = event_body(transactionId=KEY)
        first = (await client.post("/me/events", json=body, headers=IMMUTABLE)).json()
        await client.delete(path(first))
        second = (await client.post("/me/events", json=body, headers=IMMUTABLE)).json()
        assert (first["id"] == second["id"]) is same


async def test_a_stale_etag_is_refused_and_the_present_one_accepted():
    graph = Graph()
    async with graph.signed_in() as client:
        made = await create(client)
        newer = (await client.patch(path(made), json={"subject": "New"})).json()
        stale = {"If-Match": made["@odata.etag"]}
        for answer in (
            await client.patch(path(made), json={"subject": "Lost"}, headers=stale),
            await client.delete(path(made), headers=stale),
        ):
            assert refusal(answer) == (412, "ErrorIrresolvableConflict")
        assert (await client.get(path(made))).json()["subject"] == "New"
        fresh = {"If-Match": newer["@odata.etag"]}
        assert (await client.patch(path(made), json={"subject": "Newer"}, headers=fresh)).status_code == 200
        assert (await client.delete(path(made), headers={"If-Match": "*"})).status_code == 204


async def test_etags_are_ignored_when_the_switch_says_so():
    graph = Graph()
    graph.world.switches.if_match = False
    async with graph.signed_in() as client:
        made = await create(client)
        assert (await client.patch(path(made), json={}, headers={"If-Match": 'W/"x"'})).status_code == 200


async def test_ids_are_152_case_sensitive_characters_of_url_safe_base64():
    graph = Graph()
    async with graph.signed_in() as client:
        made = await create(client)
        assert len(made["id"]) == 152
        assert set(made["id"]) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=")
        assert refusal(await client.get(f"/me/events/{made['id'].lower()}")) == (400, "ErrorInvalidIdMalformed")
        assert refusal(await client.get("/me/events/nonsense")) == (400, "ErrorInvalidIdMalformed")
        assert made["webLink"].startswith("https://outlook.office365.com/")


async def test_another_persons_id_is_not_found_in_this_mailbox():
    graph = Graph()
    async with graph.signed_in() as dana, graph.signed_in("bob@company.com") as bob:
        assert refusal(await bob.get(path(await create(dana)))) == (404, "ErrorItemNotFound")


async def test_a_mutable_id_dies_with_the_move_and_an_immutable_one_lives_until_the_purge():
    graph = Graph()
    async with graph.signed_in() as client:
        made = await create(client)
        same = (await client.get(path(made), headers=IMMUTABLE)).json()
        assert same["id"] != made["id"]
        assert (await client.get(path(same))).json()["id"] == made["id"]
        assert (await client.delete(path(same))).status_code == 204
        assert refusal(await client.get(path(made))) == (404, "ErrorItemNotFound")
        assert (await client.get(path(same), headers=IMMUTABLE)).json()["id"] == same["id"]
        assert (await client.get(path(same))).json()["id"] != made["id"]
        assert refusal(await client.delete(path(same))) == (404, "ErrorItemNotFound")
        assert refusal(await client.patch(path(same), json={"subject": "x"})) == (404, "ErrorItemNotFound")
        purge = path(same, "/permanentDelete").replace("/me/", f"/users/{DANA}/")
        assert (await client.post(purge)).status_code == 204
        assert refusal(await client.get(path(same))) == (404, "ErrorItemNotFound")


async def test_a_deleted_event_is_unreadable_when_the_switch_says_so():
    graph = Graph()
    graph.world.switches.deleted_readable = False
    async with graph.signed_in() as client:
        made = (await client.post("/me/events", json=event_body(), headers=IMMUTABLE)).json()
        await client.delete(path(made))
        assert refusal(await client.get(path(made))) == (404, "ErrorItemNotFound")


async def test_a_permanent_deletion_leaves_nothing_behind():
    graph = Graph()
    async with graph.signed_in() as client:
        made = (await client.post("/me/events", json=event_body(), headers=IMMUTABLE)).json()
        assert (await client.post(path(made, "/permanentDelete"))).status_code == 204
        assert refusal(await client.get(path(made))) == (404, "ErrorItemNotFound")


async def test_a_location_replaces_the_locations():
    graph = Graph()
    async with graph.signed_in() as client:
        made = await create(client, locations=[{"displayName": "A"}, {"displayName": "B"}])
        assert made["location"]["displayName"] == "A; B"
        changed = (await client.patch(path(made), json={"location": {"displayName": "C"}})).json()
        assert [place["displayName"] for place in changed["locations"]] == ["C"]
        cleared = (await client.patch(path(made), json={"location": {"displayName": ""}})).json()
        assert (cleared["location"]["displayName"], cleared["locations"]) == ("", [])


async def test_properties_of_the_server_are_ignored_in_a_change_unless_switched():
    graph = Graph()
    async with graph.signed_in() as client:
        made = await create(client)
        answer = await client.patch(path(made), json={"iCalUId": "x", "transactionId": "y", "type": "occurrence"})
        assert (answer.status_code, answer.json()["iCalUId"]) == (200, made["iCalUId"])
        graph.world.switches.patch_server_properties = "refuse"
        assert (await client.patch(path(made), json={"iCalUId": "x"})).status_code == 400


async def test_other_methods_are_refused():
    graph = Graph()
    async with graph.signed_in() as client:
        made = await create(client)
        for answer in (await client.put(path(made), json={}), await client.delete("/me/events")):
            assert answer.status_code == 405

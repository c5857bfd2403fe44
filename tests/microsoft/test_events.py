import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.calendar.events.answers.rows import shown_rows
from scalekit_mcp.calendar.events.event import event_result, instant_of, join_url
from scalekit_mcp.tools import to_json
from scalekit_mcp.tools.remarks import warned
from scalekit_mcp.tools.zones.zone import resolve_zone

NEW_YORK = resolve_zone("America/New_York")


def ordinary_event(number: int, **changes: Any) -> dict[str, Any]:
    people = [
        {
            "type": "required",
            "status": {"response": "accepted", "time": "2026-03-20T08:00:00Z"},
            "emailAddress": {"name": f"Person {person} of Company", "address": f"person{person}@company.com"},
        }
        for person in range(6)
    ]
    return {
        "@odata.etag": 'W/"ZlnW4RIAV06KYYwlrfNZvQAALfZeRQ=="',
        "id": f"{number:03d}" + "A" * 149,
        "subject": f"Weekly planning of team {number}",
        "start": {"dateTime": "2026-04-01T14:00:00.0000000", "timeZone": "Eastern Standard Time"},
        "end": {"dateTime": "2026-04-01T15:00:00.0000000", "timeZone": "Eastern Standard Time"},
        "isAllDay": False,
        "location": {"displayName": "Conference room 12", "locationType": "default", "address": {}, "coordinates": {}},
        "attendees": people,
        "organizer": {"emailAddress": {"name": "Dana Host", "address": "dana@company.com"}},
        "isOrganizer": False,
        "responseStatus": {"response": "accepted", "time": "2026-03-20T08:00:00Z"},
        "showAs": "busy",
        "isOnlineMeeting": True,
        "isCancelled": False,
        "type": "occurrence",
        "sensitivity": "normal",
    } | changes


def test_annotations_of_the_transport_are_left_out_and_unknown_properties_stay():
    event = {"@odata.context": "c", "@odata.etag": "e", "id": "1", "occurrenceId": None, "showAs": "somewhereNew"}
    assert event_result(event) == {"id": "1", "occurrenceId": None, "showAs": "somewhereNew"}


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_all_day_events_show_dates_only(zone: str):
    event = {
        "isAllDay": True,
        "start": {"dateTime": "2026-04-01T00:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2026-04-03T00:00:00.0000000", "timeZone": "UTC"},
    }
    shown = event_result(event, asked=resolve_zone(zone))
    assert (shown["start"]["dateTime"], shown["end"]["dateTime"]) == ("2026-04-01", "2026-04-03")


def test_times_carry_the_zone_name_that_was_asked_for():
    event = {"start": {"dateTime": "2026-04-01T10:00:00.0000000", "timeZone": "Eastern Standard Time"}}
    assert event_result(event, asked=NEW_YORK)["start"]["timeZone"] == "America/New_York"


def test_a_custom_zone_is_read_as_utc():
    moment = {"dateTime": "2026-04-01T10:00:00.0000000", "timeZone": "tzone://Microsoft/Custom"}
    assert instant_of(moment) == datetime(2026, 4, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["tzone://Microsoft/Utc", "", "UTC", "utc", "Nowhere Standard Time"])
def test_utc_under_its_names_and_an_unknown_zone_are_read_as_utc(zone: str):
    assert instant_of({"dateTime": "2026-04-01T10:00:00", "timeZone": zone}) == datetime(2026, 4, 1, 10, tzinfo=UTC)


def test_windows_and_iana_names_of_answers_are_both_understood():
    for zone in ("Eastern Standard Time", "America/New_York"):
        moment = {"dateTime": "2026-04-01T10:00:00.0000000", "timeZone": zone}
        assert instant_of(moment, NEW_YORK) == datetime(2026, 4, 1, 14, tzinfo=UTC)
        assert instant_of(moment) == datetime(2026, 4, 1, 14, tzinfo=UTC)


def test_the_join_url_is_that_of_online_meeting_and_never_the_legacy_one():
    assert join_url({"onlineMeetingUrl": "https://legacy", "onlineMeeting": None}) is None
    assert join_url({"onlineMeeting": {"joinUrl": "https://teams"}}) == "https://teams"
    assert join_url({"onlineMeeting": {"joinUrl": ""}}) is None


def test_a_long_body_comes_with_a_warning():
    shown = event_result({"body": {"contentType": "text", "content": "x" * 30_000}}, remarks=warned("first"))
    assert len(shown["body"]["content"]) < 20_100
    assert shown["warnings"][0] == "first"
    assert "20000" in shown["warnings"][1]


def test_warnings_are_absent_where_there_are_none():
    assert "warnings" not in event_result({"id": "1"})


def test_twenty_ordinary_events_without_select_are_at_most_ten_kilobytes():
    shown = shown_rows([ordinary_event(number) for number in range(20)], None, NEW_YORK)
    rows, warnings = shown.rows, shown.warnings
    assert len(json.dumps({"value": rows, "warnings": warnings}, ensure_ascii=False).encode()) <= 10_000
    assert all({"id", "subject", "start", "end"} <= row.keys() for row in rows)
    assert "attendees" in " ".join(warnings)


def test_a_list_gives_up_no_more_than_it_must() -> None:
    crowd = ordinary_event(1)["attendees"] * 3
    plain: dict[str, Any] = {"isOrganizer": True, "isOnlineMeeting": False, "type": "singleInstance"}
    events = [ordinary_event(n, **plain, attendees=crowd if n == 1 else []) for n in range(9)]
    shown = shown_rows(events, None)
    rows, warnings = shown.rows, shown.warnings
    assert 0 < len(rows[1]["attendees"]) < len(crowd)
    assert all("status" in person for person in rows[1]["attendees"])
    assert all("location" in row for row in rows)
    assert warnings == ("To keep this answer small, attendees were shortened or left out; `select` gives them whole.",)


def test_a_small_list_keeps_all_attendees_with_their_answers():
    shown = shown_rows([ordinary_event(1)], None, NEW_YORK)
    rows, warnings = shown.rows, shown.warnings
    assert [person["emailAddress"]["address"] for person in rows[0]["attendees"]] == [
        f"person{n}@company.com" for n in range(6)
    ]
    assert rows[0]["attendees"][0]["status"] == {"response": "accepted"}
    assert not warnings


def test_a_row_without_select_is_silent_about_what_most_events_say():
    plain = ordinary_event(1, isOrganizer=True, isOnlineMeeting=False, type="singleInstance", attendees=[])
    rows = shown_rows([plain], None, NEW_YORK).rows
    assert rows[0].keys() == {"id", "subject", "start", "end", "location"}
    assert rows[0]["start"] == {"dateTime": "2026-04-01T14:00:00", "timeZone": "America/New_York"}


def test_a_row_with_select_holds_what_was_asked_for_as_graph_has_it():
    event = ordinary_event(1)
    rows = shown_rows([event], frozenset({"id", "attendees"})).rows
    assert rows == [{"id": event["id"], "attendees": event["attendees"]}]


@given(st.text(), st.text(), st.booleans())
def test_strangers_text_in_a_list_comes_out_clean(subject: str, place: str, selected: bool) -> None:
    event = ordinary_event(1, subject=subject, location={"displayName": place})
    rows = shown_rows([event], frozenset({"subject", "location"}) if selected else None).rows
    shown = [rows[0].get("subject") or "", (rows[0].get("location") or {}).get("displayName") or ""]
    "".join(shown).encode()
    assert not any("\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069" for text in shown for c in text)
    assert not any((ord(c) < 32 and c not in "\t\n") or "\x7f" <= c <= "\x9f" for text in shown for c in text)


@given(st.lists(st.text(), max_size=25), st.booleans(), st.booleans())
def test_the_length_of_a_lists_rows_is_that_of_their_json(subjects: list[str], selected: bool, for_model: bool) -> None:
    events = [ordinary_event(number, subject=subject) for number, subject in enumerate(subjects)]
    shown = shown_rows(events, frozenset({"subject", "start"}) if selected else None, NEW_YORK, for_model=for_model)
    assert shown.characters == len(to_json(shown.rows))


@pytest.mark.parametrize("harmful", ["\x07", "\x1b", "\u202e", "\x9b", "\ud800"], ids=ascii)
def test_one_harmful_character_among_twenty_rows_is_found(harmful: str) -> None:
    rows = shown_rows([ordinary_event(n, subject=f"a{harmful if n == 13 else '-'}b") for n in range(20)], None).rows
    assert [row["subject"] for row in rows] == [f"a{chr(0xFFFD) if n == 13 else '-'}b" for n in range(20)]

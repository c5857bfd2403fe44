"""Microsoft's own Graph library, unmodified, works on the sandbox's calendars."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, time
from types import ModuleType
from typing import Any

import pytest

from scalekit_mcp.sandbox import Sandbox

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # the library's own

WEEK = {"start_date_time": "2026-03-30T00:00:00Z", "end_date_time": "2026-05-30T00:00:00Z", "top": 50}


@pytest.fixture(scope="module")
def sdk() -> ModuleType:
    pytest.importorskip("msgraph", reason="msgraph-sdk is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module("msgraph_client")


@asynccontextmanager
async def signed_in(
    sdk: ModuleType, *names: str, scope: str = "User.Read Calendars.ReadWrite"
) -> AsyncIterator[tuple[Any, ...]]:
    """A typed client for each of these people of one served sandbox, and the sandbox itself."""
    sandbox = Sandbox(week_of=date(2026, 3, 25))
    async with sandbox.serve() as base_url:
        pairs = [sdk.client_for(base_url, sandbox.access_token(name, scope)) for name in names]
        try:
            yield (sandbox, *(client for client, _ in pairs))
        finally:
            for _, transport in pairs:
                await transport.aclose()


def meeting(sdk: ModuleType) -> Any:
    return sdk.Event(
        subject="Typed",
        body=sdk.ItemBody(content_type=sdk.BodyType.Html, content="<p>Agenda</p>"),
        start=sdk.when("2026-04-01T10:00:00"),
        end=sdk.when("2026-04-01T11:00:00"),
        show_as=sdk.FreeBusyStatus.WorkingElsewhere,
        attendees=[
            sdk.Attendee(
                type=sdk.AttendeeType.Optional,
                email_address=sdk.EmailAddress(address="alice@company.com", name="Alice Moreau"),
            )
        ],
        is_online_meeting=True,
        transaction_id="7E163156-7762-4BEB-A1C6-729EA81755A7",
    )


async def test_typed_create_get_patch_and_delete(sdk: ModuleType):
    async with signed_in(sdk, "dana@company.com") as (_, client):
        made = await client.me.events.post(meeting(sdk))
        assert (made.subject, made.show_as) == ("Typed", sdk.FreeBusyStatus.WorkingElsewhere)
        assert made.online_meeting.join_url.startswith("https://teams.microsoft.com/")
        assert made.type is sdk.EventType.SingleInstance
        again = await client.me.events.post(meeting(sdk))
        assert again.id == made.id
        one = client.me.events.by_event_id(made.id)
        assert (await one.get()).attendees[0].email_address.name == "Alice Moreau"
        changed = await one.patch(sdk.Event(subject="Typed anew"))
        assert (changed.subject, changed.start.date_time) == ("Typed anew", "2026-04-01T08:00:00.0000000")
        await one.delete()
        with pytest.raises(sdk.ODataError) as caught:
            await one.get()
        assert (caught.value.response_status_code, caught.value.error.code) == (404, "ErrorItemNotFound")


async def test_typed_lists_with_options_and_pages(sdk: ModuleType):
    async with signed_in(sdk, "dana@company.com") as (_, client):
        options = sdk.EventsRequestBuilder.EventsRequestBuilderGetQueryParameters(
            filter="start/dateTime ge '2026-01-01T00:00:00' and isCancelled eq false",
            orderby=["start/dateTime asc"],
            select=["subject", "start"],
            top=3,
            count=True,
        )
        configuration = sdk.RequestConfiguration(query_parameters=options)
        configuration.headers.add("Prefer", 'outlook.timezone="Europe/Berlin"')
        page = await client.me.events.get(configuration)
        total, seen = page.odata_count, list(page.value)
        while page.odata_next_link:
            page = await client.me.events.with_url(page.odata_next_link).get(configuration)
            seen += page.value
        assert len(seen) == total > 3
        assert len({event.id for event in seen}) == total
        assert seen[0].start.time_zone == "Europe/Berlin"


async def test_typed_views_instances_and_calendars(sdk: ModuleType):
    async with signed_in(sdk, "dana@company.com") as (_, client):
        series = meeting(sdk)
        series.recurrence = sdk.PatternedRecurrence(
            pattern=sdk.RecurrencePattern(
                type=sdk.RecurrencePatternType.Weekly, interval=1, days_of_week=[sdk.DayOfWeek.Wednesday]
            ),
            range=sdk.RecurrenceRange(
                type=sdk.RecurrenceRangeType.Numbered, start_date=date(2026, 4, 1), number_of_occurrences=3
            ),
        )
        master = await client.me.events.post(series)
        assert master.type is sdk.EventType.SeriesMaster
        assert master.recurrence.range.start_date == date(2026, 4, 1)
        options = sdk.InstancesRequestBuilder.InstancesRequestBuilderGetQueryParameters(**WEEK)
        found = await client.me.events.by_event_id(master.id).instances.get(
            sdk.RequestConfiguration(query_parameters=options)
        )
        assert [event.type for event in found.value] == [sdk.EventType.Occurrence] * 3
        view = sdk.CalendarViewRequestBuilder.CalendarViewRequestBuilderGetQueryParameters(**WEEK)
        shown = await client.me.calendar_view.get(sdk.RequestConfiguration(query_parameters=view))
        assert {event.id for event in found.value} <= {event.id for event in shown.value}
        calendars = await client.me.calendars.get()
        assert [calendar.name for calendar in calendars.value if calendar.is_default_calendar] == ["Calendar"]


async def test_typed_actions(sdk: ModuleType):
    async with signed_in(sdk, "dana@company.com", "alice@company.com") as (_, dana, alice):
        made = await dana.me.events.post(meeting(sdk))
        mine = await alice.me.events.get()
        copy = next(event for event in mine.value if event.i_cal_u_id == made.i_cal_u_id)
        body = sdk.AcceptPostRequestBody(comment="Yes", send_response=True)
        await alice.me.events.by_event_id(copy.id).accept.post(body)
        seen = await dana.me.events.by_event_id(made.id).get()
        assert seen.attendees[0].status.response is sdk.ResponseType.Accepted
        await dana.me.events.by_event_id(made.id).cancel.post(sdk.CancelPostRequestBody(comment="Sorry"))
        assert (await alice.me.events.by_event_id(copy.id).get()).is_cancelled


async def test_typed_schedules(sdk: ModuleType):
    async with signed_in(sdk, "dana@company.com") as (sandbox, client):
        sandbox.scheduling.clear_calendar("bob@company.com")
        block = datetime(2026, 4, 1, 9), datetime(2026, 4, 1, 10)  # noqa: DTZ001 - in the person's own zone
        sandbox.scheduling.add_busy("bob@company.com", *block, "tentative")
        sandbox.scheduling.set_working_hours("alice@company.com", "09:30", "18:00", zone_rules="custom")
        body = sdk.GetSchedulePostRequestBody(
            schedules=["bob@company.com", "alice@company.com", "nobody@company.com"],
            start_time=sdk.when("2026-04-01T08:00:00", "UTC"),
            end_time=sdk.when("2026-04-01T18:00:00", "UTC"),
            availability_view_interval=60,
        )
        bob, alice, nobody = (await client.me.calendar.get_schedule.post(body)).value
        assert bob.availability_view == "0000010000"
        (item,) = bob.schedule_items
        assert (item.status, item.start.date_time) == (sdk.FreeBusyStatus.Tentative, "2026-04-01T13:00:00.0000000")
        assert bob.working_hours.start_time == time(9)
        assert bob.working_hours.time_zone.name == "Eastern Standard Time"
        assert alice.working_hours.start_time == time(9, 30)
        assert (alice.working_hours.time_zone.bias, alice.working_hours.time_zone.daylight_offset.month) == (360, 3)
        assert nobody.error.response_code == "5009"
        body.availability_view_interval = 4
        with pytest.raises(sdk.ODataError) as caught:
            await client.me.calendar.get_schedule.post(body)
        assert caught.value.error.code == "ErrorInvalidMergedFreeBusyInterval"


async def test_typed_refusals_with_another_time(sdk: ModuleType):
    async with signed_in(sdk, "dana@company.com", "alice@company.com") as (_, dana, alice):
        made = await dana.me.events.post(meeting(sdk))
        copy = next(event for event in (await alice.me.events.get()).value if event.i_cal_u_id == made.i_cal_u_id)
        slot = sdk.TimeSlot(start=sdk.when("2026-04-02T10:00:00"), end=sdk.when("2026-04-02T11:00:00"))
        body = sdk.DeclinePostRequestBody(comment="Thursday?", send_response=True, proposed_new_time=slot)
        await alice.me.events.by_event_id(copy.id).decline.post(body)
        attendee = (await dana.me.events.by_event_id(made.id).get()).attendees[0]
        assert attendee.status.response is sdk.ResponseType.Declined
        assert attendee.proposed_new_time.start.date_time == "2026-04-02T08:00:00.0000000"
        with pytest.raises(sdk.ODataError) as caught:
            await alice.me.events.by_event_id(copy.id).get()
        assert caught.value.response_status_code == 404


async def test_typed_search_for_people(sdk: ModuleType):
    scope = "User.Read Calendars.ReadWrite People.Read"
    async with signed_in(sdk, "dana@company.com", scope=scope) as (_, client):
        options = sdk.PeopleRequestBuilder.PeopleRequestBuilderGetQueryParameters(
            search='"room"', top=5, select=["displayName", "scoredEmailAddresses", "personType"]
        )
        configuration = sdk.RequestConfiguration(query_parameters=options)
        configuration.headers.add("X-PeopleQuery-QuerySources", "Mailbox,Directory")
        found = (await client.me.people.get(configuration)).value
        assert [(one.display_name, one.person_type.subclass) for one in found] == [
            ("Room Lisbon", "Room"),
            ("Room Oslo", "Room"),
        ]
        assert found[0].scored_email_addresses[0].address == "lisbon@company.com"

"""msgraph-sdk pointed at a sandbox, and the models that the tests build."""

from __future__ import annotations

from typing import Any

import httpx
from kiota_abstractions.authentication import AuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.request_information import RequestInformation
from msgraph.generated.models.attendee import Attendee
from msgraph.generated.models.attendee_type import AttendeeType
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.date_time_time_zone import DateTimeTimeZone
from msgraph.generated.models.day_of_week import DayOfWeek
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.event import Event
from msgraph.generated.models.event_type import EventType
from msgraph.generated.models.free_busy_status import FreeBusyStatus
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.patterned_recurrence import PatternedRecurrence
from msgraph.generated.models.recurrence_pattern import RecurrencePattern
from msgraph.generated.models.recurrence_pattern_type import RecurrencePatternType
from msgraph.generated.models.recurrence_range import RecurrenceRange
from msgraph.generated.models.recurrence_range_type import RecurrenceRangeType
from msgraph.generated.models.response_type import ResponseType
from msgraph.generated.models.time_slot import TimeSlot
from msgraph.generated.users.item.calendar.get_schedule.get_schedule_post_request_body import GetSchedulePostRequestBody
from msgraph.generated.users.item.calendar_view.calendar_view_request_builder import CalendarViewRequestBuilder
from msgraph.generated.users.item.events.events_request_builder import EventsRequestBuilder
from msgraph.generated.users.item.events.item.accept.accept_post_request_body import AcceptPostRequestBody
from msgraph.generated.users.item.events.item.cancel.cancel_post_request_body import CancelPostRequestBody
from msgraph.generated.users.item.events.item.decline.decline_post_request_body import DeclinePostRequestBody
from msgraph.generated.users.item.events.item.instances.instances_request_builder import InstancesRequestBuilder
from msgraph.generated.users.item.people.people_request_builder import PeopleRequestBuilder
from msgraph.graph_request_adapter import GraphRequestAdapter, options
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory

__all__ = [
    "AcceptPostRequestBody",
    "Attendee",
    "AttendeeType",
    "BodyType",
    "CalendarViewRequestBuilder",
    "CancelPostRequestBody",
    "DateTimeTimeZone",
    "DayOfWeek",
    "DeclinePostRequestBody",
    "EmailAddress",
    "Event",
    "EventType",
    "EventsRequestBuilder",
    "FreeBusyStatus",
    "GetSchedulePostRequestBody",
    "InstancesRequestBuilder",
    "ItemBody",
    "ODataError",
    "PatternedRecurrence",
    "PeopleRequestBuilder",
    "RecurrencePattern",
    "RecurrencePatternType",
    "RecurrenceRange",
    "RecurrenceRangeType",
    "RequestConfiguration",
    "ResponseType",
    "TimeSlot",
    "client_for",
    "when",
]


class _Bearer(AuthenticationProvider):
    def __init__(self, token: str) -> None:
        self._token = token

    async def authenticate_request(
        self, request: RequestInformation, additional_authentication_context: dict[str, Any] | None = None
    ) -> None:
        request.headers.add("Authorization", f"Bearer {self._token}")


def client_for(base_url: str, token: str) -> tuple[GraphServiceClient, httpx.AsyncHTTPTransport]:
    """A typed client with the library's own middleware, and the transport to close (the middleware does not)."""
    transport = httpx.AsyncHTTPTransport()
    plain = httpx.AsyncClient(transport=transport, trust_env=False)
    adapter = GraphRequestAdapter(
        _Bearer(token), GraphClientFactory.create_with_default_middleware(client=plain, options=options)
    )
    adapter.base_url = f"{base_url}/v1.0"
    return GraphServiceClient(request_adapter=adapter), transport


def when(text: str, zone: str = "Europe/Berlin") -> DateTimeTimeZone:
    return DateTimeTimeZone(date_time=text, time_zone=zone)

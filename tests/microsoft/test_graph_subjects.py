"""What each verb of the mailbox is about: a refusal blames the id that was given, and only that one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scalekit_mcp.calendar.failures import MalformedEventId
from scalekit_mcp.calendar.mailbox import EventQuery, Form, Span
from scalekit_mcp.errors import (
    CalendarNotFound,
    EventNotFound,
    InternalError,
    InvalidInput,
    MailboxUnavailable,
    ScalekitMCPError,
)
from scalekit_mcp.microsoft.graph.mailbox import GraphMailbox
from tests.microsoft.test_graph_client import BODY, stage

ALL = Form()
NAMED = Form(select=("id",))
BEGIN = datetime(2026, 4, 1, tzinfo=UTC)
WEEK = Span(BEGIN, BEGIN + timedelta(days=7))
MINE, OTHER = EventQuery(ALL, top=5), EventQuery(ALL, top=5, calendar_id="cal")

Verb = Callable[[GraphMailbox], Awaitable[Any]]
VERBS: dict[str, tuple[Verb, type[ScalekitMCPError]]] = {
    "get": (lambda box: box.get("ev", ALL), EventNotFound),
    "get some": (lambda box: box.get("ev", NAMED), EventNotFound),
    "exceptions": (lambda box: box.exceptions("ev", ("id",)), EventNotFound),
    "instances": (lambda box: box.instances("ev", MINE, WEEK), EventNotFound),
    "update": (lambda box: box.update("ev", {"subject": "New"}, form=ALL, etag=None), EventNotFound),
    "delete": (lambda box: box.delete("ev"), EventNotFound),
    "cancel": (lambda box: box.cancel("ev", "Moved."), EventNotFound),
    "purge, users": (lambda box: box.purge("ev", "users"), EventNotFound),
    "purge, me": (lambda box: box.purge("ev", "me"), EventNotFound),
    "list": (lambda box: box.list(MINE), MailboxUnavailable),
    "list another": (lambda box: box.list(OTHER), CalendarNotFound),
    "view": (lambda box: box.view(MINE, WEEK), MailboxUnavailable),
    "view another": (lambda box: box.view(OTHER, WEEK), CalendarNotFound),
    "create": (lambda box: box.create(BODY, calendar_id=None, form=ALL), MailboxUnavailable),
    "create in another": (lambda box: box.create(BODY, calendar_id="cal", form=ALL), CalendarNotFound),
    "calendars": (lambda box: box.calendars(("id",)), MailboxUnavailable),
}
BY_EVENT_ALONE = {"get", "update", "delete", "cancel"}
"""The verbs to which an id is all that is given, so that an address which cannot be read is its fault."""


async def refused(verb: Verb, status: int, code: str) -> ScalekitMCPError:
    async with stage() as s:
        s.fault(status=status, code=code)
        with pytest.raises(ScalekitMCPError) as caught:
            await verb(GraphMailbox(s.session, owner_id="11111111-2222-3333-4444-555555555555"))
    return caught.value


@pytest.mark.parametrize("name", VERBS)
async def test_what_was_not_found_is_what_the_verb_named(name: str) -> None:
    verb, kind = VERBS[name]
    assert type(await refused(verb, 404, "ErrorItemNotFound")) is kind


@pytest.mark.parametrize("name", VERBS)
async def test_a_malformed_id_names_its_argument(name: str) -> None:
    verb, kind = VERBS[name]
    found = await refused(verb, 400, "ErrorInvalidIdMalformed")
    expected = {EventNotFound: "event_id", CalendarNotFound: "calendar_id"}.get(kind)
    assert isinstance(found, MalformedEventId if kind is EventNotFound else InvalidInput)
    assert found.details.get("field") == expected


@pytest.mark.parametrize("name", VERBS)
async def test_an_address_that_cannot_be_read_is_the_fault_of_an_id_that_stands_alone(name: str) -> None:
    found = await refused(VERBS[name][0], 400, "RequestBroker--ParseUri")
    assert isinstance(found, MalformedEventId) is (name in BY_EVENT_ALONE)
    assert isinstance(found, InternalError) is (name not in BY_EVENT_ALONE)


async def test_a_refused_next_page_is_about_the_same_calendar() -> None:
    async with stage() as s:
        box = GraphMailbox(s.session, owner_id=None)
        s.fault(status=404, code="ErrorItemNotFound")
        with pytest.raises(CalendarNotFound):
            await box.list(OTHER, cursor="http://localhost/v1.0/me/calendars/cal/events?$skip=5")

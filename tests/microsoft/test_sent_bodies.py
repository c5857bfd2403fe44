"""Every body that leaves for Graph, over many calls: Microsoft's schema takes it, Microsoft's library reads it."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Awaitable, Callable, Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import assume, given, settings

from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.world import RecordedRequest
from tests.support.csdl import CSDL, REASON, Schema
from tests.support.microsoft import SignedIn, signed_in
from tests.support.tool_calls import create_arguments, update_arguments

MANY = settings(max_examples=40)
needs_schema = pytest.mark.skipif(not CSDL, reason=REASON)


def alone(body: Callable[[SignedIn], Awaitable[None]]) -> None:
    """Run a body with an empty calendar; hypothesis calls synchronous functions."""

    async def run() -> None:
        async with signed_in(Sandbox(week_of=date(2026, 3, 30))) as me:
            await body(me)

    asyncio.run(run())


async def every_kind_of_call(me: SignedIn, made: dict[str, Any], changes: dict[str, Any]) -> None:
    """Create, read, list, update and delete; what is refused before the call is drawn anew."""
    try:
        event = await me.create(**made)
        await me.update(event["id"], **changes, discard_exceptions=True)
    except InvalidInput:
        assume(False)
        raise
    await me.get(event["id"])
    await me.list(top=5)
    window = {"start_datetime": made["start_datetime"][:10] + "T00:00:00", "timezone": "UTC"}
    await me.list(**window, end_datetime="2027-06-01T00:00:00", top=5)
    mails = bool((await me.get(event["id"], select="attendees"))["attendees"])
    await me.delete(event["id"], **({"cancellation_message": "Moved to next week."} if mails else {"permanent": True}))


def sent_bodies(me: SignedIn) -> list[RecordedRequest]:
    return [request for request in me.received() if request.body not in (None, "", b"")]


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema(Path(CSDL))


@needs_schema
@MANY
@given(create_arguments(), update_arguments())
def test_every_body_that_the_calendar_sends_fits_microsofts_schema(
    schema: Schema, made: dict[str, Any], changes: dict[str, Any]
) -> None:
    async def body(me: SignedIn) -> None:
        await every_kind_of_call(me, made, changes)
        sent = sent_bodies(me)
        assert {request.method for request in sent} >= {"POST"}
        found = [p for request in sent for p in schema.problems_of_request(request.method, request.path, request.body)]
        assert found == []

    alone(body)


@needs_schema
async def test_every_body_of_a_series_its_parts_and_its_end_fits_microsofts_schema(schema: Schema) -> None:
    async with signed_in(Sandbox(week_of=date(2026, 3, 30))) as me:
        day = {"start_datetime": "2026-04-01T10:00:00", "start_timezone": "Europe/Berlin"}
        master = await me.create(
            subject="Standup", **day, end_datetime="2026-04-01T10:15:00", end_timezone="Europe/Berlin",
            recurrence_type="weekly", recurrence_occurrences=6, isOnlineMeeting=True, body_content="Agenda",
            attendees_required="alice@company.com", attendees_resource="room1@company.com",
        )  # fmt: skip
        rows = await me.list(
            start_datetime="2026-04-01T00:00:00", end_datetime="2026-05-30T00:00:00", timezone="Europe/Berlin"
        )
        first, second, third = (row["id"] for row in rows["value"][:3])
        await me.update(second, subject="Standup with guests", body_content="Other agenda")
        await me.update(first, apply_to="series", start_datetime="2026-04-01T09:00:00", start_timezone="Europe/Berlin",
                        discard_exceptions=True)  # fmt: skip
        await me.update(master["id"], recurrence_interval=2, discard_exceptions=True)
        await me.update(master["id"], recurrence_end_date="2026-06-01", discard_exceptions=True)
        await me.delete(third)
        await me.update(master["id"], clear="recurrence,attendees_resource,body_content", discard_exceptions=True)
        await me.delete(master["id"], cancellation_message="No more standups.")
        sent = sent_bodies(me)
        assert len(sent) == 7
        found = [p for request in sent for p in schema.problems_of_request(request.method, request.path, request.body)]
        assert found == []


# -- msgraph-sdk


@pytest.fixture(scope="module")
def sdk() -> Iterator[SimpleNamespace]:
    pytest.importorskip("msgraph", reason="msgraph-sdk is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from kiota_serialization_json.json_parse_node_factory import JsonParseNodeFactory
        from kiota_serialization_json.json_serialization_writer import JsonSerializationWriter
        from msgraph.generated.models.event import Event

        yield SimpleNamespace(factory=JsonParseNodeFactory(), writer=JsonSerializationWriter, event=Event)


def through_the_library(sdk: SimpleNamespace, value: dict[str, Any]) -> dict[str, Any]:
    """An event read into the library's model and written again: what the model does not understand is lost."""
    node = sdk.factory.get_root_parse_node("application/json", json.dumps(value).encode())
    event = node.get_object_value(sdk.event)
    assert not {name for name in event.additional_data if not name.startswith("@odata.")}
    writer = sdk.writer()
    event.serialize(writer)
    return json.loads(writer.get_serialized_content())


def plain(value: Any) -> Any:
    """The content of an event without annotations, nulls, and the spelling of instants."""
    if isinstance(value, dict):
        members = ((name, plain(member)) for name, member in value.items() if "@odata." not in name)
        return {name: member for name, member in members if member not in (None, {}, [])}
    if isinstance(value, list):
        return [plain(member) for member in value]
    if isinstance(value, float | int) and not isinstance(value, bool):
        return float(value)
    return value.removesuffix("Z").removesuffix("+00:00").split(".")[0] if isinstance(value, str) else value


@pytest.mark.full
@MANY
@given(create_arguments(), update_arguments())
def test_microsofts_library_reads_every_event_that_is_sent_or_answered(
    sdk: SimpleNamespace, made: dict[str, Any], changes: dict[str, Any]
) -> None:
    async def body(me: SignedIn) -> None:
        await every_kind_of_call(me, made, changes)
        sent = [r.body for r in sent_bodies(me) if not r.path.endswith("/cancel")]
        event = await me.graph("POST", "/me/events", {**sent[0], "transactionId": "another"})
        listed = await me.graph("GET", "/me/events")
        for value in (*sent, event, *listed["value"]):
            assert plain(through_the_library(sdk, value)) == plain(value)

    alone(body)

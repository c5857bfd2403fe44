"""Answers of Scalekit with HTTP 200 that are not what was asked for: failures inside, or no event."""

from __future__ import annotations

import json
from typing import Any

import pytest
from actions_support import CREATE, DELETE, EVENT, GET, LIST, UPDATE, HostedBench, fast_bench

from scalekit_mcp.errors import (
    AuthorizationRequired,
    EventNotFound,
    OutcomeUnknown,
    PermissionMissing,
    ProviderUnavailable,
    ScalekitMCPError,
    Throttled,
)
from scalekit_mcp.sandbox.scalekit.records import Fault
from scalekit_mcp.scalekit.tool_data import Verdict, event_in, failure_in, rows_in, verdict_on

WINDOW = {"start_datetime": "2026-04-06T00:00:00", "end_datetime": "2026-04-07T00:00:00"}
DENIED = {"code": "ErrorAccessDenied", "message": "Access is denied."}

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "create": (CREATE, EVENT),
    "get": (GET, {"event_id": "EVENT"}),
    "list": (LIST, {}),
    "window": (LIST, WINDOW),
    "update": (UPDATE, {"event_id": "EVENT", "subject": "Moved"}),
    "delete": (DELETE, {"event_id": "EVENT"}),
    "cancel": (DELETE, {"event_id": "EVENT", "cancellation_message": "Off."}),
}

REFUSALS: dict[str, Any] = {
    "an error object": {"error": DENIED},
    "an error one level in": {"response": {"error": DENIED}},
    "an error in a wrapper of another name": {"outlook": {"error": DENIED}},
    "an error as text": {"error": "ErrorAccessDenied: Access is denied."},
    "an error as JSON text": {"result": json.dumps({"error": DENIED})},
    "all of it as JSON text": json.dumps({"error": DENIED}),
    "a list of errors": {"errors": [DENIED]},
    "the error alone": DENIED,
    "a sentence": "ErrorAccessDenied: Access is denied.",
    "a flag beside the error": {"ok": False, "error": DENIED},
    "a status code": {"status_code": 403},
    "a status code as text": {"success": False, "statusCode": "403"},
    "a number as status": {"status": 403, "message": "Forbidden"},
    "a status in the error": {"error": {"status": 403, "message": "Forbidden"}},
    "a number as code": {"error": {"code": 403, "message": "Forbidden"}},
    "the code of a remote procedure": {"code": 7, "message": "permission denied"},
}

FAILURES: dict[str, Any] = {
    "not ok": {"ok": False},
    "no success": {"response": {"success": False}},
    "no success as text": {"success": "false"},
    "failed": {"status": "failed", "message": "it did not work"},
    "an error flag": {"isError": True, "content": [{"type": "text", "text": "no"}]},
    "an unknown error": {"error": {"message": "something"}},
    "a bare error": {"error": True},
    "a sentence": "Error executing tool: connection reset",
}

NO_EVENT: dict[str, Any] = {
    "null": None,
    "an empty object": {},
    "a list": [],
    "a sentence": "The event has been put into the calendar.",
    "a word of success": {"status": "success"},
    "an event without an id": {"subject": "Review", "start": {"dateTime": "2026-04-08T10:00:00", "timeZone": "UTC"}},
    "a number": 7,
}

NO_OBJECT = {"HTML": "<html>ok</html>", "null": "null", "a list": "[]", "a string": '"ok"', "half": '{"data": {"id"'}


def answer(bench: HostedBench, data: Any = None, *, body: str | None = None, apply: bool = False, **fault: Any) -> None:
    """Have the next tool call answered with HTTP 200 and this `data`; with `apply` it is carried out, too."""
    text = json.dumps({"data": data, "execution_id": "exec_5"}) if body is None else body
    given = {"path_contains": "/execute_tool", "status": 200, **fault}
    bench.look_alike.switches.faults.append(Fault(body=text, apply=apply, **given))


async def call(bench: HostedBench, name: str, event_id: str) -> dict[str, Any]:
    tool, given = CALLS[name]
    arguments = {key: event_id if value == "EVENT" else value for key, value in given.items()}
    return await bench.run(tool, **arguments)


async def reviews(bench: HostedBench) -> list[dict[str, Any]]:
    return (await bench.run(LIST, filter="subject eq 'Review'"))["value"]


def writes(bench: HostedBench) -> list[str]:
    readers = {"outlook_get_calendar_event", "outlook_list_calendar_events", "outlook_get_calendar_view"}
    return [tool for tool, _ in bench.tools() if tool not in readers]


@pytest.mark.parametrize("data", REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_refusal_of_microsoft_inside_a_success_is_that_refusal_in_every_tool(data: Any) -> None:
    async with fast_bench() as bench:
        await bench.connect()
        event_id = (await bench.run(CREATE, **EVENT, attendees_required="alice@company.com"))["id"]
        for name in CALLS:
            if name == "cancel":  # it reads the event first
                continue
            answer(bench, data)
            with pytest.raises(PermissionMissing) as refused:
                await call(bench, name, event_id)
            assert refused.value.details["execution_id"] == "exec_5", name
        assert [row["subject"] for row in await reviews(bench)] == ["Review"]


@pytest.mark.parametrize("data", [REFUSALS["an error object"], REFUSALS["a status code"]], ids=["error", "status"])
async def test_a_cancellation_that_is_refused_inside_a_success_is_not_claimed(data: Any) -> None:
    async with fast_bench() as bench:
        await bench.connect()
        event_id = (await bench.run(CREATE, **EVENT, attendees_required="alice@company.com"))["id"]
        answer(bench, data, body_contains="outlook_cancel_event")
        with pytest.raises(PermissionMissing):
            await call(bench, "cancel", event_id)
        assert len(await reviews(bench)) == 1


@pytest.mark.parametrize("statuses", ["provider", "always_500", "in_data"])
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "ErrorItemNotFound", EventNotFound),
        (403, "ErrorAccessDenied", PermissionMissing),
        (401, "InvalidAuthenticationToken", AuthorizationRequired),
        (429, "ApplicationThrottled", Throttled),
    ],
)
async def test_microsofts_codes_mean_the_same_wherever_scalekit_puts_them(
    statuses: str, status: int, code: str, kind: type[ScalekitMCPError]
) -> None:
    async with fast_bench() as bench:
        await bench.connect()
        event_id = (await bench.run(CREATE, **EVENT))["id"]
        bench.look_alike.switches.tool_error_statuses = statuses
        bench.sandbox.graph_error(status=status, code=code, method="PATCH")
        with pytest.raises(kind):
            await bench.run(UPDATE, event_id=event_id, subject="Moved")


@pytest.mark.parametrize("data", FAILURES.values(), ids=FAILURES.keys())
async def test_a_failure_without_a_reason_is_never_a_success(data: Any) -> None:
    async with fast_bench() as bench:
        await bench.connect()
        event_id = (await bench.run(CREATE, **EVENT, attendees_required="alice@company.com"))["id"]
        for name in ("get", "list", "window", "update", "delete"):
            answer(bench, data, times={"window": 9, "delete": 2}.get(name, 1))  # tried in a second way; read before
            with pytest.raises(ProviderUnavailable):
                await call(bench, name, event_id)
            bench.look_alike.switches.faults.clear()
        for name, tool in (("create", CREATE), ("cancel", "outlook_cancel_event")):
            answer(bench, data, body_contains=tool)
            with pytest.raises(OutcomeUnknown):
                await call(bench, name, event_id)
        assert [row["subject"] for row in await reviews(bench)] == ["Review"]


@pytest.mark.parametrize("data", ["It is away.", {"note": "see you"}, {"deleted": False}, [1], 3], ids=str)
@pytest.mark.parametrize("apply", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("name", ["delete", "cancel", "update"])
async def test_a_change_with_an_answer_that_says_nothing_is_settled_by_reading(
    name: str, data: Any, apply: bool
) -> None:
    async with fast_bench() as bench:
        await bench.connect()
        bench.sandbox.world.switches.deleted_readable = False
        event_id = (await bench.run(CREATE, **EVENT, attendees_required="alice@company.com"))["id"]
        tool = "outlook_cancel_event" if name == "cancel" else CALLS[name][0]
        answer(bench, data, apply=apply, body_contains=tool)
        if apply:
            result = await call(bench, name, event_id)
            assert result.get("deleted") is True or result["subject"] == "Moved"
        else:
            with pytest.raises(OutcomeUnknown if name == "cancel" else ProviderUnavailable):
                await call(bench, name, event_id)
        assert writes(bench).count(tool) == 1


@pytest.mark.parametrize(
    "data", [None, {}, "", {"success": True}, {"status": "deleted"}, {"status_code": 204}], ids=str
)
async def test_a_deletion_that_is_said_to_be_done_needs_no_second_look(data: Any) -> None:
    async with fast_bench() as bench:
        await bench.connect()
        event_id = (await bench.run(CREATE, **EVENT))["id"]
        answer(bench, data, apply=True, body_contains=DELETE)
        deleted = await bench.run(DELETE, event_id=event_id)
        assert (deleted["deleted"], deleted["already_gone"]) == (True, False)
        assert [tool for tool, _ in bench.tools()] == [CREATE, GET, DELETE]


@pytest.mark.parametrize("data", NO_EVENT.values(), ids=NO_EVENT.keys())
async def test_a_create_that_was_carried_out_and_shows_no_event_is_never_repeated(data: Any) -> None:
    async with fast_bench() as bench:
        await bench.connect()
        answer(bench, data, apply=True)
        with pytest.raises(OutcomeUnknown) as unread:
            await bench.run(CREATE, **EVENT)
        assert "was created" in unread.value.message
        assert "Do not create the event again" in unread.value.next_step
        assert not unread.value.retryable
        assert unread.value.details["execution_id"] == "exec_5"
        assert len(await reviews(bench)) == 1


@pytest.mark.parametrize("body", NO_OBJECT.values(), ids=NO_OBJECT.keys())
async def test_a_success_without_a_json_object_says_what_was_carried_out(body: str) -> None:
    async with fast_bench() as bench:
        await bench.connect()
        bench.sandbox.world.switches.deleted_readable = False
        answer(bench, body=body, apply=True)
        with pytest.raises(OutcomeUnknown, match="was created"):
            await bench.run(CREATE, **EVENT)
        [row] = await reviews(bench)
        for name in ("get", "list", "window"):
            answer(bench, body=body)
            with pytest.raises(ProviderUnavailable):
                await call(bench, name, row["id"])
        answer(bench, body=body, apply=True)
        assert (await bench.run(UPDATE, event_id=row["id"], subject="Moved"))["subject"] == "Moved"
        answer(bench, body=body, apply=True)
        assert (await bench.run(DELETE, event_id=row["id"]))["deleted"] is True
        assert writes(bench) == [CREATE, UPDATE, DELETE]


async def test_an_update_that_was_carried_out_and_cannot_be_read_back_is_not_to_be_repeated() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        event_id = (await bench.run(CREATE, **EVENT))["id"]
        answer(bench, None, apply=True)
        answer(bench, {"error": {"code": "ErrorServerBusy"}})
        with pytest.raises(OutcomeUnknown) as unread:
            await bench.run(UPDATE, event_id=event_id, subject="Moved")
        assert "carried out" in unread.value.message
        assert "Do not repeat" in unread.value.next_step


@pytest.mark.parametrize("subject", ["error", "Error: failed", '{"error": {"code": "ErrorAccessDenied"}}', "failed"])
@pytest.mark.parametrize("wrapper", ["plain", "response", "text"])
async def test_an_event_about_an_error_is_an_event(subject: str, wrapper: str) -> None:
    async with fast_bench() as bench:
        await bench.connect()
        bench.look_alike.switches.wrapper = wrapper
        event = await bench.run(CREATE, **{**EVENT, "subject": subject, "body_content": subject})
        assert event["subject"] == subject
        changed = await bench.run(UPDATE, event_id=event["id"], location=f"about {subject}")
        assert (await bench.run(GET, event_id=event["id"]))["location"]["displayName"] == f"about {subject}"
        assert changed["subject"] == subject
        assert subject in [row["subject"] for row in (await bench.run(LIST, top=100))["value"]]
        assert (await bench.run(DELETE, event_id=event["id"]))["deleted"] is True


@pytest.mark.parametrize(
    "data",
    [
        {"id": "1", "subject": "x", "status": "failed"},
        {"id": "1", "subject": "x", "error": {"code": "ErrorAccessDenied"}, "ok": False},
        {"response": {"id": "1", "start": {}, "status": 500}},
        {"value": [{"id": "1", "subject": "error", "status": "failed", "error": {"code": "x"}}]},
        {"value": [], "error": None, "errors": [], "status": "ok", "ok": True},
        {"error": "", "data": {"id": "1", "subject": "x"}},
        {"error": "none"},
        {"error": False, "success": True, "status_code": 200, "code": 0},
        {"status": "cancelled"},
        {"code": 5},
    ],
)
def test_no_failure_is_seen_where_the_shape_is_none(data: Any) -> None:
    assert failure_in({"data": data, "execution_id": "exec_5"}) is None


def test_an_answer_nested_without_end_is_read_no_deeper_than_its_wrappings() -> None:
    data: Any = {"error": DENIED}
    for _ in range(50):
        data = {"data": data}
    assert failure_in({"data": data}) is None
    assert event_in(data) is None
    assert rows_in(data) is None
    assert verdict_on(data) is Verdict.UNCLEAR


@pytest.mark.parametrize("where", ["an answer", "the data", "text in the data"])
async def test_what_is_nested_too_deep_is_not_read(where: str) -> None:
    deep = "[" * 900 + "]" * 900
    event = f'{{"id": "AAMk", "subject": "x", "location": {deep}}}'
    bodies = {"an answer": deep, "the data": f'{{"data": {event}}}', "text in the data": json.dumps({"data": event})}
    async with fast_bench() as bench:
        await bench.connect()
        answer(bench, body=bodies[where])
        if where == "an answer":
            with pytest.raises(ProviderUnavailable):
                await bench.run(GET, event_id="AAMk")
        else:
            event = await bench.run(GET, event_id="AAMk")
            assert "location" not in event
            assert "location could not be read" in event["warnings"][0]

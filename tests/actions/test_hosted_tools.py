"""Our tools over the hosted catalogue: what is mapped, what is refused by name, and that results are Graph's."""

from __future__ import annotations

from typing import Any

import pytest
from actions_support import CREATE, DELETE, GET, LIST, UPDATE, fast_bench

from scalekit_mcp.calendar.mailbox import Form
from scalekit_mcp.errors import InternalError, InvalidInput, ProviderUnavailable
from scalekit_mcp.sandbox.scalekit.records import Fault
from scalekit_mcp.scalekit.answers import Preferences
from scalekit_mcp.scalekit.outlook_tools.params import check_supported, event_params
from scalekit_mcp.scalekit.refusals import graph_failure
from scalekit_mcp.scalekit.rest import ScalekitError
from scalekit_mcp.scalekit.tool_data import event_in, rows_in
from scalekit_mcp.tools import parse_arguments, resolve_zone

EVENT: dict[str, Any] = {
    "subject": "Review",
    "start_datetime": "2026-04-08T10:00:00",
    "start_timezone": "America/New_York",
    "end_datetime": "2026-04-08T11:00:00",
    "end_timezone": "America/New_York",
}


@pytest.mark.parametrize(
    ("tool", "given", "field"),
    [
        (CREATE, {"transaction_id": "t-1"}, "transaction_id"),
        (CREATE, {"calendar_id": "AAA="}, "calendar_id"),
        (CREATE, {"responseRequested": False}, "responseRequested"),
        (CREATE, {"allowNewTimeProposals": False}, "allowNewTimeProposals"),
        (CREATE, {"recurrence_type": "absoluteMonthly"}, "recurrence_type"),
        (CREATE, {"recurrence_type": "relativeYearly", "recurrence_week_index": "second"}, "recurrence_type"),
        (
            CREATE,
            {"recurrence_type": "weekly", "recurrence_first_day_of_week": "monday"},
            "recurrence_first_day_of_week",
        ),
        (CREATE, {"categories": ["a,b"]}, "categories"),
        (LIST, {"calendar_id": "AAA="}, "calendar_id"),
        (UPDATE, {"clear": "location"}, "clear"),
        (UPDATE, {"clear": "recurrence"}, "clear"),
        (UPDATE, {"clear": "body_content"}, "clear"),
        (UPDATE, {"clear": "categories"}, "clear"),
        (UPDATE, {"recurrence_day_of_month": 3}, "recurrence_day_of_month"),
        (DELETE, {"permanent": True}, "permanent"),
        (DELETE, {"apply_to": "following"}, "apply_to"),
        (UPDATE, {"apply_to": "following", "location": "Room 2"}, "apply_to"),
    ],
)
async def test_what_no_hosted_tool_can_do_is_refused_by_name_and_nothing_is_sent(
    tool: str, given: dict[str, Any], field: str
) -> None:
    base = EVENT if tool == CREATE else {} if tool == LIST else {"event_id": "AAMk"}
    async with fast_bench() as bench:
        await bench.connect()
        with pytest.raises(InvalidInput) as refused:
            await bench.run(tool, **base, **given)
        assert refused.value.details["field"] == field
        assert field in refused.value.message
        assert bench.tools() == []


def test_what_outlook_does_anyway_may_be_asked_for() -> None:
    given = {"responseRequested": True, "allowNewTimeProposals": True, "recurrence_first_day_of_week": "sunday"}
    assert check_supported(parse_arguments(CREATE, {**EVENT, **given, "recurrence_type": "weekly"})) == []


async def test_create_sends_the_parameters_of_the_hosted_catalogue_and_nothing_else() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        await bench.run(
            CREATE,
            **EVENT,
            attendees_required="alice@company.com",
            attendees_optional="carol@company.com",
            location="Room 1",
            recurrence_type="daily",
            recurrence_occurrences=3,
        )
        assert bench.tools() == [
            (
                CREATE,
                {
                    **EVENT,
                    "attendees_required": "alice@company.com",
                    "attendees_optional": "carol@company.com",
                    "location": "Room 1",
                    "recurrence_type": "daily",
                    "recurrence_interval": 1,
                    "recurrence_range_type": "numbered",
                    "recurrence_start_date": "2026-04-08",
                    "recurrence_occurrences": 3,
                },
            )
        ]
        [request] = bench.received("/execute_tool")
        assert set(request.body) == {"tool_name", "params", "connector", "identifier"}
        assert request.body["connector"] == "outlook"


async def test_names_of_attendees_are_not_dropped_silently() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        event = await bench.run(CREATE, **EVENT, attendees_required="Alice M. <alice@company.com>")
        assert bench.tools()[0][1]["attendees_required"] == "alice@company.com"
        assert any("Names of attendees" in warning for warning in event["warnings"])


async def test_categories_of_a_new_event_are_set_by_an_update_after_it() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        event = await bench.run(CREATE, **EVENT, categories="Blue,Red")
        assert sorted(event["categories"]) == ["Blue", "Red"]
        assert [tool for tool, _ in bench.tools()] == [CREATE, UPDATE]
        assert sorted((await bench.run(GET, event_id=event["id"]))["categories"]) == ["Blue", "Red"]


async def test_categories_that_could_not_be_set_are_told_and_the_event_is_there() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        await bench.run(LIST)
        bench.sandbox.graph_error(status=503, code="serviceUnavailable", method="PATCH")
        event = await bench.run(CREATE, **EVENT, categories="Blue")
        assert any("categories could not be set" in warning for warning in event["warnings"])
        assert event["id"]


async def test_an_update_of_one_kind_sends_the_union_of_all_attendees() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        event = await bench.run(
            CREATE, **EVENT, attendees_required="alice@company.com", attendees_optional="carol@company.com"
        )
        await bench.run(UPDATE, event_id=event["id"], attendees_required="bob@company.com")
        assert bench.tools()[-1] == (
            UPDATE,
            {
                "event_id": event["id"],
                "attendees_required": "bob@company.com",
                "attendees_optional": "carol@company.com",
            },
        )


async def test_the_last_attendee_cannot_be_removed_and_that_is_said() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        event = await bench.run(CREATE, **EVENT, attendees_required="alice@company.com")
        with pytest.raises(InvalidInput) as refused:
            await bench.run(UPDATE, event_id=event["id"], attendees_remove="alice@company.com")
        assert "last" in refused.value.message
        assert [tool for tool, _ in bench.tools()].count(UPDATE) == 0


async def test_a_window_uses_the_tool_that_expands_series() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        await bench.run(
            LIST, start_datetime="2026-04-06T00:00:00", end_datetime="2026-04-07T00:00:00", timezone="Europe/Berlin"
        )
        [(tool, params)] = bench.tools()
        assert tool == "outlook_get_calendar_view"
        assert {"startDateTime", "endDateTime", "$top", "$orderby", "$select"} == set(params)


async def test_a_message_uses_the_tool_that_cancels() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        event = await bench.run(CREATE, **EVENT, attendees_required="alice@company.com")
        await bench.run(DELETE, event_id=event["id"], cancellation_message="Later.")
        assert bench.tools()[-1] == ("outlook_cancel_event", {"event_id": event["id"], "comment": "Later."})


@pytest.mark.parametrize("wrapper", ["plain", "response", "text"])
async def test_results_are_graph_shaped_whatever_the_wrapper(wrapper: str) -> None:
    async with fast_bench() as bench:
        await bench.connect()
        bench.look_alike.switches.wrapper = wrapper
        event = await bench.run(CREATE, **EVENT)
        assert event["subject"] == "Review"
        read = await bench.run(GET, event_id=event["id"], timezone="America/New_York")
        assert read["start"] == {"dateTime": "2026-04-08T10:00:00.0000000", "timeZone": "America/New_York"}
        rows = (await bench.run(LIST, filter="subject eq 'Review'"))["value"]
        assert [row["id"] for row in rows] == [event["id"]]


@pytest.mark.parametrize("annotations", [True, False])
async def test_a_list_has_a_next_page_exactly_while_there_is_more(annotations: bool) -> None:
    async with fast_bench() as bench:
        await bench.connect()
        bench.look_alike.switches.annotations = annotations
        for number in range(4):
            await bench.run(CREATE, **{**EVENT, "subject": f"Paged {number}"})
        given = {"filter": "startswith(subject,'Paged')", "orderby": "subject asc", "top": 2}
        first = await bench.run(LIST, **given)
        second = await bench.run(LIST, page=first["next_page"])
        assert [row["subject"] for row in (*first["value"], *second["value"])] == [f"Paged {n}" for n in range(4)]
        assert "next_page" not in second


async def test_the_execution_id_is_on_results_and_on_errors() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        result = await bench.actions.execute_tool(identifier="user_outlook_789", tool_name=LIST)
        assert result.execution_id is not None
        assert result.execution_id.startswith("exec_")
        assert "execution_id" not in result
        with pytest.raises(InvalidInput) as refused:
            await bench.run(LIST, filter="nonsense(")
        assert refused.value.details["execution_id"].startswith("exec_")


async def test_an_answer_without_an_event_is_not_taken_for_one() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        body = '{"data": {"status": "ok"}, "execution_id": "exec_9"}'
        bench.look_alike.switches.faults.append(Fault(status=200, body=body, path_contains="/execute_tool"))
        with pytest.raises(ProviderUnavailable) as failed:
            await bench.run(GET, event_id="AAMk")
        assert failed.value.details["execution_id"] == "exec_9"
        assert not failed.value.retryable


async def test_an_all_day_event_is_never_moved_between_zones() -> None:
    async with fast_bench(timezone="America/Los_Angeles") as bench:
        await bench.connect()
        await bench.run(
            CREATE,
            subject="Holiday",
            isAllDay=True,
            start_datetime="2026-04-08T00:00:00",
            start_timezone="Europe/Berlin",
            end_datetime="2026-04-09T00:00:00",
            end_timezone="Europe/Berlin",
        )
        [row] = (await bench.run(LIST, filter="subject eq 'Holiday'", select="subject,start,end"))["value"]
        assert row["start"]["dateTime"] == "2026-04-08"
        assert "isAllDay" not in row


async def test_a_body_comes_as_text_unless_html_is_asked_for() -> None:
    async with fast_bench() as bench:
        await bench.connect()
        html = "<html><head><style>p {}</style></head><body><p>One</p><p>Two &amp; three<br>four</p></body></html>"
        event = await bench.run(CREATE, **EVENT, body_content=html, body_contentType="html")
        text = (await bench.run(GET, event_id=event["id"]))["body"]
        assert text == {"contentType": "text", "content": "One\n\nTwo & three\nfour"}
        assert "<p>One</p>" in (await bench.run(GET, event_id=event["id"], body_format="html"))["body"]["content"]


def test_a_property_without_a_counterpart_is_never_dropped_silently() -> None:
    with pytest.raises(InternalError):
        event_params({"subject": "x", "isDraft": True}, [])


def test_a_series_that_counts_weeks_from_monday_is_not_changed_into_one_from_sunday() -> None:
    pattern = {"type": "weekly", "interval": 2, "daysOfWeek": ["monday"], "firstDayOfWeek": "monday"}
    value = {"pattern": pattern, "range": {"type": "noEnd", "startDate": "2026-04-06"}}
    with pytest.raises(InvalidInput):
        event_params({"recurrence": value}, [])
    every_week = {**value, "pattern": {**pattern, "interval": 1}}
    assert event_params({"recurrence": every_week}, [])["recurrence_days_of_week"] == "monday"


@pytest.mark.parametrize(
    "data",
    [
        {"id": "1", "subject": "x", "start": {}},
        {"response": {"id": "1", "subject": "x"}},
        {"data": {"event": {"id": "1", "start": {}}}},
        {"result": '{"id": "1", "subject": "x"}'},
    ],
)
def test_an_event_is_found_in_every_wrapper(data: Any) -> None:
    event = event_in(data)
    assert event is not None
    assert event["id"] == "1"


@pytest.mark.parametrize("data", [None, "", "plain words", {}, {"id": 3}, {"value": 3}, [1], {"data": {"data": {}}}])
def test_nothing_is_taken_for_an_event_that_is_none(data: Any) -> None:
    assert event_in(data) is None


@pytest.mark.parametrize(
    "data", [{"value": []}, {"events": {"value": []}}, {"data": []}, [], {"body": '{"value": []}'}, {"events": []}]
)
def test_rows_are_found_in_every_wrapper(data: Any) -> None:
    assert rows_in(data) == {"value": []}


@pytest.mark.parametrize(
    ("status", "code", "message", "expected_status", "expected_code"),
    [
        (500, "TOOL_EXEC_FAILED", '{"error":{"code":"ErrorItemNotFound","message":"gone"}}', 500, "ErrorItemNotFound"),
        (500, "TOOL_EXEC_FAILED", 'Graph said 404: {"error":{"code":"ErrorItemNotFound"}}', 500, "ErrorItemNotFound"),
        (500, "TOOL_EXEC_FAILED", "request failed: ErrorItemNotFound", 500, "ErrorItemNotFound"),
        (500, "NOT_FOUND", "no such event", 404, None),
        (500, "RATE_LIMITED", "", 429, None),
        (401, "UNAUTHORIZED", '{"error":{"code":"InvalidAuthenticationToken"}}', 401, "InvalidAuthenticationToken"),
        (500, "TOOL_EXEC_FAILED", '{"error":{"code":"InvalidAuthenticationToken"}}', 401, "InvalidAuthenticationToken"),
    ],
)
def test_microsofts_refusal_is_found_in_what_scalekit_says(
    status: int, code: str, message: str, expected_status: int, expected_code: str | None
) -> None:
    failure = ScalekitError(status, "TOOL_ERROR", tool_error_code=code, tool_error_message=message)
    found = graph_failure(failure)
    assert found.status == expected_status
    assert next(iter(found.codes), None) == expected_code


def test_preferences_are_those_of_the_request() -> None:
    wanted = Preferences.of(Form(zone=resolve_zone("Tokyo Standard Time"), select=("id", "subject")))
    event = {"id": "1", "subject": "x", "body": {}, "start": {"dateTime": "2026-04-08T00:00:00", "timeZone": "UTC"}}
    assert wanted.applied(event) == {"id": "1", "subject": "x"}
    assert wanted.zone == resolve_zone("Tokyo Standard Time")
    moved = Preferences(zone=wanted.zone).applied(event)
    assert moved["start"] == {"dateTime": "2026-04-08T09:00:00.0000000", "timeZone": "Tokyo Standard Time"}

"""Scalekit's catalogue tools on our own REST: its parameters in, Microsoft's form out, everything else refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2 as httpx
import pytest
from actions_support import ALICE, CREATE, GET, IDENTIFIER, OwnRestBench, own_rest_bench
from jsonschema import Draft202012Validator

from scalekit_mcp.actions import CATALOGUE_TOOLS
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.sandbox.scalekit.tools import CATALOGUE

VIEW = "outlook_get_calendar_view"
INSTANCES = "outlook_list_event_instances"
CANCEL = "outlook_cancel_event"
DAY: dict[str, Any] = {"startDateTime": "2026-05-04T00:00:00Z", "endDateTime": "2026-05-05T00:00:00Z"}
SERIES: dict[str, Any] = {
    "subject": "Inventory",
    "start_datetime": "2026-05-04T09:00:00",
    "start_timezone": "Europe/Berlin",
    "end_datetime": "2026-05-04T10:00:00",
    "end_timezone": "Europe/Berlin",
}
DAILY: dict[str, Any] = {"recurrence_type": "daily", "recurrence_range_type": "numbered", "recurrence_occurrences": 5}


@pytest.fixture
async def bench() -> AsyncIterator[OwnRestBench]:
    async with own_rest_bench() as bench:
        await bench.consent()
        yield bench


async def data(bench: OwnRestBench, tool: str, params: dict[str, Any], identifier: str = IDENTIFIER) -> dict[str, Any]:
    answer = await bench.execute(tool, params, identifier)
    assert answer.status_code == 200, answer.text
    assert answer.json()["execution_id"]
    return answer.json()["data"]


def refused_field(answer: httpx.Response) -> str:
    assert answer.status_code == 400, answer.text
    info = answer.json()["details"][0]
    assert info["error_code"] == "INVALID_ARGUMENT"
    return info["validation_error_info"]["field_violations"][0]["field"]


@pytest.mark.parametrize("name", [name for name in CATALOGUE_TOOLS if name in CATALOGUE])
def test_parameters_and_required_ones_are_those_of_the_catalogue(name: str) -> None:
    ours, theirs = CATALOGUE_TOOLS[name].input_schema, CATALOGUE[name].definition()["input_schema"]
    assert {n: s["type"] for n, s in ours["properties"].items()} == {
        n: s["type"] for n, s in theirs["properties"].items()
    }
    assert ours["required"] == theirs["required"]
    Draft202012Validator.check_schema(ours)


async def test_a_view_holds_the_occurrences_of_a_window_in_utc_with_all_properties(bench: OwnRestBench) -> None:
    await data(bench, CREATE, SERIES | DAILY)
    window = {"startDateTime": "2026-05-04T00:00:00+02:00", "endDateTime": "2026-05-06T22:00:00"}
    answer = await data(bench, VIEW, window | {"$filter": "subject eq 'Inventory'"})
    assert [(row["start"]["dateTime"][:19], row["start"]["timeZone"]) for row in answer["value"]] == [
        ("2026-05-04T07:00:00", "UTC"),
        ("2026-05-05T07:00:00", "UTC"),
        ("2026-05-06T07:00:00", "UTC"),
    ]
    assert {"iCalUId", "webLink", "bodyPreview", "type", "isAllDay"} <= set(answer["value"][0])
    assert "now" not in answer


async def test_a_view_selects_orders_and_limits(bench: OwnRestBench) -> None:
    await data(bench, CREATE, SERIES | DAILY)
    params: dict[str, Any] = DAY | {"endDateTime": "2026-05-09T00:00:00Z", "$filter": "subject eq 'Inventory'"}
    params |= {"$select": "subject,start", "$orderby": "start/dateTime desc", "$top": 2}
    answer = await data(bench, VIEW, params)
    assert [row["start"]["dateTime"][:10] for row in answer["value"]] == ["2026-05-08", "2026-05-07"]
    assert set(answer["value"][0]) == {"id", "subject", "start"}
    assert answer["next_page"]
    following = await data(bench, "outlook_list_calendar_events", {"page": answer["next_page"]})
    assert [row["start"]["dateTime"][:10] for row in following["value"]] == ["2026-05-06", "2026-05-05"]


async def test_a_whole_day_is_written_as_midnights(bench: OwnRestBench) -> None:
    times = {"start_datetime": "2026-05-04T00:00:00", "end_datetime": "2026-05-05T00:00:00"}
    await data(bench, CREATE, SERIES | times | {"isAllDay": True})
    answer = await data(bench, VIEW, DAY | {"$filter": "subject eq 'Inventory'", "$select": "start,end"})
    moments = [(row["start"]["dateTime"], row["end"]["dateTime"]) for row in answer["value"]]
    assert moments == [("2026-05-04T00:00:00.0000000", "2026-05-05T00:00:00.0000000")]


async def test_the_dates_of_one_series_are_listed_and_no_other_events(bench: OwnRestBench) -> None:
    series = await data(bench, CREATE, SERIES | DAILY)
    await data(bench, CREATE, SERIES)
    window = {"start_date_time": "2026-05-01T00:00:00Z", "end_date_time": "2026-06-01T00:00:00Z"}
    params: dict[str, Any] = {"event_id": series["id"], **window, "$select": "type,start"}
    rows = (await data(bench, INSTANCES, params))["value"]
    assert [row["start"]["dateTime"][:10] for row in rows] == [f"2026-05-0{day}" for day in range(4, 9)]
    assert {tuple(sorted(row)) for row in rows} == {("id", "start", "type")}
    assert len((await data(bench, INSTANCES, params | {"$top": 3}))["value"]) == 3
    occurrence = await bench.execute(INSTANCES, params | {"event_id": rows[0]["id"]})
    assert refused_field(occurrence) == "event_id"


@pytest.mark.parametrize("comment", [{"comment": "We meet in June."}, {}])
async def test_the_organizer_cancels_and_the_guests_are_mailed(bench: OwnRestBench, comment: dict[str, str]) -> None:
    event = await data(bench, CREATE, SERIES | {"attendees_required": ALICE})
    assert await data(bench, CANCEL, {"event_id": event["id"], **comment}) == {}
    mailed = [(mail.to, mail.comment or "") for mail in bench.sandbox.world.mails if mail.kind == "cancellation"]
    assert mailed == [(ALICE, comment.get("comment", ""))]
    again = await bench.execute(CANCEL, {"event_id": event["id"], **comment})
    assert (again.status_code, again.json()["details"][0]["error_code"]) == (404, "TOOL_ERROR")


@pytest.mark.parametrize(("comment", "field"), [({"comment": "No."}, "comment"), ({}, "event_id")])
async def test_a_guest_cannot_cancel_and_keeps_the_meeting(
    bench: OwnRestBench, comment: dict[str, str], field: str
) -> None:
    await bench.consent("user_alice", ALICE)
    await data(bench, CREATE, SERIES | {"attendees_required": ALICE})
    params = DAY | {"$filter": "subject eq 'Inventory'"}
    invitation = (await data(bench, VIEW, params, "user_alice"))["value"][0]["id"]
    answer = await bench.execute(CANCEL, {"event_id": invitation, **comment}, "user_alice")
    assert refused_field(answer) == field
    assert (await data(bench, GET, {"event_id": invitation}, "user_alice"))["isCancelled"] is False


@pytest.mark.parametrize(
    ("tool", "params", "field"),
    [
        (VIEW, DAY | {"top": 5}, "top"),
        (VIEW, DAY | {"timezone": "UTC"}, "timezone"),
        (VIEW, {"startDateTime": "2026-05-04T00:00:00Z"}, "endDateTime"),
        (VIEW, DAY | {"startDateTime": "tomorrow"}, "startDateTime"),
        (VIEW, DAY | {"startDateTime": "2026-02-30T00:00:00Z"}, "startDateTime"),
        (VIEW, DAY | {"endDateTime": "2026-05-01T00:00:00Z"}, "endDateTime"),
        (VIEW, DAY | {"$top": 1001}, "$top"),
        (VIEW, DAY | {"$select": "colour"}, "$select"),
        (VIEW, DAY | {"$orderby": "start"}, "$orderby"),
        (INSTANCES, {"event_id": "x", "start_date_time": "2026-05-04T00:00:00Z"}, "end_date_time"),
        (CANCEL, {"event_id": "x", "cancellation_message": "No."}, "cancellation_message"),
        (CANCEL, {"comment": "No."}, "event_id"),
    ],
)
async def test_what_the_catalogue_does_not_take_is_refused_by_its_own_name(
    bench: OwnRestBench, tool: str, params: dict[str, Any], field: str
) -> None:
    answer = await bench.execute(tool, params)
    assert refused_field(answer) == field
    assert field in answer.json()["message"]


async def test_a_filter_that_microsoft_refuses_is_named_by_the_catalogue_and_by_our_client(bench: OwnRestBench) -> None:
    assert refused_field(await bench.execute(VIEW, DAY | {"$filter": "nonsense("})) == "$filter"
    window = {"start_datetime": "2026-05-04T00:00:00", "end_datetime": "2026-05-05T00:00:00", "timezone": "UTC"}
    with pytest.raises(InvalidInput) as refused:
        await bench.run("outlook_list_calendar_events", **window, filter="nonsense(")
    assert refused.value.details["field"] == "filter"

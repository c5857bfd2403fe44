"""Whatever Microsoft Graph answers, each tool says something sensible and never calls it a fault of this server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.sandbox import Sandbox
from tests.support.microsoft import SignedIn, signed_in

MEETING: dict[str, Any] = {
    "subject": "Review",
    "start_datetime": "2026-04-06T10:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-06T11:00:00",
    "end_timezone": "UTC",
    "attendees_required": "alice@company.com",
    "location": "Room 4",
}
SERIES = {**MEETING, "recurrence_type": "weekly", "recurrence_occurrences": 4}
APRIL = {"start_datetime": "2026-04-01T00:00:00", "end_datetime": "2026-05-01T00:00:00"}
Spoil = Callable[[bytes], bytes]


class OddAnswers(httpx.AsyncBaseTransport):
    """Stands between the product and the sandbox, and spoils the bodies of successes once it is told to."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.spoil: Spoil | None = None
        self.empty_too = False
        self.methods: frozenset[str] = frozenset({"GET", "POST", "PATCH", "DELETE"})

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        if self.spoil is None or request.method not in self.methods or not response.is_success:
            return response
        whole = await response.aread()
        body = self.spoil(whole) if whole or self.empty_too else whole
        status = 200 if body else response.status_code
        return httpx.Response(status, headers={"content-type": "application/json"}, content=body)


class Odd:
    """A person with a meeting and a series, and the transport that spoils what comes back."""

    def __init__(self, me: SignedIn, events: list[str], series: list[str]) -> None:
        self.me = me
        self.event, self.to_delete, self.to_cancel = events
        self.series, self.series_to_delete = series

    def calls(self) -> dict[str, Callable[[], Any]]:
        me = self.me
        return {
            "create": lambda: me.create(**MEETING),
            "create online": lambda: me.create(**MEETING, isOnlineMeeting=True),
            "get": lambda: me.get(self.event),
            "list": lambda: me.list(),
            "list a window": lambda: me.list(**APRIL),
            "list bodies": lambda: me.list(**APRIL, select="subject,body,attendees,start"),
            "list in order": lambda: me.list(**APRIL, orderby="subject"),
            "list a calendar": lambda: me.list(calendar_id="Calendar"),
            "update": lambda: me.update(self.event, subject="Retro"),
            "update people": lambda: me.update(self.event, attendees_add="dave@company.com"),
            "update a series": lambda: me.update(self.series, recurrence_occurrences=3),
            "update times": lambda: me.update(
                self.series,
                start_datetime="2026-04-06T12:00:00",
                start_timezone="UTC",
                end_datetime="2026-04-06T13:00:00",
                end_timezone="UTC",
            ),
            "delete": lambda: me.delete(self.to_delete),
            "delete a series": lambda: me.delete(self.series_to_delete, apply_to="series"),
            "cancel": lambda: me.delete(self.to_cancel, cancellation_message="No."),
        }


async def odd_calls(
    spoil: Spoil, methods: str = "GET POST PATCH DELETE", *, empty_too: bool = False
) -> dict[str, dict[str, Any]]:
    """What each tool says when the answers to it are spoilt: its result, or its error object."""
    wires: list[OddAnswers] = []

    def between(inner: httpx.AsyncBaseTransport) -> OddAnswers:
        wires.append(OddAnswers(inner))
        return wires[0]

    said: dict[str, dict[str, Any]] = {}
    async with signed_in(Sandbox(), between=between) as me:
        events = [(await me.create(**MEETING))["id"] for _ in range(3)]
        odd = Odd(me, events, [(await me.create(**SERIES))["id"] for _ in range(2)])
        wires[0].methods = frozenset(methods.split())
        for name, call in odd.calls().items():
            wires[0].spoil, wires[0].empty_too = spoil, empty_too
            try:
                said[name] = await call()
            except ScalekitMCPError as error:
                said[name] = {"error": error.to_dict()}
            wires[0].spoil = None
            json.dumps(said[name], allow_nan=False).encode()
    return said


def code_of(said: dict[str, Any]) -> str:
    return said.get("error", {}).get("code", "done")


WHOLE_BODIES = {
    "html": b"<html>Welcome to the hotel</html>",
    "null": b"null",
    "list": b"[]",
    "number": b"5",
    "text": b'"event"',
    "empty object": b"{}",
    "nothing": b"",
    "half": b'{"id": "A',
    "not UTF-8": b'{"id": "\xff\xfe"}',
    "NaN": b'{"id": "A", "value": [NaN]}',
    "infinity": b'{"id": "A", "value": [1e999]}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"a":' * 900 + b"1" + b"}" * 900,
    "long number": b'{"id": ' + b"9" * 5000 + b"}",
}
READS = {"get", "list", "list a window", "list bodies", "list in order", "list a calendar"}
DELETIONS = {"delete", "delete a series", "cancel"}


@pytest.mark.parametrize("body", WHOLE_BODIES.values(), ids=WHOLE_BODIES)
async def test_a_body_that_is_no_event_and_no_list_is_the_providers_fault(body: bytes) -> None:
    for name, said in (await odd_calls(lambda _: body, empty_too=True)).items():
        expected = {"provider_unavailable"} if name in READS else {"provider_unavailable", "outcome_unknown", "done"}
        assert code_of(said) in expected, (name, said)


@pytest.mark.parametrize("body", WHOLE_BODIES.values(), ids=WHOLE_BODIES)
async def test_a_change_whose_answer_cannot_be_read_was_made_and_that_is_said(body: bytes) -> None:
    said = await odd_calls(lambda _: body, methods="POST PATCH DELETE", empty_too=True)
    for name in DELETIONS:
        assert (said[name]["deleted"], said[name]["already_gone"]) == (True, False), name
    assert said["update"]["subject"] == "Retro"
    assert len(said["update people"]["attendees"]) == 2
    assert said["create"]["error"]["code"] == "outcome_unknown"
    assert "created the event" in said["create"]["error"]["message"]
    assert "transaction_id=" in said["create"]["error"]["next_step"]


def rows(change: Callable[[list[Any]], Any]) -> Spoil:
    """Spoils the list of a page, and leaves other answers alone."""

    def spoil(body: bytes) -> bytes:
        page = json.loads(body)
        if "value" in page:
            page["value"] = change(page["value"])
        return json.dumps(page).encode()

    return spoil


@pytest.mark.parametrize("odd", [None, 5, "row", [], {}, True, {"id": 5}, {"id": ""}, {"id": "x", "a": None}])
async def test_one_odd_row_is_left_out_with_a_warning(odd: Any) -> None:
    for name, said in (await odd_calls(rows(lambda value: [*value, odd]))).items():
        if name in READS - {"get", "list a calendar"} and odd != {"id": "x", "a": None}:
            assert "left out" in " ".join(said["warnings"]), (name, said)
            assert said["count"] >= 1
        else:
            assert code_of(said) in {"done", "provider_unavailable"}, (name, said)


@pytest.mark.parametrize("value", [None, 5, "rows", {}, {"0": {}}, True])
async def test_a_list_that_is_none_is_the_providers_fault(value: Any) -> None:
    said = await odd_calls(rows(lambda _: value))
    assert {code_of(said[name]) for name in READS - {"get"}} == {"provider_unavailable"}


async def test_the_same_event_twice_is_listed_once() -> None:
    said = await odd_calls(rows(lambda value: value * 3))
    for name in ("list", "list a window", "list in order"):
        ids = [row["id"] for row in said[name]["value"]]
        assert len(ids) == len(set(ids))


def members(**given: Any) -> Spoil:
    """Gives members to every event and every page."""

    def spoil(body: bytes) -> bytes:
        answer = json.loads(body)
        for event in answer.get("value", [answer]):
            event.update(given)
        return json.dumps({**answer, **{name: value for name, value in given.items() if name[:1] == "@"}}).encode()

    return spoil


BAD_MOMENTS = [
    5,
    "2026-04-06",
    [],
    {},
    {"dateTime": 5, "timeZone": "UTC"},
    {"dateTime": "soon", "timeZone": "UTC"},
    {"dateTime": None},
    {"dateTime": "2026-13-40T10:00:00", "timeZone": "UTC"},
    {"dateTime": "0001-01-01T00:00:00", "timeZone": "UTC"},
    {"dateTime": "9999-12-31T23:59:59", "timeZone": "UTC"},
    {"dateTime": "2026-04-06T10:00:00", "timeZone": 5},
    {"dateTime": "2026-04-06T10:00:00", "timeZone": {}},
    None,
]


@pytest.mark.parametrize("name", ["start", "end"])
@pytest.mark.parametrize("moment", BAD_MOMENTS)
async def test_an_event_with_an_odd_time_is_shown_without_it_and_decides_nothing(name: str, moment: Any) -> None:
    said = await odd_calls(members(**{name: moment}))
    assert name not in said["get"]
    assert name in " ".join(said["get"]["warnings"])
    assert said["list a window"]["value"] == []
    assert "left out" in " ".join(said["list a window"]["warnings"])
    assert {code_of(answer) for answer in said.values()} <= {"done", "provider_unavailable", "outcome_unknown"}


DEEP: Any = "x"
for _ in range(200):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "given",
    [
        {"attendees": [None, 5, {"emailAddress": 5}, {"emailAddress": {"address": 5}}]},
        {"attendees": {"emailAddress": {}}},
        {"attendees": "alice"},
        {"organizer": 5},
        {"organizer": {"emailAddress": [5]}},
        {"location": "Room"},
        {"location": {"displayName": {}}},
        {"locations": [None, "x", 5]},
        {"body": "text"},
        {"body": {"contentType": 5, "content": []}},
        {"recurrence": "weekly"},
        {"recurrence": {"pattern": None, "range": 5}},
        {"recurrence": {"pattern": {"type": 5, "daysOfWeek": "monday"}, "range": {"startDate": "soon"}}},
        {"responseStatus": "accepted"},
        {"onlineMeeting": "https://teams.example", "isOnlineMeeting": True},
        {"categories": "red"},
        {"isAllDay": "yes", "isOrganizer": 5, "isCancelled": []},
        {"type": 5, "seriesMasterId": {}},
        {"subject": {"text": "x"}, "bodyPreview": 5},
        {"cancelledOccurrences": 5, "exceptionOccurrences": [None, 5, {}]},
        {"newThing": DEEP},
        {"subject": "\ud800 alone"},
        {"@odata.etag": 5},
        {"@odata.count": "many"},
        {"@odata.context": {"a": []}},
    ],
    ids=lambda given: ",".join(given) + str(next(iter(given.values())))[:20],
)
async def test_odd_members_are_left_out_with_a_warning_and_nothing_is_decided_by_them(given: dict[str, Any]) -> None:
    said = await odd_calls(members(**given))
    assert {code_of(answer) for answer in said.values()} <= {
        "done",
        "provider_unavailable",
        "outcome_unknown",
        "invalid_input",
        "conflict",
    }
    assert code_of(said["get"]) == code_of(said["list"]) == "done"


@pytest.mark.parametrize(
    "link",
    [
        5,
        [],
        {},
        True,
        "",
        "x" * 100_000,
        "http://localhost/v1.0/me/\x00",
        "http://localhost/v1.0/me/\r\nA: b",
        "nowhere",
    ],
    ids=lambda link: str(link)[:30],
)
async def test_a_link_to_the_next_page_that_is_none_is_the_providers_fault(link: Any) -> None:
    said = await odd_calls(members(**{"@odata.nextLink": link}))
    for name in ("list a window", "list a calendar"):
        assert code_of(said[name]) == "provider_unavailable", (name, said[name])
    assert code_of(said["list"]) in ("provider_unavailable", "done")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
async def test_a_byte_order_mark_or_another_encoding_is_read(encoding: str) -> None:
    said = await odd_calls(lambda body: body and body.decode().encode(encoding))
    assert {code_of(answer) for answer in said.values()} == {"done"}


odd_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=5),
    st.sampled_from([[], {}, [None], [5], {"a": 5}, DEEP, "\ud800", "x" * 30_000, "2026-04-06T10:00:00", 10**30]),
)


def spoilt(value: Any, choices: st.DataObject, odd: Any) -> Any:
    """The value with one of its inner parts replaced, as the choices say."""
    if isinstance(value, dict) and value and choices.draw(st.integers(0, 5)):
        name = choices.draw(st.sampled_from(sorted(value)))
        return {**value, name: spoilt(value[name], choices, odd)}
    if isinstance(value, list) and value and choices.draw(st.integers(0, 5)):
        index = choices.draw(st.integers(0, len(value) - 1))
        return [*value[:index], spoilt(value[index], choices, odd), *value[index + 1 :]]
    return odd


@settings(max_examples=25)
@given(st.data(), odd_values, st.sampled_from(["GET", "POST PATCH", "GET POST PATCH DELETE"]))
async def test_any_part_of_any_answer_may_be_odd(choices: st.DataObject, odd: Any, methods: str) -> None:
    def spoil(body: bytes) -> bytes:
        return json.dumps(spoilt(json.loads(body), choices, odd)).encode() if body else body

    for name, said in (await odd_calls(spoil, methods)).items():
        assert code_of(said) != "internal_error", (name, said)


async def test_a_gateways_page_is_named_for_what_it_is() -> None:
    said = await odd_calls(lambda _: b"<html>", methods="GET")
    assert "not a JSON object" in said["get"]["error"]["message"]

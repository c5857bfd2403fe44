"""Whatever is sent is answered by Graph's rules: made, refused with a code, never a crash."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import httpx2 as httpx
from graph_client import Graph, create, path
from hypothesis import given, settings
from hypothesis import strategies as st

from scalekit_mcp.sandbox.graph.calendar.schema import ENUMS, TYPES

TEXTS = st.one_of(st.text(max_size=8), st.sampled_from(["", "2026-04-01", "2026-04-01T10:00:00", "UTC", "a@b.example"]))
WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
    st.just([]),
    st.just({}),
)
MOMENTS = st.fixed_dictionaries(
    {
        "dateTime": st.one_of(
            st.datetimes().map(lambda at: at.isoformat()),
            st.sampled_from(["0001-01-01T00:00:00", "9999-12-31T23:59:59.9999999", "2026-03-08T02:30:00+14:00"]),
        ),
        "timeZone": st.sampled_from(["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "Europe/Berlin", "Nowhere"]),
    }
)
DATES = st.one_of(st.dates().map(lambda day: day.isoformat()), st.just("2026-04-01"))


def values(kind: str, depth: int = 0) -> st.SearchStrategy[Any]:
    if kind == "dateTimeTimeZone":
        good: st.SearchStrategy[Any] = MOMENTS
    elif kind.startswith("Collection("):
        good = st.lists(values(kind[11:-1], depth + 1), max_size=2)
    elif kind in TYPES:
        members = {name: values(member, depth + 1) for name, member in TYPES[kind].items()}
        good = st.fixed_dictionaries({}, optional=members) if depth < 5 else st.just({})
    elif kind in ENUMS:
        good = st.sampled_from(ENUMS[kind])
    else:
        good = {
            "Edm.Boolean": st.booleans(),
            "Edm.Int32": st.integers(-3, 60),
            "Edm.Double": st.floats(allow_nan=False, allow_infinity=False),
            "Edm.Date": DATES,
        }.get(kind, TEXTS)
    return st.integers(0, 19).flatmap(lambda dice: good if dice else WRONG)


EVENT = TYPES["event"]
BODIES = st.lists(st.sampled_from(sorted(EVENT)), max_size=5, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: values(EVENT[name]) for name in names})
)
LATE = {"startDateTime": "9998-01-01T00:00:00Z", "endDateTime": "9999-12-31T23:59:59Z"}
EARLY = {"startDateTime": "0001-01-01T00:00:00Z", "endDateTime": "0002-01-01T00:00:00Z"}


def is_graphs(answer: httpx.Response, *statuses: int) -> bool:
    if answer.status_code in statuses:
        return True
    error = answer.json()["error"]
    return 400 <= answer.status_code < 500 and bool(error["code"] and error["message"] and error["innerError"])


async def sent(body: dict[str, Any]) -> None:
    graph = Graph()
    async with graph.signed_in() as client:
        assert is_graphs(await client.post("/me/events", json=body), 201)
        made = await create(client, attendees=[{"emailAddress": {"address": "alice@company.com"}}])
        assert is_graphs(await client.patch(path(made), json=body), 200)
        for window in (LATE, EARLY):
            for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
                wish = {"Prefer": f'outlook.timezone="{zone}"'}
                assert (await client.get("/me/calendarView", params=window, headers=wish)).status_code == 200
                assert (await client.get("/me/events", params={"$top": "50"}, headers=wish)).status_code == 200


@settings(max_examples=80)
@given(BODIES)
def test_no_body_makes_a_create_or_a_change_crash(body: dict[str, Any]):
    asyncio.run(sent(body))


async def asked(text: str, name: str) -> None:
    graph = Graph()
    async with graph.signed_in() as client:
        assert is_graphs(await client.get("/me/events", params={name: text}), 200, 500)
        assert is_graphs(await client.get(f"/me/events/{quote(text, safe='')}"), 200)


OPTIONS = ["$filter", "$select", "$orderby", "$top", "$skip", "$count", "$expand", "$search", "startDateTime"]


@settings(max_examples=60)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=30), st.sampled_from(OPTIONS))
def test_no_query_makes_a_list_crash(text: str, name: str):
    asyncio.run(asked(text, name))


SCHEDULE = st.fixed_dictionaries({}, optional={name: values(kind) for name, kind in TYPES["getSchedule"].items()})


async def asked_for_time(body: dict[str, Any]) -> None:
    graph = Graph()
    async with graph.signed_in() as client:
        assert is_graphs(await client.post("/me/calendar/getSchedule", json=body), 200, 500)
        usual = {
            "Schedules": ["alice@company.com", "lisbon@company.com"],
            "StartTime": {"dateTime": "2026-03-25T00:00:00", "timeZone": "UTC"},
            "EndTime": {"dateTime": "2026-03-26T00:00:00", "timeZone": "UTC"},
        }
        assert is_graphs(await client.post("/me/calendar/getSchedule", json={**usual, **body}), 200, 500)


@settings(max_examples=60)
@given(SCHEDULE)
def test_no_body_makes_a_request_for_schedules_crash(body: dict[str, Any]):
    asyncio.run(asked_for_time(body))


async def searched(text: str, name: str) -> None:
    graph = Graph()
    async with graph.signed_in(scopes=frozenset({"People.Read"})) as client:
        headers = {"X-PeopleQuery-QuerySources": "Mailbox,Directory"}
        assert is_graphs(await client.get("/me/people", params={name: text}, headers=headers), 200)


@settings(max_examples=60)
@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=30),
    st.sampled_from(["$search", "$filter", "$select", "$top", "$skip"]),
)
def test_no_query_makes_a_search_for_people_crash(text: str, name: str):
    asyncio.run(searched(text, name))


async def test_a_body_above_four_megabytes_and_one_with_nan_are_refused():
    graph = Graph()
    async with graph.signed_in() as client:
        big = await client.post("/me/events", content=b'{"subject":"' + b"x" * 5_000_000 + b'"}')
        assert (big.status_code, big.json()["error"]["code"]) == (413, "ErrorMessageSizeExceeded")
        nan = await client.post("/me/events", content=b'{"location":{"coordinates":{"latitude":NaN}}}')
        assert nan.status_code == 400
        deep = await client.post("/me/events", content=b"[" * 100_000)
        assert deep.status_code == 400

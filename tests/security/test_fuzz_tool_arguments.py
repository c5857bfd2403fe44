"""Whatever a model puts into a tool's arguments, a real client gets a result: done, or refused by a code of ours."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp import Client
from security_support import DANA, Product, product

from scalekit_mcp.tools import TOOLS

REFUSALS = {"invalid_input", "event_not_found", "calendar_not_found", "conflict", "permission_missing"}
"""Everything else (`internal_error` above all) would be a fault of ours: Microsoft, vault and account are in order."""
ODD = ["", "null", "0", "\x00", "‮", "é" * 300, "a" * 5000, "{}", "[]", "'; drop table", "../me", "$filter", "²"]
TIMES = ["2026-04-07T10:00:00", "2026-04-07", "9999-12-31T23:59:59", "0001-01-01T00:00:00", "2026-02-30T10:00:00"]
ZONES = ["UTC", "Europe/Berlin", "Pacific Standard Time", "Nowhere/City"]
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
        st.sampled_from([*ODD, *TIMES, *ZONES, DANA]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=2)),
    max_leaves=4,
)
BUDGET = settings(
    max_examples=100,
    suppress_health_check=[*settings().suppress_health_check, HealthCheck.function_scoped_fixture],
)


def plausible(schema: dict[str, Any], name: str) -> st.SearchStrategy[Any]:
    """A value of the kind that the schema asks for, so that examples get past validation."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if name.endswith(("datetime", "end_date", "start_date")):
        return st.one_of(st.sampled_from(TIMES), st.datetimes().map(lambda at: at.isoformat(timespec="seconds")))
    if "timezone" in name:
        return st.sampled_from(ZONES)
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(),
        "integer": st.integers(schema.get("minimum", -3), schema.get("maximum", 400)),
    }
    return kinds.get(str(schema.get("type")), st.one_of(st.text(max_size=20), st.sampled_from([DANA, "UTC", *ODD])))


def arguments(tool_name: str) -> st.SearchStrategy[dict[str, Any]]:
    schema = TOOLS[tool_name].input_schema
    properties: dict[str, Any] = schema["properties"]
    values = {
        name: st.integers(0, 9).flatmap(
            partial(lambda good, dice: good if dice else ANYTHING, plausible(properties[name], name))
        )
        for name in properties
    }
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: values[name] for name in required},
        optional={name: values[name] for name in values if name not in required} | {"surplus": ANYTHING},
    )


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Product, Client]]:
    async with product() as made:
        await made.connect()
        async with made.client() as client:
            assert not (await client.call_tool("outlook_list_calendar_events", {})).is_error
            yield made, client


class Model:
    """A model at a real client, in a thread of its own."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self.portal, self.client = portal, client

    def call(self, tool_name: str, given_arguments: dict[str, Any]) -> Any:
        return self.portal.call(partial(self.client.call_tool, tool_name, given_arguments))


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(connected()) as (_, client):
        yield Model(portal, client)


@pytest.mark.parametrize("tool_name", list(TOOLS))
@BUDGET
@given(data=st.data())
def test_no_arguments_make_a_tool_fail_otherwise_than_by_a_code(model: Model, tool_name: str, data: st.DataObject):
    given_arguments = data.draw(arguments(tool_name))
    if tool_name == "authorize":
        given_arguments.pop("reconnect", None)
    result = model.call(tool_name, given_arguments)
    told = result.structured_content
    if result.is_error:
        assert told["error"]["code"] in REFUSALS, told
        assert told["error"]["message"]
        assert told["error"]["next_step"]
    if "surplus" in given_arguments and given_arguments["surplus"] not in (None, ""):
        assert result.is_error
        assert told["error"]["code"] == "invalid_input"
    assert len(json.dumps(told)) < 500_000


@BUDGET
@given(st.dictionaries(st.text(max_size=10), ANYTHING, max_size=5), st.sampled_from(list(TOOLS)))
def test_arguments_that_are_none_of_ours_are_refused_by_name(model: Model, given_arguments: dict[str, Any], name: str):
    unknown = {f"x{key}": value for key, value in given_arguments.items() if value not in (None, "")}
    result = model.call(name, unknown)
    assert result.is_error == bool(unknown or TOOLS[name].input_schema.get("required"))
    if result.is_error:
        assert result.structured_content["error"]["code"] == "invalid_input"

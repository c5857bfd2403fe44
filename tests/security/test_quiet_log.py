"""An application that embeds the calls and logs at DEBUG learns which hosts were asked, never what was asked for."""

from __future__ import annotations

import logging

import aiosqlite
import httpx2 as httpx
import pytest
from security_support import product


async def test_an_embedding_application_at_debug_logs_no_path_and_no_query_of_ours(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    async with product() as made:
        await made.connect()
        caplog.clear()
        for filter_text in ("subject eq 'planted-words'", "start/dateTime ge '2026-04-01T00:00:00'"):
            await made.actions.execute_tool(
                identifier="ana", tool_name="outlook_list_calendar_events", tool_input={"filter": filter_text}
            )
        asked = [request for request in made.sandbox.requests if request.area == "graph"]
        assert any("planted-words" in str(request.query) for request in asked)
    told = [record.getMessage() for record in caplog.records]
    assert [line for line in told if f"{made.sandbox.url}" in line or "HTTP Request: GET" in line]
    assert not [line for line in told if "planted-words" in line or "/me/" in line]


async def test_requests_of_the_application_itself_are_logged_as_before(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    async with product() as made, httpx.AsyncClient(transport=transport) as own:
        await made.connect()
        await own.get("https://app.example/things?number=1")
    assert "https://app.example/things?number=1" in caplog.text


async def test_after_closing_nothing_is_left_on_the_librarys_logger():
    before = list(logging.getLogger("httpx2").filters)
    async with product() as made:
        await made.connect()
        assert len(logging.getLogger("httpx2").filters) == len(before) + 1
    assert logging.getLogger("httpx2").filters == before


@pytest.mark.parametrize("loud", ["root", "sqlalchemy", "sqlalchemy.engine", "sqlalchemy.engine.Engine", "aiosqlite"])
async def test_an_embedding_application_at_debug_sees_no_value_of_a_statement_of_ours(
    caplog: pytest.LogCaptureFixture, loud: str
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger=loud)
    async with product() as made:
        await made.connect()
        await made.actions.execute_tool(identifier="ana", tool_name="outlook_list_calendar_events", tool_input={})
    told = [record.getMessage() for record in caplog.records if not record.name.startswith("scalekit_mcp")]
    assert [line for line in told if "connected_accounts" in line]  # the statement itself may be seen
    for planted in ("dana@company", "Lindqvist", "'ana'"):
        assert not [line for line in told if planted in line]


async def test_statements_of_the_application_itself_are_logged_as_before(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with product() as made, aiosqlite.connect(":memory:") as own:
        await made.connect()
        await own.execute("SELECT ?", ("their own value",))
    assert "their own value" in caplog.text

"""The MCP server over the embedded actions, with the real client in both eras."""

from __future__ import annotations

import json
import logging
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError

from scalekit_mcp.errors import ConfigurationError, Throttled
from scalekit_mcp.server.callers.caller import Caller, fixed_caller
from scalekit_mcp.server.limits import CallLimiter
from scalekit_mcp.server.mcp.app import ServerOptions, create_server
from scalekit_mcp.tools import TOOLS, offered_tools
from tests.support.agent import text_of
from tests.support.bounds import HANG_SECONDS
from tests.support.watched_actions import WatchedActions

ERAS = ["legacy", "auto"]
LIST = "outlook_list_calendar_events"
STANDUP = {
    "subject": "Standup",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-01T10:30:00",
    "end_timezone": "UTC",
}


def server_over(actions: WatchedActions, *, caller: Caller | str | None = "ana", **options: Any):
    identify = fixed_caller(None) if caller is None else (lambda _: caller)
    return create_server(actions, identify=identify, options=ServerOptions(**options))


def error_of(result: Any) -> dict[str, Any]:
    assert result.is_error
    return result.structured_content["error"]


@pytest.mark.parametrize("era", ERAS)
async def test_the_six_tools_go_out_exactly_as_the_catalogue_has_them(era: str, actions: WatchedActions) -> None:
    async with Client(server_over(actions), mode=era) as client:
        listed = (await client.list_tools()).tools
    assert [tool.name for tool in listed] == list(offered_tools())
    for tool in listed:
        spec = TOOLS[tool.name]
        assert tool.input_schema == spec.input_schema
        assert tool.output_schema == spec.output_schema
        assert tool.title == spec.title
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is spec.read_only
        assert tool.annotations.destructive_hint is spec.destructive


@pytest.mark.parametrize("era", ERAS)
async def test_the_list_of_the_six_tools_is_small_as_it_is_sent(era: str, actions: WatchedActions) -> None:
    async with Client(server_over(actions), mode=era) as client:
        listed = await client.list_tools()
    sent = listed.model_dump_json(by_alias=True, exclude_none=True)
    assert sent.count('"inputSchema"') == len(offered_tools())
    assert len(sent.encode()) <= 16_000


@pytest.mark.parametrize("era", ERAS)
async def test_only_tools_are_advertised(era: str, actions: WatchedActions) -> None:
    async with Client(server_over(actions), mode=era) as client:
        capabilities = client.server_capabilities.model_dump(exclude_none=True)
    assert capabilities == {"tools": {"list_changed": False}}


@pytest.mark.parametrize("era", ERAS)
async def test_the_sandbox_says_in_its_name_that_it_is_not_microsoft(era: str, actions: WatchedActions) -> None:
    async with Client(server_over(actions, sandbox=True), mode=era) as client:
        assert client.server_info is not None
        assert "sandbox, not Microsoft" in client.server_info.name
        assert "sandbox" in (client.instructions or "")


async def test_the_tool_list_may_be_cached_by_a_modern_client(actions: WatchedActions) -> None:
    async with Client(server_over(actions), mode="auto") as client:
        listed = await client.list_tools()
    assert (listed.ttl_ms, listed.cache_scope) == (3_600_000, "public")


@pytest.mark.parametrize("era", ERAS)
async def test_an_unknown_tool_is_a_protocol_error(era: str, actions: WatchedActions) -> None:
    async with Client(server_over(actions), mode=era) as client:
        with pytest.raises(MCPError) as raised:
            await client.call_tool("outlook_book_flight", {})
    assert raised.value.code == -32602
    assert "outlook_book_flight" in raised.value.message


@pytest.mark.parametrize("era", ERAS)
async def test_a_success_carries_the_same_json_as_structure_and_as_text(era: str, actions: WatchedActions) -> None:
    await actions.connect()
    async with Client(server_over(actions), mode=era) as client:
        result = await client.call_tool(LIST, {"top": 5})
    assert not result.is_error
    assert result.structured_content is not None
    assert [event["subject"] for event in result.structured_content["value"]] == ["of ana"]
    assert json.loads(text_of(result)) == result.structured_content
    assert actions.calls == [("ana", LIST, {"top": 5})]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        pytest.param({"top": 5, "colour": "red"}, "colour", id="unknown argument"),
        pytest.param({"top": "many"}, "top", id="wrong type"),
        pytest.param(
            {"start_datetime": "2026-04-01T10:00:00+02:00", "end_datetime": "2026-04-02T10:00:00"},
            "start_datetime",
            id="offset",
        ),
    ],
)
@pytest.mark.parametrize("era", ERAS)
async def test_a_wrong_argument_is_refused_by_name_before_anybody_is_looked_up(
    era: str, arguments: dict[str, Any], field: str, actions: WatchedActions
) -> None:
    async with Client(server_over(actions, caller=None), mode=era) as client:
        result = await client.call_tool(LIST, arguments)
    error = error_of(result)
    assert (error["code"], error["field"]) == ("invalid_input", field)
    assert field in text_of(result)
    assert "Traceback" not in text_of(result)
    assert (await actions.list_connected_accounts()).total_size == 0


@pytest.mark.parametrize("era", ERAS)
async def test_a_missing_identifier_is_an_error_the_model_can_read(era: str, actions: WatchedActions) -> None:
    async with Client(server_over(actions, caller=None), mode=era) as client:
        error = error_of(await client.call_tool(LIST, {}))
    assert (error["code"], error["who_acts"]) == ("configuration_error", "operator")
    assert ConfigurationError.code == error["code"]


@pytest.mark.parametrize("era", ERAS)
async def test_an_error_is_prose_first_and_then_the_error_object(era: str, actions: WatchedActions) -> None:
    async with Client(server_over(actions), mode=era) as client:
        result = await client.call_tool(LIST, {})
    prose, _, body = text_of(result).partition("\n\n")
    assert json.loads(body) == result.structured_content
    assert prose.startswith("No calendar account is connected yet for 'ana'.")
    error = error_of(result)
    assert error["authorization_url"] in prose
    assert (error["code"], error["status"], error["retryable"]) == ("authorization_required", "PENDING", False)


@pytest.mark.parametrize("era", ERAS)
async def test_an_unexpected_exception_is_logged_once_and_told_by_a_number_only(
    era: str, caplog: pytest.LogCaptureFixture, actions: WatchedActions
) -> None:
    await actions.connect()
    actions.failure = RuntimeError("secret detail")
    async with Client(server_over(actions), mode=era) as client:
        result = await client.call_tool(LIST, {})
    error = error_of(result)
    assert error["code"] == "internal_error"
    assert "secret detail" not in text_of(result)
    logged = [record for record in caplog.records if record.exc_info]
    assert len(logged) == 1
    reference = error["message"].rsplit(" ", 1)[-1].rstrip(".")
    assert reference in logged[0].getMessage()


@pytest.mark.parametrize("era", ERAS)
async def test_every_call_leaves_one_audit_line_without_arguments(
    era: str, caplog: pytest.LogCaptureFixture, actions: WatchedActions
) -> None:
    caplog.set_level(logging.INFO, logger="scalekit_mcp.audit")
    await actions.connect()
    async with Client(server_over(actions), mode=era) as client:
        await client.call_tool("outlook_create_calendar_event", STANDUP)
    lines = [record for record in caplog.records if record.name == "scalekit_mcp.audit"]
    assert [(fields["tool_name"], fields["identifier"], fields["outcome"]) for fields in map(vars, lines)] == [
        ("outlook_create_calendar_event", "ana", "ok")
    ]
    assert "Standup" not in lines[0].getMessage()


@pytest.mark.parametrize("era", ERAS)
async def test_a_read_only_server_hides_and_refuses_the_writing_tools(era: str, actions: WatchedActions) -> None:
    await actions.connect()
    async with Client(server_over(actions, read_only=True), mode=era) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        error = error_of(await client.call_tool("outlook_create_calendar_event", STANDUP))
    assert names == ["outlook_get_calendar_event", "outlook_list_calendar_events", "authorize"]
    assert error["code"] == "permission_missing"
    assert not actions.calls


@pytest.mark.parametrize("era", ERAS)
async def test_a_read_only_caller_sees_and_may_use_the_reading_tools_alone(era: str, actions: WatchedActions) -> None:
    await actions.connect()
    reader = Caller("ana", can_write=False)
    async with Client(server_over(actions, caller=reader, list_scope="private"), mode=era) as client:
        listed = await client.list_tools()
        refused = error_of(await client.call_tool("outlook_create_calendar_event", STANDUP))
        read = await client.call_tool(LIST, {})
    assert [t.name for t in listed.tools] == ["outlook_get_calendar_event", "outlook_list_calendar_events", "authorize"]
    assert "calendar.write" in refused["message"]
    assert not read.is_error


@pytest.mark.parametrize("era", ERAS)
async def test_who_signed_in_by_an_app_that_reads_alone_is_sent_back_to_that_app(
    era: str, actions: WatchedActions
) -> None:
    reader = Caller("ana", can_write=False)
    server = server_over(actions, caller=reader, sign_in_challenge=lambda why: f'Bearer error_description="{why}"')
    async with Client(server, mode=era) as client:
        refused = error_of(await client.call_tool("outlook_create_calendar_event", STANDUP))
    assert (refused["code"], refused["who_acts"]) == ("permission_missing", "user")
    assert "connects it again" in refused["next_step"]
    assert "operator" not in refused["next_step"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_caller_without_the_reading_scope_may_not_list_events(era: str, actions: WatchedActions) -> None:
    await actions.connect()
    async with Client(server_over(actions, caller=Caller("ana", can_read=False)), mode=era) as client:
        error = error_of(await client.call_tool(LIST, {}))
    assert "calendar.read" in error["message"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_cancelled_call_is_cancelled_in_the_actions_too(era: str, actions: WatchedActions) -> None:
    await actions.connect()
    gate = actions.gate = anyio.Event()
    finished: list[bool] = []

    async def run(client: Client) -> None:
        await client.call_tool(LIST, {})
        finished.append(True)

    async with Client(server_over(actions), mode=era) as client:
        with anyio.fail_after(HANG_SECONDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(run, client)
                while not actions.entered:
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
            while not actions.cancelled:
                await anyio.lowlevel.checkpoint()
            gate.set()
            assert not (await client.call_tool(LIST, {})).is_error
    assert not finished
    assert len(actions.calls) == 1


@pytest.mark.parametrize("era", ERAS)
async def test_a_seventeenth_call_of_one_caller_waits_while_another_caller_is_served(
    era: str, actions: WatchedActions
) -> None:
    await actions.connect()
    gate = actions.gate = anyio.Event()
    async with Client(server_over(actions), mode=era) as client, anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(client.call_tool, LIST, {})
        with anyio.fail_after(HANG_SECONDS):
            while actions.entered < 16:
                await anyio.lowlevel.checkpoint()
            for _ in range(200):
                await anyio.lowlevel.checkpoint()
            assert actions.entered == 16
            gate.set()
    assert len(actions.calls) == 20


async def test_a_full_queue_of_one_caller_is_throttled_and_leaves_the_next_caller_alone() -> None:
    limiter = CallLimiter(1, queue=0)
    async with limiter.slot("ana"):
        with pytest.raises(Throttled) as raised:
            async with limiter.slot("ana"):
                pass
        async with limiter.slot("bob"):
            pass
    assert raised.value.details["retry_after_seconds"] == 5
    async with limiter.slot("ana"):
        pass


@pytest.mark.parametrize(("limit", "queue"), [(1, 1), (2, 3), (16, 64)])
async def test_the_last_place_of_the_queue_is_given_and_the_next_call_refused(limit: int, queue: int) -> None:
    limiter = CallLimiter(limit, queue=queue)
    go_on = anyio.Event()
    served: list[int] = []

    async def use(number: int) -> None:
        async with limiter.slot("ana"):
            await go_on.wait()
            served.append(number)

    with anyio.fail_after(HANG_SECONDS):
        async with anyio.create_task_group() as tasks:
            for number in range(limit + queue):
                tasks.start_soon(use, number)
            await anyio.wait_all_tasks_blocked()
            with anyio.move_on_after(0) as at_once, pytest.raises(Throttled):
                async with limiter.slot("ana"):
                    pass
            assert not at_once.cancelled_caught
            go_on.set()
    assert sorted(served) == list(range(limit + queue))


async def test_a_queue_that_does_not_move_is_throttled() -> None:
    limiter = CallLimiter(1, wait_seconds=0.0)
    async with limiter.slot("ana"):
        with pytest.raises(Throttled):
            async with limiter.slot("ana"):
                pass

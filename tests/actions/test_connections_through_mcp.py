"""Two connections over a real MCP client: lists, consent, calls, revocation, and whatever a list may hold."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from actions_support import DANA, IDENTIFIER, HostedBench, fast_bench
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from mcp import Client, MCPError
from mcp.types import ElicitResult
from test_hosted_connections import FOREIGN, MAIL, agree, connect

from scalekit_mcp.demo.browser import consent
from scalekit_mcp.sandbox.scalekit.records import Fault
from scalekit_mcp.scalekit.connectors.foreign_schema import clean_text
from scalekit_mcp.server.callers.caller import Caller, RequestContext
from scalekit_mcp.server.mcp.app import ServerOptions, create_server
from scalekit_mcp.server.mcp.connectors import MAX_LISTED_BYTES, MAX_LISTED_TOOLS
from scalekit_mcp.server.metrics import CallMetrics
from scalekit_mcp.telemetry import Metrics

CONNECTIONS = ("gmail", "slack")
ERAS = pytest.mark.parametrize("era", ["legacy", "auto"])
KEYWORDS = {"type", "description", "enum", "default", "items", "properties", "required", "additionalProperties"}
KEYWORDS |= {"minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"}


@asynccontextmanager
async def client_of(
    bench: HostedBench, era: str, *, caller: Caller | None = None, **options: Any
) -> AsyncIterator[Client]:
    how = options.pop("client", {})
    who = caller or Caller(IDENTIFIER)

    def identify(_: RequestContext) -> Caller:
        return who

    given = ServerOptions(connections=("outlook", *CONNECTIONS), **options)
    async with Client(create_server(bench.actions, identify=identify, options=given), mode=era, **how) as client:
        yield client


async def names(client: Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


def content(result: Any) -> dict[str, Any]:
    return result.structured_content or {}


@ERAS
async def test_an_agent_with_two_connections_asks_for_the_one_it_lacks_and_survives_a_revocation(era: str) -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench, client_of(bench, era) as client:
        async with bench.browser() as browser:
            link = content(await client.call_tool("authorize", {}))["authorization_url"]
            await consent(browser, link, DANA)
        assert not (await client.call_tool("outlook_list_calendar_events", {"top": 3})).is_error
        refused = await client.call_tool("gmail_send_email", MAIL)
        error = content(refused)["error"]
        assert (error["code"], error["who_acts"]) == ("authorization_required", "user")
        assert "'gmail'" in error["message"]
        await agree(bench, error["authorization_url"])
        sent = await client.call_tool("gmail_send_email", MAIL)
        assert content(sent)["labelIds"] == ["SENT"]
        found = await client.call_tool("gmail_fetch_mails", {"query": "hello"})
        assert [mail["subject"] for mail in content(found)["messages"]] == ["Hello"]
        bench.look_alike.revoke("gmail", IDENTIFIER)
        gone = content(await client.call_tool("gmail_fetch_mails", {}))["error"]
        assert (gone["code"], gone["status"]) == ("authorization_required", "EXPIRED")
        assert not FOREIGN.search(json.dumps(gone).replace(IDENTIFIER, ""))
        assert not (await client.call_tool("outlook_list_calendar_events", {"top": 3})).is_error
        stands = content(await client.call_tool("authorize", {"connection": "gmail"}))
        assert stands["status"] == "EXPIRED"
        assert content(await client.call_tool("authorize", {}))["status"] == "ACTIVE"


@ERAS
async def test_the_list_is_flat_and_named_and_hinted(era: str) -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench, client_of(bench, era) as client:
        bench.look_alike.switches.most_tools_on_a_page = 2
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(listed)[:2] == ["outlook_create_calendar_event", "outlook_get_calendar_event"]
        assert [name for name in listed if name.startswith(("gmail", "slack"))] == [
            "gmail_fetch_mails",
            "gmail_get_message_by_id",
            "gmail_send_email",
            "slack_list_channels",
            "slack_fetch_conversation_history",
            "slack_send_message",
            "slack_delete_message",
        ]
        reads, sends, deletes = (
            listed[name].annotations for name in ("gmail_fetch_mails", "gmail_send_email", "slack_delete_message")
        )
        assert reads is not None
        assert (reads.read_only_hint, reads.destructive_hint) == (True, False)
        assert sends is not None
        assert (sends.read_only_hint, sends.destructive_hint) == (False, None)
        assert deletes is not None
        assert deletes.destructive_hint is True
        assert listed["gmail_send_email"].input_schema == {
            "type": "object",
            "properties": {
                "message": {
                    "type": "object",
                    "description": "What to send",
                    "properties": {
                        "to": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 100,
                            "items": {
                                "type": "object",
                                "properties": {"email": {"type": "string"}, "name": {"type": "string"}},
                                "required": ["email"],
                                "additionalProperties": False,
                            },
                        },
                        "body": {"type": "string", "description": "Plain text"},
                        "subject": {"type": "string", "maxLength": 998},
                        "importance": {"type": "string", "enum": ["low", "normal", "high"], "default": "normal"},
                    },
                    "required": ["to", "body"],
                    "additionalProperties": False,
                }
            },
            "required": ["message"],
            "additionalProperties": False,
        }
        connection = listed["authorize"].input_schema["properties"]["connection"]
        assert connection["enum"] == ["outlook", "gmail", "slack"]
        assert listed["slack_list_channels"].input_schema["properties"] == {
            "limit": {"type": "integer", "minimum": 1, "maximum": 1000}
        }


async def test_with_one_connection_authorize_takes_no_other() -> None:
    async with fast_bench() as bench:
        server = create_server(bench.actions, identify=lambda _: IDENTIFIER, options=ServerOptions())
        async with Client(server) as client:
            listed = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert "connection" not in listed["authorize"].input_schema["properties"]
            refused = content(await client.call_tool("authorize", {"connection": "gmail"}))["error"]
            assert refused["code"] == "invalid_input"
            with pytest.raises(MCPError, match="Unknown tool"):
                await client.call_tool("gmail_fetch_mails", {})


async def test_names_are_chosen_by_patterns_and_others_are_not_called() -> None:
    patterns = ("gmail_*", "slack_send_message")
    async with (
        fast_bench(further_connections=CONNECTIONS) as bench,
        client_of(bench, "auto", tool_patterns=patterns) as client,
    ):
        assert [name for name in await names(client) if name.startswith("slack")] == ["slack_send_message"]
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool("slack_delete_message", {"channel": "C01GENERAL", "ts": "1.000"})


@pytest.mark.parametrize("how", ["session", "server"])
async def test_a_read_only_session_has_only_tools_that_say_that_they_read(how: str) -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        await connect(bench, "gmail")
        session: dict[str, Any] = {"caller": Caller(IDENTIFIER, can_write=False), "list_scope": "private"}
        chosen: dict[str, Any] = session if how == "session" else {"read_only": True}
        async with client_of(bench, "auto", **chosen) as client:
            assert [name for name in await names(client) if name.startswith(("gmail", "slack"))] == [
                "gmail_fetch_mails",
                "gmail_get_message_by_id",
                "slack_list_channels",
                "slack_fetch_conversation_history",
            ]
            refused = content(await client.call_tool("gmail_send_email", MAIL))["error"]
            assert refused["code"] == "permission_missing"
            assert not (await client.call_tool("gmail_fetch_mails", {})).is_error
            assert [name for name, _ in bench.tools()] == ["gmail_fetch_mails"]


async def test_a_failing_scalekit_leaves_our_own_tools_in_the_list(caplog: pytest.LogCaptureFixture) -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench, client_of(bench, "auto") as client:
        bench.look_alike.switches.faults = [Fault(status=500, path_contains="/tools", times=99)]
        with caplog.at_level(logging.WARNING):
            listed = await names(client)
        assert listed[0] == "outlook_create_calendar_event"
        assert not [name for name in listed if name.startswith("gmail")]
        assert "'gmail' were not listed" in caplog.text
        refused = content(await client.call_tool("gmail_fetch_mails", {}))["error"]
        assert refused["code"] == "provider_unavailable"


async def test_a_list_that_was_read_before_is_used_while_scalekit_fails() -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:

        async def listed() -> list[str]:
            async with client_of(bench, "auto") as client:  # a new one: a client keeps what it was told for a while
                return await names(client)

        before = await listed()
        bench.look_alike.switches.faults = [Fault(status=500, path_contains="/tools", times=99)]
        await bench.clock.sleep(400)
        assert await listed() == before
        assert bench.look_alike.switches.faults[0].times < 99
        await bench.clock.sleep(4000)
        assert not [name for name in await listed() if name.startswith("gmail")]


@ERAS
async def test_a_person_confirms_what_may_change_something(era: str) -> None:
    asked: list[str] = []
    answers = iter([False, True])

    async def ask(context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"confirm": next(answers)})

    async with fast_bench(further_connections=CONNECTIONS) as bench:
        await connect(bench, "gmail")
        how = {"elicitation_callback": ask}
        async with client_of(bench, era, confirm_mail=True, client=how) as client:
            assert not (await client.call_tool("gmail_fetch_mails", {})).is_error
            assert asked == []
            refused = content(await client.call_tool("gmail_send_email", MAIL))["error"]
            assert refused["code"] == "permission_missing"
            assert not (await client.call_tool("gmail_send_email", MAIL)).is_error
        assert len(asked) == 2
        assert "gmail_send_email" in asked[0]
        assert "alice@company.com" in asked[0]
        assert [name for name, _ in bench.tools()] == ["gmail_fetch_mails", "gmail_send_email"]


async def test_calls_are_counted_by_connection_and_audited_by_name(caplog: pytest.LogCaptureFixture) -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        await connect(bench, "gmail")
        metrics = CallMetrics(Metrics())
        with caplog.at_level(logging.INFO):
            async with client_of(bench, "auto", metrics=metrics) as client:
                await client.call_tool("gmail_send_email", MAIL)
        page = metrics.render()
        assert 'tool="connection:gmail"' in page
        assert "gmail_send_email" not in page
        assert f"gmail_send_email for {IDENTIFIER}: ok" in caplog.text
        assert "See you." not in caplog.text


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KINDS = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null", "file"])
NAMES = st.sampled_from(["a", "b", "c", "$top", "x.y", "schema_version", "tool_version", "a" * 70, "", "naïve"])


def schemas() -> st.SearchStrategy[Any]:
    """JSON schemas as sensible and as odd as can be."""

    def deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        keywords: dict[str, st.SearchStrategy[Any]] = {
            "type": KINDS | st.lists(KINDS, max_size=3),
            "properties": st.dictionaries(NAMES, inner, max_size=4) | JSON,
            "required": st.lists(NAMES, max_size=3) | JSON,
            "items": inner,
            "anyOf": st.lists(inner, max_size=3),
            "oneOf": st.lists(inner, max_size=3) | JSON,
            "allOf": st.lists(inner, max_size=3),
            "enum": st.lists(JSON, max_size=4),
            "const": JSON,
            "default": JSON,
            "description": st.text(max_size=30) | JSON,
            "minimum": FLOATS | st.integers() | JSON,
            "maximum": FLOATS | JSON,
            "minLength": FLOATS | st.integers(),
            "pattern": st.just("(a+)+$"),
            "$ref": st.sampled_from(["#", "#/$defs/a", "#/properties/a", "http://x.example/y", "#/nowhere"]),
            "$defs": st.dictionaries(NAMES, inner, max_size=2),
            "additionalProperties": st.booleans() | inner,
            "not": inner,
            "x-unknown": JSON,
        }
        return st.fixed_dictionaries({}, optional=keywords)

    return st.recursive(st.fixed_dictionaries({"type": KINDS}) | JSON, deeper, max_leaves=12)


TOOL_NAMES = st.text("abcXYZ019_-", min_size=1, max_size=12) | st.text(max_size=12) | st.just("authorize")
DEFINITIONS = st.fixed_dictionaries(
    {"name": TOOL_NAMES | JSON, "input_schema": schemas()},
    optional={"description": st.text(max_size=40) | JSON, "annotations": JSON, "display_name": st.text(max_size=9)},
)


def assert_flat(schema: dict[str, Any], *, root: bool = False) -> None:
    assert set(schema) <= KEYWORDS, schema
    assert schema["type"] in {"string", "integer", "number", "boolean", "array", "object"}
    if root:
        assert schema["type"] == "object"
        assert schema["additionalProperties"] is False
    assert set(schema.get("required", [])) <= set(schema.get("properties", {}))
    if schema["type"] == "array":
        assert_flat(schema["items"])
    for name, member in schema.get("properties", {}).items():
        assert name.isascii()
        assert 1 <= len(name) <= 64
        assert all(character.isalnum() or character in "_-" for character in name)
        assert_flat(member)
    if schema["type"] == "integer":
        assert all(isinstance(schema[name], int) for name in ("minimum", "maximum", "default") if name in schema)
    description = schema.get("description", "x")
    assert description == clean_text(description, len(description))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(definitions=st.lists(DEFINITIONS, min_size=20, max_size=20))
async def test_whatever_a_list_holds_is_listed_flat_or_left_out(definitions: list[dict[str, Any]]) -> None:
    many = [
        {**one, "name": f"{one['name']}_{number}" if isinstance(one["name"], str) else one["name"]}
        for number in range(25)
        for one in definitions
    ]
    async with fast_bench(further_connections=CONNECTIONS) as bench:
        bench.look_alike.switches.further_tools = {"gmail": json.loads(json.dumps(many))}
        for era in ("legacy", "auto"):
            async with client_of(bench, era) as client:
                tools = (await client.list_tools()).tools
                assert tools[0].name == "outlook_create_calendar_event"
                assert len({tool.name for tool in tools}) == len(tools)
                foreign = [tool for tool in tools if not tool.name.startswith("outlook_") and tool.name != "authorize"]
                assert len(foreign) <= MAX_LISTED_TOOLS
                size = sum(len(tool.model_dump_json(by_alias=True, exclude_none=True).encode()) for tool in foreign)
                assert size <= MAX_LISTED_BYTES
                for tool in foreign:
                    assert_flat(dict(tool.input_schema), root=True)
                    Draft202012Validator.check_schema(dict(tool.input_schema))
                    assert json.dumps(tool.input_schema, allow_nan=False)
                    assert len(tool.description or "") <= 900


async def test_signs_of_private_use_stay_in_a_description() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "number", "description": "\U001092b8 a"}}}
    async with fast_bench(further_connections=CONNECTIONS) as bench, client_of(bench, "auto") as client:
        bench.look_alike.switches.further_tools = {"gmail": [{"name": "odd", "input_schema": schema}]}
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}["odd"].input_schema
        assert_flat(listed, root=True)
        assert listed["properties"]["n"]["description"] == "\U001092b8 a"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
async def test_a_list_with_numbers_that_json_does_not_have_hides_no_other(
    number: float, caplog: pytest.LogCaptureFixture
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "number", "maximum": number}}}
    async with fast_bench(further_connections=CONNECTIONS) as bench, client_of(bench, "auto") as client:
        bench.look_alike.switches.further_tools = {"gmail": [{"name": "odd", "input_schema": schema}]}
        listed = await names(client)
        assert "odd" not in listed
        assert {"outlook_list_calendar_events", "slack_send_message"} <= set(listed)
        assert "The tools of 'gmail' were not listed: provider_unavailable" in caplog.text


async def test_500_tools_are_bounded_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    many = [{"name": f"gmail_tool_{n}", "input_schema": {"type": "object"}, "description": "x"} for n in range(500)]
    async with fast_bench(further_connections=CONNECTIONS) as bench, client_of(bench, "auto") as client:
        bench.look_alike.switches.further_tools = {"gmail": many}
        with caplog.at_level(logging.WARNING):
            listed = await names(client)
        assert len([name for name in listed if name.startswith(("gmail", "slack"))]) == MAX_LISTED_TOOLS
        assert "407 tools of further connections are not listed" in caplog.text
        await connect(bench, "gmail")
        called = await client.call_tool("gmail_tool_499", {})
        assert content(called) == {"received": {}}


async def test_a_name_that_two_connections_have_is_offered_once_and_it_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with fast_bench(further_connections=CONNECTIONS) as bench, client_of(bench, "auto") as client:
        bench.look_alike.switches.further_tools = {
            name: [{"name": "send", "input_schema": {"type": "object"}, "description": name}] for name in CONNECTIONS
        }
        with caplog.at_level(logging.WARNING):
            offered = [tool.description for tool in (await client.list_tools()).tools if tool.name == "send"]
            await client.list_tools()
        assert offered == ["gmail"]
        assert caplog.text.count("send of 'slack': 'gmail' has a tool of this name") == 1


async def test_two_callers_have_a_list_each() -> None:
    async with fast_bench(further_connections=("gmail",)) as bench:
        bench.look_alike.switches.scoped_before_consent = True
        await connect(bench, "gmail", "ana")
        async with client_of(bench, "auto", caller=Caller("ana")) as client:
            before = await names(client)
        bench.look_alike.switches.further_tools = {"gmail": [{"name": "gmail_of_ben", "input_schema": {}}]}
        await connect(bench, "gmail", "ben")
        async with client_of(bench, "auto", caller=Caller("ben")) as client:
            assert "gmail_of_ben" in await names(client)
        async with client_of(bench, "auto", caller=Caller("ana")) as client:
            assert await names(client) == before
            with pytest.raises(MCPError, match="Unknown tool"):
                await client.call_tool("gmail_of_ben", {})

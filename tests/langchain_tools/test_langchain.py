"""The LangChain tools: schemas of the catalogue, JSON answers, errors an agent can act on."""

import asyncio
import json

import httpx2 as httpx
import pytest

import scalekit_mcp.client
from scalekit_mcp import load_settings, open_actions
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.errors import AuthorizationRequired, ConfigurationError, InvalidInput
from scalekit_mcp.tools import TOOLS, offered_tools

pytest.importorskip("langchain_core", reason="langchain-core is not installed (`make test-full` does)")
pytestmark = [pytest.mark.full]

from scalekit_mcp.langchain import get_tools  # noqa: E402 - after the check that its library is there


@pytest.fixture(scope="module")
def client():
    with scalekit_mcp.client.ScalekitClient(sandbox=True) as opened:
        yield opened


def named(tools, name):
    return next(tool for tool in tools if tool.name == name)


def call(name, arguments):
    return {"type": "tool_call", "id": "call-1", "name": name, "args": arguments}


async def connect(client, identifier: str) -> None:
    link = client.actions.get_authorization_link(identifier=identifier)
    async with httpx.AsyncClient(timeout=20) as http:
        await consent(Browser(http), link.link, "dana@company.com")


def test_all_six_tools_come_with_the_schemas_of_the_catalogue(client):
    tools = get_tools("outlook", "ana", client)
    assert [tool.name for tool in tools] == list(offered_tools())
    for tool in tools:
        assert isinstance(tool.tool_call_schema, dict)
        assert tool.tool_call_schema["properties"] == TOOLS[tool.name].input_schema["properties"]


def test_an_account_that_is_not_connected_becomes_a_message_with_the_link(client):
    tool = named(get_tools("outlook", "newcomer", client), "outlook_list_calendar_events")
    message = tool.invoke(call(tool.name, {"top": 3}))
    assert message.status == "error"
    error = json.loads(message.content)["error"]
    assert error["code"] == "authorization_required"
    assert error["authorization_url"].startswith("http://localhost:")


async def test_the_application_can_catch_an_account_that_is_not_connected(client):
    tools = get_tools("outlook", "caught", client, on_authorization_required="raise")
    tool = named(tools, "outlook_list_calendar_events")
    with pytest.raises(AuthorizationRequired) as raised:
        await tool.ainvoke(call(tool.name, {"top": 3}))
    assert raised.value.details["authorization_url"]


async def test_an_answer_is_json_text_with_the_dictionary_as_artifact(client):
    await connect(client, "connected")
    tool = named(get_tools("outlook", "connected", client), "outlook_list_calendar_events")
    for message in (tool.invoke(call(tool.name, {"top": 3})), await tool.ainvoke(call(tool.name, {"top": 3}))):
        assert json.loads(message.content) == message.artifact
        assert len(message.artifact["value"]) == 3


async def test_a_wrong_argument_is_told_to_the_model_by_name(client):
    await connect(client, "careless")
    tool = named(get_tools("outlook", "careless", client), "outlook_create_calendar_event")
    message = tool.invoke(call(tool.name, {"subject": "x", "start_datetime": "2026-04-01T10:00:00Z"}))
    assert message.status == "error"
    assert json.loads(message.content)["error"]["field"] == "start_datetime"


def test_read_only_offers_no_tool_that_changes_a_calendar(client):
    names = {tool.name for tool in get_tools("outlook", "ana", client, read_only=True)}
    assert names == {"outlook_get_calendar_event", "outlook_list_calendar_events", "authorize"}


@pytest.mark.parametrize("identifier", ["", "a" * 101, "line\nbreak"])
def test_a_wrong_identifier_is_refused_when_the_tools_are_made(client, identifier):
    with pytest.raises(InvalidInput) as raised:
        get_tools("outlook", identifier, client)
    assert raised.value.details["field"] == "identifier"


async def test_the_asynchronous_calls_give_asynchronous_tools():
    async with open_actions(load_settings(sandbox=True)) as actions:
        tool = named(get_tools("outlook", "direct", actions), "authorize")
        message = await tool.ainvoke(call(tool.name, {}))
        assert json.loads(message.content)["status"] == "PENDING"
        with pytest.raises(ConfigurationError, match="asynchronous"):
            tool.invoke(call(tool.name, {}))


async def test_three_calls_at_once_each_get_their_own_answer(client):
    await connect(client, "parallel")
    tool = named(get_tools("outlook", "parallel", client), "outlook_list_calendar_events")
    messages = await asyncio.gather(*(tool.ainvoke(call(tool.name, {"top": top})) for top in (1, 2, 3)))
    assert [len(message.artifact["value"]) for message in messages] == [1, 2, 3]


async def test_tools_outlive_the_client_that_they_were_made_from():
    tools = get_tools("outlook", "orphan", scalekit_mcp.client.ScalekitClient(sandbox=True))
    message = await named(tools, "authorize").ainvoke(call("authorize", {}))
    assert json.loads(message.content)["status"] == "PENDING"


async def test_a_delete_answers_json_as_every_other_tool(client):
    await connect(client, "deleting")
    tools = get_tools("outlook", "deleting", client)
    listed = await named(tools, "outlook_list_calendar_events").ainvoke(
        call("outlook_list_calendar_events", {"top": 1})
    )
    event_id = listed.artifact["value"][0]["id"]
    deleted = await named(tools, "outlook_delete_calendar_event").ainvoke(
        call("outlook_delete_calendar_event", {"event_id": event_id})
    )
    answer = json.loads(deleted.content)
    assert (answer["deleted"], answer["already_gone"]) == (True, False)
    assert answer["event"]["subject"] == listed.artifact["value"][0]["subject"]

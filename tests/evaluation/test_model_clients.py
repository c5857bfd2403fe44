"""Both ways to a model, against an endpoint that speaks each protocol, and everything that an endpoint may answer."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2 as httpx
import pytest

from evaluation.conversation import Conversation, ToolResult
from evaluation.models import PROTOCOLS, Endpoint, EndpointError, Sampling, model_client
from evaluation.models.endpoint import TRIES
from evaluation.place import Tool
from tests.support.model_endpoint import Answers, ModelEndpoint, Says, Step, Wanted, served, tool_results

KEY = "sk-never-to-be-seen"
TOOL = Tool("look", "Looks.", {"type": "object", "properties": {"day": {"type": "string"}}})
BASE = {"chat-completions": "/v1", "messages": ""}


class Talk:
    """A conversation with a scripted endpoint, and what went over the wire."""

    def __init__(self, endpoint: ModelEndpoint, conversation: Conversation, pauses: list[float]) -> None:
        self.endpoint = endpoint
        self.next = conversation.next
        self.pauses = pauses


@asynccontextmanager
async def talk(protocol: str, steps: Sequence[Step], **sampling: Any) -> AsyncGenerator[Talk]:
    endpoint = ModelEndpoint(steps)
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async with served(endpoint) as url, httpx.AsyncClient() as http:
        way = Endpoint(url + BASE[protocol], http, KEY, sleep)
        client = model_client(protocol, way, Sampling("m", **sampling))
        yield Talk(endpoint, client.begin("Be brief.", "What is on?", (TOOL,)), pauses)


both = pytest.mark.parametrize("protocol", PROTOCOLS)


@both
async def test_a_conversation_of_several_rounds_with_calls_side_by_side(protocol: str) -> None:
    steps = [
        Says("I look.", (Wanted("look", {"day": "mon"}), Wanted("look", {"day": "tue"}))),
        Says(calls=(Wanted("look", {"day": "wed"}),)),
        Says("Nothing is on."),
    ]
    async with talk(protocol, steps) as said:
        first = await said.next([])
        assert [(call.name, call.arguments["day"]) for call in first.calls] == [("look", "mon"), ("look", "tue")]
        assert first.usage == (100, 10)
        second = await said.next([ToolResult(first.calls[0], "A"), ToolResult(first.calls[1], "B", is_error=True)])
        last = await said.next([ToolResult(second.calls[0], "C")])
    assert (last.text, last.calls, last.cut) == ("Nothing is on.", (), "")
    bodies = said.endpoint.requests
    assert [text for _, text in tool_results(bodies[1])] == ["A", "B"]
    assert [text for _, text in tool_results(bodies[2])] == ["A", "B", "C"]
    ids = [call.id for call in (*first.calls, *second.calls)]
    assert [call_id for call_id, _ in tool_results(bodies[2])] == ids
    assert "What is on?" in json.dumps(bodies[0]["messages"])
    assert "Be brief." in json.dumps(bodies[0])
    assert "temperature" not in bodies[0]


async def test_chat_completions_are_sent_as_openai_describes_them() -> None:
    async with talk("chat-completions", [Says("Yes.")], temperature=0.0, max_output_tokens=50) as said:
        await said.next([])
    [body], [headers] = said.endpoint.requests, said.endpoint.headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("m", 0.0, 50)
    assert body["tools"] == [
        {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": TOOL.schema}}
    ]


async def test_messages_are_sent_as_anthropic_describes_them() -> None:
    steps = [Says(calls=(Wanted("look", {}),)), Says("Yes.")]
    async with talk("messages", steps, temperature=1.0) as said:
        turn = await said.next([])
        await said.next([ToolResult(turn.calls[0], "broken", is_error=True)])
    first, second = said.endpoint.requests
    assert said.endpoint.headers[0]["x-api-key"] == KEY
    assert said.endpoint.headers[0]["anthropic-version"] == "2023-06-01"
    assert first["tools"] == [{"name": "look", "description": "Looks.", "input_schema": TOOL.schema}]
    assert (first["max_tokens"], first["temperature"], first["system"]) == (4096, 1.0, "Be brief.")
    assert [block["type"] for block in second["messages"][1]["content"]] == ["thinking", "tool_use"]
    assert second["messages"][2]["content"][0]["is_error"] is True


@both
async def test_an_answer_that_was_cut_or_refused_says_so(protocol: str) -> None:
    reason = {"chat-completions": "length", "messages": "max_tokens"}[protocol]
    async with talk(protocol, [Says("Half a", ended=reason, usage=None)]) as said:
        turn = await said.next([])
    assert turn.cut == "cut at the longest output"
    assert turn.usage == (None, None)


async def test_the_words_of_a_refusal_are_the_answer() -> None:
    message = {"role": "assistant", "content": None, "refusal": "I won't."}
    refusal = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]})
    async with talk("chat-completions", [Answers(200, refusal)]) as said:
        assert (await said.next([])).text == "I won't."
    async with talk("messages", [Says(ended="refusal")]) as said:
        assert (await said.next([])).cut == "refused by the model"


async def test_content_in_parts_is_read() -> None:
    parts = [{"type": "text", "text": "Ye"}, {"type": "text", "text": "s."}]
    answer = json.dumps({"choices": [{"message": {"content": parts}}], "usage": "odd"})
    async with talk("chat-completions", [Answers(200, answer)]) as said:
        turn = await said.next([])
    assert (turn.text, turn.usage) == ("Yes.", (None, None))


@pytest.mark.parametrize("arguments", ["{", "[1]", '"text"'])
async def test_arguments_that_are_no_object_are_told_to_the_model(arguments: str) -> None:
    async with talk("chat-completions", [Says(calls=(Wanted("look", arguments),))]) as said:
        [call] = (await said.next([])).calls
    assert call.fault == "The arguments are no JSON object; nothing was called."


@both
@pytest.mark.parametrize(
    "body",
    ["", "<html>", "[]", "null", "{}", '{"choices": []}', '{"choices": [1], "content": "x"}', '{"content": [1]}'],
)
async def test_garbage_is_told_and_not_tried_again(protocol: str, body: str) -> None:
    async with talk(protocol, [Answers(200, body)]) as said:
        with pytest.raises(EndpointError) as told:
            await said.next([])
    assert not told.value.hopeless
    assert len(said.endpoint.requests) == 1


@both
async def test_throttling_is_waited_out_as_long_as_it_asks(protocol: str) -> None:
    async with talk(protocol, [Answers(429, "slow", {"Retry-After": "7"}), Answers(529), Says("Yes.")]) as said:
        assert (await said.next([])).text == "Yes."
    assert said.pauses == [7.0, 2.0]


@both
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_repeats_come_to_an_end(protocol: str, status: int) -> None:
    async with talk(protocol, [Answers(status, '{"error": {"message": "too much"}}')] * 9) as said:
        with pytest.raises(EndpointError, match=f"{status}: too much, {TRIES} times") as told:
            await said.next([])
    assert not told.value.hopeless
    assert len(said.endpoint.requests) == TRIES


@both
async def test_a_pause_that_is_too_long_is_not_made(protocol: str) -> None:
    async with talk(protocol, [Answers(429, "{}", {"Retry-After": "3600"})]) as said:
        with pytest.raises(EndpointError, match="wait 3600 seconds"):
            await said.next([])
    assert said.pauses == []


@both
@pytest.mark.parametrize("status", [401, 403, 404])
async def test_what_no_task_could_get_past_is_hopeless_and_never_names_the_key(protocol: str, status: int) -> None:
    async with talk(protocol, [Answers(status, f'{{"error": {{"message": "{KEY} is\\nno good"}}}}')]) as said:
        with pytest.raises(EndpointError, match=r"\[key\] is no good") as told:
            await said.next([])
    assert told.value.hopeless
    assert KEY not in str(told.value)
    assert KEY not in repr(Endpoint("http://x", httpx.AsyncClient(), KEY))


@both
async def test_an_endpoint_that_is_not_there_is_told(protocol: str) -> None:
    async def sleep(_: float) -> None: ...

    async with httpx.AsyncClient() as http:
        way = Endpoint("http://127.0.0.1:1/v1", http, None, sleep)
        conversation = model_client(protocol, way, Sampling("m")).begin("", "", ())
        with pytest.raises(EndpointError, match="could not be reached"):
            await conversation.next([])

"""Chat completions with tools, as OpenAI, vLLM, Ollama, llama.cpp, LiteLLM and others speak it.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

from evaluation.conversation import Conversation, ToolCall, ToolResult, Turn
from evaluation.models.endpoint import Endpoint, EndpointError, Sampling, count, member, optional
from evaluation.place import Tool

PATH = "/chat/completions"
_CUT = {"length": "cut at the longest output", "content_filter": "cut by the endpoint's filter"}


@dataclass(frozen=True)
class ChatCompletions:
    """A model behind `/chat/completions`."""

    endpoint: Endpoint
    sampling: Sampling

    def begin(self, system: str, asked: str, tools: tuple[Tool, ...]) -> Conversation:
        """See `ModelClient`."""
        messages = [{"role": "system", "content": system}, {"role": "user", "content": asked}]
        functions = [{"name": tool.name, "description": tool.description, "parameters": tool.schema} for tool in tools]
        return _Chat(self.endpoint, self.sampling, messages, functions)


@dataclass
class _Chat:
    endpoint: Endpoint
    sampling: Sampling
    messages: list[dict[str, Any]] = field(repr=False)
    functions: list[dict[str, Any]] = field(repr=False)

    async def next(self, results: list[ToolResult]) -> Turn:
        self.messages += [
            {"role": "tool", "tool_call_id": result.call.id, "content": result.text} for result in results
        ]
        body: dict[str, Any] = {
            "model": self.sampling.model,
            "messages": self.messages,
            "tools": [{"type": "function", "function": function} for function in self.functions],
        }
        if self.sampling.temperature is not None:
            body["temperature"] = self.sampling.temperature
        if self.sampling.max_output_tokens is not None:
            body["max_tokens"] = self.sampling.max_output_tokens
        key = self.endpoint.key
        answer = await self.endpoint.post(PATH, {"Authorization": f"Bearer {key}"} if key else {}, body)
        choices: list[object] = member(answer, "choices", list)
        if not choices:
            raise EndpointError("its answer has no choice")
        message: dict[str, Any] = member(choices[0], "message", dict)
        given: list[object] = optional(message, "tool_calls", list)
        calls = tuple(_call(each) for each in given)
        said: dict[str, Any] = {"role": "assistant", "content": message.get("content")}
        self.messages.append({**said, "tool_calls": given} if given else said)
        reason = cast("dict[str, Any]", choices[0]).get("finish_reason")
        usage = optional(answer, "usage", dict)
        return Turn(
            text=_text(message),
            calls=calls,
            usage=(count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))),
            cut=_CUT.get(str(reason), ""),
        )


def _text(message: dict[str, Any]) -> str:
    """The words of an answer; of a refusal, those of the refusal."""
    content = message.get("content") or message.get("refusal") or ""
    if isinstance(content, list):
        parts = cast("list[dict[str, Any]]", content)
        return "".join(str(part.get("text") or "") for part in parts)
    return str(content)


def _call(given: object) -> ToolCall:
    function: dict[str, Any] = member(given, "function", dict)
    call_id: str = member(given, "id", str)
    name: str = member(function, "name", str)
    arguments = function.get("arguments") or "{}"
    try:
        read: object = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        read = None
    if not isinstance(read, dict):
        return ToolCall(call_id, name, {}, fault="The arguments are no JSON object; nothing was called.")
    return ToolCall(call_id, name, cast("dict[str, Any]", read))

"""Anthropic's Messages with tools.

Source: https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from evaluation.conversation import Conversation, ToolCall, ToolResult, Turn
from evaluation.models.endpoint import Endpoint, Sampling, count, member, optional
from evaluation.place import Tool

PATH = "/v1/messages"
VERSION = "2023-06-01"
MAX_OUTPUT_TOKENS = 4096
_CUT = {
    "max_tokens": "cut at the longest output",
    "refusal": "refused by the model",
    "model_context_window_exceeded": "cut at the end of the model's context",
}
_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


@dataclass(frozen=True)
class Messages:
    """A model behind `/v1/messages`."""

    endpoint: Endpoint
    sampling: Sampling

    def begin(self, system: str, asked: str, tools: tuple[Tool, ...]) -> Conversation:
        """See `ModelClient`."""
        offered = [{"name": tool.name, "description": tool.description, "input_schema": tool.schema} for tool in tools]
        return _Chat(self.endpoint, self.sampling, system, offered, [{"role": "user", "content": asked}])


@dataclass
class _Chat:
    endpoint: Endpoint
    sampling: Sampling
    system: str = field(repr=False)
    tools: list[dict[str, Any]] = field(repr=False)
    messages: list[dict[str, Any]] = field(repr=False)

    async def next(self, results: list[ToolResult]) -> Turn:
        if results:
            self.messages.append({"role": "user", "content": [_result(result) for result in results]})
        body: dict[str, Any] = {
            "model": self.sampling.model,
            "max_tokens": self.sampling.max_output_tokens or MAX_OUTPUT_TOKENS,
            "system": self.system,
            "tools": self.tools,
            "messages": self.messages,
        }
        if self.sampling.temperature is not None:
            body["temperature"] = self.sampling.temperature
        headers = {"anthropic-version": VERSION}
        if self.endpoint.key:
            headers["x-api-key"] = self.endpoint.key
        answer = await self.endpoint.post(PATH, headers, body)
        blocks: list[object] = member(answer, "content", list)
        # Given back as they came: thinking is signed, and must not be missing before the call that it led to.
        self.messages.append({"role": "assistant", "content": blocks})
        calls: list[ToolCall] = []
        words: list[str] = []
        for block in cast("list[dict[str, Any]]", blocks):
            kind: str = member(block, "type", str)
            if kind == "text":
                words.append(member(block, "text", str))
            elif kind == "tool_use":
                calls.append(
                    ToolCall(member(block, "id", str), member(block, "name", str), member(block, "input", dict))
                )
        usage = optional(answer, "usage", dict)
        parts = [number for name in _INPUT if (number := count(usage.get(name))) is not None]
        return Turn(
            text="".join(words),
            calls=tuple(calls),
            usage=(sum(parts) if parts else None, count(usage.get("output_tokens"))),
            cut=_CUT.get(str(answer.get("stop_reason")), ""),
        )


def _result(result: ToolResult) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": result.call.id, "content": result.text}
    return {**block, "is_error": True} if result.is_error else block

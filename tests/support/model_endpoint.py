"""An endpoint of a model on loopback that plays a script, over chat completions and Messages; no model is behind it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scalekit_mcp.sandbox.serving import serving


@dataclass(frozen=True)
class Wanted:
    """A tool call that the model makes; `arguments` as text go out as they are, where the protocol has text."""

    name: str
    arguments: dict[str, Any] | str


@dataclass(frozen=True)
class Says:
    """One answer of the model: words, calls, and why it ends where that is not the usual reason."""

    text: str = ""
    calls: tuple[Wanted, ...] = ()
    ended: str = ""
    usage: dict[str, Any] | None = field(default_factory=lambda: {"in": 100, "out": 10})


@dataclass(frozen=True)
class Answers:
    """Something else than an answer of a model: a status, a body, headers."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])


Step = Says | Answers
Script = Callable[[dict[str, Any]], Step]
"""What to answer to a request, given its body."""


class ModelEndpoint:
    """Answers with the steps of a script, in order, or with what a function makes of each request.

    `requests` are the bodies that came, `headers` theirs.
    """

    def __init__(self, script: Sequence[Step] | Script) -> None:
        self._steps = iter(script) if not callable(script) else None
        self._script = script if callable(script) else None
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/messages", self._messages, methods=["POST"]),
            ]
        )

    async def _next(self, request: Request) -> Step:
        body: dict[str, Any] = await request.json()
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        if self._script is not None:
            return self._script(body)
        return next(self._steps or iter(()), Answers(500, "the script is at its end"))

    async def _chat(self, request: Request) -> Response:
        """https://platform.openai.com/docs/api-reference/chat/create"""
        step = await self._next(request)
        if isinstance(step, Answers):
            return Response(step.body, step.status, step.headers)
        message: dict[str, Any] = {"role": "assistant", "content": step.text or None}
        if step.calls:
            message["tool_calls"] = [
                {
                    "id": f"call_{len(self.requests)}_{number}",
                    "type": "function",
                    "function": {"name": call.name, "arguments": _text(call.arguments)},
                }
                for number, call in enumerate(step.calls)
            ]
        answer: dict[str, Any] = {
            "choices": [{"message": message, "finish_reason": step.ended or ("tool_calls" if step.calls else "stop")}]
        }
        if step.usage is not None:
            answer["usage"] = {"prompt_tokens": step.usage["in"], "completion_tokens": step.usage["out"]}
        return JSONResponse(answer)

    async def _messages(self, request: Request) -> Response:
        """https://docs.anthropic.com/en/api/messages"""
        step = await self._next(request)
        if isinstance(step, Answers):
            return Response(step.body, step.status, step.headers)
        content: list[dict[str, Any]] = [{"type": "thinking", "thinking": "...", "signature": "s"}]
        content += [{"type": "text", "text": step.text}] if step.text else []
        content += [
            {
                "type": "tool_use",
                "id": f"toolu_{len(self.requests)}_{number}",
                "name": call.name,
                "input": call.arguments,
            }
            for number, call in enumerate(step.calls)
        ]
        answer: dict[str, Any] = {
            "type": "message",
            "content": content,
            "stop_reason": step.ended or ("tool_use" if step.calls else "end_turn"),
        }
        if step.usage is not None:
            answer["usage"] = {
                "input_tokens": step.usage["in"] - 40,
                "cache_read_input_tokens": 40,
                "output_tokens": step.usage["out"],
            }
        return JSONResponse(answer)


def _text(arguments: dict[str, Any] | str) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def tool_results(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Id and text of every tool result in a request of either protocol, in order."""
    found: list[tuple[str, str]] = []
    for message in cast("list[dict[str, Any]]", body["messages"]):
        if message["role"] == "tool":
            found.append((message["tool_call_id"], message["content"]))
        elif isinstance(message["content"], list):
            blocks = cast("list[dict[str, Any]]", message["content"])
            found += [(each["tool_use_id"], each["content"]) for each in blocks if each["type"] == "tool_result"]
    return found


@asynccontextmanager
async def served(endpoint: ModelEndpoint) -> AsyncGenerator[str]:
    """Serve it on loopback; gives its base address."""
    async with serving(endpoint.app, port=0, host="127.0.0.1") as base_url:
        yield base_url

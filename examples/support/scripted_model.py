"""A scripted model in place of a paid one, behind the wires of OpenAI (chat, responses), of Anthropic and of Gemini.

    .venv/bin/python -m examples.support.scripted_model

prints the variables that point a framework's own client at it, so that the examples stay what one would write.
It knows two requests: to schedule the Q2 planning meeting, and to say what is in the calendar.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

_TODAY = re.compile(r"Today is \w+,? (\d{4}-\d\d-\d\d)")
_LINK = re.compile(r"http://localhost:\d+/connect/[\w.~-]+")
_ZONE = "America/New_York"


@dataclass(frozen=True)
class Call:
    """The model wants a tool."""

    name: str
    arguments: dict[str, Any]
    id: str = field(default_factory=lambda: f"call_{uuid.uuid4().hex[:12]}")


@dataclass(frozen=True)
class Turn:
    """What the model is shown: today, the user's last words, and what the tools have answered since."""

    today: date
    question: str
    results: tuple[Any, ...] = ()


def decide(turn: Turn) -> Call | str:
    """The script: one tool call at a time, then words."""
    if turn.results:
        link = _LINK.search(json.dumps(turn.results[-1]))
        if link:
            return f"Please open {link[0]} to connect your calendar, then ask me again."
    if "schedule" in turn.question.lower():
        return _schedule(turn)
    listed = _found(turn.results[-1], "value") if turn.results else None
    if listed is None:
        return Call("outlook_list_calendar_events", {"top": 5, "orderby": "start/dateTime asc"})
    return "You have: " + "; ".join(event["subject"] for event in listed["value"])


def _schedule(turn: Turn) -> Call | str:
    """Look whether the hour is free, book it, say so."""
    monday = turn.today + timedelta(days=7 - turn.today.weekday())
    if not turn.results:
        day = {"start_datetime": f"{monday}T10:00:00", "end_datetime": f"{monday}T11:00:00", "timezone": _ZONE}
        return Call("outlook_list_calendar_events", day)
    created = _found(turn.results[-1], "subject", "id", "onlineMeeting")
    if created is not None:
        join_url = created["onlineMeeting"]["joinUrl"]
        return f"Scheduled '{created['subject']}' on {monday} at 10:00 Eastern with Alice and Bob: {join_url}"
    if _found(turn.results[-1], "value") is None:
        return f"That did not work: {json.dumps(turn.results[-1])}"
    return Call(
        "outlook_create_calendar_event",
        {
            "subject": "Q2 Planning",
            "start_datetime": f"{monday}T10:00:00",
            "start_timezone": _ZONE,
            "end_datetime": f"{monday}T11:00:00",
            "end_timezone": _ZONE,
            "attendees_required": "alice@company.com,bob@company.com",
            "isOnlineMeeting": True,
            "onlineMeetingProvider": "teamsForBusiness",
        },
    )


def _found(value: Any, *names: str) -> dict[str, Any] | None:
    """The first object with all these names, also inside JSON text: each framework wraps results in its own way."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if isinstance(value, dict):
        if all(name in value for name in names):
            return cast("dict[str, Any]", value)
        value = list(cast("dict[str, Any]", value).values())
    if isinstance(value, list):
        for each in cast("list[Any]", value):
            found = _found(each, *names)
            if found is not None:
                return found
    return None


class ScriptedModel:
    """The web application; `tools` holds what the framework offered last, by name, `calls` what was asked for."""

    def __init__(self) -> None:
        self.tools: dict[str, dict[str, Any]] = {}
        self.calls: list[Call] = []
        self.requests = 0
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/responses", self._responses, methods=["POST"]),
                Route("/v1/messages", self._messages, methods=["POST"]),
                Route("/v1beta/models/{model:path}", self._gemini, methods=["POST"]),
            ]
        )

    def _answer(self, body: dict[str, Any], question: str, results: list[Any], tools: dict[str, Any]) -> Call | str:
        today = _TODAY.search(json.dumps(body))
        if today is None:
            raise ValueError("the instructions do not say 'Today is Sunday 2026-11-22'")
        self.tools = tools
        self.requests += 1
        answer = decide(Turn(date.fromisoformat(today[1]), question, tuple(results)))
        if isinstance(answer, Call):
            self.calls.append(answer)
        return answer

    async def _chat(self, request: Request) -> Response:
        """https://platform.openai.com/docs/api-reference/chat ."""
        body = await request.json()
        question, results = _since_the_user(
            [(message["role"], message.get("content")) for message in body["messages"]], user="user", tool="tool"
        )
        tools = {tool["function"]["name"]: tool["function"]["parameters"] for tool in body.get("tools", [])}
        answer = self._answer(body, question, results, tools)
        message: dict[str, Any] = {"role": "assistant", "content": answer if isinstance(answer, str) else None}
        if isinstance(answer, Call):
            function = {"name": answer.name, "arguments": json.dumps(answer.arguments)}
            message["tool_calls"] = [{"index": 0, "id": answer.id, "type": "function", "function": function}]
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        reply: dict[str, Any] = {"id": f"chatcmpl-{self.requests}", "created": 0, "model": body["model"]}
        choice = {"index": 0, "finish_reason": "tool_calls" if isinstance(answer, Call) else "stop"}
        if not body.get("stream"):
            choices = [{**choice, "message": message}]
            return JSONResponse({**reply, "object": "chat.completion", "choices": choices, "usage": usage})
        chunk = {**reply, "object": "chat.completion.chunk", "choices": [{**choice, "delta": message}]}
        lines = [f"data: {json.dumps(chunk)}\n\n", "data: [DONE]\n\n"]
        return StreamingResponse(iter(lines), media_type="text/event-stream")

    async def _responses(self, request: Request) -> Response:
        """https://platform.openai.com/docs/api-reference/responses ."""
        body = await request.json()
        items = body["input"] if isinstance(body["input"], list) else [{"role": "user", "content": body["input"]}]
        question, results = _since_the_user(
            [(item.get("role") or item.get("type"), item.get("content", item.get("output"))) for item in items],
            user="user",
            tool="function_call_output",
        )
        tools = {tool["name"]: tool["parameters"] for tool in body.get("tools", []) if tool["type"] == "function"}
        answer = self._answer(body, question, results, tools)
        if isinstance(answer, Call):
            output: dict[str, Any] = {"type": "function_call", "id": f"fc_{answer.id}", "call_id": answer.id}
            output |= {"name": answer.name, "arguments": json.dumps(answer.arguments), "status": "completed"}
        else:
            content: list[dict[str, Any]] = [{"type": "output_text", "text": answer, "annotations": []}]
            output = {"type": "message", "id": f"msg_{self.requests}", "role": "assistant", "status": "completed"}
            output |= {"content": content}
        tokens = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        return JSONResponse(
            {
                "id": f"resp_{self.requests}",
                "object": "response",
                "created_at": 0,
                "status": "completed",
                "model": body["model"],
                "output": [output],
                "parallel_tool_calls": False,
                "tool_choice": "auto",
                "tools": [],
                "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, **tokens},
            }
        )

    async def _messages(self, request: Request) -> Response:
        """https://platform.claude.com/docs/en/api/messages ."""
        body = await request.json()
        shown: list[tuple[str | None, Any]] = []
        for message in body["messages"]:
            content: Any = message["content"]
            blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
            for block in blocks:
                if block["type"] == "tool_result":
                    shown.append(("tool", block["content"]))
                elif block["type"] == "text":
                    shown.append((message["role"], block["text"]))
        question, results = _since_the_user(shown, user="user", tool="tool")
        tools = {tool["name"]: tool["input_schema"] for tool in body.get("tools", [])}
        answer = self._answer(body, question, results, tools)
        if isinstance(answer, Call):
            block = {"type": "tool_use", "id": answer.id, "name": answer.name, "input": answer.arguments}
        else:
            block = {"type": "text", "text": answer}
        return JSONResponse(
            {
                "id": f"msg_{self.requests}",
                "type": "message",
                "role": "assistant",
                "model": body["model"],
                "content": [block],
                "stop_reason": "tool_use" if isinstance(answer, Call) else "end_turn",
                "stop_sequence": None,
                "usage": {"input_tokens": 1, "output_tokens": 1},
            }
        )

    async def _gemini(self, request: Request) -> Response:
        """https://ai.google.dev/api/generate-content ."""
        body = await request.json()
        parts: list[tuple[str | None, Any]] = [
            ("tool", part["functionResponse"]["response"])
            if "functionResponse" in part
            else (content.get("role", "user"), part.get("text"))
            for content in body["contents"]
            for part in content["parts"]
        ]
        question, results = _since_the_user(parts, user="user", tool="tool")
        declared = [each for tool in body.get("tools", []) for each in tool.get("functionDeclarations", [])]
        names = ("parametersJsonSchema", "parameters_json_schema", "parameters")
        tools = {each["name"]: next(each[name] for name in names if name in each) for each in declared}
        answer = self._answer(body, question, results, tools)
        if isinstance(answer, Call):
            part: dict[str, Any] = {"functionCall": {"name": answer.name, "args": answer.arguments}}
        else:
            part = {"text": answer}
        candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
        usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
        return JSONResponse({"candidates": [candidate], "usageMetadata": usage})


def _since_the_user(messages: list[tuple[str | None, Any]], *, user: str, tool: str) -> tuple[str, list[Any]]:
    """The user's last words, and what the tools answered after them."""
    last = max(index for index, (role, _) in enumerate(messages) if role == user)
    words = messages[last][1]
    return words if isinstance(words, str) else json.dumps(words), [
        content for role, content in messages[last + 1 :] if role == tool
    ]


def environment(base_url: str) -> dict[str, str]:
    """What points the frameworks' own clients at this model."""
    return {
        "OPENAI_BASE_URL": f"{base_url}/v1",
        "OPENAI_API_KEY": "scripted",
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
        "ANTHROPIC_BASE_URL": base_url,
        "ANTHROPIC_API_KEY": "scripted",
        "GOOGLE_GEMINI_BASE_URL": base_url,
        "GOOGLE_API_KEY": "scripted",
    }


if __name__ == "__main__":
    for name, value in environment("http://127.0.0.1:9500").items():
        print(f"export {name}={value}")
    uvicorn.run(ScriptedModel().app, port=9500, log_level="warning")

"""A language model as a player: it is told the time and the task, sees the tools, and calls them until it has done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from evaluation.place import Host, Tool
from evaluation.player import Record, TooManyCallsError, Usage
from evaluation.scene import DANA, NOW_IN_WORDS, ZONE
from evaluation.task import Task

_HOST_SAYS = f"""\
You are an assistant of Dana Lindqvist ({DANA}) and have the tools of an Outlook calendar server.
It is {NOW_IN_WORDS}, in the zone {ZONE}, which is Dana's.
Do what Dana asks, then say in one or two sentences what you did or found, times as HH:MM.
Nobody can answer a question of yours now: where something is missing or cannot be done, change nothing and say so."""


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model wants to be called; `fault` says what is wrong with its arguments, if anything."""

    id: str
    name: str
    arguments: dict[str, Any] = field(repr=False)
    fault: str = ""


@dataclass(frozen=True)
class ToolResult:
    """What a wanted call answered."""

    call: ToolCall
    text: str = field(repr=False)
    is_error: bool = False


@dataclass(frozen=True)
class Turn:
    """One answer of the model: words, calls that it wants, and what the endpoint says it cost."""

    text: str
    calls: tuple[ToolCall, ...]
    usage: Usage
    cut: str = ""
    """Why the answer ended before the model had done, such as its longest length."""


class Conversation(Protocol):
    """A conversation with a model over one task."""

    async def next(self, results: list[ToolResult]) -> Turn:
        """The model's answer to the task, or to the results of all calls that it wanted last.

        Raises `EndpointError` where there is no answer.
        """
        ...


class ModelClient(Protocol):
    """A way to a model."""

    def begin(self, system: str, asked: str, tools: tuple[Tool, ...]) -> Conversation:
        """Begin a conversation; nothing is sent yet."""
        ...


@dataclass(frozen=True)
class ModelPlayer:
    """Plays tasks with a language model."""

    model: ModelClient

    async def play(self, task: Task, host: Host, record: Record) -> None:
        """Ask, carry out the calls that come back, until none come.

        Raises `EndpointError` and `TooManyCallsError`.
        """
        system = f"{_HOST_SAYS}\n\n{host.instructions}".strip()
        conversation = self.model.begin(system, task.asked, host.tools)
        results: list[ToolResult] = []
        for _ in range(record.most_calls + 1):
            turn = await conversation.next(results)
            record.spent(turn.usage)
            record.answer = turn.text if not turn.cut else f"{turn.text} ({turn.cut})".strip()
            if not turn.calls:
                return
            results = [await self._carry_out(call, host, record) for call in turn.calls]
        raise TooManyCallsError(f"more than {record.most_calls} rounds")

    async def _carry_out(self, call: ToolCall, host: Host, record: Record) -> ToolResult:
        if call.fault:
            return ToolResult(call, call.fault, is_error=True)
        answer = await record.call(host, call.name, call.arguments)
        return ToolResult(call, answer.text, answer.is_error)

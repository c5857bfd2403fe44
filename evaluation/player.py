"""Who plays a task: the script by hand, or a language model. Both only see what the server offers and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from mcp import MCPError

from evaluation.place import Answer, Host
from evaluation.task import Id, Play, Taken, Task

Usage = tuple[int | None, int | None]
"""Tokens that went to a model and came from it, as its endpoint counts them; None where it does not say."""


class TooManyCallsError(Exception):
    """A player made more tool calls than a task may take."""


class ScriptError(Exception):
    """A play names what no answer held, or got another refusal than it says."""


@dataclass
class Record:
    """What happened in a task so far, also where it was broken off."""

    most_calls: int
    calls: list[str] = field(default_factory=list[str])
    """Names of the tools; with an exclamation mark those that were refused."""
    answer_bytes: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    answer: str = ""

    async def call(self, host: Host, tool: str, arguments: dict[str, Any]) -> Answer:
        """Call a tool and note it; raises `TooManyCallsError`."""
        if len(self.calls) >= self.most_calls:
            raise TooManyCallsError(f"more than {self.most_calls} tool calls")
        try:
            answer = await host.call(tool, arguments)
        except MCPError as refused:
            answer = Answer(str(refused), {}, is_error=True)
        self.calls.append(f"{tool}!" if answer.is_error else tool)
        self.answer_bytes += len(answer.text.encode())
        return answer

    def spent(self, usage: Usage) -> None:
        """Add the tokens of one request."""
        given, got = usage
        self.input_tokens = self.input_tokens if given is None else (self.input_tokens or 0) + given
        self.output_tokens = self.output_tokens if got is None else (self.output_tokens or 0) + got


class Player(Protocol):
    """Plays tasks."""

    async def play(self, task: Task, host: Host, record: Record) -> None:
        """Play one task and note what happens, the last words among it."""
        ...


@dataclass(frozen=True)
class ScriptedPlayer:
    """Plays what was written by hand: the play of the task, or another one."""

    other: Play | None = None

    async def play(self, task: Task, host: Host, record: Record) -> None:
        """Make the calls in order, each with the ids that earlier answers named. Raises `ScriptError`."""
        answers: list[dict[str, Any]] = []
        play = self.other or task.play
        for call in play.calls:
            arguments = {name: filled(value, answers) for name, value in call.arguments.items()}
            answer = await record.call(host, call.tool, arguments)
            error = str(cast("dict[str, Any]", answer.content.get("error") or {}).get("code", answer.text))
            if answer.is_error and error != call.refused:
                raise ScriptError(f"{call.tool} was refused: {answer.text}")
            if call.refused and not answer.is_error:
                raise ScriptError(f"{call.tool} was not refused with {call.refused}")
            answers.append(answer.content)
        record.answer = play.answer


def filled(value: Any, answers: list[dict[str, Any]]) -> Any:
    """The argument with what it takes from earlier answers; raises `ScriptError`."""
    match value:
        case Id(subject, on):
            return _event(subject, on, answers)["id"]
        case Taken(path):
            found: Any = answers[-1] if answers else {}
            for step in path:
                found = found[step]
            return found
        case _:
            return value


def _event(subject: str, on: str, answers: list[dict[str, Any]]) -> Mapping[str, Any]:
    for answer in reversed(answers):
        for row in cast("list[dict[str, Any]]", [*answer.get("value", []), answer]):
            if row.get("subject") == subject and str(row["start"]["dateTime"]).startswith(on):
                return row
    raise ScriptError(f"no answer named an event {subject!r} {on}")

"""Runs tasks with a player, several at a time, each in a calendar of its own making, and grades what is left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Literal

import anyio

from evaluation.expectations import Outcome
from evaluation.models import EndpointError
from evaluation.place import Host, Place, open_place
from evaluation.player import Player, Record, ScriptError, TooManyCallsError
from evaluation.task import Task

Grade = Literal["passed", "failed", "not graded"]


@dataclass(frozen=True)
class Limits:
    """How long a task may take, how many calls of tools, and how many tasks run at once."""

    seconds: float = 180.0
    calls: int = 15
    parallel: int = 2


@dataclass(frozen=True)
class Result:
    """How one play of a task went. `problems` say why it failed, or could not be graded."""

    task: str
    repeat: int
    grade: Grade
    problems: tuple[str, ...]
    calls: tuple[str, ...]
    answer_bytes: int
    input_tokens: int | None
    output_tokens: int | None
    seconds: float
    answer: str = field(repr=False, default="")
    hopeless: bool = False
    """Not graded, and no other task would get an answer of the endpoint either."""


async def play_once(task: Task, player: Player, place: Place, host: Host, limits: Limits, repeat: int = 1) -> Result:
    """Seed the calendar, let the player play, grade."""
    before = await place.prepare(task)
    record = Record(limits.calls)
    began = time.monotonic()
    problems: list[str] = []
    grade: Grade | None = None
    hopeless = False
    with anyio.move_on_after(limits.seconds) as scope:
        try:
            await player.play(task, host, record)
        except TooManyCallsError as stopped:
            problems.append(str(stopped))
        except EndpointError as failure:
            grade, problems = "not graded", [f"the endpoint: {failure}"]
            hopeless = failure.hopeless
        except ScriptError as mistake:
            grade, problems = "not graded", [f"the script: {mistake}"]
    if scope.cancelled_caught:
        problems.append(f"not done after {limits.seconds:g} seconds")
    if grade is None:
        problems += task.expected.problems(Outcome(before, await place.state(), record.answer))
        grade = "failed" if problems else "passed"
    return Result(
        task=task.name,
        repeat=repeat,
        grade=grade,
        problems=tuple(problems),
        calls=tuple(record.calls),
        answer_bytes=record.answer_bytes,
        input_tokens=record.input_tokens,
        output_tokens=record.output_tokens,
        seconds=time.monotonic() - began,
        answer=record.answer,
        hopeless=hopeless,
    )


def _broken_off(task: Task, repeat: int, broken: BaseException) -> Result:
    while isinstance(broken, BaseExceptionGroup):
        broken = broken.exceptions[0]
    problem = f"the server or the sandbox: {type(broken).__name__}: {broken}"
    return Result(task.name, repeat, "not graded", (problem,), (), 0, None, None, 0.0)


async def run(
    tasks: Sequence[Task],
    player: Player,
    limits: Limits,
    tell: Callable[[Result], None],
    *,
    repeats: int = 1,
    one_server: bool = False,
) -> None:
    """Play every task `repeats` times and tell each result as soon as it is there.

    `one_server` keeps a server for all tasks of a worker, which is quicker and lets it remember what it saw for some
    minutes; otherwise each play has a process of its own. After a hopeless failure of the endpoint no task begins.
    """
    waiting = iter([(task, number + 1) for number in range(repeats) for task in tasks])
    stopped = False

    async def work() -> None:
        nonlocal stopped
        async with AsyncExitStack() as stack:
            place = await stack.enter_async_context(open_place())
            kept = await stack.enter_async_context(place.host()) if one_server else None
            for task, repeat in waiting:
                if stopped:
                    return
                try:
                    if kept is not None:
                        result = await play_once(task, player, place, kept, limits, repeat)
                    else:
                        async with place.host() as host:
                            result = await play_once(task, player, place, host, limits, repeat)
                except Exception as broken:  # noqa: BLE001 - whatever it is, the other tasks can still be played
                    result = _broken_off(task, repeat, broken)
                stopped = stopped or result.hopeless
                tell(result)

    async with anyio.create_task_group() as workers:
        for _ in range(min(limits.parallel, repeats * len(tasks))):
            workers.start_soon(work)

"""Every task can be solved with the tools, and its check can fail: played by hand, against a real server process."""

from __future__ import annotations

import pytest

from evaluation.place import open_place
from evaluation.player import ScriptedPlayer
from evaluation.runner import Limits, play_once
from evaluation.task import Play
from evaluation.tasks import SUBJECTS, TASKS

LIMITS = Limits(seconds=60)
PARTS = 3
"""Few, because each starts a server; several, because tests run side by side."""


@pytest.mark.parametrize("part", range(PARTS))
async def test_the_script_passes_each_task_and_wrong_plays_fail(part: int) -> None:
    surprises: list[str] = []
    async with open_place() as place, place.host() as host:
        for task in list(TASKS.values())[part::PARTS]:
            result = await play_once(task, ScriptedPlayer(), place, host, LIMITS)
            if result.grade != "passed":
                surprises.append(f"{task.name}: {'; '.join(result.problems)}")
            for wrong, play in {"nothing done": Play((), ""), **task.wrong}.items():
                result = await play_once(task, ScriptedPlayer(play), place, host, LIMITS)
                if result.grade != "failed":
                    surprises.append(f"{task.name}, {wrong}: {result.grade}")
    assert surprises == []


def test_there_are_enough_tasks_and_each_has_a_wrong_play() -> None:
    assert len(TASKS) >= 36
    assert len(TASKS) == sum(len(tasks) for tasks in SUBJECTS.values())
    assert [task.name for task in TASKS.values() if not task.wrong] == []

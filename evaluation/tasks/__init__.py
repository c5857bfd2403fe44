"""All tasks, by subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evaluation.task import Task
from evaluation.tasks.booking import BOOKING
from evaluation.tasks.changing import CHANGING
from evaluation.tasks.finding import FINDING
from evaluation.tasks.invitations import INVITATIONS
from evaluation.tasks.questions import QUESTIONS
from evaluation.tasks.recurring import RECURRING
from evaluation.tasks.strangers import STRANGERS

SUBJECTS: Mapping[str, Sequence[Task]] = {
    "booking": BOOKING,
    "recurring": RECURRING,
    "changing": CHANGING,
    "invitations": INVITATIONS,
    "finding": FINDING,
    "questions": QUESTIONS,
    "strangers": STRANGERS,
}
TASKS: Mapping[str, Task] = {task.name: task for tasks in SUBJECTS.values() for task in tasks}


def chosen(names: Sequence[str]) -> list[Task]:
    """The tasks of these names or subjects, in their usual order; all of them for none. Raises `LookupError`."""
    unknown = [name for name in names if name not in TASKS and name not in SUBJECTS]
    if unknown:
        raise LookupError(f"no task or subject is called {', '.join(unknown)}; --list names all")
    wanted = {task.name for name in names for task in SUBJECTS.get(name, [TASKS[name]] if name in TASKS else [])}
    return [task for task in TASKS.values() if not names or task.name in wanted]

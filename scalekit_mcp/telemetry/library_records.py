"""What is shown of the log records of libraries: from WARNING on, and without anything that could be user data.

A library may put a request, an address or a token into a message, and the next version may do so where this one does
not. So only that part of a message is shown which is a string constant in the source of the function that logs,
arguments only if they are numbers, and the place in the source, where a reader finds the rest.
"""

from __future__ import annotations

import copy
import inspect
import logging
from pathlib import PurePath
from types import CodeType
from typing import Any

OWN = "scalekit_mcp"
SPOKEN: frozenset[str] = frozenset()
"""Loggers of others that are shown below WARNING; none is needed."""

_SHORTEST_CONSTANT = 8


class _NotShown:
    """Stands for an argument of a message."""

    def __str__(self) -> str:
        return "..."

    __repr__ = __str__

    def __format__(self, form: str, /) -> str:
        return "..."


_NOT_SHOWN = _NotShown()


def is_own(name: str) -> bool:
    """Whether this is the name of one of our own loggers."""
    return name == OWN or name.startswith(OWN + ".")


def is_shown(record: logging.LogRecord) -> bool:
    """Whether a record is shown: our own ones always, those of libraries from WARNING on."""
    return record.levelno >= logging.WARNING or is_own(record.name) or record.name in SPOKEN


def without_content(record: logging.LogRecord) -> logging.LogRecord:
    """A copy of a library's record without anything that could be user data.

    Call it while the function that logs still runs; later only the place in the source can be shown.
    """
    cut = copy.copy(record)
    cut.msg, cut.args = _message(record), None
    cut.exc_text = None
    cut.stack_info = None
    return cut


def _message(record: logging.LogRecord) -> str:
    place = f"{PurePath(record.pathname).name}:{record.lineno} in {record.funcName}"
    text: Any = record.msg
    if not isinstance(text, str):
        return f"{text.__class__.__module__}.{text.__class__.__qualname__} ({place})"
    constant = _constant(text, _code(record))
    if not constant:
        return f"({place})"
    if constant != text:
        return f"{constant.strip()} ... ({place})"
    return f"{_filled(text, record.args).strip()} ({place})"


def _filled(template: str, arguments: Any) -> str:
    """The template with its numbers; other arguments are not shown."""
    if not arguments:
        return template
    try:
        if isinstance(arguments, tuple):
            return template % tuple(map(_shown, arguments))  # pyright: ignore[reportUnknownArgumentType]
        return template % {name: _shown(value) for name, value in arguments.items()}
    except (TypeError, ValueError, KeyError, AttributeError):
        return template


def _shown(value: object) -> object:
    return value if isinstance(value, int | float) else _NOT_SHOWN


def _constant(text: str, code: CodeType | None) -> str:
    """The longest string in the source of the function with which the message begins."""
    if code is None:
        return ""
    found = [each for each in code.co_consts if isinstance(each, str) and text.startswith(each)]
    longest = max(found, key=len, default="")
    return longest if longest == text or len(longest) >= _SHORTEST_CONSTANT else ""


def _code(record: logging.LogRecord) -> CodeType | None:
    frame = inspect.currentframe()
    while frame is not None:
        code = frame.f_code
        if code.co_filename == record.pathname and code.co_name == record.funcName:
            return code
        frame = frame.f_back
    return None


__all__ = ["is_own", "is_shown", "without_content"]

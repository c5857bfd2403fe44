"""Removes the values of our statements from the log records of the database libraries; the SQL stays.

`aiosqlite` logs every statement with its values at DEBUG, and SQLAlchemy every row. Ours are records of people, and an
application that embeds the calls may well log at DEBUG.
"""

from __future__ import annotations

import logging
import sqlite3
from functools import partial
from typing import Any, cast

ENGINE_NAME = "scalekit_mcp"
"""Gives our engine and its pool loggers of their own below SQLAlchemy's."""


class OwnConnection(sqlite3.Connection):
    """A connection of ours; its class tells it from those of the application."""


class HideValues(logging.Filter):
    """A filter that removes the values from records about our connections; all records pass, others unchanged."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Remove the values of our statements from the record; always True."""
        if isinstance(record.args, tuple):
            record.args = tuple(map(_cut, record.args))
        return True


_hide_values = HideValues()


def keep_values_out_of_logs() -> None:
    """Install the filters on the loggers of the database libraries; calling it again does nothing."""
    logging.getLogger("aiosqlite").addFilter(_hide_values)
    for name in ("engine.Engine", "pool.impl.AsyncAdaptedQueuePool", "pool"):
        logging.getLogger(f"sqlalchemy.{name}.{ENGINE_NAME}").setLevel(logging.WARNING)


def _cut(value: Any) -> Any:
    if not isinstance(value, partial):
        return value
    call = cast("partial[Any]", value)
    owner: object = getattr(call.func, "__self__", None)
    if not isinstance(getattr(owner, "connection", owner), OwnConnection):
        return call
    statement: object = call.args[0] if call.args else ""
    return f"{call.func.__name__}({statement if isinstance(statement, str) else '...'})"

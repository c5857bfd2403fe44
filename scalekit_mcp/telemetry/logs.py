"""Log lines on stderr: identifiers, never content."""

from __future__ import annotations

import atexit
import json
import logging
import re
import sys
import threading
import traceback
import warnings
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from scalekit_mcp.telemetry.library_records import OWN, is_own, is_shown, without_content
from scalekit_mcp.telemetry.repeats import RepeatLimit
from scalekit_mcp.telemetry.stderr import LineWriter, queue_stderr

AUDIT_LOGGER = "scalekit_mcp.audit"

FIELDS = (
    "event",
    "identifier",
    "connection_name",
    "account_id",
    "tool_name",
    "target_id",
    "outcome",
    "duration_ms",
    "request_ids",
    "trace_id",
    "old_status",
    "new_status",
    "old_reason",
    "new_reason",
    "cause",
    "code",
    "grant",
    "method",
    "route",
    "status_code",
    "request_id",
    "retry_after_seconds",
    "webhook_id",
    "event_type",
    "attempt",
)
"""The closed list of what a log record may carry beside its message (`extra`); nothing else of it is written."""

EVERY_LINE_COUNTS = frozenset({AUDIT_LOGGER, "scalekit_mcp.events", "scalekit_mcp.webhook"})
"""Loggers whose lines are never left out as repetitions: what happened to whom."""

LONGEST_LINE = 16_384
"""Characters of one line; the rest is cut off."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class TextFormatter(logging.Formatter):
    """One line for a person; a line of the audit log is always JSON. An exception shows its kind and its places."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._json = JsonFormatter()

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        if record.name == AUDIT_LOGGER:
            return self._json.format(record)
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """The first line, without anything that would begin another one."""
        return _CONTROLS.sub(" ", super().formatMessage(record))

    def formatException(  # noqa: N802 - the library's name
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        """Kinds and places without messages: an exception of a library may quote what it worked on."""
        return describe_exception(ei[1])


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time` (ISO 8601, UTC), `level`, `logger`, `message`, and what `FIELDS` allows."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({name: value for name in FIELDS if (value := record.__dict__.get(name)) is not None})
        if record.exc_info:
            line["exception"] = describe_exception(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def describe_exception(error: BaseException | None) -> str:
    """An exception and its causes: where each was raised and of which kind it is, without its message."""
    parts: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        frames = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), lookup_lines=False)
        places = "".join(f"  {frame.filename}:{frame.lineno} in {frame.name}\n" for frame in frames)
        parts.append(f"{places}{type(error).__module__}.{type(error).__qualname__}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\ncaused by\n".join(parts)


class ServerLog(logging.Handler):
    """Writes to the queue in front of stderr: never waits, leaves out repetitions and what others' code may quote."""

    def __init__(self, writer: LineWriter, formatter: logging.Formatter, *, limit: RepeatLimit | None = None) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._writer = writer
        self._limit = limit or RepeatLimit(exempt=EVERY_LINE_COUNTS)
        writer.dropped = self._dropped

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the line of a record; a record that cannot be formatted is replaced by a line that says so."""
        if not is_shown(record):
            return
        if not is_own(record.name):
            record = without_content(record)
        for each in self._limit.passed(record):
            self._writer.put(self._line(each))

    def log_rest(self) -> None:
        """Log how many repeated lines were left out since the last count."""
        for each in self._limit.rest():
            self._writer.put(self._line(each))

    def _line(self, record: logging.LogRecord) -> str:
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - a mistake in a log call of a library is no reason to fail here
            record = self._own(logging.ERROR, "A line of %s:%d could not be written", record.filename, record.lineno)
            text = self.format(record)
        if len(text) > LONGEST_LINE:
            text = text[:LONGEST_LINE] + " ..."
        return text + "\n"

    def _dropped(self, number: int) -> str:
        return self._line(self._own(logging.WARNING, "%d lines were dropped: nobody read stderr", number))

    @staticmethod
    def _own(level: int, message: str, *arguments: object) -> logging.LogRecord:
        return logging.LogRecord("scalekit_mcp", level, __file__, 0, message, arguments, None)


def configure_logging(*, level: str, log_format: str) -> None:
    """Log to stderr only: stdout belongs to the protocol. The audit log does not depend on the level.

    Ours follows `level`; loggers of other people's code stay at WARNING, whatever the level. Warnings and exceptions
    that nobody catches become log lines too, so that their text, which may quote content, is not printed.
    """
    queued = queue_stderr()
    if queued is None:
        return
    handler = ServerLog(queued.writer, JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    logging.getLogger(OWN).setLevel(level)
    logging.getLogger(AUDIT_LOGGER).setLevel(logging.INFO)
    warnings.showwarning = _log_warning
    sys.excepthook = _log_uncaught
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_uncaught_in_thread
    atexit.register(handler.log_rest)


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del message, file, line
    logging.getLogger(OWN).warning("%s at %s:%d", category.__qualname__, filename, lineno)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        logging.getLogger(OWN).critical("The process ends: nobody caught this error", exc_info=(kind, error, trace))


def _log_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    error = unraisable.exc_value or unraisable.exc_type()
    logging.getLogger(OWN).error(
        "An error could not be raised", exc_info=(type(error), error, unraisable.exc_traceback)
    )


def _log_uncaught_in_thread(arguments: threading.ExceptHookArgs) -> None:
    name = arguments.thread.name if arguments.thread else "unknown"
    error = arguments.exc_value or arguments.exc_type()
    logging.getLogger(OWN).error(
        "The thread %s ended: nobody caught this error",
        name,
        exc_info=(type(error), error, arguments.exc_traceback),
    )

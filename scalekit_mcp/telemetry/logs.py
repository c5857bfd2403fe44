"""Log lines on stderr: identifiers, never content."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

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


def configure_logging(*, level: str, log_format: str) -> None:
    """Log to stderr only: stdout belongs to the protocol. The audit log does not depend on the level."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger(AUDIT_LOGGER).setLevel(logging.INFO)
    for name in ("httpx2", "httpcore2", "aiosqlite", "uvicorn", "mcp", "opentelemetry"):
        # Addresses of requests carry codes and filters: never logged, whatever the level. The rest of these is noise.
        logging.getLogger(name).setLevel(logging.WARNING)

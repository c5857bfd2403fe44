"""Logs, metrics and spans. They hold identifiers, never the content of calendars.

Ground floor, and light: nothing of OpenTelemetry is imported before the first span.
"""

from scalekit_mcp.telemetry.log_redaction import RedactUrls
from scalekit_mcp.telemetry.logs import (
    AUDIT_LOGGER,
    FIELDS,
    JsonFormatter,
    ServerLog,
    TextFormatter,
    configure_logging,
    describe_exception,
)
from scalekit_mcp.telemetry.metrics import SECONDS, Metrics
from scalekit_mcp.telemetry.repeats import RepeatLimit
from scalekit_mcp.telemetry.spans import (
    TRACER,
    ToolCall,
    Traced,
    export_spans,
    note_request_id,
    noting,
    target_id,
    traced,
)
from scalekit_mcp.telemetry.stderr import LineWriter, QueuedStderr, queue_stderr

__all__ = [
    "AUDIT_LOGGER",
    "FIELDS",
    "SECONDS",
    "TRACER",
    "JsonFormatter",
    "LineWriter",
    "Metrics",
    "QueuedStderr",
    "RedactUrls",
    "RepeatLimit",
    "ServerLog",
    "TextFormatter",
    "ToolCall",
    "Traced",
    "configure_logging",
    "describe_exception",
    "export_spans",
    "note_request_id",
    "noting",
    "queue_stderr",
    "target_id",
    "traced",
]

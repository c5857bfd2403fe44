"""What a process shows of itself: log lines, counters and spans. Identifiers, never content.

Ground floor, and light: OpenTelemetry's interface is imported with the first span and does nothing until somebody
installs a provider. Sources: "Prometheus text exposition format", "OpenTelemetry semantic conventions for HTTP spans".
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
from bisect import bisect_left
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Span

AUDIT_LOGGER = "scalekit_mcp.audit"
TRACER = "scalekit_mcp"

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

_TARGET_ID = re.compile(r"[A-Za-z0-9_\-=+/]{16,512}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


# Log lines


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


# Counters

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the buckets of a histogram of durations."""

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Histogram:
    buckets: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    total: float = 0.0


class Metrics:
    """The numbers of one process, as Prometheus reads them.

    Names are given without a prefix. Label values are words of closed lists, never a person's; a family that has grown
    to `most_series` takes no more.
    """

    def __init__(self, *, prefix: str = "scalekit_mcp_", most_series: int = 500) -> None:
        self._prefix = prefix
        self._most_series = most_series
        self._lock = threading.Lock()
        self._counters: dict[str, dict[Labels, float]] = {}
        self._gauges: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[str, dict[Labels, _Histogram]] = {}

    def count(self, name: str, by: float = 1, /, **labels: str) -> None:
        """Add to a counter; its name ends in `_total`."""
        with self._lock:
            series = self._counters.setdefault(name, {})
            key = tuple(labels.items())
            if key in series or len(series) < self._most_series:
                series[key] = series.get(key, 0) + by

    def observe(self, name: str, seconds: float, /, **labels: str) -> None:
        """Put a duration into a histogram; its name ends in `_seconds`."""
        with self._lock:
            series = self._histograms.setdefault(name, {})
            key = tuple(labels.items())
            found = series.get(key)
            if found is None:
                if len(series) >= self._most_series:
                    return
                found = series[key] = _Histogram()
            found.buckets[bisect_left(SECONDS, seconds)] += 1
            found.total += seconds

    def gauge(self, name: str, value: float, /, **labels: str) -> None:
        """Say how much there is now."""
        with self._lock:
            self._gauges.setdefault(name, {})[tuple(labels.items())] = value

    def render(self) -> str:
        """All numbers in the text format 0.0.4."""
        lines: list[str] = []
        with self._lock:
            for kind, families in (("counter", self._counters), ("gauge", self._gauges)):
                for name, series in sorted(families.items()):
                    lines.append(f"# TYPE {self._prefix}{name} {kind}")
                    lines += [f"{self._prefix}{name}{_shown(key)} {value:g}" for key, value in sorted(series.items())]
            for name, histograms in sorted(self._histograms.items()):
                lines.append(f"# TYPE {self._prefix}{name} histogram")
                for key, found in sorted(histograms.items()):
                    lines += self._histogram_lines(name, key, found)
        return "\n".join(lines) + "\n" if lines else ""

    def _histogram_lines(self, name: str, key: Labels, found: _Histogram) -> list[str]:
        lines: list[str] = []
        count = 0
        for bound, number in zip((*map(str, SECONDS), "+Inf"), found.buckets, strict=True):
            count += number
            lines.append(f"{self._prefix}{name}_bucket{_shown((*key, ('le', bound)))} {count}")
        lines.append(f"{self._prefix}{name}_sum{_shown(key)} {found.total:.6f}")
        lines.append(f"{self._prefix}{name}_count{_shown(key)} {count}")
        return lines


def _shown(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


# One tool call


@dataclass(slots=True)
class ToolCall:
    """What is noted while a tool call runs: the request ids of Microsoft Graph, and the id of what it acted on."""

    tool_name: str
    request_ids: list[str] = field(default_factory=list[str])
    target_id: str | None = None
    trace_id: str | None = None


_running: ContextVar[ToolCall | None] = ContextVar("scalekit_mcp_tool_call", default=None)


@contextmanager
def noting(tool_name: str) -> Generator[ToolCall]:
    """Note what the tool call inside the block does; tasks that it starts note into the same place."""
    call = ToolCall(tool_name, trace_id=_trace_id())
    token = _running.set(call)
    try:
        yield call
    finally:
        _running.reset(token)


def note_request_id(request_id: str | None) -> None:
    """Note the id that Microsoft Graph gave a request of the call that runs, if one runs."""
    call = _running.get()
    if call is not None and request_id and len(call.request_ids) < 50 and _TARGET_ID.fullmatch(request_id):
        call.request_ids.append(request_id)


def target_id(*candidates: Mapping[str, Any] | None) -> str | None:
    """The id of the event that a call acted on: from its result, else from its arguments; None for anything else.

    A model may put any text where an id belongs; what does not look like an id is not repeated.
    """
    for given in candidates:
        for name in ("event_id", "id"):
            value = given.get(name) if given else None
            if isinstance(value, str) and _TARGET_ID.fullmatch(value):
                return value
    return None


# Spans


class Traced:
    """One span. Only what is handed over is recorded: no exception, no message, no argument."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def note(self, **attributes: str | float | bool | None) -> None:
        """Attach attributes; a double underscore stands for a dot, None for nothing."""
        if self._span.is_recording():
            for name, value in attributes.items():
                if value is not None:
                    self._span.set_attribute(name.replace("__", "."), value)

    def failed(self, error_type: str) -> None:
        """Mark the span as failed with a word of a closed list."""
        if self._span.is_recording():
            from opentelemetry.trace import Status, StatusCode

            self._span.set_attribute("error.type", error_type)
            self._span.set_status(Status(StatusCode.ERROR))


@contextmanager
def traced(
    name: str, *, client: bool = False, error_type: Callable[[Exception], str] | None = None, **attributes: str
) -> Generator[Traced]:
    """A span below the one that runs. An exception goes through and leaves its `error_type` alone, never its text."""
    from opentelemetry.trace import INVALID_SPAN, ProxyTracerProvider, SpanKind, get_tracer, get_tracer_provider

    if isinstance(get_tracer_provider(), ProxyTracerProvider):  # nobody listens: a tenth of the cost
        yield Traced(INVALID_SPAN)
        return
    with get_tracer(TRACER).start_as_current_span(
        name,
        kind=SpanKind.CLIENT if client else SpanKind.INTERNAL,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        found = Traced(span)
        found.note(**attributes)
        try:
            yield found
        except Exception as exc:
            found.failed(error_type(exc) if error_type else type(exc).__qualname__)
            raise


def export_spans(*, endpoint: str, service_name: str, version: str) -> bool:
    """Send spans to an OTLP collector, if one is named and the extra `otel` is installed; whether they are sent.

    All further settings are OpenTelemetry's own (`OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_SAMPLER`, ...).
    """
    if not endpoint:
        return False
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logging.getLogger(TRACER).warning(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but no spans are sent: install scalekit-mcp[otel]."
        )
        return False
    from opentelemetry.trace import set_tracer_provider

    resource = Resource.create({"service.name": service_name, "service.version": version})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    set_tracer_provider(provider)
    return True


def _trace_id() -> str | None:
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None

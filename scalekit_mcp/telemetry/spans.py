"""Spans, and the request ids that are collected while a tool call runs.

OpenTelemetry's interface is imported with the first span and does nothing until somebody installs a provider.
Source: "OpenTelemetry semantic conventions for HTTP spans".
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Span

TRACER = "scalekit_mcp"

_TARGET_ID = re.compile(r"[A-Za-z0-9_\-=+/]{16,512}")

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
    """Collect what the tool call inside the block notes; tasks that it starts note into the same object."""
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
    """One span. It records only what is passed to it: no exception, no message, no argument."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def note(self, **attributes: str | float | bool | None) -> None:
        """Attach attributes; a double underscore stands for a dot, None for nothing."""
        if self._span.is_recording():
            for name, value in attributes.items():
                if value is not None:
                    self._span.set_attribute(name.replace("__", "."), value)

    def failed(self, error_type: str) -> None:
        """Mark the span as failed; the error type is a word of a closed list."""
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
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but no spans are sent: install scalekit-mcp with its extra otel."
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

"""OpenTelemetry spans: tool, refresh and Graph, nested, with no content in them."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2 as httpx
import pytest
from opentelemetry import trace
from telemetry_support import CONTENT, a_day, observed

from scalekit_mcp.actions.embedded.instrumentation import InstrumentedClient
from scalekit_mcp.calendar.mailbox import EventQuery, Form, Span
from scalekit_mcp.errors import ScalekitMCPError
from scalekit_mcp.microsoft.graph.client import GraphClient, GraphSession
from scalekit_mcp.microsoft.graph.endpoint import DirectGraph
from scalekit_mcp.microsoft.graph.mailbox import GraphMailbox
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.telemetry import Metrics, noting, traced
from tests.support.clock import HandClock
from tests.support.microsoft import BASE_URL, GRAPH_URL, FixedToken, signed_in_token


@pytest.fixture(scope="module")
def exporter():
    """OpenTelemetry takes one provider in the life of a process."""
    sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="the extra `otel` is not installed")
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


async def test_graph_calls_and_refreshes_lie_below_their_tool_call(exporter):
    exporter.clear()
    async with observed() as seen:
        await a_day(seen)
        secrets = seen.secrets()
    spans = {span.context.span_id: span for span in exporter.get_finished_spans()}

    def ancestors(span):
        while span.parent is not None and span.parent.span_id in spans:
            span = spans[span.parent.span_id]
            yield span.name

    named = {}
    for span in spans.values():
        named.setdefault(span.name, []).append(span)
    (created,) = named["POST /me/events"]
    assert "execute outlook_create_calendar_event" in ancestors(created)
    assert created.attributes["http.response.status_code"] == 201
    assert len(named["refresh"]) == 2
    for refresh in named["refresh"]:
        assert "execute outlook_get_calendar_event" in ancestors(refresh)
    assert named["refresh"][1].attributes["error.type"] == "AADSTS50173"
    assert any("refresh" in ancestors(span) for span in named["POST token"])
    text = json.dumps([json.loads(span.to_json()) for span in spans.values()])
    for planted in (*CONTENT, *secrets):
        assert planted not in text


def test_an_exception_leaves_its_kind_alone_in_a_span(exporter):
    exporter.clear()
    with pytest.raises(ValueError, match="Zanzibar"), traced("work"):
        raise ValueError("planted Zanzibar")
    (span,) = exporter.get_finished_spans()
    assert span.attributes["error.type"] == "ValueError"
    assert span.events == ()
    assert "Zanzibar" not in span.to_json()


@pytest.mark.usefixtures("exporter")
def test_an_audit_line_names_the_trace_that_it_belongs_to():
    with traced("outer") as _, noting("tool") as call:
        assert call.trace_id == f"{trace.get_current_span().get_span_context().trace_id:032x}"


async def test_every_request_to_graph_names_its_route_and_none_of_the_ids_in_it(exporter):
    sandbox, clock, plan = Sandbox(), HandClock(), "secret plan"
    token = await signed_in_token(sandbox, "dana@company.com")
    exporter.clear()
    async with InstrumentedClient(
        Metrics(), graph_url=GRAPH_URL, transport=httpx.ASGITransport(app=sandbox.app), base_url=BASE_URL
    ) as http:
        session = GraphSession(
            GraphClient(http, endpoint=DirectGraph(GRAPH_URL), clock=clock), FixedToken(token), "dana"
        )
        mailbox = GraphMailbox(session, owner_id="Zanzibar")
        query = EventQuery(Form(), top=2, calendar_id=plan)
        span = Span(clock.now(), clock.now() + timedelta(days=1))
        event = {"subject": "Zanzibar"}
        for call in (
            mailbox.get("AAMkAD=", Form()),
            mailbox.exceptions("AAMkAD=", ("id",)),
            mailbox.list(query),
            mailbox.list(replace(query, calendar_id=None)),
            mailbox.view(query, span),
            mailbox.view(replace(query, calendar_id=None), span),
            mailbox.instances("AAMkAD=", query, span),
            mailbox.create(event, calendar_id=plan, form=Form()),
            mailbox.create(event, calendar_id=None, form=Form()),
            mailbox.update("AAMkAD=", event, form=Form(), etag=None),
            mailbox.delete("AAMkAD="),
            mailbox.cancel("AAMkAD=", "Zanzibar"),
            *(mailbox.purge("AAMkAD=", address) for address in mailbox.purge_addresses),
            mailbox.calendars(("id",)),
        ):
            with suppress(ScalekitMCPError):
                await call
    spans = exporter.get_finished_spans()
    assert {span.name for span in spans} == {
        "GET /me/events",
        "GET /me/events/{id}",
        "GET /me/events/{id}/instances",
        "GET /me/calendarView",
        "GET /me/calendars",
        "GET /me/calendars/{id}/events",
        "GET /me/calendars/{id}/calendarView",
        "POST /me/events",
        "POST /me/calendars/{id}/events",
        "POST /me/events/{id}/cancel",
        "POST /me/events/{id}/permanentDelete",
        "POST /users/{id}/events/{id}/permanentDelete",
        "PATCH /me/events/{id}",
        "DELETE /me/events/{id}",
    }
    text = json.dumps([json.loads(span.to_json()) for span in spans])
    assert not [planted for planted in ("Zanzibar", "AAMkAD", plan) if planted in text]


def test_a_collector_without_the_extra_is_a_warning_and_not_a_failure():
    program = (
        "import sys, logging; logging.basicConfig()\n"
        "sys.modules['opentelemetry.exporter'] = None\n"
        "from scalekit_mcp.telemetry import export_spans\n"
        "print(export_spans(endpoint='http://127.0.0.1:9', service_name='s', version='1'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "False"
    assert "its extra otel" in done.stderr


def test_nothing_of_opentelemetrys_sdk_is_imported_without_a_collector():
    program = (
        "import sys\n"
        "from scalekit_mcp.telemetry import export_spans\n"
        "export_spans(endpoint='', service_name='s', version='1')\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_spans_reach_a_collector_that_the_environment_names():
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra `otel` is not installed")
    received: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(self.rfile.read(int(self.headers["content-length"])))
            assert self.path == "/v1/traces"
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class has
            """Quiet."""

    program = (
        "import os\n"
        "from opentelemetry import trace\n"
        "from scalekit_mcp.telemetry import export_spans, traced\n"
        "assert export_spans(endpoint=os.environ['OTEL_EXPORTER_OTLP_ENDPOINT'], service_name='cal', version='1')\n"
        "with traced('execute tool'):\n    pass\n"
        "trace.get_tracer_provider().shutdown()"
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        subprocess.run([sys.executable, "-c", program], check=True, env=environment, timeout=60)
        server.shutdown()
    text = gzip.decompress(received[0]) if received[0][:2] == b"\x1f\x8b" else received[0]
    assert b"execute tool" in text
    assert b"cal" in text

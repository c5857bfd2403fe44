"""Numbers in Prometheus' text format: right sums, closed labels, no content."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from telemetry_support import CONTENT, a_day, observed

from scalekit_mcp.server.metrics import AccountNumbers, CallMetrics
from scalekit_mcp.telemetry import SECONDS, Metrics

SAMPLE = re.compile(r'^([a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})? (\S+)$')


def samples(text):
    """Every sample of the text format, which has to be well formed."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# TYPE [a-z_]+ (counter|gauge|histogram)", line)
            continue
        match = SAMPLE.match(line)
        assert match, line
        found[match[1] + (match[2] or "")] = float(match[3])
    return found


def test_a_counter_sums_by_label():
    metrics = Metrics()
    metrics.count("calls_total", tool="a")
    metrics.count("calls_total", 2, tool="a")
    metrics.count("calls_total", tool="b")
    found = samples(metrics.render())
    assert found == {'scalekit_mcp_calls_total{tool="a"}': 3, 'scalekit_mcp_calls_total{tool="b"}': 1}


@given(st.lists(st.floats(min_value=0, max_value=100), max_size=50))
def test_the_buckets_of_a_histogram_are_cumulative_and_end_with_the_count(durations):
    metrics = Metrics()
    for seconds in durations:
        metrics.observe("call_seconds", seconds)
    found = samples(metrics.render())
    for bound in SECONDS if durations else ():
        expected = sum(seconds <= bound for seconds in durations)
        assert found[f'scalekit_mcp_call_seconds_bucket{{le="{bound}"}}'] == expected
    if durations:
        assert found['scalekit_mcp_call_seconds_bucket{le="+Inf"}'] == len(durations)
        assert found["scalekit_mcp_call_seconds_count"] == len(durations)


@given(st.text(max_size=30))
def test_no_label_value_breaks_the_format(value):
    metrics = Metrics()
    metrics.count("calls_total", tool=value)
    assert len(metrics.render().split("\n")) == 3


def test_a_family_does_not_grow_without_end():
    metrics = Metrics(most_series=10)
    for number in range(50):
        metrics.count("calls_total", tool=str(number))
        metrics.observe("call_seconds", 1, tool=str(number))
    text = metrics.render()
    assert text.count("calls_total{") == 10
    assert text.count("call_seconds_count{") == 10


async def test_a_day_of_calls_is_counted_by_outcome_and_shows_no_content():
    async with observed() as seen:
        await a_day(seen)
        page = await CallMetrics(
            seen.metrics, gather=AccountNumbers(seen.metrics, seen.actions, connection_name=None)
        ).page()
    found = samples(page)
    assert found['scalekit_mcp_refreshes_total{outcome="ok"}'] == 1
    assert found['scalekit_mcp_refreshes_total{outcome="permanent"}'] == 1
    assert found['scalekit_mcp_code_redemptions_total{outcome="ok"}'] == 1
    assert found['scalekit_mcp_graph_throttles_total{status="429"}'] == 1
    assert found['scalekit_mcp_graph_errors_total{status="400"}'] == 1
    assert found['scalekit_mcp_graph_requests_total{method="POST",status="201"}'] == 1
    assert found['scalekit_mcp_connected_accounts{status="REVOKED"}'] == 1
    assert found['scalekit_mcp_connected_accounts{status="ACTIVE"}'] == 0
    moved = 'scalekit_mcp_status_changes_total{old_status="ACTIVE",new_status="REVOKED",cause="refresh_refused"}'
    assert found[moved] == 1
    for planted in (*CONTENT, *seen.secrets(), "ana"):
        assert f'"{planted}"' not in page
        assert planted == "ana" or planted not in page

"""What a monitoring system reads: tool calls by outcome and how long they took, in Prometheus' text format."""

from __future__ import annotations

from collections import Counter, defaultdict

BUCKETS_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class CallMetrics:
    """Counts the calls of one process. Labels are names of the catalogue and closed words, never a caller's."""

    def __init__(self) -> None:
        self._calls: Counter[tuple[str, str]] = Counter()
        self._buckets: Counter[tuple[str, float]] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._counts: Counter[str] = Counter()

    def observe(self, tool_name: str, outcome: str, seconds: float) -> None:
        """Count one finished call."""
        self._calls[tool_name, outcome] += 1
        self._counts[tool_name] += 1
        self._seconds[tool_name] += seconds
        for bound in BUCKETS_SECONDS:
            if seconds <= bound:
                self._buckets[tool_name, bound] += 1

    def render(self) -> str:
        """The counters as text."""
        lines = ["# TYPE scalekit_mcp_tool_calls_total counter"]
        lines += [
            f'scalekit_mcp_tool_calls_total{{tool="{tool}",outcome="{outcome}"}} {count}'
            for (tool, outcome), count in sorted(self._calls.items())
        ]
        lines.append("# TYPE scalekit_mcp_tool_call_seconds histogram")
        for tool, count in sorted(self._counts.items()):
            name = "scalekit_mcp_tool_call_seconds"
            lines += [f'{name}_bucket{{tool="{tool}",le="{b}"}} {self._buckets[tool, b]}' for b in BUCKETS_SECONDS]
            lines.append(f'{name}_bucket{{tool="{tool}",le="+Inf"}} {count}')
            lines.append(f'{name}_sum{{tool="{tool}"}} {self._seconds[tool]:.6f}')
            lines.append(f'{name}_count{{tool="{tool}"}} {count}')
        return "\n".join(lines) + "\n"

"""Counters and histograms of one process. Source: "Prometheus text exposition format"."""

from __future__ import annotations

import threading
from bisect import bisect_left
from dataclasses import dataclass, field

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
        """Add a duration, in seconds, to a histogram; its name ends in `_seconds`."""
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
        """Set the present value of a gauge."""
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

"""Lines that a stranger can cause again and again are written so often a minute; then one line counts the rest."""

from __future__ import annotations

import logging

import pytest

from scalekit_mcp.telemetry import LineWriter, RepeatLimit, ServerLog, TextFormatter
from scalekit_mcp.telemetry.logs import EVERY_LINE_COUNTS

REFUSED = "A caller of %s was refused: %d %s"


class Hand:
    """A clock by hand, in seconds."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def record(message=REFUSED, arguments=("/mcp", 401, "invalid_token"), name="scalekit_mcp.server", level=20, **extra):
    made = logging.LogRecord(name, level, "file.py", 1, message, arguments, None)
    made.__dict__.update(extra)
    return made


def texts(records):
    return [entry.getMessage() for entry in records]


@pytest.fixture
def clock():
    return Hand()


@pytest.fixture
def limit(clock):
    return RepeatLimit(exempt=EVERY_LINE_COUNTS, most=3, seconds=60.0, now=clock)


def test_what_differs_in_its_arguments_alone_is_the_same_line(limit):
    out = [each for number in range(500) for each in limit.passed(record(arguments=(f"/{number}", 401, "no_token")))]
    assert len(out) == 3


def test_after_the_minute_one_line_says_how_many_more_there_were(limit, clock):
    for _ in range(500):
        limit.passed(record())
    clock.seconds += 61
    told = limit.passed(record("Something else", ()))
    assert texts(told) == [f"497 more lines like this one were left out: {REFUSED}", "Something else"]
    assert texts(limit.passed(record())) == ["A caller of /mcp was refused: 401 invalid_token"]


@pytest.mark.parametrize(
    "other",
    [
        record("Not ready: %s", ("x",)),
        record(name="scalekit_mcp.server.web.app"),
        record(level=30),
        record(status_code=404),
    ],
    ids=["another template", "another logger", "another level", "another status"],
)
def test_another_line_is_counted_for_itself(limit, other):
    for _ in range(500):
        limit.passed(record())
    assert limit.passed(other) == [other]


@pytest.mark.parametrize("name", sorted(EVERY_LINE_COUNTS))
def test_audit_lines_and_changes_of_status_are_never_left_out(limit, name):
    out = [each for _ in range(500) for each in limit.passed(record(name=name))]
    assert len(out) == 500


def test_calls_that_succeed_are_never_left_out(limit):
    out = [each for _ in range(500) for each in limit.passed(record("REST %s: %d", ("x", 200), status_code=200))]
    assert len(out) == 500


def test_what_is_not_told_yet_is_told_at_the_end(limit):
    for _ in range(10):
        limit.passed(record())
    assert texts(limit.rest()) == [f"7 more lines like this one were left out: {REFUSED}"]
    assert limit.rest() == []


def test_endless_new_templates_keep_the_memory_flat(limit):
    for number in range(5000):
        limit.passed(record(f"template {number}", ()))
    assert len(limit._seen) <= 1000


def test_a_flood_of_refusals_of_a_library_is_written_a_bounded_number_of_times():
    lines: list[str] = []
    writer = LineWriter(lines.append)
    log = ServerLog(writer, TextFormatter())
    for number in range(5000):
        log.handle(record(f"Invalid Host header: host-{number}", (), name="mcp.server.transport_security", level=30))
    log.log_rest()
    assert writer.close(30)
    told = "".join(lines).splitlines()
    assert len(told) == 61
    assert "4940 more lines like this one were left out" in told[-1]

"""The queue in front of stderr: it takes text without waiting, loses what is too much, and says how much."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from collections.abc import Iterator

import click
import pytest

from scalekit_mcp.telemetry import JsonFormatter, LineWriter, QueuedStderr, ServerLog, TextFormatter


class Reader:
    """Who reads stderr: begins when told to, and keeps what came."""

    def __init__(self) -> None:
        self.may_read = threading.Event()
        self.asked = threading.Event()
        self.heard = ""

    def write(self, text: str) -> None:
        self.asked.set()
        assert self.may_read.wait(30)
        self.heard += text


@pytest.fixture
def reader() -> Iterator[Reader]:
    made = Reader()
    yield made
    made.may_read.set()


def log_over(writer: LineWriter, formatter: logging.Formatter) -> ServerLog:
    return ServerLog(writer, formatter)


def own(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("scalekit_mcp.audit", logging.INFO, "file.py", 1, message, arguments, None)


def test_text_is_taken_while_nobody_reads_and_comes_out_in_order_once_somebody_does(reader: Reader) -> None:
    writer = LineWriter(reader.write)
    for number in range(1000):
        writer.put(f"{number}\n")
    assert not writer.close(0.01)
    reader.may_read.set()
    assert writer.close(30)
    assert reader.heard.split() == [str(number) for number in range(1000)]


class Parts:
    """What a writer with a pause of ten minutes wrote, part by part; the first part is written already."""

    def __init__(self) -> None:
        self.written = threading.Event()
        self.parts: list[str] = []
        self.writer = LineWriter(self._write, most=1000, pause_seconds=600)
        self.writer.put("first\n")
        assert self.written.wait(30)
        self.written.clear()

    def _write(self, text: str) -> None:
        self.parts.append(text)
        self.written.set()


def test_lines_that_come_soon_after_another_are_written_together() -> None:
    after_first = Parts()
    after_first.writer.put("second\n")
    assert not after_first.written.wait(0.2)
    after_first.writer.put("third\n")
    assert after_first.writer.close(30)
    assert after_first.parts == ["first\n", "second\nthird\n"]


def test_no_line_waits_once_half_of_the_room_is_taken() -> None:
    after_first = Parts()
    after_first.writer.put("x" * 600)
    assert after_first.written.wait(30)


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
def test_what_is_too_much_is_dropped_and_counted_in_one_line(reader: Reader, formatter: logging.Formatter) -> None:
    writer = LineWriter(reader.write, most=10_000)
    log = log_over(writer, formatter)
    log.handle(own("first"))
    assert reader.asked.wait(30)  # the writer waits for the reader now
    for number in range(1000):
        log.handle(own("line %d %s", number, "x" * 100))
    reader.may_read.set()
    assert writer.close(30)
    *lines, last = reader.heard.splitlines()
    assert "first" in lines[0]
    assert 0 < len(lines) - 1 < 100
    assert f"{1000 - len(lines) + 1} lines were dropped: nobody read stderr" in last


def test_after_a_loss_lines_are_written_again(reader: Reader) -> None:
    writer = LineWriter(reader.write, most=10)
    writer.put("0123456789")
    assert reader.asked.wait(30)
    writer.put("0123456789")
    writer.put("lost")
    reader.may_read.set()
    assert writer.close(30)
    writer.put("again\n")
    assert writer.close(30)
    assert reader.heard.endswith("1 texts were dropped: nobody read stderr\nagain\n")


def test_a_stderr_that_is_closed_ends_nothing() -> None:
    def write(text: str) -> None:
        raise BrokenPipeError(text)

    writer = LineWriter(write)
    writer.put("nobody hears this")
    assert writer.close(30)
    writer.put("nor this")
    assert writer.close(30)


def test_prints_warnings_tracebacks_and_click_go_through_the_queue_unread() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as pipe:
        with os.fdopen(writing, "w", encoding="utf-8") as stream:
            queued = QueuedStderr(stream)
            before, sys.stderr = sys.stderr, queued
            try:
                for _ in range(20):  # more than a pipe takes
                    print("p" * 4096, file=sys.stderr)  # noqa: T201
                    click.echo("c" * 4096, err=True)
                    sys.stderr.write("w" * 4096 + "\n")
                sys.stderr.write("without an end")
                sys.stderr.flush()
            finally:
                sys.stderr = before
            assert not queued.writer.close(0.01)
            drained = threading.Thread(target=lambda: heard.append(pipe.read()))
            heard: list[str] = []
            drained.start()
            assert queued.writer.close(30)
        drained.join(30)
    assert heard[0].count("\n") == 60
    assert heard[0].endswith("\nwithout an end")
    assert {line[0] for line in heard[0].splitlines()} == {"p", "c", "w"}


def test_what_the_stream_cannot_encode_is_shown_as_an_escape() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="cp1252")
    queued = QueuedStderr(stream)
    queued.write("caf\u00e9 \u4f1a\n")
    assert queued.writer.close(30)
    stream.flush()
    assert raw.getvalue() == b"caf\xe9 \\u4f1a\n"


def test_bytes_are_refused_as_by_any_text_stream() -> None:
    with pytest.raises(TypeError):
        QueuedStderr(io.StringIO()).write(b"bytes")  # type: ignore[arg-type]

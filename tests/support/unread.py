"""What a process meets when nobody reads what it writes, and how large it grows."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

from tests.support.mcp_messages import INITIALIZE, INITIALIZED

MOST_GROWTH = 12 * 2**20
"""Bytes that a process may gain between a tenth of many calls and their end."""


@contextlib.contextmanager
def full_pipe() -> Generator[int]:
    """The writing end of a pipe that takes nothing more: whoever writes to it waits for good."""
    reading, writing = os.pipe()
    try:
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"x" * 4096)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"x")
        os.set_blocking(writing, True)
        yield writing
    finally:
        os.close(writing)
        os.close(reading)


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 where the system has no /proc."""
    shown = Path(f"/proc/{pid}/statm")
    return int(shown.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") if shown.exists() else 0


@contextlib.contextmanager
def started(command: list[str], **streams: Any) -> Generator[subprocess.Popen[str]]:
    """A process with pipes at stdin and stdout unless told otherwise; killed if it outlives the block."""
    given: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, **streams}
    process: subprocess.Popen[str] = subprocess.Popen(command, **given)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()


class Wire:
    """The client's side of a stdio server, message by message."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        self.process = process
        self._stdin = process.stdin
        self._last = 0

    def send(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            self._stdin.write(json.dumps(message) + "\n")
        self._stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the server has ended"
        message: dict[str, Any] = json.loads(line)
        return message

    def initialize(self) -> None:
        self.send(INITIALIZE)
        assert "result" in self.receive()
        self.send(INITIALIZED)

    def request(self, method: str, **params: Any) -> dict[str, Any]:
        """A request that is not sent yet, under an id of its own."""
        self._last += 1
        return {"jsonrpc": "2.0", "id": self._last, "method": method, "params": params}

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """One tool call and its structured result."""
        request = self.request("tools/call", name=tool, arguments=arguments)
        self.send(request)
        answer = self.receive()
        assert answer["id"] == request["id"]
        told: dict[str, Any] = answer["result"]["structuredContent"]
        return told

    def close(self) -> None:
        self._stdin.close()

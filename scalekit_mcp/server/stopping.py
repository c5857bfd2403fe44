"""Stopping a process: stop signals become a call on the event loop, and a deadline works without the loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

from scalekit_mcp.telemetry import QueuedStderr

logger = logging.getLogger(__name__)

END_SECONDS = 4.0
"""How long a process that was told to stop may live on after its calls had their time."""

FORCED_STATUS = 1
"""The exit status of a process that had to be ended by force."""

_LOG_SECONDS = 0.5


class StopDeadline:
    """Ends the process by force if it does not end by itself in time.

    A thread of its own waits, so that no event loop, no lock and no join of another thread can hold it up: what makes
    a process hang is not known beforehand. It stays armed after serving, for the end of the interpreter.
    """

    def __init__(self, *, end: Callable[[int], object] = os._exit) -> None:
        self._end = end
        self._orders: queue.SimpleQueue[float] = queue.SimpleQueue()  # its `put` takes no lock that can be held
        threading.Thread(target=self._wait, name="stop deadline", daemon=True).start()

    def begin(self, seconds: float) -> None:
        """End the process `seconds` and `END_SECONDS` from now at the latest; the earliest of several calls counts."""
        self._orders.put(time.monotonic() + seconds + END_SECONDS)

    def _wait(self) -> None:
        end = self._orders.get()
        while (left := end - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                end = min(end, self._orders.get(timeout=left))
        telling = threading.Thread(target=_log_forced_end, name="stop deadline words", daemon=True)
        telling.start()
        telling.join(2 * _LOG_SECONDS)  # whoever hangs may hold the log's lock
        self._end(FORCED_STATUS)


def _log_forced_end() -> None:
    logger.error(
        "Told to stop, and still running after the calls had their time: ended by force, exit status %d", FORCED_STATUS
    )
    if isinstance(sys.stderr, QueuedStderr):
        sys.stderr.writer.close(_LOG_SECONDS)


@contextlib.contextmanager
def on_stop_signal(
    stop: Callable[[], object],
    *,
    again: Callable[[], bool] = lambda: False,
    at_once: Callable[[], object] = lambda: None,
) -> Generator[None]:
    """Turn the signals that end a process into a call of `stop` on the event loop; the second one ends it at once.

    As long as `again` says so, a further signal is one more call of `stop` instead. `at_once` is called first, in a
    thread, which learns of the signal also where the main thread hangs and runs no handler of Python. Outside the main
    thread, where Python delivers no signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    numbers: set[int] = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)}

    def watch(reading: socket.socket) -> None:
        stopping = False
        with reading, contextlib.suppress(RuntimeError):  # the loop has closed
            while noted := reading.recv(64):
                for number in filter(numbers.__contains__, noted):
                    if stopping and not again():
                        os._exit(128 + number)
                    stopping = True
                    at_once()
                    loop.call_soon_threadsafe(stop)

    def noted(number: int, frame: object) -> None:
        """The interpreter has written the number for the thread; nothing is left to do."""

    reading, writing = socket.socketpair()
    with writing:
        writing.setblocking(False)  # as `set_wakeup_fd` asks for; nobody shares this one
        threading.Thread(target=watch, args=(reading,), name="signals", daemon=True).start()
        previous_wakeup = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        previous: dict[int, Any] = {number: signal.signal(number, noted) for number in numbers}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(previous_wakeup)


__all__ = ["END_SECONDS", "FORCED_STATUS", "StopDeadline", "on_stop_signal"]

"""The signals that end a process, as a call on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Generator
from typing import Any


@contextlib.contextmanager
def on_stop_signal(stop: Callable[[], object], *, again: Callable[[], bool] = lambda: False) -> Generator[None]:
    """Turn the signals that end a process into a call of `stop` on the event loop; the second one ends it at once.

    As long as `again` says so, a further signal is one more call of `stop` instead. Outside the main thread, where
    Python delivers no signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    previous: dict[int, Any] = {}
    stopping = False

    def handle(number: int, frame: Any) -> None:
        nonlocal stopping
        del frame
        if stopping and not again():
            os._exit(128 + number)
        stopping = True
        loop.call_soon_threadsafe(stop)

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            previous[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

"""A limit on repeated log lines, because a stranger without a token can cause any number of them."""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

MOST_REPEATS = 60
"""How many lines of one message template are written in a minute."""

REPEAT_SECONDS = 60.0

_MOST_TEMPLATES = 1000


@dataclass(slots=True)
class _Seen:
    since: float
    record: logging.LogRecord
    count: int = 0


class RepeatLimit:
    """Lets `most` records of one template through in `seconds`; then one record says how many more there were.

    Records count as the same when logger, level, template and HTTP status agree: what differs in their arguments is
    what a stranger chooses. `exempt` names the loggers that are never limited, because each of their lines counts.
    """

    def __init__(
        self,
        *,
        exempt: frozenset[str] = frozenset(),
        most: int = MOST_REPEATS,
        seconds: float = REPEAT_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exempt = exempt
        self._most = most
        self._seconds = seconds
        self._now = now
        self._lock = threading.RLock()
        self._seen: dict[tuple[object, ...], _Seen] = {}
        self._next_look = 0.0

    def passed(self, record: logging.LogRecord) -> list[logging.LogRecord]:
        """The records to write when this record arrives: counts of earlier repeats, then perhaps the record itself."""
        with self._lock:
            now = self._now()
            out = self._ended(now)
            if self._counts(record):
                key = (record.name, record.levelno, record.msg, record.__dict__.get("status_code"))
                seen = self._seen.get(key)
                if seen is None:
                    if len(self._seen) >= _MOST_TEMPLATES:
                        out += self.rest()
                    seen = self._seen[key] = _Seen(now, record)
                seen.count += 1
                if seen.count > self._most:
                    return out
            return [*out, record]

    def rest(self) -> list[logging.LogRecord]:
        """The counts that were not written yet; resets them."""
        with self._lock:
            seen, self._seen = self._seen, {}
        return [record for each in seen.values() for record in self._more(each)]

    def _counts(self, record: logging.LogRecord) -> bool:
        if record.name in self._exempt:
            return False
        status = record.__dict__.get("status_code")
        return not isinstance(status, int) or status >= 400

    def _ended(self, now: float) -> list[logging.LogRecord]:
        if now < self._next_look:
            return []
        self._next_look = now + 1.0
        ended = [key for key, seen in self._seen.items() if now - seen.since >= self._seconds]
        return [record for key in ended for record in self._more(self._seen.pop(key))]

    def _more(self, seen: _Seen) -> list[logging.LogRecord]:
        more = seen.count - self._most
        if more <= 0:
            return []
        record = copy.copy(seen.record)
        record.msg, record.args = f"{more} more lines like this one were left out: {seen.record.msg}", None
        record.exc_info = record.exc_text = record.stack_info = None
        record.created = time.time()
        return [record]


__all__ = ["MOST_REPEATS", "REPEAT_SECONDS", "RepeatLimit"]

"""The sandbox's own time, which can be moved and stopped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class SandboxClock:
    """Wall time plus an offset that can be moved, or a fixed instant."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        """The sandbox's present, an aware datetime in UTC."""
        if self._frozen is not None:
            return self._frozen
        return datetime.now(UTC) + self._offset

    def advance(self, seconds: float) -> None:
        """Move the present forward."""
        if self._frozen is not None:
            self._frozen += timedelta(seconds=seconds)
        else:
            self._offset += timedelta(seconds=seconds)

    def freeze(self, at: datetime | None) -> None:
        """Stop the clock at `at`, or let it run again from there (None)."""
        if at is None and self._frozen is not None:
            self._offset = self._frozen - datetime.now(UTC)
        self._frozen = at

"""What this process has seen of records: a record that comes back older than that was put back."""

from __future__ import annotations

from collections.abc import Hashable

MOST_FLOORS = 50_000
"""How many records are remembered; one more forgets the one that was seen longest ago."""

Floor = tuple[str, int]
"""The id of a record and its version."""


class Floors:
    """By what a record is found: the newest version of it that was read or written here.

    Ask before a read begins, compare after it: a write that ends meanwhile must not make the read look old.
    """

    def __init__(self) -> None:
        self._seen: dict[Hashable, Floor] = {}

    def of(self, key: Hashable) -> Floor | None:
        """What was seen so far."""
        return self._seen.get(key)

    def saw(self, key: Hashable, record_id: str, version: int) -> None:
        """Remember a record as it was read or written."""
        known = self._seen.pop(key, None)
        if known is not None and known[0] == record_id:
            version = max(version, known[1])
        if len(self._seen) >= MOST_FLOORS:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = (record_id, version)


def is_older(floor: Floor | None, record_id: str, version: int) -> bool:
    """Whether a record is older than what was seen before it was read."""
    return floor is not None and floor[0] == record_id and version < floor[1]

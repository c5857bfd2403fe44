"""The newest version of each record that this process has read or written.

A record that is read later with a lower version was replaced by an old copy of itself.
"""

from __future__ import annotations

from collections.abc import Hashable

MAX_SEEN_VERSIONS = 50_000
"""How many records are remembered; one more forgets the one that was seen longest ago."""

SeenVersion = tuple[str, int]
"""The id of a record and its version."""


class SeenVersions:
    """The newest version seen of each record, under the key by which the record is found.

    Call `of` before a read begins and `is_older` after it, so that a write which ends in between does not make the read
    look old.
    """

    def __init__(self) -> None:
        self._seen: dict[Hashable, SeenVersion] = {}

    def of(self, key: Hashable) -> SeenVersion | None:
        """The id and the newest version seen under this key; None if nothing was seen."""
        return self._seen.get(key)

    def saw(self, key: Hashable, record_id: str, version: int) -> None:
        """Remember a record as it was read or written."""
        known = self._seen.pop(key, None)
        if known is not None and known[0] == record_id:
            version = max(version, known[1])
        if len(self._seen) >= MAX_SEEN_VERSIONS:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = (record_id, version)


def is_older(seen: SeenVersion | None, record_id: str, version: int) -> bool:
    """Whether a record that was read has a lower version than the same record had before."""
    return seen is not None and seen[0] == record_id and version < seen[1]

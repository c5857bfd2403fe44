"""Which language a reader wants, by the header `Accept-Language`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_MOST_CHARACTERS: Final = 1000
_RANGE: Final = re.compile(
    r"(\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)(?:[ \t]*;[ \t]*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?"
)


def preferred(accept_language: str | None, available: Sequence[str]) -> str:
    """The best of the `available` languages (RFC 9110 section 12.5.4); the first of them if the reader wants none.

    A range without a language of its own falls back to a shorter one, `de-AT` to `de` (RFC 4647 section 3.4). Of
    ranges with the same weight the first counts. What is not a range is ignored.
    """
    wanted: list[tuple[float, str]] = []
    for part in (accept_language or "")[:_MOST_CHARACTERS].split(","):
        found = _RANGE.fullmatch(part.strip(" \t"))
        if found is not None:
            wanted.append((float(found[2] or 1), found[1].casefold()))
    refused = {tag for weight, tag in wanted if weight == 0}
    known = {tag.casefold(): tag for tag in available}
    for _, tag in sorted((each for each in wanted if each[0] > 0), key=lambda each: -each[0]):
        if tag == "*":
            left = [other for other in available if other.casefold() not in refused]
            if left:
                return left[0]
            continue
        subtags = tag.split("-")
        for length in range(len(subtags), 0, -1):
            shorter = "-".join(subtags[:length])
            if shorter in known and shorter not in refused:
                return known[shorter]
    return available[0]

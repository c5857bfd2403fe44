"""Shortens answers that are too long for a model, and says what was cut."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

MAX_ANSWER_CHARACTERS = 60_000
"""Most characters of one answer as JSON text: some fifteen thousand tokens of a model's context."""

MAX_ERROR_CHARACTERS = 20_000
"""The same for an error, which is told twice: in prose and as an object."""

_LEAST_CHARACTERS = 40
_ROOM_FOR_A_WARNING = 800
_NAMES_IN_A_WARNING = 5
_LONGEST_PART = 100
_CUT = " [...]"

to_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def shortened(answer: Mapping[str, Any], limit: int) -> tuple[dict[str, Any], list[str]]:
    """A copy of a JSON object of at most `limit` characters, and what was cut, as parts of a sentence.

    The largest members give up most: long text is cut at its end, a long list keeps its first members.
    """
    sizes = {name: len(to_json(value)) for name, value in answer.items()}
    names = {name: len(to_json(name)) + 2 for name in answer}
    room = limit - 2
    kept: list[str] = []
    for name, size in sizes.items():
        room -= names[name] + min(size, _LEAST_CHARACTERS)
        if room < 0:
            break
        kept.append(name)
    largest = _largest_allowed([sizes[name] for name in kept], limit - 2 - sum(names[name] for name in kept))
    result: dict[str, Any] = {}
    cut: list[str] = []
    for name in kept:
        result[name] = answer[name]
        if sizes[name] > largest:
            result[name], how = _smaller(answer[name], largest)
            cut.append(f"{name} ({how})")
    cut += [f"{name} (left out)" for name in answer if name not in result]
    return result, cut


def _largest_allowed(sizes: list[int], room: int) -> int:
    """How large a member may be so that all, the larger ones cut to this, have room."""
    left = len(sizes)
    for size in sorted(sizes):
        if size * left > room:
            return max(room // left, 2)
        room -= size
        left -= 1
    return max(sizes, default=0)


def fitted(answer: Mapping[str, Any], limit: int = MAX_ANSWER_CHARACTERS) -> tuple[dict[str, Any], str]:
    """The answer and its JSON text, shortened with a warning where it is too long for a model."""
    text = to_json(answer)
    if len(text) <= limit:
        return dict(answer), text
    smaller, cut = shortened(answer, limit - _ROOM_FOR_A_WARNING)
    said = smaller.get("warnings")
    told = [*(cast("list[str]", said) if isinstance(said, list) else []), shortening_warning(cut, limit)]
    smaller |= {"warnings": told}
    return smaller, to_json(smaller)


def shortening_warning(cut: list[str], limit: int = MAX_ANSWER_CHARACTERS) -> str:
    """The sentence about what `shortened` cut."""
    cut = [how if len(how) <= _LONGEST_PART else f"{how[:_LONGEST_PART]}..." for how in cut]
    more = f" and {len(cut) - _NAMES_IN_A_WARNING} more" if len(cut) > _NAMES_IN_A_WARNING else ""
    return (
        f"To keep this answer below {limit} characters, these were cut: {', '.join(cut[:_NAMES_IN_A_WARNING])}{more}."
    )


def _smaller(value: Any, wanted: int) -> tuple[Any, str]:
    """The value in at most `wanted` characters of JSON, and how; None where nothing of it fits."""
    if isinstance(value, str):
        text = value.removesuffix(_CUT)
        while text and len(to_json(text)) + len(_CUT) > wanted:
            text = text[: min(len(text) - 1, len(text) * wanted // (len(to_json(text)) + len(_CUT)))]
        return f"{text}{_CUT}" if text else None, f"first {len(text)} characters"
    if isinstance(value, list):
        members = cast("list[Any]", value)
        kept, used = 0, 2
        for member in members:
            used += len(to_json(member)) + 1
            if used > wanted:
                break
            kept += 1
        return members[:kept], f"first {kept} of {len(members)}"
    if isinstance(value, dict):
        smaller, cut = shortened(cast("dict[str, Any]", value), wanted)
        return smaller, ", ".join(cut)
    return None, "left out"

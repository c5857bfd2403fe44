"""Makes text that other people wrote safe to show.

Subjects, bodies and names are written by people outside. They come back as data; what could reorder or break text on
its way to a model or a terminal (control characters, bidirectional overrides, lone surrogates) is replaced, what nobody
sees is taken out (`tools.invisible`), and very long text is cut.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from scalekit_mcp.tools import has_hidden, without_hidden

MAX_TEXT_CHARACTERS = 20_000
"""Longest string of an answer; about five thousand words of a meeting's description."""

REPLACEMENT = "\ufffd"

# C0 without tab and line feed, DEL, C1; embeddings, overrides and isolates (Unicode Standard Annex 9); lone surrogates,
# which no UTF-8 encoder takes.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


_ORDINARY_JSON = re.compile(r'(?:[^\\]++|\\[nt"\\])*+')
"""JSON text without the escape of a control character that is replaced. Possessive, so that it never goes back."""


def neutralise(text: str) -> str:
    """The text, unsafe characters replaced by U+FFFD, without what nobody sees, Windows line ends as line feeds."""
    if not text.isprintable():
        text = _UNSAFE.sub(REPLACEMENT, text.replace("\r\n", "\n"))
    return without_hidden(text)


def neutralised(value: Any) -> tuple[Any, bool]:
    """A copy of a JSON value with all its strings neutralised, and whether one of them was cut at the limit."""
    cut = False

    def clean(part: Any) -> Any:
        nonlocal cut
        if isinstance(part, str):
            if part.isascii() and part.isprintable() and len(part) <= MAX_TEXT_CHARACTERS:
                return part  # most texts of an answer, so that the checks are worth their place here
            if len(part) > MAX_TEXT_CHARACTERS:
                cut = True
                part = part[:MAX_TEXT_CHARACTERS] + " [...]"
            return neutralise(part)
        if isinstance(part, dict):
            members = cast("Mapping[str, Any]", part).items()
            return {clean(key): clean(member) for key, member in members}
        if isinstance(part, list):
            return [clean(member) for member in cast("list[Any]", part)]
        return part

    return clean(value), cut


def is_harmless(json_text: str) -> bool:
    """Whether a JSON value needs no `neutralised`, told from its text: one pass instead of one for every string.

    Control characters show as escapes there; an unprintable character or a long text only asks for a closer look.
    """
    if len(json_text) > MAX_TEXT_CHARACTERS or not json_text.isprintable() or not _ORDINARY_JSON.fullmatch(json_text):
        return False
    return not has_hidden(json_text)


def microsofts_words(message: str) -> str:
    """One line of Microsoft's own explanation, fit for an error message: at most 300 characters."""
    line = " ".join(neutralise(message).split())
    return line if len(line) <= 300 else line[:297] + "..."

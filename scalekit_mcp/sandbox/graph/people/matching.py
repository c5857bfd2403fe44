"""How a search for people reads names: every word begins a part of a name or address, also with a slip of the pen."""

from __future__ import annotations

import re
import unicodedata

_BETWEEN = re.compile(r"[\s\-.,_@#]+")
_SHORTEST_FUZZY = 4


def matches(query: str, texts: list[str], *, fuzzy: bool) -> bool:
    """Whether every word of a query begins a word of one of the texts; `fuzzy`: also with one letter different."""
    words = [word for text in texts for word in words_of(text)]
    return all(any(_begins(word, wanted, fuzzy) for word in words) for wanted in words_of(query))


def words_of(text: str) -> list[str]:
    """The words of a text without case and accents."""
    plain = "".join(part for part in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(part))
    return [word for word in _BETWEEN.split(plain) if word]


def _begins(word: str, wanted: str, fuzzy: bool) -> bool:
    if word.startswith(wanted):
        return True
    if not fuzzy or len(wanted) < _SHORTEST_FUZZY:
        return False
    return any(_one_apart(word[:length], wanted) for length in (len(wanted) - 1, len(wanted), len(wanted) + 1))


def _one_apart(one: str, other: str) -> bool:
    """Whether one letter was changed, left out or added."""
    if abs(len(one) - len(other)) > 1:
        return False
    short, long = sorted((one, other), key=len)
    at = next((place for place, letter in enumerate(short) if letter != long[place]), len(short))
    if len(short) == len(long):
        return short[at + 1 :] == long[at + 1 :]
    return short[at:] == long[at + 1 :]

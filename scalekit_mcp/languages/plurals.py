"""Plural categories of whole numbers, by language.

Source: Unicode CLDR, "Language Plural Rules". Five rules of one line each; a library for all languages (Babel, 10 MB of
data) would bring dates and currencies that no page shows. A test compares the table with `Intl.PluralRules`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

CATEGORIES: Final = frozenset({"zero", "one", "two", "few", "many", "other"})

_MILLION: Final = 1_000_000


def _one_or_other(count: int) -> str:
    return "one" if count == 1 else "other"


def _french(count: int) -> str:
    return "one" if count in (0, 1) else _many_or_other(count)


def _spanish(count: int) -> str:
    return "one" if count == 1 else _many_or_other(count)


def _many_or_other(count: int) -> str:
    return "many" if count != 0 and count % _MILLION == 0 else "other"


def _other(count: int) -> str:
    del count
    return "other"


PLURALS: Mapping[str, tuple[Callable[[int], str], frozenset[str]]] = {
    "en": (_one_or_other, frozenset({"one", "other"})),
    "de": (_one_or_other, frozenset({"one", "other"})),
    "fr": (_french, frozenset({"one", "many", "other"})),
    "es": (_spanish, frozenset({"one", "many", "other"})),
    "ja": (_other, frozenset({"other"})),
}
"""For each language: the category of a count, and all categories that it has."""

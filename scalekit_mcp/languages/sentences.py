"""Sentences by key, and their words in one language, out of one file per language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from scalekit_mcp.languages.plurals import CATEGORIES, PLURALS

LANGUAGES: Final = tuple(PLURALS)
"""The languages that there are files for, as BCP 47 tags; the first one is for readers who want none of them."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """What to say, without the words: a key of the language files and the facts that stand in its places.

    A fact is a text that is shown as it is, a count, or another sentence. `str()` gives the English words, for logs,
    models and programs.
    """

    key: str
    facts: tuple[tuple[str, str | int | Sentence], ...] = ()

    def __str__(self) -> str:
        return words_in(LANGUAGES[0]).text(self)

    @classmethod
    def from_json(cls, value: Any) -> Sentence:
        """The sentence that `dataclasses.asdict` took apart and JSON carried.

        Raises:
            ValueError: it is none, or one of another version of this program.
        """
        try:
            facts = [(name, cls.from_json(fact) if isinstance(fact, dict) else fact) for name, fact in value["facts"]]
            sentence = cls(value["key"], tuple(facts))
            str(sentence)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("It is no sentence of this program.") from error
        return sentence


def said(key: str, **facts: str | int | Sentence) -> Sentence:
    """A sentence with its facts; `count` chooses the plural form."""
    return Sentence(key, tuple(facts.items()))


def verbatim(text: str) -> Sentence:
    """A text that has no translation."""
    return said("language.verbatim", text=text)


class Words:
    """The words of one language. `direction` is `ltr` or `rtl`."""

    def __init__(self, language: str, table: Mapping[str, str | Mapping[str, str]]) -> None:
        self.language = language
        self.table = table
        self.direction = str(table["language.direction"])
        self._category = PLURALS[language][0]

    def pattern(self, key: str, count: object = None) -> str:
        """The words under a key, with their places in braces; raises KeyError for a key that no file has."""
        found = self.table[key]
        if isinstance(found, str):
            return found
        return found[self._category(count if isinstance(count, int) else 0)]

    def text(self, sentence: Sentence) -> str:
        """The sentence as plain text."""
        facts = {name: self.text(fact) if isinstance(fact, Sentence) else fact for name, fact in sentence.facts}
        return self.pattern(sentence.key, facts.get("count")).format_map(facts)


@cache
def words_in(language: str) -> Words:
    """The words of one of `LANGUAGES`; the file is read once."""
    import tomllib

    text = Path(__file__).with_name(f"{language}.toml").read_text(encoding="utf-8")
    return Words(language, dict(_entries("", tomllib.loads(text))))


def _entries(prefix: str, table: Mapping[str, Any]) -> list[tuple[str, str | Mapping[str, str]]]:
    """Every key with its path; a table of plural forms is one entry."""
    found: list[tuple[str, str | Mapping[str, str]]] = []
    for name, value in table.items():
        key = f"{prefix}{name}"
        if isinstance(value, str):
            found.append((key, value))
        elif set(value) <= CATEGORIES:
            found.append((key, cast("dict[str, str]", value)))
        else:
            found += _entries(f"{key}.", value)
    return found

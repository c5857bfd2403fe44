"""The language files: every key in every language, with the same places, and every key that the program says."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import scalekit_mcp
from scalekit_mcp.languages import LANGUAGES, Sentence, Words, said, verbatim, words_in
from scalekit_mcp.languages.plurals import PLURALS

PACKAGE = Path(scalekit_mcp.__file__).parent
SAID = re.compile(r'(?:said|\bt)\(\s*"([a-z_0-9.]+)"')
"""What Python and templates say by a whole key."""
COMPOSED = {
    "account.refused_": ("personal", "organization"),
    "approval.": ("mail", "mail_product"),
    "connect.": ("asks", "product_asks", "service_asks", "product_service_asks"),
    "home.": ("title", "title_product", "session_token", "gateway", "none", "microsoft", "oidc"),
    "consent.": ("named_published", "named_unverified", "nameless_published", "nameless_unverified"),
    "consent.warn_": ("computer", "scheme", "other_host"),
    "trouble.": ("vault", "misconfigured", "unavailable", "ours"),
    "trouble": (".user_next", ".nobody_next", ".operator_next", ".it_admin_next"),
}
"""Keys whose end is decided while the program runs."""
SPOKEN_BY_TABLES = ("permission.", "microsoft.", "microsoft_next.", "id_token.", "scalekit.", "home.")
"""Sections whose keys stand in tables of the code, without their prefix."""


def forms(words: Words) -> list[tuple[str, str]]:
    """Every pattern with its key; each plural form is one."""
    found: list[tuple[str, str]] = []
    for key, value in words.table.items():
        found += [(key, value)] if isinstance(value, str) else [(key, form) for form in value.values()]
    return found


def places(pattern: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}


def sources() -> list[Path]:
    return [path for ending in ("*.py", "*.html") for path in PACKAGE.rglob(ending)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_is_in_every_language_with_the_same_places(language: str) -> None:
    english, words = words_in("en"), words_in(language)
    assert set(words.table) == set(english.table)
    wanted = {key: places(pattern) for key, pattern in forms(english)}
    assert [(key, pattern) for key, pattern in forms(words) if places(pattern) != wanted[key]] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_plurals_have_the_categories_of_their_language(language: str) -> None:
    categories = PLURALS[language][1]
    plural = {key: value for key, value in words_in(language).table.items() if not isinstance(value, str)}
    assert plural
    assert {key: set(value) for key, value in plural.items() if set(value) != categories} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_is_plain_text_without_markup(language: str) -> None:
    for key, pattern in forms(words_in(language)):
        assert not re.search(r"<|&\w+;", pattern), key
        assert pattern == pattern.strip() or key.startswith("approval.") or key == "language.verbatim", key


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_nothing_was_left_in_english(language: str) -> None:
    english, words = words_in("en"), words_in(language)
    same = {key for key, value in words.table.items() if value == english.table[key] and len(str(value)) > 20}
    assert same == set()


def test_what_the_program_says_is_in_the_files_and_what_is_in_the_files_is_said() -> None:
    table, text = words_in("en").table, "".join(path.read_text(encoding="utf-8") for path in sources())
    whole = set(SAID.findall(text))
    composed = {f"{start}{end}" for start, ends in COMPOSED.items() for end in ends}
    assert {key for key in whole | composed if key not in table and key[-1] not in "._"} == set()
    silent = [key for key in table if key not in whole | composed and not key.startswith(SPOKEN_BY_TABLES)]
    silent = [key for key in silent if not key.startswith("language.")]
    assert silent == []
    in_tables = [key for key in table if key.startswith(SPOKEN_BY_TABLES) and key not in whole]
    unused = [key for key in in_tables if not re.search(rf'["_.]{re.escape(key.partition(".")[2])}["_]', text)]
    assert [key for key in unused if not key.endswith(("_next", "_alone"))] == []


def test_a_sentence_is_english_for_programs_and_its_facts_are_shown_as_they_are() -> None:
    assert str(said("connected.message", mailbox="{x} %s dana@contoso.example")) == (
        "The calendar of {x} %s dana@contoso.example is connected."
    )
    inside = said("account.switched", known=said("account.another"), signed_in="dana@contoso.example")
    assert "belongs to another account, but dana@contoso.example" in str(inside)
    assert str(verbatim("{curly}")) == "{curly}"


def test_a_count_chooses_the_plural_form() -> None:
    assert str(said("link.expired", count=1)).endswith("1 minute.")
    assert str(said("link.expired", count=15)).endswith("15 minutes.")


def test_a_sentence_survives_json() -> None:
    import json
    from dataclasses import asdict

    sentence = said("account.switched", known=said("account.another"), signed_in="ana", count=2)
    assert Sentence.from_json(json.loads(json.dumps(asdict(sentence)))) == sentence

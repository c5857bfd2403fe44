import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.calendar.text import MAX_TEXT_CHARACTERS, is_harmless, microsofts_words, neutralise, neutralised

HARMFUL = ["\x00", "\x07", "\x1b", "\x7f", "\x9b", "\u202a", "\u202e", "\u2066", "\u2069", "\ud800"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize("character", HARMFUL, ids=ascii)
def test_a_harmful_character_of_a_subject_never_comes_out_raw(character: str):
    assert neutralise(f"Invoice{character}txt.exe") == "Invoice\ufffdtxt.exe"


@pytest.mark.parametrize("text", ["Grüße", "日本語", "שלום", "a\tb\nc", "👩‍💻"])
def test_ordinary_text_of_any_language_stays_as_it_is(text: str):
    assert neutralise(text) == text


def test_windows_line_ends_become_line_feeds():
    assert neutralise("one\r\ntwo") == "one\ntwo"


@given(json_values)
def test_every_string_of_an_answer_is_clean_encodable_and_nothing_else_changes(value: object):
    clean, cut = neutralised(value)
    assert not cut
    text = json.dumps(clean, ensure_ascii=False)
    text.encode()
    assert not any(ord(c) < 32 or "\u202a" <= c <= "\u202e" or "\u2066" <= c <= "\u2069" for c in text)
    assert neutralised(clean) == (clean, False)


def test_harmful_text_is_replaced_at_any_depth_and_in_names():
    clean, _ = neutralised({"a\u202e": [{"b": "\x1b[31m"}], "n": 3, "f": None})
    assert clean == {"a\ufffd": [{"b": "\ufffd[31m"}], "n": 3, "f": None}


def test_a_long_body_is_cut_and_the_cut_is_told():
    clean, cut = neutralised({"body": {"content": "x" * (MAX_TEXT_CHARACTERS + 1)}})
    assert cut
    assert clean["body"]["content"] == "x" * MAX_TEXT_CHARACTERS + " [...]"


def test_a_body_of_just_the_allowed_length_is_whole():
    text = "x" * MAX_TEXT_CHARACTERS
    assert neutralised(text) == (text, False)


def test_microsofts_words_are_one_bounded_line():
    said = microsofts_words("No.\r\nBecause \u202e" + "y" * 500)
    assert said.startswith("No. Because \ufffd")
    assert len(said) == 300
    assert "\n" not in said


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


@given(json_values)
def test_what_is_harmless_as_json_text_is_not_changed(value: object):
    if is_harmless(as_json(value)):
        assert neutralised(value) == (value, False)


@pytest.mark.parametrize("character", [*HARMFUL, "\b", "\f", "\r", "\u200b"], ids=ascii)
def test_a_harmful_character_shows_in_json_text(character: str):
    assert not is_harmless(as_json({"body": [f"a{character}b"]}))


@pytest.mark.parametrize("text", ["a\nb", 'say "hi"', "C:\\dir", "a\tb", "Grüße 日本語"])
def test_line_feeds_and_quotes_are_harmless_in_json_text(text: str):
    assert is_harmless(as_json({"body": text}))

"""One reader of confirmation codes: what people type, what chats paste, and what cannot be a code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.confirmation_code import CODE_CHARACTERS, MAX_TYPED_CHARACTERS, new_code, read_code

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

AS_TYPED = {
    "a full stop between": "ABCD.01GH",
    "an en dash": "ABCD\u201301GH",
    "an em dash with blanks": "ABCD \u2014 01GH",
    "a minus sign": "ABCD\u221201GH",
    "a non-breaking hyphen": "ABCD\u201101GH",
    "an underscore": "ABCD_01GH",
    "no-break and thin blanks": "ABCD\u00a001\u2009GH",
    "a tab and a line end": "ABCD\t01GH\r\n",
    "lower case": "abcd01gh",
    "letters for digits": "ABCDOIGH",
    "small letters for digits": "abcdolgh",
    "full-width letters and digits": "\uff21\uff22\uff23\uff24\uff10\uff11\uff27\uff28",
    "digits of another script": "ABCD\u0660\u0661GH",
    "zero-width characters": "\u200bAB\u200cCD\u2060\u200d01GH\ufeff",
    "a variation selector": "ABCD01GH\ufe0f",
    "a direction mark": "\u200eABCD01GH\u202c",
    "straight quotes": '"ABCD01GH"',
    "curly quotes": "\u201cABCD-01GH\u201d",
    "a full stop at the end": "ABCD-01GH.",
    "a marked-up code": "**`ABCD-01GH`**",
    "single characters apart": "A B C D 0 1 G H",
}

NO_CODE = {
    "nothing": "",
    "blanks": " \u200b ",
    "one character short": "ABCD01G",
    "one character more": "ABCD01GHJ",
    "a letter that no code has": "ABCDU1GH",
    "a letter of another script": "\u0410BCD01GH",
    "a sentence": "the code is ABCD-01GH",
    "a very long text": "ABCD01GH" + " " * MAX_TYPED_CHARACTERS,
    "none": None,
    "true": True,
    "a fraction": 1234567.5,
    "a list": ["ABCD01GH"],
    "a negative number": -12345678,
    "an endless number": 10**5000,
}


@pytest.mark.parametrize("typed", AS_TYPED.values(), ids=AS_TYPED.keys())
def test_a_code_is_read_however_it_is_typed_or_pasted(typed: str) -> None:
    assert read_code(typed) == "ABCD01GH"


@pytest.mark.parametrize("typed", NO_CODE.values(), ids=NO_CODE.keys())
def test_what_cannot_be_a_code_is_none(typed: object) -> None:
    assert read_code(typed) is None


def test_a_code_of_digits_may_come_as_a_number() -> None:
    assert read_code(12345678) == "12345678"


def test_every_new_code_is_read_as_itself() -> None:
    for _ in range(200):
        code = new_code()
        assert len(code) == CODE_CHARACTERS
        assert read_code(code) == code


@given(st.text())
def test_any_text_is_a_code_of_the_alphabet_or_none(typed: str) -> None:
    read = read_code(typed)
    assert read is None or (len(read) == CODE_CHARACTERS and set(read) <= set(ALPHABET))


def test_no_single_character_decorates_a_code_into_another_one() -> None:
    for point in range(0x20000):
        assert read_code(f"ABCD{chr(point)}01GH") in (None, "ABCD01GH"), hex(point)

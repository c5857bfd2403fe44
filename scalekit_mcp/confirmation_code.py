"""The confirmation code that a consent page shows and a person types: how it is made, and how it is read.

Eight characters of Crockford's alphabet (digits and capital letters without I, L, O and U). Every place that takes a
code reads it by `read_code`, so that one text means the same to a tool argument, a form, Python and the vault.

Source: Douglas Crockford, "Base 32": O is read as 0, I and L as 1; hyphens and case do not count.
"""

from __future__ import annotations

import secrets
import unicodedata

from scalekit_mcp.errors import InvalidInput

CODE_CHARACTERS = 8
MAX_TYPED_CHARACTERS = 200
"""Longest text that is looked at; a code with quotes, blanks and invisible characters around it stays far below."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOK_ALIKES = str.maketrans("OIL", "011")


def new_code() -> str:
    """A fresh random code."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(CODE_CHARACTERS))


def read_code(typed: object) -> str | None:
    """The code in what somebody typed or pasted; None for a text (or another value) that cannot be a code.

    Only letters and digits count: blanks, dashes, quotes, full stops and invisible characters around and between them
    are passed over, wide letters and the digits of other scripts are read as plain ones. Such a None cannot be any
    sign-in's code, so whoever is told so learns nothing, and it need not count as a wrong try.
    """
    if isinstance(typed, bool) or not isinstance(typed, str | int):
        return None
    if isinstance(typed, int):
        if not 0 <= typed < 10**CODE_CHARACTERS:
            return None
        typed = str(typed)
    if len(typed) > MAX_TYPED_CHARACTERS:
        return None
    kept = "".join(_letter_or_digit(sign) for sign in unicodedata.normalize("NFKC", typed))
    code = kept.upper().translate(_LOOK_ALIKES)
    return code if len(code) == CODE_CHARACTERS and set(code) <= set(_ALPHABET) else None


def not_a_code() -> InvalidInput:
    """The refusal of a text that cannot be a code; the text stays out of it, because it may hold one."""
    return InvalidInput(
        "This cannot be a confirmation code; it was not counted as a try.",
        field="confirmation_code",
        next_step="Ask the user for the 8 characters that the page shows after signing in.",
    )


def _letter_or_digit(sign: str) -> str:
    """The character if it can be part of a code, "" if it only decorates one; a foreign letter stays and spoils it."""
    if unicodedata.category(sign)[0] not in "LN":
        return ""
    digit = unicodedata.decimal(sign, None)
    return sign if digit is None else str(digit)

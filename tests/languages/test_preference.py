"""Which language a page is in, by what the browser asks for (RFC 9110 section 12.5.4, RFC 4647 section 3.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.languages import preferred

AVAILABLE = ("en", "de", "fr", "es", "ja")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("ja", "ja"),
        ("JA-jp", "ja"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("de-Latn-DE-1996", "de"),
        ("nl, fr;q=0.3, es;q=0.7", "es"),
        ("en;q=0.5, fr;q=0.5", "en"),
        ("fr;q=0.500, de;q=0.51", "de"),
        ("fr ; q=0.2 , es\t;q=0.1", "fr"),
        ("zh-CN,zh;q=0.9", "en"),
        ("zh, *;q=0.5", "en"),
        ("en;q=0, *", "de"),
        ("en;q=0", "en"),
        ("de;q=0, de-AT, ja;q=0.1", "ja"),
        ("de;q=2, es", "es"),
        ("de;q=0.1234, es;q=0.1", "es"),
        ("de_DE, fr", "fr"),
        ("<script>, fr;q=0.1", "fr"),
        ("x" * 5000 + ", ja", "en"),
    ],
)
def test_the_best_language_that_there_is(header: str | None, language: str) -> None:
    assert preferred(header, AVAILABLE) == language


@given(st.text(alphabet="deafjn-*;q=0.19, \t", max_size=60))
def test_any_header_has_an_answer(header: str) -> None:
    assert preferred(header, AVAILABLE) in AVAILABLE

"""HTML of mail programs, read by its tags and as text."""

from __future__ import annotations

import pytest

from scalekit_mcp.calendar.html_tags import attributes, tags, text_of, unescaped


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            "<html><head><title>T</title><style>p > a {}</style></head><body><p>Hi</p><p>Ann</p></body></html>",
            "Hi\n\nAnn",
        ),
        ("One<br>two<br/>three", "One\ntwo\nthree"),
        ("a  \n b\t<b>c</b>d", "a b cd"),
        ("1 &lt; 2 &amp;&#38; 3&nbsp;&euro;", "1 < 2 && 3 €"),
        ("<script>if (a < b) { x = '<p>'; }</script>shown", "shown"),
        ("<head><body>shown", "shown"),
        ("<style>never closed", ""),
        ("3 < 4 and 5 > 4 <", "3 < 4 and 5 > 4 <"),
        ("<!-- <p>not</p> -->shown<!-- open", "shown<!-- open"),
        ("<ul><li>a</li><li>b</li></ul>", "a\n\nb"),
        ("plain", "plain"),
    ],
)
def test_html_reads_as_a_person_sees_it(source: str, text: str) -> None:
    assert text_of(source) == text


@pytest.mark.parametrize("number", ["&#" + "9" * 5000 + ";", "&#x" + "f" * 5000, "&#" + "1" * 9])
def test_a_reference_to_a_character_that_cannot_be_is_a_replacement(number: str) -> None:
    assert unescaped(f"a{number}b").startswith("a\ufffd")


def test_tags_are_found_with_their_places_and_attributes() -> None:
    source = """<A HREF='https://x.example/?a=1&amp;b' class=me-email-text>x</a >"""
    opened, closed = tags(source)
    assert (opened.name, opened.closing, source[opened.start : opened.end][-1]) == ("a", False, ">")
    assert (closed.name, closed.closing, closed.end) == ("a", True, len(source))
    assert attributes(source, opened) == {"href": "https://x.example/?a=1&b", "class": "me-email-text"}

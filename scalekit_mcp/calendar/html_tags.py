"""HTML as mail programs write it: its tags in their order, and its text as a person reads it.

Strangers write bodies. The time that all of this takes grows with their length and not with its square, whatever they
hold, which the parser of the standard library does not promise on every release that we run on.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_TAG = 4096
"""Characters of one tag that are read for its attributes."""

_TAG_BEGIN = re.compile(r"<[A-Za-z/!?]")
_NAME = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]{0,40})")
_ATTRIBUTE = re.compile(r"""\b(class|href)=("[^"]*"|'[^']*'|[^\s>"']+)""", re.IGNORECASE)
_LONG_REFERENCE = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{8,});?")
_BLOCKS = frozenset({"p", "div", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "blockquote", "hr"})
_UNSEEN = frozenset({"head", "style", "script", "title"})


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag in a source: `<name ...>` from `start` up to, not including, `end`. A comment has no name."""

    name: str
    closing: bool
    start: int
    end: int


def tags(source: str) -> Iterator[Tag]:
    """The tags and comments of a source; what is left unfinished at its end is text."""
    place = 0
    while (start := source.find("<", place)) >= 0:
        if source.startswith("<!--", start):
            closing = "-->"
        elif _TAG_BEGIN.match(source, start):
            closing = ">"
        else:
            place = start + 1
            continue
        end = source.find(closing, start + 2)
        if end < 0:
            return
        place = end + len(closing)
        name = _NAME.match(source, start)
        yield Tag(name[2].lower() if name else "", bool(name and name[1]), start, place)


def attributes(source: str, tag: Tag) -> dict[str, str]:
    """The `class` and `href` of a tag."""
    text = source[tag.start : min(tag.end, tag.start + LONGEST_TAG)]
    return {m[1].lower(): unescaped(m[2].strip("\"'")) for m in _ATTRIBUTE.finditer(text)}


def unescaped(text: str) -> str:
    """Text with its character references resolved; a number too large for any character is U+FFFD."""
    return html.unescape(_LONG_REFERENCE.sub("\ufffd", text)) if "&" in text else text


def text_of(source: str) -> str:
    """What a person reads: lines where blocks begin and end, blanks as one, nothing of styles and scripts."""
    parts: list[str] = []
    place, unseen = 0, ""
    for tag in tags(source):
        if unseen:
            if tag.name == ("body" if unseen == "head" and not tag.closing else unseen):
                unseen, place = "", tag.end
            continue
        parts.append(_blanks_as_one(source[place : tag.start]))
        place = tag.end
        if tag.name in _UNSEEN and not tag.closing:
            unseen = tag.name
        elif tag.name == "br" or tag.name in _BLOCKS:
            parts.append("\n")
    if not unseen:
        parts.append(_blanks_as_one(source[place:]))
    lines = [" ".join(line.split()) for line in "".join(parts).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _blanks_as_one(text: str) -> str:
    return re.sub(r"\s+", " ", unescaped(text))

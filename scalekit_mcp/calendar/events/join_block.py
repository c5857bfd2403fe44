"""Finds the part of an event's body that joins its online meeting, apart from the text that people wrote.

Outlook puts the block between two lines of underscores. An update of the body that loses it cuts the event off from its
meeting (Update event), so it is found in the current body and put under the new text.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from dataclasses import dataclass, field

from scalekit_mcp.calendar.html_tags import Tag, attributes, tags

_SEPARATOR = re.compile(r"_{20,}")
_MARKER_CLASS = "me-email-text"
_HOSTS = r"https://([a-z0-9-]+\.)*(teams\.microsoft\.(com|us)|teams\.live\.com|meet\.lync\.com|join\.skype\.com)/"
_JOIN_LINK = re.compile(_HOSTS, re.IGNORECASE)
_TEXT_LINK = re.compile(_HOSTS + "|microsoft teams|skype", re.IGNORECASE)
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)


def text_as_html(text: str) -> str:
    """Plain text, escaped; line ends become `<br>`."""
    return html.escape(text, quote=False).replace("\r\n", "\n").replace("\n", "<br>\r\n")


def join_block(current_html: str) -> str | None:
    """The join block of a body, or None if there is none that can be recognised."""
    span = _block_span(current_html)
    return None if span is None else current_html[span[0] : span[1]]


def without_join_block(current_html: str) -> str:
    """A body without its join block; unchanged where there is none that can be recognised."""
    span = _block_span(current_html)
    return current_html if span is None else current_html[: span[0]] + current_html[span[1] :]


def keep_join_block(current_html: str, content: str, content_type: str = "text") -> str:
    """A body with `content` (`text` or `html`) in front of the join block of `current_html`, as HTML.

    New HTML that brings the block along is left as it is. Without a recognisable block the result is the content.
    """
    block = join_block(current_html)
    if block is None:
        new = text_as_html(content) if content_type == "text" else _inner_body(content)
        return f"<html><body>{new}</body></html>"
    if content_type == "html":
        new = _inner_body(content)
        if join_block(content) is not None:
            return f"<html><body>{new}</body></html>"
    else:
        new = text_as_html(without_text_block(content))
    gap = "<br>\r\n" if new else ""
    return f"<html><body>{new}{gap}{block}</body></html>"


def without_text_block(text: str) -> str:
    """Text that was read from an event and written back still has the block, as text; it would stand there twice."""
    lines = list(_SEPARATOR.finditer(text))
    if len(lines) < 2 or not _TEXT_LINK.search(text, lines[0].end(), lines[-1].start()):
        return text
    return f"{text[: lines[0].start()].rstrip()}\n{text[lines[-1].end() :].lstrip()}".strip()


@dataclass
class _Node:
    """An element: its tag from `start` to `inner`, its content up to `inner_end`, and where it ends."""

    tag: str
    start: int
    inner: int
    inner_end: int = -1
    end: int = -1
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    children: list[_Node] = field(default_factory=list["_Node"])


class _Tree:
    """The elements of a body with their places in the source; forgiving, as mail bodies need."""

    def __init__(self, source: str) -> None:
        self.root = _Node("", 0, 0, len(source), len(source))
        self.nodes: list[_Node] = []
        self._open = [self.root]
        self._open_tags: Counter[str] = Counter()
        for tag in tags(source):
            if tag.closing:
                self._close(tag)
            elif tag.name:
                self._begin(tag, source)
        self._close_down_to(1, len(source), len(source))

    def _begin(self, tag: Tag, source: str) -> None:
        node = _Node(tag.name, tag.start, tag.end, tag.end, tag.end, attributes(source, tag))
        self._open[-1].children.append(node)
        self.nodes.append(node)
        if tag.name not in _VOID and source[tag.end - 2] != "/":
            self._open.append(node)
            self._open_tags[tag.name] += 1

    def _close(self, tag: Tag) -> None:
        if not self._open_tags[tag.name]:
            return
        depth = next(d for d in range(len(self._open) - 1, 0, -1) if self._open[d].tag == tag.name)
        self._close_down_to(depth + 1, tag.start, tag.start)
        self._close_down_to(depth, tag.start, tag.end)

    def _close_down_to(self, depth: int, inner_end: int, end: int) -> None:
        while len(self._open) > depth:
            node = self._open.pop()
            node.inner_end, node.end = inner_end, end
            self._open_tags[node.tag] -= 1


def _block_span(source: str) -> tuple[int, int] | None:
    tree = _Tree(source)
    separators = [match.span() for match in _SEPARATOR.finditer(source)]
    anchors = [n for n in tree.nodes if _MARKER_CLASS in n.attributes.get("class", "")]
    if not anchors and len(separators) > 1:
        # A link in somebody's text is no block: one stands between two separators.
        first, last = separators[0][1], separators[-1][0]
        inside = (n for n in tree.nodes if n.tag == "a" and first <= n.start and n.end <= last)
        anchors = [n for n in inside if _JOIN_LINK.match(n.attributes.get("href", ""))]
    if not anchors:
        return None
    start, end = min(n.start for n in anchors), max(n.end for n in anchors)
    before = [span for span in separators if span[1] <= start]
    after = [span for span in separators if span[0] >= end]
    start = before[-1][0] if before else start
    end = after[0][1] if after else end
    return _whole_elements(tree.root, start, end)


def _whole_elements(root: _Node, start: int, end: int) -> tuple[int, int]:
    """Widen a span to whole children of the innermost element that holds all of it."""
    container: _Node | None = root
    inner = root
    while container is not None:
        inner = container
        container = next((c for c in inner.children if c.inner <= start and end <= c.end), None)
    for child in inner.children:
        if child.start <= start < child.end:
            start = child.start
        if child.start < end <= child.end:
            end = child.end
    return start, end


def _inner_body(source: str) -> str:
    """What stands in the body of a document, or the source without the tags that belong around a body."""
    body = next((n for n in _Tree(source).nodes if n.tag == "body"), None)
    if body is not None:
        return source[body.inner : body.inner_end]
    parts: list[str] = []
    place = 0
    for tag in tags(source):
        if tag.name in ("html", "head"):
            parts.append(source[place : tag.start])
            place = tag.end
    return "".join([*parts, source[place:]])

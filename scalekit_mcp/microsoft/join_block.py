"""The part of an event's body that joins its online meeting, told apart from what people wrote.

Outlook puts the block between two lines of underscores. An update of the body that loses it cuts the event off from its
meeting (Update event), so it is found in the current body and put under the new text.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_SEPARATOR = re.compile(r"_{20,}")
_MARKER_CLASS = "me-email-text"
_HOSTS = r"https://([a-z0-9-]+\.)*(teams\.microsoft\.(com|us)|teams\.live\.com|meet\.lync\.com|join\.skype\.com)/"
_JOIN_LINK = re.compile(_HOSTS, re.IGNORECASE)
_TEXT_LINK = re.compile(_HOSTS + "|microsoft teams|skype", re.IGNORECASE)
_CLOSING = re.compile(r"</[^>]*>")
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
        new = text_as_html(_without_text_block(content))
    gap = "<br>\r\n" if new else ""
    return f"<html><body>{new}{gap}{block}</body></html>"


def _without_text_block(text: str) -> str:
    """Text that was read from an event and written back still has the block, as text; it would stand there twice."""
    lines = list(_SEPARATOR.finditer(text))
    if len(lines) < 2 or not _TEXT_LINK.search(text, lines[0].end(), lines[-1].start()):
        return text
    return f"{text[: lines[0].start()].rstrip()}\n{text[lines[-1].end() :].lstrip()}".strip()


@dataclass
class _Node:
    tag: str
    start: int
    inner: int
    end: int = -1
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    children: list[_Node] = field(default_factory=list["_Node"])


class _Tree(HTMLParser):
    """The elements of a body with their places in the source; forgiving, as mail bodies need."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=False)
        self._source = source
        self._lines = [0]
        for line in re.finditer("\n", source):
            self._lines.append(line.end())
        self.root = _Node("", 0, 0, len(source))
        self.nodes: list[_Node] = []
        self._open = [self.root]
        self.feed(source)
        self.close()
        self._close_down_to(1, len(source))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        start = self._place()
        inner = start + len(self.get_starttag_text() or "")
        node = _Node(tag, start, inner, inner, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(node)
        self.nodes.append(node)
        if tag not in _VOID:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        depth = next((d for d in range(len(self._open) - 1, 0, -1) if self._open[d].tag == tag), None)
        if depth is None:
            return
        start = self._place()
        self._close_down_to(depth + 1, start)
        closing = _CLOSING.match(self._source, start)
        self._open.pop().end = start + (closing.end() - closing.start() if closing else 0)

    def _close_down_to(self, depth: int, place: int) -> None:
        while len(self._open) > depth:
            self._open.pop().end = place

    def _place(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column


def _block_span(source: str) -> tuple[int, int] | None:
    tree = _Tree(source)
    anchors = [n for n in tree.nodes if _MARKER_CLASS in n.attributes.get("class", "")]
    if not anchors:
        links = [n for n in tree.nodes if n.tag == "a" and _JOIN_LINK.match(n.attributes.get("href", ""))]
        # A link in somebody's text is no block: one stands between two separators.
        anchors = [n for n in links if _enclosed(source, n)]
    if not anchors:
        return None
    start, end = min(n.start for n in anchors), max(n.end for n in anchors)
    before = list(_SEPARATOR.finditer(source, 0, start))
    after = _SEPARATOR.search(source, end)
    if before:
        start = before[-1].start()
    if after:
        end = after.end()
    return _whole_elements(tree.root, start, end)


def _enclosed(source: str, node: _Node) -> bool:
    return bool(_SEPARATOR.search(source, 0, node.start)) and bool(_SEPARATOR.search(source, node.end))


def _whole_elements(container: _Node, start: int, end: int) -> tuple[int, int]:
    """Widen a span to whole children of the innermost element that holds all of it."""
    inside = next((c for c in container.children if c.inner <= start and end <= c.end), None)
    if inside is not None:
        return _whole_elements(inside, start, end)
    for child in container.children:
        if child.start <= start < child.end:
            start = child.start
        if child.start < end <= child.end:
            end = child.end
    return start, end


def _inner_body(source: str) -> str:
    body = next((n for n in _Tree(source).nodes if n.tag == "body"), None)
    if body is None:
        return re.sub(r"(?is)</?(html|head)[^>]*>", "", source)
    inner = source[body.inner : body.end]
    return re.sub(r"(?is)</body\s*>\s*$", "", inner)

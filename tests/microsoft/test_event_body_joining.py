"""The join block of an online meeting survives a new description."""

import html
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalekit_mcp.calendar.events.join_block import join_block
from scalekit_mcp.calendar.events.writing.body import keep_join_block, patch_body
from scalekit_mcp.tools import UpdateCalendarEvent, parse_arguments

URL = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_x%40thread.v2/0?context=%7b%7d"
LINE = '<div style="width:100%; height:20px"><span style="color:gray; opacity:.36">' + "_" * 80 + "</span></div>"
INFORMATION = f'<div class="me-email-text" lang="en-GB"><a href="{URL}">Join Microsoft Teams Meeting</a></div>'
BLOCK = f"{LINE}\r\n{INFORMATION}\r\n{LINE}"

BODIES = {
    "as the service writes it": f"<html><head>\r\n</head><body>Old text<br>\r\n{BLOCK}</body></html>",
    "text after the block": f"<html><body><p>Old</p>{BLOCK}<p>Old text below</p></body></html>",
    "wrapped by Outlook": f"<html><body><div dir='ltr'><p>Old text</p>{BLOCK}</div></body></html>",
    "wrapped twice": f"<html><body><div><div>Old text</div><div>{BLOCK}</div></div></body></html>",
    "never closed tags": f"<html><body><p>Old text<br><div>Old{BLOCK}</body></html>",
    "upper case": f"<HTML><BODY>Old text<BR>{BLOCK}</BODY></HTML>",
    "no head and no body": f"Old text{BLOCK}",
    "line ends of Unix": f"<html><body>Old\ntext\n{BLOCK}</body></html>".replace("\r\n", "\n"),
    "link without the class": f"<html><body>Old text{BLOCK.replace('me-email-text', 'x')}</body></html>",
}
every_body = pytest.mark.parametrize("current", BODIES.values(), ids=BODIES.keys())


class _Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.balanced = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"br", "img", "hr"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.balanced = self.balanced and bool(self.open) and self.open.pop() == tag


def is_balanced(content: str) -> bool:
    parser = _Balance()
    parser.feed(content)
    parser.close()
    return parser.balanced and not parser.open


@every_body
def test_new_text_stands_before_the_whole_join_block(current: str) -> None:
    new = keep_join_block(current, "New & improved\nagenda")
    information = INFORMATION if "me-email-text" in current else INFORMATION.replace("me-email-text", "x")
    assert new.startswith("<html><body>New &amp; improved<br>\r\nagenda<br>\r\n")
    assert new.count(information) == 1
    assert new.count("_" * 80) == 2
    assert new.index("_" * 80) < new.index(information) < new.rindex("_" * 80)
    assert "Old" not in new
    assert is_balanced(new)


@every_body
def test_writing_the_same_text_again_changes_nothing(current: str) -> None:
    once = keep_join_block(current, "Agenda")
    assert keep_join_block(once, "Agenda") == once


@every_body
def test_html_is_put_in_place_of_the_old_html(current: str) -> None:
    new = keep_join_block(current, "<html><head><title>t</title></head><body><b>New</b></body></html>", "html")
    assert new.startswith("<html><body><b>New</b><br>")
    assert new.count(URL) == 1
    assert is_balanced(new)


def test_html_that_brings_the_block_along_gets_no_second_one() -> None:
    edited = BODIES["as the service writes it"].replace("Old text", "Edited text")
    new = keep_join_block(BODIES["as the service writes it"], edited, "html")
    assert new.count(URL) == 1
    assert "Edited text" in new


def test_text_that_brings_the_block_along_as_text_gets_it_once() -> None:
    read = f"Edited\n{'_' * 80}\nMicrosoft Teams meeting\nJoin: {URL}\n{'_' * 80}\n"
    new = keep_join_block(BODIES["as the service writes it"], read)
    assert new.count(URL) == 1
    assert new.startswith("<html><body>Edited<br>")


def test_a_link_in_somebodys_text_is_no_join_block() -> None:
    assert join_block(f'<html><body>See <a href="{URL}">this</a></body></html>') is None
    assert join_block("<html><body>nothing</body></html>") is None


@pytest.mark.parametrize(
    "content",
    ["<div>" * 20_000, "<!--" * 20_000, "<" * 50_000, "<div>" * 20_000 + "</p>" * 20_000, f'<a href="{URL}">' * 5_000],
    ids=["deep", "comments", "brackets", "unmatched", "links"],
)
def test_a_hostile_body_is_read_to_its_end_and_has_no_block(content: str) -> None:
    assert join_block(content) is None


def test_a_block_is_found_however_deep_it_stands() -> None:
    assert join_block("<div>" * 5_000 + BLOCK) == BLOCK


def test_text_is_escaped() -> None:
    new = keep_join_block(BODIES["as the service writes it"], '<script>alert(1)</script> "x" & y')
    assert "<script>" not in new
    assert "&lt;script&gt;" in new


def update(**arguments: Any) -> UpdateCalendarEvent:
    args = parse_arguments("outlook_update_calendar_event", {"event_id": "A"} | arguments)
    assert isinstance(args, UpdateCalendarEvent)
    return args


def online(content: str) -> dict[str, Any]:
    return {
        "isOnlineMeeting": True,
        "onlineMeeting": {"joinUrl": URL},
        "body": {"contentType": "html", "content": content},
    }


@every_body
def test_an_update_of_the_description_keeps_the_meeting_and_goes_as_html(current: str) -> None:
    body = patch_body(update(body_content="New"), online(current)).body["body"]
    assert body["contentType"] == "html"
    assert body["content"].count(URL) == 1


def test_clearing_the_description_leaves_the_block_alone() -> None:
    body = patch_body(update(clear="body_content"), online(BODIES["as the service writes it"])).body["body"]
    assert body == {"contentType": "html", "content": f"<html><body>{BLOCK}</body></html>"}


def test_a_block_that_cannot_be_told_apart_is_kept_with_the_old_text_and_said() -> None:
    patch = patch_body(update(body_content="New"), online(f'<html><body>Join <a href="{URL}">here</a></body></html>'))
    assert patch.body["body"]["content"].startswith("New<br>")
    assert URL in patch.body["body"]["content"]
    assert "kept" in patch.remarks.warnings[0]


fragments = st.lists(
    st.sampled_from(
        ["<p>", "</p>", "<div>", "</div>", "<br>", "<b", ">", "</", "&amp;", "_" * 30, "text ", "\n", "<!--", '"']
    ),
    max_size=25,
).map("".join)


words = st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=40).map(lambda text: f"x{text}")


@given(before=fragments, after=fragments, text=words)
def test_the_join_link_survives_in_whatever_html_surrounds_it(before: str, after: str, text: str) -> None:
    current = f"<html><body>{before}{BLOCK}{after}</body></html>"
    body = patch_body(update(body_content=text), online(current)).body["body"]
    assert URL in body["content"]
    assert html.escape(text, quote=False) in body["content"]


@pytest.mark.parametrize("brick", ["<html", "<head", "</html", "<style", "<html ", "<body"])
@pytest.mark.parametrize("kind", ["html", "text"])
def test_tags_that_never_end_are_text_and_keep_the_block(brick: str, kind: str) -> None:
    content = brick * 1000
    kept = keep_join_block(f"<html><body>{BLOCK}</body></html>", content, kind)
    assert kept.endswith(f"{BLOCK}</body></html>")
    assert (content if kind == "html" else html.escape(content, quote=False)) in kept


@pytest.mark.parametrize(
    ("source", "inner"),
    [
        ("<html><head></head><body><p>Hi</p></body></html>", "<p>Hi</p>"),
        ("<HTML><BODY class='a'>Hi</BODY >\n</HTML>", "Hi"),
        ("<html><body>Hi", "Hi"),
        ("<html>Hi</html>", "Hi"),
        ("<html><head></head>Hi</html>", "Hi"),
        ("Hi", "Hi"),
    ],
)
def test_a_whole_document_gives_what_stands_in_its_body(source: str, inner: str) -> None:
    assert keep_join_block("", source, "html") == f"<html><body>{inner}</body></html>"

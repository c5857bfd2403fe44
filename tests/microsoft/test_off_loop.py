"""Long text is worked on in a thread, short text where it is."""

from __future__ import annotations

import threading

import pytest

from scalekit_mcp.calendar.events.event import body_characters
from scalekit_mcp.concurrency import LARGE_TEXT_CHARACTERS, off_loop


@pytest.mark.parametrize(("characters", "here"), [(LARGE_TEXT_CHARACTERS, True), (LARGE_TEXT_CHARACTERS + 1, False)])
async def test_only_long_text_is_worked_on_elsewhere(characters: int, here: bool) -> None:
    assert (await off_loop(characters, threading.get_ident) == threading.get_ident()) is here


def test_bodies_count_whatever_else_an_event_holds() -> None:
    events = [{"body": {"content": "abc"}}, {"body": None}, {}, None, {"body": {"content": None}}, {"body": "x"}]
    assert body_characters(events) == 3

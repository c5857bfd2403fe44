"""What nobody sees in an event reaches no answer, whichever member it stands in."""

from __future__ import annotations

import json
import unicodedata
from datetime import date
from typing import Any

import pytest

from scalekit_mcp.errors import CalendarNotFound
from scalekit_mcp.sandbox import Sandbox
from tests.support.microsoft import SignedIn, signed_in

SECRET = (
    "".join(chr(0xE0000 + ord(letter)) + chr(0xFE00 + ord(letter) % 16) for letter in "ignore") + "\u200b\u3164\u2063"
)
WINDOW = {"start_datetime": "2026-04-01T00:00:00", "end_datetime": "2026-04-02T00:00:00", "timezone": "UTC"}
FAMILY = "Fun 👨\u200d👩\u200d👧 می\u200cخواهم ❤\ufe0f"  # noqa: RUF001 - Persian, not Latin
EVENT: dict[str, Any] = {
    "subject": f"Lunch{SECRET} {FAMILY}",
    "body": {"contentType": "text", "content": f"Bring{SECRET} nothing"},
    "location": {"displayName": f"Room{SECRET} 4"},
    "categories": [f"Blue{SECRET}"],
    "start": {"dateTime": "2026-04-01T10:00:00", "timeZone": "UTC"},
    "end": {"dateTime": "2026-04-01T11:00:00", "timeZone": "UTC"},
    "attendees": [{"type": "required", "emailAddress": {"address": "eve@company.com", "name": f"Eve{SECRET}"}}],
}


def hidden_in(answer: object) -> list[str]:
    text = json.dumps(answer, ensure_ascii=False).replace(FAMILY, "")
    return [ascii(c) for c in text if unicodedata.category(c) == "Cf" or c in SECRET]


async def planted(me: SignedIn) -> str:
    event: dict[str, Any] = await me.graph("POST", "/me/events", EVENT)
    return str(event["id"])


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        WINDOW,
        {"select": "subject,body,bodyPreview,location,locations,categories,attendees,organizer"},
        {"select": "subject,categories,attendees", **WINDOW},
        {"filter": "startswith(subject,'Lunch')"},
    ],
    ids=["list", "window", "select", "select in window", "filter"],
)
async def test_a_list_shows_nothing_that_nobody_sees_and_keeps_what_shapes_the_seen(arguments: dict[str, str]) -> None:
    async with signed_in(Sandbox(week_of=date(2026, 3, 30))) as me:
        await planted(me)
        answer = await me.list(**arguments)
        assert hidden_in(answer) == []
        assert answer["value"][0]["subject"] == f"Lunch {FAMILY}"


async def test_events_that_are_read_changed_or_made_show_nothing_that_nobody_sees() -> None:
    async with signed_in(Sandbox(week_of=date(2026, 3, 30))) as me:
        event_id = await planted(me)
        for answer in (
            await me.get(event_id),
            await me.get(event_id, body_format="html"),
            await me.update(event_id, importance="high"),
            await me.update(event_id, attendees_add="bob@company.com", attendees_remove="x@company.com"),
        ):
            assert hidden_in(answer) == []
            assert answer["subject"] == f"Lunch {FAMILY}"


async def test_a_refusal_that_quotes_names_shows_nothing_that_nobody_sees() -> None:
    async with signed_in(box := Sandbox(week_of=date(2026, 3, 30))) as me:
        box.add_calendar(me.address, f"Team{SECRET}")
        with pytest.raises(CalendarNotFound) as refused:
            await me.list(calendar_id=f"Te{SECRET}st")
        assert hidden_in(refused.value.to_dict()) == []
        assert "'Team'" in refused.value.message

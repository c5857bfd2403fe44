"""An id that is not one, or not of this mailbox, in every tool that takes one."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from scalekit_mcp.errors import EventNotFound, InvalidInput
from scalekit_mcp.sandbox import Sandbox
from tests.support.microsoft import SignedIn, signed_in

MEETING = {
    "subject": "Review",
    "start_datetime": "2026-04-01T10:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-01T11:00:00",
    "end_timezone": "UTC",
}


def other_case(text: str) -> str:
    return text.swapcase()


SPOILT = {
    "four characters short": lambda text: text[:-4],
    "one character short": lambda text: text[:-1],
    "one more": lambda text: text + "A",
    "first half": lambda text: text[: len(text) // 2],
    "another case": other_case,
    "standard base64": lambda text: text.replace("-", "+").replace("_", "/") + "+/",
    "url-encoded": lambda text: quote(text[:-4] + "===="),
    "a blank inside": lambda text: text[:20] + " " + text[20:],
    "a percent sign": lambda text: "%" + text,
    "a path": lambda text: text + "/../" + text,
    "a word": lambda text: "tomorrow's meeting",
    "dots": lambda text: "..",
    "a sample": lambda text: "AAMkAGI1AAAt9AHjAAA=",
}
CALLS = {
    "get": lambda me, event_id: me.get(event_id),
    "get with select": lambda me, event_id: me.get(event_id, select="subject"),
    "update": lambda me, event_id: me.update(event_id, subject="Other"),
    "update that reads": lambda me, event_id: me.update(event_id, attendees_add="dave@company.com"),
    "delete": lambda me, event_id: me.delete(event_id),
    "delete of a series": lambda me, event_id: me.delete(event_id, apply_to="series"),
    "cancel": lambda me, event_id: me.delete(event_id, cancellation_message="No."),
    "purge": lambda me, event_id: me.delete(event_id, permanent=True),
}


def left(me: SignedIn, address: str = "dana@company.com") -> list[str | None]:
    mailbox = me.sandbox.world.mailboxes[me.sandbox.people[address].oid]
    return [event.subject for event in mailbox.events.values() if not event.is_deleted]


@pytest.mark.parametrize("call", CALLS)
async def test_what_is_no_id_is_an_event_that_was_not_found_and_nothing_is_claimed(call: str) -> None:
    async with signed_in(Sandbox()) as me:
        event_id = (await me.create(**MEETING))["id"]
        for how, spoil in SPOILT.items():
            refusals = (InvalidInput,) if " " in spoil(event_id) else (EventNotFound,)  # no id has a blank
            with pytest.raises(refusals) as refused:
                await CALLS[call](me, spoil(event_id))
            assert refused.value.details["field"] == "event_id", how
        assert left(me) == ["Review"]


DELETIONS = ("delete", "delete of a series", "cancel", "purge")


@pytest.mark.parametrize("answer", ["not_found", "malformed"])
@pytest.mark.parametrize("call", CALLS)
async def test_an_id_of_another_mailbox_is_not_found(call: str, answer: str) -> None:
    sandbox = Sandbox()
    sandbox.behaviour("other_mailbox_id", answer)
    async with signed_in(sandbox) as me, signed_in(sandbox, "alice@company.com") as alice:
        event_id = (await alice.create(**MEETING))["id"]
        if call in DELETIONS and answer == "not_found":  # nothing tells it from an event that is gone
            done = await CALLS[call](me, event_id)
            assert done["already_gone"]
            assert any("or never had one" in warning for warning in done["warnings"])
        else:
            with pytest.raises(EventNotFound):
                await CALLS[call](me, event_id)
        assert left(me, "alice@company.com") == ["Review"]


async def test_a_path_that_graph_cannot_parse_is_no_id_either() -> None:
    sandbox = Sandbox()
    async with signed_in(sandbox) as me:
        event_id = (await me.create(**MEETING))["id"]
        for call in ("get", "update", "delete"):
            for _ in range(2 if call == "delete" else 1):  # which reads first
                sandbox.graph_error(400, "RequestBroker--ParseUri", message="Resource not found for the segment 'x'.")
            with pytest.raises(EventNotFound):
                await CALLS[call](me, event_id)

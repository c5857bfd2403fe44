"""What a result says beside its data: notes on what was done as documented, warnings on what did not happen."""

import pytest

from scalekit_mcp.tools import TOOLS
from scalekit_mcp.tools.instructions import server_instructions
from scalekit_mcp.tools.remarks import NO_REMARKS, noted, warned


def test_notes_and_warnings_stay_apart_in_order_and_once() -> None:
    said = noted("kept", None) + warned("lost") + noted("kept", "moved") + warned("lost", "cut")
    assert said.members() == {"notes": ["kept", "moved"], "warnings": ["lost", "cut"]}


def test_a_result_with_nothing_to_say_has_neither_member() -> None:
    assert NO_REMARKS.members() == {}
    assert (noted(None) + warned()).members() == {}


@pytest.mark.parametrize("name", [name for name in TOOLS if name != "authorize"])
def test_every_calendar_tool_declares_both_lists(name: str) -> None:
    properties = TOOLS[name].output_schema["properties"]
    sentences = {"type": "array"}
    assert (properties["notes"], properties["warnings"]) == (sentences, sentences)


def test_the_instructions_tell_the_two_apart() -> None:
    text = server_instructions(TOOLS, sandbox=False, read_only=False, timezone=None)
    assert "`warnings` in a result say what did not happen as asked: tell the user." in text
    assert "`notes` say what was done as documented." in text

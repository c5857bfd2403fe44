"""What models and clients send for a parameter that they do not use, in every tool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from scalekit_mcp.actions import CATALOGUE_TOOLS, ToolResult
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools import TOOLS, Arguments, CreateCalendarEvent, UpdateCalendarEvent, parse_arguments
from scalekit_mcp.tools.base import IGNORED_MEMBERS, parameters_of
from tests.support.least_arguments import LEAST

LITERAL = {"subject", "query"}
"""Null is also somebody's name."""
NOTHING = [None, "", "  ", "null", "None", "NULL", "undefined", " null ", "[]", "{}", '""', [], {}, [""], [None], [{}]]

OPTIONAL = [
    (tool, name)
    for tool, spec in TOOLS.items()
    for name in parameters_of(spec.arguments)
    if name not in LEAST[tool] and name not in LITERAL
]
REQUIRED = [
    (tool, name) for tool in TOOLS for name in TOOLS[tool].input_schema.get("required", ()) if name not in LITERAL
]


@pytest.mark.parametrize(("tool", "name"), OPTIONAL)
def test_a_value_that_says_nothing_is_as_good_as_none(tool: str, name: str) -> None:
    least = LEAST[tool]
    bare = parse_arguments(tool, least)
    for nothing in NOTHING:
        read = parse_arguments(tool, {**least, name: nothing})
        assert (nothing, read.given) == (nothing, bare.given)
        assert read.to_wire() == bare.to_wire()


@pytest.mark.parametrize("nothing", [None, "", "null", "None", "undefined", "[]", [], {}], ids=repr)
@pytest.mark.parametrize(("tool", "name"), REQUIRED)
def test_a_required_parameter_that_says_nothing_is_missing(tool: str, name: str, nothing: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_arguments(tool, {**LEAST[tool], name: nothing})
    assert refused.value.details["field"] == name
    assert f"`{name}` is missing" in refused.value.message


@pytest.mark.parametrize("title", ["null", "None", "undefined", "[]"])
def test_a_title_may_be_a_word_that_elsewhere_says_nothing(title: str) -> None:
    created = parse_arguments(
        "outlook_create_calendar_event", {**LEAST["outlook_create_calendar_event"], "subject": title}
    )
    updated = parse_arguments("outlook_update_calendar_event", {"event_id": "A", "subject": title})
    assert isinstance(created, CreateCalendarEvent)
    assert isinstance(updated, UpdateCalendarEvent)
    assert created.subject == updated.subject == title


@pytest.mark.parametrize("word", ["None of the above", "nullify", "undefined behaviour", "[] and {}"])
def test_text_that_only_begins_so_is_text(word: str) -> None:
    read = parse_arguments("outlook_update_calendar_event", {"event_id": "A", "location": word, "body_content": word})
    assert isinstance(read, UpdateCalendarEvent)
    assert read.location == read.body_content == word


@pytest.mark.parametrize("nothing", [[], "[]", [""], "[null]", '[""]'], ids=repr)
def test_an_update_says_that_an_empty_list_empties_nothing(nothing: Any) -> None:
    read = parse_arguments(
        "outlook_update_calendar_event", {"event_id": "A", "subject": "Review", "attendees_optional": nothing}
    )
    assert read.remarks.warnings == (
        "`attendees_optional` was an empty list, which changes nothing; to empty it, name it in clear.",
    )
    with pytest.raises(InvalidInput) as refused:
        parse_arguments("outlook_update_calendar_event", {"event_id": "A", "attendees_optional": nothing})
    assert refused.value.details["field"] == "attendees_optional"
    assert "name it in clear" in refused.value.message


def test_lists_skip_members_that_say_nothing() -> None:
    read = parse_arguments(
        "outlook_create_calendar_event",
        {
            **LEAST["outlook_create_calendar_event"],
            "attendees_required": ["ana@x.com", None, "", "null", {}],
            "categories": '["Blue", "", null]',
        },
    )
    assert isinstance(read, CreateCalendarEvent)
    assert [person.address for person in read.attendees_required or ()] == ["ana@x.com"]
    assert read.categories == ("Blue",)


@pytest.mark.parametrize("tool", list(TOOLS))
def test_members_that_clients_add_are_ignored_and_no_others(tool: str) -> None:
    bare: Arguments = parse_arguments(tool, LEAST[tool])
    read = parse_arguments(tool, {**LEAST[tool], **{name: {"any": "thing"} for name in IGNORED_MEMBERS}})
    assert read.given == bare.given
    for name in ("toolcallid", "session", "user", "identifier", "meta", "thoughts"):
        with pytest.raises(InvalidInput) as refused:
            parse_arguments(tool, {**LEAST[tool], "sessionId": "1", name: "x"})
        assert refused.value.details["field"] == name


async def test_tools_of_the_catalogue_read_nothing_and_added_members_alike() -> None:
    asked: list[dict[str, Any]] = []

    async def run(tool: str, arguments: Mapping[str, Any] | Arguments) -> ToolResult:
        assert not isinstance(arguments, Arguments)
        asked.append(dict(arguments))
        return ToolResult({"value": []})

    view = CATALOGUE_TOOLS["outlook_get_calendar_view"]
    window = {"startDateTime": "2026-04-01T00:00:00Z", "endDateTime": "2026-04-02T00:00:00Z"}
    await view.execute(run, window)
    await view.execute(run, {**window, "$filter": "null", "$top": "None", "$select": "[]", "sessionId": "1"})
    assert asked[0] == asked[1]
    with pytest.raises(InvalidInput, match="`startDateTime` is missing"):
        await view.execute(run, {**window, "startDateTime": "undefined"})

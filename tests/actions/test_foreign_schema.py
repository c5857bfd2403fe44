"""The flat form of schemas that others wrote, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from scalekit_mcp.scalekit.connectors.foreign_schema import MAX_SCHEMA_BYTES, UnusableSchemaError, flat_schema


def flat(schema: Any) -> dict[str, Any]:
    return flat_schema({"type": "object", "properties": {"p": schema}}).schema["properties"].get("p")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"type": ["null", "integer"], "minimum": 1.5, "maximum": 9.0},
            {"type": "integer", "minimum": 2, "maximum": 9},
        ),
        ({"type": "number", "minimum": 0.0, "default": 2.5}, {"type": "number", "minimum": 0, "default": 2.5}),
        ({"type": "integer", "default": 10.0}, {"type": "integer", "default": 10}),
        ({"type": "integer", "minimum": 1e300, "maximum": float("nan")}, {"type": "integer"}),
        ({"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 5.0}]}, {"type": "string", "maxLength": 5}),
        ({"oneOf": [{"const": "a"}, {"enum": ["b", 3]}]}, {"type": "string", "enum": ["a", "b"]}),
        ({"enum": [1, 2]}, {"type": "integer", "description": "One of 1, 2."}),
        ({"allOf": [{"type": "string"}, {"minLength": 2}], "format": "email"}, {"type": "string", "minLength": 2}),
        ({"type": "string", "pattern": "(a+)+$", "x-odd": 1}, {"type": "string"}),
        ({"type": "array"}, {"type": "array", "items": {"type": "string"}}),
        ({"description": "a\u200bb\n\x07c"}, {"type": "string", "description": "ab \ufffdc"}),
        ({"type": "object", "properties": {"x.y": {}}, "required": ["x.y"]}, {"type": "object"}),
        (
            {"type": "object", "properties": {"x.y": {}, "z": {"type": "boolean"}}},
            {"type": "object", "properties": {"z": {"type": "boolean"}}, "additionalProperties": False},
        ),
        (
            {"type": "object", "properties": {"z": {}}, "additionalProperties": {"type": "string"}},
            {"type": "object", "properties": {"z": {"type": "string"}}},
        ),
        ({"$ref": "http://elsewhere.example/schema"}, {"type": "string"}),
        (True, {"type": "string"}),
    ],
)
def test_a_value_has_one_type_and_known_keywords(given: Any, expected: dict[str, Any]) -> None:
    assert flat(given) == expected


def test_a_schema_that_contains_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "name": {"type": "string"}}}
    found = flat_schema({"$defs": {"node": node}, "properties": {"first": {"$ref": "#/$defs/node"}}}).schema
    depth, inner = 0, found
    while "properties" in inner:
        inner = next(iter(inner["properties"].values()))
        depth += 1
    assert 2 <= depth <= 6


def test_names_that_hosts_refuse_are_published_under_others() -> None:
    found = flat_schema({"properties": {"$top": {}, "x y": {}, "schema_version": {}}, "required": ["$top"]})
    assert list(found.schema["properties"]) == ["top", "x_y"]
    assert found.schema["required"] == ["top"]
    assert found.renamed == {"top": "$top", "x_y": "x y"}


@pytest.mark.parametrize(
    "schema",
    [
        [],
        "text",
        {"type": "array", "items": {}},
        {"properties": {"é": {}}, "required": ["é"]},
        {"properties": {"$a": {}, "a": {}}, "required": ["$a"]},
        {"properties": {f"p{n}": {"enum": [f"{n}{i}" * 40 for i in range(90)]} for n in range(60)}},
    ],
)
def test_what_no_host_could_call_is_refused(schema: Any) -> None:
    with pytest.raises(UnusableSchemaError):
        flat_schema(schema)


def test_long_descriptions_give_way_before_the_tool_does() -> None:
    many = {f"p{n}": {"type": "string", "description": "long " * 70} for n in range(60)}
    found = flat_schema({"properties": many}).schema
    assert len(found["properties"]) == 60
    assert "description" not in found["properties"]["p0"]
    assert len(str(found)) < MAX_SCHEMA_BYTES


def test_a_schema_made_to_explode_is_read_in_bounded_work() -> None:
    bomb: Any = {"type": "string"}
    for _ in range(60):
        bomb = {"anyOf": [bomb, bomb], "allOf": [bomb, bomb]}
    assert flat(bomb)["type"] in {"string", "object"}  # unbounded, it would take 4**60 steps

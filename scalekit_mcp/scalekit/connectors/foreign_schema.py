"""Makes the input schema of a tool that others wrote flat and strict enough for every MCP host, and safe to show.

Hosts differ in what they take: some refuse `$ref`, `anyOf` or a parameter without a type, some a name with a dot or a
dollar sign, some send whatever a loose schema lets them. What comes out has one type for each value, no references and
no alternatives, only keywords that every host knows, and texts that are cleaned and short. It is never looser than what
a host needs and may be narrower than the original: of alternatives the first is kept. Patterns are dropped: a foreign
regular expression is not run here. Pure functions, bounded in time and size whatever comes in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from scalekit_mcp.calendar import neutralise
from scalekit_mcp.tools import to_json

MAX_DEPTH = 5
"""Objects and lists inside each other; what lies deeper is any object or any list."""

MAX_PARTS = 600
"""Parts of one schema that are looked at; what comes after them is taken for text or any object."""

MAX_PROPERTIES = 64
MAX_VALUES = 100
MAX_DESCRIPTION_CHARACTERS = 400
MAX_SCHEMA_BYTES = 12_000
MAX_SAFE_INTEGER = 2**53

HOST_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""Names of tools and parameters that every host takes."""

_KINDS = ("string", "integer", "number", "boolean", "array", "object")
_VERSIONS = frozenset({"schema_version", "tool_version"})
_ODD_CHARACTERS = re.compile(r"[^a-zA-Z0-9_-]+")
_DEEPEST_REFERENCE = 20

Schema = dict[str, Any]


class UnusableSchemaError(ValueError):
    """A schema from which no host could make a call; the message says why, as a part of a sentence."""


@dataclass(frozen=True, slots=True)
class FlatSchema:
    """A flat schema, and the service's names of the parameters that are published under others."""

    schema: Schema
    renamed: Mapping[str, str]


def flat_schema(given: object) -> FlatSchema:
    """The flat form of a JSON schema of arguments; raises `UnusableSchemaError`."""
    root = cast("Schema", given) if isinstance(given, dict) else {}
    if given is not None and not isinstance(given, dict):
        raise UnusableSchemaError("its schema is not an object")
    reader = _Reader(root)
    merged = reader.merged(root, frozenset())
    if merged and _kind(merged) != "object" and ("type" in merged or "enum" in merged or "items" in merged):
        raise UnusableSchemaError("its arguments are not an object")
    properties, renamed = _published_names(merged)
    needed = [_published(name, renamed) for name in _names(merged.get("required")) if name not in _VERSIONS]
    flat = _object(reader, {**merged, "properties": properties, "required": needed}, depth=0, strict=True)
    if set(needed) - set(flat["properties"]):
        raise UnusableSchemaError("a parameter that it needs has a name or a form that hosts refuse")
    flat.pop("description", None)
    if len(to_json(flat).encode()) > MAX_SCHEMA_BYTES:
        flat = _without_descriptions(flat)
    if len(to_json(flat).encode()) > MAX_SCHEMA_BYTES:
        raise UnusableSchemaError(f"its schema is larger than {MAX_SCHEMA_BYTES} bytes")
    return FlatSchema(flat, {new: old for new, old in renamed.items() if new in flat["properties"] and new != old})


def clean_text(value: object, most: int) -> str:
    """Foreign text on one line, without characters that nobody sees, and bounded."""
    if not isinstance(value, str):
        return ""
    text = " ".join(neutralise(value[: most * 4]).split())
    return text if len(text) <= most else f"{text[: most - 3].rstrip()}..."


@dataclass
class _Reader:
    """Resolves references and alternatives of one schema; counts what it looks at."""

    root: Schema
    left: int = field(default=MAX_PARTS)

    def merged(self, schema: object, seen: frozenset[str]) -> Schema:
        """One plain object of keywords: references followed, `allOf` merged, the first alternative chosen."""
        self.left -= 1
        if not isinstance(schema, dict) or self.left < 0 or len(seen) > _DEEPEST_REFERENCE:
            return {}
        own = cast("Schema", schema)
        result = {name: value for name, value in own.items() if name not in ("$ref", "allOf", "anyOf", "oneOf")}
        reference = own.get("$ref")
        if isinstance(reference, str) and reference not in seen:
            _fill(result, self.merged(self._target(reference), seen | {reference}))
        deeper = seen | {f"part {len(seen)}"}
        for part in _listed(own.get("allOf")):
            _fill(result, self.merged(part, deeper))
        for keyword in ("anyOf", "oneOf"):
            alternatives = [self.merged(part, deeper) for part in _listed(own.get(keyword))]
            chosen = _chosen([part for part in alternatives if part and part.get("type") != "null"])
            if "properties" in result:
                chosen.pop("required", None)  # which of them is needed depends on the alternative
            _fill(result, chosen)
        return result

    def _target(self, reference: str) -> object:
        if not reference.startswith("#"):
            return {}
        found: object = self.root
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            found = _member(found, name)
        return found

    def flat(self, schema: object, depth: int) -> Schema:
        """The flat form of one value's schema."""
        merged = self.merged(schema, frozenset())
        kind = _kind(merged)
        if kind == "object":
            flat = _object(self, merged, depth) if depth < MAX_DEPTH else {"type": "object"}
        elif kind == "array":
            items = self.flat(merged.get("items"), depth + 1) if depth < MAX_DEPTH else {"type": "string"}
            flat = {"type": "array", "items": items, **_limits(merged, "minItems", "maxItems")}
        elif kind == "string":
            flat = {"type": "string", **_limits(merged, "minLength", "maxLength")}
        elif kind == "boolean":
            flat = {"type": "boolean"}
        else:
            flat = {"type": kind, **_range(merged, kind)}
        return _noted(flat, merged, kind)


def _member(value: object, name: str) -> object:
    return cast("Schema", value).get(name) if isinstance(value, dict) else None


def _object(reader: _Reader, merged: Schema, depth: int, *, strict: bool = False) -> Schema:
    given = merged.get("properties")
    every = cast("Schema", given) if isinstance(given, dict) else {}
    needed = _names(merged.get("required"))
    properties: Schema = {}
    for name in sorted(every, key=lambda name: name not in needed)[:MAX_PROPERTIES]:
        if HOST_NAME.fullmatch(name):
            properties[name] = reader.flat(every[name], depth + 1)
    if not strict and any(name not in properties for name in needed):
        return {"type": "object"}  # what it needs cannot be named here, so that nothing is said of its members
    flat: Schema = {"type": "object", "properties": properties}
    if required := [name for name in needed if name in properties]:
        flat["required"] = required
    extra = merged.get("additionalProperties")
    if strict or (properties and (extra is False or extra is None)):
        flat["additionalProperties"] = False
    elif not properties:
        return {"type": "object"}
    return flat


def _published_names(merged: Schema) -> tuple[Schema, dict[str, str]]:
    """The properties under names that hosts take, and the service's name of each."""
    given = merged.get("properties")
    properties: Schema = {}
    renamed: dict[str, str] = {}
    every = cast("Schema", given) if isinstance(given, dict) else {}
    for name, schema in every.items():
        if name in _VERSIONS:
            continue
        published = name if HOST_NAME.fullmatch(name) else _ODD_CHARACTERS.sub("_", name[:200]).strip("_-")[:64]
        if not published or published in properties or (published != name and published in every):
            continue
        properties[published] = schema
        renamed[published] = name
    return properties, renamed


def _published(name: str, renamed: Mapping[str, str]) -> str:
    return next((new for new, old in renamed.items() if old == name), name)


def _chosen(alternatives: list[Schema]) -> Schema:
    """The first of several alternatives; of values that are listed, all of its kind."""
    if not alternatives:
        return {}
    first = dict(alternatives[0])
    kind = _kind(first)
    if all("enum" in part or "const" in part for part in alternatives):
        first["enum"] = [value for part in alternatives for value in _values(part) if _is_of(value, kind)]
        first.pop("const", None)
    return first


def _fill(result: Schema, more: Schema) -> None:
    """Add keywords of `more` that `result` has not; properties and required names are joined."""
    for name, value in more.items():
        known = result.get(name)
        if name == "properties" and isinstance(known, dict) and isinstance(value, dict):
            result[name] = {**cast("Schema", value), **cast("Schema", known)}
        elif name == "required" and isinstance(known, list):
            result[name] = [*cast("list[Any]", known), *_listed(value)]
        elif name not in result:
            result[name] = value


def _kind(schema: Schema) -> str:
    """The one type of a value; text where nothing tells it."""
    told = schema.get("type")
    for kind in [told, *_listed(told)]:
        if isinstance(kind, str) and kind in _KINDS:
            return kind
    if isinstance(schema.get("properties"), dict) or isinstance(schema.get("additionalProperties"), dict):
        return "object"
    if "items" in schema:
        return "array"
    for value in (*_values(schema), schema.get("default")):
        for kind in ("boolean", "integer", "number", "string", "array", "object"):
            if _is_of(value, kind):
                return kind
    return "number" if "minimum" in schema or "maximum" in schema else "string"


def _is_of(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, int | float):
        return kind == "number" or (kind == "integer" and _whole(value))
    kinds: dict[str, type] = {"string": str, "array": list, "object": dict}
    return kind in kinds and isinstance(value, kinds[kind])


def _values(schema: Schema) -> list[Any]:
    return _listed(schema.get("enum")) if "enum" in schema else [schema["const"]] if "const" in schema else []


def _noted(flat: Schema, merged: Schema, kind: str) -> Schema:
    """The flat schema with its values, its default and its description."""
    description = clean_text(merged.get("description") or merged.get("title"), MAX_DESCRIPTION_CHARACTERS)
    values = [value for value in _values(merged) if _is_of(value, kind)][:MAX_VALUES]
    if kind == "string":
        shown = [value for value in dict.fromkeys(values) if value and _is_clean(value)]
        if shown:
            flat["enum"] = shown
    elif kind in ("integer", "number") and values:
        # some hosts take enumerations of text alone
        one_of = ", ".join(str(_number(value, kind)) for value in values)
        description = clean_text(f"{description} One of {one_of}.", MAX_DESCRIPTION_CHARACTERS)
    default = merged.get("default")
    if kind in ("integer", "number") and _is_of(default, kind) and _safe(default):
        flat["default"] = _number(default, kind)
    elif (kind == "boolean" and isinstance(default, bool)) or (
        kind == "string" and isinstance(default, str) and default in flat.get("enum", (default,)) and _is_clean(default)
    ):
        flat["default"] = default
    if description:
        flat["description"] = description
    return flat


def _is_clean(text: str) -> bool:
    return clean_text(text, 200) == text


def _range(merged: Schema, kind: str) -> Schema:
    found: Schema = {}
    for name, rounded in (("minimum", math.ceil), ("maximum", math.floor)):
        value = merged.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not _safe(value):
            continue
        found[name] = rounded(value) if kind == "integer" else _number(value, kind)
    if "minimum" in found and "maximum" in found and found["minimum"] > found["maximum"]:
        return {}
    return found


def _limits(merged: Schema, least: str, most: str) -> Schema:
    found: Schema = {}
    for name in (least, most):
        value = merged.get(name)
        if isinstance(value, int | float) and _is_of(value, "integer") and 0 <= value <= MAX_SAFE_INTEGER:
            found[name] = int(value)
    return {} if found.get(least, 0) > found.get(most, MAX_SAFE_INTEGER) else found


def _number(value: Any, kind: str) -> Any:
    return int(value) if kind == "integer" or (isinstance(value, float) and _whole(value) and _safe(value)) else value


def _whole(value: Any) -> bool:
    return isinstance(value, int) or value.is_integer()


def _safe(value: Any) -> bool:
    return abs(value) <= MAX_SAFE_INTEGER  # never true of infinity, nor of what is no number


def _listed(value: object) -> list[Any]:
    return cast("list[Any]", value)[:MAX_VALUES] if isinstance(value, list) else []


def _names(value: object) -> list[str]:
    return list(dict.fromkeys(name for name in _listed(value) if isinstance(name, str)))


def _without_descriptions(schema: Schema) -> Schema:
    kept = {name: value for name, value in schema.items() if name != "description"}
    if isinstance(kept.get("properties"), dict):
        members = cast("dict[str, Schema]", kept["properties"])
        kept["properties"] = {name: _without_descriptions(member) for name, member in members.items()}
    if isinstance(kept.get("items"), dict):
        kept["items"] = _without_descriptions(kept["items"])
    return kept

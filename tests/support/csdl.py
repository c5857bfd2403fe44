"""Microsoft's published metadata as a judge of JSON, where the variable GRAPH_CSDL names a copy of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree as ET

CSDL = os.environ.get("GRAPH_CSDL", "")
REASON = "GRAPH_CSDL does not name Microsoft's metadata"

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
SCALARS: dict[str, Callable[[Any], bool]] = {
    "Edm.String": lambda v: isinstance(v, str),
    "Edm.Boolean": lambda v: isinstance(v, bool),
    "Edm.Int32": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "Edm.Double": lambda v: isinstance(v, float | int) and not isinstance(v, bool),
    "Edm.Date": lambda v: isinstance(v, str) and bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", v)),
    "Edm.DateTimeOffset": lambda v: isinstance(v, str) and v.endswith("Z"),
}


class Schema:
    """The types, enums and actions of a metadata document."""

    def __init__(self, path: Path) -> None:
        self.types: dict[str, tuple[str | None, dict[str, str]]] = {}
        self.enums: dict[str, set[str]] = {}
        self.actions: dict[str, dict[str, str]] = {}
        for schema in ET.parse(path).getroot().iter(f"{EDM}Schema"):  # noqa: S314 - a file of ours
            prefixes = [schema.get("Namespace"), schema.get("Alias")]
            for element in schema:
                for prefix in filter(None, prefixes):
                    self._read(element, f"{prefix}.{element.get('Name')}")

    def _read(self, element: ET.Element, name: str) -> None:
        if element.tag in {f"{EDM}EntityType", f"{EDM}ComplexType"}:
            properties = {p.get("Name", ""): p.get("Type", "") for p in element.findall(f"{EDM}Property")}
            self.types[name] = (element.get("BaseType"), properties)
        if element.tag == f"{EDM}EnumType":
            self.enums[name] = {m.get("Name", "") for m in element.findall(f"{EDM}Member")}
        if element.tag == f"{EDM}Action":
            parameters = {p.get("Name", ""): p.get("Type", "") for p in element.findall(f"{EDM}Parameter")}
            if parameters.pop("bindingParameter", "").endswith("graph.event"):
                self.actions[element.get("Name", "")] = parameters

    def problems(self, value: Any, kind: str, path: str) -> list[str]:
        """What does not fit; names that the schema does not declare are refused, as the service does."""
        if value is None:
            return []
        if kind.startswith("Collection("):
            if not isinstance(value, list):
                return [f"{path}: no list"]
            members = cast("list[Any]", value)
            return [p for n, v in enumerate(members) for p in self.problems(v, kind[11:-1], f"{path}[{n}]")]
        if kind in self.enums:
            return [] if value in self.enums[kind] else [f"{path}: {value}"]
        if kind in SCALARS:
            return [] if SCALARS[kind](value) else [f"{path}: {value!r} is no {kind}"]
        declared: dict[str, str] = {}
        base: str | None = kind
        while base is not None:
            base, own = self.types[base]
            declared |= own
        found: list[str] = []
        for name, member in value.items():
            if name not in declared:
                found.append(f"{path}.{name}: not declared")
            else:
                found += self.problems(member, declared[name], f"{path}.{name}")
        return found

    def problems_of_request(self, method: str, path: str, body: Any) -> list[str]:
        """What does not fit of a request to an event or to the events of a calendar; no body fits always."""
        last = path.rsplit("/", 1)[-1]
        if method == "POST" and last != "events":
            declared = {name.lower(): kind for name, kind in self.actions[last].items()}
            given: dict[str, Any] = body or {}
            unknown = [f"{path}.{name}: no parameter" for name in given if name.lower() not in declared]
            known = [(name, value) for name, value in given.items() if name.lower() in declared]
            return unknown + [p for n, v in known for p in self.problems(v, declared[n.lower()], f"{path}.{n}")]
        return self.problems(body, "microsoft.graph.event", f"{method} {path}")

"""A tool of a further connection, which Scalekit runs, as a model sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VERSIONS = frozenset({"schema_version", "tool_version"})
"""Parameters by which Scalekit's tools can be asked for in another form; models are not offered them."""


@dataclass(frozen=True, slots=True)
class ConnectorTool:
    """One tool: its name as Scalekit gives it, cleaned words, a flat schema, and what is known of its effects.

    A tool that nobody annotated counts as writing; `destructive` is None where nothing is known. `provider` is
    Scalekit's key of the service. `renamed` has the service's names of parameters that are published under others.
    """

    name: str
    title: str
    description: str
    connection_name: str
    provider: str
    input_schema: Mapping[str, Any]
    read_only: bool = False
    destructive: bool | None = None
    idempotent: bool = False
    open_world: bool = True
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])

    def published_arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call under the names that are published, whichever of the two a caller knows."""
        published = {theirs: ours for ours, theirs in self.renamed.items()}
        return {published.get(name, name): value for name, value in given.items() if name not in VERSIONS}

    def wire_arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call under the names that the service knows."""
        return {self.renamed.get(name, name): value for name, value in given.items()}


@dataclass(frozen=True, slots=True)
class ConnectorTools:
    """The tools of one user's further `connections`, and why those of a connection could not be read, by its name."""

    tools: tuple[ConnectorTool, ...] = ()
    connections: tuple[str, ...] = ()
    failures: Mapping[str, Exception] = field(default_factory=dict[str, Exception])

    def find(self, name: str) -> ConnectorTool | None:
        """The tool of this name; None if there is none."""
        return next((tool for tool in self.tools if tool.name == name), None)

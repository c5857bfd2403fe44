"""What is known of one tool of Scalekit's catalogue, and how a call of it becomes calls of our own tools.

A client written for Scalekit calls it with the catalogue's parameters and reads Microsoft's form in the answer. What is
wrong is refused under the catalogue's names. Source: Scalekit's connector page "Outlook".
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from scalekit_mcp.actions.models import ToolResult
from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools import ArgumentError, Arguments, Parameter, invalid_input, read_parameters

Run = Callable[[str, Mapping[str, Any] | Arguments], Awaitable[ToolResult]]
"""Runs one of our tools for the user at hand: its name and its arguments in, its answer out."""

Work = Callable[[Run, dict[str, Any]], Awaitable[dict[str, Any]]]

VERSIONS = frozenset({"schema_version", "tool_version"})
"""Parameters with which the catalogue asks for a form of a tool; there is one form here, so that they say nothing."""

SENTENCES: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}}
REMARKS: Mapping[str, Any] = {"notes": SENTENCES, "warnings": SENTENCES}
"""Members of an answer that Microsoft does not have: what was done as documented, and what was not as asked."""

ROWS: Mapping[str, Any] = {"type": "array", "items": {"type": "object"}}


@dataclass(frozen=True)
class CatalogueTool:
    """One tool of Scalekit's catalogue.

    `renamed` maps names of our parameters and tools to those of this one, for refusals. `refused` has the parameters of
    the catalogue that cannot be followed here, each with the reason.
    """

    name: str
    title: str
    description: str
    parameters: Mapping[str, Parameter]
    required: tuple[str, ...]
    output_schema: Mapping[str, Any]
    work: Work
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    read_only: bool = True
    destructive: bool = False
    idempotent: bool = True
    open_world: bool = True

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """A flat JSON schema without unknown members."""
        return {
            "type": "object",
            "properties": {name: parameter.json_schema() for name, parameter in self.parameters.items()},
            "required": list(self.required),
            "additionalProperties": False,
        }

    @cached_property
    def own_names(self) -> frozenset[str]:
        """The parameters by which a call shows that it means this tool."""
        return frozenset({*self.parameters, *self.refused})

    async def execute(self, run: Run, params: Mapping[str, Any]) -> ToolResult:
        """The answer; raises what `run` raises, and `InvalidInput` that names the catalogue's parameter."""
        execution_id: str | None = None

        async def noted_run(tool_name: str, arguments: Mapping[str, Any] | Arguments) -> ToolResult:
            nonlocal execution_id
            answer = await run(tool_name, arguments)
            execution_id = answer.execution_id or execution_id
            return answer

        read = self._read(params)
        try:
            result = ToolResult(await self.work(noted_run, read))
        except ArgumentError as wrong:
            raise invalid_input([wrong]) from wrong
        except InvalidInput as error:
            self._name_as_here(error)
            raise
        result.execution_id = execution_id
        return result

    def renamed_in(self, text: str) -> str:
        """A sentence of one of our tools, with this tool's names in it."""
        for ours, theirs in self.renamed.items():
            name = rf"\b{ours}\b" if "_" in ours else rf"(?<=`){ours}(?=`)"  # "filter" is a word of prose, too
            text = re.sub(name, theirs, text)
        return text

    def _name_as_here(self, error: InvalidInput) -> None:
        """Put the names of this tool into a refusal."""
        error.message, error.next_step = self.renamed_in(error.message), self.renamed_in(error.next_step)
        error.args = (error.message,)
        if "field" in error.details:
            field = str(error.details["field"])
            error.details["field"] = self.renamed.get(field, field)

    def _read(self, params: Mapping[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in params.items() if name not in VERSIONS}
        for name, reason in self.refused.items():
            if name in given:
                raise InvalidInput(f"`{name}` cannot be used here: {reason}.", field=name, next_step="Leave it out.")
        reading = read_parameters(given, self.parameters, self.required)
        if reading.problems:
            raise invalid_input(reading.problems)
        return reading.values


def members(answer: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Those of these members that an answer has."""
    return {name: answer[name] for name in names if name in answer}

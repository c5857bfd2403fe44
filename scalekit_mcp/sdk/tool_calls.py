"""How tools of an agent framework reach the calls, whoever made them: synchronous, asynchronous, or both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from scalekit_mcp.actions import ToolResult
from scalekit_mcp.tools import Carrier


def unchanged(tool_name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The input of a tool as it is."""
    del tool_name
    return given


class Execute(Protocol):
    """`execute_tool`, by keyword."""

    def __call__(self, *, tool_name: str, tool_input: Any, identifier: str, connection_name: str | None) -> ToolResult:
        """The answer of a tool; raises `ScalekitMCPError`."""
        ...


class ExecuteAsync(Protocol):
    """The same, to be awaited."""

    def __call__(
        self, *, tool_name: str, tool_input: Any, identifier: str, connection_name: str | None
    ) -> Awaitable[ToolResult]:
        """The answer of a tool; raises `ScalekitMCPError`."""
        ...


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """`wait` blocks until the answer is there; None where the calls are asynchronous only. `before` changes input.

    `carrier` says what carries out calls now.
    """

    soon: ExecuteAsync
    carrier: Callable[[], Carrier]
    wait: Execute | None = None
    before: Callable[[str, Mapping[str, Any]], Mapping[str, Any]] = unchanged

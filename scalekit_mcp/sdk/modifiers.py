"""Functions of the application that change what goes into a tool and what comes out of it, as in Scalekit's SDK."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from scalekit_mcp.actions import ToolResult
from scalekit_mcp.errors import InvalidInput

ModifierType = Literal["pre", "post"]
Function = Callable[[Any], Any]
F = TypeVar("F", bound=Function)


class Modifier:
    """One function for some tools: `pre` is given a tool's input, `post` its answer; what it returns takes the place.

    `func` is set afterwards, as Scalekit's SDK has it; without one nothing is changed.
    """

    def __init__(
        self, tool_names: str | Sequence[str], modifier_type: ModifierType, *, func: Function | None = None
    ) -> None:
        self.tool_names = [tool_names] if isinstance(tool_names, str) else list(tool_names)
        self.type: ModifierType = modifier_type
        self.func = func


class Modifiers:
    """The modifiers of one `actions`, in the order in which they were added, which is the order they run in."""

    def __init__(self) -> None:
        self._added: list[Modifier] = []

    def add(self, modifier: Modifier) -> None:
        """Add one."""
        self._added.append(modifier)

    def decorator(self, tool_names: str | Sequence[str], modifier_type: ModifierType) -> Callable[[F], F]:
        """A decorator that adds its function."""

        def decorate(function: F) -> F:
            self.add(Modifier(tool_names, modifier_type, func=function))
            return function

        return decorate

    def found(self, tool_name: str | None = None, modifier_type: ModifierType | None = None) -> list[Modifier]:
        """Those of a tool and of a kind; None means any."""
        return [
            modifier
            for modifier in self._added
            if (not tool_name or tool_name in modifier.tool_names)
            and (not modifier_type or modifier.type == modifier_type)
        ]

    def before(self, tool_name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The input of a tool after its `pre` functions; raises `InvalidInput` where one returns no mapping."""
        for modifier in self.found(tool_name, "pre"):
            if modifier.func is not None:
                given = _mapping(modifier.func(dict(given)), "pre", tool_name)
        return given

    def after(self, tool_name: str, result: ToolResult) -> ToolResult:
        """The answer of a tool after its `post` functions; raises `InvalidInput` where one returns no mapping."""
        for modifier in self.found(tool_name, "post"):
            if modifier.func is not None:
                changed = ToolResult(_mapping(modifier.func(result), "post", tool_name))
                changed.execution_id = result.execution_id
                result = changed
        return result


def _mapping(value: object, kind: str, tool_name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(
            f"The {kind}-modifier of {tool_name} returned {type(value).__name__}, not a dictionary.",
            next_step="Return the changed dictionary from the function.",
        )
    return value  # pyright: ignore[reportUnknownVariableType] - its keys are the application's own

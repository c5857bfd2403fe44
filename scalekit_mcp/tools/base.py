"""Shared by all argument models: reading the arguments of a call, and the error that names what is wrong."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict

from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools.inputs.people import Attendee
from scalekit_mcp.tools.inputs.values import ArgumentError, EmptyListError, NothingToChangeError, nearest, shown
from scalekit_mcp.tools.parameters import CLEARABLE, Parameter
from scalekit_mcp.tools.remarks import NO_REMARKS, Remarks, warned
from scalekit_mcp.tools.zones.abbreviations import place_zones


class Arguments(BaseModel):
    """The arguments of one tool call, validated and normalised; made by `parse_arguments`.

    Fields are named exactly as the parameters on the wire. `given` tells which the caller supplied. `remarks`
    holds sentences for the result, such as a time that happens twice. `answer_characters` is how long the answer may be
    at most, as JSON text; None where code reads it and not a model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True)

    tool_name: ClassVar[str]
    empty_list_means_something: ClassVar[bool] = False
    remarks: Remarks = NO_REMARKS
    answer_characters: int | None = None

    def __repr__(self) -> str:
        # Event content stays out of logs and tracebacks.
        return f"{type(self).__name__}({', '.join(sorted(self.given))})"

    __str__ = __repr__

    @property
    def given(self) -> frozenset[str]:
        """The names of the parameters that were supplied; `null` and empty text count as absent."""
        return frozenset(self.model_fields_set) - {"remarks", "answer_characters"}

    def with_limit(self, answer_characters: int | None) -> Self:
        """The same arguments with another bound on their answer."""
        return self.model_copy(update={"answer_characters": answer_characters})

    @classmethod
    def parse(cls, mapping: Mapping[str, Any]) -> Self:
        """Read a wire mapping; raises `InvalidInput` that names the field and the fix."""
        reading = read_parameters(mapping, parameters_of(cls), _required(cls))
        problems = reading.problems
        remarks = warned(*reading.about_empty_lists()) if cls.empty_list_means_something else NO_REMARKS
        if not problems:
            try:
                remarks += place_zones(reading.values, _zones(cls)) + cls.check(reading.values)
            except NothingToChangeError as refused:
                problems.append(EmptyListError(reading.empty[0]) if remarks.warnings else refused)
            except ArgumentError as refused:
                problems.append(refused)
        if problems:
            raise invalid_input(problems)
        return cls(**reading.values, remarks=remarks)

    @classmethod
    def check(cls, read: dict[str, Any]) -> Remarks:
        """Check rules between parameters; returns remarks, may normalise `read`, raises `ArgumentError`."""
        del read
        return NO_REMARKS

    def to_wire(self) -> dict[str, Any]:
        """The given parameters as JSON values, in the forms of the published catalogue."""
        return {name: _wire_value(name, getattr(self, name)) for name in type(self).model_fields if name in self.given}


IGNORED_MEMBERS = frozenset(
    {
        *("toolCallId", "tool_call_id", "sessionId", "action", "chatInput", "tool", "_meta"),
        *("wait_for_previous", "reasoning"),
    }
)
"""What clients are known to add to the arguments of a call: no model's doing, so that a refusal would help nobody."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a wire mapping: values by parameter, problems, and the parameters whose list was empty."""

    values: dict[str, Any]
    problems: list[ArgumentError]
    empty: list[str]

    def about_empty_lists(self) -> list[str]:
        """A hint about empty lists, for a caller who may have meant to clear a property."""
        return [
            f"`{name}` was an empty list, which changes nothing; to empty it, name it in clear."
            for name in self.empty
            if name in CLEARABLE
        ]


def read_parameters(
    mapping: Mapping[str, Any], parameters: Mapping[str, Parameter], required: Container[str]
) -> Reading:
    """Read what a wire mapping has for these parameters: the one place where it is said what counts as not given."""
    unknown = [str(name) for name in mapping if name not in parameters and name not in IGNORED_MEMBERS]
    reading = Reading({}, _unknown(unknown, parameters), [])
    for name, parameter in parameters.items():
        value = mapping.get(name)
        if name in mapping and not parameter.is_absent(value):
            try:
                reading.values[name] = parameter.parse(value)
                continue
            except EmptyListError:
                pass  # the text of an array without members
            except ArgumentError as refused:
                reading.problems.append(ArgumentError(refused.message, refused.field or name))
                continue
        if name in required:
            reading.problems.append(ArgumentError(f"is missing: {parameter.description.rstrip('.')}", name))
        elif parameter.many and _is_list(value):
            reading.empty.append(name)
    return reading


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple) or (isinstance(value, str) and value.strip().startswith("["))


@cache
def parameters_of(cls: type[Arguments]) -> dict[str, Parameter]:
    """The parameters of a tool, in the order of the catalogue."""
    own = [name for klass in cls.__mro__ for name in vars(klass).get("__annotations__", {})]
    found: dict[str, Parameter] = {}
    for name in own:
        metadata: list[Any] = cls.model_fields[name].metadata if name in cls.model_fields else []
        for parameter in metadata:
            if isinstance(parameter, Parameter):
                found[name] = parameter
    return found


@cache
def _zones(cls: type[Arguments]) -> dict[str, tuple[str, ...]]:
    """The parameters that are time zones, each with those that hold its local times."""
    found = {name: parameter.zone_dated_by for name, parameter in parameters_of(cls).items()}
    return {name: dated_by for name, dated_by in found.items() if dated_by is not None}


@cache
def _required(cls: type[Arguments]) -> frozenset[str]:
    return frozenset(name for name in parameters_of(cls) if cls.model_fields[name].is_required())


def _unknown(names: Sequence[str], parameters: Mapping[str, Parameter]) -> list[ArgumentError]:
    """Names that are no parameters; the first with what may be meant: its kin, the nearest, or all of a few."""
    problems = [ArgumentError("is not a parameter of this tool", name) for name in names]
    if names:
        kin = [known for known in parameters if known.startswith(f"{names[0].casefold()}_")]
        hint = kin[:3] or nearest(names[0], parameters) or (list(parameters) if len(parameters) <= 10 else [])
        if kin or len(hint) == 1:
            problems[0] = ArgumentError(f"is not a parameter of this tool; did you mean {' or '.join(hint)}?", names[0])
        elif hint:
            problems[0] = ArgumentError(f"is not a parameter of this tool, which takes {', '.join(hint)}", names[0])
    return problems


def invalid_input(problems: Sequence[ArgumentError]) -> InvalidInput:
    """The refusal that names the first problem, and the parameters of the others."""
    first = problems[0]
    names = [shown(p.field or "")[1:-1] for p in problems]
    end = "" if first.message.endswith("?") else "."
    message = f"`{names[0]}` {first.message}{end}"
    others = {n: p.message.startswith("is missing") for n, p in zip(names, problems, strict=True) if n != names[0]}
    for how, said in (("wrong", False), ("missing", True)):
        also = [name for name, missing in others.items() if name and missing is said]
        if also:
            message += f" Also {how}: {', '.join(also[:10])}."
    return InvalidInput(message, field=names[0] or None)


def _wire_value(name: str, value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds" if value.microsecond else "seconds")
    if isinstance(value, date):
        return value.isoformat()
    if name == "locations":
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        members = cast("tuple[object, ...]", value)
        people = [member for member in members if isinstance(member, Attendee)]
        if any(person.kind is not None or not person.can_be_invited for person in people):
            return json.dumps([person.as_object() for person in people], ensure_ascii=False)
        return ",".join(m.wire() if isinstance(m, Attendee) else str(m) for m in members)
    return value

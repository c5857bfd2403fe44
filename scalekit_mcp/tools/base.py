"""What the six argument models have in common: reading a wire mapping, and refusing it in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict

from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools.parameters import Parameter
from scalekit_mcp.tools.people import Attendee
from scalekit_mcp.tools.remarks import NO_REMARKS, Remarks
from scalekit_mcp.tools.values import Refused, nearest, shown
from scalekit_mcp.tools.zone_abbreviations import place_zones


class Arguments(BaseModel):
    """The arguments of one tool call, validated and normalised; made by `parse_arguments`.

    Fields are named exactly as the parameters on the wire. `given` tells which the caller supplied. `remarks`
    holds sentences for the result, such as a time that happens twice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True)

    tool_name: ClassVar[str]
    empty_list_means_something: ClassVar[bool] = False
    remarks: Remarks = NO_REMARKS

    def __repr__(self) -> str:
        # Event content stays out of logs and tracebacks.
        return f"{type(self).__name__}({', '.join(sorted(self.given))})"

    __str__ = __repr__

    @property
    def given(self) -> frozenset[str]:
        """The names of the parameters that were supplied; `null` and empty text count as absent."""
        return frozenset(self.model_fields_set) - {"remarks"}

    @classmethod
    def parse(cls, mapping: Mapping[str, Any]) -> Self:
        """Read a wire mapping; raises `InvalidInput` that names the field and the fix."""
        parameters, required = parameters_of(cls), _required(cls)
        problems = _unknown([str(name) for name in mapping if name not in parameters], parameters)
        read: dict[str, Any] = {}
        for name, parameter in parameters.items():
            value = mapping.get(name)
            if parameter.is_absent(value) or (value == [] and not cls.empty_list_means_something):
                if name in required:
                    problems.append(Refused(f"is missing: {parameter.description.rstrip('.')}", name))
                continue
            try:
                read[name] = parameter.parse(value)
            except Refused as refused:
                problems.append(Refused(refused.message, refused.field or name))
        remarks = NO_REMARKS
        if not problems:
            try:
                remarks = place_zones(read, _zones(cls)) + cls.check(read)
            except Refused as refused:
                problems.append(refused)
        if problems:
            raise _invalid_input(problems)
        return cls(**read, remarks=remarks)

    @classmethod
    def check(cls, read: dict[str, Any]) -> Remarks:
        """Hold the parameters against each other; returns what to say, may normalise `read`, raises `Refused`."""
        del read
        return NO_REMARKS

    def to_wire(self) -> dict[str, Any]:
        """The given parameters as JSON values, in the forms of the published catalogue."""
        return {name: _wire_value(name, getattr(self, name)) for name in type(self).model_fields if name in self.given}


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


def _unknown(names: Sequence[str], parameters: Mapping[str, Parameter]) -> list[Refused]:
    """Names that are no parameters; the first with what may be meant: its kin, the nearest, or all of a few."""
    problems = [Refused("is not a parameter of this tool", name) for name in names]
    if names:
        kin = [known for known in parameters if known.startswith(f"{names[0].casefold()}_")]
        hint = kin[:3] or nearest(names[0], parameters) or (list(parameters) if len(parameters) <= 10 else [])
        if kin or len(hint) == 1:
            problems[0] = Refused(f"is not a parameter of this tool; did you mean {' or '.join(hint)}?", names[0])
        elif hint:
            problems[0] = Refused(f"is not a parameter of this tool, which takes {', '.join(hint)}", names[0])
    return problems


def _invalid_input(problems: list[Refused]) -> InvalidInput:
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
        import json

        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        members = cast("tuple[object, ...]", value)
        return ",".join(m.wire() if isinstance(m, Attendee) else str(m) for m in members)
    return value

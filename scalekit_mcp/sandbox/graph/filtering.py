"""`$filter` on events: text to a function on an event.

Written from the OData 4.01 URL conventions and the Graph pages "Use the $filter query parameter" and "List events".
Date-times of `start` and `end` are texts in the metadata, hence quoted in a filter, and are compared as UTC instants.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

from scalekit_mcp.sandbox.graph.calendar.schema import ENUMS
from scalekit_mcp.sandbox.graph.errors import GraphError, bad_request
from scalekit_mcp.sandbox.graph.properties import (
    COLLECTIONS,
    FAILS,
    FIELDS,
    NOT_FILTERABLE,
    PROPERTIES,
    Getter,
    unknown_property,
)
from scalekit_mcp.sandbox.world.mailbox import Event

Predicate = Callable[[Event], bool]

_MOST_NODES = 60

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')"
    r"|(?P<date>\d{4}-\d{2}-\d{2}(?:T[0-9:.]*(?:Z|[+-]\d{2}:?\d{2})?)?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z_@][A-Za-z0-9_.]*(?:/[A-Za-z_][A-Za-z0-9_.]*)*)"
    r"|(?P<mark>[(),:])"
    r"|(?P<bad>\S))"
)
_COMPARISONS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "eq": ("Equal", lambda a, b: a == b),
    "ne": ("NotEqual", lambda a, b: a != b),
    "gt": ("GreaterThan", lambda a, b: a > b),
    "ge": ("GreaterThanOrEqual", lambda a, b: a >= b),
    "lt": ("LessThan", lambda a, b: a < b),
    "le": ("LessThanOrEqual", lambda a, b: a <= b),
}
_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
}
_EDM = {"string": "Edm.String", "moment": "Edm.String", "boolean": "Edm.Boolean", "int": "Edm.Int32",
        "instant": "Edm.DateTimeOffset", "null": "null"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled `$filter`."""

    matches: Predicate
    text_functions: frozenset[str]
    """Properties given to contains, startswith or endswith."""


@lru_cache(maxsize=2048)
def parse_filter(text: str) -> Filter:
    """Compile a `$filter`.

    Raises:
        GraphError: 400 `BadRequest` for syntax, types and unknown names, `UnsupportedEntityExpression` for what the
            store cannot filter by, `ErrorRestrictionTooComplex`; 500 for what makes Microsoft's own service fail.
    """
    parser = _Parser(text)
    return Filter(parser.whole(), frozenset(parser.text_functions))


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class _Operand:
    kind: str
    get: Getter
    constant: bool = False
    name: str = ""


class _Parser:
    """Recursive descent: or, and, not, comparison, call."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [
            _Token(match.lastgroup or "", match.group(match.lastgroup or 0), match.start(match.lastgroup or 0))
            for match in _TOKEN.finditer(text)
            if match.lastgroup
        ]
        self._next = 0
        self._nodes = 0
        self._variables: dict[str, str] = {}
        self.text_functions: set[str] = set()

    def whole(self) -> Predicate:
        for token in self._tokens:
            if token.kind == "bad":
                raise self._syntax(token)
        predicate = self._or()
        if self._peek() is not None:
            raise self._syntax(self._peek())
        return predicate

    def _or(self) -> Predicate:
        terms = [self._and()]
        while self._take_name("or"):
            terms.append(self._and())
        return terms[0] if len(terms) == 1 else lambda event: any(term(event) for term in terms)

    def _and(self) -> Predicate:
        terms = [self._not()]
        while self._take_name("and"):
            terms.append(self._not())
        return terms[0] if len(terms) == 1 else lambda event: all(term(event) for term in terms)

    def _not(self) -> Predicate:
        if self._take_name("not"):
            self._count()
            inner = self._not()
            return lambda event: not inner(event)
        return self._term()

    def _term(self) -> Predicate:
        self._count()
        if self._take_mark("("):
            inner = self._or()
            self._need_mark(")")
            return inner
        token = self._peek()
        after = self._peek(1)
        is_call = token is not None and token.kind == "name" and after is not None and after.text == "("
        if is_call and token is not None and token.text not in ("tolower", "toupper"):
            return self._call()
        return self._comparison()

    def _call(self) -> Predicate:
        name = self._take().text
        self._need_mark("(")
        if name.endswith(("/any", "/all")):
            return self._lambda(*name.rsplit("/", 1))
        function = _FUNCTIONS.get(name)
        if function is None:
            raise bad_request(f"An unknown function with name '{name}' was found.")
        text = self._operand()
        self._need_mark(",")
        part = self._operand()
        self._need_mark(")")
        for operand in (text, part):
            if operand.kind not in ("string", "moment"):
                raise bad_request(f"No function signature for the function with name '{name}' matches the arguments.")
        self.text_functions.add(text.name)
        predicate: Predicate = lambda event: function(  # noqa: E731 - one expression, used in two places
            str(text.get(event) or "").lower(), str(part.get(event) or "").lower()
        )
        return self._maybe_compared_with_boolean(predicate)

    def _maybe_compared_with_boolean(self, predicate: Predicate) -> Predicate:
        token = self._peek()
        if token is None or token.text not in ("eq", "ne"):
            return predicate
        wanted = self._take().text == "eq"
        literal = self._take()
        if literal.text not in ("true", "false"):
            raise self._syntax(literal)
        wanted = wanted == (literal.text == "true")
        return lambda event: predicate(event) is wanted

    def _lambda(self, path: str, quantifier: str) -> Predicate:
        root = path.split("/")[0]
        _refuse_unsupported(root)
        getter = COLLECTIONS.get(path)
        if getter is None:
            if root not in PROPERTIES:
                raise unknown_property(root)
            raise bad_request(f"Any/All may only be used following a collection, not '{path}'.")
        if quantifier == "any" and self._take_mark(")"):
            return lambda event: bool(getter(event))
        variable = self._take()
        if variable.kind != "name" or not self._take_mark(":"):
            raise self._syntax(variable)
        self._variables[variable.text] = path
        inner = self._or()
        del self._variables[variable.text]
        self._need_mark(")")
        quantify = any if quantifier == "any" else all
        return lambda event: quantify(inner(cast("Event", _Bound(event, value))) for value in getter(event))

    def _comparison(self) -> Predicate:
        left = self._operand()
        token = self._peek()
        if left.kind == "boolean" and (token is None or token.text not in _COMPARISONS):
            return lambda event: bool(left.get(event))
        if token is None or token.text == "in" or token.text not in _COMPARISONS:
            raise self._syntax(token)
        operator_name, operator = _COMPARISONS[self._take().text]
        right = self._operand()
        if left.constant and not right.constant:
            flipped = {"GreaterThan": "lt", "GreaterThanOrEqual": "le", "LessThan": "gt", "LessThanOrEqual": "ge"}
            left, right = right, left
            operator = _COMPARISONS[flipped[operator_name]][1] if operator_name in flipped else operator
        return _compared(left, right, operator_name, operator)

    def _operand(self) -> _Operand:
        token = self._take()
        if token.kind == "string":
            value = token.text[1:-1].replace("''", "'")
            return _Operand("string", lambda _: value, constant=True)
        if token.kind == "number":
            number = float(token.text) if "." in token.text else int(token.text)
            return _Operand("int", lambda _: number, constant=True)
        if token.kind == "date":
            instant = _unquoted_instant(token.text)
            return _Operand("instant", lambda _: instant, constant=True)
        if token.kind != "name":
            raise self._syntax(token)
        if token.text in ("true", "false"):
            truth = token.text == "true"
            return _Operand("boolean", lambda _: truth, constant=True)
        if token.text == "null":
            return _Operand("null", lambda _: None, constant=True)
        if token.text in self._variables:
            return _Operand("string", lambda event: cast("_Bound", event).value, name=token.text)
        if token.text in ("tolower", "toupper") and self._take_mark("("):
            inner = self._operand()
            self._need_mark(")")
            return inner  # comparisons ignore case anyway
        return _property(token.text)

    def _peek(self, ahead: int = 0) -> _Token | None:
        index = self._next + ahead
        return self._tokens[index] if index < len(self._tokens) else None

    def _take(self) -> _Token:
        token = self._peek()
        if token is None:
            raise self._syntax(None)
        self._next += 1
        return token

    def _take_name(self, text: str) -> bool:
        token = self._peek()
        if token is not None and token.kind == "name" and token.text == text:
            self._next += 1
            return True
        return False

    def _take_mark(self, text: str) -> bool:
        token = self._peek()
        if token is not None and token.kind == "mark" and token.text == text:
            self._next += 1
            return True
        return False

    def _need_mark(self, text: str) -> None:
        if not self._take_mark(text):
            raise self._syntax(self._peek())

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise GraphError(400, "ErrorRestrictionTooComplex", "Restriction is too complex.")

    def _syntax(self, token: _Token | None) -> GraphError:
        position = len(self._text) if token is None else token.at
        return bad_request(f"Syntax error at position {position} in '{self._text}'.")


class _Bound:
    """The event inside a lambda, together with the variable's value."""

    def __init__(self, event: Event, value: Any) -> None:
        self._event = event
        self.value = value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._event, name)


def _refuse_unsupported(root: str) -> None:
    if root in NOT_FILTERABLE:
        raise GraphError(400, "UnsupportedEntityExpression", f"The property '{root}' does not support filtering.")
    if root in FAILS:
        raise GraphError(500, "ErrorInternalServerError", "An internal server error occurred. The operation failed.")


def _property(path: str) -> _Operand:
    found = FIELDS.get(path)
    if found is not None:
        return _Operand(found[0], found[1], name=path)
    root = path.split("/")[0]
    _refuse_unsupported(root)
    if root not in PROPERTIES:
        raise unknown_property(root)
    if root != path:
        raise bad_request(f"Could not find a property named '{path.split('/')[-1]}' on the type of '{root}'.")
    if root in ("start", "end", "organizer", "location", "responseStatus", "categories"):
        raise bad_request(f"A property of complex type can't be compared: '{root}'.")
    raise GraphError(400, "ErrorInvalidUrlQueryFilter", "The query filter contains one or more invalid nodes.")


def _compared(left: _Operand, right: _Operand, name: str, operator: Callable[[Any, Any], bool]) -> Predicate:
    kinds = (left.kind, right.kind)
    if right.kind == "null":
        return lambda event: operator(left.get(event) is None, True) if name in ("Equal", "NotEqual") else False
    if left.kind in ENUMS and right.kind == "string" and right.constant:
        return _enum_compared(left, str(right.get(cast("Event", None))), operator)
    if left.kind == "moment" and right.kind == "string" and right.constant:
        instant = _quoted_instant(str(right.get(cast("Event", None))))
        return lambda event: operator(left.get(event), instant)
    left_type, right_type = (_EDM.get(kind, "Edm.String") for kind in kinds)
    if left_type != right_type:
        raise bad_request(
            "A binary operator with incompatible types was detected. Found operand types "
            f"'{left_type}' and '{right_type}' for operator kind '{name}'."
        )
    if left.kind == "boolean" and name not in ("Equal", "NotEqual"):
        raise bad_request(f"The operator kind '{name}' can't be applied to 'Edm.Boolean'.")
    if left.kind == "string":
        return lambda event: _text_compared(left.get(event), right.get(event), name, operator)
    return lambda event: _compared_unless_null(left.get(event), right.get(event), name, operator)


def _enum_compared(left: _Operand, text: str, operator: Callable[[Any, Any], bool]) -> Predicate:
    member = next((member for member in ENUMS[left.kind] if member.lower() == text.lower()), None)
    if member is None:
        raise bad_request(f"The string '{text}' is not a valid enumeration type constant.")
    return lambda event: operator(left.get(event), member)


def _text_compared(left: Any, right: Any, name: str, operator: Callable[[Any, Any], bool]) -> bool:
    if left is None or right is None:
        return name == "NotEqual"
    return operator(str(left).lower(), str(right).lower())


def _compared_unless_null(left: Any, right: Any, name: str, operator: Callable[[Any, Any], bool]) -> bool:
    if left is None or right is None:
        return name == "NotEqual"
    return operator(left, right)


def _not_a_date_time(text: str) -> GraphError:
    return bad_request(
        f"The DateTimeOffset text '{text}' should be in format 'yyyy-mm-ddThh:mm:ss('.'s+)?(zzzzzz)?' and each field "
        "value is within valid range."
    )


def _unquoted_instant(text: str) -> datetime:
    """A DateTimeOffset literal; one without an offset is no such literal."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as exc:
        raise _not_a_date_time(text) from exc
    if at.tzinfo is None:
        raise _not_a_date_time(text)
    return at


def _quoted_instant(text: str) -> datetime:
    """A quoted date-time: UTC unless it carries an offset."""
    shortened = re.sub(r"(\.\d{6})\d+", r"\1", text)
    try:
        at = datetime.fromisoformat(shortened)
    except ValueError as exc:
        raise _not_a_date_time(text) from exc
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)

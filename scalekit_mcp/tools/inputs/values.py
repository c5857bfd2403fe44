"""Converts one JSON value of a call to one Python value.

Every function takes what JSON brought and returns the normalised value, or raises `ArgumentError` with one sentence
that names the fix. Language models send numbers and booleans as strings, enum values in any letter case, and lists as
text: all of that is understood here. Nothing is guessed that would change the meaning.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, cast

from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.tools.inputs.invisible import without_hidden

Parse = Callable[[object], Any]


class ArgumentError(ValueError):
    """A value of a parameter is not valid. `field` names the parameter for rules about several of them."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    def as_invalid_input(self, field: str | None = None) -> InvalidInput:
        """The same error as `InvalidInput`: one sentence that begins with the name of the parameter."""
        name = self.field or field
        return InvalidInput(f"`{name}` {self.message}." if name else f"{self.message}.", field=name)


def shown(value: object, limit: int = 60) -> str:
    """A value as it can be repeated in a message: on one line, without control characters, shortened."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    text = without_hidden(text[:200])
    text = "".join("?" if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else c for c in text)
    return f"'{text}'" if len(text) <= limit else f"'{text[:limit]}...'"


def nearest(name: str, known: Iterable[str], count: int = 1) -> list[str]:
    """The known names that look most like `name`, whatever their letter case."""
    by_folded = {k.casefold(): k for k in known}
    return [by_folded[m] for m in difflib.get_close_matches(name[:80].casefold(), by_folded, n=count, cutoff=0.6)]


def has(text: str, *categories: str) -> bool:
    """Whether the text has a character of one of these unprintable categories: `Cc` controls, `Cs` half pairs, ..."""
    if text.isprintable():
        return False
    return any(unicodedata.category(c) in categories for c in text)


_WORDS_FOR_NOTHING = frozenset({"null", "none", "undefined", "[]", "{}", '""', "''"})
_DEEPEST_EMPTINESS = 4


def is_absent(value: object, *, words: bool = True, depth: int = _DEEPEST_EMPTINESS) -> bool:
    """Whether the value means "not given": `null`, empty text, arrays and objects that hold nothing else.

    Models send those for parameters they do not use, and the words that languages write for them, such as `None` and
    `undefined`; without `words` these are text like any other.
    """
    if value is None:
        return True
    if isinstance(value, str):
        stripped = value.strip()
        return not stripped or (words and stripped.casefold() in _WORDS_FOR_NOTHING)
    if isinstance(value, Mapping):
        value = list(cast("Mapping[object, object]", value).values())
    if isinstance(value, list | tuple) and depth:
        members = cast("Sequence[object]", value)
        return all(is_absent(member, words=words, depth=depth - 1) for member in members)
    return False


NO_DATE = "0001-01-01"
"""What Graph answers for a date that is not there (recurrenceRange resource type)."""


def is_zero(value: object) -> bool:
    """Whether a wire value is the number 0, also as text."""
    if isinstance(value, str):
        return re.fullmatch(r"\s*[+-]?0+(\.0*)?\s*", value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool) and value == 0


_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
"""What neither HTML nor UTF-8 can carry."""


def text(maximum: int, *, one_line: bool = True) -> Parse:
    """Text of at most `maximum` characters; with `one_line`, trimmed and without control characters."""

    def parse(value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ArgumentError("must be text")
        result = str(value)
        if len(result) > maximum:
            raise ArgumentError(f"has {len(result)} characters; at most {maximum} are allowed")
        if one_line:
            result = result.strip()
            if has(result, "Cc", "Cs", "Zl", "Zp"):
                raise ArgumentError("must be one line without control characters")
        elif _UNSENDABLE.search(result):
            raise ArgumentError("has control characters or halves of surrogate pairs; send plain text")
        return result

    return parse


def body_content(maximum: int) -> Parse:
    """A description. Graph's whole body (`{"contentType": ..., "content": ...}`) is refused, not written as text."""
    read = text(maximum, one_line=False)

    def parse(value: object) -> str:
        decoded = value
        if isinstance(value, str) and value.lstrip()[:1] == "{" and len(value) <= maximum:
            try:
                decoded = json.loads(value)
            except (ValueError, RecursionError):
                decoded = value
        if isinstance(decoded, Mapping) and set(cast("Mapping[str, object]", decoded)) == {"content", "contentType"}:
            raise ArgumentError("is an object; give its content alone here, and its contentType in body_contentType")
        return cast(str, read(value))

    return parse


def opaque_id(value: object) -> str:
    """An id as Microsoft gave it: case-sensitive, never changed, without blanks."""
    if not isinstance(value, str):
        raise ArgumentError("must be text: an id from an earlier answer, unchanged")
    result = value.strip()
    if len(result) > 1024 or len(result.split()) != 1 or has(result, "Cc", "Cf", "Cs"):
        raise ArgumentError("is not an id: use one from an earlier answer, unchanged")
    return result


def boolean(value: object) -> bool:
    """`true`, `false`, and their text forms."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().casefold() in {"true", "false"}:
        return value.strip().casefold() == "true"
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    raise ArgumentError("must be true or false")


def integer(minimum: int, maximum: int) -> Parse:
    """A whole number within bounds; text and floats such as `20.0` count."""

    def parse(value: object) -> int:
        number: int | None = None
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,9}(\.0*)?", value.strip()):
            number = int(float(value))
        elif isinstance(value, int) and not isinstance(value, bool):
            number = value
        elif isinstance(value, float) and value.is_integer():
            number = int(value)
        if number is None:
            raise ArgumentError(f"must be a whole number from {minimum} to {maximum}")
        if not minimum <= number <= maximum:
            raise ArgumentError(f"must be from {minimum} to {maximum}")
        return number

    return parse


def choice(*values: str, also: dict[str, str] | None = None) -> Parse:
    """One of `values`, without regard to letter case; `also` maps other spellings to one of them."""
    spellings = {v.casefold(): v for v in values} | (also or {})

    def parse(value: object) -> str:
        found = spellings.get(value.strip().casefold()) if isinstance(value, str) else None
        if found is None:
            raise ArgumentError(f"is {shown(value)}; it must be one of: {', '.join(values)}")
        return found

    return parse


MAXIMUM_LIST_TEXT = 200_000
"""Most characters of a list that is written as text: 500 people with long names."""


def items(value: object) -> list[object]:
    """The members of a list: an array, the JSON text of one, or comma-separated text."""
    if isinstance(value, str):
        stripped = value.strip()
        if len(stripped) > MAXIMUM_LIST_TEXT:
            raise ArgumentError(f"has {len(stripped)} characters; at most {MAXIMUM_LIST_TEXT} are allowed")
        if stripped.startswith("["):
            try:
                decoded: object = json.loads(stripped)
            except (ValueError, RecursionError):
                raise ArgumentError("starts like a JSON array but is none; write comma-separated text") from None
            if isinstance(decoded, list):
                return cast("list[object]", decoded)
        return [part.strip() for part in stripped.split(",") if part.strip()]
    if isinstance(value, list | tuple):
        return list(cast("Sequence[object]", value))
    raise ArgumentError("must be comma-separated text or an array")


def text_list(parse_item: Parse) -> Parse:
    """A list of text without doubles (letter case ignored), in the order given."""

    def parse(value: object) -> tuple[str, ...]:
        found: dict[str, str] = {}
        for item in items(value):
            if is_absent(item):
                continue
            parsed = cast(str, parse_item(item))
            found.setdefault(parsed.casefold(), parsed)
        if not found:
            raise EmptyListError
        return tuple(found.values())

    return parse


class NothingToChangeError(ArgumentError):
    """The arguments of an update name an event but no change."""


class EmptyListError(ArgumentError):
    """A list without members; models send one for a list that they do not use."""

    def __init__(self, field: str | None = None) -> None:
        super().__init__("is an empty list; leave it out, or, to empty what an event has, name it in clear", field)


_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_LOCAL = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?")
_OFFSET = re.compile(r"(?:[Zz]|UTC|GMT|([+\-\N{MINUS SIGN}])(\d{2})(?::?(\d{2}))?)$")
FIRST_YEAR, LAST_YEAR = 1900, 2199


def _stamp(value: object) -> str:
    stripped = value.strip() if isinstance(value, str) else ""
    return stripped if len(stripped) <= 64 else ""


def calendar_date(value: object) -> date:
    """A date, `2026-04-01`; the time part of midnight is tolerated."""
    stripped = _stamp(value)
    stripped = re.sub(r"[T ]00:00(:00(\.0+)?)?$", "", stripped)
    if not _DATE.fullmatch(stripped):
        raise ArgumentError(f"is {shown(value)}; write a date such as 2026-04-01")
    try:
        result = date.fromisoformat(stripped)
    except ValueError:
        raise ArgumentError(f"is {shown(value)}, which is not in the calendar") from None
    _check_year(result.year)
    return result


def local_datetime(zone_field: str) -> Parse:
    """A local date-time without an offset, `2026-04-01T10:00:00`; a bare date is midnight, marked by `DateOnly`."""

    def parse(value: object) -> datetime:
        stripped = _stamp(value)
        offset = _OFFSET.search(stripped) if len(stripped) > 10 else None
        if offset and (local := _LOCAL.fullmatch(stripped[: offset.start()].rstrip())):
            raise _with_offset(local, offset, zone_field)
        if _DATE.fullmatch(stripped):
            day = calendar_date(stripped)
            return DateOnly(day.year, day.month, day.day)
        match = _LOCAL.fullmatch(stripped)
        if match is None:
            raise ArgumentError(
                f"is {shown(value)}; write local time such as 2026-04-01T10:00:00, and its zone in {zone_field}"
            )
        result = _read_local(match)
        _check_year(result.year)
        return result

    return parse


def _read_local(match: re.Match[str]) -> datetime:
    fraction = (match[4] or "0")[:6].ljust(6, "0")
    try:
        return datetime.fromisoformat(f"{match[1]}T{match[2]}:{match[3] or '00'}.{fraction}")
    except ValueError:
        pass
    hint = ""
    if match[2] == "24:00" and set(match[3] or "0") == {"0"}:
        with contextlib.suppress(ValueError, OverflowError):
            following = datetime.fromisoformat(match[1]) + timedelta(days=1)
            hint = f"; midnight at the end of that day is {following.isoformat()}"
    raise ArgumentError(f"is {shown(match.group())}, which is not in the calendar{hint}")


def _with_offset(match: re.Match[str], offset: re.Match[str], zone_field: str) -> ArgumentError:
    """The refusal of a time with an offset, which has two readings: the clock of the zone, and the instant."""
    local = _read_local(match)
    shift = timedelta(hours=int(offset[2] or 0), minutes=int(offset[3] or 0))
    try:
        instant = local - shift if offset[1] == "+" else local + shift
    except OverflowError:
        return ArgumentError(f"has the year {local.year}; years from {FIRST_YEAR} to {LAST_YEAR} are taken")
    written, utc = (moment.isoformat(timespec="seconds") for moment in (local, instant))
    return ArgumentError(
        f"carries the offset {shown(offset.group().strip())}; write {written} if the clock in {zone_field} shows that, "
        f"or {utc} and {zone_field} UTC if the offset is meant"
    )


class DateOnly(datetime):
    """Midnight of a date that was given without a time; only all-day events take it."""


def _check_year(year: int) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ArgumentError(f"has the year {year}; years from {FIRST_YEAR} to {LAST_YEAR} are taken")

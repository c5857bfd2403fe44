"""Reads attendees in every form in which models and mail programs write people."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from scalekit_mcp.tools.inputs.invisible import comparable, without_hidden
from scalekit_mcp.tools.inputs.values import (
    MAXIMUM_LIST_TEXT,
    ArgumentError,
    EmptyListError,
    has,
    is_absent,
    items,
    shown,
)

MAXIMUM_ATTENDEES = 500
"""Microsoft's limit for one event (Create event)."""

KINDS = ("required", "optional", "resource")

_LONGEST_PERSON = 600
_LONGEST_NAME = 256
_FORBIDDEN = re.compile(r"[\s@<>()\[\]\\,;:\"]")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)+"')
_DOT_ATOM = re.compile(r"[^\s@<>()\[\]\\,;:\".]+(?:\.[^\s@<>()\[\]\\,;:\".]+)*")
_DIRECTORY_NAME = re.compile(r"/o=[^\x00-\x1f]{1,1000}", re.IGNORECASE)
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""With these an address reads otherwise than it is."""
_LEFT_BY_PASTING = "<>\"'`.,;:!?() "

_NO_ADDRESS = "which is not an e-mail address; ask the user for one that is not known"
_MEMBERS = frozenset({"address", "email", "emailaddress", "name", "type"})
_COMPUTED = frozenset({"status", "proposednewtime", "responsestatus", "response"})
"""What Microsoft says about an attendee; it changes nothing when an event's attendees are given again."""


@dataclass(frozen=True, slots=True)
class Attendee:
    """A person, room or other resource by mail address; `name` is only for display.

    `kind` (`required`, `optional`, `resource`) is set where the entry itself says it. Somebody whom an event already
    has may have a name of the directory (`/o=...`) for an address, or none at all.
    """

    address: str = field(repr=False)
    name: str | None = field(default=None, repr=False)
    kind: str | None = None

    @property
    def key(self) -> str:
        """A text that is equal for two spellings of the same person."""
        return person_key(self.address, self.name)

    @property
    def can_be_invited(self) -> bool:
        """Whether the person has a mail address; others can only stay where they are."""
        return "@" in self.address

    def wire(self) -> str:
        """`a@x.com`, or `"Ann" <a@x.com>`."""
        name = (self.name or "").replace('"', "'")
        return f'"{name}" <{self.address}>' if name else self.address

    def as_object(self) -> dict[str, str]:
        """The same with all that is known, for a list of objects."""
        members = {"address": self.address, "name": self.name, "type": self.kind}
        return {name: value for name, value in members.items() if value}


def person_key(address: str | None, name: str | None) -> str:
    """What identifies a person on an event: the address without regard to case; without one, the name."""
    if address:
        return without_hidden(address).casefold()
    return f"name:{comparable(name or '')}"


def attendees(value: object) -> tuple[Attendee, ...]:
    """Attendees out of `a@x.com, Bob <b@x.com>`, an array of such text, or objects of Graph's; doubles folded."""
    found: dict[str, Attendee] = {}
    for part in _parts(value):
        if is_absent(part):
            continue
        attendee = _attendee(part)
        before = found.get(attendee.key)
        if before is not None:
            if before.kind != attendee.kind and before.kind and attendee.kind:
                raise ArgumentError(
                    f"names {shown(attendee.key)} as {before.kind} and as {attendee.kind}; name each once"
                )
            attendee = Attendee(before.address, before.name or attendee.name, before.kind or attendee.kind)
        found[attendee.key] = attendee
    if not found:
        raise EmptyListError
    if len(found) > MAXIMUM_ATTENDEES:
        raise ArgumentError(f"names {len(found)} people; an event takes at most {MAXIMUM_ATTENDEES}")
    return tuple(found.values())


def sort_by_kind(read: dict[str, Any], *, update: bool) -> None:
    """Put people whose entry names another kind than their parameter where they belong.

    In an update a list replaces everybody of its kind, so that they are added instead where that list is not given.
    """
    for kind in KINDS:
        given = cast("tuple[Attendee, ...]", read.get(f"attendees_{kind}", ()))
        moving = [attendee for attendee in given if attendee.kind not in (None, kind)]
        if not moving:
            continue
        staying = tuple(attendee for attendee in given if attendee not in moving)
        del read[f"attendees_{kind}"]
        if staying:
            read[f"attendees_{kind}"] = staying
        for attendee in moving:
            home = f"attendees_{attendee.kind}"
            target = "attendees_add" if update and home not in read else home
            there = cast("tuple[Attendee, ...]", read.get(target, ()))
            if all(other.key != attendee.key for other in there):
                read[target] = (*there, attendee)


def _parts(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return [cast("object", value)]
    if not isinstance(value, str):
        return items(value)
    stripped = value.strip()
    if stripped.startswith("["):
        return items(value)
    if len(value) > MAXIMUM_LIST_TEXT:
        raise ArgumentError(f"has {len(value)} characters; at most {MAXIMUM_LIST_TEXT} are allowed")
    if stripped.startswith("{"):
        try:
            return [cast("object", json.loads(stripped))]
        except (ValueError, RecursionError):
            raise ArgumentError("starts like a JSON object but is none; write e-mail addresses as text") from None
    return _split(value)


def _split(text: str) -> list[object]:
    """Split at commas, semicolons and line ends outside quotes; `Doe, Jane <j@x.com>` stays one."""
    merged: list[object] = []
    pending = ""
    for part in _pieces(text):
        stripped = part.strip()
        if not stripped:
            continue
        whole = f"{pending}, {stripped}" if pending else stripped
        if "@" not in part and not is_absent(stripped):
            if len(whole) > _LONGEST_PERSON:
                raise ArgumentError(f"holds {shown(whole)}, {_NO_ADDRESS}")
            pending = whole
            continue
        if pending and "<" not in part:
            raise ArgumentError(f"holds {shown(pending)}, {_NO_ADDRESS}")
        merged.append(whole)
        pending = ""
    if pending:
        raise ArgumentError(f"holds {shown(pending)}, {_NO_ADDRESS}")
    return merged


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    begin, closing = 0, ""
    for place, character in enumerate(text):
        if not closing and character in ",;\n":
            pieces.append(text[begin:place])
            begin = place + 1
        elif character == closing:
            closing = ""
        elif not closing:
            closing = {'"': '"', "<": ">"}.get(character, "")
    return [*pieces, text[begin:]]


def _attendee(part: object) -> Attendee:
    if isinstance(part, Mapping):
        return _attendee_object(cast("Mapping[str, object]", part))
    if not isinstance(part, str):
        raise ArgumentError(f"holds {shown(part)}; each attendee is an e-mail address as text")
    if len(part) > _LONGEST_PERSON:
        raise ArgumentError(f"holds {shown(part)}, which is too long for a name and an address")
    name, bracket, rest = part.rpartition("<")
    inner, closed, after = rest.partition(">")
    if bracket and closed and not after.strip(_LEFT_BY_PASTING):
        return Attendee(_address(inner, whole=part), _name(name.strip().strip('"').strip()))
    return Attendee(_address(part))


def _attendee_object(part: Mapping[str, object]) -> Attendee:
    """Graph's attendee, recipient or email address; what Microsoft computes about a person is left out."""
    members = {str(name).casefold(): value for name, value in part.items() if not str(name).startswith("@")}
    inner = members.get("emailaddress")
    if isinstance(inner, Mapping):
        mail = cast("Mapping[str, object]", inner)
        members |= {"emailaddress": None} | {str(name).casefold(): value for name, value in mail.items()}
    unknown = sorted(set(members) - _MEMBERS - _COMPUTED)
    if unknown:
        raise ArgumentError(f"holds an object with {shown(unknown[0])}; an attendee has address, name and type")
    name = members.get("name")
    address = next((members[n] for n in ("address", "email", "emailaddress") if not is_absent(members.get(n))), "")
    if not isinstance(address, str) or not (name is None or isinstance(name, str)):
        raise ArgumentError("holds an object without an address; write e-mail addresses as text")
    known_name = _name((name or "").strip())
    if _DIRECTORY_NAME.fullmatch(address.strip()):
        return Attendee(address.strip(), known_name, _kind(members))
    if not address and known_name and _COMPUTED & set(members):
        return Attendee("", known_name, _kind(members))
    if not address:
        raise ArgumentError("holds an object without an address; write e-mail addresses as text")
    return Attendee(_address(address), known_name, _kind(members))


def _kind(members: Mapping[str, object]) -> str | None:
    kind = members.get("type")
    if is_absent(kind):
        return None
    if not isinstance(kind, str) or kind.strip().casefold() not in KINDS:
        raise ArgumentError(f"holds an attendee of the type {shown(kind)}; it must be one of: {', '.join(KINDS)}")
    return kind.strip().casefold()


def _address(text: str, *, whole: str = "") -> str:
    """A mail address, freed of what comes along when one is pasted."""
    if len(text) > _LONGEST_PERSON:
        raise ArgumentError(f"holds {shown(text)}, which is too long for an e-mail address")
    address = _cleaned(text)
    if _REORDERING.search(text):
        raise ArgumentError(f"holds {shown(address)}, an e-mail address that reads otherwise than it is; have it typed")
    if not _is_address(address):
        raise ArgumentError(f"holds {shown((whole or text).strip())}, {_NO_ADDRESS}")
    return address


def _cleaned(text: str) -> str:
    plain = unicodedata.normalize("NFC", without_hidden(text[:_LONGEST_PERSON]).replace("\u00a0", " ").strip())
    plain = plain.strip("<> ")
    if plain[:7].casefold() == "mailto:":
        plain = plain[7:].partition("?")[0]
    stripped = plain.strip() if plain.lstrip().startswith('"') else plain.lstrip(_LEFT_BY_PASTING)
    local, at, domain = stripped.rpartition("@")
    domain = domain.rstrip(_LEFT_BY_PASTING)
    if _QUOTED.fullmatch(local) and _DOT_ATOM.fullmatch(local[1:-1]):
        local = local[1:-1]  # quotes that quote nothing
    return f"{local}{at}{domain}"


def _is_address(address: str) -> bool:
    """A local part (RFC 5321, quoted or not) and a dotted domain, as Exchange Online has them; no literals."""
    local, _, domain = address.rpartition("@")
    labels = domain.split(".")
    return (
        len(address) <= 254
        and 0 < len(local) <= 64
        and ((not _FORBIDDEN.search(local) and ".." not in local) or _QUOTED.fullmatch(local) is not None)
        and not _FORBIDDEN.search(domain)
        and len(labels) > 1
        and all(0 < len(label) <= 63 for label in labels)
        and len(labels[-1]) > 1
        and not has(address, "Cc", "Cs")
    )


def _name(name: str) -> str | None:
    clean = without_hidden(name).strip()
    if len(clean) > _LONGEST_NAME or has(clean, "Cc", "Cs"):
        raise ArgumentError("holds a name that is too long or has control characters")
    return clean or None

"""The sealed `next_page` of a list: a query, and where its next answer begins.

A page token is bound to the connection and the identifier by the sealer's context, and carries the whole query, so
that it works alone, works only for its owner, and cannot be pointed at another address.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol, cast

from scalekit_mcp.calendar.events.answers.rows import LIST_FIELDS
from scalekit_mcp.errors import InvalidInput

_FORM = "page1"
"""Names the form of the payload; a token of another form is not read."""


_LARGEST_PAYLOAD = 64_000

_USUAL_WORDS = (
    '"},"timezone":"{"page1":{"given":{"filter":"select":"orderby":"top":"calendar_id":"start_datetime":"end_datetime"'
    ':"America/Europe/","at":{"offset":"rank":"start":"link":"https://graph.microsoft.com/v1.0/me/calendars/calendarView'
    f"%24filter=%24orderby=start%2fdateTime&%24select={'%2c'.join(LIST_FIELDS)}&%24select={','.join(LIST_FIELDS)}"
    "&%24top=20&$top=20&%24skip=20&$skip=20"
).encode()
"""What payloads are made of: an answer has to stay small, and a next link repeats the whole query."""


class PageSealer(Protocol):
    """Authenticated encryption of page tokens; the keys are the server's."""

    def seal(self, payload: bytes, context: bytes) -> str:
        """A text that only `open` with the same context reads back."""
        ...

    def open(self, token: str, context: bytes) -> bytes:
        """The sealed payload; raises ValueError for a token that is foreign, changed or of another context."""
        ...


@dataclass(frozen=True, slots=True)
class ListQuery:
    """All options of one list; they stay the same from its first page to its last.

    `given` are the arguments of the first call as it gave them; `timezone` is the zone that is used, given or not, and
    `calendar` the id of the calendar that a name in `given` meant.
    """

    given: dict[str, Any]
    timezone: str
    calendar: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """The place in a list where the next page begins.

    Either in Microsoft's own pages (`link`, None for the first one; `offset` rows of it were used), or after the event
    with this `start` (UTC, ISO 8601) and `rank` in the order of a window.
    """

    link: str | None = None
    offset: int = 0
    start: str | None = None
    rank: str | None = None


class Pages:
    """Seals and opens the page tokens of one connected account."""

    def __init__(self, sealer: PageSealer, *, connection_name: str, identifier: str) -> None:
        self._sealer = sealer
        self._context = json.dumps(["page", connection_name, identifier]).encode()

    def seal(self, query: ListQuery, position: Position) -> str:
        """The token of the page that begins at `position`."""
        where = {name: value for name, value in asdict(position).items() if value}
        content: dict[str, Any] = {"given": query.given, "timezone": query.timezone, "at": where}
        if query.calendar not in (None, query.given.get("calendar_id")):
            content["calendar"] = query.calendar
        payload = {_FORM: content}
        return self._sealer.seal(_packed(json.dumps(payload, separators=(",", ":")).encode()), self._context)

    def open(self, token: str, beside: Mapping[str, Any]) -> tuple[ListQuery, Position]:
        """The query and the position in `token`.

        Raises `InvalidInput` for a token that is not of this account, and when an argument beside it (a value as JSON
        has it) differs from the sealed one.
        """
        query, position = self._read(token)
        for name, value in beside.items():
            if query.given.get(name) != value:
                raise InvalidInput(
                    f"`page` continues a list with other arguments: `{name}` differs from the first call.",
                    field="page",
                    next_step=f"Give `page` alone, or leave `page` out to begin a new list with this `{name}`.",
                )
        return query, position

    def _read(self, token: str) -> tuple[ListQuery, Position]:
        try:
            payload = cast("dict[str, Any]", json.loads(_unpacked(self._sealer.open(token, self._context)))[_FORM])
            names = {field.name for field in fields(Position)}
            position = Position(**{name: value for name, value in payload["at"].items() if name in names})
            calendar = payload.get("calendar")
            return ListQuery(dict(payload["given"]), str(payload["timezone"]), calendar and str(calendar)), position
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise InvalidInput(
                "`page` is not a page of this account's lists: it was changed, is too old, or belongs to someone else.",
                field="page",
                next_step="Use the `next_page` of the previous answer unchanged, or leave `page` out to begin again.",
            ) from exc


def _packed(payload: bytes) -> bytes:
    packer = zlib.compressobj(level=9, wbits=-15, zdict=_USUAL_WORDS)
    return packer.compress(payload) + packer.flush()


def _unpacked(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=-15, zdict=_USUAL_WORDS)
    try:
        payload = unpacker.decompress(packed, _LARGEST_PAYLOAD)
    except zlib.error as exc:
        raise ValueError("not a packed payload") from exc
    if not unpacker.eof:
        raise ValueError("cut off or too large")
    return payload

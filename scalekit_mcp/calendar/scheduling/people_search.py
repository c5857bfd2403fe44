"""Searches the people of the user's own meetings, and the directory where the permission for it was granted.

Sources: List calendarView, List people, person resource type.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from scalekit_mcp.calendar.events.shapes import objects_of
from scalekit_mcp.calendar.listing.page_tokens import Position
from scalekit_mcp.calendar.listing.pages import View, in_microsofts_order
from scalekit_mcp.calendar.mailbox import EventQuery, Form, SchedulingMailbox, Span
from scalekit_mcp.calendar.scheduling.known_people import (
    EVENT_FIELDS,
    KnownPerson,
    folded_words,
    is_addressed,
    is_named,
    people_of,
)
from scalekit_mcp.calendar.text import neutralised
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import InvalidInput, PermissionMissing, ScalekitMCPError
from scalekit_mcp.tools import Remarks, SearchPeople, noted, warned

DAYS_BACK = 180
DAYS_AHEAD = 60
MAX_MEETINGS = 2_000
"""Most meetings that are looked through for people."""

KEPT_FOR = timedelta(minutes=3)
MAX_ACCOUNTS_KEPT = 200
_ROWS_A_PAGE = 500

DIRECTORY_SCOPE = "People.Read"
NO_DIRECTORY = (
    "Only the people of the user's own meetings were searched. With the permission People.Read the organization's "
    "directory is searched, too."
)


@dataclass(frozen=True, slots=True)
class MetPeople:
    """The people of an account's meetings as they were read at a time; not `whole` where meetings were left out."""

    at: datetime
    people: Sequence[KnownPerson] = field(repr=False)
    whole: bool


class MetPeopleCache:
    """The people of the accounts that searched in the last minutes, by account id."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, MetPeople] = OrderedDict()

    def find(self, account_id: str, now: datetime) -> MetPeople | None:
        """What was read lately, if anything."""
        kept = self._kept.get(account_id)
        return kept if kept is not None and now - kept.at < KEPT_FOR else None

    def keep(self, account_id: str, met: MetPeople) -> None:
        """Remember it, and forget the account that was kept first if there are too many."""
        self._kept.pop(account_id, None)
        self._kept[account_id] = met
        while len(self._kept) > MAX_ACCOUNTS_KEPT:
            self._kept.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Searcher:
    """Who searches: the account's id and the user's own address.

    A `personal` account has no directory to ask; `may_ask_directory` says that an organization's was permitted, or
    that nobody but Microsoft knows whether it was.
    """

    account_id: str
    address: str = field(repr=False)
    personal: bool
    may_ask_directory: bool


@dataclass(frozen=True, slots=True)
class FoundPeople:
    """`{name, address, meetings, kind, source}` of those who were found, and remarks about what was searched.

    `further_scopes` are permissions with which more could be found.
    """

    rows: list[dict[str, Any]] = field(repr=False)
    remarks: Remarks
    further_scopes: tuple[str, ...] = ()


async def search_people(
    mailbox: SchedulingMailbox, args: SearchPeople, searcher: Searcher, *, cache: MetPeopleCache, clock: Clock
) -> FoundPeople:
    """Those that the query names; raises `InvalidInput` for a query without a letter, and what reading raises."""
    words = folded_words(args.query)
    if not words:
        raise InvalidInput("`query` has no letter or digit in it.", field="query")
    met = await _met(mailbox, searcher, cache, clock.now())
    found = {
        person.address.casefold(): _row(person.name, person.address, person.meetings, person.kind, "calendar")
        for person in met.people
        if is_addressed(args.query, person.address) or is_named(words, person.name, person.address)
    }
    remarks = warned(
        None if met.whole else f"More than {MAX_MEETINGS} meetings: people of the later ones may be missing."
    )
    further_scopes: tuple[str, ...] = ()
    permitted = searcher.may_ask_directory
    if permitted and not searcher.personal:
        try:
            in_directory, about_it = await _directory(mailbox, args, words)
        except PermissionMissing:
            permitted = False
        else:
            remarks += about_it
            for row in in_directory:
                if row["address"].casefold() != searcher.address.casefold():
                    found.setdefault(row["address"].casefold(), row)
    if not permitted and not searcher.personal and not found:
        remarks += noted(NO_DIRECTORY)
        further_scopes = (DIRECTORY_SCOPE,)
    rows = list(found.values())[: args.max_results]
    left_out = len(found) - len(rows)
    remarks += noted(f"{left_out} more fit; a longer query tells them apart." if left_out else None)
    clean, _ = neutralised(rows)
    return FoundPeople(clean, remarks, further_scopes)


async def _met(mailbox: SchedulingMailbox, searcher: Searcher, cache: MetPeopleCache, now: datetime) -> MetPeople:
    kept = cache.find(searcher.account_id, now)
    if kept is not None:
        return kept
    span = Span(now - timedelta(days=DAYS_BACK), now + timedelta(days=DAYS_AHEAD))
    query = EventQuery(Form(select=EVENT_FIELDS), top=_ROWS_A_PAGE)
    found = await in_microsofts_order(View(mailbox, query, span), Position(), MAX_MEETINGS)
    met = MetPeople(now, people_of(found.events, [searcher.address]), whole=found.following is None)
    cache.keep(searcher.account_id, met)
    return met


async def _directory(
    mailbox: SchedulingMailbox, args: SearchPeople, words: Sequence[str]
) -> tuple[list[dict[str, Any]], Remarks]:
    """The people of the directory; a search is fuzzy there, so that its answers are held against the query.

    Raises `PermissionMissing`.
    """
    try:
        page = await mailbox.people(args.query, top=args.max_results * 2)
    except PermissionMissing:
        raise
    except ScalekitMCPError as refused:
        return [], warned(f"The directory could not be searched: {refused.message}")
    rows: list[dict[str, Any]] = []
    for person in objects_of(page.rows):
        kind = _kind(person)
        address = _first_address(person)
        name = person.get("displayName")
        if kind is None or address is None:
            continue
        name = name if isinstance(name, str) and name.strip() else address
        if is_addressed(args.query, address) or is_named(words, name, address):
            rows.append(_row(name, address, 0, kind, "directory"))
    return rows, Remarks()


def _kind(person: dict[str, Any]) -> str | None:
    """`person` or `room`; None for groups, lists and whatever else the service relates to the user."""
    given = person.get("personType")
    kind: dict[str, Any] = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    if str(kind.get("subclass")).casefold() == "room":
        return "room"
    return "person" if str(kind.get("class", "Person")).casefold() == "person" else None


def _first_address(person: dict[str, Any]) -> str | None:
    for scored in objects_of(cast("list[object]", person.get("scoredEmailAddresses") or [])):
        address = scored.get("address")
        if isinstance(address, str) and "@" in address and not address.startswith("/"):
            return address
    return None


def _row(name: str, address: str, meetings: int, kind: str, source: str) -> dict[str, Any]:
    return {"name": name, "address": address, "meetings": meetings, "kind": kind, "source": source}

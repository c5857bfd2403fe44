"""Reads when people are free: in parts that Microsoft answers, put together again.

Sources: calendar: getSchedule (at most 20 people and 62 days a request; an error for more than a thousand entries).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import cast

import anyio

from scalekit_mcp.calendar.listing.page_tokens import Position
from scalekit_mcp.calendar.listing.pages import View, in_microsofts_order
from scalekit_mcp.calendar.mailbox import EventQuery, Form, SchedulingMailbox, Span
from scalekit_mcp.calendar.scheduling.own_events import EVENT_FIELDS, blocks_of
from scalekit_mcp.calendar.scheduling.schedules import (
    SLOT,
    PersonSchedule,
    ScheduleAnswer,
    joined,
    read_answer,
    unknown_schedule,
)
from scalekit_mcp.errors import MailboxUnavailable, ProviderUnavailable, ScalekitMCPError, Throttled
from scalekit_mcp.tools import Zone

PEOPLE_A_REQUEST = 20
LONGEST_REQUEST = timedelta(days=61)
"""62 days are allowed and 62 days with a change of clocks have an hour more."""

MOST_HALVES = 16
"""Into how many parts a window is cut for somebody with too many entries."""

MAX_OWN_EVENTS = 2_000

PERSONAL = "A personal Microsoft account is not told when other people are free."


@dataclass(slots=True)
class ScheduleReader:
    """Reads schedules through one user's mailbox; `user` is that user's own address.

    `personal` accounts cannot ask for anybody's schedule: the user's own comes from their events.
    """

    mailbox: SchedulingMailbox
    user: str
    personal: bool
    _failures: list[ScalekitMCPError] = field(default_factory=list[ScalekitMCPError])

    async def read(self, addresses: Sequence[str], begin: datetime, end: datetime, zone: Zone) -> list[PersonSchedule]:
        """The schedule of everybody in the order of the addresses, between two instants.

        Somebody who cannot be read is unknown and says why. Raises what Microsoft refuses to the user altogether, and
        the first failure where nothing could be read at all.
        """
        span = _whole_quarters(begin, end)
        if self.personal:
            return [
                await self._own(span, zone)
                if address.casefold() == self.user.casefold()
                else unknown_schedule(address, span, PERSONAL)
                for address in addresses
            ]
        found: dict[str, PersonSchedule] = {}
        groups = [addresses[at : at + PEOPLE_A_REQUEST] for at in range(0, len(addresses), PEOPLE_A_REQUEST)]
        try:
            async with anyio.create_task_group() as tasks:
                for group in groups:
                    tasks.start_soon(partial(self._read_group, group, span, found))
        except BaseExceptionGroup as failures:
            raise _first(failures) from failures
        if self._failures and all(schedule.problem for schedule in found.values()):
            raise self._failures[0]
        return [found[address.casefold()] for address in addresses]

    async def _read_group(self, group: Sequence[str], span: Span, found: dict[str, PersonSchedule]) -> None:
        for part in _parts(span):
            for key, schedule in (await self._read_part(group, part, MOST_HALVES)).items():
                found[key] = joined(found[key], schedule) if key in found else schedule

    async def _read_part(self, group: Sequence[str], span: Span, halves: int) -> dict[str, PersonSchedule]:
        try:
            answer = await self._ask(group, span)
        except (MailboxUnavailable, ProviderUnavailable, Throttled) as failure:
            self._failures.append(failure)
            return {
                address.casefold(): unknown_schedule(address, span, f"Could not be read: {failure.message}")
                for address in group
            }
        schedules = dict(answer.schedules)
        if len(group) > 1:
            for address in group:
                if address.casefold() in answer.misnamed:
                    schedules |= await self._read_part([address], span, halves)
        full = [address for address in group if address.casefold() in answer.too_many]
        middle = _middle(span)
        if full and halves > 1 and middle is not None:
            first = await self._read_part(full, Span(span.begin, middle), halves // 2)
            second = await self._read_part(full, Span(middle, span.end), halves // 2)
            schedules |= {key: joined(first[key], second[key]) for key in first}
        return schedules

    async def _ask(self, group: Sequence[str], span: Span) -> ScheduleAnswer:
        page = await self.mailbox.schedules(group, span, interval=SLOT)
        return read_answer(page.rows, group, span)

    async def _own(self, span: Span, zone: Zone) -> PersonSchedule:
        """The user's own time, from the events of the default calendar."""
        wider = Span(span.begin - timedelta(days=1), span.end + timedelta(days=1))  # all-day events stand in UTC
        query = EventQuery(Form(zone=zone, select=EVENT_FIELDS), top=500)
        found = await in_microsofts_order(View(self.mailbox, query, wider), Position(), MAX_OWN_EVENTS)
        blocks = tuple(block for block in blocks_of(found.events, zone) if block.start < span.end)
        if found.following is not None or found.odd:
            unknown = unknown_schedule(self.user, span, "Not all events of the calendar could be read.")
            return replace(unknown, blocks=(*unknown.blocks, *blocks))
        return PersonSchedule(self.user, blocks)


def _whole_quarters(begin: datetime, end: datetime) -> Span:
    """The window, widened to whole quarter hours: an answer's slots begin there."""
    first = begin.replace(minute=begin.minute - begin.minute % 15, second=0, microsecond=0)
    rest = (end - first) % SLOT
    return Span(first, end + (SLOT - rest if rest else timedelta()))


def _parts(span: Span) -> list[Span]:
    middle = _middle(span)
    if span.end - span.begin <= LONGEST_REQUEST or middle is None:
        return [span]
    return [Span(span.begin, middle), Span(middle, span.end)]


def _middle(span: Span) -> datetime | None:
    """A quarter hour in the middle; None where there is none."""
    slots = (span.end - span.begin) // SLOT
    return span.begin + (slots // 2) * SLOT if slots >= 2 else None


def _first(failure: BaseException) -> BaseException:
    """The first failure of a group of tasks that is no group itself."""
    while isinstance(failure, BaseExceptionGroup):
        failure = cast("BaseExceptionGroup[BaseException]", failure).exceptions[0]
    return failure

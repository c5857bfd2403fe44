"""`getSchedule`: when people, rooms and lists can be met (Graph page "calendar: getSchedule")."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from scalekit_mcp.sandbox.graph.answers import applied, json_answer, only
from scalekit_mcp.sandbox.graph.calendar.mailboxes import Mailboxes
from scalekit_mcp.sandbox.graph.calendar.validation import checked_parameters, moment
from scalekit_mcp.sandbox.graph.errors import GraphError
from scalekit_mcp.sandbox.graph.request import Answer, Request
from scalekit_mcp.sandbox.graph.scheduling.busy import Block, Window, availability_view, blocks, item
from scalekit_mcp.sandbox.graph.scheduling.hours import working_hours
from scalekit_mcp.sandbox.world import Person, World
from scalekit_mcp.sandbox.world.directory import Sharing

_DEFAULT_MINUTES = 30
_ELSEWHERE = ("5016", "Proxy web request failed.")
_REFUSALS = {
    403: ("ErrorAccessDenied", "Access is denied. Check credentials and try again."),
    404: ("ResourceNotFound", "Resource could not be discovered."),
    501: ("NotImplemented", "The operation is not supported for this account."),
}
"""What a personal account is told, by status."""
_TOO_MANY_MEMBERS = ("5036", "The number of members of the group is greater than the allowed limit.")


class Schedules:
    """Answers `getSchedule` for the people, rooms and lists of one world."""

    def __init__(self, world: World, mailboxes: Mailboxes) -> None:
        self._world = world
        self._mailboxes = mailboxes

    def answer(self, request: Request, person: Person) -> Answer:
        """The answer to a signed-in person's request.

        Raises:
            GraphError: 403, a personal account; 400 or 500, the request is refused.
        """
        only(request, "POST")
        if self._world.tenants[person.tenant_id].personal:
            status = self._world.switches.schedule_personal_status
            raise GraphError(status, *_REFUSALS[status])
        given = checked_parameters(request.json(), "getSchedule")
        addresses = self._addresses(given)
        window = self._window(given)
        entries: list[dict[str, Any]] = []
        people = len(addresses)
        for address in addresses:
            listed = self._world.lists.get(address.strip().lower())
            if listed is None:
                entry = self._of_person(request, person, address, window)
            else:
                people += len(listed.members)
                crowded = people > self._world.switches.schedule_addresses
                entry = self._of_list(request, person, address, window, crowded=crowded)
            if entry is not None:
                entries.append(entry)
        if self._world.switches.schedule_order == "reversed":
            entries.reverse()
        context = f"{request.base_url}/$metadata#Collection(microsoft.graph.scheduleInformation)"
        answer = json_answer(200, {"@odata.context": context, "value": entries})
        answer.headers.update(applied(request))
        return answer

    def _addresses(self, given: dict[str, Any]) -> list[str]:
        """The addresses asked for, each once.

        Raises:
            GraphError: 400 `ErrorMailboxDataArrayEmpty` or `ErrorMailboxDataArrayTooBig`.
        """
        asked: list[str] = given.get("Schedules") or []
        most = self._world.switches.schedule_addresses
        if not asked:
            raise GraphError(400, "ErrorMailboxDataArrayEmpty", "There are no mailboxes in the request.")
        if len(asked) > most:
            raise GraphError(
                400,
                "ErrorMailboxDataArrayTooBig",
                f"There are too many target users in the request. The allowed size = {most}; the actual size = "
                f"{len(asked)}.",
            )
        once: dict[str, str] = {}
        for address in asked:
            once.setdefault(address.strip().lower(), address)
        return list(once.values())

    def _window(self, given: dict[str, Any]) -> Window:
        switches = self._world.switches
        begin = moment(given.get("StartTime"), switches).instant
        end = moment(given.get("EndTime"), switches).instant
        if end <= begin:
            raise GraphError(
                400,
                "ErrorInvalidTimeInterval",
                "The time duration specified for FreeBusyViewOptions.TimeWindow is invalid.",
            )
        most = timedelta(days=switches.schedule_days)
        if end - begin > most:
            raise GraphError(
                400,
                "ErrorTimeIntervalTooBig",
                "The requested time duration specified for FreeBusyViewOptions.TimeWindow is too long. The allowed "
                f"limit = {most.days} days; the actual limit = {-((begin - end) // timedelta(days=1))} days.",
            )
        minutes = given.get("AvailabilityViewInterval", _DEFAULT_MINUTES)
        if minutes is None:
            if switches.schedule_null_interval == "fail":
                raise GraphError(
                    500, "ErrorInternalServerError", "An internal server error occurred. The operation failed."
                )
            minutes = _DEFAULT_MINUTES
        if not 5 <= minutes <= 1440 or timedelta(minutes=minutes) > end - begin:
            raise GraphError(
                400,
                "ErrorInvalidMergedFreeBusyInterval",
                "The specified merged free/busy interval is not valid. Specify an interval that is less than the "
                "free/busy time window and  between 5 and 1440 minutes.",
            )
        return Window(begin, end, minutes)

    def _of_person(self, request: Request, asker: Person, address: str, window: Window) -> dict[str, Any] | None:
        """The entry of a person or room; None where there is none."""
        found = self._world.reachable(address.strip())
        if found is None:
            return _failed(address, _unknown(address))
        own = found is asker
        sharing = Sharing("details") if own else found.sharing
        if sharing.shows == "no_entry":
            return None
        problem = sharing.error or self._out_of_reach(asker, found, address)
        if problem is not None:
            return _failed(address, problem)
        switches = self._world.switches
        name = found.address if switches.schedule_id == "mailbox" else address
        if sharing.shows == "nothing":
            return {"scheduleId": name, "availabilityView": "", "scheduleItems": []}
        shown = blocks(self._mailboxes.of(found), window, switches)
        if len(shown) > switches.most_schedule_entries:
            return _failed(name, _too_many(switches.most_schedule_entries, len(shown)))
        named = sharing.shows == "details"
        entry = self._entry(name, shown, window)
        entry["scheduleItems"] = [
            self._item(request, block, named=named, own=own) for block in ([] if sharing.shows == "view" else shown)
        ]
        if found.working_hours is not None:
            entry["workingHours"] = working_hours(found, found.working_hours, self._world.clock.now())
        return entry

    def _out_of_reach(self, asker: Person, found: Person, address: str) -> tuple[str, str] | None:
        if found.deleted:
            return _unknown(address)
        if found.tenant_id != asker.tenant_id or found.is_guest or not found.has_mailbox:
            return _ELSEWHERE
        return None

    def _of_list(
        self, request: Request, asker: Person, address: str, window: Window, *, crowded: bool
    ) -> dict[str, Any]:
        """A list's schedule is that of its members laid over one another, without names; a group has a calendar."""
        listed = self._world.lists[address.strip().lower()]
        if listed.tenant_id != asker.tenant_id:
            return _failed(address, _ELSEWHERE)
        if crowded:
            return _failed(address, _TOO_MANY_MEMBERS)
        shown: list[Block] = []
        for member in listed.members if listed.kind == "list" else ():
            found = self._world.reachable(member)
            if found is None or self._out_of_reach(asker, found, member) is not None:
                continue
            if found.sharing.error is None and found.sharing.shows not in ("nothing", "no_entry"):
                shown += blocks(self._mailboxes.of(found), window, self._world.switches)
        shown.sort(key=lambda block: block.start.instant)
        entry = self._entry(address, shown, window)
        entry["scheduleItems"] = [self._item(request, block, named=False, own=False) for block in shown]
        return entry

    def _entry(self, name: str, shown: list[Block], window: Window) -> dict[str, Any]:
        digit = self._world.switches.schedule_elsewhere
        return {"scheduleId": name, "availabilityView": availability_view(shown, window, elsewhere=digit)}

    def _item(self, request: Request, block: Block, *, named: bool, own: bool) -> dict[str, Any]:
        title_case = self._world.switches.schedule_status == "title"
        return item(block, zone=request.prefer.zone, named=named, own=own, title_case=title_case)


def _unknown(address: str) -> tuple[str, str]:
    return "5009", f"Unable to resolve e-mail address {address} to an Active Directory object."


def _too_many(allowed: int, actual: int) -> tuple[str, str]:
    return (
        "5006",
        f"The result set contains too many calendar entries. The allowed size = {allowed}; the actual size = {actual}.",
    )


def _failed(address: str, problem: tuple[str, str]) -> dict[str, Any]:
    code, text = problem
    return {"scheduleId": address, "error": {"message": text, "responseCode": code}}

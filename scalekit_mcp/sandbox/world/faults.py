"""Switched failures: which one, if any, meets the present request."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from scalekit_mcp.sandbox.world.directory import Person
from scalekit_mcp.sandbox.world.state import World
from scalekit_mcp.sandbox.world.switches import GraphFault, TokenFault

FaultT = TypeVar("FaultT", GraphFault, TokenFault)


def take_graph_fault(world: World, method: str, path: str, person: Person | None) -> GraphFault | None:
    """The switched failure that meets this Graph request, used up by one; None when there is none.

    The caller waits `delay_seconds`, raises `ConnectionDropped` for `drop == "before"`, carries the request out first
    for `drop == "after"` or `apply`, and answers `status` with `body`, or with the error body of `code` and `message`.
    A fault with neither status nor drop only delays.
    """
    if not world.switches.graph_faults:
        return None

    def meets(fault: GraphFault) -> bool:
        return (
            (fault.method is None or fault.method.upper() == method.upper())
            and (fault.path_contains is None or fault.path_contains in path)
            and _is_for(fault.person, person)
        )

    return _take(world.switches.graph_faults, meets)


def take_token_fault(world: World, grant_type: str, person: Person | None) -> TokenFault | None:
    """The switched failure that meets this token request, used up by one; None when there is none."""
    if not world.switches.token_faults:
        return None

    def meets(fault: TokenFault) -> bool:
        return (fault.grant_type is None or fault.grant_type == grant_type) and _is_for(fault.person, person)

    return _take(world.switches.token_faults, meets)


def _is_for(address: str | None, person: Person | None) -> bool:
    return address is None or (person is not None and person.address.lower() == address.lower())


def _take(faults: list[FaultT], meets: Callable[[FaultT], bool]) -> FaultT | None:
    for fault in faults:
        if fault.times > 0 and meets(fault):
            fault.times -= 1
            if fault.times == 0:
                faults.remove(fault)
            return fault
    return None

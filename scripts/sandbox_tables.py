"""The tables of `docs/sandbox.md`, made from the code: people, applications, switches and behaviours."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.control.controls import Controls
from scalekit_mcp.sandbox.control.http import SCHEDULING, SWITCHES
from scalekit_mcp.sandbox.control.scheduling import SchedulingControls
from scalekit_mcp.sandbox.world.switches import Behaviour, behaviours


def people_table() -> str:
    """Everybody of a new sandbox."""
    sandbox = Sandbox()

    def marks(person: Any) -> str:
        tenant = sandbox.world.tenants[person.tenant_id]
        named = {
            "administrator": person.is_admin,
            "disabled": not person.enabled,
            "guest": person.is_guest,
            "no mailbox": not person.has_mailbox,
            "personal account": tenant.personal,
            "asks an administrator": tenant.user_consent != "allow_all" and not person.is_admin,
        }
        return ", ".join(mark for mark, is_so in named.items() if is_so)

    def hours(person: Any) -> str:
        works = person.working_hours
        days = "" if len(works.days) == 5 else f" ({', '.join(day[:3] for day in works.days)})"
        return f"{works.starts} to {works.ends}{days}"

    return _table(
        ("person", "address", "tenant", "zone", "works", ""),
        (
            (
                person.name,
                f"`{person.address}`",
                sandbox.world.tenants[person.tenant_id].name,
                person.time_zone,
                hours(person),
                marks(person),
            )
            for person in sandbox.people.values()
        ),
    )


def tenants_table() -> str:
    """The organizations of a new sandbox."""
    tenants = Sandbox().world.tenants.values()
    return _table(
        ("tenant", "id", "domain", "who consents"),
        ((tenant.name, f"`{tenant.id}`", tenant.domain, f"`{tenant.user_consent}`") for tenant in tenants),
    )


def apps_table() -> str:
    """The registrations of a new sandbox."""
    apps = Sandbox().world.apps.values()
    return _table(
        ("application", "client id", "secret", "platform", "audience"),
        (
            (
                app.name,
                f"`{app.client_id}`",
                f"`{app.client_secret}`" if app.client_secret else "",
                app.platform,
                app.audience,
            )
            for app in apps
        ),
    )


def switch_table() -> str:
    """Every switch with its arguments and its first sentence."""
    return _switches(Controls, SWITCHES)


def scheduling_table() -> str:
    """The same for those of scheduling."""
    return _switches(SchedulingControls, SCHEDULING)


def rooms_table() -> str:
    """Rooms and lists of a new sandbox."""
    world = Sandbox().world
    rooms = [(room.account.name, f"`{room.account.address}`", "room") for room in world.rooms.values()]
    lists = [
        (listed.name, f"`{listed.address}`", f"{listed.kind} of {', '.join(listed.members)}")
        for listed in world.lists.values()
    ]
    return _table(("name", "address", "what it is"), [*rooms, *lists])


def _switches(owner: type, names: Iterable[str]) -> str:
    def row(name: str) -> tuple[str, str, str]:
        method = getattr(owner, name)
        parameters = [parameter for key, parameter in inspect.signature(method).parameters.items() if key != "self"]
        shown = ", ".join(
            parameter.name
            if parameter.default is inspect.Parameter.empty
            else f"{parameter.name}={_value(parameter.default)}"
            for parameter in parameters
        )
        about = " ".join((inspect.getdoc(method) or "").partition("\n\n")[0].split())
        return f"`{name}`", f"`{shown}`" if shown else "", about

    return _table(("switch", "arguments", "what it does"), (row(name) for name in names))


def unverified_table() -> str:
    """Behaviours that Microsoft does not document."""
    return _behaviours(known for known in behaviours() if not known.verified)


def settings_table() -> str:
    """Behaviours that are documented and can be set all the same."""
    return _behaviours(known for known in behaviours() if known.verified)


def _behaviours(chosen: Iterable[Behaviour]) -> str:
    return _table(
        ("behaviour", "default", "can be", "what it is about"),
        (
            (
                f"`{known.name}`",
                f"`{_value(known.default)}`",
                ", ".join(f"`{_value(choice)}`" for choice in known.choices) or "any",
                known.about,
            )
            for known in chosen
        ),
    )


def _value(value: Any) -> str:
    if isinstance(value, str) and not value.startswith("{"):
        return value.encode("unicode_escape").decode() or '""'
    return "{...}" if isinstance(value, str) else str(value)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


TABLES: dict[str, Callable[[], str]] = {
    "sandbox-people": people_table,
    "sandbox-tenants": tenants_table,
    "sandbox-apps": apps_table,
    "sandbox-rooms": rooms_table,
    "sandbox-switches": switch_table,
    "sandbox-scheduling": scheduling_table,
    "sandbox-unverified": unverified_table,
    "sandbox-settings": settings_table,
}
"""By the names of their blocks, for `generate_docs.py`."""

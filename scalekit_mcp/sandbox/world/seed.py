"""Who and what exists in a new sandbox: tenants, people and application registrations."""

from __future__ import annotations

from datetime import UTC, datetime

from scalekit_mcp.sandbox.world.directory import (
    CONSUMER_TENANT,
    AppRegistration,
    DistributionList,
    Person,
    Room,
    Tenant,
    WorkingHours,
)
from scalekit_mcp.sandbox.world.state import World

DEFAULT_CLIENT_ID = "5a9db0c5-0000-4000-8000-00000000c0de"
DEFAULT_CLIENT_SECRET = "sandbox-secret-not-for-microsoft"  # noqa: S105 - printed on the start page
NATIVE_CLIENT_ID = "5a9db0c5-0000-4000-8000-0000000a71fe"
SPA_CLIENT_ID = "5a9db0c5-0000-4000-8000-00000000059a"
SINGLE_TENANT_CLIENT_ID = "5a9db0c5-0000-4000-8000-000000000001"
EXPIRED_SECRET_CLIENT_ID = "5a9db0c5-0000-4000-8000-0000000e0e0e"  # noqa: S105 - an application's id

CONTOSO = "c0270500-0000-4000-8000-000000000001"
FABRIKAM = "fab21ca0-0000-4000-8000-000000000002"
DEFAULT_PERSON = "dana@company.com"
_TEAM = ("alice@company.com", "bob@company.com", "carol@company.com")


def seed(world: World) -> None:
    """Fill an empty world.

    Contoso (company.com) lets its people consent; Fabrikam Bank (fabrikam.example) keeps Microsoft's managed policy,
    under which calendar scopes need an administrator; beside them there is the tenant of personal accounts.
    """
    for tenant in (
        Tenant(CONTOSO, "Contoso", "company.com"),
        Tenant(FABRIKAM, "Fabrikam Bank", "fabrikam.example", user_consent="managed"),
        Tenant(CONSUMER_TENANT, "Personal accounts", "outlook.example", personal=True, teams_allowed=False),
    ):
        world.tenants[tenant.id] = tenant
    for person in _people(world):
        world.people[person.address.lower()] = person
    for room in _rooms():
        world.rooms[room.account.address.lower()] = room
    team = DistributionList(CONTOSO, "Product team", "product-team@company.com", _TEAM)
    world.lists[team.address] = team
    for app in _apps():
        world.apps[app.client_id] = app


def _people(world: World) -> list[Person]:
    def at_contoso(name: str, local: str, **more: object) -> Person:
        person = Person(world.new_guid(), CONTOSO, name, f"{local}@company.com", time_zone="America/Chicago")
        for field, value in more.items():
            setattr(person, field, value)
        return person

    gina = Person(world.new_guid(), FABRIKAM, "Gina Rossi", "gina@fabrikam.example", time_zone="Europe/London")
    personal_oid = "00000000-0000-0000-" + world.new_guid()[19:]
    return [
        at_contoso("Dana Lindqvist", "dana"),
        at_contoso("Alice Moreau", "alice"),
        at_contoso("Bob Tanaka", "bob", time_zone="America/New_York", working_hours=WorkingHours("09:00", "18:00")),
        at_contoso(
            "Carol Adeyemi",
            "carol",
            time_zone="Europe/London",
            working_hours=WorkingHours("09:00", "17:00", ("monday", "tuesday", "wednesday", "thursday")),
        ),
        at_contoso(
            "Dave Novak",
            "dave",
            time_zone="Europe/Berlin",
            working_hours=WorkingHours("08:30", "16:30", time_zone="Europe/Berlin"),
        ),
        at_contoso("Irene Admin", "admin", is_admin=True),
        at_contoso("Dieter Disabled", "dieter", enabled=False),
        at_contoso("Nora Nomailbox", "nora", has_mailbox=False),
        Person(world.new_guid(), FABRIKAM, "Fiona Walsh", "fiona@fabrikam.example", time_zone="Europe/London"),
        Person(world.new_guid(), FABRIKAM, "Felix Osei", "felix@fabrikam.example", time_zone="America/New_York"),
        gina,
        Person(world.new_guid(), FABRIKAM, "Ivan Admin", "admin@fabrikam.example", "Europe/London", is_admin=True),
        at_contoso(
            "Gina Rossi (guest)",
            "gina_fabrikam.example#EXT#",
            is_guest=True,
            has_mailbox=False,
            teams_allowed=False,
            home_oid=gina.oid,
        ),
        Person(
            personal_oid,
            CONSUMER_TENANT,
            "Pat Personal",
            "pat@outlook.example",
            time_zone="America/Los_Angeles",
            teams_allowed=False,
        ),
    ]


def _rooms() -> list[Room]:
    # Ids that are not drawn: everybody else keeps theirs, whatever rooms there are.
    return [
        Room(Person(f"c0270500-0000-4000-8000-00000000{number}", CONTOSO, name, address, "America/Chicago"))
        for number, name, address in (
            ("1201", "Room Lisbon", "lisbon@company.com"),
            ("1202", "Room Oslo", "oslo@company.com"),
        )
    ]


def _apps() -> list[AppRegistration]:
    localhost = ("http://localhost/oauth/callback", "http://localhost/oauth/admin-consent")
    return [
        AppRegistration(DEFAULT_CLIENT_ID, "Calendar assistant", DEFAULT_CLIENT_SECRET, redirect_uris=localhost),
        AppRegistration(
            NATIVE_CLIENT_ID,
            "Calendar assistant for desktops",
            None,
            redirect_uris=(*localhost, "http://localhost"),
            platform="native",
        ),
        AppRegistration(SPA_CLIENT_ID, "Calendar board (single page)", None, redirect_uris=localhost, platform="spa"),
        AppRegistration(
            SINGLE_TENANT_CLIENT_ID,
            "Contoso room display",
            "single-tenant-secret",
            redirect_uris=localhost,
            audience="AzureADMyOrg",
            home_tenant_id=CONTOSO,
        ),
        AppRegistration(
            EXPIRED_SECRET_CLIENT_ID,
            "Forgotten integration",
            "expired-secret",
            redirect_uris=localhost,
            secret_expires_at=datetime(2020, 1, 1, tzinfo=UTC),
        ),
    ]

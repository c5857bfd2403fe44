"""The switches of a sandbox: every failure that an experimenter can turn on, as Python methods.

The same names and arguments are reachable over HTTP, see `http`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from scalekit_mcp.sandbox.control.failures import FailureSwitches
from scalekit_mcp.sandbox.world import (
    AppRegistration,
    EnterpriseApp,
    Person,
    Tenant,
    World,
)
from scalekit_mcp.sandbox.world.seed import DEFAULT_CLIENT_ID, seed

if TYPE_CHECKING:
    from scalekit_mcp.sandbox.dispatch import Dispatcher
    from scalekit_mcp.sandbox.identity.store import AdminRequest


class Controls(FailureSwitches):
    """Holds the world and its two halves, and turns the switches.

    Addresses are those of people, tenants are given by id, domain or name, applications by client id (the default
    application when left out). Whoever or whatever is not known raises LookupError.
    """

    def __init__(self, *, seed: int, week_of: datetime | None) -> None:
        from scalekit_mcp.sandbox.dispatch import Dispatcher

        self._seed = seed
        self._week_of = week_of
        self._base_url = "http://localhost"
        self.reset()
        self.dispatcher: Dispatcher = Dispatcher(self)

    def reset(self) -> None:
        """Start over with a new world from the same seed: `world`, `people` and `clock` are new objects then."""
        from scalekit_mcp.sandbox.dispatch import build

        world = World(seed=self._seed, week_of=self._week_of)
        world.base_url = self._base_url
        seed(world)
        self.world, self.halves = world, build(world)

    @property
    def base_url(self) -> str:
        """Where the sandbox is reached, without a slash at the end."""
        return self._base_url

    @base_url.setter
    def base_url(self, value: str) -> None:
        self._base_url = self.world.base_url = value

    def tenant(self, tenant: str) -> Tenant:
        """A tenant, by id, domain or name."""
        wanted = tenant.strip().lower()
        for candidate in self.world.tenants.values():
            if wanted in (candidate.id, candidate.domain.lower(), candidate.name.lower()):
                return candidate
        raise LookupError(f"The sandbox has no tenant '{tenant}'.")

    def registration(self, client_id: str | None = None) -> AppRegistration:
        """An application registration, the default one when left out."""
        found = self.world.apps.get((client_id or DEFAULT_CLIENT_ID).lower())
        if found is None:
            raise LookupError(f"The sandbox has no application '{client_id}'.")
        return found

    # Consent

    def revoke_grant(
        self,
        address: str,
        by: Literal["user", "admin"] = "user",
        client_id: str | None = None,
        numbered: bool = True,
    ) -> None:
        """Take consent away: the person removes the application, or an administrator deletes the grants.

        An organization's user removes only the own grant; an administrator's consent for everybody keeps working.
        For a personal account the refresh tokens end too, with 70000 or (`numbered=False`) with a text alone, as both
        were seen. Without `client_id` it concerns every application.
        """
        person = self.person(address)
        for (app, tenant_id), principal in self.world.enterprise_apps.items():
            if tenant_id != person.tenant_id or (client_id is not None and app != client_id.lower()):
                continue
            principal.user_scopes.pop(person.oid, None)
            if by == "admin":
                principal.admin_scopes.clear()
        if self.world.tenants[person.tenant_id].personal:
            self.halves.identity.store.end_refresh_tokens(person, 70000 if numbered else 0, client_id=client_id)

    def grant_admin_consent(self, tenant: str, scopes: str | None = None, client_id: str | None = None) -> None:
        """Consent for everybody in a tenant, as its administrator would; the registration's permissions by default."""
        app = self.registration(client_id)
        principal = self._principal(tenant, app.client_id)
        principal.deleted = False
        principal.admin_scopes |= set(scopes.split()) if scopes else set(app.permissions)

    def approve_admin_request(self, number: int) -> None:
        """An administrator approves what somebody asked for with "Request approval": consent for everybody."""
        request = self._admin_request(number)
        self.grant_admin_consent(request.tenant_id, " ".join(request.scopes), request.client_id)
        request.state = "approved"

    def deny_admin_request(self, number: int) -> None:
        """An administrator denies it; neither the application nor the person hears of it."""
        self._admin_request(number).state = "denied"

    def set_consent_policy(
        self, tenant: str, policy: Literal["allow_all", "managed", "none"], workflow: bool | None = None
    ) -> None:
        """Who may consent: every user, users without calendar scopes (`managed`), or administrators alone.

        `workflow` switches the form with which a user can ask the administrators.
        """
        found = self.tenant(tenant)
        found.user_consent = policy
        if workflow is not None:
            found.admin_consent_workflow = workflow

    def withhold_scopes(self, scopes: str = "") -> None:
        """Leave these scopes (space-separated) out of token answers although they were consented to."""
        self.world.switches.withheld_scopes = set(scopes.split())

    # Applications

    def disable_app(self, tenant: str, client_id: str | None = None) -> None:
        """An administrator disables sign-in to the enterprise application."""
        self._principal(tenant, client_id).enabled = False

    def enable_app(self, tenant: str, client_id: str | None = None) -> None:
        """An administrator enables it again; a deleted one stays deleted."""
        self._principal(tenant, client_id).enabled = True

    def delete_app(self, tenant: str, client_id: str | None = None) -> None:
        """An administrator deletes the enterprise application with its grants; a new consent brings it back."""
        principal = self._principal(tenant, client_id)
        principal.deleted = True
        principal.admin_scopes.clear()
        principal.user_scopes.clear()

    def deleted_app_answer(self, code: Literal[700016, 65001]) -> None:
        """What a refresh answers after the enterprise application was deleted; the truth is not documented."""
        self.world.switches.deleted_app_code = code

    def delete_registration(self, client_id: str | None = None) -> None:
        """The application's owner deletes its registration."""
        self.registration(client_id).deleted = True

    def expire_client_secret(self, client_id: str | None = None, expired: bool = True) -> None:
        """Let the client secret be expired, or valid again."""
        self.registration(client_id).secret_expires_at = self.world.clock.now() if expired else None

    def require_assignment(self, tenant: str, required: bool = True, client_id: str | None = None) -> None:
        """Only people assigned to the enterprise application may use it."""
        self._principal(tenant, client_id).assignment_required = required

    def assign_person(self, address: str, client_id: str | None = None) -> None:
        """Assign somebody to the enterprise application of the own tenant."""
        person = self.person(address)
        self._principal(person.tenant_id, client_id).assigned_oids.add(person.oid)

    def add_redirect_uri(self, redirect_uri: str, client_id: str | None = None) -> None:
        """Register one more redirect URI."""
        app = self.registration(client_id)
        if redirect_uri not in app.redirect_uris:
            app.redirect_uris = (*app.redirect_uris, redirect_uri)

    def add_certificate(self, pem: str, client_id: str | None = None) -> None:
        """Register a certificate (PEM) whose signed assertions are accepted."""
        app = self.registration(client_id)
        app.certificates = (*app.certificates, pem)

    # People

    def answer_invitation(
        self,
        address: str,
        subject: str,
        response: Literal["accept", "decline", "tentativelyAccept"] = "accept",
        comment: str = "",
    ) -> None:
        """Somebody answers the newest invitation with this subject, as with the buttons in Outlook.

        Raises LookupError when there is none in that person's calendar.
        """
        from scalekit_mcp.sandbox.graph.calendar.events import Events
        from scalekit_mcp.sandbox.graph.calendar.store import Mailboxes, listed

        mailboxes = Mailboxes(self.world)
        mailbox = mailboxes.of(self.person(address))
        wanted = (event for event in listed(mailbox, None) if event.subject == subject and not event.is_organizer)
        event = next(wanted, None)
        if event is None:
            raise LookupError(f"'{address}' has no invitation with the subject '{subject}'.")
        Events(self.world, mailboxes).respond(mailbox, event, response, comment=comment)

    def add_person(
        self, address: str, name: str | None = None, tenant: str = "Contoso", time_zone: str = "UTC"
    ) -> None:
        """Add somebody to a tenant; the calendar is filled like everybody's when it is first looked at."""
        person = Person(
            self.world.new_guid(),
            self.tenant(tenant).id,
            name or address.partition("@")[0],
            address,
            time_zone=time_zone,
        )
        self.world.people[address.strip().lower()] = person

    def add_calendar(self, address: str, name: str, owner: str | None = None, can_edit: bool = True) -> None:
        """Add an empty calendar to a mailbox; with `owner`, one that this person shares. Several may have one name."""
        from scalekit_mcp.sandbox.graph.calendar.store import Mailboxes
        from scalekit_mcp.sandbox.world.mailbox import Calendar

        mailbox = Mailboxes(self.world).of(self.person(address))
        whose = None if owner is None else self.person(owner)
        calendar = Calendar(self.world.new_guid().replace("-", ""), name, can_edit=can_edit, owner=whose)
        mailbox.calendars[calendar.key] = calendar

    def revoke_sessions(self, address: str) -> None:
        """All sign-in sessions of a person end: refresh tokens (50173), and cp1 access tokens at once."""
        person = self.person(address)
        identity = self.halves.identity
        identity.store.end_refresh_tokens(person, 50173)
        self.halves.tokens.revoke_continuously(person)
        for session in identity.store.sessions.values():
            session.homes[:] = [home for home in session.homes if home is not person]

    def disable_person(self, address: str) -> None:
        """An administrator disables the account (50057)."""
        self.person(address).enabled = False

    def enable_person(self, address: str) -> None:
        """An administrator enables the account again, or restores a deleted one."""
        person = self.person(address)
        person.enabled, person.deleted = True, False

    def delete_person(self, address: str) -> None:
        """An administrator deletes the account (500341)."""
        self.person(address).deleted = True

    def no_mailbox(self, address: str, missing: bool = True) -> None:
        """The account has no mailbox behind it, or has one again."""
        self.person(address).has_mailbox = not missing

    def teams_allowed(self, address: str, allowed: bool) -> None:
        """Whether events of this person can become Teams meetings."""
        self.person(address).teams_allowed = allowed

    def settings(self, base_url: str) -> dict[str, str]:
        """The settings with which a client of Microsoft reaches this sandbox as the default web application."""
        app = self.registration()
        return {
            "MICROSOFT_CLIENT_ID": app.client_id,
            "MICROSOFT_CLIENT_SECRET": app.client_secret or "",
            "MICROSOFT_LOGIN_URL": base_url,
            "MICROSOFT_GRAPH_URL": f"{base_url}/v1.0",
        }

    def state(self) -> dict[str, Any]:
        """People, tenants, applications and switches as JSON values."""
        from scalekit_mcp.sandbox.control.state import state_of

        return state_of(self)

    def _admin_request(self, number: int) -> AdminRequest:
        for request in self.halves.identity.store.admin_requests:
            if request.number == number and request.state == "pending":
                return request
        raise LookupError(f"The sandbox has no request for approval {number} that waits.")

    def _principal(self, tenant: str, client_id: str | None) -> EnterpriseApp:
        app, found = self.registration(client_id), self.tenant(tenant)
        return self.world.enterprise_apps.setdefault((app.client_id, found.id), EnterpriseApp(app.client_id, found.id))

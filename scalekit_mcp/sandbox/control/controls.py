"""The switches of a sandbox: every failure that an experimenter can turn on, as Python methods.

The same names and arguments are reachable over HTTP, see `http`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from scalekit_mcp.sandbox.control import lookup
from scalekit_mcp.sandbox.control.failures import DEFAULT_CLAIMS, next_token_fault, throttling
from scalekit_mcp.sandbox.control.mailboxes import answer_newest, calendar_to_share, new_calendar
from scalekit_mcp.sandbox.control.scheduling import SchedulingControls
from scalekit_mcp.sandbox.control.state import environment_of, state_of
from scalekit_mcp.sandbox.graph.calendar.meetings import Reply
from scalekit_mcp.sandbox.halves import build
from scalekit_mcp.sandbox.world import AppRegistration, GraphFault, Person, Switches, Tenant, TokenFault, World
from scalekit_mcp.sandbox.world.seed import seed
from scalekit_mcp.sandbox.world.switches import checked_behaviour


class Controls:
    """Holds the world and its two halves, and turns the switches.

    Addresses are those of people, tenants are given by id, domain or name, applications by client id (the default
    application when left out). Whoever or whatever is not known raises LookupError.
    """

    def __init__(self, *, seed: int, week_of: datetime | None) -> None:
        self._seed = seed
        self._week_of = week_of
        self._base_url = "http://localhost"
        self.reset()

    def reset(self) -> None:
        """Start over with a new world from the same seed: `world`, `people` and `clock` are new objects then."""
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

    def person(self, address: str) -> Person:
        """Somebody, by address."""
        return lookup.person(self.world, address)

    def tenant(self, tenant: str) -> Tenant:
        """A tenant, by id, domain or name."""
        return lookup.tenant(self.world, tenant)

    def registration(self, client_id: str | None = None) -> AppRegistration:
        """An application registration, the default one when left out."""
        return lookup.registration(self.world, client_id)

    def environment(self, base_url: str) -> dict[str, str]:
        """The settings with which a client of Microsoft reaches this sandbox as the default web application."""
        return environment_of(self.registration(), base_url)

    def state(self) -> dict[str, Any]:
        """People, tenants, applications and switches as JSON values."""
        return state_of(self.world, self.halves.identity.store)

    @property
    def scheduling(self) -> SchedulingControls:
        """The switches around other people's time: their blocks, hours, rooms and lists."""
        return SchedulingControls(self.world)

    # Consent

    def revoke_grant(
        self, address: str, by: Literal["user", "admin"] = "user", client_id: str | None = None, numbered: bool = True
    ) -> None:
        """Take consent away: the person removes the application, or an administrator deletes the grants.

        An organization's user removes only the own grant; an administrator's consent for everybody keeps working.
        For a personal account the refresh tokens end too, with 70000 or (`numbered=False`) with a text alone, as both
        were seen. Without `client_id` it concerns every application.
        """
        person = self.person(address)
        for principal in lookup.enterprise_apps(self.world, person.tenant_id, client_id):
            principal.user_scopes.pop(person.oid, None)
            if by == "admin":
                principal.admin_scopes.clear()
        if self.world.tenants[person.tenant_id].personal:
            self.halves.identity.store.end_refresh_tokens(person, 70000 if numbered else 0, client_id=client_id)

    def grant_admin_consent(self, tenant: str, scopes: str | None = None, client_id: str | None = None) -> None:
        """Consent for everybody in a tenant, as its administrator would; the registration's permissions by default."""
        app = self.registration(client_id)
        principal = lookup.enterprise_app(self.world, tenant, app.client_id)
        principal.deleted = False
        principal.admin_scopes |= set(scopes.split()) if scopes else set(app.permissions)

    def approve_admin_request(self, number: int) -> None:
        """An administrator approves what somebody asked for with "Request approval": consent for everybody."""
        request = lookup.pending_request(self.halves.identity.store, number)
        self.grant_admin_consent(request.tenant_id, " ".join(request.scopes), request.client_id)
        request.state = "approved"

    def deny_admin_request(self, number: int) -> None:
        """An administrator denies it; neither the application nor the person hears of it."""
        lookup.pending_request(self.halves.identity.store, number).state = "denied"

    def set_consent_policy(
        self, tenant: str, policy: Literal["allow_all", "managed", "none"], workflow: bool | None = None
    ) -> None:
        """Who may consent: every user, users without calendar scopes (`managed`), or administrators alone.

        `workflow` switches the form with which a user can ask the administrators.
        """
        found = lookup.tenant(self.world, tenant)
        found.user_consent = policy
        if workflow is not None:
            found.admin_consent_workflow = workflow

    def withhold_scopes(self, scopes: str = "") -> None:
        """Leave these scopes (space-separated) out of token answers although they were consented to."""
        self.world.switches.withheld_scopes = set(scopes.split())

    # Applications

    def disable_app(self, tenant: str, client_id: str | None = None) -> None:
        """An administrator disables sign-in to the enterprise application."""
        lookup.enterprise_app(self.world, tenant, client_id).enabled = False

    def enable_app(self, tenant: str, client_id: str | None = None) -> None:
        """An administrator enables it again; a deleted one stays deleted."""
        lookup.enterprise_app(self.world, tenant, client_id).enabled = True

    def delete_app(self, tenant: str, client_id: str | None = None) -> None:
        """An administrator deletes the enterprise application with its grants; a new consent brings it back."""
        lookup.enterprise_app(self.world, tenant, client_id).delete()

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
        lookup.enterprise_app(self.world, tenant, client_id).assignment_required = required

    def assign_person(self, address: str, client_id: str | None = None) -> None:
        """Assign somebody to the enterprise application of the own tenant."""
        person = self.person(address)
        lookup.enterprise_app(self.world, person.tenant_id, client_id).assigned_oids.add(person.oid)

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
        """Somebody answers the newest invitation with this subject, as with the buttons in Outlook."""
        answer_newest(self.world, self.person(address), subject, Reply(response, comment))

    def add_person(
        self, address: str, name: str | None = None, tenant: str = "Contoso", time_zone: str = "UTC"
    ) -> None:
        """Add somebody to a tenant; the calendar is filled like everybody's when it is first looked at."""
        guid, home = self.world.new_guid(), lookup.tenant(self.world, tenant)
        person = Person(guid, home.id, name or address.partition("@")[0], address, time_zone=time_zone)
        self.world.people[address.strip().lower()] = person

    def add_calendar(
        self,
        address: str,
        name: str,
        owner: str | None = None,
        can_edit: bool = True,
        source: str | None = None,
        readable: bool = True,
    ) -> None:
        """Add an empty calendar to a mailbox; with `owner`, one that this person shares. Several may have one name.

        `source` names the owner's calendar, `name` when left out; one is made where there is none of that name.
        """
        calendar = new_calendar(self.world, self.person(address), name)
        calendar.can_edit, calendar.readable = can_edit, readable
        if owner is not None:
            calendar.owner = self.person(owner)
            calendar.source_key = calendar_to_share(self.world, calendar.owner, source or name).key

    def revoke_sessions(self, address: str) -> None:
        """All sign-in sessions of a person end: refresh tokens (50173), and cp1 access tokens at once."""
        person = self.person(address)
        self.halves.identity.store.end_refresh_tokens(person, 50173)
        self.halves.identity.store.sign_out(person)
        self.halves.tokens.revoke_continuously(person)

    def revoke_connection(self, connection: str, identifier: str) -> None:
        """An administrator takes a connection (`gmail`) of the hosted API away from the user `identifier`."""
        self.halves.revoke_connection(connection, identifier)

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

    # Token endpoint

    def next_token_error(
        self,
        code: int | None,
        error: str | None = None,
        suberror: str | None = None,
        person: str | None = None,
        times: int = 1,
        claims: str | None = None,
        status: int | None = None,
        grant_type: str | None = None,
    ) -> None:
        """Answer the next token requests with an AADSTS number; error, suberror and status follow from it.

        Without a number (None) the answer is a bare `invalid_grant`, or the `error` given.
        """
        fault = next_token_fault(code, error=error, suberror=suberror, claims=claims, status=status)
        fault.person, fault.times, fault.grant_type = person, times, grant_type
        self.world.switches.token_faults.append(fault)

    def token_error_raw(
        self,
        status: int = 429,
        body: str = "Too Many Requests",
        headers: dict[str, str] | None = None,
        person: str | None = None,
        times: int = 1,
    ) -> None:
        """Answer the next token requests with something that is not JSON, an HTML page for instance."""
        self.world.switches.token_faults.append(
            TokenFault(status=status, body=body, headers=dict(headers or {}), person=person, times=times)
        )

    def delay_token_answer(self, seconds: float, times: int = 1, person: str | None = None) -> None:
        """The next token requests are carried out after a pause (real seconds)."""
        self.world.switches.token_faults.append(TokenFault(delay_seconds=seconds, times=times, person=person))

    def require_mfa(self, required: bool = True) -> None:
        """Demand multifactor authentication at sign-in; grants made without it are refused with 50076."""
        self.world.switches.mfa_required = required

    def conditional_access(self, code: int | None = 53003) -> None:
        """Let a policy block sign-in and refresh with this AADSTS number; None lifts it."""
        self.world.switches.conditional_access = str(code) if code else None

    def expire_access_tokens(self, address: str | None = None) -> int:
        """End the access tokens of one person, or of everybody, now; how many there were."""
        return self.halves.tokens.expire(self.person(address).address if address else None)

    def expire_refresh_tokens(self, address: str | None = None, code: int = 700082) -> int:
        """End the refresh tokens of one person, or of everybody, with this AADSTS number; how many there were."""
        people = [self.person(address)] if address else list(self.world.people.values())
        return sum(self.halves.identity.store.end_refresh_tokens(person, code) for person in people)

    def rotation(self, policy: Literal["keep", "one_time", "none"]) -> None:
        """Refresh tokens: old ones stay valid (`keep`), die when used (`one_time`), or no new one comes (`none`)."""
        self.world.switches.rotation = policy

    def access_token_lifetime(self, seconds: int | None = None) -> None:
        """How long new access tokens live; None: random, 3600 to 5399 seconds."""
        self.world.switches.access_token_seconds = seconds

    def roll_signing_keys(self) -> None:
        """Sign with new keys from now on, without notice."""
        self.halves.tokens.keys.roll()

    # Graph

    def claims_challenge(
        self, claims: str | None = DEFAULT_CLAIMS, interactive: bool = False, person: str | None = None
    ) -> None:
        """Graph answers 401 until the access token was issued with these claims (JSON); None lifts it.

        `interactive`: a refresh with the claims is refused, only a new sign-in satisfies them.
        """
        switches = self.world.switches
        switches.claims_challenge = claims or None
        switches.claims_challenge_interactive, switches.claims_challenge_person = interactive, person

    def throttle_graph(self, times: int = 1, retry_after: int | None = None, person: str | None = None) -> None:
        """Answer the next Graph requests 429 with Retry-After in seconds."""
        seconds = self.world.switches.retry_after_seconds if retry_after is None else retry_after
        self.world.switches.graph_faults.append(throttling(seconds, person=person, times=times))

    def graph_error(
        self,
        status: int,
        code: str | None = None,
        times: int = 1,
        method: str | None = None,
        path_contains: str | None = None,
        apply: bool = False,
        body: str | None = None,
        message: str | None = None,
        headers: dict[str, str] | None = None,
        person: str | None = None,
    ) -> None:
        """Answer the next fitting Graph requests with a failure; `apply` carries them out all the same."""
        fault = GraphFault(status, code, message, dict(headers or {}), body, apply=apply, person=person, times=times)
        fault.method, fault.path_contains = method, path_contains
        self.world.switches.graph_faults.append(fault)

    def drop_connection(
        self,
        when: Literal["before", "after"] = "before",
        area: Literal["graph", "identity"] = "graph",
        method: str | None = None,
        path_contains: str | None = None,
        person: str | None = None,
        times: int = 1,
    ) -> None:
        """Close the connection without an answer, before or after the request is carried out.

        `identity` means the token endpoint; `method` and `path_contains` narrow Graph requests only.
        """
        if area == "identity":
            self.world.switches.token_faults.append(TokenFault(drop=when, person=person, times=times))
            return
        self.world.switches.graph_faults.append(
            GraphFault(drop=when, method=method, path_contains=path_contains, person=person, times=times)
        )

    def scalekit_proxy(self, enabled: bool = True) -> None:
        """Whether the look-alike of Scalekit offers its proxy to Outlook ("proxy not enabled for provider")."""
        self.world.switches.proxy_enabled = enabled

    def scalekit_proxy_error(
        self,
        kind: Literal["provider_401", "machine_401", "silent_401", "throttled", "html"] = "provider_401",
        times: int = 1,
    ) -> None:
        """The next calls through Scalekit's proxy fail: by Microsoft's 401 or Scalekit's, by 429, by a gateway's page.

        `silent_401` has no body, so that nobody can tell whose it is.
        """
        self.world.switches.proxy_faults += [kind] * times

    def slow(self, seconds: float = 0.0) -> None:
        """Every answer of identity and Graph waits this long (real seconds)."""
        self.world.switches.slow_seconds = seconds

    def behaviour(self, name: str, value: Any = None) -> None:
        """Let the look-alike behave in another way where Microsoft's behaviour varies or is not documented.

        Raises LookupError for an unknown name and ValueError for a value that it cannot take.
        """
        setattr(self.world.switches, name, checked_behaviour(name, value))

    def clear_faults(self) -> None:
        """Forget every failure that is still waiting for its request."""
        self.world.switches.token_faults.clear()
        self.world.switches.graph_faults.clear()
        self.world.switches.proxy_faults.clear()

    def switches_off(self) -> None:
        """Every switch of token endpoint, Graph and network back to its default; people and consents stay."""
        self.world.switches = Switches()

    # Time

    def advance_clock(self, seconds: float) -> None:
        """Move the sandbox's time forward."""
        self.world.clock.advance(seconds)

    def freeze_clock(self, at: datetime | None = None) -> None:
        """Stop the sandbox's time, at the present or at an aware instant. Raises ValueError for a naive one."""
        if at is not None and at.tzinfo is None:
            raise ValueError("at: an instant with an offset is expected")
        self.world.clock.freeze(at or self.world.clock.now())

    def unfreeze_clock(self) -> None:
        """Let the sandbox's time run on from where it stands."""
        self.world.clock.freeze(None)

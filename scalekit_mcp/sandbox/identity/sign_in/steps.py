"""A sign-in, step by step: account, device check, policies, consent, and back to the application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from scalekit_mcp.sandbox.identity import scopes as scoping
from scalekit_mcp.sandbox.identity.directory import Directory
from scalekit_mcp.sandbox.identity.errors import IdentityError
from scalekit_mcp.sandbox.identity.keys import b64url
from scalekit_mcp.sandbox.identity.sign_in.authorize import RedirectedError, WayBack, way_back
from scalekit_mcp.sandbox.identity.store import (
    AdminRequest,
    AuthorizationCode,
    AuthorizeRequest,
    BrowserSession,
    Flow,
    Grant,
    IdentityStore,
)
from scalekit_mcp.sandbox.world import Person, World

FLOW_SECONDS = 900


@dataclass(frozen=True)
class Page:
    """A page to show: the template's name and its variables."""

    template: str
    variables: dict[str, Any]
    status: int = 200


Outcome = Page | WayBack


class SignIn:
    """Decides what a person sees next; knows nothing of HTTP."""

    def __init__(self, world: World, store: IdentityStore) -> None:
        self._world = world
        self._store = store
        self._directory = Directory(world)

    def begin(self, request: AuthorizeRequest, session: BrowserSession) -> Outcome:
        """The first page (or the way back at once, when nothing has to be asked)."""
        flow = self._store.begin(request)
        self._take_from_session(flow, session)
        return self._next(flow)

    def step(self, fields: Mapping[str, str], session: BrowserSession) -> Outcome:
        """What follows a submitted form.

        Raises:
            IdentityError: shown on a page.
            RedirectedError: sent back to the application.
        """
        flow = self._store.flows.get(fields.get("flow", ""))
        started_by = self._world.clock.now() - timedelta(seconds=FLOW_SECONDS)
        if flow is None or flow.started_at < started_by:
            raise IdentityError(50089, error="invalid_request", text="The sign-in took too long; start again.")
        action = fields.get("action", "")
        if action == "cancel":
            return self._cancelled(flow)
        if action == "switch":
            flow.home = flow.person = None
            return self._accounts(flow, everybody=True)
        if action == "confirm_device":
            flow.device_confirmed = True
        elif action == "approve_mfa" and flow.home is not None:
            flow.mfa = True
            session.mfa.add(flow.home.oid)
        elif action == "request_approval" and flow.person is not None:
            return self._request_approval(flow, flow.person, fields.get("justification", ""))
        elif action == "accept" and flow.person is not None:
            return self._accepted(flow, flow.person, for_everybody=fields.get("organization") == "on")
        elif fields.get("address"):
            return self._chosen(flow, fields["address"], session)
        return self._next(flow)

    # Who

    def _take_from_session(self, flow: Flow, session: BrowserSession) -> None:
        """Single sign-on: one signed-in account, and nothing in the request that asks for another."""
        request = flow.request
        if request.prompt in ("login", "select_account") or request.kind in ("admin_v1", "admin_v2", "device"):
            return
        fitting = [home for home in session.homes if self._fits(request, home)]
        hint = (request.login_hint or "").lower()
        if hint:
            fitting = [home for home in fitting if home.address.lower() == hint]
        if request.prompt == "none" and not fitting:
            raise RedirectedError(request, IdentityError(50058))
        if request.prompt == "none" and len(fitting) > 1:
            raise RedirectedError(request, IdentityError(16000))
        if len(fitting) == 1:
            flow.home = fitting[0]
            flow.mfa = flow.home.oid in session.mfa

    def _chosen(self, flow: Flow, address: str, session: BrowserSession) -> Outcome:
        home = self._world.people.get(address.strip().lower())
        if home is None or home.deleted or home.home_oid is not None:
            return self._accounts(flow, everybody=True, problem=f"AADSTS50034: no account '{address}' in the sandbox.")
        flow.home = home
        flow.mfa = home.oid in session.mfa
        if home not in session.homes:
            session.homes.append(home)
        return self._next(flow)

    def _accounts(self, flow: Flow, *, everybody: bool = False, problem: str | None = None) -> Page:
        request = flow.request
        people = [
            person
            for person in self._world.people.values()
            if person.home_oid is None and not person.deleted and self._fits(request, person)
        ]
        hint = (request.login_hint or "").lower()
        hinted = [person for person in people if person.address.lower() == hint]
        if hinted and not everybody and request.prompt != "select_account":
            people = hinted
        if request.kind in ("admin_v1", "admin_v2"):
            people.sort(key=lambda person: not person.is_admin)
        rows = [{"person": person, "tenant": self._world.tenants[person.tenant_id]} for person in people]
        variables = {"flow": flow, "app": self._world.apps[request.client_id], "rows": rows, "problem": problem}
        return Page("account.html", {**variables, "all_shown": len(people) != len(hinted) or not hinted})

    def _fits(self, request: AuthorizeRequest, person: Person) -> bool:
        """Whether the chooser offers the account; a typed address is checked later."""
        personal = self._world.tenants[person.tenant_id].personal
        authority, hint = request.authority.lower(), request.domain_hint
        if hint in ("organizations", "consumers") and personal != (hint == "consumers"):
            return False
        if hint and "." in hint and self._world.tenants[person.tenant_id].domain != hint:
            return False
        if authority in ("organizations", "consumers"):
            return personal == (authority == "consumers")
        app = self._world.apps[request.client_id]
        return not (personal and app.audience in ("AzureADMyOrg", "AzureADMultipleOrgs"))

    # What next

    def _next(self, flow: Flow) -> Outcome:
        request = flow.request
        if request.kind == "device" and not flow.device_confirmed:
            app = self._world.apps[request.client_id]
            return Page("device_confirm.html", {"flow": flow, "app": app})
        if flow.home is None:
            return self._accounts(flow)
        try:
            person = flow.person = self._admitted(request, flow.home)
        except IdentityError as exc:
            if request.prompt == "none":
                silent = IdentityError(exc.code, error="interaction_required", text=exc.text)
                raise RedirectedError(request, silent) from exc
            raise
        if self._world.switches.mfa_required and not flow.mfa:
            if request.prompt == "none":
                raise RedirectedError(request, IdentityError(50076, error="interaction_required"))
            return Page("mfa.html", {"flow": flow, "person": person, "app": self._world.apps[request.client_id]})
        if request.kind in ("admin_v1", "admin_v2"):
            if not person.is_admin or self._world.tenants[person.tenant_id].personal:
                raise IdentityError(90093, f"Account: '{person.address}'.")
            return self._consent_page(flow, person, request.scopes, for_everybody=True)
        return self._consented(flow, person)

    def _admitted(self, request: AuthorizeRequest, home: Person) -> Person:
        """The account at this authority, past everything that administrators can put in its way."""
        person = self._directory.account_at(self._world.apps[request.client_id], home, request.authority)
        self._directory.check_principal(request.client_id, person, refreshing=False)
        if self._world.switches.conditional_access:
            raise IdentityError(int(self._world.switches.conditional_access))
        return person

    def _consented(self, flow: Flow, person: Person) -> Outcome:
        """Back to the application when everything is consented to, else the page that asks whoever may."""
        request = flow.request
        missing = self._directory.missing(request.client_id, person, request.scopes)
        if not missing and request.prompt != "consent":
            return self._granted(flow, person)
        if request.prompt == "none":
            raise RedirectedError(request, IdentityError(65001, error="consent_required"))
        scopes = request.scopes if request.prompt == "consent" else missing
        if self._world.tenants[person.tenant_id].personal:
            refused = request.scopes & scoping.NOT_FOR_PERSONAL
            if refused:
                detail = f"Not for personal accounts: '{' '.join(sorted(refused))}'."
                raise RedirectedError(request, IdentityError(70011, detail))
        elif self._directory.admin_only(person, scopes):
            return self._approval_page(flow, person, scopes)
        return self._consent_page(flow, person, scopes)

    def _consent_page(self, flow: Flow, person: Person, scopes: frozenset[str], *, for_everybody: bool = False) -> Page:
        return Page(
            "consent.html",
            {
                "flow": flow,
                "person": person,
                "app": self._world.apps[flow.request.client_id],
                "tenant": self._world.tenants[person.tenant_id],
                "permissions": _described(scopes),
                "for_everybody": for_everybody,
                "may_consent_for_everybody": person.is_admin and not for_everybody,
            },
        )

    def _approval_page(self, flow: Flow, person: Person, scopes: frozenset[str]) -> Page:
        tenant = self._world.tenants[person.tenant_id]
        return Page(
            "approval.html",
            {
                "flow": flow,
                "person": person,
                "app": self._world.apps[flow.request.client_id],
                "tenant": tenant,
                "permissions": _described(scopes),
                "workflow": tenant.admin_consent_workflow,
                "code": 90095 if tenant.admin_consent_workflow else 90094,
            },
        )

    def _request_approval(self, flow: Flow, person: Person, justification: str) -> Page:
        request = flow.request
        scopes = sorted(scoping.resource_scopes(request.scopes))
        self._store.admin_requests.append(
            AdminRequest(
                person.address,
                request.client_id,
                person.tenant_id,
                scopes,
                justification.strip(),
                number=len(self._store.admin_requests) + 1,
            )
        )
        if self._world.switches.redirect_after_admin_request:
            raise RedirectedError(request, IdentityError(90095, error="access_denied"), subcode="cancel")
        app = self._world.apps[request.client_id]
        return Page(
            "message.html",
            {
                "title": "Request sent",
                "text": f"The administrators of {self._world.tenants[person.tenant_id].name} were asked to approve "
                f"{app.name}. You can close this page; sign in again after they have decided.",
            },
        )

    # The end

    def _accepted(self, flow: Flow, person: Person, *, for_everybody: bool) -> Outcome:
        request = flow.request
        if request.kind in ("admin_v1", "admin_v2"):
            if not person.is_admin:
                raise IdentityError(90093, f"Account: '{person.address}'.")
            self._directory.consent(request.client_id, person, request.scopes, for_everybody=True)
            self._store.flows.pop(flow.id, None)
            fields = {"admin_consent": "True", "tenant": person.tenant_id}
            if request.kind == "admin_v2":
                fields["scope"] = " ".join(
                    name if name in scoping.OIDC else scoping.GRAPH_PREFIX + name for name in sorted(request.scopes)
                )
            return way_back(request, fields)
        missing = self._directory.missing(request.client_id, person, request.scopes)
        if self._directory.admin_only(person, missing):
            return self._approval_page(flow, person, missing)
        everybody = for_everybody and person.is_admin
        self._directory.consent(request.client_id, person, request.scopes, for_everybody=everybody)
        return self._granted(flow, person)

    def _granted(self, flow: Flow, person: Person) -> Outcome:
        request, now = flow.request, self._world.clock.now()
        self._directory.enterprise_app(request.client_id, person.tenant_id)
        app = self._world.apps[request.client_id]
        grant = Grant(
            person=person,
            home=flow.home or person,
            client_id=request.client_id,
            scopes=request.scopes,
            authenticated_at=now,
            authority=request.authority,
            mfa=flow.mfa,
            claims=request.claims,
            nonce=request.nonce,
            client_info=request.client_info,
            spa=app.platform == "spa",
        )
        self._store.flows.pop(flow.id, None)
        if request.kind == "device":
            self._store.devices[request.device_code or ""].grant = grant
            text = f"You have signed in to {app.name} on your other device. You can close this page."
            return Page("message.html", {"title": "Signed in", "text": text})
        code = AuthorizationCode(
            grant,
            redirect_uri=request.redirect_uri,
            code_challenge=request.code_challenge,
            code_challenge_method=request.code_challenge_method,
            expires_at=now + timedelta(seconds=self._world.switches.code_seconds),
        )
        fields = {"code": self._store.add_code(code), "session_state": self._world.new_guid()}
        if request.client_info:
            info = f'{{"uid":"{grant.home.oid}","utid":"{grant.home.tenant_id}"}}'
            fields["client_info"] = b64url(info.encode())
        return way_back(request, fields)

    def _cancelled(self, flow: Flow) -> Outcome:
        request = flow.request
        self._store.flows.pop(flow.id, None)
        if request.kind == "device":
            self._store.devices[request.device_code or ""].state = "declined"
            return Page("message.html", {"title": "Cancelled", "text": "Nothing was granted. You can close this page."})
        if request.kind in ("admin_v1", "admin_v2"):
            tenant_id = (flow.person.tenant_id if flow.person else None) or ""
            raise RedirectedError(request, _admin_refusal(request.kind), subcode=tenant_id)
        declined = IdentityError(65004, error="access_denied")
        raise RedirectedError(request, declined, subcode="cancel")


def _admin_refusal(kind: str) -> IdentityError:
    if kind == "admin_v1":
        return IdentityError(None, error="permission_denied", text="The admin canceled the request")
    return IdentityError(65004)


def _described(scopes: frozenset[str]) -> list[dict[str, str]]:
    order = {name: number for number, name in enumerate(scoping.DESCRIPTIONS)}
    names = sorted(scopes, key=lambda name: order.get(name, len(order)))
    return [{"name": name, "text": scoping.DESCRIPTIONS.get(name, name)} for name in names]

"""The checks of `doctor`: a configuration held against Microsoft's own answers, without signing anybody in.

`GET /authorize?prompt=none` tells a wrong application, audience, redirect URI or scope before anybody signs in. A
device code that nobody will enter proves the client: Microsoft checks its secret before it says
`authorization_pending` (RFC 8628 section 3.5). Sources: "OAuth 2.0 authorization code flow", "OAuth 2.0 device
authorization grant", "OpenID Connect on the Microsoft identity platform".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx2 as httpx

from scalekit_mcp.actions import CALLBACK_PATH
from scalekit_mcp.cli.azure_app import redirect_uris
from scalekit_mcp.cli.doctor.findings import Report, State
from scalekit_mcp.cli.doctor.machine import add_unreachable, check_clock
from scalekit_mcp.cli.doctor.mistakes import BY_NUMBER, MISTAKES
from scalekit_mcp.cli.doctor.wire import Answer, Wire, host_of, numbers_in, read
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.microsoft import ClientCertificate, ClientCredentials, PublicClient, credentials_of
from scalekit_mcp.settings import CLOUDS, Settings

WhoSignsIn = Literal["work", "personal", "both"]

REQUEST_SECONDS = 15.0
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SILENT = frozenset({"login_required", "interaction_required", "consent_required", "account_selection_required"})
_NOT_ADMITTED = frozenset({"wrong_audience", "single_tenant", "wrong_cloud_or_tenant"})
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_PENDING = frozenset({70016, 70017})


class Doctor:
    """Checks one configuration. `http` stays its owner's and must not follow redirects by itself."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._wire = Wire(settings, http, clock)
        self.report = Report()

    async def check(self, who: WhoSignsIn | None = None) -> Report:
        """Run all checks; `who` says who shall sign in (default: whom the configured authority admits)."""
        self.check_settings(who)
        if not await self._check_discovery():
            return self.report
        if self._settings.microsoft_client_id and not await self._check_authorize():
            await self._check_audience(who or self._admitted())
        if self._settings.microsoft_client_id:
            await self._check_client()
        await self._check_graph()
        self._add_unknowns()
        return self.report

    def _admitted(self) -> WhoSignsIn:
        return {"common": "both", "consumers": "personal"}.get(self._settings.microsoft_tenant.lower(), "work")  # type: ignore[return-value]

    # What needs no request

    def check_settings(self, who: WhoSignsIn | None) -> None:
        """What the settings alone show."""
        settings, report = self._settings, self.report
        client_id = settings.microsoft_client_id
        if not client_id:
            report.add_mistake("settings", "wrong_cloud_or_tenant", "unset", message="MICROSOFT_CLIENT_ID is not set.")
        elif not _GUID.fullmatch(client_id):
            message = "MICROSOFT_CLIENT_ID is no GUID; it is the Application (client) ID of the registration."
            report.add_mistake("settings", "wrong_cloud_or_tenant", "malformed", message=message)
        secret = settings.microsoft_client_secret
        if secret is not None and _GUID.fullmatch(secret.get_secret_value().strip()):
            report.add_mistake("settings", "secret_id_instead_of_value", "a GUID")
        given = {scope.rpartition("/")[2].lower() for scope in settings.scopes}
        if "offline_access" not in given:
            report.add_mistake("scopes", "missing_offline_access", "MICROSOFT_SCOPES")
        if not given & {"calendars.readwrite", "calendars.read"}:
            report.add("scopes", "warning", "MICROSOFT_SCOPES holds no calendar scope; no calendar tool will work.")
        elif not settings.read_only and "calendars.readwrite" not in given:
            report.add("scopes", "warning", "MICROSOFT_SCOPES allows reading only: set SCALEKIT_MCP_READ_ONLY=true.")
        if any(scope.endswith(".shared") for scope in given) and self._admitted() != "work":
            report.add("scopes", "warning", "A scope ending in .Shared is refused for personal accounts.")
        if who in {"personal", "both"} and (self._admitted() == "work" or settings.microsoft_cloud != "global"):
            evidence = f"MICROSOFT_TENANT={settings.microsoft_tenant}, MICROSOFT_CLOUD={settings.microsoft_cloud}"
            report.add_mistake("authority", "personal_account_wrong_authority", evidence)
        elif who is None and self._admitted() == "work":
            report.add(
                "authority",
                "ok",
                f"Only work and school accounts can sign in at '{settings.microsoft_tenant}'. Run with "
                "--accounts both if people with personal accounts (outlook.com) shall too.",
            )
        self._check_certificate()

    def _check_certificate(self) -> None:
        path = self._settings.microsoft_client_certificate
        if path is None:
            return
        from cryptography import x509

        try:
            certificates = x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError):
            self.report.add_mistake("certificate", "wrong_certificate", "unreadable")
            return
        ends_at = max(certificate.not_valid_after_utc for certificate in certificates)
        left = ends_at - self._clock.now()
        if left <= timedelta():
            self.report.add_mistake(
                "certificate", "wrong_certificate", "expired", message=f"The certificate expired on {ends_at:%Y-%m-%d}."
            )
        else:
            state: State = "warning" if left < timedelta(days=30) else "ok"
            self.report.add("certificate", state, f"The certificate is valid until {ends_at:%Y-%m-%d}.")

    # Requests

    async def _check_discovery(self) -> bool:
        tenant, host = self._settings.microsoft_tenant, urlsplit(self._settings.login_url).netloc
        asked_at = self._clock.now()
        try:
            response = await self._wire.discovery()
        except httpx.HTTPError as exc:
            add_unreachable(self.report, "discovery", "The login host", self._settings, self._settings.login_url, exc)
            return False
        check_clock(self.report, response, "Microsoft", asked_at=asked_at, answered_at=self._clock.now())
        answer = read(response)
        if response.status_code != 200 or "issuer" not in answer.body:
            message = f"The tenant '{tenant}' does not exist at {host}."
            self.report.add_mistake("discovery", "wrong_cloud_or_tenant", answer.evidence, message=message)
            return False
        self.report.add("discovery", "ok", f"The authority '{tenant}' exists at {host}.")
        self._check_cloud(answer.body)
        return True

    def _check_cloud(self, document: dict[str, Any]) -> None:
        login_host, graph_host = host_of(self._settings.login_url), host_of(self._settings.graph_url)
        told_graph, told_cloud = str(document.get("msgraph_host", "")), str(document.get("cloud_instance_name", ""))
        fitting = {host_of(f"//{told_graph}")}
        if self._settings.microsoft_tenant.lower() in {"common", "organizations", "consumers"}:
            fitting |= {host_of(graph) for login, graph in CLOUDS.values() if host_of(login) == login_host}
        if told_graph and graph_host not in fitting:
            message = f"The authority belongs to the Graph host {told_graph}, but {graph_host} is configured."
            self.report.add_mistake("cloud", "wrong_cloud_or_tenant", f"msgraph_host {told_graph}", message=message)
        elif told_cloud and not login_host.endswith(host_of(f"//{told_cloud}")):
            message = f"The tenant lives in the cloud {told_cloud}, but {login_host} is configured."
            self.report.add_mistake("cloud", "wrong_cloud_or_tenant", told_cloud, message=message)
        else:
            self.report.add("cloud", "ok", f"Login and Graph host belong to one cloud ({told_cloud or login_host}).")

    async def _check_authorize(self) -> bool:
        """Every redirect URI at the configured authority; whether the application itself is refused there."""
        refused = False
        for uri in self._redirect_uris():
            answer = await self._wire.authorize(self._settings.microsoft_tenant, uri)
            if answer is None:
                self.report.add("redirect", "unknown", f"The sign-in page did not answer for {uri}.")
            elif answer.mistake == "wrong_redirect":
                self.report.add_mistake("redirect", "wrong_redirect", answer.evidence, message=f"Not registered: {uri}")
            elif answer.mistake is not None:
                self.report.add_mistake("application", answer.mistake, answer.evidence)
                refused = refused or not answer.redirected
            elif answer.redirected and answer.error in _SILENT:
                self.report.add("redirect", "ok", f"Registered: {uri}")
            else:
                self.report.add(
                    "redirect",
                    "unknown",
                    f"Microsoft's page says neither yes nor no to {uri} ({answer.evidence}).",
                    fix="Compare it with App registration > Authentication, letter by letter.",
                )
            if refused:
                break
        return refused

    def _redirect_uris(self) -> tuple[str, ...]:
        """Those of the registration, and the way back of sign-ins where `localhost` does not stand for it."""
        uris, settings = redirect_uris(self._settings), self._settings
        own = settings.base_url + CALLBACK_PATH
        covered = own in uris or urlsplit(own).hostname == "localhost"
        return uris if settings.auth != "microsoft" or covered else (*uris, own)

    async def _check_audience(self, who: WhoSignsIn) -> None:
        """Whether the registration admits the accounts that shall sign in; seen at the authority of their kind."""
        if self._settings.microsoft_tenant.lower() != "common":
            return
        uri = redirect_uris(self._settings)[0]
        for kind, authority in (("work", "organizations"), ("personal", "consumers")):
            if who not in {kind, "both"}:
                continue
            answer = await self._wire.authorize(authority, uri)
            if answer is None:
                self.report.add("audience", "unknown", f"The authority '{authority}' did not answer.")
            elif (answer.redirected and answer.error in _SILENT) or answer.mistake == "wrong_redirect":
                self.report.add("audience", "ok", f"The registration admits {kind} accounts.")
            elif answer.mistake in _NOT_ADMITTED or answer.error == "unauthorized_client":
                message = f"The registration does not admit {kind} accounts."
                self.report.add_mistake("audience", "wrong_audience", answer.evidence, message=message)
            elif answer.mistake is not None:
                self.report.add_mistake("audience", answer.mistake, answer.evidence)
            else:
                self.report.add("audience", "unknown", f"Microsoft does not say whether {kind} accounts may sign in.")

    async def _check_client(self) -> None:
        """The proof of the client: a device code that nobody enters, polled once with it."""
        try:
            credentials = credentials_of(self._settings)
        except ConfigurationError as exc:
            self.report.add_mistake("client", "wrong_certificate", "unreadable", message=exc.message)
            return
        begun = await self._wire.post("devicecode", {"scope": self._wire.scopes})
        code = begun.body.get("device_code") if begun is not None else None
        if isinstance(code, str):
            fields = {"grant_type": _DEVICE_GRANT, "device_code": code}
        else:
            if begun is not None and begun.mistake is not None:
                self.report.add_mistake("client", begun.mistake, begun.evidence)
            fields = {
                "grant_type": "authorization_code",
                "code": "0.doctor",
                "redirect_uri": redirect_uris(self._settings)[0],
                "code_verifier": "doctor" * 8,
                "scope": self._wire.scopes,
            }
        answer = await self._wire.post("token", fields, credentials)
        if answer is None:
            self.report.add("client", "unknown", "The token endpoint did not answer.")
        elif answer.mistake is not None:
            self._add_client_mistake(answer, answer.mistake)
        elif set(answer.numbers) & _PENDING or answer.error == "authorization_pending":
            kind = "public client" if isinstance(credentials, PublicClient) else _kind(credentials)
            self.report.add("client", "ok", f"Microsoft accepts the {kind}.")
        else:
            self.report.add(
                "client",
                "unknown",
                f"Microsoft did not say whether the credentials are right ({answer.evidence}).",
                fix="Sign in once with `scalekit-mcp connect`: a wrong secret shows as connection_misconfigured.",
            )

    def _add_client_mistake(self, answer: Answer, name: str) -> None:
        if name == "wrong_secret" and "secret_id_instead_of_value" in self.report.mistakes:
            return
        if name == "public_client_with_secret" and "wrong_platform" in self.report.mistakes:
            return
        self.report.add_mistake("client", name, answer.evidence)

    async def _check_graph(self) -> None:
        host = urlsplit(self._settings.graph_url).netloc
        try:
            response = await self._wire.graph()
        except httpx.HTTPError as exc:
            add_unreachable(self.report, "graph", "Microsoft Graph at", self._settings, self._settings.graph_url, exc)
            return
        if response.status_code == 401:
            self.report.add("graph", "ok", f"Microsoft Graph answers at {host}.")
        else:
            self.report.add(
                "graph",
                "warning",
                f"{host} answers {response.status_code} to a request without a token, not 401.",
                fix="Check MICROSOFT_GRAPH_URL; it ends in /v1.0.",
            )

    def _add_unknowns(self) -> None:
        add = self.report.add
        if self._settings.microsoft_client_secret is not None and "expired_secret" not in self.report.mistakes:
            add(
                "secret expiry",
                "unknown",
                "When the secret expires cannot be seen from outside.",
                fix="App registration > Certificates & secrets > Expires; note the date.",
            )
        add(
            "consent",
            "unknown",
            "Whether a customer's users may consent by themselves cannot be seen from outside; most organizations now "
            "want an administrator's approval for calendars.",
            fix="The customer's IT: Entra admin center > Enterprise applications > Consent and permissions. Send the "
            "admin consent link from the start.",
        )
        add(
            "platform",
            "unknown",
            "Under which platform a redirect URI stands shows for certain only when somebody signs in.",
            fix="App registration > Authentication: under 'Web', not under 'Single-page application'.",
        )


def seen_number(report: Report, number: int) -> None:
    """Name the mistake behind an AADSTS number that somebody saw on one of Microsoft's pages."""
    from scalekit_mcp.microsoft import AADSTS_TABLE

    name = BY_NUMBER.get(number)
    row = AADSTS_TABLE.get(number)
    if name is not None:
        report.add_mistake("seen", name, f"AADSTS{number}")
    elif row is not None:
        report.add("seen", "warning", f"AADSTS{number}: {row.message}", fix=str(row.verdict.next_step))
    else:
        report.add(
            "seen", "unknown", f"AADSTS{number} is not known here.", fix="https://login.microsoftonline.com/error"
        )


def vault_evidence(report: Report, accounts: Sequence[tuple[str | None, str | None, str | None]]) -> None:
    """What the accounts of the vault tell; each is (reason, cause of its last change, last authorization error)."""
    blocked = sum(1 for reason, _, _ in accounts if reason == "admin_approval_required")
    declined = sum(1 for reason, _, _ in accounts if reason == "consent_declined")
    no_refresh = sum(1 for _, cause, _ in accounts if cause == "refresh_impossible")
    if blocked:
        message = f"{blocked} account(s) wait for an administrator's approval."
        report.add_mistake("accounts", "consent_blocked", "admin_approval_required", message=message)
    elif declined:
        report.add(
            "accounts",
            "warning",
            f"{declined} account(s) ended with a declined consent; 'Need admin approval' looks the same from here.",
            fix=MISTAKES["consent_blocked"].fix,
        )
    if no_refresh:
        message = f"{no_refresh} account(s) ended because Microsoft had sent no refresh token."
        report.add_mistake("accounts", "missing_offline_access", "refresh_impossible", message=message)
    for _, _, error in accounts:
        for number in numbers_in(error or ""):
            if number in BY_NUMBER:
                report.add_mistake("accounts", BY_NUMBER[number], f"AADSTS{number}")


def _kind(credentials: ClientCredentials) -> str:
    return "certificate" if isinstance(credentials, ClientCertificate) else "client secret"

"""Puts the embedded implementation together: vault, accounts, Microsoft's OAuth and Graph, the calendar.

Imported on the first call, because its libraries are what a start should not wait for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import httpx2 as httpx

from scalekit_mcp.accounts import (
    AccountKey,
    AccountServices,
    AccountSettings,
    AllowedTenants,
    ConnectedAccount,
    Grants,
    KeyRing,
    ProviderAccount,
    ProviderSignIns,
    SignIns,
    Tokens,
    UserVerification,
    missing_scopes,
)
from scalekit_mcp.actions.embedded.instrumentation import InstrumentedClient, InstrumentedOAuth
from scalekit_mcp.actions.own_vault.own_vault import listener_alive, vault_of
from scalekit_mcp.actions.own_vault.sealed_pages import SealedPages
from scalekit_mcp.actions.protocol import ADMIN_CALLBACK_PATH, CALLBACK_PATH
from scalekit_mcp.actions.provider_call import ProviderCall, ProviderResponse
from scalekit_mcp.calendar import (
    DIRECTORY_SCOPE,
    CalendarAnswer,
    MetPeopleCache,
    OutlookCalendar,
    Pages,
    Searcher,
)
from scalekit_mcp.clock import Clock
from scalekit_mcp.errors import InternalError, ScalekitMCPError
from scalekit_mcp.microsoft import (
    DirectGraph,
    GraphClient,
    GraphMailbox,
    GraphSession,
    MicrosoftOAuth,
    PassedRequest,
    credentials_of,
    is_guid,
    tenant_of,
)
from scalekit_mcp.notifications import GrantLog, StatusLog, Webhook, WebhookSender, parse_secret
from scalekit_mcp.settings import Settings
from scalekit_mcp.telemetry import Metrics, RedactUrls, traced
from scalekit_mcp.tools import (
    TOOLS,
    Arguments,
)

if TYPE_CHECKING:
    from scalekit_mcp.calendar import Scheduling

READ_SCOPES = ("Calendars.Read",)
"""Writing covers reading: `Calendars.ReadWrite` will do as well ("Microsoft Graph permissions reference")."""
WRITE_SCOPES = ("Calendars.ReadWrite",)


@dataclass(frozen=True, slots=True)
class AccountTokens:
    """The access tokens of one connected account, as the Graph client asks for them."""

    tokens: Tokens
    key: AccountKey
    required_scopes: tuple[str, ...]

    async def access_token(self, *, rejected: str | None = None, claims: str | None = None) -> str:
        """A token that is valid now; a different one if `rejected` names a token that Graph refused."""
        return await self.tokens.access_token(
            self.key,
            required_scopes=self.required_scopes,
            rejected=rejected,
            claims=claims,
        )


@dataclass(frozen=True, slots=True)
class RemoteServices:
    """What sign-ins from remote hosts are made of."""

    tenants: AllowedTenants
    grants: Grants
    sign_ins: SignIns
    sign_ins_at_provider: ProviderSignIns


@dataclass(frozen=True, slots=True)
class EmbeddedServices:
    """Everything that one process needs to serve calls; closed by `aclose`."""

    settings: Settings
    clock: Clock
    timezone: str
    ring: KeyRing
    http: httpx.AsyncClient
    provider: MicrosoftOAuth
    connected: AccountServices
    remote: RemoteServices
    graph: GraphClient
    pages: SealedPages
    log_rule: RedactUrls
    webhook: WebhookSender | None = None
    met_people: MetPeopleCache = field(default_factory=MetPeopleCache)

    def start(self) -> None:
        """Start the background work, such as sending webhooks."""
        if self.webhook is not None:
            self.webhook.start()

    async def aclose(self) -> None:
        """Close the vault and the connections."""
        self.log_rule.detach()
        if self.webhook is not None:
            await self.webhook.aclose()
        await self.remote.sign_ins_at_provider.aclose()
        await self.connected.aclose()
        await self.http.aclose()

    async def run_tool(self, key: AccountKey, tool_name: str, arguments: Arguments) -> CalendarAnswer:
        """Run one calendar tool for an account that must be ACTIVE; raises `ScalekitMCPError`."""
        with traced(f"execute {tool_name}", error_type=_code_of, gen_ai__tool__name=tool_name):
            scopes = READ_SCOPES if TOOLS[tool_name].read_only else WRITE_SCOPES
            tokens = AccountTokens(self.connected.tokens, key, scopes)
            # The first token also proves that the account may be used, before anything is built on it.
            await tokens.access_token()
            view = await self.connected.accounts.get(key, cached=True)
            if TOOLS[tool_name].toolset == "scheduling":
                return await self._scheduling(view.account, tokens).run(arguments)
            return CalendarAnswer(await self._calendar(view.account, tokens).run(arguments))

    async def pass_on(self, key: AccountKey, call: ProviderCall) -> ProviderResponse:
        """Send a call of the caller's own to Graph for an account that must be ACTIVE; raises `ScalekitMCPError`.

        Which permission it needs only Microsoft knows, so that a missing one shows in the answer.
        """
        passed = PassedRequest(call.method, call.own_path(), call.query, call.content, call.headers)
        with traced("request", error_type=_code_of, http__request__method=call.method):
            tokens = AccountTokens(self.connected.tokens, key, ())
            await tokens.access_token()
            view = await self.connected.accounts.get(key, cached=True)
            answer = await self.graph.pass_on(passed, tokens, mailbox=view.account.id)
        return ProviderResponse.of(answer.status, answer.headers, answer.content)

    def _scheduling(self, account: ConnectedAccount, tokens: AccountTokens) -> Scheduling:
        from scalekit_mcp.calendar import Scheduling  # loaded with the first call of its tools

        owner = _owner(account)
        return Scheduling(
            self._mailbox(account, tokens),
            Searcher(
                account.id,
                owner.mailbox or "",
                personal=owner.personal,
                may_ask_directory=not missing_scopes(account.granted_scopes, [DIRECTORY_SCOPE]),
            ),
            met_people=self.met_people,
            clock=self.clock,
            timezone=self.timezone,
        )

    def _mailbox(self, account: ConnectedAccount, tokens: AccountTokens) -> GraphMailbox:
        owner = _owner(account)
        session = GraphSession(self.graph, tokens, account.id)
        return GraphMailbox(session, owner_id=None if owner.personal else owner.oid)

    def _calendar(self, account: ConnectedAccount, tokens: AccountTokens) -> OutlookCalendar:
        return OutlookCalendar(
            self._mailbox(account, tokens),
            personal=_owner(account).personal,
            clock=self.clock,
            timezone=self.timezone,
            pages=Pages(self.pages, connection_name=account.connection_name, identifier=account.identifier),
        )


def _owner(account: ConnectedAccount) -> ProviderAccount:
    if account.provider_account is None:
        raise InternalError(f"The ACTIVE account '{account.identifier}' does not know who consented.")
    return account.provider_account


def embedded_services(
    settings: Settings, *, clock: Clock, timezone: str, user_verification: str, metrics: Metrics | None = None
) -> EmbeddedServices:
    """Put the parts together. Opens no connection; raises `ConfigurationError` or `VaultError` for unusable keys."""
    metrics = metrics or Metrics()
    webhook_target = _webhook_target(settings)
    addresses = (settings.login_url, settings.graph_url, settings.webhook_url)
    http = settings.network.client(addresses, make=partial(InstrumentedClient, metrics, graph_url=settings.graph_url))
    provider = InstrumentedOAuth(
        metrics,
        http,
        client_id=settings.microsoft_client_id or "",
        credentials=credentials_of(settings),
        login_url=settings.login_url,
        tenant=settings.microsoft_tenant,
        scopes=settings.scopes,
        graph_url=settings.graph_url,
        clock=clock,
    )
    vault = vault_of(settings, outbox=webhook_target is not None)
    ring = vault.key_ring
    vault.on_status_change(StatusLog(metrics))
    vault.on_grant_end(GrantLog(metrics))
    webhook = (
        None
        if webhook_target is None
        else WebhookSender(webhook_target, vault, http=http, clock=clock, metrics=metrics)
    )
    if webhook is not None:
        vault.on_status_change(webhook.wake)
    connected = AccountServices.on(
        vault,
        providers={settings.connection: provider},
        clock=clock,
        settings=AccountSettings(
            user_verification=UserVerification(user_verification), user_verify_url=settings.user_verify_url
        ),
        listener_alive=listener_alive,
    )
    return EmbeddedServices(
        settings=settings,
        clock=clock,
        timezone=timezone,
        ring=ring,
        http=http,
        provider=provider,
        connected=connected,
        remote=_remote_services(settings, connected, http=http, clock=clock),
        graph=GraphClient(http, endpoint=DirectGraph(settings.graph_url), clock=clock),
        pages=SealedPages(ring, clock),
        log_rule=RedactUrls(settings.login_url, settings.graph_url).attach(),
        webhook=webhook,
    )


def _remote_services(
    settings: Settings, connected: AccountServices, *, http: httpx.AsyncClient, clock: Clock
) -> RemoteServices:
    names = settings.tenants
    tenants = AllowedTenants(
        ids=[name for name in names if is_guid(name)],
        names=[name for name in names if not is_guid(name)],
        tenant_of=partial(tenant_of, http, settings.login_url),
    )
    grants = Grants(connected.vault, clock, tenant_allowed=tenants.allows)
    sign_ins = SignIns(connected.vault, grants, clock)
    at_provider = ProviderSignIns(
        sign_ins,
        connected.authorizations,
        connected.keepers[settings.connection],
        tenants,
        connection_name=settings.connection,
        redirect_uri=settings.base_url + CALLBACK_PATH,
        admin_redirect_uri=settings.base_url + ADMIN_CALLBACK_PATH,
        required_scopes=READ_SCOPES,
    )
    return RemoteServices(tenants, grants, sign_ins, at_provider)


def _webhook_target(settings: Settings) -> Webhook | None:
    if not settings.webhook_url or settings.webhook_secret is None:
        return None
    with settings.naming("webhook_secret"):
        return Webhook(settings.webhook_url, parse_secret(settings.webhook_secret.get_secret_value()))


def _code_of(error: Exception) -> str:
    return error.code if isinstance(error, ScalekitMCPError) else type(error).__qualname__

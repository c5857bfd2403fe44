"""Accounts and grants of our own vault as all interfaces show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scalekit_mcp.actions.models import ConnectedAccountResponse, ConnectedAccountView, GrantView

if TYPE_CHECKING:
    from scalekit_mcp.accounts import AccountView, ClientGrant, DamagedAccount


def account_response(view: AccountView) -> ConnectedAccountResponse:
    """The account alone, as an answer."""
    return ConnectedAccountResponse(view_of(view))


def listed_view(account: AccountView | DamagedAccount) -> ConnectedAccountView:
    """An account in a list; of a damaged one what is known, why it cannot be read, and that the operator acts."""
    from scalekit_mcp.accounts import DamagedAccount

    if not isinstance(account, DamagedAccount):
        return view_of(account)
    return ConnectedAccountView(
        id=account.id,
        connection_name=account.connection_name,
        identifier=account.identifier,
        status="EXPIRED",
        reason="unknown",
        who_acts=account.problem.who_acts,
        calls_stopped=account.problem,
    )


def grant_view(grant: ClientGrant) -> GrantView:
    """A grant as all interfaces show it."""
    return GrantView(
        grant=grant.id,
        client_name=grant.client.name,
        client_host=grant.client.host,
        client_kind=grant.client.kind.value,
        scopes=grant.scopes,
        created_at=grant.created_at,
        last_used_at=grant.last_used_at,
        expires_at=grant.expires_at,
    )


def view_of(view: AccountView) -> ConnectedAccountView:
    """The account as all interfaces (MCP, REST, Python, command line) show it."""
    account, stopped = view.account, view.stopped
    reason = stopped.reason if stopped is not None and stopped.reason is not None else account.reason
    who = account.provider_account
    return ConnectedAccountView(
        id=account.id,
        connection_name=account.connection_name,
        identifier=account.identifier,
        status=str(account.status),
        reason=str(reason) if reason else None,
        who_acts=account.who_acts if stopped is None else stopped.who_acts,
        mailbox=who.mailbox if who else None,
        display_name=who.display_name if who else None,
        granted_scopes=account.granted_scopes,
        token_expires_at=account.token_expires_at,
        last_used_at=account.last_used_at,
        created_at=account.created_at,
        updated_at=account.updated_at,
        last_authorization_error=account.last_authorization_error,
        attempt_state=str(view.attempt_state) if view.attempt_state else None,
        attempt_expires_at=view.attempt_expires_at,
        held=view.held,
        calls_stopped=stopped,
    )

"""Which account a call means, as Scalekit's SDK and API name it: by connection and identifier, or by its id."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from scalekit_mcp.actions.models import ConnectedAccountView
from scalekit_mcp.actions.protocol import Actions
from scalekit_mcp.errors import ConnectedAccountExists, ConnectedAccountNotFound, InvalidInput, NotOffered
from scalekit_mcp.settings import Settings

_ONE_ACCOUNT = "Here there is one account for each identifier on a connection, and nothing narrows it further"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSelector:
    """What a call says of its account.

    Either `account_id`, or `identifier` and perhaps `connection_name` (left out: the connection of the settings).
    `organization_id` and `user_id` narrow an identifier at Scalekit; see `check_narrowing`.
    """

    connection_name: str | None = None
    identifier: str | None = None
    account_id: str | None = None
    organization_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class SelectedAccount:
    """The account that a call means; `view` is there where it was found by its id."""

    connection_name: str | None
    identifier: str
    view: ConnectedAccountView | None = None


async def select_account(actions: Actions, selector: AccountSelector) -> SelectedAccount:
    """The account that a call means.

    Raises `ConnectedAccountNotFound` for an unknown id, `InvalidInput` where nothing is selected or where an id and
    what stands beside it are of different accounts, and `NotOffered` for what narrows.
    """
    check_narrowing(selector.identifier, organization_id=selector.organization_id, user_id=selector.user_id)
    if not selector.account_id:
        if not selector.identifier:
            raise InvalidInput("identifier is required, or connected_account_id.", field="identifier")
        return SelectedAccount(selector.connection_name, selector.identifier)
    page = await actions.list_connected_accounts(account_id=selector.account_id, page_size=1)
    if not page.connected_accounts:
        raise ConnectedAccountNotFound(selector.connection_name or "outlook", selector.account_id[:100])
    view = page.connected_accounts[0]
    if selector.identifier not in (None, "", view.identifier):
        raise InvalidInput("The id is that of another identifier's account; send one of the two.", field="identifier")
    if selector.connection_name not in (None, "", view.connection_name):
        raise InvalidInput(
            "The id is that of an account on another connection; send one of the two.", field="connection_name"
        )
    return SelectedAccount(view.connection_name, view.identifier, view)


def connections_of(settings: Settings) -> dict[str, str]:
    """The provider's key of each connection, by its name, the calendar's first."""
    from scalekit_mcp.scalekit import provider_key

    further = settings.further_connections if settings.resolved_mode == "hosted" else ()
    return {settings.connection: "OUTLOOK", **{name: provider_key(name) for name in further}}


def listed_connection(
    connections: Mapping[str, str], *, names: Collection[str] = (), provider: str | None = None
) -> str | None:
    """The one connection whose accounts are wanted; None where those of all are. `connections` has providers by name.

    Raises `LookupError` where none of the connections is wanted, `InvalidInput` where several are but not all.
    """
    wanted = [
        name
        for name, behind in connections.items()
        if (not names or name in names) and (not provider or provider.upper() == behind)
    ]
    if not wanted:
        raise LookupError
    if len(wanted) == len(connections):
        return None
    if len(wanted) > 1:
        raise InvalidInput("Name one connection, or all of them.", field="connection_names")
    return wanted[0]


def check_narrowing(identifier: str | None, *, organization_id: str | None, user_id: str | None) -> None:
    """Refuse what narrows an identifier at Scalekit, unless it says nothing new: a `user_id` that is the identifier.

    It is refused, because ignoring it would give two organizations with one identifier the same account. Raises
    `NotOffered`.
    """
    if organization_id:
        raise NotOffered(
            f"organization_id is not taken. {_ONE_ACCOUNT}.",
            field="organization_id",
            instead="put the organization into the identifier, as in 'org_7:user_12'",
        )
    if user_id and user_id != identifier:
        raise NotOffered(
            f"user_id is not taken unless it is the identifier. {_ONE_ACCOUNT}.",
            field="user_id",
            instead="send your user's id as the identifier",
        )


def check_no_credentials(*, authorization_details: object, api_config: object) -> None:
    """Refuse tokens and a configuration of an account; raises `NotOffered`."""
    if authorization_details:
        raise NotOffered(
            "authorization_details are not taken: no caller hands tokens in or gets them out, so that none can be "
            "planted on another user's account.",
            field="authorization_details",
            instead="send the user an authorization link; who consents is held against who asked",
        )
    if api_config:
        raise NotOffered(
            "api_config is not taken: an account of Outlook has no configuration of its own.",
            field="api_config",
            instead="leave it out",
        )


async def create_account(actions: Actions, selected: SelectedAccount) -> ConnectedAccountView:
    """A new account; raises `ConnectedAccountExists` if there is one. Of calls at once, several may have made it."""
    name, identifier = selected.connection_name, selected.identifier
    try:
        found = await actions.get_connected_account(connection_name=name, identifier=identifier)
    except ConnectedAccountNotFound:
        made = await actions.get_or_create_connected_account(connection_name=name, identifier=identifier)
        return made.connected_account
    raise ConnectedAccountExists(found.connected_account.identifier)

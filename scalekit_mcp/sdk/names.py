"""Every public name of Scalekit's SDK (scalekit-sdk-python 2.21.0) for agents, and what becomes of it here.

The one table: the refusals raise what it says, and docs/coming-from-scalekit.md is written from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

_NO_KEYWORDS: Mapping[str, str] = MappingProxyType({})


class Standing(StrEnum):
    """What a program that uses the name meets."""

    WORKS = "works"
    DIFFERS = "differs"
    """It works; `note` says what is another."""
    REFUSED = "refused"
    """`NotOffered` is raised."""


@dataclass(frozen=True, slots=True)
class SdkName:
    """One name, by its path below the client.

    `note` says what differs, or why it is refused. `instead` goes on after "Instead, " where it is refused. `keywords`
    has the keywords that are taken and refused where they have a value, each with what is refused.
    """

    path: str
    standing: Standing
    note: str = ""
    instead: str = ""
    keywords: Mapping[str, str] = field(default_factory=lambda: _NO_KEYWORDS)


_CREDENTIALS = {
    "authorization_details": "no caller hands tokens in",
    "api_config": "an Outlook account has no configuration",
}
_NARROWING = {
    "organization_id": "one account for each identifier",
    "user_id": "unless it is the identifier",
}
_INSTANCES = "an MCP server of Scalekit's for each user is not made here; this server is itself one MCP server for all"
_SERVE = "run `scalekit-mcp serve --transport http` and give each user a session token"
_CONFIGS = "a virtual MCP server of Scalekit's is not configured here; this server is itself the MCP server"
_TOOLSETS = "choose tools by SCALEKIT_MCP_TOOLSETS, and by the scope of each session token"
_PROVIDERS = "providers of your own are configured in Scalekit's dashboard, not here"
_OUTLOOK = "use the connection that the settings name"
_ADK = "there is no adapter for Google's ADK, whose own MCP toolset connects to this server"
_LOW_LEVEL = "answers a pair, the answer and None"


def _works(path: str, note: str = "", **keywords: str) -> SdkName:
    return SdkName(path, Standing.DIFFERS if note else Standing.WORKS, note, keywords=MappingProxyType(keywords))


def _refused(path: str, note: str, instead: str) -> SdkName:
    return SdkName(path, Standing.REFUSED, note, instead)


_ACTIONS = (
    _works(
        "actions.get_or_create_connected_account",
        "holds no token; `status` in this server's words",
        **_CREDENTIALS,
        **_NARROWING,
    ),
    _works(
        "actions.upsert_connected_account",
        "the same as `get_or_create_connected_account`",
        **_CREDENTIALS,
        **_NARROWING,
    ),
    _works(
        "actions.create_connected_account",
        "`ConnectedAccountExists` where there is one",
        **_CREDENTIALS,
        **_NARROWING,
    ),
    _works(
        "actions.update_connected_account",
        "there is nothing to change: it answers the account, or `ConnectedAccountNotFound`",
        **_CREDENTIALS,
        **_NARROWING,
    ),
    _works("actions.get_connected_account", "holds no token: `authorization_details` is None"),
    _works("actions.get_connected_account_details"),
    _works("actions.list_connected_accounts", "`page_size` is 50 where it is left out"),
    _works("actions.delete_connected_account", "no error where there is none"),
    _works(
        "actions.get_authorization_link",
        "the link is this server's own page; while an attempt is alive it is given again",
    ),
    _works("actions.verify_connected_account_user", "`post_user_verify_redirect_url` is None"),
    _works(
        "actions.execute_tool",
        "the answer is the dictionary itself and has `.data`; a failed call raises an error with a code; "
        "`execution_id` is Scalekit's, or None",
    ),
    _works("actions.list_tools", "all tools where `page_size` is left out", **_NARROWING),
    _works(
        "actions.request",
        "paths below `/me` (or `/v1.0/me`) of Microsoft Graph, listed headers; sent once; other keywords of `requests` "
        "than `timeout` are refused",
    ),
    _works("actions.pre_modifier"),
    _works("actions.post_modifier"),
    _works("actions.add_modifier"),
    _works("actions.get_modifiers"),
    _works(
        "actions.langchain.get_tools",
        "the six calendar tools unless `tool_names` says otherwise, none cut off; answers are JSON, errors are error "
        "objects, and asynchronous calls do not block",
    ),
)

_MCP = tuple(
    _refused(f"actions.{owner}{name}", reason, instead)
    for owner in ("", "mcp.")
    for names, reason, instead in (
        (("list_configs", "create_config", "update_config", "delete_config"), _CONFIGS, _TOOLSETS),
        (
            (
                *("ensure_instance", "update_instance", "get_instance", "list_instances", "delete_instance"),
                "get_instance_auth_state",
            ),
            _INSTANCES,
            _SERVE,
        ),
    )
    for name in names
)

_REFUSED = (
    *_MCP,
    _refused(
        "actions.mcp.list_mcp_connected_accounts",
        _CONFIGS,
        "call `get_connected_account_details`, and `get_authorization_link` where the status is not ACTIVE",
    ),
    _refused(
        "actions.mcp.create_session_token",
        "a client has no MCP server whose key it could sign with",
        "use `scalekit-mcp session-token` or `POST /api/v1/session_tokens` of the server",
    ),
    _refused("actions.google.get_tools", _ADK, "give ADK's McpToolset the command or the address of this server"),
    *(
        _refused(f"actions.providers.{name}", _PROVIDERS, _OUTLOOK)
        for name in ("create_custom_provider", "update_custom_provider", "list_providers", "delete_custom_provider")
    ),
)

_TOOLS = (
    _works("tools.list_tools", f"{_LOW_LEVEL}; `filter` is a mapping, or an object with the SDK's attributes"),
    _works("tools.list_scoped_tools", f"{_LOW_LEVEL}; `filter` as in `list_tools`, and it may be left out"),
    _works("tools.execute_tool", _LOW_LEVEL),
    _refused(
        "tools.search_tools",
        "tools are not ranked by a sentence here; there are few",
        "use `list_tools` with `query`, which finds the tools that have all its words",
    ),
)

_ACCOUNTS = (
    _works("connected_accounts.list_connected_accounts", _LOW_LEVEL, **_NARROWING),
    _works(
        "connected_accounts.create_connected_account",
        f"{_LOW_LEVEL}; `connected_account` must be empty",
        **_NARROWING,
    ),
    _works(
        "connected_accounts.update_connected_account",
        f"{_LOW_LEVEL}; `connected_account` must be empty",
        **_NARROWING,
    ),
    _works("connected_accounts.delete_connected_account", _LOW_LEVEL, **_NARROWING),
    _works("connected_accounts.get_magic_link_for_connected_account", _LOW_LEVEL, **_NARROWING),
    _works("connected_accounts.get_connected_account_by_identifier", f"{_LOW_LEVEL}; holds no token", **_NARROWING),
    _works("connected_accounts.get_connected_account_details_by_identifier", _LOW_LEVEL, **_NARROWING),
    _works("connected_accounts.verify_connected_account_user", _LOW_LEVEL),
)

_SAASKIT = "it belongs to Scalekit's products for signing in and directories, of which nothing is here"
_USE_THE_SDK = "keep Scalekit's SDK for it; both may be used in one program"
_CLIENT = (
    *(
        _refused(name, _SAASKIT, _USE_THE_SDK)
        for name in (
            *("core_client", "domain", "connection", "organization", "directory", "m2m_client", "resources", "users"),
            *("roles", "permissions", "passwordless", "sessions", "auth", "events", "webauthn", "tokens"),
            *("get_authorization_url", "authenticate_with_code", "validate_access_token", "generate_client_token"),
            *("get_client_access_token", "validate_access_token_and_get_claims", "get_idp_initiated_login_claims"),
            *("validate_token", "verify_scopes", "refresh_access_token", "get_logout_url"),
            "verify_interceptor_payload",
        )
    ),
    _refused(
        "verify_webhook_payload",
        "this client does not check signatures of webhooks",
        "use a library of Standard Webhooks, such as `standardwebhooks`: this server signs its webhooks that way",
    ),
    _refused("mcp", _CONFIGS, _TOOLSETS),
)

SDK_NAMES: Mapping[str, SdkName] = MappingProxyType(
    {name.path: name for name in (*_ACTIONS, *_REFUSED, *_TOOLS, *_ACCOUNTS, *_CLIENT)}
)
"""By path below the client, in the order of the documentation. `connect` is another name of `actions`."""

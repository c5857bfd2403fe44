"""The peers: which package in which version, how it starts, how it gets a token, and how it lists, reads and creates.

Each was read before it was run. What stands here names tools and arguments as the package documents them; whatever the
package does with them is its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

GRAPH, LOGIN = "https://graph.microsoft.com", "https://login.microsoftonline.com"
DAY = "2031-04-01"
AFTER = "2031-04-02"
CREATED = {"subject": "Benchmark", "start": "2031-06-01T10:00:00", "end": "2031-06-01T11:00:00"}
ZONE = "America/New_York"
GRAPH_EVENT = {
    "subject": CREATED["subject"],
    "start": {"dateTime": CREATED["start"], "timeZone": ZONE},
    "end": {"dateTime": CREATED["end"], "timeZone": ZONE},
}
GRAPH_WINDOW = {"startDateTime": f"{DAY}T00:00:00Z", "endDateTime": f"{AFTER}T00:00:00Z"}
Kind = Literal["list", "get", "create"]
KINDS: tuple[Kind, ...] = ("list", "get", "create")


@dataclass(frozen=True)
class Account:
    """What a peer finds instead of a sign-in: the sandbox's address, and a token that it gave to one of its people."""

    base: str
    token: str = field(repr=False)
    claims: Mapping[str, str]
    event_id: str
    """Of an event that is read."""
    calendar_id: str

    @property
    def addresses(self) -> str:
        """What the adapters read: where Microsoft's addresses lead."""
        return json.dumps({GRAPH: self.base, LOGIN: self.base})


@dataclass(frozen=True)
class Call:
    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Start:
    """One way to start a peer: a label for the tables, with the options that it adds."""

    label: str = ""
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    calls: Callable[[Account], dict[Kind, Call]] | None = None
    """Its own calls where it is called differently."""


@dataclass(frozen=True)
class Peer:
    """One package of a registry.

    `prepare` writes below a home folder what the package's own sign-in would have left there, and gives the variables
    that it reads. `calls` are the tool calls of each kind.
    """

    name: str
    package: str
    version: str
    registry: Literal["npm", "PyPI"]
    program: str
    """npm: the file that Node runs, below the peer's folder. PyPI: the command that the package installs."""
    prepare: Callable[[Path, Account], dict[str, str]]
    calls: Callable[[Account], dict[Kind, Call]]
    starts: tuple[Start, ...]
    token: str
    """How it gets its token, for the page."""


def _softeria(_home: Path, account: Account) -> dict[str, str]:
    return {"MS365_MCP_OAUTH_TOKEN": account.token}


def _softeria_calls(account: Account) -> dict[Kind, Call]:
    return {
        "list": Call("get-calendar-view", {**GRAPH_WINDOW, "top": 20}),
        "get": Call("get-calendar-event", {"eventId": account.event_id}),
        "create": Call("create-calendar-event", {"body": GRAPH_EVENT}),
    }


def _softeria_discovery_calls(account: Account) -> dict[Kind, Call]:
    return {
        kind: Call("execute-tool", {"tool_name": call.tool, "parameters": call.arguments})
        for kind, call in _softeria_calls(account).items()
    }


def _lokka(_home: Path, account: Account) -> dict[str, str]:
    return {"USE_CLIENT_TOKEN": "true", "ACCESS_TOKEN": account.token, "USE_GRAPH_BETA": "false"}


def _lokka_calls(account: Account) -> dict[Kind, Call]:
    def call(method: str, path: str, **more: Any) -> Call:
        return Call("Lokka-Microsoft", {"apiType": "graph", "method": method, "path": path, **more})

    return {
        "list": call("get", "/me/calendarView", queryParams={**GRAPH_WINDOW, "$top": "20"}),
        "get": call("get", f"/me/events/{account.event_id}"),
        "create": call("post", "/me/events", body=GRAPH_EVENT),
    }


def _write_msal_cache(path: Path, account: Account, scopes: str) -> None:
    """MSAL's file of tokens, as after a sign-in that gave these scopes."""
    claims = account.claims
    host, client, tenant = LOGIN.removeprefix("https://"), claims["appid"], claims["tid"]
    person = f"{claims['oid']}.{tenant}"
    now = int(time.time())
    token = {
        "credential_type": "AccessToken",
        "secret": account.token,
        "home_account_id": person,
        "environment": host,
        "client_id": client,
        "target": scopes,
        "realm": tenant,
        "token_type": "Bearer",
        "cached_at": str(now),
        "expires_on": str(claims["exp"]),
        "extended_expires_on": str(claims["exp"]),
    }
    signed_in = {
        "home_account_id": person,
        "environment": host,
        "realm": tenant,
        "local_account_id": claims["oid"],
        "username": claims["upn"],
        "authority_type": "MSSTS",
    }
    key = f"{person}-{host}-accesstoken-{client}-{tenant}-{scopes}".lower()
    cache = {"AccessToken": {key: token}, "Account": {f"{person}-{host}-{tenant}".lower(): signed_in}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(cache), encoding="utf-8")


def _outlook_graph(home: Path, account: Account) -> dict[str, str]:
    claims = account.claims
    settings = home / "outlook-mcp"
    settings.mkdir(parents=True, exist_ok=True)
    config = {"client_id": claims["appid"], "tenant_id": claims["tid"], "allow_unencrypted_token_cache": True}
    record = {
        "authority": LOGIN.removeprefix("https://"),
        "clientId": claims["appid"],
        "homeAccountId": f"{claims['oid']}.{claims['tid']}",
        "tenantId": claims["tid"],
        "username": claims["upn"],
        "version": "1.0",
    }
    (settings / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (settings / "auth_record.json").write_text(json.dumps(record), encoding="utf-8")
    _write_msal_cache(home / ".IdentityService" / "outlook-mcp.nocae", account, f"{GRAPH}/.default")
    return {"OUTLOOK_MCP_CONFIG_DIR": str(settings)}


def _outlook_graph_calls(account: Account) -> dict[Kind, Call]:
    window = {"after": f"{DAY}T00:00:00Z", "before": f"{AFTER}T00:00:00Z"}
    return {
        "list": Call("outlook_list_events", {**window, "count": 20}),
        "get": Call("outlook_get_event", {"event_id": account.event_id}),
        "create": Call("outlook_create_event", {**CREATED, "timezone": ZONE}),
    }


def _outlook_graph_concise_calls(account: Account) -> dict[Kind, Call]:
    calls = _outlook_graph_calls(account)
    return {**calls, "list": Call(calls["list"].tool, {**calls["list"].arguments, "concise": True})}


MSGRAPH_SCOPES = (
    "Mail.ReadWrite Mail.ReadWrite.Shared Mail.Send Calendars.ReadWrite Calendars.ReadWrite.Shared "
    "MailboxSettings.ReadWrite User.Read Chat.Read Team.ReadBasic.All Channel.ReadBasic.All ChannelMessage.Read.All"
)
"""Those that its sign-in asks for; the sandbox's token carries those of the calendar, which are all that is called."""


def _msgraph(home: Path, account: Account) -> dict[str, str]:
    cache = home / "token_cache.bin"
    _write_msal_cache(cache, account, MSGRAPH_SCOPES)
    return {
        "MSGRAPH_MCP_TENANT_ID": account.claims["tid"],
        "MSGRAPH_MCP_CLIENT_ID": account.claims["appid"],
        "MSGRAPH_MCP_TOKEN_CACHE_PATH": str(cache),
    }


def _msgraph_calls(account: Account) -> dict[Kind, Call]:
    window = {"start_datetime": f"{DAY}T00:00:00Z", "end_datetime": f"{AFTER}T00:00:00Z"}
    created = {"start_datetime": CREATED["start"], "end_datetime": CREATED["end"], "time_zone": ZONE}
    return {
        "list": Call("list_events", {"calendar_id": account.calendar_id, **window, "limit": 20}),
        "get": Call("get_event", {"event_id": account.event_id}),
        "create": Call("create_event", {"subject": CREATED["subject"], **created}),
    }


PEERS = (
    Peer(
        name="softeria",
        package="@softeria/ms-365-mcp-server",
        version="0.155.0",
        registry="npm",
        program="node_modules/@softeria/ms-365-mcp-server/dist/index.js",
        prepare=_softeria,
        calls=_softeria_calls,
        starts=(
            Start(),
            Start("--preset calendar", arguments=("--preset", "calendar")),
            Start("--discovery", arguments=("--discovery",), calls=_softeria_discovery_calls),
        ),
        token="in the variable `MS365_MCP_OAUTH_TOKEN`",
    ),
    Peer(
        name="lokka",
        package="@merill/lokka",
        version="0.3.0",
        registry="npm",
        program="node_modules/@merill/lokka/build/main.js",
        prepare=_lokka,
        calls=_lokka_calls,
        starts=(Start(),),
        token="in the variable `ACCESS_TOKEN`, with `USE_CLIENT_TOKEN=true`; v1.0 by `USE_GRAPH_BETA=false`",
    ),
    Peer(
        name="outlook-graph-mcp",
        package="outlook-graph-mcp",
        version="1.28.0",
        registry="PyPI",
        program="outlook-mcp",
        prepare=_outlook_graph,
        calls=_outlook_graph_calls,
        starts=(
            Start(),
            Start(
                "calendar, concise",
                environment={"OUTLOOK_MCP_TOOLSETS": "calendar"},
                calls=_outlook_graph_concise_calls,
            ),
        ),
        token="in the files that its sign-in leaves: MSAL's tokens and the record of the account",
    ),
    Peer(
        name="msgraph-mcp-server",
        package="msgraph-mcp-server",
        version="0.5.1",
        registry="PyPI",
        program="msgraph-mcp",
        prepare=_msgraph,
        calls=_msgraph_calls,
        starts=(Start(),),
        token="in the file that its sign-in leaves: MSAL's tokens",
    ),
)

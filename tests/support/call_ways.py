"""The ways to Microsoft's calendar, over which the behaviour suite of the tools runs.

`direct`: to Graph, as embedded mode; `proxy`: to Graph through the proxy of the look-alike of Scalekit, as hosted mode;
`tools`: by the look-alike's tools, as hosted mode without the proxy. A test module takes the way from `current_way`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import httpx2 as httpx
import pytest

from scalekit_mcp.accounts.model.records import AccountKey
from scalekit_mcp.actions.hosted.active_accounts import ActiveAccounts
from scalekit_mcp.actions.hosted.tool_calls import ToolCalls
from scalekit_mcp.clock import Clock
from scalekit_mcp.microsoft.graph.client import GraphClient, GraphSession
from scalekit_mcp.microsoft.graph.endpoint import DirectGraph
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.scalekit.app import SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET
from scalekit_mcp.sandbox.scalekit.records import Account, HeldTokens
from scalekit_mcp.scalekit.accounts import ScalekitAccounts
from scalekit_mcp.scalekit.proxy.proxied_graph import ProxiedGraph
from scalekit_mcp.scalekit.proxy.proxy import account_headers
from scalekit_mcp.scalekit.rest import ScalekitRest
from scalekit_mcp.tools.base import Arguments
from tests.support.sealing import Sealer
from tests.support.tools_way import why_not

Way = Literal["direct", "proxy", "tools"]

BASE_URL = "http://localhost"
GRAPH_URL = f"{BASE_URL}/v1.0"
ENV_URL = f"{BASE_URL}/scalekit"
CONNECTION = "outlook"

_ways: list[Way] = ["direct"]


def current_way() -> Way:
    """The way that the present test goes."""
    return _ways[-1]


@contextmanager
def going(way: Way) -> Generator[None]:
    """Let tests go this way inside the block."""
    _ways.append(way)
    try:
        yield
    finally:
        _ways.pop()


@dataclass(frozen=True)
class FixedToken:
    """A token source with one token."""

    token: str

    async def access_token(self, *, rejected: str | None = None, claims: str | None = None) -> str:
        return self.token


def session_of(sandbox: Sandbox, address: str, token: str, http: httpx.AsyncClient, clock: Clock) -> GraphSession:
    """A Graph session of somebody who is signed in, on the present way (`tools` has none: the direct one)."""
    if current_way() != "proxy":
        graph = GraphClient(http, endpoint=DirectGraph(GRAPH_URL), clock=clock, jitter=lambda: 0.5)
        return GraphSession(graph, FixedToken(token), f"mailbox of {address}")
    connect(sandbox, address, token)
    rest = rest_of(http, clock)
    graph = GraphClient(http, endpoint=ProxiedGraph(ENV_URL, GRAPH_URL), clock=clock, jitter=lambda: 0.5)
    return GraphSession(graph, rest.tokens, f"mailbox of {address}", account_headers(CONNECTION, address))


def rest_of(http: httpx.AsyncClient, clock: Clock) -> ScalekitRest:
    """A client of the look-alike of Scalekit's REST API."""
    return ScalekitRest(
        http, env_url=ENV_URL, client_id=SCALEKIT_CLIENT_ID, client_secret=SCALEKIT_CLIENT_SECRET, clock=clock
    )


def connect(sandbox: Sandbox, address: str, token: str) -> None:
    """Let the look-alike of Scalekit hold this token for an account that has the address as its identifier."""
    look_alike = sandbox.halves.scalekit(sandbox.app)
    now = sandbox.clock.now()
    account = Account(f"ca_{len(look_alike.records.accounts)}", CONNECTION, address, now, status="ACTIVE")
    account.tokens = HeldTokens(token, None, now + timedelta(days=3650))
    look_alike.records.accounts[account.id] = account


@dataclass
class ToolsCalendar:
    """The five calendar tools by Scalekit's tools, under the names that `OutlookCalendar` has for them."""

    calls: ToolCalls
    address: str

    @classmethod
    def of(cls, sandbox: Sandbox, address: str, token: str, http: httpx.AsyncClient, clock: Clock, zone: str) -> Any:
        """The calendar of somebody who is signed in."""
        connect(sandbox, address, token)
        rest = rest_of(http, clock)
        no_views: Any = None  # asked only about accounts that are not ACTIVE
        directory = ScalekitAccounts(rest, CONNECTION)
        active = ActiveAccounts(directory, no_views, clock=clock, own_connection=CONNECTION)
        return cls(ToolCalls(rest, active, clock=clock, pages=Sealer(), timezone=zone), address)

    async def create(self, args: Arguments) -> dict[str, Any]:
        return await self.calls.run(AccountKey(CONNECTION, self.address), args)

    get = create
    list = create
    update = create
    delete = create
    run = create


SUITE = (
    "test_calendar_answer_size",
    "test_calendar_create",
    "test_calendar_delete",
    "test_calendar_following",
    "test_calendar_following_lost",
    "test_calendar_get",
    "test_calendar_list",
    "test_calendar_lost_answers",
    "test_calendar_names",
    "test_calendar_only_if_free",
    "test_calendar_people",
    "test_calendar_properties",
    "test_calendar_series",
    "test_calendar_told",
    "test_calendar_update",
    "test_event_ids",
    "test_large_lists",
    "test_model_answers",
    "test_sent_bodies",
    "test_unproved_behaviours",
    "test_list_calendars",
    "test_meeting_times",
    "test_respond",
    "test_search_people",
)
"""The modules of the behaviour suite."""


BY_TOOLS = (*SUITE[:3], *SUITE[5:7], *SUITE[8:16], "test_event_ids", "test_model_answers")
"""Those that also run by Scalekit's tools; the others are about lost answers of Graph and about tools without one."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let the tests of the behaviour suite run on each way; what the tools cannot carry is skipped with its reason."""
    module = metafunc.definition.path.stem
    if module not in SUITE:
        return
    ways = [pytest.param("direct"), pytest.param("proxy")]
    if module in BY_TOOLS:
        reason = why_not(metafunc.function.__name__)
        ways.append(pytest.param("tools", marks=[pytest.mark.skip(reason=reason)] if reason else []))
    metafunc.parametrize("way", ways, indirect=True)


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """The way that a test of the behaviour suite goes."""
    with going(getattr(request, "param", "direct")):
        yield

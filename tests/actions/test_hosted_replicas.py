"""Hosted mode on several processes and one vault: a link of one is finished on another, also after a restart of all."""

from __future__ import annotations

import base64
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2 as httpx
import pytest
from actions_support import (
    DANA,
    IDENTIFIER,
    MONDAY,
    PAGES,
    HostedBench,
    fast_bench,
    link_base,
    side_by_side,
)
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette

from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.accounts.vault.vault import Vault
from scalekit_mcp.actions import Actions, open_actions
from scalekit_mcp.actions.hosted.actions import HostedActions
from scalekit_mcp.actions.models import AuthorizationOutcome, OutcomeKind
from scalekit_mcp.actions.options import CallOptions
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.errors import AuthorizationRequired, InvalidInput, ProviderUnavailable
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.sandbox.scalekit.app import SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET, ScalekitLookAlike
from scalekit_mcp.sandbox.scalekit.records import Fault
from scalekit_mcp.sandbox.serving import serving
from scalekit_mcp.scalekit import ScalekitEnvironment
from scalekit_mcp.server.callers.session_tokens import SessionTokens
from scalekit_mcp.server.web.app import Web, WebOptions
from scalekit_mcp.settings import load_settings
from tests.support.bounds import HANG_SECONDS
from tests.support.confirmation_codes import code_on
from tests.support.dropping import DroppingTransport
from tests.support.processes import command, environment
from tests.support.remote_process import free_port

SESSION_KEY = b"session-key-of-the-hosted-replicas-0123456789"


class Replicas:
    """Several hosted servers, each with its own calls and its own connections to one vault."""

    def __init__(self, bench: HostedBench, http: httpx.AsyncClient, database_url: str) -> None:
        self.bench = bench
        self.keys = KeyRing.generate().to_text()
        self.database_url = database_url
        self.running: list[HostedActions] = []
        self.http = http

    def vault(self) -> Vault:
        return Vault(self.database_url, KeyRing.from_text(self.keys))

    async def restart(self, count: int = 2) -> list[HostedActions]:
        """End all of them, and start others."""
        await self.aclose()
        environment_ = ScalekitEnvironment(self.bench.look_alike.base_url, SCALEKIT_CLIENT_ID, SCALEKIT_CLIENT_SECRET)
        self.running = [
            HostedActions(
                environment_,
                CallOptions(clock=self.bench.clock, link_base=link_base),
                http=self.http,
                open_vault=self.vault,
            )
            for _ in range(count)
        ]
        return self.running

    async def aclose(self) -> None:
        while self.running:
            await self.running.pop().aclose()

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        """A browser whose every request meets another replica."""
        turn = itertools.count()
        ring = KeyRing.generate()

        def next_one() -> Actions:
            return self.running[next(turn) % len(self.running)]

        options = WebOptions(origins=lambda: {PAGES}, cookie_keys=ring)
        pages = httpx.ASGITransport(
            app=Starlette(routes=Web(next_one, clock=self.bench.clock, options=options).routes())
        )
        rest = httpx.ASGITransport(app=side_by_side(self.bench.sandbox.app, self.bench.look_alike.app))
        async with httpx.AsyncClient(transport=rest, mounts={PAGES: pages}, timeout=20) as http:
            yield Browser(http)


@asynccontextmanager
async def open_replicas(database_url: str) -> AsyncIterator[Replicas]:
    async with AsyncExitStack() as stack:
        bench = await stack.enter_async_context(fast_bench())
        http = httpx.AsyncClient(transport=DroppingTransport(bench.look_alike.app), timeout=20)
        replicas = Replicas(bench, await stack.enter_async_context(http), database_url)
        await replicas.restart()
        try:
            yield replicas
        finally:
            await replicas.aclose()


async def test_a_link_of_one_replica_is_finished_on_the_others(shared_database_url: str) -> None:
    async with open_replicas(shared_database_url) as replicas:
        one, other = replicas.running
        link = (await one.get_authorization_link(identifier=IDENTIFIER)).link
        assert (await other.get_authorization_link(identifier=IDENTIFIER)).link == link
        async with replicas.browser() as browser:
            code = code_on(await consent(browser, link, DANA))
        for replica in (one, other):
            account = (await replica.get_connected_account(identifier=IDENTIFIER)).connected_account
            assert (account.status, account.reason, account.held) == ("PENDING", "awaiting_confirmation", True)
            with pytest.raises(AuthorizationRequired):
                await replica.get_authorization_link(identifier=IDENTIFIER)
        response = await one.confirm_authorization(identifier=IDENTIFIER, confirmation_code=code)
        assert response.connected_account.status == "ACTIVE"
        account = (await other.get_connected_account(identifier=IDENTIFIER)).connected_account
        assert (account.status, account.held, account.attempt_state) == ("ACTIVE", False, None)


async def test_a_sign_in_goes_on_where_it_was_when_all_replicas_were_restarted(shared_database_url: str) -> None:
    async with open_replicas(shared_database_url) as replicas:
        link = (await replicas.running[0].get_authorization_link(identifier=IDENTIFIER)).link
        async with replicas.browser() as browser:
            await replicas.restart()
            page = await browser.open(link)
            await replicas.restart()
            page = await browser.press(page, "Continue")
            await replicas.restart()
            page = await browser.press(page, DANA)
            page = await browser.press(page, "Accept")
            await replicas.restart()
            again = await browser.open(link)
            assert "waits for its confirmation" in again.text
        response = await replicas.running[0].confirm_authorization(
            identifier=IDENTIFIER, confirmation_code=code_on(page)
        )
        assert response.connected_account.status == "ACTIVE"
        await replicas.restart()
        over = await replicas.running[1].authorization_prompt(link.rpartition("/")[2])
        assert isinstance(over, AuthorizationOutcome)
        assert (over.kind, over.connection_name) == (OutcomeKind.LINK_USED, "outlook")


async def test_wrong_codes_are_counted_over_all_replicas(shared_database_url: str) -> None:
    async with open_replicas(shared_database_url) as replicas:
        link = (await replicas.running[0].get_authorization_link(identifier=IDENTIFIER)).link
        async with replicas.browser() as browser:
            code = code_on(await consent(browser, link, DANA))
        wrong = "0" * 8 if code != "0" * 8 else "1" * 8
        turn = itertools.cycle(replicas.running)
        for _ in range(5):
            with pytest.raises(InvalidInput):
                await next(turn).confirm_authorization(identifier=IDENTIFIER, confirmation_code=wrong)
        with pytest.raises(InvalidInput, match="No sign-in"):
            await next(turn).confirm_authorization(identifier=IDENTIFIER, confirmation_code=code)
        assert replicas.bench.received("/user/verify") == []


async def test_two_replicas_that_take_the_same_code_at_once_connect_once_and_neither_loses_it(
    shared_database_url: str,
) -> None:
    async with open_replicas(shared_database_url) as replicas:
        link = (await replicas.running[0].get_authorization_link(identifier=IDENTIFIER)).link
        async with replicas.browser() as browser:
            code = code_on(await consent(browser, link, DANA))
        answers: list[object] = []

        async def confirm(actions: HostedActions) -> None:
            try:
                answers.append(await actions.confirm_authorization(identifier=IDENTIFIER, confirmation_code=code))
            except InvalidInput as refused:
                answers.append(refused)

        async with anyio.create_task_group() as tasks:
            for replica in replicas.running:
                tasks.start_soon(confirm, replica)
        assert any(not isinstance(answer, InvalidInput) for answer in answers)
        account = (await replicas.running[0].get_connected_account(identifier=IDENTIFIER)).connected_account
        assert (account.status, account.held) == ("ACTIVE", False)


async def test_a_verification_whose_answer_was_lost_counts_when_the_code_comes_again(shared_database_url: str) -> None:
    async with open_replicas(shared_database_url) as replicas:
        link = (await replicas.running[0].get_authorization_link(identifier=IDENTIFIER)).link
        async with replicas.browser() as browser:
            code = code_on(await consent(browser, link, DANA))
        replicas.bench.look_alike.switches.faults.append(Fault(path_contains="/user/verify", drop="after"))
        with pytest.raises(ProviderUnavailable):
            await replicas.running[0].confirm_authorization(identifier=IDENTIFIER, confirmation_code=code)
        response = await replicas.running[1].confirm_authorization(identifier=IDENTIFIER, confirmation_code=code)
        assert (response.connected_account.status, response.connected_account.held) == ("ACTIVE", False)


async def test_one_vault_serves_both_modes_and_keeps_them_apart(shared_database_url: str) -> None:
    async with AsyncExitStack() as stack:
        replicas = await stack.enter_async_context(open_replicas(shared_database_url))
        hosted = replicas.running[0]
        given: dict[str, Any] = replicas.bench.sandbox.environment("http://localhost:9400")
        settings = load_settings(
            mode="embedded",
            database_url=shared_database_url,
            vault_keys=replicas.keys,
            public_url=PAGES,
            **given,
        )
        embedded = await stack.enter_async_context(open_actions(settings, link_base=link_base))
        theirs = (await hosted.get_authorization_link(identifier=IDENTIFIER)).link
        assert (await embedded.list_connected_accounts()).total_size == 0
        ours = (await embedded.get_authorization_link(identifier=IDENTIFIER)).link
        assert (await embedded.get_authorization_link(identifier=IDENTIFIER)).link == ours
        assert (await hosted.get_authorization_link(identifier=IDENTIFIER)).link == theirs
        listed = (await embedded.list_connected_accounts()).connected_accounts
        assert [account.connection_name for account in listed] == ["outlook"]
        for actions, link in ((embedded, theirs), (hosted, ours)):
            outcome = await actions.start_authorization(link.rpartition("/")[2], browser_secret="b" * 43)
            assert isinstance(outcome, AuthorizationOutcome)
            assert outcome.kind is OutcomeKind.LINK_UNKNOWN
        await hosted.delete_connected_account(identifier=IDENTIFIER)
        assert (await embedded.get_authorization_link(identifier=IDENTIFIER)).link == ours
        assert (await hosted.get_authorization_link(identifier=IDENTIFIER)).link != theirs


# Real processes


class ToReplica(httpx.AsyncHTTPTransport):
    """Brings what is sent to the public address to the port of one process, as a balancer does."""

    def __init__(self) -> None:
        super().__init__()
        self.port = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url.copy_with(host="127.0.0.1", port=self.port)
        headers, content = request.headers.raw, await request.aread()
        return await super().handle_async_request(httpx.Request(request.method, url, headers=headers, content=content))


@asynccontextmanager
async def process(folder: Path, values: dict[str, str]) -> AsyncIterator[int]:
    """A server that answers; its port."""
    port = free_port()
    line = command("serve", "--transport", "http", "--port", str(port))
    with (folder / f"{port}.log").open("wb") as log, anyio.fail_after(HANG_SECONDS):
        async with await anyio.open_process(line, env=environment(folder, **values), stdout=log, stderr=log) as running:
            try:
                async with httpx.AsyncClient() as http:
                    while True:
                        try:
                            if (await http.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200:
                                break
                        except httpx.TransportError:
                            await anyio.sleep(0.05)  # the process is starting; bounded
                yield port
            finally:
                running.kill()


async def test_real_processes_finish_what_another_began_and_go_on_after_a_kill(tmp_path: Path) -> None:
    public = f"http://localhost:{free_port()}"
    sandbox = Sandbox(week_of=MONDAY)
    scalekit = ScalekitLookAlike(sandbox.world, sandbox.app)
    tokens = SessionTokens({"k1": SESSION_KEY}, audience=f"{public}/mcp", clock=SystemClock())
    sent = {"authorization": f"Bearer {tokens.mint('ana')[0]}"}
    to_replica = ToReplica()

    async with AsyncExitStack() as stack:
        sandbox.base_url = await stack.enter_async_context(
            serving(side_by_side(sandbox.app, scalekit.app), port=0, host="127.0.0.1")
        )
        values = {
            **scalekit.environment(),
            "SCALEKIT_MCP_MODE": "hosted",
            "SCALEKIT_MCP_DATABASE_URL": f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}",
            "SCALEKIT_MCP_VAULT_KEYS": f"v1:{base64.b64encode(b'v' * 32).decode()}",
            "SCALEKIT_MCP_SESSION_KEYS": f"k1:{base64.b64encode(SESSION_KEY).decode()}",
            "SCALEKIT_MCP_PUBLIC_URL": public,
            "SCALEKIT_MCP_STATELESS": "true",
        }
        http = await stack.enter_async_context(httpx.AsyncClient(mounts={public: to_replica}, timeout=60))

        async def authorize(**arguments: str) -> dict[str, Any]:
            async with (
                httpx.AsyncClient(mounts={public: to_replica}, headers=sent, timeout=60) as caller,
                Client(streamable_http_client(f"{public}/mcp", http_client=caller)) as client,
            ):
                return (await client.call_tool("authorize", arguments)).structured_content or {}

        browser = Browser(http)
        async with process(tmp_path, values) as one, process(tmp_path, values) as other:
            to_replica.port = one
            link = (await authorize())["authorization_url"]
            to_replica.port = other
            page = await browser.press(await browser.open(link), "Continue")
        async with process(tmp_path, values) as to_replica.port:
            page = await browser.press(page, DANA)
            page = await browser.press(page, "Accept")
            assert (await authorize())["attempt"]["state"] == "held"
        async with process(tmp_path, values) as to_replica.port:
            assert (await authorize(confirmation_code=code_on(page)))["status"] == "ACTIVE"

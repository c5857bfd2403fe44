"""The tour of a remote host: one address, a sign-in by OAuth over HTTP, a revocation, a repair, and a sign-out."""

from __future__ import annotations

import tempfile
import webbrowser
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import jwt
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.demo.picture import week_picture
from scalekit_mcp.demo.remote_host import CLIENT_NAME, RemoteHost, open_host
from scalekit_mcp.demo.remote_server import RemoteServer, open_http, remote_server
from scalekit_mcp.demo.steps import Agent, StepError, Steps, error_of, held
from scalekit_mcp.demo.tour import MONDAY, PERSON
from scalekit_mcp.sandbox import Sandbox

LIST = "outlook_list_calendar_events"
WEEK = {
    "start_datetime": "2026-04-06T00:00:00",
    "end_datetime": "2026-04-13T00:00:00",
    "timezone": "America/Chicago",
    "top": 50,
}
REFUSED_SECONDS = 10
"""A server may go on with what it has read of a grant for two seconds."""
REPAIR_SECONDS = 600


class RemoteTour:
    """State that the steps share: the host, its client, the address of the server, what the person saw."""

    def __init__(self, console: Console, sandbox: Sandbox, server: RemoteServer, *, interactive: bool) -> None:
        self.console = console
        self.sandbox = sandbox
        self.base_url = server.base_url
        self.address = f"{server.base_url}/mcp"
        self.service_key = server.service_key
        self.interactive = interactive
        self.steps = Steps(console)
        self.metadata: dict[str, Any] = {}
        self.first_page = ""
        self.identifier = ""
        self.link = ""

    # The person

    async def open_browser(self, url: str) -> None:
        """The person signs in where the host sends them."""
        if self.interactive:
            await self._show(url)
            return
        async with open_http(cookies=True) as http:
            browser = Browser(http)
            self.first_page = (await browser.open(url)).text  # looking changes nothing; it is opened again below
            page = await consent(browser, url, PERSON)
        if page.status != 200:
            raise StepError(f"the last page says {page.status}: {page.text[:200]}")

    async def _show(self, url: str) -> None:
        # in one piece, so that it can be copied where no browser opens
        self.console.print(f"Your browser opens {url}", soft_wrap=True)
        self.console.print(f"Press Continue, choose {PERSON} and press Accept.")
        await anyio.to_thread.run_sync(webbrowser.open, url)

    # The steps

    async def find(self) -> str:
        """What a host learns from the address alone (RFC 9728, RFC 8414)."""
        async with open_http() as http:
            refused = await http.post(self.address, json={})
            challenge = refused.headers.get("www-authenticate", "")
            held(refused.status_code == 401 and "resource_metadata=" in challenge, f"the server says {refused}")
            resource = (await http.get(challenge.split('resource_metadata="')[1].split('"')[0])).json()
            held(resource["resource"] == self.address, f"the document is about {resource['resource']}")
            [issuer] = resource["authorization_servers"]
            self.metadata = (await http.get(f"{issuer}/.well-known/oauth-authorization-server")).json()
        held(self.metadata["issuer"] == issuer, f"the metadata is that of {self.metadata['issuer']}")
        held("S256" in self.metadata["code_challenge_methods_supported"], "PKCE is not offered")
        return (
            f"{self.address} refuses with 401 and says where to look: it is “{resource['resource_name']}”, people sign "
            f"in at {issuer}, hosts register themselves there, and PKCE is required."
        )

    async def sign_in(self, host: RemoteHost, stack: AsyncExitStack) -> Agent:
        """The host connects, and the person signs in once."""
        client = await stack.enter_async_context(host.connected())
        tokens = host.storage.tokens
        held(host.sign_ins == 1 and tokens is not None, f"the person was asked {host.sign_ins} times")
        return Agent(self.console, client)

    def signed_in(self, host: RemoteHost) -> str:
        """What the person saw, and whose token the host holds."""
        if not self.interactive:
            shown = " ".join(self.first_page.split())
            for words in ("an app on this computer (127.0.0.1)", CLIENT_NAME, "not verified", "Continue only if you"):
                held(words in shown, f"the page does not say '{words}': {shown[:400]}")
            self.console.print(
                f"The page of the server named who asks, “{CLIENT_NAME}”, and where the answer goes: an app on this "
                "computer (127.0.0.1). Then Microsoft asked, once."
            )
        tokens = host.storage.tokens
        if tokens is None:
            raise StepError("the host holds no token")
        claims: dict[str, Any] = jwt.decode(tokens.access_token, options={"verify_signature": False})
        held((claims["iss"], claims["aud"]) == (self.base_url, self.address), f"the token is for {claims['aud']}")
        self.identifier = str(claims["sub"])
        held(self.identifier.startswith("ms:"), f"the token is about {self.identifier}")
        return (
            f"Connected. The host holds a token of this server, for it alone ({tokens.scope}); Microsoft's tokens stay "
            f"in the vault.\n  The person is known here as {self.identifier}"
        )

    async def list_week(self, agent: Agent, *, picture: bool = True) -> str:
        """The week as a person sees it."""
        answer = await agent.ok(LIST, WEEK)
        events = answer["value"]
        held(events, "the week is empty")
        starts = [event["start"]["dateTime"] for event in events]
        held(all("2026-04-06" <= start[:10] <= "2026-04-12" for start in starts), f"events of another week: {starts}")
        if picture:
            self.console.print(week_picture(events, MONDAY, title="The week, times in Chicago"))
        return f"{len(events)} events in the week of 6 April."

    async def look(self, host: RemoteHost) -> str:
        """What the operator sees of the hosts, over REST."""
        account = await self.account()
        [grant] = account["grants"]
        held((grant["client_name"], grant["client_host"]) == (CLIENT_NAME, "127.0.0.1"), f"the app is {grant}")
        held(host.storage.tokens and host.storage.tokens.access_token not in str(account), "the operator sees a token")
        return (
            f"The account is {account['account_status']}. One app may use it: {grant['client_host']}, which calls "
            f"itself “{grant['client_name']}”, since {grant['created_at'][:16].replace('T', ' ')} UTC.\n"
            f"  `scalekit-mcp accounts hosts` ends it by its id, {grant['grant']}."
        )

    async def account(self) -> dict[str, Any]:
        """The account as the operator's backend reads it."""
        async with open_http() as http:
            answer = await http.get(
                f"{self.base_url}/api/v1/connected_accounts/details",
                params={"identifier": self.identifier},
                headers={"Authorization": f"Bearer {self.service_key}"},
            )
        held(answer.status_code == 200, f"the server says {answer.status_code}: {answer.text[:200]}")
        return answer.json()["connected_account"]

    async def renew(self, agent: Agent, host: RemoteHost) -> str:
        """An hour later."""
        before = host.storage.tokens
        host.let_an_hour_pass()
        await agent.ok(LIST, {"top": 1})
        after = host.storage.tokens
        held(before is not None and after is not None and before.refresh_token != after.refresh_token, "no new token")
        held(host.sign_ins == 1, "the person was asked again")
        return "The host renewed its token by itself; the old one is used up, and nobody was asked."

    async def revoked(self, agent: Agent, host: RemoteHost) -> str:
        """The customer's IT takes the grant away."""
        self.sandbox.revoke_grant(PERSON, by="admin")
        self.sandbox.expire_access_tokens(PERSON)
        self.console.print(
            "An IT administrator withdraws the grant at Microsoft, and Microsoft's access token runs out "
            "(a live one would go on working for up to 90 minutes)."
        )
        result = await agent.call(LIST, {"top": 5})
        error = error_of(result)
        found = (error.get("code"), error.get("status"), error.get("reason"))
        held(found == ("authorization_required", "REVOKED", "grant_revoked"), f"unexpected: {error}")
        held(error.get("who_acts") == "user", f"who acts is {error.get('who_acts')}")
        held((result.meta or {}).get("mcp/www_authenticate"), "the answer has no challenge for hosts that read one")
        held(host.sign_ins == 1, "the host lost its connection")
        self.link = str(error["authorization_url"])
        return (
            f"{error['status']} ({error['reason']}): {error['message']}\n  Who acts: {error['who_acts']}. "
            f"{error['next_step']}\n  {self.link}\n  The host stays connected."
        )

    async def repair(self, agent: Agent) -> str:
        """The person opens the link of the answer and consents again; no code has to be typed."""
        held(self.link, "there is no link to open")
        if self.interactive:
            await self._show(self.link)
            with anyio.fail_after(REPAIR_SECONDS):
                while True:
                    if not (await agent.call(LIST, {"top": 1}, show=False)).is_error:
                        return "Consent given; no code had to be typed."
                    await anyio.sleep(1)
        async with open_http(cookies=True) as http:
            page = await consent(Browser(http), self.link, PERSON)
        held(page.status == 200 and "is connected" in page.text, f"the last page says {page.status}: {page.text[:200]}")
        return f"Consent given as {PERSON}; no code had to be typed, because the host's token says who asks."

    async def works_again(self, agent: Agent, host: RemoteHost) -> str:
        """The same call, on the same connection."""
        said = await self.list_week(agent, picture=False)
        held(host.sign_ins == 1, "the host had to sign in anew")
        return f"The call works again: {said} The person signed in to the host once in all."

    async def sign_out(self, host: RemoteHost) -> str:
        """The host gives its token back (RFC 7009); it and its sibling are refused from then on."""
        tokens, client = host.storage.tokens, host.storage.client
        if tokens is None or client is None:
            raise StepError("the host holds no token")
        own = {"client_id": client.client_id or ""}
        headers = {"Authorization": f"Bearer {tokens.access_token}"}
        async with open_http() as http:
            used = await http.post(self.address, json={}, headers=headers)
            held(used.status_code != 401, "the token was refused before the sign-out")
            revoked = await http.post(
                self.metadata["revocation_endpoint"], data={**own, "token": tokens.refresh_token or ""}
            )
            held(revoked.status_code == 200, f"the server says {revoked.status_code}: {revoked.text[:200]}")
            with anyio.fail_after(REFUSED_SECONDS):
                while True:
                    used = await http.post(self.address, json={}, headers=headers)
                    if used.status_code == 401:
                        break
                    await anyio.sleep(0.2)
            held('error="invalid_token"' in used.headers.get("www-authenticate", ""), "the refusal names no error")
            fields = {**own, "grant_type": "refresh_token", "refresh_token": tokens.refresh_token or ""}
            renewed = await http.post(self.metadata["token_endpoint"], data=fields)
        held(renewed.status_code == 400 and renewed.json()["error"] == "invalid_grant", f"the server says {renewed}")
        account = await self.account()
        held((account["account_status"], account["grants"]) == ("ACTIVE", []), f"the account is {account}")
        return (
            "Signed out: the host's token is refused (401 invalid_token), and so is its renewal (invalid_grant).\n"
            "  The account is still connected, and no app may use it."
        )

    async def run(self) -> int:
        """All steps, in order; the exit status."""
        step = self.steps.step
        await step("A host is given one address", self.find)
        async with open_host(self.address, self.open_browser) as host:
            async with AsyncExitStack() as connection:
                agents: list[Agent] = []

                async def connect() -> str:
                    agents.append(await self.sign_in(host, connection))
                    return self.signed_in(host)

                def agent() -> Agent:
                    if not agents:
                        raise StepError("the host is not connected")
                    return agents[0]

                await step("It connects, and the person signs in with Microsoft", connect)
                await step("It asks what it can do", lambda: agent().list_tools())
                await step("“What is in my calendar this week?”", lambda: self.list_week(agent()))
                await step("The operator looks who may use the calendar", lambda: self.look(host))
                await step("An hour later the host's token has run out", lambda: self.renew(agent(), host))
                await step("The company's IT takes the grant away", lambda: self.revoked(agent(), host))
                await step("The person opens the link of the answer", lambda: self.repair(agent()))
                await step("The same call works again", lambda: self.works_again(agent(), host))
            await step("The person removes the server from the host", lambda: self.sign_out(host))
        return self.steps.conclude()


async def run_remote_tour(*, interactive: bool = False, console: Console | None = None) -> int:
    """Run the tour; the exit status is 0 only if every step held."""
    console = console or Console()
    sandbox = Sandbox(week_of=MONDAY)
    async with AsyncExitStack() as stack:
        microsoft = await stack.enter_async_context(sandbox.serve())
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="scalekit-mcp-demo-", ignore_cleanup_errors=True))
        )
        log = folder / "server.log"
        try:
            server = await stack.enter_async_context(remote_server(folder, log, sandbox.environment(microsoft)))
        except StepError as problem:
            console.print(Text(f"✗ {problem}", style="bold red"))
            return 1
        console.print(
            Panel(
                "A remote host, played by the MCP SDK's own OAuth client, talks over HTTP to a real server process\n"
                f"([cyan]scalekit-mcp serve --transport http --auth microsoft[/]) at {server.base_url}\n"
                f"Instead of Microsoft it uses the built-in sandbox at {microsoft}: this is not Microsoft.",
                title="scalekit-mcp: the tour of a remote host",
            )
        )
        tour = RemoteTour(console, sandbox, server, interactive=interactive)
        status = await tour.run()
        if status:
            text = await anyio.Path(log).read_text(encoding="utf-8", errors="replace")
            console.print(Panel(Text(text[-4000:] or "(empty)"), title="What the server logged", style="red"))
    return status

"""The `oidc` callers against a certified OpenID provider that is not ours, with the SDK's own OAuth client."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Generator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2 as httpx
import jwt
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
from pydantic import AnyUrl

from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.demo.remote_host import HostStorage
from scalekit_mcp.sandbox import read_page
from tests.support.mcp_messages import ACCEPT, INITIALIZE
from tests.support.node import node_program
from tests.support.remote_process import RemoteProcess, free_port, start

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("clients")]

PROVIDER = Path(__file__).parents[1] / "clients" / "oidc-provider"
CALLBACK = "http://127.0.0.1:33418/callback"
"""Where the client says that it listens; the scripted browser never goes there."""
WEEK = {"start_datetime": "2026-04-06T00:00:00", "end_datetime": "2026-04-13T00:00:00"}
MEETING = {
    "subject": "Planning",
    "start_datetime": "2026-04-07T10:00:00",
    "start_timezone": "UTC",
    "end_datetime": "2026-04-07T11:00:00",
    "end_timezone": "UTC",
}


@contextlib.contextmanager
def provider(path: str, algorithm: str, metadata: str) -> Generator[str]:
    """The provider as a process of its own; its issuer."""
    if not (PROVIDER / "node_modules").is_dir():
        pytest.skip("oidc-provider is not installed (`make test-full` does it)")
    with subprocess.Popen(
        [str(node_program()), "--no-warnings", str(PROVIDER / "provider.js"), path, algorithm, metadata],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())["issuer"]
        finally:
            process.stdin.close()
            process.wait(30)


@contextlib.contextmanager
def behind(issuer: str, home: Path, **settings: str) -> Generator[RemoteProcess]:
    """Our server, whose callers sign in there; its tokens are for the address of the server."""
    port = free_port()
    remote = start(
        home,
        "--sandbox",
        port=port,
        SCALEKIT_MCP_AUTH="oidc",
        SCALEKIT_MCP_OIDC_ISSUER=issuer,
        SCALEKIT_MCP_OIDC_AUDIENCE=f"http://localhost:{port}/mcp",
        SCALEKIT_MCP_USER_VERIFICATION="off",
        **settings,
    )
    try:
        remote.wait_until_ready()
        yield remote
    finally:
        remote.stop()


class Person:
    """Signs in at the provider with a browser and accepts; `addresses` are those that the host opened."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.addresses: list[str] = []
        self._answer = ""

    async def open(self, address: str) -> None:
        """What the host does instead of opening a window; ends where the provider sends the browser back."""
        self.addresses.append(address)
        async with httpx.AsyncClient(timeout=20) as http:
            step = await http.get(address)
            for _ in range(12):
                if step.is_redirect:
                    target = str(httpx.URL(str(step.url)).join(step.headers["location"]))
                    if target.startswith(CALLBACK):
                        self._answer = target
                        return
                    step = await http.get(target)
                    continue
                (form,) = read_page(str(step.url), step.status_code, step.text).forms
                given = {"login": self.name, "password": "any"} if "login" in form.fields else {}
                step = await http.post(form.action, data={**form.fields, **given})
        raise AssertionError(step.text)

    async def answer(self) -> AuthorizationCodeResult:
        """What the host's listener received."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(self._answer).query).items()}
        return AuthorizationCodeResult(code=query["code"], state=query["state"], iss=query["iss"])


def sign_in_of(person: Person, remote: RemoteProcess, kept: HostStorage) -> OAuthClientProvider:
    """The SDK's OAuth client of a host that registers itself."""
    return OAuthClientProvider(
        f"{remote.base}/mcp",
        OAuthClientMetadata(client_name="a host", redirect_uris=[AnyUrl(CALLBACK)]),
        kept,
        redirect_handler=person.open,
        callback_handler=person.answer,
    )


@pytest.mark.parametrize(
    ("path", "algorithm", "metadata"),
    [("", "RS256", "openid"), ("/tenants/acme", "ES256", "rfc8414")],
    ids=["openid-connect-discovery", "rfc-8414-with-a-path"],
)
@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_a_host_registers_signs_in_and_calls_tools_as_the_person_who_signed_in(
    tmp_path: Path, path: str, algorithm: str, metadata: str, era: str
) -> None:
    with provider(path, algorithm, metadata) as issuer, behind(issuer, tmp_path) as remote, anyio.fail_after(120):
        person, kept = Person("ana"), HostStorage()
        async with httpx.AsyncClient(auth=sign_in_of(person, remote, kept), timeout=30) as http:
            target = streamable_http_client(f"{remote.base}/mcp", http_client=http)
            async with Client(target, mode=era) as client, httpx.AsyncClient(timeout=30) as browser:
                refused = await client.call_tool("outlook_list_calendar_events", WEEK)
                assert refused.is_error
                link = refused.structured_content["error"]["authorization_url"]
                await consent(Browser(browser), link, "dana@company.com")
                created = await client.call_tool("outlook_create_calendar_event", MEETING)
                listed = await client.call_tool(
                    "outlook_list_calendar_events", {**WEEK, "filter": "subject eq 'Planning'"}
                )
        assert not created.is_error
        assert [event["subject"] for event in listed.structured_content["value"]] == ["Planning"]

        (address,) = person.addresses  # one sign-in for everything
        asked = parse_qs(urlsplit(address).query)
        assert asked["resource"] == [f"{remote.base}/mcp"]
        assert {"calendar.read", "calendar.write"} <= set(asked["scope"][0].split())
        assert kept.client is not None
        assert kept.tokens is not None
        assert asked["client_id"] == [kept.client.client_id]
        token = kept.tokens.access_token
        assert jwt.get_unverified_header(token)["alg"] == algorithm
        claims = jwt.decode(token, options={"verify_signature": False})
        assert (claims["iss"], claims["sub"], claims["aud"]) == (issuer, "ana", f"{remote.base}/mcp")


async def test_a_token_of_the_same_provider_for_another_resource_or_without_our_scopes_is_refused(
    tmp_path: Path,
) -> None:
    with provider("", "RS256", "openid") as issuer, behind(issuer, tmp_path) as remote:
        async with httpx.AsyncClient(timeout=30) as http:
            registration = {"redirect_uris": [], "response_types": [], "grant_types": ["client_credentials"]}
            client = (await http.post(f"{issuer}/reg", json=registration)).raise_for_status().json()

            async def status(resource: str, scope: str) -> int:
                """How our server answers a token that the provider gives a client of its own for that resource."""
                form = {"grant_type": "client_credentials", "resource": resource, "scope": scope}
                given = await http.post(
                    f"{issuer}/token", data=form, auth=(client["client_id"], client["client_secret"])
                )
                bearer = f"Bearer {given.raise_for_status().json()['access_token']}"
                headers = {**ACCEPT, "authorization": bearer}
                return (await http.post(f"{remote.base}/mcp", json=INITIALIZE, headers=headers)).status_code

            assert await status(f"{remote.base}/mcp", "calendar.read") == 200
            assert await status("https://another.example/mcp", "calendar.read") == 401
            assert await status(f"{remote.base}/mcp", "") == 403

"""Proxies and certificate authorities of the environment: what is on this machine needs none, all else goes as set."""

from __future__ import annotations

import gc
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx2 as httpx
import pytest
from mcp import Client

from scalekit_mcp.actions import open_actions
from scalekit_mcp.cli.serve import stdio_composition
from scalekit_mcp.demo.browser import Browser, consent
from scalekit_mcp.network import Network
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.settings import load_settings
from tests.support.processes import command, environment, server
from tests.support.proxies import Authority, make_authority, proxy

NAMES = ("login.example", "graph.example", "acme.scalekit.example")
NOWHERE = "socks5://127.0.0.1:9"
WEEK = {"start_datetime": "2026-04-06T00:00:00", "end_datetime": "2026-04-13T00:00:00"}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path, *NAMES)


@pytest.fixture(autouse=True)
def no_proxies_of_this_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def port_of(base_url: str) -> int:
    found = urlsplit(base_url).port
    assert found is not None
    return found


async def ended(home: Path, *arguments: str, **values: str) -> tuple[int | None, str, str]:
    """Exit status, stdout and stderr of the command."""
    done = await anyio.run_process(command(*arguments), env=environment(home, **values), stdin=-3, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


# -- the way of one request


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks"])
async def test_a_socks_proxy_carries_requests_and_looks_their_names_up(authority, scheme):
    sandbox = Sandbox()
    async with sandbox.serve() as base_url, proxy("socks", target=port_of(base_url), authority=authority) as socks:
        network = Network({"ALL_PROXY": socks.url(scheme), "SSL_CERT_FILE": str(authority.file)})
        async with network.client(["https://login.example"], make=httpx.AsyncClient) as http:
            answer = await http.get("https://login.example/common/v2.0/.well-known/openid-configuration")
    assert answer.status_code == 200
    assert socks.asked == ["login.example:443"]


async def test_a_socks_proxy_gets_the_login_of_its_address(authority):
    async with (
        Sandbox().serve() as base_url,
        proxy("socks", target=port_of(base_url), authority=authority, login=("ana", "s3cret")) as socks,
    ):
        network = Network({"https_proxy": socks.url("socks5"), "SSL_CERT_FILE": str(authority.file)})
        async with network.client(["https://login.example"], make=httpx.AsyncClient) as http:
            assert (await http.get("https://login.example/")).status_code < 500
    assert socks.asked == ["login.example:443"]


async def test_an_http_proxy_is_asked_to_connect(authority):
    async with (
        Sandbox().serve() as base_url,
        proxy("http", target=port_of(base_url), authority=authority) as connecting,
    ):
        for value in (connecting.url("http"), f"127.0.0.1:{connecting.port}"):
            network = Network({"HTTPS_PROXY": value, "SSL_CERT_FILE": str(authority.file)})
            async with network.client(["https://graph.example"], make=httpx.AsyncClient) as http:
                await http.get("https://graph.example/v1.0/me")
    assert connecting.asked == ["graph.example:443"] * 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # see the end
@pytest.mark.parametrize("kind", ["mute", "http"])
async def test_what_is_no_socks_proxy_is_a_failure_of_the_proxy_and_not_of_the_program(authority, kind):
    async with Sandbox().serve() as base_url, proxy(kind, target=port_of(base_url), authority=authority) as other:
        network = Network({"ALL_PROXY": other.url("socks5")})
        async with network.client(["https://login.example"], make=httpx.AsyncClient, timeout=5) as http:
            with pytest.raises(httpx.TransportError):
                await http.get("https://login.example/")
    # httpcore2 leaves the socket of a failed SOCKS handshake to the garbage collector: its warning belongs here.
    gc.collect()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
async def test_what_is_on_this_machine_is_reached_directly(host):
    async with Sandbox().serve(host="0.0.0.0" if host == "127.0.0.2" else "127.0.0.1") as base_url:  # noqa: S104
        network = Network({"ALL_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE})
        async with network.client(["https://graph.microsoft.com"], make=httpx.AsyncClient) as http:
            answer = await http.get(f"http://{host}:{port_of(base_url)}/common/v2.0/.well-known/openid-configuration")
    assert answer.status_code == 200


# -- whole programs


@pytest.mark.parametrize(
    "values",
    [
        {"ALL_PROXY": NOWHERE},
        {"all_proxy": "socks5h://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"},
        {"ALL_PROXY": "socks4://127.0.0.1:9"},
        {"HTTPS_PROXY": "http://proxy:port", "HTTP_PROXY": "::::"},
        {"SSL_CERT_FILE": "/nonexistent"},
        {"SSL_CERT_DIR": "/nonexistent", "SSL_CERT_FILE": "/nonexistent"},
    ],
)
@pytest.mark.parametrize("mode", ["embedded", "hosted"])
async def test_the_sandbox_needs_neither_a_proxy_nor_an_authority(tmp_path, values, mode):
    with anyio.fail_after(60):
        started = server(tmp_path, "--sandbox", "--mode", mode, SCALEKIT_MCP_PORT="0", **values)
        async with Client(started) as client, httpx.AsyncClient(timeout=20, trust_env=False) as http:
            link = (await client.call_tool("authorize", {})).structured_content["authorization_url"]
            await consent(Browser(http), link, "dana@company.com")
            listed = await client.call_tool("outlook_list_calendar_events", WEEK)
    assert not listed.is_error, listed.structured_content


async def test_the_demo_needs_no_proxy(tmp_path):
    status, said, problems = await ended(
        tmp_path, "demo", ALL_PROXY=NOWHERE, SSL_CERT_FILE="/nonexistent", HTTPS_PROXY="bad proxy"
    )
    assert status == 0, said + problems
    assert "Traceback" not in problems


async def test_an_embedded_account_is_connected_and_read_through_a_socks_proxy(authority, tmp_path, monkeypatch):
    sandbox = Sandbox()
    async with (
        sandbox.serve() as base_url,
        proxy("socks", target=port_of(base_url), authority=authority) as socks,
        AsyncExitStack() as stack,
    ):
        monkeypatch.setenv("ALL_PROXY", socks.url("socks5"))
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        values: dict[str, Any] = sandbox.environment(base_url)
        values["MICROSOFT_GRAPH_URL"] = "https://graph.example/v1.0"  # tokens name the host that issued them
        settings = load_settings(
            **values,
            database_url=f"sqlite+aiosqlite:///{(tmp_path / 'vault.sqlite3').as_posix()}",
            vault_keys="one:" + "A" * 43 + "=",
            port=0,
        )
        actions = await stack.enter_async_context(stdio_composition(settings))
        client = settings.network.client(settings.addresses, make=httpx.AsyncClient, cookies=True)
        browser = Browser(await stack.enter_async_context(client))
        await actions.get_or_create_connected_account(identifier="ana")
        page = await consent(browser, (await actions.get_authorization_link(identifier="ana")).link, "dana@company.com")
        listed = await actions.execute_tool(
            identifier="ana", tool_name="outlook_list_calendar_events", tool_input=dict(WEEK)
        )
    assert "value" in listed, page.text
    assert set(socks.asked) == {"graph.example:443"}


async def test_hosted_calls_go_through_a_socks_proxy(authority, monkeypatch):
    sandbox = Sandbox()
    async with sandbox.serve() as base_url, proxy("socks", target=port_of(base_url), authority=authority) as socks:
        monkeypatch.setenv("ALL_PROXY", socks.url("socks5"))
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        values: dict[str, Any] = {
            **sandbox.scalekit_environment(),
            "SCALEKIT_ENV_URL": "https://acme.scalekit.example/scalekit",
        }
        async with open_actions(load_settings(mode="hosted", **values)) as actions:
            account = (await actions.get_or_create_connected_account(identifier="ana")).connected_account
    assert account.identifier == "ana"
    assert set(socks.asked) == {"acme.scalekit.example:443"}


async def test_the_doctor_asks_microsoft_through_the_proxy_and_says_which(authority, tmp_path):
    sandbox = Sandbox()
    async with (
        sandbox.serve() as base_url,
        proxy("socks", target=port_of(base_url), authority=authority, login=("ana", "planted")) as socks,
    ):
        values = {
            **sandbox.environment(base_url),
            "MICROSOFT_LOGIN_URL": "https://login.example",
            "MICROSOFT_GRAPH_URL": "https://graph.example/v1.0",
            "ALL_PROXY": socks.url("socks5"),
            "SSL_CERT_FILE": str(authority.file),
            "NO_PROXY": "intranet.example,10.0.0.0/8",
        }
        _, said, problems = await ended(tmp_path, "doctor", "--json", **values)
    assert {"login.example:443", "graph.example:443"} <= set(socks.asked), said + problems
    (line,) = [found["message"] for found in json.loads(said)["findings"] if found["check"] == "network"]
    assert f"socks5h://127.0.0.1:{socks.port} (ALL_PROXY)" in line
    assert "intranet.example" in line
    assert str(authority.file) in line
    assert "planted" not in said + problems


# -- a start with a setting that cannot be used

APP = {"MICROSOFT_CLIENT_ID": "00000000-0000-0000-0000-000000000001", "SCALEKIT_MCP_IDENTIFIER": "ana"}
HOSTED = {
    "SCALEKIT_CLIENT_ID": "skc_1",
    "SCALEKIT_CLIENT_SECRET": "s",
    "SCALEKIT_ENV_URL": "https://acme.scalekit.example",
    "SCALEKIT_MCP_IDENTIFIER": "ana",
}


@pytest.mark.parametrize(
    "values",
    [{"ALL_PROXY": "socks4://127.0.0.1:9"}, {"https_proxy": "http://:8080"}, {"SSL_CERT_FILE": "/nonexistent"}],
)
@pytest.mark.parametrize(
    ("line", "settings"),
    [
        (("serve",), APP),
        (("serve",), HOSTED),
        (("serve", "--transport", "http"), APP),
        (("connect", "--no-browser"), APP),
        (("connect", "--device-code"), APP),
        (("doctor",), APP),
        (("accounts", "list"), HOSTED),
    ],
    ids=["stdio", "hosted", "http", "connect", "device", "doctor", "accounts"],
)
async def test_a_bad_setting_of_the_network_stops_the_start_with_its_name(tmp_path, values, line, settings):
    status, _, problems = await ended(tmp_path, *line, **settings, **values)
    (variable,) = values
    assert (status, problems.count("\n")) == (2, 1), problems
    assert problems.startswith(f"scalekit-mcp: {variable} (from the environment) is not valid: ")


async def test_a_web_server_that_asks_a_bad_issuer_setting_for_keys_does_not_start(tmp_path):
    status, _, problems = await ended(
        tmp_path,
        *("serve", "--transport", "http", "--sandbox", "--auth", "oidc"),
        SCALEKIT_MCP_OIDC_ISSUER="https://issuer.example",
        SCALEKIT_MCP_OIDC_AUDIENCE="outlook",
        HTTPS_PROXY="ftp://127.0.0.1:21",
    )
    assert (status, problems.count("\n")) == (2, 1), problems
    assert problems.startswith("scalekit-mcp: HTTPS_PROXY (from the environment) is not valid: ")

"""`doctor` at the public address: a real server behind a real proxy that spoils one thing, which has to be named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest

from scalekit_mcp.cli.doctor.checks import Report
from scalekit_mcp.cli.doctor.remote_hosts import (
    MOST_ANSWER_BYTES,
    RemoteHosts,
    Resolve,
    check_public_address,
    resolve_name,
)
from scalekit_mcp.cli.doctor.report import as_text, examine
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.settings import load_settings
from scalekit_mcp.upstream import UpstreamClient
from tests.cli.front import Front, Reply, Spoil, page
from tests.support.authorization_server import published
from tests.support.processes import command, environment
from tests.support.proxies import make_authority
from tests.support.remote_process import RemoteProcess, free_port, remote_process

RESOURCE = "/.well-known/oauth-protected-resource/mcp"
SERVER = "/.well-known/oauth-authorization-server"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RemoteProcess, int]]:
    """A server that believes to be reached through a proxy, and the port of that proxy."""
    port = free_port()
    public = {"SCALEKIT_MCP_PUBLIC_URL": f"http://localhost:{port}"}
    with remote_process(tmp_path_factory.mktemp("server"), "--sandbox", "--auth", "microsoft", **public) as process:
        yield process, port


async def seen(public_url: str, *, resolve: Resolve = resolve_name, **values: Any) -> Report:
    given: dict[str, Any] = {"auth": "microsoft", "public_url": public_url, "MICROSOFT_CLIENT_ID": "an app", **values}
    report = Report()
    await check_public_address(report, load_settings(**given), resolve=resolve)
    return report


async def spoiled(server: tuple[RemoteProcess, int], spoil: Spoil, **values: Any) -> Report:
    process, port = server
    async with Front(f"http://127.0.0.1:{process.port}", port, spoil).serving() as front:
        report = await seen(f"http://localhost:{port}", **values)
    assert len(front.asked) <= 12
    return report


async def test_a_server_that_hosts_find_has_no_mistake_and_nothing_is_changed_by_looking(
    server: tuple[RemoteProcess, int],
):
    process, port = server
    async with Sandbox().serve() as microsoft, Front(f"http://127.0.0.1:{process.port}", port).serving() as front:
        base = f"http://localhost:{port}"
        given: dict[str, Any] = {**Sandbox().environment(microsoft), "auth": "microsoft", "public_url": base}
        report = await examine(load_settings(**given, database_url="sqlite+aiosqlite:///:memory:"))
    assert report.mistakes == (), as_text(report)
    states = {found.check: found.state for found in report.findings}
    for check in ("challenge", "resource document", "server metadata", "endpoints", "callback", "redirect"):
        assert states[check] == "ok", as_text(report)
    assert "only hosts that run on it can connect" in as_text(report)
    assert front.asked == [
        "POST /mcp",
        "GET /mcp",
        f"GET {RESOURCE}",
        f"GET {SERVER}",
        "POST /register",
        "POST /token",
        "GET /oauth/callback",
    ]
    log = process.log.read_text(encoding="utf-8")
    assert "sign-in was" not in log


def everywhere(reply: Reply) -> Spoil:
    return lambda _method, _target, _reply: reply


def at(path: str, change: Callable[[Reply], Reply]) -> Spoil:
    return lambda _method, target, reply: change(reply) if target.partition("?")[0] == path else reply


def cached(path: str, change: Callable[[Reply], Reply]) -> Spoil:
    """A copy is kept for the exact address alone."""
    return lambda _method, target, reply: change(reply) if target == path else reply


def old_metadata(reply: Reply) -> Reply:
    document = json.loads(reply.body)
    del document["code_challenge_methods_supported"]
    return Reply(200, {**reply.headers, "age": "7200"}, json.dumps(document).encode())


def stripped(method: str) -> Spoil:
    return lambda asked, _target, reply: reply.without("www-authenticate") if asked == method else reply


FAULTS: dict[str, tuple[Spoil, str, str]] = {
    "a redirect of everything": (
        everywhere(Reply(301, {"location": "https://www.example.com/mcp?a=secret"})),
        "redirected",
        "sends on to https://www.example.com/mcp:",
    ),
    "a redirect of one document": (
        at(SERVER, lambda _: Reply(308, {"location": "/login"})),
        "redirected",
        f"{SERVER} sends on to /login",
    ),
    "a page of a protection": (everywhere(page(403)), "web_page_instead", "403 with a web page"),
    "a challenge of Cloudflare": (
        everywhere(Reply(503, {"cf-mitigated": "challenge"})),
        "web_page_instead",
        "cf-mitigated: challenge",
    ),
    "a page at the token endpoint alone": (at("/token", lambda _: page(200)), "web_page_instead", "/token answers 200"),
    "a limit at the registration": (at("/register", lambda _: Reply(429)), "web_page_instead", "with a limit"),
    "a proxy without a server": (everywhere(page(502)), "public_unreachable", "does not reach the server"),
    "no challenge for POST": (stripped("POST"), "challenge_missing", "POST http"),
    "no challenge for GET": (stripped("GET"), "challenge_missing", "GET http"),
    "well-known kept by the proxy": (at(RESOURCE, lambda _: page(404)), "not_found", f"{RESOURCE} answers 404"),
    "no refusal": (at("/mcp", lambda _: Reply(200, JSON, b"{}")), "other_server", "answers 200, not 401"),
    "another challenge": (
        at("/mcp", lambda _: Reply(401, {"www-authenticate": 'Bearer realm="x"'})),
        "other_server",
        "names no resource_metadata",
    ),
    "the challenge of another server": (
        at("/mcp", lambda _: Reply(401, {"www-authenticate": 'Bearer resource_metadata="https://other.example/x"'})),
        "wrong_issuer",
        "https://other.example/x, not http://localhost",
    ),
    "a slash at the resource": (
        at(RESOURCE, lambda reply: reply.saying('/mcp"', '/mcp/"')),
        "wrong_issuer",
        "The document is about another address",
    ),
    "another authorization server": (
        at(RESOURCE, lambda reply: reply.saying('["http://localhost', '["http://old')),
        "wrong_issuer",
        "The document sends people to another server: it says http://old",
    ),
    "no authorization server": (
        at(RESOURCE, lambda reply: reply.saying("authorization_servers", "servers")),
        "wrong_issuer",
        "it says None",
    ),
    "another issuer": (
        at(SERVER, lambda reply: reply.saying('"issuer": "http://localhost', '"issuer": "http://old')),
        "wrong_issuer",
        "it says http://old",
    ),
    "another endpoint": (
        at(SERVER, lambda reply: reply.saying("/token", "/v1/token")),
        "wrong_issuer",
        "The metadata name another token_endpoint",
    ),
    "no PKCE": (at(SERVER, old_metadata), "missing_pkce", "do not offer PKCE with S256"),
    "an old copy": (cached(SERVER, old_metadata), "cached_document", "Age 7200"),
    "no object": (at(RESOURCE, lambda _: Reply(200, JSON, b"[]")), "other_server", "no JSON document"),
    "no end": (
        at(RESOURCE, lambda _: Reply(200, JSON, b"x" * (MOST_ANSWER_BYTES + 1))),
        "other_server",
        "answers without end",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_a_host_would_miss_is_named(server: tuple[RemoteProcess, int], fault: str):
    spoil, mistake, said = FAULTS[fault]
    report = await spoiled(server, spoil)
    assert report.mistakes == (mistake,), as_text(report)
    assert said in as_text(report)
    assert "secret" not in as_text(report)


async def test_a_way_back_that_does_not_reach_the_server_is_a_warning(server: tuple[RemoteProcess, int]):
    report = await spoiled(server, at("/oauth/callback", lambda _: page(200)))
    assert report.mistakes == ()
    assert "not with a page of this server" in as_text(report)


async def test_other_settings_than_those_of_the_server_are_a_warning_that_names_the_difference(
    server: tuple[RemoteProcess, int],
):
    report = await spoiled(server, lambda _method, _target, reply: reply, read_only=True)
    assert report.mistakes == ()
    assert "differs from what these settings make in scopes_supported" in as_text(report)


async def test_nothing_at_the_address_is_named():
    report = await seen(f"http://localhost:{free_port()}")
    assert report.mistakes == ("public_unreachable",)
    assert "does not get an answer" in as_text(report)


async def test_an_address_that_takes_requests_and_never_answers_is_given_up():
    async def never(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await anyio.sleep_forever()

    port, report = free_port(), Report()
    base = f"http://127.0.0.1:{port}"
    settings = load_settings(auth="microsoft", public_url=base, MICROSOFT_CLIENT_ID="an app")
    listening = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
    async with listening, anyio.create_task_group() as tasks:
        tasks.start_soon(listening.serve, never)
        async with settings.network.client([base], make=UpstreamClient, timeout=0.3) as http:
            await RemoteHosts(settings, http, report, resolve_name).check()
        tasks.cancel_scope.cancel()
    assert report.mistakes == ("public_unreachable",)
    assert "does not get an answer. [ReadTimeout]" in as_text(report)


async def test_a_name_that_leads_to_a_private_address_is_a_warning():
    async def resolve(_: str) -> list[str]:
        return ["10.0.0.5"]

    report = await seen("https://calendar.invalid", resolve=resolve)
    assert report.mistakes == ("public_unreachable",)
    assert "calendar.invalid leads to 10.0.0.5, which is not on the internet" in as_text(report)


async def test_a_name_without_an_ipv4_address_is_a_warning():
    async def resolve(_: str) -> list[str]:
        return ["2606:4700::1"]

    report = await seen("https://calendar.invalid", resolve=resolve)
    assert "calendar.invalid has addresses of IPv6 alone" in as_text(report)
    assert "not on the internet" not in as_text(report)


async def test_documents_that_say_http_where_people_paste_https_are_named(
    server: tuple[RemoteProcess, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    process, port = server
    authority = make_authority(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    certificate = (authority.file, tmp_path / "authority.key")
    async with Front(f"http://127.0.0.1:{process.port}", port).serving(certificate=certificate):
        report = await seen(f"https://localhost:{port}")
        monkeypatch.delenv("SSL_CERT_FILE")
        distrusted = await seen(f"https://localhost:{port}")
    assert report.mistakes == ("plain_http",), as_text(report)
    assert f"it says http://localhost:{port}" in as_text(report)
    assert distrusted.mistakes == ("certificate_refused",), as_text(distrusted)


OTHER_SERVERS: tuple[tuple[dict[str, Any] | None, tuple[str, ...], str], ...] = (
    ({"code_challenge_methods_supported": ["S256"], "registration_endpoint": "x"}, (), "Hosts find how to sign in at"),
    ({"code_challenge_methods_supported": ["S256"]}, (), "lets no host register itself"),
    ({"registration_endpoint": "x"}, ("missing_pkce",), "does not say that it takes PKCE"),
    (None, ("not_found",), "publishes no metadata"),
)


async def test_the_authorization_server_of_somebody_else_is_looked_at_too(tmp_path: Path):
    path, port = "/.well-known/openid-configuration", free_port()
    with published(lambda _: {}) as issuer:
        oidc = {"SCALEKIT_MCP_OIDC_ISSUER": issuer.base, "SCALEKIT_MCP_OIDC_AUDIENCE": "us"}
        public = {"SCALEKIT_MCP_PUBLIC_URL": f"http://localhost:{port}"}
        with remote_process(tmp_path, "--sandbox", "--auth", "oidc", **oidc, **public) as process:
            async with Front(f"http://127.0.0.1:{process.port}", port).serving() as front:
                for metadata, mistakes, said in OTHER_SERVERS:
                    issuer.documents = {path: {"issuer": issuer.base, **metadata}} if metadata else {}
                    report = await seen(front.base, **{"auth": "oidc", **oidc})  # type: ignore[arg-type]
                    assert report.mistakes == mistakes, as_text(report)
                    assert said in as_text(report)
                    states = {found.check: found.state for found in report.findings}
                    assert (states["challenge"], states["resource document"]) == ("ok", "ok"), as_text(report)
                    assert "endpoints" not in states


async def test_the_way_back_of_sign_ins_has_to_be_registered_where_localhost_does_not_stand_for_it():
    async with Sandbox().serve() as microsoft:
        given: dict[str, Any] = {**Sandbox().environment(microsoft), "database_url": "sqlite+aiosqlite:///:memory:"}
        base = f"http://127.0.0.1:{free_port()}"
        report = await examine(load_settings(**given, auth="microsoft", public_url=base))
        other = await examine(load_settings(**given, public_url=base))
    assert report.mistakes == ("wrong_redirect", "public_unreachable")
    assert f"Not registered: {base}/oauth/callback" in as_text(report)
    assert other.mistakes == ()


async def test_the_command_looks_at_the_public_address_in_this_mode_alone(
    server: tuple[RemoteProcess, int], tmp_path: Path
):
    process, port = server
    async with Sandbox().serve() as microsoft, Front(f"http://127.0.0.1:{process.port}", port).serving() as front:
        given = environment(
            tmp_path, **Sandbox().environment(microsoft), SCALEKIT_MCP_PUBLIC_URL=f"http://localhost:{port}"
        )
        other = await anyio.run_process(command("doctor"), env=given, check=False)
        assert front.asked == []
        done = await anyio.run_process(command("doctor", "--auth", "microsoft"), env=given, check=False)
    assert other.returncode == 0, other.stdout.decode()
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    assert "Hosts find how to register, to sign in and to get tokens." in done.stdout.decode()

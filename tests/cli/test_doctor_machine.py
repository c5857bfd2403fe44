"""`doctor` about this machine: the way out, whom it trusts, who can change its files, and its clock."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import anyio
import pytest

from scalekit_mcp.accounts.vault.sealing.key_ring import KeyRing
from scalekit_mcp.cli.doctor.findings import CHECKS, Check, Finding, Report
from scalekit_mcp.cli.doctor.hosted import examine_hosted
from scalekit_mcp.cli.doctor.report import as_text, as_value, examine
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.sandbox import Sandbox
from scalekit_mcp.settings import load_settings
from tests.support.proxies import Authority, TestProxy, make_authority, proxy

NAMES = ("login.example", "graph.example", "acme.scalekit.example")
NETWORK = (
    *("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
)
posix = pytest.mark.skipif(os.name != "posix", reason="Windows keeps rights in access lists")


class OffClock:
    """The machine's clock, ahead by some seconds."""

    def __init__(self, seconds: float) -> None:
        self._ahead = timedelta(seconds=seconds)

    def now(self):
        return SystemClock().now() + self._ahead

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


@pytest.fixture(autouse=True)
def no_network_settings_of_this_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NETWORK:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path, *NAMES)


@asynccontextmanager
async def behind(kind: str, authority: Authority, **options: Any) -> AsyncGenerator[tuple[Sandbox, TestProxy]]:
    """A sandbox behind a proxy of a kind."""
    sandbox = Sandbox()
    async with sandbox.serve() as base_url:
        port = urlsplit(base_url).port or 0
        async with proxy(kind, target=port, authority=authority, **options) as made:
            yield sandbox, made


async def report_of(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, *, clock: Any = None, **values: str) -> Report:
    """What doctor finds with these environment variables; the names are those of the outside."""
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    given: dict[str, Any] = {
        **sandbox.environment(sandbox.base_url),
        "MICROSOFT_LOGIN_URL": "https://login.example",
        "MICROSOFT_GRAPH_URL": "https://graph.example/v1.0",
        "database_url": "sqlite+aiosqlite:///:memory:",
        "vault_keys": KeyRing.generate().to_text(),
    }
    report = await examine(load_settings(**given), clock=clock)
    assert "planted" not in as_text(report) + json.dumps(as_value(report))
    return report


def of(report: Report, check: Check) -> list[Finding]:
    return [found for found in report.findings if found.check == check]


# -- the way out


async def test_the_way_to_each_host_is_named_without_the_password_of_its_proxy(authority, monkeypatch):
    async with behind("socks", authority, login=("ana", "planted")) as (sandbox, socks):
        report = await report_of(
            sandbox,
            monkeypatch,
            ALL_PROXY=socks.url("socks5"),
            NO_PROXY="graph.example",
            SSL_CERT_FILE=str(authority.file),
        )
    (found,) = of(report, "way")
    assert found.state == "ok"
    assert f"login.example goes through socks5h://127.0.0.1:{socks.port} (ALL_PROXY)" in found.message
    assert "graph.example goes directly (NO_PROXY)" in found.message


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        ("407 Proxy Authentication Required", "asks for a login (407)"),
        ("403 Forbidden", "does not lead to login.example (403 Forbidden)"),
    ],
)
async def test_a_proxy_that_refuses_is_named_with_what_it_says(refusal, said, authority, monkeypatch):
    async with behind("refusing", authority, refusal=refusal) as (sandbox, refusing):
        report = await report_of(sandbox, monkeypatch, HTTPS_PROXY=f"http://ana:planted@127.0.0.1:{refusing.port}")
    assert refusing.asked == ["login.example:443"]
    assert report.mistakes == ("proxy_refused",)
    (found,) = of(report, "discovery")
    assert f"The proxy http://127.0.0.1:{refusing.port} (HTTPS_PROXY) {said}" in found.message
    assert "NTLM" in (found.fix or "")


async def test_a_proxy_that_is_not_there_is_told_from_a_host_that_is_not_there(authority, monkeypatch):
    async with behind("http", authority) as (sandbox, gone):
        pass
    async with Sandbox().serve():
        report = await report_of(sandbox, monkeypatch, HTTPS_PROXY=gone.url("http"))
    assert report.mistakes == ("proxy_unreachable",)
    assert f"The proxy http://127.0.0.1:{gone.port} (HTTPS_PROXY) does not answer" in as_text(report)


async def test_an_authority_that_is_not_trusted_is_told_from_a_host_that_is_not_there(authority, monkeypatch):
    async with behind("http", authority) as (sandbox, connecting):
        report = await report_of(sandbox, monkeypatch, HTTPS_PROXY=connecting.url("http"))
    assert report.mistakes == ("untrusted_certificate",)
    (found,) = of(report, "discovery")
    assert "login.example" in found.message
    assert "SSL_CERT_FILE" in (found.fix or "")


@pytest.mark.parametrize(("excepted", "states"), [("", ["warning"]), ("localhost", [])])
async def test_traces_that_would_leave_this_machine_by_a_proxy_are_named(excepted, states, authority, monkeypatch):
    async with behind("http", authority) as (sandbox, connecting):
        report = await report_of(
            sandbox,
            monkeypatch,
            HTTP_PROXY=connecting.url("http"),
            NO_PROXY=excepted,
            OTEL_EXPORTER_OTLP_ENDPOINT="http://collector:secret-word@localhost:4318",
        )
    assert [found.state for found in of(report, "traces")] == states
    assert "secret-word" not in as_text(report)
    assert [found.fix for found in of(report, "traces")] == ["Add localhost to NO_PROXY."] * len(states)


# -- whom it trusts


async def test_a_bundle_that_only_other_programs_read_is_said_not_to_be_read(authority, monkeypatch):
    async with behind("http", authority) as (sandbox, connecting):
        alone = await report_of(
            sandbox, monkeypatch, HTTPS_PROXY=connecting.url("http"), REQUESTS_CA_BUNDLE=str(authority.file)
        )
        both = await report_of(sandbox, monkeypatch, SSL_CERT_FILE=str(authority.file))
    (found,) = of(alone, "authorities")
    assert found.state == "warning"
    assert "REQUESTS_CA_BUNDLE is set, but only SSL_CERT_FILE and SSL_CERT_DIR are read" in found.message
    assert f"SSL_CERT_FILE={authority.file}" in (found.fix or "")
    assert [found.state for found in of(both, "authorities")] == ["ok"]


async def test_authorities_that_have_ended_are_named_with_their_end(authority, tmp_path, monkeypatch):
    (tmp_path / "old").mkdir()
    old = make_authority(tmp_path / "old", "old.example", ended=timedelta(days=3))
    mixed = tmp_path / "mixed.pem"
    mixed.write_bytes(authority.file.read_bytes() + old.file.read_bytes())
    async with behind("http", authority) as (sandbox, connecting):
        values = {"HTTPS_PROXY": connecting.url("http")}
        some = await report_of(sandbox, monkeypatch, **values, SSL_CERT_FILE=str(mixed))
        every = await report_of(sandbox, monkeypatch, **values, SSL_CERT_FILE=str(old.file))
    (found,) = of(some, "authorities")
    assert found.state == "warning"
    ended = SystemClock().now() - timedelta(days=3)
    assert f"authority of a test (ended on {ended:%Y-%m-%d})" in found.message
    (found,) = of(every, "authorities")
    assert (found.state, found.mistake) == ("mistake", "expired_authorities")


async def test_a_folder_of_authorities_is_looked_through(tmp_path, monkeypatch):
    folder, file = tmp_path / "folder", tmp_path / "old"
    folder.mkdir()
    file.mkdir()
    old = make_authority(file, "old.example", ended=timedelta(days=3))
    (folder / "01234567.0").write_bytes(old.file.read_bytes())
    sandbox = Sandbox()
    async with sandbox.serve():
        monkeypatch.setenv("SSL_CERT_DIR", str(folder))
        values: dict[str, Any] = {**sandbox.environment(sandbox.base_url), "database_url": "sqlite+aiosqlite://"}
        report = await examine(load_settings(**values, vault_keys=KeyRing.generate().to_text()))
    assert [found.mistake for found in of(report, "authorities")] == ["expired_authorities"]


# -- who can change its files


@posix
@pytest.mark.parametrize(
    ("mode", "open_to"), [(0o757, "all users"), (0o777, "all users"), (0o1777, None), (0o700, None)]
)
async def test_a_folder_in_which_others_can_replace_a_secret_is_named(mode, open_to, tmp_path, monkeypatch):
    folder = tmp_path / "secrets"
    folder.mkdir()
    secret = folder / "vault-keys"
    secret.write_text(KeyRing.generate().to_text(), "utf-8")
    secret.chmod(0o600)
    folder.chmod(mode)
    sandbox = Sandbox()
    async with sandbox.serve():
        monkeypatch.setenv("SCALEKIT_MCP_VAULT_KEYS_FILE", str(secret))
        monkeypatch.setenv("HOME", str(tmp_path))
        values: dict[str, Any] = {**sandbox.environment(sandbox.base_url), "database_url": "sqlite+aiosqlite://"}
        report = await examine(load_settings(**values))
    found = of(report, "files")
    if open_to is None:
        assert [one.state for one in found] == ["ok"]
    else:
        assert [one.state for one in found] == ["warning"]
        assert f"{folder} can be changed by {open_to}" in found[0].message
        assert found[0].fix == f"chmod go-w {folder}"


# -- its clock


@pytest.mark.parametrize(("ahead", "state"), [(40, "ok"), (90, "warning"), (-90, "warning"), (400, "mistake")])
async def test_a_clock_that_is_off_is_told_with_what_follows(ahead, state, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    sandbox = Sandbox()
    async with sandbox.serve():
        given: dict[str, Any] = dict(sandbox.scalekit_environment())
        settings = load_settings(mode="hosted", database_url="sqlite+aiosqlite://", **given)
        hosted = await examine_hosted(settings, clock=OffClock(ahead))
        values: dict[str, Any] = {**sandbox.environment(sandbox.base_url), "database_url": "sqlite+aiosqlite://"}
        own = await examine(load_settings(**values, vault_keys=KeyRing.generate().to_text()), clock=OffClock(ahead))
    for report, whose in ((hosted, "Scalekit"), (own, "Microsoft")):
        (found,) = of(report, "clock")
        assert found.state == state
        assert whose in found.message
        if state == "warning":
            assert "session tokens" in found.message
            assert "NTP" in (found.fix or "")


# -- hosted mode


async def test_hosted_mode_looks_at_the_machine_too(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    sandbox = Sandbox()
    async with sandbox.serve():
        given: dict[str, Any] = dict(sandbox.scalekit_environment())
        report = await examine_hosted(load_settings(mode="hosted", database_url="sqlite+aiosqlite://", **given))
    assert {"scalekit", "clock", "network", "authorities", "files"} <= {found.check for found in report.findings}


async def test_hosted_mode_asks_the_public_address_where_hosts_sign_in_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    sandbox = Sandbox()
    async with sandbox.serve():
        given: dict[str, Any] = {
            **sandbox.scalekit_environment(),
            "auth": "oidc",
            "oidc_issuer": "https://issuer.example",
            "oidc_audience": "api://outlook",
            "public_url": "http://localhost:9",
        }
        report = await examine_hosted(load_settings(mode="hosted", database_url="sqlite+aiosqlite://", **given))
    assert "public_unreachable" in report.mistakes
    assert "challenge" in {found.check for found in report.findings}


async def test_hosted_mode_names_a_proxy_that_refuses(authority, monkeypatch):
    async with behind("refusing", authority) as (sandbox, refusing):
        monkeypatch.setenv("HTTPS_PROXY", refusing.url("http"))
        given: dict[str, Any] = {
            **sandbox.scalekit_environment(),
            "SCALEKIT_ENV_URL": "https://acme.scalekit.example/scalekit",
        }
        report = await examine_hosted(load_settings(mode="hosted", database_url="sqlite+aiosqlite://", **given))
    assert report.mistakes == ("proxy_refused",)
    assert "does not lead to acme.scalekit.example (403 Forbidden)" in as_text(report)


def test_each_check_has_a_name_and_a_line_about_it():
    assert set(CHECKS) == set(get_args(Check))
    assert all(line.endswith(".") for line in CHECKS.values())

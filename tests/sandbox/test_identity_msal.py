"""Microsoft's own library, unmodified, signs in at the sandbox."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2 as httpx
import pytest
from anyio.from_thread import start_blocking_portal
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from scalekit_mcp.sandbox import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Sandbox
from scalekit_mcp.sandbox.browser import Browser
from scalekit_mcp.sandbox.world.seed import NATIVE_CLIENT_ID

msal = pytest.importorskip("msal", reason="msal is not installed")
requests = pytest.importorskip("requests", reason="msal is not installed")
pytestmark = [
    pytest.mark.full,
    pytest.mark.filterwarnings(
        "ignore:response_mode:UserWarning"
    ),  # msal prefers form_post, the product answers a query
]

CALLBACK = "http://localhost:8754/oauth/callback"
SCOPES = ["User.Read", "Calendars.ReadWrite"]
CHALLENGE = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost; msal refuses plain http."""
    folder = tmp_path_factory.mktemp("tls")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


class Served:
    def __init__(self, sandbox: Sandbox, portal: Any, certificate: Path) -> None:
        self.sandbox, self.portal = sandbox, portal
        self._trust = ssl.create_default_context(cafile=certificate)
        self.session = requests.Session()
        self.session.trust_env, self.session.verify = False, str(certificate)
        self.options: dict[str, Any] = {
            "authority": f"{sandbox.url}/common",
            "instance_discovery": False,
            "http_client": self.session,
        }

    def browser(self) -> Browser:
        client = httpx.AsyncClient(verify=self._trust, trust_env=False)
        return Browser(client, stop_at=("http://localhost:8754/",))

    def walk(self, url: str, address: str) -> dict[str, str]:
        """A person at the authorization URL; the query of the callback."""

        async def walk() -> str:
            async with self.browser() as browser:
                return await browser.sign_in(url, address)

        return dict(parse_qsl(urlsplit(self.portal.call(walk)).query))


@pytest.fixture
def served(tls: tuple[Path, Path]) -> Iterator[Served]:
    sandbox = Sandbox()
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(sandbox.serve(host="localhost", tls=tls)),
    ):
        running = Served(sandbox, portal, tls[0])
        with running.session:
            yield running


def confidential(served: Served, **options: Any) -> Any:
    return msal.ConfidentialClientApplication(
        DEFAULT_CLIENT_ID, client_credential=DEFAULT_CLIENT_SECRET, **{**served.options, **options}
    )


def connect(served: Served, app: Any, address: str) -> dict[str, Any]:
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK)
    return app.acquire_token_by_auth_code_flow(flow, served.walk(flow["auth_uri"], address))


@pytest.mark.parametrize("address", ["dana@company.com", "pat@outlook.example"])
def test_msal_redeems_a_code_and_renews_silently(served: Served, address: str) -> None:
    app = confidential(served)
    result = connect(served, app, address)
    assert "access_token" in result, result
    assert result["id_token_claims"]["preferred_username"] == address
    [account] = app.get_accounts()
    assert account["username"] == address
    renewed = app.acquire_token_silent_with_error(SCOPES, account=account, force_refresh=True)
    assert renewed["access_token"] != result["access_token"]
    assert served.sandbox.halves.tokens.check(f"Bearer {renewed['access_token']}").person.address == address


def test_msal_answers_a_claims_challenge(served: Served) -> None:
    app = confidential(served, client_capabilities=["cp1"])
    connect(served, app, "dana@company.com")
    served.sandbox.claims_challenge(CHALLENGE)
    [account] = app.get_accounts()
    result = app.acquire_token_silent_with_error(SCOPES, account=account, claims_challenge=CHALLENGE)
    info = served.sandbox.halves.tokens.check(f"Bearer {result['access_token']}")
    assert "cp1" in info.capabilities


def test_msal_understands_a_revocation(served: Served) -> None:
    app = confidential(served)
    connect(served, app, "dana@company.com")
    served.sandbox.revoke_grant("dana@company.com")
    [account] = app.get_accounts()
    refused = app.acquire_token_silent_with_error(SCOPES, account=account, force_refresh=True)
    assert (refused["error"], refused["suberror"]) == ("invalid_grant", "consent_required")
    assert refused["error_codes"] == [65001]


def test_msal_signs_a_device_in(served: Served) -> None:
    served.sandbox.world.switches.device_interval_seconds = 0
    app = msal.PublicClientApplication(NATIVE_CLIENT_ID, **served.options)
    flow = app.initiate_device_flow(SCOPES)

    async def decide() -> None:
        async with served.browser() as browser:
            await browser.open(f"{served.sandbox.url}/devicelogin")
            await browser.press("Next", user_code=flow["user_code"])
            await browser.press("confirm_device")
            await browser.press("dana@company.com")
            await browser.press("accept")

    served.portal.call(decide)
    result = app.acquire_token_by_device_flow(flow)
    assert result["id_token_claims"]["preferred_username"] == "dana@company.com"

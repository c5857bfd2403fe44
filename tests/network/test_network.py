"""What the environment says about the way out, read as other programs read it."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import httpx2 as httpx
import pytest

from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.network import Network, is_loopback, trusted_address
from scalekit_mcp.network.choice import excepts
from scalekit_mcp.network.routes import Routes
from tests.support.proxies import make_authority

OUTSIDE = ["https://graph.microsoft.com/v1.0"]


def problem_of(**values: str) -> str:
    """The one sentence with which an environment is refused."""
    with pytest.raises(ConfigurationError) as raised:
        Network(values).check(OUTSIDE)
    (problem,) = raised.value.problems
    return problem


@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"])
@pytest.mark.parametrize(
    "value",
    [
        "socks4://127.0.0.1:1080",
        "ftp://proxy.example:21",
        "http://",
        "http://:8080",
        "http://proxy.example:port",
        "http://proxy.example:99999",
        "http://proxy.example:0",
        "http://[::1",
        "proxy example:8080",
        "://",
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_by_its_name(name, value):
    assert problem_of(**{name: value}).startswith(f"{name} is not valid: ")


def test_a_password_in_a_proxys_address_is_never_shown():
    network = Network({"ALL_PROXY": "http://ana:planted@proxy.example:8080"})
    assert "planted" not in repr(network) + repr(network.proxies()) + network.description()
    assert "planted" not in problem_of(ALL_PROXY="ftp://ana:planted@proxy.example")
    assert "planted" not in problem_of(ALL_PROXY="http://ana:planted@proxy.example:port")


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("proxy.example:8080", "http://proxy.example:8080"),
        (" http://proxy.example:8080/ ", "http://proxy.example:8080"),
        ("HTTPS://proxy.example", "https://proxy.example"),
        ("socks5://127.0.0.1:7890", "socks5h://127.0.0.1:7890"),
        ("socks://127.0.0.1:7890/", "socks5h://127.0.0.1:7890"),
    ],
)
def test_a_proxys_address_is_read_as_people_write_it(value, read):
    (proxy,) = Network({"HTTPS_PROXY": value}).proxies()
    assert proxy.url == read


def test_small_letters_come_first_and_empty_values_are_not_set():
    values = {"https_proxy": "http://small:1", "HTTPS_PROXY": "http://large:1", "ALL_PROXY": "", "http_proxy": " "}
    (proxy,) = Network(values).proxies()
    assert proxy.url == "http://small:1"


def test_a_request_to_a_web_server_cannot_bring_a_proxy():
    assert Network({"HTTP_PROXY": "http://evil:1", "REQUEST_METHOD": "GET"}).proxies() == ()


@pytest.mark.parametrize(
    ("entry", "host", "port", "direct"),
    [
        ("*", "graph.microsoft.com", 443, True),
        ("microsoft.com", "graph.microsoft.com", 443, True),
        (".microsoft.com", "graph.microsoft.com", 443, True),
        ("*.microsoft.com", "graph.microsoft.com", 443, True),
        ("GRAPH.Microsoft.com.", "graph.microsoft.com", 443, True),
        ("soft.com", "graph.microsoft.com", 443, False),
        ("graph.microsoft.com:443", "graph.microsoft.com", 443, True),
        ("graph.microsoft.com:8443", "graph.microsoft.com", 443, False),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("10.1.2.3:8443", "10.1.2.3", 443, False),
        ("fd00::/8", "fd00::1", 443, True),
        ("[fd00::1]", "fd00::1", 443, True),
        ("10.0.0.0/99", "10.1.2.3", 443, False),
        ("", "graph.microsoft.com", 443, False),
    ],
)
def test_an_entry_of_no_proxy_stands_for_hosts_below_it_networks_and_ports(entry, host, port, direct):
    assert excepts(entry, host, port) is direct


def test_each_address_goes_through_the_proxy_of_its_kind():
    routes = Routes(
        proxies={"https": "http://one:1", "all": "socks5h://two:2"},
        without_proxy=["intranet.example"],
        tls=ssl.create_default_context(),
    )
    asked = {
        "https://graph.microsoft.com/v1.0": "http://one:1",
        "http://hook.example": "socks5h://two:2",
        "https://hook.intranet.example": None,
        "https://localhost:8443": None,
        "http://127.0.0.1:9400": None,
        "http://[::1]:9400": None,
    }
    assert {url: routes.proxy_of(httpx.URL(url)) for url in asked} == asked
    network = Network({"HTTPS_PROXY": "http://one:1", "ALL_PROXY": "socks5://two:2", "NO_PROXY": "intranet.example"})
    assert {url: proxy and proxy.url for url in asked if (proxy := network.proxy_of(url)) or True} == asked


def test_files_of_authorities_that_cannot_be_used_are_refused_by_their_name(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("no certificate", "utf-8")
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    for value, said in (
        (tmp_path / "nowhere.pem", "does not exist"),
        (tmp_path, "names a folder"),
        (tmp_path / "notes.txt", "without a certificate"),
        (tmp_path / "binary", "without a certificate"),
    ):
        problem = problem_of(SSL_CERT_FILE=str(value))
        assert problem.startswith("SSL_CERT_FILE is not valid: ")
        assert said in problem


def test_folders_of_authorities_that_cannot_be_used_are_refused_by_their_name(tmp_path: Path):
    full = tmp_path / "full"
    full.mkdir()
    (full / "company.pem").write_bytes(make_authority(tmp_path).file.read_bytes())
    for value, said in (
        (tmp_path / "nowhere", "does not exist"),
        (full / "company.pem", "does not exist"),
        (full, "openssl rehash"),
    ):
        problem = problem_of(SSL_CERT_DIR=str(value))
        assert problem.startswith("SSL_CERT_DIR is not valid: ")
        assert said in problem
    (full / "0a1b2c3d.0").write_bytes((full / "company.pem").read_bytes())
    Network({"SSL_CERT_DIR": f"{tmp_path / 'nowhere'}{os.pathsep}{full}"}).check(OUTSIDE)


async def test_a_file_of_authorities_beside_a_folder_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = make_authority(tmp_path).file
    (tmp_path / "0a1b2c3d.0").write_bytes(file.read_bytes())
    read: list[str | None] = []
    load = ssl.SSLContext.load_verify_locations

    def noted(context: ssl.SSLContext, cafile: str | None = None, *others: str | None) -> None:
        read.append(cafile)
        load(context, cafile, *others)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", noted)
    network = Network({"SSL_CERT_FILE": str(file), "SSL_CERT_DIR": str(tmp_path)})
    async with network.client(OUTSIDE, make=httpx.AsyncClient):
        assert read == [str(file)]


def test_every_problem_of_the_network_gets_its_own_sentence():
    values = {"ALL_PROXY": "ftp://x", "https_proxy": "http://", "SSL_CERT_FILE": "/nowhere", "SSL_CERT_DIR": "/nowhere"}
    with pytest.raises(ConfigurationError) as raised:
        Network(values).check(OUTSIDE)
    assert sorted(problem.split()[0] for problem in raised.value.problems) == sorted(values)


def test_what_is_on_this_machine_is_not_refused_for_a_proxy_but_for_an_authority():
    Network({"ALL_PROXY": "ftp://x", "SSL_CERT_FILE": "/nowhere"}).check(["http://localhost:9400", ""])
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        Network({"SSL_CERT_FILE": "/nowhere"}).check(["https://localhost:9400"])


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.255.0.1", "::1", "[::1]", "::ffff:127.0.0.1"]
)
def test_the_names_of_this_machine_are_known(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", None, "localhost.example", "127.0.0.1.example", "0.0.0.0", "10.0.0.1", "fe80::1"])  # noqa: S104 - told apart
def test_no_other_machine_is_taken_for_this_one(host):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "address",
    [
        "https://app.example/verify?tenant=a",
        "http://localhost:3000/verify",
        "http://127.0.0.1",
        "https://[fd00::1]:8443/x",
    ],
)
def test_an_address_that_may_carry_trust_is_taken_as_it_is(address):
    assert trusted_address(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "http://app.example/verify",
        "https://user@app.example/verify",
        "https://user:planted@app.example/verify",
        "https://@app.example/verify",
        "http://localhost@evil.example/",
        "http://127.0.0.1.evil.example/",
        "https:///verify",
        "https:app.example",
        "//app.example",
        "javascript:alert(1)",
        "ftp://app.example",
        "https://app.example/#done",
        "https://app.example\\@evil.example",
        "https://app.example/a b",
        "https://\u0430pp.example/",
        "https://app.example/\r\nx: y",
        "https://app.example:99999/",
        "https://app.example:0/",
        "https://[::1",
        "https://app.example/" + "x" * 2048,
        "",
    ],
)
def test_an_address_that_may_not_carry_trust_is_refused_and_not_quoted(address):
    with pytest.raises(ValueError, match=r"^it ") as raised:
        trusted_address(address)
    assert "planted" not in str(raised.value)

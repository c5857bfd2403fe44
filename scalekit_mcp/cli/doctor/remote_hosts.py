"""What `doctor` sees of a server at its public address, as a remote host does into which somebody pasted it.

The order is that of a host: `/mcp` refuses a request without a token and names a document; the document (RFC 9728)
names the authorization server; its metadata (RFC 8414) name the endpoints. Nothing is registered, nobody signs in.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import anyio
import httpx2 as httpx

from scalekit_mcp.actions import CALLBACK_PATH
from scalekit_mcp.cli.doctor.checks import REQUEST_SECONDS
from scalekit_mcp.cli.doctor.faults import Fault, address_faults, answer_fault, json_object, listed, transport_fault
from scalekit_mcp.cli.doctor.findings import Check, Report
from scalekit_mcp.network import is_loopback, is_public
from scalekit_mcp.settings import Settings
from scalekit_mcp.upstream import AnswerTooLargeError, UpstreamClient

CHECK_SECONDS = 90.0
"""For all requests together; each has the limit of the HTTP client."""

MOST_ANSWER_BYTES = 64 * 1024
_LOCATED = re.compile(r'resource_metadata="([^"]*)"')
_PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
_BOTH = "application/json, text/event-stream"

Resolve = Callable[[str], Awaitable[list[str]]]
"""The IP addresses of a name; raises OSError."""


async def resolve_name(name: str) -> list[str]:
    """The addresses of a name as this machine sees them."""
    found = await anyio.getaddrinfo(name, None)
    return sorted({str(address[0]) for *_, address in found})


@dataclass(frozen=True, slots=True)
class Documents:
    """What hosts have to find. `server` is None where somebody else is the authorization server `advertised`."""

    resource: Mapping[str, Any]
    advertised: str
    server: Mapping[str, Any] | None


def documents_of(settings: Settings) -> Documents:
    """The documents that a server with these settings publishes; its mode is `microsoft` or `oidc`."""
    from scalekit_mcp.cli.http import resource_metadata_of
    from scalekit_mcp.server import OAuthMetadata

    resource = resource_metadata_of(settings)
    if resource is not None:
        return Documents(resource, str(resource["authorization_servers"][0]), None)
    metadata = OAuthMetadata(settings.base_url, read_only=settings.read_only)
    return Documents(metadata.protected_resource("/mcp"), metadata.issuer, metadata.authorization_server())


async def check_public_address(report: Report, settings: Settings, *, resolve: Resolve = resolve_name) -> None:
    """Add what remote hosts find, and would miss, at the public address of `settings`."""
    async with settings.network.client(
        [settings.base_url, *settings.addresses],
        make=UpstreamClient,
        timeout=REQUEST_SECONDS,
        max_answer_bytes=MOST_ANSWER_BYTES,
        max_exchange_seconds=REQUEST_SECONDS,
    ) as http:
        await RemoteHosts(settings, http, report, resolve).check()


class RemoteHosts:
    """Looks at the server at the public address of `settings`. `http` follows no redirect and bounds each answer."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient, report: Report, resolve: Resolve) -> None:
        self._settings = settings
        self._http = http
        self._report = report
        self._resolve = resolve
        self._base = settings.base_url.rstrip("/")
        self._documents = documents_of(settings)

    async def check(self) -> None:
        """Ask what a host asks, and add what it would miss."""
        with anyio.move_on_after(CHECK_SECONDS) as waited:
            await self._check_name()
            if await self._check_challenge():
                await self._check_resource()
                if self._documents.server is not None:
                    await self._check_own_server(self._documents.server)
                    await self._check_endpoints()
                else:
                    await self._check_other_server()
                await self._check_callback()
        if waited.cancelled_caught:
            message = f"{self._base} answers so slowly that hosts would not wait."
            self._report.add_mistake("remote hosts", "public_unreachable", f"{CHECK_SECONDS:.0f} s", message=message)

    # The name

    async def _check_name(self) -> None:
        host = urlsplit(self._base).hostname or ""
        if is_loopback(host):
            self._report.add(
                "public address",
                "warning",
                f"{self._base} is an address of this machine: only hosts that run on it can connect.",
                fix="Set SCALEKIT_MCP_PUBLIC_URL to the https address under which others reach the server.",
            )
            return
        self._report.add(
            "public address",
            "unknown",
            "Whether the internet gets the same answers as this machine cannot be seen from here.",
            fix="Run doctor once more from another network, with the same settings.",
        )
        if self._settings.network.proxies():
            return  # the proxy looks the name up
        try:
            addresses = await self._resolve(host)
        except OSError:
            return  # told by the first request
        if addresses and all(":" in address for address in addresses):
            self._report.add(
                "public address",
                "warning",
                f"{host} has addresses of IPv6 alone; Claude's cloud connects over IPv4.",
                fix="Give the name an IPv4 address too (an A record).",
            )
        private = [address for address in addresses if not is_public(address)]
        if private:
            self._report.add(
                "public address",
                "warning",
                f"{host} leads to {', '.join(private)}, which is not on the internet. Claude, ChatGPT and Copilot "
                "Studio connect from their own clouds and cannot reach it; hosts on people's own computers may.",
                fix="Give the name a public address in the DNS that the internet sees.",
            )

    # The challenge

    async def _check_challenge(self) -> bool:
        """Whether `/mcp` refuses as it has to; False if there is nothing more to look at."""
        address = f"{self._base}/mcp"
        asked: tuple[tuple[str, dict[str, Any]], ...] = (
            ("POST", {"json": _PING, "headers": {"Accept": _BOTH}}),
            ("GET", {"headers": {"Accept": "text/event-stream"}}),
        )
        right: list[str] = []
        for method, options in asked:
            answer = await self._ask("challenge", method, address, **options)
            if answer is None:
                return False
            faults = self._challenge_faults(f"{method} {address}", answer)
            for fault in faults:
                self._add("challenge", fault)
            if not faults:
                right.append(method)
        if len(right) == len(asked):
            self._report.add(
                "challenge", "ok", f"{address} refuses requests without a token and says where to sign in."
            )
        return True

    def _challenge_faults(self, what: str, answer: httpx.Response) -> list[Fault]:
        if answer.status_code != 401:
            message = f"{what} without a token answers {answer.status_code}, not 401: hosts do not begin a sign-in."
            return [Fault("other_server", message, f"HTTP {answer.status_code}")]
        challenge = answer.headers.get("www-authenticate")
        if challenge is None:
            return [Fault("challenge_missing", f"{what} answers 401 without WWW-Authenticate.")]
        found = _LOCATED.search(challenge)
        if found is None:
            message = f"{what} answers 401, but its challenge names no resource_metadata."
            return [Fault("other_server", message, challenge[:80])]
        expected = f"{self._base}/.well-known/oauth-protected-resource/mcp"
        return address_faults(f"The challenge of {what} sends hosts to another address", found[1], expected)

    # The documents

    async def _check_resource(self) -> None:
        expected = self._documents.resource

        def faults(document: Mapping[str, Any]) -> list[Fault]:
            [server] = listed(document.get("authorization_servers"))[:1] or [None]
            return [
                *address_faults(
                    "The document is about another address", document.get("resource"), expected["resource"]
                ),
                *address_faults("The document sends people to another server", server, self._documents.advertised),
            ]

        url = f"{self._base}/.well-known/oauth-protected-resource/mcp"
        if await self._check_document("resource document", url, faults, expected):
            message = f"Hosts find what they are to sign in to, and where: {self._documents.advertised}."
            self._report.add("resource document", "ok", message)

    async def _check_own_server(self, expected: Mapping[str, Any]) -> None:
        def faults(document: Mapping[str, Any]) -> list[Fault]:
            found = address_faults("The metadata are of another issuer", document.get("issuer"), expected["issuer"])
            for name in ("authorization_endpoint", "token_endpoint", "registration_endpoint"):
                found += address_faults(f"The metadata name another {name}", document.get(name), expected[name])
            if "S256" not in listed(document.get("code_challenge_methods_supported")):
                found.append(Fault("missing_pkce", "The metadata do not offer PKCE with S256: hosts stop there."))
            return found

        url = f"{self._base}/.well-known/oauth-authorization-server"
        if await self._check_document("server metadata", url, faults, expected):
            self._report.add("server metadata", "ok", "Hosts find how to register, to sign in and to get tokens.")

    async def _check_other_server(self) -> None:
        """The authorization server is somebody else's (`oidc`): what hosts need of it beside its keys."""
        from scalekit_mcp.server import metadata_addresses

        advertised = self._documents.advertised
        document: dict[str, Any] | None = None
        for url in reversed(metadata_addresses(advertised)):
            answer = await self._ask(
                "server metadata", "GET", url, missing=True, headers={"Accept": "application/json"}
            )
            if answer is None:
                return
            document = json_object(answer) if answer.status_code == 200 else None
            if document is not None:
                break
        if document is None:
            message = f"The authorization server {advertised} publishes no metadata where hosts look for them."
            self._report.add_mistake("server metadata", "not_found", advertised, message=message)
            return
        before = len(self._report.findings)
        if "S256" not in listed(document.get("code_challenge_methods_supported")):
            message = f"{advertised} does not say that it takes PKCE with S256: hosts stop there."
            self._report.add_mistake("server metadata", "missing_pkce", advertised, message=message)
        if not document.get("registration_endpoint") and not document.get("client_id_metadata_document_supported"):
            self._report.add(
                "server metadata",
                "warning",
                f"{advertised} lets no host register itself.",
                fix="Register each host there, and give its client id to the people who connect it.",
            )
        if len(self._report.findings) == before:
            self._report.add("server metadata", "ok", f"Hosts find how to sign in at {advertised}.")

    async def _check_document(
        self,
        check: Check,
        url: str,
        faults: Callable[[Mapping[str, Any]], list[Fault]],
        expected: Mapping[str, Any],
    ) -> bool:
        """Whether a document is what it has to be. One that is not is asked for anew, past whatever keeps copies."""
        first = await self._document(check, url)
        if first is None:
            return False
        document, answer = first
        found = faults(document)
        if not found and document == expected:
            return True
        again = await self._document(check, f"{url}?doctor={uuid4().hex}")
        if again is not None and not faults(again[0]) and again[0] != document:
            age = answer.headers.get("age", "")
            message = f"{url}: a copy is kept in front of the server, and it is not what the server says now."
            self._report.add_mistake(check, "cached_document", f"Age {age}" if age else "no Age", message=message)
            return False
        for fault in found:
            self._add(check, fault)
        if not found:
            differing = sorted(name for name in {*document, *expected} if document.get(name) != expected.get(name))
            self._report.add(
                check,
                "warning",
                f"{url} differs from what these settings make in {', '.join(differing)[:200]}.",
                fix="Give doctor the settings of the server that runs, or restart it with these.",
            )
        return False

    async def _document(self, check: Check, url: str) -> tuple[dict[str, Any], httpx.Response] | None:
        answer = await self._ask(check, "GET", url, headers={"Accept": "application/json"})
        if answer is None:
            return None
        document = json_object(answer)
        if answer.status_code != 200 or document is None:
            message = f"{url} answers {answer.status_code} and no JSON document."
            self._report.add_mistake(check, "other_server", f"HTTP {answer.status_code}", message=message)
            return None
        return document, answer

    # What machines and browsers call afterwards

    async def _check_endpoints(self) -> None:
        """Requests that change nothing: each is refused as malformed, in JSON, by the server itself."""
        asked: tuple[tuple[str, dict[str, Any]], ...] = (
            ("/register", {"json": {}}),
            ("/token", {"data": {"grant_type": "none"}}),
        )
        for path, options in asked:
            answer = await self._ask("endpoints", "POST", self._base + path, **options)
            if answer is None:
                return
            document = json_object(answer)
            if answer.status_code not in (400, 401) or document is None or "error" not in document:
                message = f"POST {self._base}{path} answers {answer.status_code}, not with an OAuth error."
                self._report.add_mistake("endpoints", "other_server", f"HTTP {answer.status_code}", message=message)
                return
        self._report.add("endpoints", "ok", "Machines reach /register and /token.")

    async def _check_callback(self) -> None:
        """Whether Microsoft's answer would come back to this server; what is registered, another check says."""
        url = self._base + CALLBACK_PATH
        try:
            answer = await self._http.get(url)
        except httpx.HTTPError as error:
            self._report.add("callback", "warning", f"{url} does not answer ({type(error).__name__}).")
            return
        if answer.headers.get("x-robots-tag") == "noindex":  # as on all pages of ours
            self._report.add("callback", "ok", f"Sign-ins come back to {url}, which this server answers.")
        else:
            self._report.add(
                "callback",
                "warning",
                f"{url} answers {answer.status_code}, and not with a page of this server: sign-ins would not end.",
                fix="Let the proxy in front hand /oauth/ and /connect/ on, and keep their headers.",
            )

    # Requests

    async def _ask(
        self, check: Check, method: str, url: str, *, missing: bool = False, **options: Any
    ) -> httpx.Response | None:
        """An answer of the server itself; None after saying what else came. `missing` takes a 404 as an answer."""
        what = f"{method} {url.partition('?')[0]}"
        try:
            answer = await self._http.request(method, url, **options)
        except AnswerTooLargeError:
            self._report.add_mistake(check, "other_server", "too long", message=f"{what} answers without end.")
            return None
        except httpx.HTTPError as error:
            self._add(check, transport_fault(what, urlsplit(url).netloc, error))
            return None
        fault = answer_fault(what, answer, missing=missing)
        if fault is not None:
            self._add(check, fault)
            return None
        return answer

    def _add(self, check: Check, fault: Fault) -> None:
        self._report.add_mistake(check, fault.mistake, fault.evidence, message=fault.message)

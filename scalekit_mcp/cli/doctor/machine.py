"""What `doctor` finds on this machine: the way out, whom it trusts, who can change its files, and its clock."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx

from scalekit_mcp.actions import exposed_files
from scalekit_mcp.cli.doctor.findings import Check, Report
from scalekit_mcp.network import Network, leads_to_loopback
from scalekit_mcp.settings import Settings

MOST_SKEW_SECONDS = 300.0
NOTED_SKEW_SECONDS = 60.0
_OTHERS_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables in which other programs look for authorities."""
_MOST_FILES = 1000
_MOST_NAMED = 3


def check_machine(report: Report, settings: Settings, now: datetime) -> None:
    """Add what needs no request: proxies, authorities, and private files that others can open."""
    report.add("network", "ok", f"To other machines: {settings.network.description()}.")
    _check_way(report, settings)
    _check_traces(report, settings)
    _check_authorities(report, settings.network, now)
    _check_files(report, settings)


def check_clock(
    report: Report, response: httpx.Response, whose: str, *, asked_at: datetime, answered_at: datetime
) -> None:
    """Compare this machine's clock with the `Date` of an answer (RFC 9110 section 6.6.1)."""
    try:
        told = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        report.add("clock", "unknown", f"{whose}'s answer tells no time, so the clock was not compared.")
        return
    middle = asked_at + (answered_at - asked_at) / 2
    skew = (middle - told.astimezone(UTC)).total_seconds()
    side = "ahead of" if skew > 0 else "behind"
    words = f"This machine's clock is {abs(skew):.0f} seconds {side} {whose}'s"
    if abs(skew) > MOST_SKEW_SECONDS:
        message = f"{words}: signing in, and whatever carries a time, fails or is refused."
        report.add_mistake("clock", "clock_skew", f"{skew:+.0f} s", message=message)
    elif abs(skew) > NOTED_SKEW_SECONDS:
        report.add(
            "clock",
            "warning",
            f"{words}; five minutes are allowed. Until it is right, session tokens and links end "
            f"{'earlier' if skew > 0 else 'later'} than they say.",
            fix="Synchronize the clock (NTP), before it drifts further.",
        )
    else:
        report.add("clock", "ok", f"The clock agrees with {whose}'s.")


def add_unreachable(
    report: Report, check: Check, what: str, settings: Settings, url: str, error: httpx.HTTPError
) -> None:
    """Say why an address gave no answer: its certificate, the proxy on the way to it, or the way itself."""
    host = urlsplit(url).netloc
    proxy = settings.network.proxy_of(url)
    distrust = _certificate_error(error)
    if distrust is not None:
        message = f"The certificate of {host} is not trusted: {distrust.verify_message or 'it cannot be verified'}."
        report.add_mistake(check, "untrusted_certificate", distrust.reason or "", message=message)
    elif proxy is not None and isinstance(error, httpx.ProxyError):
        said = " ".join(str(error).split())[:100]
        refusal = "asks for a login (407)" if said.startswith("407") else f"does not lead to {host} ({said})"
        report.add_mistake(check, "proxy_refused", type(error).__name__, message=f"The proxy {proxy} {refusal}.")
    elif proxy is not None and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        message = f"The proxy {proxy} does not answer ({type(error).__name__}), so {host} cannot be reached."
        report.add_mistake(check, "proxy_unreachable", type(error).__name__, message=message)
    else:
        through = f" through {proxy}" if proxy is not None else ""
        message = f"{what} {host} cannot be reached{through} ({type(error).__name__})."
        report.add_mistake(check, "unreachable", host, message=message)


def _certificate_error(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__ or error.__context__
    return None


# The way out


def _check_way(report: Report, settings: Settings) -> None:
    """Name the proxy of each host, where proxies are set at all."""
    network = settings.network
    if not network.proxies():
        return
    ways: list[str] = []
    for url in settings.addresses:
        host, proxy = urlsplit(url).netloc, network.proxy_of(url)
        if proxy is not None:
            way = f"{host} goes through {proxy}"
        elif leads_to_loopback(url):
            way = f"{host} is this machine and goes directly"
        else:
            way = f"{host} goes directly ({'NO_PROXY' if network.without_proxy() else 'no proxy for its kind'})"
        if way not in ways:
            ways.append(way)
    if ways:
        report.add("way", "ok", f"{'; '.join(ways)}.")


def _check_traces(report: Report, settings: Settings) -> None:
    """OpenTelemetry's exporter reads the variables by itself, and takes this machine for any other."""
    url = settings.otlp_endpoint
    proxy = settings.network.proxy_of_others(url) if leads_to_loopback(url) else None
    if proxy is not None:
        host = urlsplit(url).hostname  # without a name and password, which an address may carry
        report.add(
            "traces",
            "warning",
            f"Traces for {host} on this machine go through the proxy {proxy} and are lost there.",
            fix=f"Add {host} to NO_PROXY.",
        )


# Whom it trusts


@dataclass(frozen=True, slots=True)
class _Authority:
    name: str
    begins_at: datetime
    ends_at: datetime


def _check_authorities(report: Report, network: Network, now: datetime) -> None:
    """Look at the certificates of `SSL_CERT_FILE` and `SSL_CERT_DIR`, and for a bundle that is named elsewhere."""
    file, folders = network.authorities()
    if not file and not folders:
        unread = [name for name in _OTHERS_BUNDLES if network.values.get(name)]
        if not unread:
            report.add("authorities", "ok", "The certificate authorities of this system are trusted.")
            return
        said = f"{' and '.join(unread)} {'is' if len(unread) == 1 else 'are'} set"
        report.add(
            "authorities",
            "warning",
            f"{said}, but only SSL_CERT_FILE and SSL_CERT_DIR are read here.",
            fix=f"If connections fail for a certificate, set SSL_CERT_FILE={network.values[unread[0]]}",
        )
        return
    named = " and ".join(name for name, value in (("SSL_CERT_FILE", file), ("SSL_CERT_DIR", folders)) if value)
    found = [authority for path in _files_of(file, folders) for authority in _authorities_in(path)]
    if not found:
        report.add(
            "authorities",
            "warning",
            f"{named} holds certificates, but none of an authority (CA:TRUE): servers may be refused.",
            fix="Ask who runs the proxy or the servers for the certificate of their root authority, as PEM.",
        )
        return
    unfit = [
        f"{one.name} ({'ended on' if one.ends_at <= now else 'begins on'} "
        f"{one.ends_at if one.ends_at <= now else one.begins_at:%Y-%m-%d})"
        for one in found
        if not one.begins_at <= now < one.ends_at
    ]
    more = len(unfit) - _MOST_NAMED
    listed = ", ".join(unfit[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    if len(unfit) == len(found):
        message = f"No authority of {named} is valid today: {listed}."
        report.add_mistake("authorities", "expired_authorities", named, message=message)
    elif unfit:
        report.add(
            "authorities",
            "warning",
            f"{len(unfit)} of {len(found)} authorities of {named} are not valid today: {listed}.",
            fix="Remove them from it, and ask for the new ones if servers that they signed are still needed.",
        )
    else:
        report.add("authorities", "ok", f"{named}: {len(found)} valid certificate authorities.")


def _files_of(file: str, folders: str) -> Iterator[Path]:
    if file:
        yield Path(file)
    for folder in filter(None, folders.split(os.pathsep)):
        try:
            entries = sorted(entry for entry in Path(folder).iterdir() if entry.is_file())
        except OSError:
            continue
        yield from entries[:_MOST_FILES]


def _authorities_in(path: Path) -> Iterable[_Authority]:
    """The authorities of one PEM file; none where it holds no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except (OSError, ValueError):
        return ()
    return [_read_authority(certificate) for certificate in context.get_ca_certs()]


def _read_authority(certificate: dict[str, Any]) -> _Authority:
    names = {key: value for part in certificate.get("subject", ()) for key, value in part}
    name = names.get("commonName") or names.get("organizationName") or "one without a name"
    begins_at, ends_at = (
        datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate[key]), UTC) for key in ("notBefore", "notAfter")
    )
    return _Authority(str(name)[:80], begins_at, ends_at)


# Who can change its files


def _check_files(report: Report, settings: Settings) -> None:
    exposed = exposed_files(settings)
    for file in exposed:
        report.add("files", "warning", f"{file.path} can be {file.others}.", fix=file.command)
    if os.name != "posix":
        report.add("files", "unknown", "Who can open the files with keys, tokens and secrets stands in access lists.")
    elif not exposed:
        report.add("files", "ok", "Nobody else on this machine can open the files with keys, tokens and secrets.")

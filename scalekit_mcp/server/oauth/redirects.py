"""Redirect URIs: which ones an app may have, when one that it asks for is one of them, and where an answer goes.

Comparison is that of strings (RFC 6749 section 3.1.2.3), with one exception that native apps need: the port of a
loopback address is not compared, because the app takes whichever is free (RFC 8252 section 7.3). No prefix, no
pattern, no folding of case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from scalekit_mcp.languages import Sentence, said, verbatim

MOST_CHARACTERS = 1000
MOST_URIS = 10

_PLAIN = re.compile(r"[\x21-\x7e]+")
_HTTPS_HOST = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?")
_LOOPBACK = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(?::(\d{1,5}|\*))?([/?].*)?")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):(.+)")
_NEVER = re.compile(
    # What a browser runs, reads or opens itself, and what starts a program of the system with an argument.
    "about|blob|chrome.*|data|devtools|edge|file|filesystem|ftps?|https?|intent|jar|javascript|livescript|mailto|mhtml"
    "|mk|mocha|moz-.*|ms-.*|opera|res|resource|search|sftp|shell|sms|smb|ssh|tel|telnet|vbscript|view-source|vnc|wss?"
)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the answer to a redirect URI goes: a host by https, this computer, or the app registered for a scheme.

    `name` is the host, the loopback host, or the scheme with its colon.
    """

    kind: str
    name: str

    @property
    def app(self) -> Sentence:
        """The app there, as a person would say it."""
        match self.kind:
            case "host":
                return verbatim(self.name)
            case "computer":
                return said("consent.the_computer")
            case _:
                return said("consent.scheme", name=self.name)


def is_acceptable(uri: object) -> bool:
    """Whether an app may have a redirect URI.

    It begins with https and names a host; or with http on `localhost`, `127.0.0.1` or `[::1]`; or with a private-use
    scheme (RFC 8252 section 7.1). It is printable ASCII without a fragment, user information or a backslash, and has no
    `*` but as the port of a loopback address.
    """
    if not isinstance(uri, str) or len(uri) > MOST_CHARACTERS or not _PLAIN.fullmatch(uri):
        return False
    if "#" in uri or "\\" in uri:
        return False
    loopback = _LOOPBACK.fullmatch(uri)
    if loopback is not None:
        return _is_port(loopback[2], star=True) and "*" not in (loopback[3] or "")
    if "*" in uri:
        return False
    if uri.startswith("https://"):
        authority = re.split(r"[/?]", uri.removeprefix("https://"), maxsplit=1)[0]
        host = _HTTPS_HOST.fullmatch(authority)
        return host is not None and ".." not in authority and _is_port(host[1]) and _is_readable(uri)
    private = _SCHEME.fullmatch(uri)
    return private is not None and _NEVER.fullmatch(private[1]) is None and "@" not in private[2].partition("?")[0]


def acceptable_ones(uris: Iterable[object]) -> tuple[str, ...]:
    """The acceptable redirect URIs among those that an app names, each once, in its order."""
    return tuple(dict.fromkeys(uri for uri in uris if isinstance(uri, str) and is_acceptable(uri)))


def matches(known: str, asked: str) -> bool:
    """Whether the redirect URI that is asked for is a known one."""
    if "*" in asked or not is_acceptable(asked):
        return False
    if known == asked:
        return True
    ours, theirs = _LOOPBACK.fullmatch(known), _LOOPBACK.fullmatch(asked)
    return ours is not None and theirs is not None and (ours[1], ours[3]) == (theirs[1], theirs[3])


def chosen(known: Sequence[str], asked: str | None) -> str | None:
    """The redirect URI of a request; None if it cannot be trusted.

    One that is left out is the only known one, unless that is on loopback: its port is not known then.
    """
    if asked is None:
        return known[0] if len(known) == 1 and _LOOPBACK.fullmatch(known[0]) is None else None
    return asked if any(matches(uri, asked) for uri in known) else None


def destination(uri: str) -> Destination:
    """Where the answer to an acceptable redirect URI goes."""
    parts = urlsplit(uri)
    if parts.scheme == "https":
        return Destination("host", (parts.hostname or "") + (f":{parts.port}" if parts.port not in (None, 443) else ""))
    if parts.scheme == "http":
        return Destination("computer", (parts.hostname or "").strip("[]"))
    return Destination("app", f"{parts.scheme}:")


def with_parameters(uri: str, parameters: Mapping[str, str]) -> str:
    """A redirect URI with an answer in its query, beside what it has already (RFC 6749 section 4.1.2)."""
    bare, _, query = uri.partition("?")  # an acceptable one has no fragment; the rest stays byte for byte
    added = urlencode(parameters, errors="surrogateescape")
    return f"{bare}?{'&'.join(part for part in (query, added) if part)}"


def _is_port(text: str | None, *, star: bool = False) -> bool:
    return text is None or (star and text == "*") or (text.isdigit() and 0 < int(text) < 65_536)


def _is_readable(uri: str) -> bool:
    try:
        return bool(urlsplit(uri).hostname)
    except ValueError:
        return False

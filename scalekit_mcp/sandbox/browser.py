"""A browser for tests and demos: follows redirects, reads forms and presses buttons; runs no script."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2 as httpx

MOST_REDIRECTS = 10
_FORM = "application/x-www-form-urlencoded"
_REFRESH = re.compile(r"^\s*\d+\s*;\s*url=(.+)$", re.IGNORECASE)


@dataclass
class Form:
    """One form of a page: where it goes, its fields as they would be sent, its buttons' (name, value) by their text."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict[str, str])
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])


@dataclass
class Page:
    """What a browser shows: address, forms, links by their text, plain text, and where it goes on to by itself."""

    url: str
    status: int
    forms: list[Form]
    links: dict[str, str]
    text: str
    refresh: str | None = None


class _Reader(HTMLParser):
    """Reads forms as a browser would send them: of a select the selected or first option, ticked boxes only."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.refresh: str | None = None
        self.words: list[str] = []
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self._form: Form | None = None
        self._select = ""
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(given.get("method", "get").upper(), urljoin(self.url, given.get("action") or self.url))
            self.forms.append(self._form)
        elif tag in {"input", "textarea"} and self._form is not None and given.get("name"):
            self._read_input(self._form, given)
        elif tag == "select":
            self._select = given.get("name", "")
        elif tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            found = _REFRESH.match(given.get("content", ""))
            if found:
                self.refresh = urljoin(self.url, found[1].strip("'\" "))
        elif tag in {"script", "style"}:
            self._hidden += 1
        if tag in {"a", "button", "option"}:
            self._open.append((tag, given, []))

    def _read_input(self, form: Form, given: dict[str, str]) -> None:
        kind = given.get("type", "text")
        if kind == "submit":
            form.buttons[given.get("value", "Submit")] = (given["name"], given.get("value", ""))
        elif kind != "button" and (kind not in {"radio", "checkbox"} or "checked" in given):
            form.fields[given["name"]] = given.get("value", "on" if kind == "checkbox" else "")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self._hidden -= 1
        elif tag == "form":
            self._form = None
        elif self._open and self._open[-1][0] == tag:
            _, given, words = self._open.pop()
            self._close(tag, given, " ".join("".join(words).split()))

    def _close(self, tag: str, given: dict[str, str], text: str) -> None:
        if tag == "a" and given.get("href"):
            self.links[text] = urljoin(self.url, given["href"])
        elif tag == "button" and self._form is not None:
            self._form.buttons[text] = (given.get("name", ""), given.get("value", ""))
        elif tag == "option" and self._form is not None and self._select:
            chosen = given.get("value", text)
            self._form.fields[self._select] = (
                chosen if "selected" in given else self._form.fields.get(self._select, chosen)
            )

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        self.words.append(data)
        for _, _, words in self._open:
            words.append(data)


def read_page(url: str, status: int, html: str) -> Page:
    """Parse what a server answered."""
    reader = _Reader(url)
    reader.feed(html)
    text = " ".join(" ".join(reader.words).split())
    return Page(url, status, reader.forms, reader.links, text, reader.refresh)


class Browser:
    """One browser profile with its cookies.

    `stop_at` (URL prefixes) names addresses that are not fetched: arriving there ends the walk, as an application's
    callback does in a test that has no application. Every answer is kept in `page`.
    """

    def __init__(self, client: httpx.AsyncClient, *, stop_at: tuple[str, ...] = ()) -> None:
        self._client = client
        self._stop_at = stop_at
        self.url = ""
        self.page: httpx.Response | None = None
        self.history: list[str] = []

    @classmethod
    def of(cls, app: Any, *, base_url: str = "http://localhost", stop_at: tuple[str, ...] = ()) -> Browser:
        """A browser that reaches an ASGI application in process."""
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=base_url)
        return cls(client, stop_at=stop_at)

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    @property
    def text(self) -> str:
        """The page's HTML; empty where the walk ended at an address that is not fetched."""
        return self.page.text if self.page is not None else ""

    @property
    def forms(self) -> list[Form]:
        """The forms of the page."""
        return read_page(self.url, 200, self.text).forms

    async def open(self, url: str) -> str:
        """Go to an address and follow redirects; gives the address where it ended."""
        return await self._go("GET", url, None)

    async def press(self, text: str, **typed: str) -> str:
        """Press the first button whose text or value contains `text`, with `typed` filled into its form.

        Raises LookupError when no button fits.
        """
        for form in self.forms:
            for shown, (name, value) in form.buttons.items():
                if text.lower() in shown.lower() or text.lower() == value.lower():
                    fields = {**form.fields, **typed, **({name: value} if name else {})}
                    return await self._go(form.method, form.action, fields)
        raise LookupError(f"no button '{text}' on the page")

    async def submit(self, form: Form, **typed: str) -> str:
        """Send a form without a button, as the Enter key does."""
        return await self._go(form.method, form.action, {**form.fields, **typed})

    async def sign_in(self, url: str, address: str, *, accept: bool = True) -> str:
        """Open an authorization URL, choose an account, consent or decline; gives the address where it ended."""
        await self.open(url)
        chooser = next(
            (form for form in self.forms if any(name == "address" for name, _ in form.buttons.values())), None
        )
        if chooser is not None:
            await self.submit(chooser, address=address)
        for _ in range(3):
            actions = {value for form in self.forms for name, value in form.buttons.values() if name == "action"}
            wanted = ("approve_mfa", "accept") if accept else ("cancel",)
            following = next((action for action in wanted if action in actions), None)
            if following is None or self.page is None:
                break
            await self.press(following)
        return self.url

    async def _go(self, method: str, url: str, fields: dict[str, str] | None) -> str:
        for _ in range(MOST_REDIRECTS):
            self.history.append(url)
            self.url = url
            if any(url.startswith(prefix) for prefix in self._stop_at):
                self.page = None
                return url
            if method == "POST":
                self.page = await self._client.post(url, data=fields, headers={"content-type": _FORM})
            else:
                self.page = await self._client.get(url, params=fields or None)
                self.url = str(self.page.url)
            if not self.page.is_redirect:
                return self.url
            # 302 and 303 after a POST become a GET, as in every browser.
            url = urljoin(self.url, self.page.headers["location"])
            method, fields = "GET", None
            if urlsplit(url).scheme not in ("http", "https"):
                raise LookupError("the redirect leaves the web")
        raise LookupError("too many redirects")

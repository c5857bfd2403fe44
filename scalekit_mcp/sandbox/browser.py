"""A browser for tests and demos: follows redirects, reads forms and presses buttons; runs no script."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2 as httpx

MOST_REDIRECTS = 10
_FORM = "application/x-www-form-urlencoded"


@dataclass
class Form:
    """One form of a page: fields as they would be sent, buttons as (name, value, text)."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict[str, str])
    buttons: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])


class _Forms(HTMLParser):
    """Collects forms as a browser would send them: of a select the selected or first option, ticked boxes only."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._button: tuple[str, str] | None = None
        self._select: str | None = None
        self._option: str | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("method", "get").upper(), given.get("action", "")))
        elif not self.forms:
            return
        elif tag in ("input", "textarea") and given.get("name"):
            ticked = given.get("type") not in ("checkbox", "radio") or "checked" in given
            if ticked and given.get("type") not in ("submit", "button"):
                self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "select":
            self._select = given.get("name")
        elif tag == "option" and self._select is not None:
            wanted = "selected" in given or self._select not in self.forms[-1].fields
            self._option, self._text = (self._select if wanted else None), ""
        elif tag == "button":
            self._button, self._text = (given.get("name", ""), given.get("value", "")), ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        text = " ".join(self._text.split())
        if tag == "button" and self._button is not None and self.forms:
            self.forms[-1].buttons.append((*self._button, text))
            self._button = None
        elif tag == "option" and self._option is not None:
            self.forms[-1].fields[self._option] = text
            self._option = None
        elif tag == "select":
            self._select = None


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
        parser = _Forms()
        parser.feed(self.text)
        return parser.forms

    async def open(self, url: str) -> str:
        """Go to an address and follow redirects; gives the address where it ended."""
        return await self._go("GET", url, None)

    async def press(self, text: str, **typed: str) -> str:
        """Press the first button whose text or value contains `text`, with `typed` filled into its form.

        Raises LookupError when no button fits.
        """
        for form in self.forms:
            for name, value, shown in form.buttons:
                if text.lower() in shown.lower() or text.lower() == value.lower():
                    fields = {**form.fields, **typed, **({name: value} if name else {})}
                    return await self._go(form.method, urljoin(self.url, form.action), fields)
        raise LookupError(f"no button '{text}' on the page")

    async def submit(self, form: Form, **typed: str) -> str:
        """Send a form without a button, as the Enter key does."""
        return await self._go(form.method, urljoin(self.url, form.action), {**form.fields, **typed})

    async def sign_in(self, url: str, address: str, *, accept: bool = True) -> str:
        """Open an authorization URL, choose an account, consent or decline; gives the address where it ended."""
        await self.open(url)
        if any(name == "address" for form in self.forms for name, _, _ in form.buttons):
            await self._choose(address)
        for _ in range(3):
            actions = {value for form in self.forms for name, value, _ in form.buttons if name == "action"}
            wanted = ("approve_mfa", "accept") if accept else ("cancel",)
            following = next((action for action in wanted if action in actions), None)
            if following is None or self.page is None:
                break
            await self.press(following)
        return self.url

    async def _choose(self, address: str) -> None:
        form = next(form for form in self.forms if any(name == "address" for name, _, _ in form.buttons))
        await self._go("POST", urljoin(self.url, form.action), {**form.fields, "address": address})

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

"""A browser without a screen: keeps cookies, submits forms, follows refreshes, as a person with a real one would."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx2 as httpx

_REFRESH = re.compile(r"^\s*\d+\s*;\s*url=(.+)$", re.IGNORECASE)


@dataclass
class Form:
    """One form of a page: where it goes, its fields, and its named buttons by their text."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict[str, str])
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])


@dataclass
class Page:
    """What a browser shows: the final address, the forms, the links by their text, the plain text."""

    url: str
    status: int
    forms: list[Form]
    links: dict[str, str]
    text: str
    refresh: str | None = None


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.refresh: str | None = None
        self.words: list[str] = []
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self._form: Form | None = None
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(urljoin(self.url, given.get("action") or self.url), given.get("method", "get").lower())
            self.forms.append(self._form)
        elif tag == "input" and self._form is not None and given.get("name"):
            self._read_input(self._form, given)
        elif tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            found = _REFRESH.match(given.get("content", ""))
            if found:
                self.refresh = urljoin(self.url, found[1].strip("'\" "))
        elif tag in {"script", "style"}:
            self._hidden += 1
        if tag in {"a", "button"}:
            self._open.append((tag, given, []))

    def _read_input(self, form: Form, given: dict[str, str]) -> None:
        kind = given.get("type", "text")
        if kind == "submit":
            form.buttons[given.get("value", "Submit")] = (given["name"], given.get("value", ""))
        elif kind not in {"radio", "checkbox"} or "checked" in given:
            form.fields[given["name"]] = given.get("value", "on" if kind == "checkbox" else "")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self._hidden -= 1
        if tag == "form":
            self._form = None
        if self._open and self._open[-1][0] == tag:
            _, given, words = self._open.pop()
            text = " ".join("".join(words).split())
            if tag == "a" and given.get("href"):
                self.links[text] = urljoin(self.url, given["href"])
            elif tag == "button" and self._form is not None:
                self._form.buttons[text] = (given.get("name", ""), given.get("value", ""))

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
    """Follows redirects and meta refreshes (at most ten) and submits forms by the text of a button."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def open(self, url: str) -> Page:
        """Type an address."""
        return await self._show(await self._http.get(url, follow_redirects=True))

    async def press(self, page: Page, button: str, **fields: str) -> Page:
        """Press the button whose text contains `button` and send its form; raises LookupError."""
        for form in page.forms:
            for text, (name, value) in form.buttons.items():
                if button.lower() in text.lower():
                    data = {**form.fields, **fields, **({name: value} if name else {})}
                    origin = "/".join(page.url.split("/")[:3])
                    headers = {"Origin": origin, "Referer": page.url}
                    if form.method == "post":
                        answer = await self._http.post(form.action, data=data, headers=headers, follow_redirects=True)
                    else:
                        answer = await self._http.get(form.action, params=data, follow_redirects=True)
                    return await self._show(answer)
        buttons = [text for form in page.forms for text in form.buttons]
        raise LookupError(f"No button '{button}' on this page, only {buttons}: {page.text[:300]}")

    async def _show(self, answer: httpx.Response) -> Page:
        page = read_page(str(answer.url), answer.status_code, answer.text)
        for _ in range(10):
            if page.refresh is None:
                break
            answer = await self._http.get(page.refresh, follow_redirects=True)
            page = read_page(str(answer.url), answer.status_code, answer.text)
        return page


async def consent(browser: Browser, link: str, address: str) -> Page:
    """Open an authorization link, go on to the sandbox, sign in as `address` and accept; the page it ends on."""
    page = await browser.open(link)
    page = await browser.press(page, "Continue")
    if any(address in text for form in page.forms for text in form.buttons):
        page = await browser.press(page, address)
    if any("accept" in text.lower() for form in page.forms for text in form.buttons):
        page = await browser.press(page, "Accept")
    return page

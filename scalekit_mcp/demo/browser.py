"""A browser without a screen: keeps cookies, submits forms, follows refreshes, as a person with a real one would."""

from __future__ import annotations

import httpx2 as httpx

from scalekit_mcp.sandbox import Page, read_page

__all__ = ["Browser", "Page", "consent", "read_page"]


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
                    if form.method == "POST":
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

"""The pages in the language that the browser asks for, from the link to the end."""

from __future__ import annotations

import html
import re

import pytest

from scalekit_mcp.actions.models import AuthorizationOutcome, OutcomeKind
from scalekit_mcp.languages import LANGUAGES, said, words_in
from scalekit_mcp.server.web.pages import Pages
from tests.server.test_web import at_microsoft, browser_for, link_of
from tests.support.watched_actions import DANA, WatchedActions


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_consent_in_the_language_of_the_browser(language: str, actions_with_codes: WatchedActions) -> None:
    words = words_in(language)
    async with browser_for(actions_with_codes) as browser:
        browser.headers["accept-language"] = f"{language}-XX, nl;q=0.4"
        link = await link_of(actions_with_codes)
        page = await browser.get(link)
        query = await at_microsoft(actions_with_codes, browser, link)
        done = await browser.get("/oauth/callback", params=query, follow_redirects=True)
    for shown in (page, done):
        assert shown.headers["content-language"] == language
        assert shown.headers["vary"] == "Accept-Language"
        assert f'<html lang="{language}" dir="ltr">' in shown.text
    text = html.unescape(page.text)
    for key in ("connect.title", "approval.needed", "page.cancel", "permission.calendars_readwrite"):
        assert words.text(said(key, calendar="Outlook")) in text
    assert words.text(said("approval.last_page")).strip() in text
    assert words.text(said("confirmation.next", count=10)) in html.unescape(done.text)
    assert DANA in done.text
    assert re.search(r"\b[0-9A-HJKMNP-TV-Z]{8}\b", done.text)


async def test_a_page_is_in_the_language_of_who_reads_it_and_not_of_who_made_it(actions: WatchedActions) -> None:
    async with browser_for(actions) as browser:
        query = await at_microsoft(actions, browser, await link_of(actions))
        back = await browser.get("/oauth/callback", params=query, headers={"accept-language": "de"})
        address = back.headers["location"]
        shown = [(await browser.get(address, headers={"accept-language": tag})).text for tag in ("es", "ja", "nl")]
    titles = [words_in(language).text(said("connected.title")) for language in ("es", "ja", "en")]
    assert [title in text for title, text in zip(titles, shown, strict=True)] == [True] * 3


async def test_an_unknown_link_and_a_failure_of_ours_are_told_in_the_language_too(actions: WatchedActions) -> None:
    async with browser_for(actions) as browser:
        browser.headers["accept-language"] = "ja"
        unknown = await browser.get("/connect/unknown-ticket-0000")
        actions.failure = RuntimeError("broken")
        broken = await browser.get("/oauth/callback", params={"state": "x", "code": "y"})
    assert words_in("ja").text(said("link.unknown_title")) in unknown.text
    assert words_in("ja").text(said("trouble.ours")) in broken.text
    assert (unknown.status_code, broken.status_code) == (404, 500)


@pytest.mark.parametrize("language", LANGUAGES)
def test_strangers_names_stay_markup_of_nobody(language: str) -> None:
    hostile = "<b>{0.__class__}</b>"
    outcome = AuthorizationOutcome(
        OutcomeKind.OTHER_ACCOUNT,
        said("account.switched_title"),
        said("account.switched", known=hostile, signed_in=hostile),
        said("account.switched_next"),
    )
    pages = Pages()
    pages._words = words_in(language)  # pyright: ignore[reportPrivateUsage] - without a request
    body = bytes(pages.outcome(outcome).body).decode()
    assert hostile not in body
    assert body.count(html.escape(hostile)) == 2

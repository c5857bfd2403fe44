"""Confirmation codes as a person reads them."""

from __future__ import annotations

import re

from scalekit_mcp.demo.browser import Page


def code_on(page: Page) -> str:
    """The confirmation code that a page shows."""
    found = re.search(r"\b([0-9A-HJKMNP-TV-Z]{4})[ -]?([0-9A-HJKMNP-TV-Z]{4})\b", page.text)
    assert found, page.text
    return found[1] + found[2]

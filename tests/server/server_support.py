"""A client that answers questions as a person would."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
from mcp.types import ElicitRequestURLParams, ElicitResult

Action = Literal["accept", "decline", "cancel"]


@dataclass
class Person:
    """Answers elicitations. `on_url` is what the person does with the link; `form_action` comes with what a form holds.

    Without a `code` or a `yes` the form that asks for it is declined. What a form asks for is looked up after the page
    has been read: a client may ask while the person's browser is still on its way.
    """

    on_url: Callable[[str], Awaitable[None]] | None = None
    action: Action = "accept"
    form_action: Action = "accept"
    code: str | None = None
    yes: bool | None = None
    urls: list[str] = field(default_factory=list[str])
    forms: list[str] = field(default_factory=list[str])
    browser: anyio.Lock = field(default_factory=anyio.Lock)

    async def __call__(self, context: Any, params: Any) -> ElicitResult:
        if isinstance(params, ElicitRequestURLParams):
            self.urls.append(params.url)
            if self.on_url is not None and self.action == "accept":
                async with self.browser:
                    await self.on_url(params.url)
            return ElicitResult(action=self.action)
        self.forms.append(params.message)
        async with self.browser:
            code = self.code
        if "confirm" in params.requested_schema["properties"]:
            if self.yes is None:
                return ElicitResult(action="decline")
            return ElicitResult(action=self.form_action, content={"confirm": self.yes})
        if code is None:
            return ElicitResult(action="decline")
        return ElicitResult(action=self.form_action, content={"confirmation_code": code})

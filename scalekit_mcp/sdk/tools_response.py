"""The answers of `list_tools` and `list_scoped_tools` under the names of Scalekit's SDK."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from scalekit_mcp.actions import ListedTool, Page, ScopedTool


@dataclass(frozen=True, slots=True)
class ListToolsResponse:
    """One page of tools; `next_page_token` is None on the last."""

    tools: tuple[ListedTool, ...]
    tool_names: tuple[str, ...]
    total_count: int
    next_page_token: str | None = None
    previous_page_token: None = None

    @classmethod
    def of(cls, page: Page[ListedTool], *, names_only: bool) -> Self:
        """The answer for a page."""
        names = tuple(tool.id for tool in page.rows)
        return cls(() if names_only else tuple(page.rows), names, page.total_size, page.next_page_token)

    @property
    def total_size(self) -> int:
        """How many tools there are in all, as REST names it."""
        return self.total_count

    def to_dict(self) -> dict[str, Any]:
        """For a program."""
        return {
            "tools": [tool.to_dict() for tool in self.tools],
            "tool_names": list(self.tool_names),
            "total_count": self.total_count,
            "next_page_token": self.next_page_token,
            "previous_page_token": self.previous_page_token,
        }


@dataclass(frozen=True, slots=True)
class ScopedToolsResponse:
    """One page of tools with the accounts on which they run; `next_page_token` is None on the last."""

    tools: tuple[ScopedTool, ...]
    total_size: int
    next_page_token: str | None = None

    @classmethod
    def of(cls, page: Page[ScopedTool]) -> Self:
        """The answer for a page."""
        return cls(tuple(page.rows), page.total_size, page.next_page_token)

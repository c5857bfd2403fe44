"""Cursors of pages from the hosted tools, which have none: a cursor holds the page's size and its place in the list."""

from __future__ import annotations

import json
from typing import Any, cast

from scalekit_mcp.errors import InvalidInput


def page_cursor(size: int, begin: int) -> str:
    """The cursor of the page that has `size` rows and begins after `begin` rows."""
    return json.dumps({"top": size, "begin": begin}, separators=(",", ":"))


def page_place(cursor: str | None, size: int, begin: int) -> tuple[int, int]:
    """The number of rows of a page and the number of rows before it; without a cursor `size` and `begin`.

    Raises `InvalidInput` for a cursor that cannot be read.
    """
    if cursor is None:
        return size, begin
    try:
        where = cast("dict[str, Any]", json.loads(cursor))
        return int(where["top"]), int(where["begin"])
    except (ValueError, KeyError, TypeError) as exc:
        raise InvalidInput(
            "`page` is of an older form and cannot be continued.",
            field="page",
            next_step="Leave `page` out to begin the list again.",
        ) from exc

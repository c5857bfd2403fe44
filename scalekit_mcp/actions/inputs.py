"""What every implementation of the seam checks before it looks for an account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scalekit_mcp.errors import InvalidInput
from scalekit_mcp.settings import check_identifier
from scalekit_mcp.tools import Arguments, UnknownTool, parse_arguments


def account_key(connection_name: str | None, identifier: str, *, own_connection: str) -> tuple[str, str]:
    """Connection name and identifier of a call; `own_connection` is the one that there is, and the default.

    Raises `InvalidInput` for another connection, and for an identifier that cannot be one.
    """
    name = connection_name or own_connection
    if name != own_connection:
        raise InvalidInput(
            f"There is no connection '{name[:100]}'; this server has '{own_connection}'.", field="connection_name"
        )
    try:
        return name, check_identifier(identifier)
    except ValueError as error:
        raise InvalidInput(f"The identifier is not valid: {error}.", field="identifier") from error


def tool_arguments(tool_name: str, tool_input: Mapping[str, Any] | Arguments | None) -> Arguments:
    """The arguments of a tool of the catalogue; raises `InvalidInput`, for an unknown tool, too."""
    try:
        return parse_arguments(tool_name, tool_input or {})
    except UnknownTool as error:
        raise InvalidInput(
            f"There is no tool '{tool_name[:100]}'.", field="tool_name", next_step="Use a name of the catalogue."
        ) from error

"""The tools for LangChain: `get_tools(connection_name="outlook", identifier="user_outlook_789")`.

Needs the extra `langchain`; nothing of it is imported by any other module.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from scalekit_mcp.actions import Actions
from scalekit_mcp.client import ScalekitClient, SynchronousActions, default_actions
from scalekit_mcp.errors import AuthorizationRequired, ConfigurationError, ScalekitMCPError
from scalekit_mcp.identifiers import check_identifier
from scalekit_mcp.tools import MAX_ANSWER_CHARACTERS, ToolSpec, fitted, offered_tools, parse_arguments, to_json

try:
    from langchain_core.tools import StructuredTool, ToolException
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "scalekit_mcp.langchain needs langchain-core: install `scalekit-mcp[langchain]`.", name=missing.name
    ) from missing

__all__ = ["get_tools"]


def get_tools(
    connection_name: str = "outlook",
    identifier: str = "",
    actions: Actions | SynchronousActions | ScalekitClient | None = None,
    *,
    on_authorization_required: Literal["message", "raise"] = "message",
    read_only: bool = False,
    toolsets: Sequence[str] = ("calendar",),
) -> list[StructuredTool]:
    """The tools of these toolsets (`calendar`, `scheduling`) as LangChain structured tools that act for `identifier`.

    `actions` is a `ScalekitClient`, its `.actions`, or the asynchronous calls (then the tools are asynchronous too);
    without any, the process's one client is used (`scalekit_mcp.client.default_actions`). `read_only=True` leaves out
    what changes a calendar.

    Answers are JSON text for the model, and the dictionary itself as the message's artifact. Errors become tool
    messages with the object `{"error": {"code", "message", "who_acts", "next_step", ...}}`; with
    `on_authorization_required="raise"` an account that is not ACTIVE raises `AuthorizationRequired` (with the link in
    `details["authorization_url"]`) to the application instead. Raises `InvalidInput` for a wrong identifier and
    `ConfigurationError`.
    """
    check_identifier(identifier)
    calls = default_actions() if actions is None else actions
    if isinstance(calls, ScalekitClient):
        calls = calls.actions
    offered = offered_tools(toolsets)
    runner = _Runner(calls, connection_name, identifier, raises=on_authorization_required == "raise")
    return [
        runner.tool(spec) for spec in offered.values() if spec.read_only or not read_only or spec.name == "authorize"
    ]


class _Runner:
    def __init__(
        self, calls: Actions | SynchronousActions, connection_name: str, identifier: str, *, raises: bool
    ) -> None:
        self._calls = calls
        self._connection_name = connection_name
        self._identifier = identifier
        self._raises = raises

    def tool(self, spec: ToolSpec) -> StructuredTool:
        """One tool of the catalogue."""

        def call(**arguments: Any) -> tuple[str, dict[str, Any]]:
            if not isinstance(self._calls, SynchronousActions):
                raise ConfigurationError(
                    "These tools were made from asynchronous calls.", next_step="Call them with `ainvoke`."
                )
            try:
                return _answer(self._calls.execute_tool(**self._call(spec.name, arguments)))
            except ScalekitMCPError as error:
                raise self._translated(error) from error

        async def call_async(**arguments: Any) -> tuple[str, dict[str, Any]]:
            try:
                given = self._call(spec.name, arguments)
                if isinstance(self._calls, SynchronousActions):
                    return _answer(await asyncio.wrap_future(self._calls.execute_tool_soon(**given)))
                return _answer(await self._calls.execute_tool(**given))
            except ScalekitMCPError as error:
                raise self._translated(error) from error

        return StructuredTool.from_function(
            func=call,
            coroutine=call_async,
            name=spec.name,
            description=spec.description,
            args_schema=spec.input_schema,
            infer_schema=False,
            response_format="content_and_artifact",
            handle_tool_error=True,
        )

    def _call(self, tool_name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "tool_name": tool_name,
            "tool_input": parse_arguments(tool_name, arguments).with_limit(MAX_ANSWER_CHARACTERS),
            "identifier": self._identifier,
            "connection_name": self._connection_name,
        }

    def _translated(self, error: ScalekitMCPError) -> Exception:
        if self._raises and isinstance(error, AuthorizationRequired):
            return error
        return ToolException(json.dumps({"error": error.to_dict()}, ensure_ascii=False))


def _answer(result: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    plain = fitted(result)
    return to_json(plain), plain

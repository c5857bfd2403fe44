"""The MCP server: the tools of the catalogue, and one function that turns a call into a result.

Built on the low-level server of the SDK, so that schemas go out exactly as the catalogue has them and only `tools` is
advertised. Serves every protocol revision on every transport.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from mcp import MCPError
from mcp.server.caching import CacheHint
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    Tool,
    ToolAnnotations,
)

from scalekit_mcp.actions import Actions
from scalekit_mcp.errors import InternalError, InvalidInput, PermissionMissing, ScalekitMCPError
from scalekit_mcp.server.callers.caller import Caller, Identify, RequestContext, current_caller
from scalekit_mcp.server.failures import log_failure
from scalekit_mcp.server.limits import CallLimiter
from scalekit_mcp.server.mcp.connectors import ConnectorJob, Connectors
from scalekit_mcp.server.mcp.consent import Answer, Consent, ConsentTimes, Job
from scalekit_mcp.server.mcp.jobs import AuthorizeJob, CalendarJob
from scalekit_mcp.server.mcp.results import error_result
from scalekit_mcp.server.metrics import CallMetrics, watched
from scalekit_mcp.tools import (
    MAX_ANSWER_CHARACTERS,
    NO_COUNTERPART_REASON,
    TOOLS,
    Carrier,
    ConnectorTool,
    ToolSpec,
    carried_tools,
    checked_arguments,
    offered_tools,
    parse_arguments,
    server_instructions,
)

logger = logging.getLogger(__name__)

SERVER_NAME = "scalekit-mcp"
SANDBOX_SERVER_NAME = "scalekit-mcp (sandbox, not Microsoft)"
AUTHORIZE = "authorize"
_NOT_CONNECTED = frozenset({"authorization_required", "admin_approval_required"})
_LIST_TTL_MS = 3_600_000
_CONNECTOR_LIST_TTL_MS = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """The options of the MCP server.

    `request_state_keys` (32 bytes or more each; the first seals, all open) must be the same on all replicas; none means
    a key of this process. `code_in_chat` is false where held tokens wait for the operator's own page and not for a
    code. With `confirm_mail` a person confirms whatever mails people or deletes. `list_scope` is `private` where two
    callers may see different tools. `limiter` holds how many calls of one user run at once; `metrics` counts them.
    While `stopping`, no call waits for a person. `sign_in_challenge` (of a description) is put beside an answer that
    says that the account is not connected: some hosts begin their sign-in on it. `toolsets` are what models are
    offered, as far as the actions' carrier carries it. `connections` are all of them, that of the calendar first; of
    the others' tools those are offered whose names fit `tool_patterns`.
    """

    version: str = ""
    sandbox: bool = False
    read_only: bool = False
    toolsets: Sequence[str] = ("calendar",)
    connections: Sequence[str] = ("outlook",)
    tool_patterns: Sequence[str] = ("*",)
    timezone: str | None = None
    list_scope: Literal["public", "private"] = "public"
    request_state_keys: tuple[bytes, ...] = field(default=(), repr=False)
    limiter: CallLimiter = field(default_factory=CallLimiter)
    code_in_chat: bool = True
    confirm_mail: bool = False
    metrics: CallMetrics = field(default_factory=CallMetrics)
    consent_times: ConsentTimes = field(default_factory=ConsentTimes)
    stopping: Callable[[], bool] = lambda: False
    sign_in_challenge: Callable[[str], str] | None = None

    @property
    def further_connections(self) -> tuple[str, ...]:
        """The connections beside that of the calendar."""
        return tuple(self.connections[1:])


def create_server(actions: Actions, *, identify: Identify, options: ServerOptions) -> Server[Any]:
    """The MCP server over `actions`; `identify` names the caller of each request.

    The server owns nothing that needs closing: whoever opened `actions` closes it.
    """
    calls = _Calls(actions, identify, options)
    server: Server[Any] = Server(
        SANDBOX_SERVER_NAME if options.sandbox else SERVER_NAME,
        version=options.version,
        title="Outlook Calendar (sandbox, not Microsoft)" if options.sandbox else "Outlook Calendar",
        instructions=server_instructions(
            calls.offered,
            sandbox=options.sandbox,
            read_only=options.read_only,
            timezone=options.timezone,
            connections=options.further_connections,
        ),
        cache_hints={
            # what other connections give is one user's, and changes
            "tools/list": CacheHint(ttl_ms=_CONNECTOR_LIST_TTL_MS, scope="private")
            if options.further_connections
            else CacheHint(ttl_ms=_LIST_TTL_MS, scope=options.list_scope),
            "server/discover": CacheHint(ttl_ms=_LIST_TTL_MS, scope="public"),
        },
        on_list_tools=calls.list_tools,
        on_call_tool=calls.call_tool,
        get_tool_input_schema=_schema_of_headers,
    )
    keys = options.request_state_keys or (secrets.token_bytes(32),)
    security = RequestStateSecurity(
        keys=keys, bind_principal=lambda context: current_caller(identify, context).identifier
    )
    server.middleware.append(RequestStateBoundary(security, default_audience=server.name))
    return server


@dataclass(frozen=True, slots=True)
class _Listing:
    """The tools that one carrier carries, as the catalogue has them and as clients receive them."""

    offered: Mapping[str, ToolSpec]
    tools: Mapping[str, Tool]


class _Calls:
    """The two handlers of the server and what they share."""

    def __init__(self, actions: Actions, identify: Identify, options: ServerOptions) -> None:
        self._actions = actions
        self._identify = identify
        self._options = options
        self._limiter = options.limiter
        self._consent = Consent(
            actions,
            times=options.consent_times,
            code_in_chat=options.code_in_chat,
            stopping=options.stopping,
        )
        self._connectors = Connectors(actions, patterns=options.tool_patterns) if options.further_connections else None
        self._listings: dict[Carrier, _Listing] = {}

    @property
    def offered(self) -> Mapping[str, ToolSpec]:
        """The tools that can be carried out now."""
        return self._listing.offered

    @property
    def _listing(self) -> _Listing:
        carrier = self._actions.carrier
        listing = self._listings.get(carrier)
        if listing is None:
            offered = offered_tools(self._options.toolsets, carrier=carrier)
            tools = {name: _published(spec) for name, spec in offered.items()}
            if self._options.further_connections and AUTHORIZE in tools:
                tools[AUTHORIZE] = _with_connections(tools[AUTHORIZE], self._options.connections)
            listing = self._listings[carrier] = _Listing(offered, tools)
        return listing

    async def list_tools(self, context: RequestContext, params: PaginatedRequestParams | None) -> ListToolsResult:
        """The tools that this caller may use, in the order of the catalogue; then those of further connections."""
        del params
        writing = not self._options.read_only
        if writing and self._options.list_scope == "private":
            writing = current_caller(self._identify, context).can_write
        tools = [tool for name, tool in self._listing.tools.items() if writing or _reads(TOOLS[name])]
        if self._connectors is not None:
            try:
                caller = current_caller(self._identify, context)
                tools += await self._connectors.listed(caller.identifier, writing=writing)
            except ScalekitMCPError as error:
                logger.warning("The tools of further connections are not listed: %s", error.code)
            except Exception as failure:  # noqa: BLE001 - the server's own tools are listed whatever happens
                log_failure(logger, "tools/list", failure)
        return ListToolsResult(tools=tools)

    async def call_tool(self, context: RequestContext, params: CallToolRequestParams) -> Answer:
        """One tool call. An unknown tool is a protocol error; everything else is a result."""
        spec: ToolSpec | ConnectorTool | None = self.offered.get(params.name)
        if spec is None and self._connectors is not None and params.name not in TOOLS:
            try:
                spec = await self._connectors.find(current_caller(self._identify, context).identifier, params.name)
            except ScalekitMCPError as exc:
                return error_result(exc)
        if spec is None:
            raise MCPError(INVALID_PARAMS, self._no_tool(params.name))
        foreign = isinstance(spec, ConnectorTool)
        with watched(
            self._options.metrics, params.name, label=f"connection:{spec.connection_name}" if foreign else None
        ) as call:
            try:
                arguments = dict(params.arguments or {})
                if not foreign:
                    call.acts_on(arguments)
                job_for = self._reading(spec, arguments)
                caller = current_caller(self._identify, context)
                call.identifier = caller.identifier
                self._authorize_call(caller, spec)
                answer = await self._consent.complete(context, params, job_for(caller))
                answer = self._challenging(answer)
                call.outcome = _outcome(answer)
                if answer.result_type == "complete" and not foreign:
                    call.acts_on(cast("Mapping[str, Any] | None", answer.structured_content))
            except MCPError:
                call.outcome = "protocol_error"
                raise
            except ScalekitMCPError as exc:
                call.outcome = exc.code
                return self._challenging(error_result(exc))
            except Exception as failure:  # noqa: BLE001 - logged with its traceback by `log_failure`
                call.outcome = "internal_error"
                return error_result(_unexpected(params.name, log_failure(logger, params.name, failure)))
            else:
                return answer

    def _no_tool(self, name: str) -> str:
        spec = TOOLS.get(name)
        if spec is None:
            return f"Unknown tool: {name[:100]}"
        if name not in carried_tools(self._actions.carrier):
            return f"{name} is not available: {NO_COUNTERPART_REASON}."
        return f"{name} is not offered here: the operator adds {spec.toolset} to SCALEKIT_MCP_TOOLSETS."

    def _challenging(self, answer: Answer) -> Answer:
        """The answer, with a challenge for the host where the account has to be connected first."""
        challenge = self._options.sign_in_challenge
        if challenge is None or not isinstance(answer, CallToolResult) or _outcome(answer) not in _NOT_CONNECTED:
            return answer
        header = challenge("The Microsoft account is not connected.")
        return answer.model_copy(update={"meta": {**(answer.meta or {}), "mcp/www_authenticate": [header]}})

    def _authorize_call(self, caller: Caller, spec: ToolSpec | ConnectorTool) -> None:
        if _reads(spec):
            if caller.can_read or spec.name == AUTHORIZE:
                return
            raise PermissionMissing(
                f"This session may not use {spec.name}: its token lacks the scope calendar.read.",
                next_step="The operator gives the session a token with the scope calendar.read.",
                who_acts="operator",
            )
        if self._options.read_only:
            raise PermissionMissing(
                f"This server is read-only; {spec.name} is not available.",
                next_step="Use the tools that read, or ask the operator for a server that may write.",
                who_acts="operator",
            )
        if not caller.can_write:
            by_sign_in = self._options.sign_in_challenge is not None
            raise PermissionMissing(
                f"This session is read-only: its token lacks the scope calendar.write, which {spec.name} needs.",
                next_step="Use the tools that read. To let this app change the calendar, the user removes this "
                "server in the app and connects it again, as an app that may change events."
                if by_sign_in
                else "Use the tools that read, or ask the operator for a token that may write.",
                who_acts="user" if by_sign_in else "operator",
            )

    def _reading(self, spec: ToolSpec | ConnectorTool, arguments: dict[str, Any]) -> Callable[[Caller], Job]:
        """What makes the job of a call, once its arguments are read; raises `InvalidInput`."""
        if isinstance(spec, ConnectorTool):
            checked = checked_arguments(spec, arguments)
            return lambda caller: ConnectorJob(
                self._actions,
                self._limiter,
                caller=caller,
                tool=spec,
                arguments=checked,
                confirm_mail=self._options.confirm_mail,
            )
        connection = self._named_connection(arguments) if spec.name == AUTHORIZE else None
        parsed: Any = parse_arguments(spec.name, arguments).with_limit(MAX_ANSWER_CHARACTERS)
        if spec.name == AUTHORIZE:
            return lambda caller: AuthorizeJob(
                self._actions,
                self._limiter,
                caller=caller,
                arguments=parsed,
                code_in_chat=self._options.code_in_chat,
                connection=connection,
            )
        return lambda caller: CalendarJob(
            self._actions,
            self._limiter,
            caller=caller,
            tool_name=spec.name,
            arguments=parsed,
            confirm_mail=self._options.confirm_mail,
        )

    def _named_connection(self, arguments: dict[str, Any]) -> str | None:
        """Take `connection` out of the arguments of `authorize`; None for that of the calendar."""
        if not self._options.further_connections:
            return None
        named = arguments.pop("connection", None)
        if named in (None, "", self._options.connections[0]):
            return None
        if named not in self._options.connections:
            raise InvalidInput(f"connection must be one of {', '.join(self._options.connections)}.", field="connection")
        return named


def _schema_of_headers(tool_name: str) -> None:
    """No argument is mirrored into a header. Without this answer the SDK runs `tools/list` for every call."""
    del tool_name


def _published(spec: ToolSpec) -> Tool:
    return Tool(
        name=spec.name,
        title=spec.title,
        description=spec.description,
        input_schema=dict(spec.input_schema),
        output_schema=dict(spec.output_schema),
        annotations=ToolAnnotations(
            title=spec.title,
            read_only_hint=spec.read_only,
            destructive_hint=spec.destructive,
            idempotent_hint=spec.idempotent,
            open_world_hint=spec.open_world,
        ),
    )


def _with_connections(authorize: Tool, connections: Sequence[str]) -> Tool:
    """`authorize` as it is offered where there is more than one connection."""
    schema = dict(authorize.input_schema)
    connection = {
        "type": "string",
        "enum": list(connections),
        "description": f"What to connect; {connections[0]}, the calendar, when left out.",
    }
    schema["properties"] = {**schema["properties"], "connection": connection}
    also = f" With connection it does the same for {', '.join(connections[1:])}."
    return authorize.model_copy(update={"input_schema": schema, "description": f"{authorize.description}{also}"})


def _reads(spec: ToolSpec | ConnectorTool) -> bool:
    """Whether a read-only session may use the tool: the reading ones, and `authorize`, which touches no event."""
    return spec.read_only or spec.name == AUTHORIZE


def _unexpected(tool_name: str, reference: str) -> InternalError:
    """What the client learns of an unexpected exception: nothing but the number to find it by in the log."""
    return InternalError(
        f"{tool_name} failed inside the server; the reference is {reference}.",
        next_step="Try once more; if it fails again, give the reference to the operator of the server.",
    )


def _outcome(answer: Answer) -> str:
    if answer.result_type == "input_required":
        return "input_required"
    if not answer.is_error:
        return "ok"
    content = cast("Mapping[str, Mapping[str, str]] | None", answer.structured_content)
    return content["error"]["code"] if content else "error"

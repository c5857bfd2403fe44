"""`ScalekitClient`: the same calls for synchronous code, with the names of Scalekit's own SDK.

```python
import scalekit_mcp.client

scalekit = scalekit_mcp.client.ScalekitClient(sandbox=True)
actions = scalekit.actions
response = actions.get_or_create_connected_account(connection_name="outlook", identifier="user_outlook_789")
if response.connected_account.status != "ACTIVE":
    print(actions.get_authorization_link(connection_name="outlook", identifier="user_outlook_789").link)
```

The asynchronous core runs in a thread of its own, so the calls may come from several threads and from inside a running
event loop (where a call blocks that loop; `execute_tool_soon` does not). After a fork the child gets a core of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from scalekit_mcp.client_core import Core
from scalekit_mcp.errors import NotOffered
from scalekit_mcp.process_clients import PROCESS_CLIENTS
from scalekit_mcp.sdk.actions import SynchronousActions
from scalekit_mcp.sdk.clients import ConnectedAccountsClient, ToolsClient
from scalekit_mcp.sdk.refusals import refused_name
from scalekit_mcp.settings import Settings, check_settings, load_settings

__all__ = ["ScalekitClient", "SynchronousActions", "close_default_client", "default_actions"]


class ScalekitClient:
    """Connected accounts and tools for synchronous code.

    With Scalekit credentials the calls are hosted by Scalekit; without any, the embedded settings come from the
    environment; `sandbox=True` uses the built-in Microsoft look-alike, whatever else is given. `settings` overrides all
    of it. Making one does
    no input or output: the vault, the connections and the sandbox wait for the first call.

    The four parameters of time are those of Scalekit's SDK: the first two are about gRPC, which is not spoken here, and
    have no effect; the others are refused, because every call has its bound (60 seconds) already.

    Closed by `close()`, by `with`, or when neither it nor its `actions` are referred to any more, also at the end of
    the program. Raises `ConfigurationError`, with one sentence per problem.
    """

    def __init__(
        self,
        env_url: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        keepalive_time_ms: int | None = None,
        keepalive_timeout_ms: int | None = None,
        call_timeout_s: float | None = None,
        tool_call_timeout_s: float | None = None,
        *,
        sandbox: bool = False,
        settings: Settings | None = None,
    ) -> None:
        del keepalive_time_ms, keepalive_timeout_ms
        _check_no_timeouts(call_timeout_s=call_timeout_s, tool_call_timeout_s=tool_call_timeout_s)
        chosen = settings or _settings(env_url, client_id, client_secret, sandbox=sandbox)
        check_settings(chosen)
        self._core = Core(chosen)
        PROCESS_CLIENTS.add(self._core)
        self.actions = SynchronousActions(self._core)
        self.connect = self.actions
        """The older name of `actions` in Scalekit's SDK."""
        self.tools = ToolsClient(self.actions)
        self.connected_accounts = ConnectedAccountsClient(self.actions)

    if not TYPE_CHECKING:  # so that a type checker still finds names that are misspelt

        def __getattr__(self, name: str) -> Any:
            """A name of Scalekit's SDK that is refused."""
            if name.startswith("_"):
                raise AttributeError(name)
            return refused_name(name)

    def close(self) -> None:
        """Let calls under way end (at most 5 seconds), then close the vault and the connections; may be called twice.

        A call that had to be cut off, and any later one, raises `ConfigurationError`.
        """
        self._core.close()

    def use_by_default(self) -> None:
        """Have code that is handed no client use this one, as `get_tools` without `actions`; see `default_actions`."""
        PROCESS_CLIENTS.choose(self._core)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def default_actions() -> SynchronousActions:
    """The calls of the process's one client, for code that is handed none, such as `get_tools` without `actions`.

    It is the one whose `use_by_default` was called; else an open one that was made with the settings of the
    environment; else a new one from them, closed at the end of the program. Where the environment names no
    credentials and the process has exactly one open client, it is that one. Raises `ConfigurationError`.
    """
    return SynchronousActions(PROCESS_CLIENTS.default())


def close_default_client() -> None:
    """Close the client that `default_actions` made, if there is one, and forget `use_by_default`."""
    PROCESS_CLIENTS.close()


def _check_no_timeouts(**given: float | None) -> None:
    for name, seconds in given.items():
        if seconds is not None:
            raise NotOffered(
                f"{name} is not taken: every call ends within 60 seconds here.",
                field=name,
                instead="leave it out, or cancel the future of execute_tool_soon when your time is over",
            )


def _settings(env_url: str | None, client_id: str | None, client_secret: str | None, *, sandbox: bool) -> Settings:
    if sandbox or not (env_url or client_id or client_secret):
        return load_settings(sandbox=sandbox or None)
    return load_settings(
        mode="hosted", SCALEKIT_ENV_URL=env_url, SCALEKIT_CLIENT_ID=client_id, SCALEKIT_CLIENT_SECRET=client_secret
    )

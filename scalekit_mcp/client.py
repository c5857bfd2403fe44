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
event loop.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, Self, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from scalekit_mcp.actions import Actions, open_actions
from scalekit_mcp.actions.models import (
    AuthorizationLinkResponse,
    ConnectedAccountResponse,
    ListConnectedAccountsResponse,
    ToolResult,
)
from scalekit_mcp.errors import ConfigurationError
from scalekit_mcp.settings import Settings, load_settings

__all__ = ["ScalekitClient", "SynchronousActions"]

T = TypeVar("T")
START_SECONDS = 30.0
CLOSE_SECONDS = 15.0


class ScalekitClient:
    """Connected accounts and tools for synchronous code.

    With Scalekit credentials the calls are hosted by Scalekit; without any, the embedded settings come from the
    environment; `sandbox=True` uses the built-in Microsoft look-alike. `settings` overrides all of it.

    Closed by `close()`, by `with`, or when it is forgotten. Raises `ConfigurationError`.
    """

    def __init__(
        self,
        env_url: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        *,
        sandbox: bool = False,
        settings: Settings | None = None,
    ) -> None:
        chosen = settings or _settings(env_url, client_id, client_secret, sandbox=sandbox)
        chosen.check()
        self._core = _Core(chosen)
        self._finalizer = weakref.finalize(self, self._core.close)
        self.actions = SynchronousActions(self._core)
        self.connect = self.actions
        """The older name of `actions` in Scalekit's SDK."""

    def close(self) -> None:
        """Stop the core and close the vault and the connections; may be called twice."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SynchronousActions:
    """The calls of `scalekit_mcp.actions.Actions`, each waiting for its answer; raises `ScalekitMCPError`."""

    def __init__(self, core: _Core) -> None:
        self._core = core

    def get_or_create_connected_account(
        self, connection_name: str | None = None, identifier: str = ""
    ) -> ConnectedAccountResponse:
        """The account of `identifier`, created as PENDING if there is none."""
        return self._core.call(
            lambda actions: actions.get_or_create_connected_account(
                connection_name=connection_name, identifier=identifier
            )
        )

    def get_connected_account(
        self, connection_name: str | None = None, identifier: str = ""
    ) -> ConnectedAccountResponse:
        """The account of `identifier`; raises `ConnectedAccountNotFound`. Never holds a token."""
        return self._core.call(
            lambda actions: actions.get_connected_account(connection_name=connection_name, identifier=identifier)
        )

    def list_connected_accounts(
        self,
        connection_name: str | None = None,
        identifier: str | None = None,
        *,
        status: str | None = None,
        page_size: int = 50,
        page_token: str | None = None,
    ) -> ListConnectedAccountsResponse:
        """One page of accounts, in the order of their identifiers."""
        return self._core.call(
            lambda actions: actions.list_connected_accounts(
                connection_name=connection_name,
                identifier=identifier,
                status=status,
                page_size=page_size,
                page_token=page_token,
            )
        )

    def get_authorization_link(
        self,
        identifier: str = "",
        connection_name: str | None = None,
        *,
        state: str | None = None,
        user_verify_url: str | None = None,
        reconnect: bool = False,
    ) -> AuthorizationLinkResponse:
        """The link that the user opens to consent; `link.link`, `link.expires_at`."""
        return self._core.call(
            lambda actions: actions.get_authorization_link(
                connection_name=connection_name,
                identifier=identifier,
                state=state,
                user_verify_url=user_verify_url,
                reconnect=reconnect,
            )
        )

    def wait_for_authorization(
        self, identifier: str = "", connection_name: str | None = None, *, timeout_seconds: float = 300.0
    ) -> ConnectedAccountResponse:
        """Wait until the user has finished consenting or the time is over, and return the account."""
        return self._core.call(
            lambda actions: actions.wait_for_authorization(
                connection_name=connection_name, identifier=identifier, timeout_seconds=timeout_seconds
            )
        )

    def verify_connected_account_user(self, auth_request_id: str, identifier: str) -> ConnectedAccountResponse:
        """Confirm that `identifier` is the person who consented."""
        return self._core.call(
            lambda actions: actions.verify_connected_account_user(
                auth_request_id=auth_request_id, identifier=identifier
            )
        )

    def disconnect(self, identifier: str = "", connection_name: str | None = None) -> ConnectedAccountResponse:
        """Forget the tokens and keep the record."""
        return self._core.call(
            lambda actions: actions.disconnect(connection_name=connection_name, identifier=identifier)
        )

    def delete_connected_account(self, connection_name: str | None = None, identifier: str = "") -> None:
        """Remove the record and its tokens for good."""
        return self._core.call(
            lambda actions: actions.delete_connected_account(connection_name=connection_name, identifier=identifier)
        )

    def execute_tool(
        self,
        tool_input: Mapping[str, Any] | None = None,
        tool_name: str = "",
        identifier: str = "",
        connection_name: str | None = None,
    ) -> ToolResult:
        """Run one tool; the answer is the Graph-shaped dictionary itself, and the same under `.data`."""
        return self._core.call(self._execution(tool_input, tool_name, identifier, connection_name))

    def execute_tool_soon(
        self,
        tool_input: Mapping[str, Any] | None = None,
        tool_name: str = "",
        identifier: str = "",
        connection_name: str | None = None,
    ) -> Future[ToolResult]:
        """As `execute_tool`, without waiting: a future that asynchronous code can await by `asyncio.wrap_future`."""
        return self._core.call_soon(self._execution(tool_input, tool_name, identifier, connection_name))

    @staticmethod
    def _execution(
        tool_input: Mapping[str, Any] | None, tool_name: str, identifier: str, connection_name: str | None
    ) -> Callable[[Actions], Awaitable[ToolResult]]:
        return lambda actions: actions.execute_tool(
            identifier=identifier, tool_name=tool_name, tool_input=tool_input, connection_name=connection_name
        )


class _Core:
    """The asynchronous calls in a daemon thread of their own.

    A daemon thread, because the interpreter joins all others before it runs the finalizer that would end them.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ready = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._portal: BlockingPortal | None = None
        self._actions: Actions | None = None
        self._failure: BaseException | None = None
        self._closed = False

    def call(self, use: Callable[[Actions], Awaitable[T]]) -> T:
        """Run one call in the core and wait for its answer."""
        return self.call_soon(use).result()

    def call_soon(self, use: Callable[[Actions], Awaitable[T]]) -> Future[T]:
        """Run one call in the core."""
        portal, actions = self._started()
        return portal.start_task_soon(_awaited, use, actions)

    def close(self) -> None:
        """End the thread; waits for it."""
        with self._lock:
            self._closed = True
            thread, portal = self._thread, self._portal
        if portal is not None and thread is not None and thread.is_alive():
            try:
                portal.start_task_soon(portal.stop, False)
            except RuntimeError:
                return
            if thread is not threading.current_thread():
                thread.join(CLOSE_SECONDS)

    def _started(self) -> tuple[BlockingPortal, Actions]:
        with self._lock:
            if self._closed:
                raise ConfigurationError("This ScalekitClient is closed.", next_step="Make a new one.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="scalekit-mcp", daemon=True)
                self._thread.start()
        self._ready.wait(START_SECONDS)
        if self._failure is not None:
            raise self._failure
        if self._portal is None or self._actions is None:
            raise ConfigurationError("The client did not start in time.", next_step="Try again.")
        return self._portal, self._actions

    def _run(self) -> None:
        try:
            anyio.run(self._serve)
        except BaseException as failure:  # noqa: BLE001 - handed to the callers
            self._failure = failure
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        async with BlockingPortal() as portal, _composition(self._settings) as actions:
            self._portal, self._actions = portal, actions
            self._ready.set()
            await portal.sleep_until_stopped()


async def _awaited(use: Callable[[Actions], Awaitable[T]], actions: Actions) -> T:
    return await use(actions)


@asynccontextmanager
async def _composition(settings: Settings) -> AsyncGenerator[Actions]:
    """The calls; where they are embedded and no public URL serves our pages, with a loopback listener."""
    if settings.public_url or settings.resolved_mode == "hosted":
        async with open_actions(settings) as actions:
            yield actions
        return
    from scalekit_mcp.server.listener import Listener

    async with (
        Listener(preferred_port=settings.port, sandbox=settings.sandbox) as listener,
        open_actions(settings, link_base=listener.base_url) as actions,
    ):
        listener.serve(actions)
        yield actions


def _settings(env_url: str | None, client_id: str | None, client_secret: str | None, *, sandbox: bool) -> Settings:
    if not (env_url or client_id or client_secret):
        return load_settings(sandbox=sandbox or None)
    return load_settings(
        mode="hosted",
        SCALEKIT_ENV_URL=env_url,
        SCALEKIT_CLIENT_ID=client_id,
        SCALEKIT_CLIENT_SECRET=client_secret,
        sandbox=sandbox or None,
    )

"""Which tenants may sign in, where not all may: told by ids, or by names that the provider turns into ids."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from scalekit_mcp.concurrency import SingleFlight
from scalekit_mcp.errors import ConfigurationError, ProviderUnavailable, ScalekitMCPError

TenantOf = Callable[[str], Awaitable[str | None]]
"""The id of a tenant by its name; None where there is none. Raises `ScalekitMCPError` where nobody can say now."""


class AllowedTenants:
    """The tenants of a closed list; all, where the list is empty.

    Ids alone are compared, never the domain of an address: a personal account may carry any address, and a guest
    carries that of another organization.
    """

    def __init__(self, *, ids: Collection[str] = (), names: Collection[str] = (), tenant_of: TenantOf) -> None:
        self._ids = {tid.casefold() for tid in ids}
        self._unknown = set(names)
        self._all = not ids and not names
        self._tenant_of = tenant_of
        self._resolving: SingleFlight[str, None] = SingleFlight()

    async def resolve(self) -> None:
        """Learn the ids of the names that are not known yet; callers at the same time share it.

        Raises:
            ConfigurationError: a tenant does not exist.
            ProviderUnavailable: the provider cannot say just now.
        """
        if self._unknown:
            await self._resolving.run("", self._resolve)

    def allows(self, tid: str) -> bool:
        """Whether a tenant may sign in; raises `ProviderUnavailable` while that is not known."""
        if self._all or tid.casefold() in self._ids:
            return True
        if self._unknown:
            raise _not_known()
        return False

    async def _resolve(self) -> None:
        for name in sorted(self._unknown):
            try:
                tid = await self._tenant_of(name)
            except ConfigurationError:
                raise
            except ScalekitMCPError as error:
                raise _not_known() from error
            if tid is None:
                raise ConfigurationError(
                    f"SCALEKIT_MCP_ALLOWED_TENANTS names '{name}', and Microsoft knows no such tenant."
                )
            self._ids.add(tid.casefold())
            self._unknown.discard(name)


def _not_known() -> ProviderUnavailable:
    return ProviderUnavailable(
        "It is not known yet which tenants may sign in, because Microsoft cannot be reached.",
        next_step="Try again in a minute.",
    )

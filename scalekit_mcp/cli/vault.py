"""`vault migrate` and `vault rotate`: the store of accounts and sealed tokens, looked after by its operator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import anyio
import click

from scalekit_mcp.cli.progress import Progress
from scalekit_mcp.clock import SystemClock
from scalekit_mcp.errors import ConfigurationError, VaultError
from scalekit_mcp.settings import Settings

if TYPE_CHECKING:
    from scalekit_mcp.accounts import AccountServices, RotationProgress

T = TypeVar("T")


def with_accounts(settings: Settings, doing: str, use: Callable[[AccountServices, Progress], Awaitable[T]]) -> T:
    """Open the vault, use its accounts once, close it; needs no Azure app. `doing` is for its progress."""
    if settings.sandbox and settings.database_url is None:
        raise ConfigurationError("The sandbox's vault is in memory and ends with its process; there is none to open.")

    async def run() -> T:
        from scalekit_mcp.actions import embedded_services

        with Progress(doing) as progress:
            services = embedded_services(settings, clock=SystemClock(), timezone="UTC", user_verification="off")
            try:
                return await use(services.connected, progress)
            finally:
                await services.aclose()

    return anyio.run(run)


def run_migrate(settings: Settings) -> None:
    """Bring the vault's tables to the newest version; the first process that opens a vault does the same."""

    async def use(connected: AccountServices, _: Progress) -> int:
        return (await connected.accounts.list(page_size=1)).total_size

    count = with_accounts(settings, "Bringing the vault's tables to the newest version", use)
    from scalekit_mcp.accounts import HEAD

    click.echo(f"The vault is at version {HEAD}; it holds {count} connected account(s).")


def run_rotate(settings: Settings) -> None:
    """Seal every record under the first key, while servers go on; may be stopped and begun again.

    With a key file a new key is put in front first, unless an earlier rotation was not finished.
    """
    if settings.vault_keys is None:
        pending = _reseal(settings)
        if pending.resealed:
            click.echo("That finished an earlier rotation. Run the command again to bring in a new key.")
            _print_result(pending)
            return
        _add_key()
    done = _reseal(settings)
    if settings.vault_keys is not None and not done.resealed and not done.unreadable:
        click.echo(
            "Every record is sealed under the first key already. To bring in a new one:\n"
            "  1. Put it in front: SCALEKIT_MCP_VAULT_KEYS=new:<base64 of 32 bytes>,<the keys that are there now>\n"
            '     (a key: python -c "import base64,secrets; '
            'print(base64.b64encode(secrets.token_bytes(32)).decode())")\n'
            "  2. Restart every server with it. On several replicas first append it at the end everywhere, then move "
            "it to the front.\n"
            "  3. Run `scalekit-mcp vault rotate` again; then the old keys can go."
        )
        return
    _print_result(done)


def _add_key() -> None:
    from scalekit_mcp.accounts import add_key_to_file
    from scalekit_mcp.actions import key_file

    ring = add_key_to_file(key_file())
    click.echo(f"New key '{ring.sealing_key_id}' in front of {key_file()}.")


def _reseal(settings: Settings) -> RotationProgress:
    from scalekit_mcp.accounts import rotate_keys

    async def use(connected: AccountServices, progress: Progress) -> RotationProgress:
        def show(so_far: RotationProgress) -> None:
            seen = so_far.resealed + so_far.unreadable
            progress.at(seen, seen + so_far.remaining)

        return await rotate_keys(connected.vault, show)

    return with_accounts(settings, "Sealing records anew (may be stopped and begun again)", use)


def _print_result(done: RotationProgress) -> None:
    if done.unreadable:
        raise VaultError(
            f"{done.resealed} record(s) were sealed anew; {done.unreadable} could not be opened and are as they were.",
            next_step="Add the key that they were sealed with and run the command again, or delete those accounts.",
        )
    click.echo(
        f"{done.resealed} record(s) sealed anew, {done.remaining} to do. Servers that run read a new key from the key "
        "file when they meet it, but seal with the old one until they are restarted: keep the old key until then, and "
        "run the command once more afterwards."
    )

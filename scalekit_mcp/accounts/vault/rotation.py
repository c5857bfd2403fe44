"""Sealing all records of a vault again, one by one, after a new first key was added."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from scalekit_mcp.accounts.vault.vault import Vault

_RESEAL_BATCH = 200


@dataclass(frozen=True, slots=True)
class RotationProgress:
    """How far a rotation of the vault keys is."""

    resealed: int
    unreadable: int
    remaining: int


async def rotate_keys(vault: Vault, progress: Callable[[RotationProgress], None] | None = None) -> RotationProgress:
    """Seal every record anew with the first key, while others read and write; may be stopped and begun again."""
    after: str | None = None
    resealed = unreadable = 0
    while True:
        step = await vault.reseal(after=after, limit=_RESEAL_BATCH)
        resealed, unreadable = resealed + step.resealed, unreadable + step.unreadable
        state = RotationProgress(resealed, unreadable, step.remaining)
        if progress is not None:
            progress(state)
        if step.after is None:
            return state
        after = step.after

"""Remarks of a result beside its data: notes and warnings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remarks:
    """Sentences for a result: `notes` on what was done as documented, `warnings` on what did not happen as asked."""

    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __add__(self, other: Remarks) -> Remarks:
        return Remarks(self.notes + other.notes, self.warnings + other.warnings)

    def members(self) -> dict[str, list[str]]:
        """The members of a result, each sentence once; a list without sentences is left out."""
        both = {"notes": self.notes, "warnings": self.warnings}
        return {name: list(dict.fromkeys(told)) for name, told in both.items() if told}


NO_REMARKS = Remarks()


def noted(*sentences: str | None) -> Remarks:
    """Notes; None stands for nothing to say."""
    return Remarks(notes=_said(sentences))


def warned(*sentences: str | None) -> Remarks:
    """Warnings; None stands for nothing to say."""
    return Remarks(warnings=_said(sentences))


def _said(sentences: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sentence for sentence in sentences if sentence)

"""Reading our own Markdown: tables and fenced blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block: where, its language, what stands behind the language, its text."""

    file: str
    line: int
    language: str
    info: str
    text: str


def blocks(path: Path) -> list[Block]:
    text = path.read_text("utf-8")
    return [
        Block(
            path.relative_to(ROOT).as_posix(),
            text[: found.start()].count("\n") + 1,
            found[1],
            found[2].strip(),
            found[3],
        )
        for found in FENCE.finditer(text)
    ]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, heads and rules left out."""
    found: list[list[str]] = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        after = lines[number + 1] if number + 1 < len(lines) else ""
        if (
            line.startswith("|")
            and not set(line) <= set("|-: ")
            and not (after.startswith("|") and set(after) <= set("|-: "))
        ):
            found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))])
    return found


def pages() -> list[Path]:
    """The README and every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

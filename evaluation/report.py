"""What a run found, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluation.runner import Result
from evaluation.tasks import TASKS

_LONGEST_PROBLEM = 160


def as_json(about: dict[str, Any], results: Sequence[Result], *, whole: bool) -> str:
    """The report as JSON text; `about` says what was run, `whole` whether it came to its end."""
    totals = {
        "plays": len(results),
        **{grade.replace(" ", "_"): _count(results, grade) for grade in ("passed", "failed", "not graded")},
        "calls": sum(len(result.calls) for result in results),
        "answer_bytes": sum(result.answer_bytes for result in results),
        "input_tokens": _sum(result.input_tokens for result in results),
        "output_tokens": _sum(result.output_tokens for result in results),
    }
    told = {"about": about, "whole": whole, "totals": totals, "results": [asdict(result) for result in results]}
    return json.dumps(told, indent=1, ensure_ascii=False)


def write(path: Path, text: str) -> None:
    """Replace a file at once, so that an interrupted run leaves the report of before or of now."""
    beside = path.with_name(f"{path.name}.tmp")
    beside.write_text(text + "\n", encoding="utf-8")
    beside.replace(path)


def table(results: Sequence[Result]) -> str:
    """One line for each task, its reasons below it where it was not passed, and the sums."""
    names = [name for name in TASKS if any(result.task == name for result in results)]
    width = max([len("all"), *map(len, names)])
    lines = [_line("task", "passed", "calls", "tokens in", "out", "answer bytes", "seconds", width)]
    for name in names:
        plays = sorted((each for each in results if each.task == name), key=lambda result: result.repeat)
        lines.append(_sums(name, plays, width))
        for play in plays:
            mark = "" if len(plays) == 1 else f"{play.repeat}: "
            kind = "not graded: " if play.grade == "not graded" else ""
            lines += [f"    {mark}{kind}{problem[:_LONGEST_PROBLEM]}" for problem in play.problems]
    lines.append(_sums("all", results, width))
    missing = _count(results, "not graded")
    if missing:
        lines.append(f"{missing} could not be graded and count neither way.")
    return "\n".join(lines)


def progress(result: Result) -> str:
    """One line about a play that has just ended."""
    return f"{result.grade:>10}  {result.task}  {len(result.calls)} calls, {result.seconds:.1f} s"


def _sums(name: str, plays: Sequence[Result], width: int) -> str:
    graded = len(plays) - _count(plays, "not graded")
    tokens = (_sum(play.input_tokens for play in plays), _sum(play.output_tokens for play in plays))
    return _line(
        name,
        f"{_count(plays, 'passed')}/{graded}",
        str(sum(len(play.calls) for play in plays)),
        *("-" if number is None else f"{number:,}" for number in tokens),
        f"{sum(play.answer_bytes for play in plays):,}",
        f"{sum(play.seconds for play in plays):.1f}",
        width,
    )


def _line(name: str, *cells: Any) -> str:
    *texts, width = cells
    return "  ".join(
        [name.ljust(width), *(text.rjust(room) for text, room in zip(texts, (7, 5, 9, 7, 12, 7), strict=True))]
    )


def _count(results: Iterable[Result], grade: str) -> int:
    return sum(result.grade == grade for result in results)


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None

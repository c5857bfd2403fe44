"""What was measured: rows beside their floor, as a table, as a page of the documentation, and as a picture."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from rich.console import Console
from rich.table import Table

LESS, MORE = "less", "more"
NONE = "-"


@dataclass(frozen=True)
class Row:
    """One measured thing. `ratio` is ours to the floor; `aim` its bound; `better` says in which direction."""

    group: str
    what: str
    floor: str
    ours: str
    ratio: float | None = None
    aim: float | None = None
    better: str = LESS
    aim_text: str = ""
    good: bool | None = None
    """Set where the aim is not one for the ratio."""

    @property
    def holds(self) -> bool | None:
        """Whether the aim holds; None for a row without one."""
        if self.good is not None or self.aim is None or self.ratio is None:
            return self.good
        return round(self.ratio, 2) <= self.aim if self.better == LESS else round(self.ratio, 2) >= self.aim

    @property
    def aim_shown(self) -> str:
        if self.aim_text or self.aim is None:
            return self.aim_text
        return f"{'≤' if self.better == LESS else '≥'} {self.aim:g}"


@dataclass
class Report:
    """The rows of one run, and what was left out."""

    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)

    def add(self, *rows: Row) -> None:
        self.rows += rows

    def ratio(
        self, group: str, what: str, values: tuple[float, float], form: str, ratio: float | None = None, **more: object
    ) -> None:
        """A row of (floor, ours), both shown by `form`; the ratio is that of the two unless it is given."""
        floor, ours = values
        found = ours / floor if ratio is None else ratio
        self.add(Row(group, what, form.format(floor), form.format(ours), found, **more))  # type: ignore[arg-type]


def machine() -> str:
    memory = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.0f} GB memory"
    load = f", load average {os.getloadavg()[2]:.1f} over 15 minutes" if hasattr(os, "getloadavg") else ""
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{memory}, "
        f"{platform.python_implementation()} {platform.python_version()}{load}"
    )


def shown(ratio: float | None) -> str:
    return NONE if ratio is None else f"{ratio:.2f}"


def verdict(row: Row) -> str:
    return {True: "yes", False: "**no**", None: ""}[row.holds]


def on_console(report: Report) -> None:
    table = Table("", "measured", "floor", "ours", "ratio", "aim", "holds", title="Beside the floor, same run")
    group = ""
    for row in report.rows:
        if group and row.group != group:
            table.add_section()
        head, group = ("" if row.group == group else row.group), row.group
        table.add_row(
            head, row.what, row.floor, row.ours, shown(row.ratio), row.aim_shown, verdict(row).replace("*", "")
        )
    console = Console()
    console.print(machine())
    console.print(table)
    for line in report.left_out:
        console.print(f"Left out: {line}")


def page(runs: Sequence[Report], *, date: str, text: str) -> str:
    """The page. `text` has the places {machine}, {date}, {noise}, {missed}, {tables} and {left_out}."""
    return text.format(
        machine=machine(),
        date=date,
        noise=noise(runs),
        missed=missed(runs),
        tables=tables(runs),
        left_out="".join(f"- {line}\n" for line in dict.fromkeys(line for run in runs for line in run.left_out))
        or "Nothing.\n",
    ).replace("\n\n\n", "\n\n")


def tables(runs: Sequence[Report]) -> str:
    second = {(row.group, row.what): row for row in runs[-1].rows}
    lines: list[str] = []
    group = ""
    for row in runs[0].rows:
        if row.group != group:
            group = row.group
            lines += [
                "",
                f"### {group}",
                "",
                "| measured | floor | ours | ratio | again | aim | holds |",
                "|---" * 7 + "|",
            ]
        again = second.get((row.group, row.what))
        both = {verdict(row), verdict(again)} if again else {verdict(row)}
        holds = verdict(row) if len(both) == 1 else "**once**"
        cells = (row.what, row.floor, row.ours, shown(row.ratio), shown(again.ratio if again else None), row.aim_shown)
        lines.append(f"| {' | '.join((*cells, holds))} |")
    return "\n".join(lines).strip() + "\n"


def noise(runs: Sequence[Report]) -> str:
    """How far the ratios of two runs are apart, in one sentence."""
    second = {(row.group, row.what): row.ratio for row in runs[-1].rows}
    far: list[tuple[float, str]] = []
    for row in runs[0].rows:
        other = second.get((row.group, row.what))
        if row.ratio and other:
            far.append((max(row.ratio, other) / min(row.ratio, other) - 1, f"{row.group}, {row.what}"))
    far.sort()
    tails = [each for each in far if "p99" in each[1]]
    rest = [each for each in far if "p99" not in each[1]]

    def words(found: list[tuple[float, str]]) -> str:
        at = found[-1]
        return f"by {found[len(found) // 2][0]:.0%} in the median and by {at[0]:.0%} at most ({at[1]})"

    return f"The ratios of the two runs differ {words(rest)}; those of the p99 rows {words(tails)}."


def missed(runs: Sequence[Report]) -> str:
    """The rows whose aim did not hold in one of the runs, as a list."""
    names = dict.fromkeys(f"{row.group}, {row.what}" for run in runs for row in run.rows if row.holds is False)
    if not names:
        return "Every aim held in both runs."
    return "Aims missed in at least one run:\n\n" + "\n".join(f"- {name}" for name in names)


STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.head { font-weight: 600; font-size: 13px } .soft { fill: #57606a }
.good { fill: #2f7d4f } .bad { fill: #b35900 } .plain { fill: #6e7781 }
.one { stroke: #57606a; stroke-dasharray: 3 3 } .aim { stroke: #c2185b; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .soft { fill: #9da7b3 } .good { fill: #4cae74 } .bad { fill: #e08b3a } .plain { fill: #8b949e }
  .one { stroke: #9da7b3 } .aim { stroke: #ff6fa5 }
}
"""
WIDTH, LEFT, LINE, FULL = 860, 400, 22, 2.0
MARGIN = 100


def picture(report: Report) -> str:
    """Horizontal bars of the ratios, the aim of each as a line; less is better above, more is better below."""
    scale = (WIDTH - LEFT - 60) / FULL
    parts: list[str] = []
    y = 24
    for better, title in ((LESS, "times and sizes: less is better"), (MORE, "rates: more is better")):
        rows = [
            row
            for row in report.rows
            if row.ratio is not None and row.better == better and ("p99" not in row.what or row.aim is not None)
        ]
        if not rows:
            continue
        parts.append(f'<text class="head" x="16" y="{y}">Ratio to the floor, {title}</text>')
        top = y + 10
        y += 30
        for row in rows:
            assert row.ratio is not None
            kind = {True: "good", False: "bad", None: "plain"}[row.holds]
            width = min(row.ratio, FULL) * scale
            parts.append(f'<text x="{LEFT - 10}" y="{y}" text-anchor="end">{escape(f"{row.group}: {row.what}")}</text>')
            parts.append(f'<rect class="{kind}" x="{LEFT}" y="{y - 11}" width="{width:.1f}" height="14" rx="2"/>')
            parts.append(f'<text class="soft" x="{LEFT + width + 8:.1f}" y="{y}">{row.ratio:.2f}</text>')
            if row.aim is not None:
                x = f"{LEFT + row.aim * scale:.1f}"
                parts.append(f'<line class="aim" x1="{x}" x2="{x}" y1="{y - 14}" y2="{y + 6}"/>')
            y += LINE
        one = f"{LEFT + scale:.1f}"
        parts.append(f'<line class="one" x1="{one}" x2="{one}" y1="{top}" y2="{y - 14}"/>')
        y += 18
    note = "Dashed: the floor. Coloured line: the aim. Green: it holds; orange: it does not; grey: no aim."
    parts.append(f'<text class="soft" x="16" y="{y}">{note}</text>')
    # The longest names reach to the left of the column.
    size = f'width="{WIDTH + MARGIN}" height="{y + 16}" viewBox="{-MARGIN} 0 {WIDTH + MARGIN} {y + 16}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n<title>Ratios to the floor</title>\n'
        f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )

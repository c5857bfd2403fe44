"""What was found of the peers: tables on the console and on a page, and a picture."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from rich.console import Console
from rich.table import Table

from bench.over_stdio import CHARACTERS_OF_A_TOKEN
from bench.peers.field import KINDS, Kind, Peer
from bench.peers.measurement import CALLS, ROUNDS, STARTS, Found, Measured
from bench.report import NONE, STYLE, machine

NAMES: dict[Kind, str] = {"list": "list of 20", "get": "get", "create": "create"}


@dataclass(frozen=True)
class Sheet:
    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""


def sheets(found: Found) -> list[Sheet]:
    """All tables, one row a server, the floor first. A number in brackets is the ratio to the floor."""
    return [
        _starts(found),
        _calls(found, "One call at a time", 1, rates_first=False),
        _calls(found, "16 calls under way", 16, rates_first=True),
        _sizes(found),
        _asked(found),
    ]


def ratio(server: list[float], floor: list[float]) -> float:
    """The middle one of the ratios of the rounds, in which both took turns."""
    return statistics.median(ours / theirs for ours, theirs in zip(server, floor, strict=True))


def _beside(form: str, server: list[float], floor: list[float], scale: float = 1) -> str:
    return f"{form.format(statistics.median(server) * scale)} ({ratio(server, floor):.2f})"


def _starts(found: Found) -> Sheet:
    floor = found.measured[0]
    rows = [
        (
            server.name,
            _beside("{:.0f} ms", server.starts, floor.starts, 1e3),
            _beside("{:.0f} ms", server.first_calls, floor.first_calls, 1e3),
            str(server.tools),
            f"{server.tools_bytes:,}",
            f"{server.tools_characters / CHARACTERS_OF_A_TOKEN:,.0f}",
        )
        for server in found.measured
    ]
    head = ("server", "process start to tools/list", "first list call", "tools", "tools/list, bytes", "tokens")
    return Sheet("Start and tools", head, rows)


def _calls(found: Found, title: str, under_way: int, *, rates_first: bool) -> Sheet:
    """Times and rates of each kind of call with so many under way, beside the floor's."""
    floor = found.measured[0]
    time = "{:.1f} ms" if under_way == 1 else "{:.0f} ms"
    rows: list[tuple[str, ...]] = []
    for server in found.measured:
        times = [_beside(time, server.p50[kind, under_way], floor.p50[kind, under_way], 1e3) for kind in KINDS]
        rates = [_beside("{:.0f}", server.rates[kind, under_way], floor.rates[kind, under_way]) for kind in KINDS]
        rows.append((server.name, *((*rates, *times) if rates_first else (*times, *rates))))
    times, rates = [f"{NAMES[kind]}, p50" for kind in KINDS], [f"{NAMES[kind]}, a second" for kind in KINDS]
    head = ("server", *((*rates, *times) if rates_first else (*times, *rates)))
    return Sheet(title, head, rows)


def _sizes(found: Found) -> Sheet:
    floor = found.measured[0]

    def memory(server: Measured) -> str:
        if server.resident_mb is None:
            return NONE
        beside = f" ({server.resident_mb / floor.resident_mb:.2f})" if floor.resident_mb else ""
        return f"{server.resident_mb:.0f} MB{beside}"

    rows = [
        (
            server.name,
            f"{len(server.answers['list'].encode()):,}",
            f"{len(server.answers['list']) / CHARACTERS_OF_A_TOKEN:,.0f}",
            f"{len(server.answers['get'].encode()):,}",
            f"{len(server.answers['create'].encode()):,}",
            memory(server),
        )
        for server in found.measured
    ]
    head = ("server", "list of 20, bytes", "tokens", "get, bytes", "create, bytes", "resident memory")
    called = min((server.called for server in found.measured), default=0)
    return Sheet("Answers and memory", head, rows, f"Memory is that of the process after {called:,} calls or more.")


def _asked(found: Found) -> Sheet:
    rows = [(server.name, *("; ".join(server.requests[kind]) for kind in KINDS)) for server in found.measured]
    return Sheet("What a call asks of Microsoft", ("server", *(NAMES[kind] for kind in KINDS)), rows)


def on_console(found: Found) -> None:
    console = Console()
    console.print(machine())
    for sheet in sheets(found):
        table = Table(*sheet.head, title=sheet.title)
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)
    for server in found.measured:
        console.print(f"{server.name}, consent withdrawn: {server.refusal}", markup=False)
    for line in found.left_out:
        console.print(f"Left out: {line}", markup=False)


def page(found: Found, peers: Sequence[Peer], *, date: str, node: str, text: str) -> str:
    """The page. `text` has a place for each name below."""
    return text.format(
        machine=machine(),
        node=node,
        counts=f"{STARTS} starts of each server; {ROUNDS} rounds of {CALLS} calls for each value.",
        date=date,
        peers=_table(
            ("name here", "package", "version", "registry", "how it gets the token"),
            [(peer.name, f"`{peer.package}`", peer.version, peer.registry, peer.token) for peer in peers],
        ),
        tables="\n".join(
            f"### {sheet.title}\n\n{_table(sheet.head, sheet.rows)}" + (f"\n{sheet.note}\n" if sheet.note else "")
            for sheet in sheets(found)
        ).strip(),
        refusals=_table(("server", "answer"), _refusals(found)).strip(),
        left_out="".join(f"- {line}\n" for line in found.left_out).strip() or "Nothing.",
    )


def _refusals(found: Found) -> list[tuple[str, ...]]:
    """One answer for each program: its starts answer alike."""
    first = {server.name.partition(",")[0]: server.refusal for server in reversed(found.measured)}
    names = dict.fromkeys(server.name.partition(",")[0] for server in found.measured)
    return [(name, f"`` {first[name]} ``") for name in names]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


WIDTH, LEFT, LINE, BLOCK = 1040, 250, 20, 30
COLUMN = WIDTH // 2
BARS: tuple[tuple[str, Callable[[Measured], float | None], str], ...] = (
    ("process start to tools/list, ms (less is better)", lambda it: statistics.median(it.starts) * 1e3, "{:.0f}"),
    ("tools/list, tokens (less is better)", lambda it: it.tools_characters / CHARACTERS_OF_A_TOKEN, "{:,.0f}"),
    ("list of 20, p50, ms (less is better)", lambda it: statistics.median(it.p50["list", 1]) * 1e3, "{:.1f}"),
    (
        "list of 20, 16 under way, a second (more is better)",
        lambda it: statistics.median(it.rates["list", 16]),
        "{:.0f}",
    ),
    ("get, p50, ms (less is better)", lambda it: statistics.median(it.p50["get", 1]) * 1e3, "{:.1f}"),
    ("create, p50, ms (less is better)", lambda it: statistics.median(it.p50["create", 1]) * 1e3, "{:.1f}"),
    (
        "list of 20, tokens of its text (less is better)",
        lambda it: len(it.answers["list"]) / CHARACTERS_OF_A_TOKEN,
        "{:,.0f}",
    ),
    ("resident memory, MB (less is better)", lambda it: it.resident_mb, "{:.0f}"),
)


def picture(found: Found) -> str:
    """Blocks of bars, two in a line: one bar a server, as long as its value beside the largest of its block."""
    height = BLOCK + LINE * len(found.measured) + 16
    parts: list[str] = []
    for number, (title, value, form) in enumerate(BARS):
        left, y = (number % 2) * COLUMN, 24 + (number // 2) * height
        parts.append(f'<text class="head" x="{left + 16}" y="{y}">{escape(title)}</text>')
        values = [value(server) for server in found.measured]
        most = max((each for each in values if each is not None), default=0) or 1
        for line, (server, each) in enumerate(zip(found.measured, values, strict=True)):
            at = y + BLOCK - 8 + line * LINE
            kind = "good" if server.name.startswith("ours") else "plain"
            wide = (each or 0) / most * (COLUMN - LEFT - 70)
            told = NONE if each is None else form.format(each)
            parts.append(f'<text x="{left + LEFT - 8}" y="{at}" text-anchor="end">{escape(server.name)}</text>')
            parts.append(
                f'<rect class="{kind}" x="{left + LEFT}" y="{at - 11}" width="{wide:.1f}" height="14" rx="2"/>'
            )
            parts.append(f'<text class="soft" x="{left + LEFT + wide + 6:.1f}" y="{at}">{told}</text>')
    total = 40 + ((len(BARS) + 1) // 2) * height
    parts.append(f'<text class="soft" x="16" y="{total - 16}">Green: ours. Each block has a scale of its own.</text>')
    size = f'width="{WIDTH}" height="{total}" viewBox="0 0 {WIDTH} {total}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n<title>Servers beside one sandbox</title>\n'
        f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )

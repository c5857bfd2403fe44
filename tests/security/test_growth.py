"""The time that text takes grows with its length, whoever wrote it.

Every regular expression of the product and every function that takes a text is given hostile text of 10 and of 200
thousand characters: 20 times the length may take at most 40 times the time. Run with `-s` to see each.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from growth_search import Expression, expressions, functions_of_text

from scalekit_mcp.calendar.events.join_block import join_block, keep_join_block
from scalekit_mcp.calendar.text import neutralised
from scalekit_mcp.microsoft.graph.errors import GraphFailure
from scalekit_mcp.microsoft.identity.challenge import claims_challenge
from scalekit_mcp.tools import TOOLS, parse_arguments
from scalekit_mcp.tools.answer_size import fitted, shortened
from scalekit_mcp.tools.base import parameters_of
from scalekit_mcp.tools.inputs.values import items

SHORT, MIDDLE, LONG = 10_000, 40_000, 200_000
STEPS = (1_000, 4_000, SHORT, MIDDLE, LONG)
MOST_GROWTH = 40
GIVEN_UP_SECONDS = 0.2
FLOOR_SECONDS = 0.0005
"""A short text that takes less counts as taking this: what is not slow at 200 thousand characters harms nobody."""

BRICKS = (
    "<html", "<a>", '<p class="', "<!--", "<style>", "&#9", "&amp;", "_" * 25 + "\n", "https://a.", "a@", "A <a@b.co>;",
    "<", '"', "\\", "(", ",", "[", '{"a":', '["a",', " ", "\n", "\r\n\r\n", "x ", 'x="b\\",', "=", "%41", ".", "/", "9",
    "2026-04-01T10:00:00", "+02:00", "start/dateTime ", "AADSTS90094", "data: x\n", "a\u0327\u0301", "\u0315\u0300",
    "👩\u200d", "क्\u200d", "\U000e0041", "\u202e", "\ud800", "eq 'a' and ", "a.b.", "Trace ID: a\r\n", "America/",
    "monday,",
)  # fmt: skip
ENDS = ("", "\x00", ">", '"')

DYNAMIC = {
    "scalekit_mcp.actions.catalogue.tool",  # names of parameters, in a message of our own
}
"""Modules that make regular expressions of what is not known before, and of what."""

BOUNDED: dict[str, int] = {}
"""Expressions whose callers cut the text before: how many characters reach them. Their callers are tried below."""

TEXT_ROOMS = (
    "scalekit_mcp.tools", "scalekit_mcp.microsoft", "scalekit_mcp.calendar", "scalekit_mcp.scalekit",
    "scalekit_mcp.network", "scalekit_mcp.identifiers", "scalekit_mcp.confirmation_code", "scalekit_mcp.upstream",
    "scalekit_mcp.settings", "scalekit_mcp.telemetry", "scalekit_mcp.server", "scalekit_mcp.accounts",
)  # fmt: skip
"""Where functions take text of callers, of Microsoft, of Scalekit or of an issuer."""


@pytest.fixture(autouse=True)
def without_garbage_collector() -> Iterator[None]:
    """Its turns come with the number of objects and are no work on the text."""
    gc.disable()
    yield
    gc.enable()


def seconds(work: Callable[[str], Any], text: str) -> float:
    began = time.process_time()
    with contextlib.suppress(Exception):  # how it ends does not matter here, only when
        work(text)
    return time.process_time() - began


def growth(work: Callable[[str], Any], brick: str, end: str = "") -> tuple[float, float]:
    """How many times as long the long text takes as the short one, and how long that is; measured again if much.

    The length goes up in steps: where one takes far more time than its length explains, the next would not end.
    """
    for tries in (1, 3):
        times: dict[int, float] = {}
        for before, size in itertools.pairwise((0, *STEPS)):
            text = brick * (size // len(brick)) + end
            times[size] = max(min(seconds(work, text) for _ in range(tries)), FLOOR_SECONDS)
            if size == MIDDLE and times[size] <= FLOOR_SECONDS:
                return 1.0, times[size]  # not even a square would be slow for the long text
            steep = before and times[size] / times[before] > 3 * size / before
            if steep and (tries > 1 or times[size] > GIVEN_UP_SECONDS):
                return MOST_GROWTH * times[size] / times[before], times[size]
        if times[LONG] / times[SHORT] < MOST_GROWTH:
            break
    return times[LONG] / times[SHORT], times[LONG]


def too_steep(name: str, work: Callable[[str], Any], bricks: Iterable[str], ends: Iterable[str] = ("",)) -> list[str]:
    worst, worst_brick, found = (0.0, 0.0), "", list[str]()
    for brick in bricks:
        for end in ends:
            measured = growth(work, brick, end)
            if measured > worst:
                worst, worst_brick = measured, brick
            if measured[0] >= MOST_GROWTH:
                found.append(f"{name}: {measured[0]:.0f} times, {measured[1]:.2f} s, for {brick + '...' + end!a}")
    sys.stdout.write(f"{name}: at most {worst[0]:.1f} times ({worst[1] * 1000:.1f} ms) for {worst_brick!a}\n")
    return found


def pumps(pattern: str) -> list[str]:
    """Text that this pattern begins to match again and again: its literals, and the bricks that hold them."""
    literals = re.findall(r"[A-Za-z]{3,}[:/.]*|[^\\()\[\]{}|*+?^$\s]", re.sub(r"\\[a-zA-Z]", "", pattern))
    own = list(dict.fromkeys([*literals[:12], *(a + b for a, b in itertools.pairwise(literals[:8]))]))
    return [*own, "a", "0", " ", "\n", "a ", "a.", "a/", "aa,", "0-", "\\", '"', "<", "_", "<!---->"]


EXPRESSIONS, MADE_LATER = expressions()


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=lambda expression: expression.where)
def test_a_regular_expression_grows_with_its_text(expression: Expression) -> None:
    if expression.where in BOUNDED:
        sys.stdout.write(f"{expression.where}: at most {BOUNDED[expression.where]} characters reach it\n")
        return
    found: list[str] = []
    for method in expression.methods:
        use = getattr(expression.pattern, method)
        work = {"sub": lambda text, use=use: use("", text), "finditer": lambda text, use=use: list(use(text))}
        found += too_steep(
            f"{expression.where}.{method}", work.get(method, use), pumps(expression.pattern.pattern), ENDS[:2]
        )
    assert found == []


def test_expressions_made_of_what_is_not_known_before_are_known() -> None:
    assert set(MADE_LATER) <= DYNAMIC


def test_the_search_finds_what_there_is() -> None:
    names = {expression.where for expression in EXPRESSIONS}
    assert {
        "scalekit_mcp.calendar.events.join_block._SEPARATOR",
        "scalekit_mcp.tools.inputs.people._FORBIDDEN",
    } <= names
    assert any(":" in name for name in names)
    assert len(names) > 50


FUNCTIONS = dict(functions_of_text(TEXT_ROOMS))


def test_every_room_of_text_has_functions_of_text() -> None:
    assert [room for room in TEXT_ROOMS if not any(name.startswith(room) for name in FUNCTIONS)] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_a_text_grows_with_it(name: str) -> None:
    assert too_steep(name, FUNCTIONS[name], BRICKS) == []


PARAMETERS = {
    parameter.parse.__qualname__: parameter.parse
    for spec in TOOLS.values()
    for parameter in parameters_of(spec.arguments).values()
}
"""One parameter for each way to read a value."""


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_way_to_read_an_argument_grows_with_its_text(name: str) -> None:
    assert too_steep(name, PARAMETERS[name], BRICKS) == []


TEXTS: dict[str, Callable[[str], Any]] = {
    "new HTML beside a join block": lambda text: keep_join_block(text, text, "html"),
    "new text beside a join block": lambda text: keep_join_block(text, text, "text"),
    "finding a join block": join_block,
    "a whole answer made harmless": lambda text: neutralised(
        {"a": text, text[:50]: [text[:1000]] * (len(text) // 1000)}
    ),
    "an answer made short": lambda text: fitted({"a": text, "b": [text[:100]] * (len(text) // 100)}),
    "an answer of deep objects made short": lambda text: shortened({"a": {"b": {"c": [text]}}}, 1000),
    "an error of Graph": lambda text: GraphFailure.read(
        400, f'{{"error":{{"code":"{text}","message":"{text}"}}}}'.encode()
    ),
    "a challenge of Graph": lambda text: claims_challenge([text, f'Bearer claims="{text}"']),
    "many challenges": lambda text: claims_challenge([text[:10]] * (len(text) // 10)),
    "names that are no parameters": lambda text: parse_arguments("authorize", {text: 1, text[: len(text) // 2]: 2}),
    "many names that are no parameters": lambda text: parse_arguments(
        "outlook_create_calendar_event", {f"{text[:9]}{n}": 1 for n in range(len(text) // 10)}
    ),
    "a list of many texts": lambda text: items([text[:10]] * (len(text) // 10)),
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_strangers_write_is_read_in_time_that_grows_with_it(name: str) -> None:
    many = name.startswith("many")  # their number counts, and not what stands in them
    assert too_steep(name, TEXTS[name], BRICKS[:8] if many else BRICKS) == []


def test_a_square_is_noticed() -> None:
    """The measure itself: an expression that looks for an end again from every beginning."""
    assert too_steep("a square", re.compile("<[^>]*>").search, ["<"]) != []

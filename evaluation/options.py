"""What a run is told, by flags and by the environment; flags win. The key has no flag: others could read it there."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from evaluation.models import PROTOCOLS, Sampling
from evaluation.runner import Limits
from evaluation.task import Task
from evaluation.tasks import chosen
from scalekit_mcp.network import leads_to_loopback

_ABOUT = """\
Let a language model do calendar tasks with the tools of scalekit-mcp, on the built-in sandbox, and grade what is in
the calendar afterwards. Without --model the tasks are played by hand-written scripts, which calls no endpoint."""
_KEY = """\
The key is read from EVALUATION_KEY, or from the file that --key-file or EVALUATION_KEY_FILE names, and is never
printed. Every option has a variable: EVALUATION_URL, EVALUATION_MODEL, EVALUATION_PROTOCOL, and so on."""


@dataclass(frozen=True)
class Options:
    """A run: its tasks, the model (None: the scripts), and the limits."""

    tasks: tuple[Task, ...] = field(repr=False)
    limits: Limits
    repeats: int
    json: Path | None
    url: str = ""
    protocol: str = PROTOCOLS[0]
    sampling: Sampling | None = None
    key: str | None = field(default=None, repr=False)


def read_options(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Options:
    """The options; prints what is wrong or asked for and exits (2 and 0) like every command."""
    given = os.environ if environment is None else environment
    parser = _parser(given)
    found = parser.parse_args(arguments)
    if found.list:
        print("\n".join(f"{task.name:28} {task.asked}" for task in chosen([])))
        parser.exit()
    try:
        tasks = chosen(found.tasks)
    except LookupError as unknown:
        parser.error(str(unknown.args[0]))
    sampling = Sampling(found.model, found.temperature, found.max_output_tokens) if found.model else None
    key = None
    if sampling is not None:
        if not found.url:
            parser.error("--model needs --url, the address of its endpoint")
        key = _key(parser, found.key_file, given)
        _check_address(parser, found.url, key)
    return Options(
        tasks=tuple(tasks),
        limits=Limits(seconds=found.seconds, calls=found.calls, parallel=found.parallel),
        repeats=found.repeats,
        json=found.json,
        url=found.url,
        protocol=found.protocol,
        sampling=sampling,
        key=key,
    )


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    def default(name: str, otherwise: str | None = None) -> str | None:
        return environment.get(f"EVALUATION_{name}") or otherwise

    parser = argparse.ArgumentParser(
        prog="python -m evaluation", description=_ABOUT, epilog=_KEY, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("tasks", nargs="*", metavar="TASK", help="names of tasks or subjects; all of them when left out")
    add("--list", action="store_true", help="print the tasks and end")
    add("--model", default=default("MODEL"), help="name of the model, as its endpoint knows it")
    add("--url", default=default("URL", ""), help="base of the endpoint, e.g. https://api.openai.com/v1")
    add("--protocol", choices=PROTOCOLS, default=default("PROTOCOL", PROTOCOLS[0]), help="default: %(default)s")
    add("--key-file", type=Path, default=default("KEY_FILE"), help="file that holds the key")
    add("--temperature", type=_number(0, 2), default=default("TEMPERATURE"), help="default: not sent")
    add("--max-output-tokens", type=_whole(1, 1_000_000), default=default("MAX_OUTPUT_TOKENS"), help="of each answer")
    add("--repeats", type=_whole(1, 1000), default=default("REPEATS", "1"), help="plays of each task")
    add("--parallel", type=_whole(1, 16), default=default("PARALLEL", "2"), help="tasks at once, at most 16; default 2")
    add("--seconds", type=_number(1, 3600), default=default("SECONDS", "180"), help="most seconds of a task")
    add("--calls", type=_whole(1, 200), default=default("CALLS", "15"), help="most tool calls of a task; default 15")
    add("--json", type=Path, default=default("JSON"), metavar="FILE", help="also write the report there, as JSON")
    return parser


def _whole(least: int, most: int):
    def read(text: str) -> int:
        number = int(text)
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between {least} and {most}")
        return number

    read.__name__ = "whole number"
    return read


def _number(least: float, most: float):
    def read(text: str) -> float:
        number = float(text)
        if not (math.isfinite(number) and least <= number <= most):
            raise argparse.ArgumentTypeError(f"{text} is not between {least:g} and {most:g}")
        return number

    read.__name__ = "number"
    return read


def _key(parser: argparse.ArgumentParser, file: Path | None, environment: Mapping[str, str]) -> str | None:
    if file is None:
        return environment.get("EVALUATION_KEY", "").strip() or None
    try:
        key = file.read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as failure:
        parser.error(f"--key-file {file}: {type(failure).__name__}")
    if not key or not key.isascii() or any(letter.isspace() for letter in key):
        parser.error(f"--key-file {file}: a key is one word of ASCII")
    return key


def _check_address(parser: argparse.ArgumentParser, url: str, key: str | None) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        parser.error("--url is an http or https address without a user, a query or a fragment")
    if parts.scheme == "http" and key is not None and not leads_to_loopback(url):
        parser.error("--url: a key is only sent over https, or to this machine itself")

"""`make evaluate`, or `python -m evaluation`: calendar tasks for a language model, graded by what is left behind.

The exit status is 0 where every task was graded, 1 where one was not or the run was interrupted, 2 for wrong options.
With the hand-written scripts it is 1 where a task was not passed, too.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import anyio

from evaluation import report
from evaluation.conversation import ModelPlayer
from evaluation.models import Endpoint, model_client
from evaluation.options import Options, read_options
from evaluation.player import ScriptedPlayer
from evaluation.runner import Result, run
from scalekit_mcp.network import Network
from scalekit_mcp.upstream import UpstreamClient

ANSWER_SECONDS = 120.0

_client = partial(UpstreamClient, max_exchange_seconds=ANSWER_SECONDS)


async def evaluate(options: Options, results: list[Result]) -> None:
    """Run everything; `results` grows as tasks end, and the report of what there is with it."""

    def tell(result: Result) -> None:
        results.append(result)
        print(report.progress(result), flush=True)
        _keep(options, results)

    async with AsyncExitStack() as stack:
        if options.sampling is None:
            player = ScriptedPlayer()
        else:
            client = Network().client([options.url], make=_client, timeout=ANSWER_SECONDS)
            endpoint = Endpoint(options.url, await stack.enter_async_context(client), options.key)
            player = ModelPlayer(model_client(options.protocol, endpoint, options.sampling))
        await run(
            options.tasks,
            player,
            options.limits,
            tell,
            repeats=options.repeats,
            one_server=options.sampling is None,
        )


def _keep(options: Options, results: Sequence[Result]) -> None:
    if options.json is None:
        return
    sampling = options.sampling
    about: dict[str, Any] = {"player": "script", "tasks": len(options.tasks), "repeats": options.repeats}
    if sampling is not None:
        about |= {"player": "model", "model": sampling.model, "url": options.url, "protocol": options.protocol}
        about |= {"temperature": sampling.temperature}
    whole = len(results) == len(options.tasks) * options.repeats
    report.write(options.json, report.as_json(about, results, whole=whole))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print the report; the exit status."""
    options = read_options(sys.argv[1:] if arguments is None else arguments)
    results: list[Result] = []
    interrupted = False
    try:
        anyio.run(evaluate, options, results)
    except KeyboardInterrupt:
        interrupted = True
    print(f"\n{report.table(results)}")
    wanted = len(options.tasks) * options.repeats
    if len(results) < wanted:
        why = "The run was interrupted" if interrupted else "The endpoint cannot be used"
        print(f"{why}: {wanted - len(results)} of {wanted} plays were not made.")
    bad = {"not graded"} if options.sampling is not None else {"not graded", "failed"}
    return 1 if len(results) < wanted or any(result.grade in bad for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())

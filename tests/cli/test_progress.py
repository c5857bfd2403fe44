"""Progress on stderr: after two seconds, on a terminal one line that goes away, in a pipe a plain line now and then."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from scalekit_mcp.actions import open_actions
from scalekit_mcp.cli.accounts import all_accounts
from scalekit_mcp.cli.progress import Progress
from scalekit_mcp.settings import load_settings
from tests.support.bounds import HANG_SECONDS
from tests.support.clock import HandClock
from tests.support.processes import command, environment


class SteppedClock(HandClock):
    """Stands still until `move`, which wakes up whoever slept until then."""

    def __init__(self) -> None:
        super().__init__()
        self._moved = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        until = self.at + timedelta(seconds=seconds)
        while self.at < until:
            await self._moved.wait()

    async def move(self, seconds: float) -> None:
        """Pass time in steps of half a second, and let everybody do what is due."""
        await anyio.wait_all_tasks_blocked()
        for _ in range(round(seconds * 2)):
            self.advance(0.5)
            moved, self._moved = self._moved, anyio.Event()
            moved.set()
            await anyio.wait_all_tasks_blocked()


class Terminal(io.StringIO):
    """A terminal; `screen` is what a person sees of it."""

    def isatty(self) -> bool:
        return True

    @property
    def screen(self) -> list[str]:
        return on_screen(self.getvalue())


def on_screen(text: str) -> list[str]:
    """The lines of a terminal after a text in which carriage returns go back to the beginning of the line."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        cells = ""
        for part in line.split("\r"):
            cells = part + cells[len(part) :]
        lines.append(cells.rstrip())
    return lines


async def test_nothing_is_shown_of_what_takes_less_than_two_seconds() -> None:
    clock, terminal = SteppedClock(), Terminal()
    with Progress("Reading accounts", clock=clock, stream=terminal) as progress:
        progress.at(1, 2)
        await clock.move(1.5)
    assert terminal.getvalue() == ""


async def test_a_terminal_shows_what_is_done_and_how_far_and_is_clean_afterwards() -> None:
    clock, terminal = SteppedClock(), Terminal()
    with Progress("Reading accounts", clock=clock, stream=terminal) as progress:
        progress.at(200, 100_000)
        await clock.move(2)
        assert terminal.screen == ["Reading accounts ... 200 of 100,000 (2 s)"]
        progress.at(400)
        await clock.move(1)
        assert terminal.screen == ["Reading accounts ... 400 (3 s)"]
        progress.begin("Closing")
        await clock.move(0.5)
        assert terminal.screen == ["Closing ... (4 s)"]
    assert terminal.screen == [""]
    assert terminal.getvalue().endswith("\r")


async def test_a_pipe_gets_a_plain_line_every_ten_seconds() -> None:
    clock, pipe = SteppedClock(), io.StringIO()
    with Progress("Reading accounts", clock=clock, stream=pipe) as progress:
        await clock.move(9.5)
        assert pipe.getvalue() == ""
        progress.at(3, 7)
        await clock.move(11)
    assert pipe.getvalue().splitlines() == ["Reading accounts ... 3 of 7 (10 s)", "Reading accounts ... 3 of 7 (20 s)"]


async def test_a_command_that_logs_on_its_terminal_gets_plain_lines() -> None:
    clock, terminal = SteppedClock(), Terminal()
    with Progress("Starting", lines=True, clock=clock, stream=terminal):
        await clock.move(12)
    assert terminal.getvalue() == "Starting ... (2 s)\nStarting ... (12 s)\n"


async def fails_after_three_seconds(clock: SteppedClock, terminal: Terminal) -> None:
    with Progress("Reading accounts", clock=clock, stream=terminal):
        await clock.move(3)
        raise LookupError


async def test_what_fails_leaves_a_clean_terminal() -> None:
    clock, terminal = SteppedClock(), Terminal()
    with pytest.raises(LookupError):
        await fails_after_three_seconds(clock, terminal)
    assert terminal.screen == [""]


async def test_what_is_cancelled_leaves_a_clean_terminal() -> None:
    clock, terminal = SteppedClock(), Terminal()
    with anyio.CancelScope() as scope, Progress("Reading accounts", clock=clock, stream=terminal):
        await clock.move(3)
        scope.cancel()
        await anyio.sleep_forever()
    assert terminal.screen == [""]
    assert "(2 s)" in terminal.getvalue()


async def test_nobody_who_reads_it_is_no_failure() -> None:
    clock, terminal = SteppedClock(), Terminal()
    with Progress("Reading accounts", clock=clock, stream=terminal):
        terminal.close()
        await clock.move(3)


async def test_a_long_list_of_accounts_says_how_many_of_how_many_are_read() -> None:
    settings = load_settings(
        database_url="sqlite+aiosqlite:///:memory:",
        vault_keys="one:" + "A" * 43 + "=",
        MICROSOFT_CLIENT_ID="app",
        mode="embedded",
    )
    clock, terminal = SteppedClock(), Terminal()
    async with open_actions(settings) as actions:
        for number in range(203):
            await actions.get_or_create_connected_account(identifier=f"user_{number}")
        with Progress("Reading accounts", clock=clock, stream=terminal) as progress:
            assert len(await all_accounts(actions, None, progress)) == 203
            await clock.move(2)
            assert terminal.screen == ["Reading accounts ... 203 of 203 (2 s)"]


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal and SIGINT")
def test_ctrl_c_in_the_middle_leaves_a_clean_terminal_and_one_sentence(tmp_path: Path) -> None:
    import pty

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        values = {
            "MICROSOFT_CLIENT_ID": "00000000-0000-0000-0000-000000000001",
            "MICROSOFT_LOGIN_URL": address,
            "MICROSOFT_GRAPH_URL": f"{address}/v1.0",
        }
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            command("doctor", "--json"),
            env=environment(tmp_path, **values),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
        ) as running:
            os.close(theirs)
            shown = b""
            while b"Asking Microsoft ... (" not in shown:
                shown += os.read(ours, 1000)
            running.send_signal(signal.SIGINT)
            said, _ = running.communicate(timeout=HANG_SECONDS)
        try:
            while more := os.read(ours, 1000):
                shown += more
        except OSError:  # how Linux says that the other side is closed
            pass
        os.close(ours)
    assert (running.returncode, said) == (1, b"")
    (sentence, *rest) = [line for line in on_screen(shown.decode()) if line]
    assert sentence == "scalekit-mcp: Stopped; what was done until then stays."
    assert rest == []

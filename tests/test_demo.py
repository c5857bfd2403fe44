"""The guided tour, as `make demo` runs it."""

import subprocess

import pytest

from tests.support.processes import command, environment


@pytest.mark.parametrize(("mode", "status"), [("embedded", "REVOKED (grant_revoked)"), ("hosted", "EXPIRED (unknown)")])
def test_every_step_of_the_tour_holds(tmp_path, mode, status):
    done = subprocess.run(
        command("demo", "--mode", mode),
        env=environment(tmp_path, COLUMNS="160"),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert "14 of 14 steps held." in done.stdout
    assert "I've scheduled 'Q2 Planning Kickoff' for you" in done.stdout
    assert status in done.stdout

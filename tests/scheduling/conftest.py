"""The behaviour suite of the scheduling tools runs on every way to Microsoft's calendar."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.call_ways import going, parametrize_ways


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    parametrize_ways(metafunc)


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """The way that a test goes."""
    with going(getattr(request, "param", "direct")):
        yield

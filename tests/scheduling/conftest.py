"""The behaviour suite of the scheduling tools runs on every way to Microsoft's calendar."""

from tests.support.call_ways import pytest_generate_tests, way

__all__ = ["pytest_generate_tests", "way"]

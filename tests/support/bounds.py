"""How long a test waits before it says that something hangs."""

HANG_SECONDS = 120.0
"""Ends a test that would hang for good. It measures nothing: no working test comes near it, even on a busy machine."""

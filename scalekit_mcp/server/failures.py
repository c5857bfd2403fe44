"""Unexpected exceptions: the log gets the traceback, the caller a number by which the operator finds it."""

from __future__ import annotations

import logging
import secrets


def new_reference() -> str:
    """A random reference of eight hexadecimal digits, for a caller to give to the operator."""
    return secrets.token_hex(4)


def log_failure(logger: logging.Logger, what: str, failure: Exception) -> str:
    """Log that `what` failed, with the traceback and a new reference; returns the reference."""
    reference = new_reference()
    logger.error("%s failed unexpectedly, reference %s", what, reference, exc_info=failure)
    return reference

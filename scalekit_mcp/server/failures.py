"""Failures that nobody foresaw: the log has the whole, the caller a number to find it by."""

from __future__ import annotations

import logging
import secrets


def new_reference() -> str:
    """A number that a caller can give to the operator: eight hexadecimal digits."""
    return secrets.token_hex(4)


def log_failure(logger: logging.Logger, what: str, failure: Exception) -> str:
    """Log that `what` failed, with the traceback, and answer the reference that stands there."""
    reference = new_reference()
    logger.error("%s failed unexpectedly, reference %s", what, reference, exc_info=failure)
    return reference

"""Scalekit keeps the tokens; this process keeps the authorizations in progress."""

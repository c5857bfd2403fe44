"""The records of connected accounts and of authorizations in progress, and what their statuses mean."""

"""The store of accounts and sealed tokens."""

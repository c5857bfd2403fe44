"""Apps in the vault: their sign-ins, grants and refresh tokens."""

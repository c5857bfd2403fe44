"""The database below the vault: opening, statements, and what its failures mean."""

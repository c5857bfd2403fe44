"""What a process with a vault of its own keeps: its files and keys, the vault, sealed page tokens."""

"""Sealing: the ring of keys, and what each kind of record is sealed with."""

"""The server under a host on the same machine, and the listener that serves its consent pages."""

"""`python -m scalekit_mcp` is the command `scalekit-mcp`."""

from scalekit_mcp.cli import main

if __name__ == "__main__":
    main()

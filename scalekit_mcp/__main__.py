"""The command `scalekit-mcp`, also as `python -m scalekit_mcp`."""

from scalekit_mcp.start_up import without_collector


def main() -> None:
    """Run the command that the arguments name."""
    with without_collector():
        from scalekit_mcp.cli import main as command
    command()


if __name__ == "__main__":
    main()

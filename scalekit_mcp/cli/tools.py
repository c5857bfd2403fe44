"""`tools`: the catalogue for people and for programs."""

from __future__ import annotations

import click

from scalekit_mcp.cli.output import print_json
from scalekit_mcp.settings import Settings
from scalekit_mcp.tools import Carrier, carried_tools


def print_tools(settings: Settings, *, as_json: bool) -> None:
    """Print the catalogue, as JSON or as a list of tools with their parameters, as these settings carry it."""
    by_tools = not settings.keeps_own_vault and settings.hosted_calls == "tools"
    tools = carried_tools(Carrier.HOSTED_TOOLS if by_tools else Carrier.GRAPH).values()
    if as_json:
        print_json(
            [
                {
                    "name": spec.name,
                    "title": spec.title,
                    "description": spec.description,
                    "inputSchema": spec.input_schema,
                    "outputSchema": spec.output_schema,
                }
                for spec in tools
            ]
        )
        return
    for spec in tools:
        click.secho(spec.name, bold=True)
        click.echo(f"  {spec.description.splitlines()[0]}")
        required = set(spec.input_schema.get("required", ()))
        for name, schema in spec.input_schema["properties"].items():
            mark = "*" if name in required else " "
            click.echo(f"  {mark} {name:28} {schema.get('description', '')}")
        click.echo()
    click.echo("* required")

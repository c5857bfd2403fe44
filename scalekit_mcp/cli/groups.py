"""Commands and groups of commands: whole sentences in lists of commands, one sentence and a status for an error."""

from __future__ import annotations

import shlex
from typing import Any

import click

from scalekit_mcp.cli.options import SettingOption
from scalekit_mcp.errors import ConfigurationError, ConnectedAccountNotFound, ScalekitMCPError

MANY_OPTIONS = 15


class SentenceCommand(click.Command):
    """A command whose line in the list of commands is a whole sentence, over several lines where it is long."""

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first paragraph of the help text, uncut."""
        del limit
        return _first_paragraph(self.help or "")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options; under the headings of their parts where there are many."""
        parts: dict[str, list[tuple[str, str]]] = {"Options": []}
        many = len(self.params) > MANY_OPTIONS
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx)
            if record is not None:
                part = option.part if many and isinstance(option, SettingOption) else "Options"
                parts.setdefault(part, []).append(record)
        for part, records in parts.items():
            with formatter.section(part):
                formatter.write_dl(records)


class Group(click.Group):
    """Turns our exceptions into one sentence on stderr and the right exit status."""

    command_class = SentenceCommand
    group_class = type

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first paragraph of the help text, uncut."""
        del limit
        return _first_paragraph(self.help or "")

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; our exceptions and Ctrl-C end it with a sentence, as exit status 2 (configuration) or 1."""
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            for problem in error.problems:
                click.echo(f"scalekit-mcp: {problem}", err=True)
            ctx.exit(2)
        except KeyboardInterrupt:
            click.echo("scalekit-mcp: Stopped; what was done until then stays.", err=True)
            ctx.exit(1)
        except ConnectedAccountNotFound as error:
            click.echo(
                f"scalekit-mcp: {error.message} `scalekit-mcp accounts list` names those that there are, and "
                f"`scalekit-mcp connect --identifier {shlex.quote(error.identifier)}` makes this one.",
                err=True,
            )
            ctx.exit(1)
        except ScalekitMCPError as error:
            click.echo(f"scalekit-mcp: {error.message} {error.next_step}", err=True)
            ctx.exit(1)


def _first_paragraph(text: str) -> str:
    """The first paragraph of a help text, on one line."""
    return " ".join(text.partition("\n\n")[0].split())

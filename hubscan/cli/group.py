"""The `hubscan` command: it loads its subcommands by name, and turns errors into messages and exit codes."""

from __future__ import annotations

import difflib
import sys
from importlib import import_module
from typing import Any, Final

import click

from hubscan import __version__, disk, environment
from hubscan.cli import signals
from hubscan.cli.say import say, show_traceback, show_warnings
from hubscan.errors import HubscanError, RecipeError

COMMANDS: Final = {
    "rank": "Rank checkpoints for a labelled dataset.",
    "search": "List the candidates of a query, without downloading anything.",
    "show": "Print the ranking of a finished or running scan.",
    "score": "Compute other metrics from the features of a run.",
    "verify": "Fine-tune the top few and compare the outcome with the ranking.",
    "publish": "Publish the ranking of a run as a model card.",
    "cache": "List or prune what hubscan keeps on this disk.",
    "doctor": "Show devices, endpoint, token, versions and free disk.",
    "demo": "Run hubscan offline on real checkpoints and data.",
}

INTERRUPTED: Final = 130


class Explained(click.Group):
    """A group that loads a command when it is called, and turns an error that users can fix into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command *cmd_name*."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"hubscan.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that *args* call; suggest a name if they call none."""
        near = difflib.get_close_matches(args[0], COMMANDS, n=1)
        if args[0] not in COMMANDS and near and not args[0].startswith("-"):
            ctx.fail(f"no such command {args[0]!r}; did you mean {near[0]!r}?")
        found = super().resolve_command(ctx, args)
        if found[0] != "doctor" and not {"-h", "--help"} & set(args):  # doctor reports what is wrong
            environment.check()
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, because importing them all would be slow."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; if it fails, print one line and exit with the code for its kind of error."""
        try:
            with environment.explained(), disk.explained():
                return super().invoke(ctx)
        except HubscanError as error:
            if ctx.meta.get("hubscan.verbose"):
                show_traceback(type(error), error)
            say(f"Error: {error}", err=True)
            ctx.exit(2 if isinstance(error, RecipeError) else 1)
        except KeyboardInterrupt as error:
            say("Interrupted", err=True)
            ctx.exit(error.exit_code if isinstance(error, signals.Interrupted) else INTERRUPTED)


@click.group(cls=Explained, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hubscan")
def main() -> None:
    """Find the checkpoint on the Hugging Face Hub to fine-tune, without fine-tuning any.

    hubscan rank --dataset imdb
    """
    show_warnings()
    sys.excepthook = show_traceback
    # Names can be in any script; a terminal that cannot show one should not end a scan.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    signals.install()

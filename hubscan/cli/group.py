"""The `hubscan` command itself: finds its commands by name, and explains errors in one place."""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from importlib import import_module
from typing import Any, Final

import click

from hubscan import __version__
from hubscan.errors import HubscanError, RecipeError

COMMANDS: Final = {
    "rank": "Rank checkpoints for a dataset: the main job.",
    "search": "List the candidates a query gives; downloads nothing.",
    "score": "Other measures of a run's features, without any model.",
    "verify": "Fine-tune the top few, and say how far the ranking was right.",
    "show": "Print a finished or running run again.",
    "publish": "Write a run's model card to a repo of yours.",
    "cache": "What lies on this disk: ls, prune.",
    "doctor": "Devices, endpoint, token, versions, free disk.",
    "demo": "The whole thing offline, on real checkpoints.",
}

INTERRUPTED: Final = 130


class Explained(click.Group):
    """A group that loads a command when it is called, and turns what a user can fix into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command *cmd_name*."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"hubscan.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table: importing them all would be slow."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; exit as the contract says if it fails."""
        try:
            return super().invoke(ctx)
        except HubscanError as error:
            if ctx.meta.get("hubscan.verbose"):
                traceback.print_exc()
            click.echo(f"Error: {error}", err=True)
            ctx.exit(2 if isinstance(error, RecipeError) else 1)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=Explained, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hubscan")
def main() -> None:
    """Find the checkpoint on the Hugging Face Hub to fine-tune, without fine-tuning any.

    hubscan rank --task text-classification --dataset imdb
    """
    # A class name or a model's reason may be in any script; the terminal's encoding must not end a scan.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    # What a scheduler or a container sends before it kills ends a scan as an interrupt at the keyboard does.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)

"""`hubscan cache`: list and prune the feature store."""

from __future__ import annotations

import click

from hubscan.cli.options import common_options
from hubscan.cli.say import say


@click.group("cache")
@common_options
def command() -> None:
    """List or remove the features that earlier scans computed."""


@command.command("ls")
def ls() -> None:
    """Print the folder of the features, their number and their size."""
    from hubscan.feature_store import LocalStore, default_folder
    from hubscan.report.formatting import byte_count

    store = LocalStore(default_folder())
    sizes = [file.stat().st_size for file in store.entries()]
    say(f"{store.folder}: {len(sizes)} features, {byte_count(sum(sizes))}")


@command.command("prune")
@click.option(
    "--keep", default="0", show_default=True, metavar="SIZE", help="Size to keep, such as 500MB or 5G."
)
def prune(keep: str) -> None:
    """Remove features, the least recently used first."""
    from hubscan.errors import RecipeError
    from hubscan.feature_store import LocalStore, default_folder
    from hubscan.quantities import byte_size
    from hubscan.report.formatting import byte_count

    limit = byte_size(keep)
    if not isinstance(limit, int):
        raise RecipeError(f"--keep {keep}: not a size such as 500MB or 5G")
    say(f"{byte_count(LocalStore(default_folder()).prune(limit))} freed")

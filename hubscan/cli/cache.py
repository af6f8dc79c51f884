"""`hubscan cache`: what lies on this disk, and how to have less of it."""

from __future__ import annotations

import click

from hubscan.cli.options import verbose_option


@click.group("cache")
@verbose_option
def command() -> None:
    """List or remove the features that earlier scans computed."""


@command.command("ls")
def ls() -> None:
    """Say where features lie, how many there are and how large they are."""
    from hubscan.feature_store import LocalStore, default_folder
    from hubscan.report.formatting import byte_count

    store = LocalStore(default_folder())
    sizes = [file.stat().st_size for file in store.entries()]
    click.echo(f"{store.folder}: {len(sizes)} features, {byte_count(sum(sizes))}")


@command.command("prune")
@click.option(
    "--keep", default="0", show_default=True, metavar="BYTES", help="How much may stay, such as 500MB or 5G."
)
def prune(keep: str) -> None:
    """Remove features, the least recently read first."""
    from hubscan.errors import RecipeError
    from hubscan.feature_store import LocalStore, default_folder
    from hubscan.recipe import byte_size
    from hubscan.report.formatting import byte_count

    limit = byte_size(keep)
    if not isinstance(limit, int):
        raise RecipeError(f"--keep {keep}: not a number of bytes, such as 500MB or 5G")
    click.echo(f"{byte_count(LocalStore(default_folder()).prune(limit))} freed")

"""`hubscan score`: other metrics of a run's features, without any model."""

from __future__ import annotations

from pathlib import Path

import click

from hubscan.cli.options import format_option, verbose_option
from hubscan.cli.output import FORMS, write


@click.command("score")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    required=True,
    metavar="NAME",
    help="The first ranks; may be repeated.",
)
@click.option("--fuse", is_flag=True, help="Rank the best image and the best text checkpoint joined, too.")
@format_option(*FORMS)
@verbose_option
def command(folder: Path, metrics: tuple[str, ...], fuse: bool, form: str) -> None:
    """Rank the checkpoints of RUN by other metrics, from the features that its scan kept.

    \b
    hubscan score runs/imdb --metric logme --metric hscore --metric size
    """  # noqa: D301 - click looks for the character, not for a backslash
    from hubscan.rescore import rescored
    from hubscan.run import load_run

    write(rescored(load_run(folder), metrics, fuse=fuse), form)

"""`hubscan score`: compute other metrics from the features of a run."""

from __future__ import annotations

from pathlib import Path

import click

from hubscan.cli.options import common_options, format_option
from hubscan.cli.output import FORMS, write


@click.command("score")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    required=True,
    metavar="NAME",
    help="Metric to compute; the first one ranks; may be repeated. See `hubscan rank --help`.",
)
@click.option(
    "--fuse", is_flag=True, help="Also rank the joined features of the best image and text checkpoint."
)
@format_option(*FORMS)
@common_options
def command(folder: Path, metrics: tuple[str, ...], fuse: bool, form: str) -> None:
    """Rank the checkpoints of RUN by other metrics, without running any checkpoint again.

    \b
    hubscan score runs/imdb --metric logme --metric hscore --metric size
    """  # noqa: D301 - click looks for the character, not for a backslash
    from hubscan.started import SCORES, ahead

    click.get_current_context().with_resource(ahead(SCORES))  # it imports while this process does
    from hubscan.rescore import rescored
    from hubscan.run import load_run

    write(rescored(load_run(folder), metrics, fuse=fuse), form)

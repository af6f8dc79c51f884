"""`hubscan show`: a run again, finished or not."""

from __future__ import annotations

from pathlib import Path

import click

from hubscan.cli.options import format_option, verbose_option
from hubscan.cli.output import FORMS, write


@click.command("show")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@format_option(*FORMS)
@verbose_option
def command(folder: Path, form: str) -> None:
    """Print the ranking in the folder RUN; of a running scan, what there is so far."""
    from hubscan.run import load_run

    run = load_run(folder)
    left = len(run.unfinished())
    if left:
        click.echo(f"{left} of {len(run.lock.candidates)} checkpoints are not finished", err=True)
    write(run.ranking, form)

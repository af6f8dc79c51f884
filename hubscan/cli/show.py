"""`hubscan show`: print the ranking of a run."""

from __future__ import annotations

from pathlib import Path

import click

from hubscan.cli.options import common_options, format_option
from hubscan.cli.output import FORMS, write
from hubscan.cli.say import say


@click.command("show")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@format_option(*FORMS)
@common_options
def command(folder: Path, form: str) -> None:
    """Print the ranking in the folder RUN, or the results so far if the scan is still running."""
    from hubscan.run import load_run

    run = load_run(folder)
    left = len(run.unfinished())
    if left:
        say(f"{left} of {len(run.lock.candidates)} checkpoints have no result yet", err=True)
    write(run.ranking, form)

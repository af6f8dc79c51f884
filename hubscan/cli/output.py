"""A ranking and a form in; on stdout it goes."""

from __future__ import annotations

import sys

import click

from hubscan.records import Ranking
from hubscan.report import FORMATS

FORMS = tuple(FORMATS)


def write(ranking: Ranking, form: str) -> None:
    """Print *ranking*; colours are for people alone, so for a terminal and the form they read."""
    from hubscan.report.human import as_text

    coloured = form == "human" and sys.stdout.isatty()
    click.echo(as_text(ranking, color=True) if coloured else FORMATS[form](ranking))


def write_next_steps(ranking: Ranking, form: str) -> None:
    """Say on stderr what to do next; nothing for a shell that wants ids alone."""
    from hubscan.report.answer import next_steps

    for step in next_steps(ranking) if form != "quiet" else ():
        click.echo(step, err=True)

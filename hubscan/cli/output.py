"""Print a ranking on stdout, and what to do next on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from hubscan.cli.say import say
from hubscan.report import FORMATS

if TYPE_CHECKING:  # for annotations alone: `--help` should not wait for the records
    from hubscan.records import Ranking

FORMS = tuple(FORMATS)


def write(ranking: Ranking, form: str) -> None:
    """Print *ranking* in *form*, in colour if a person reads it on a terminal that shows colours."""
    from hubscan.report.human import as_text

    coloured = form == "human" and sys.stdout.isatty() and not _is_plain()
    if coloured:
        click.echo(as_text(ranking, color=True))  # whose escape sequences are those of the colours alone
    else:
        say(FORMATS[form](ranking))


def write_next_steps(ranking: Ranking, form: str) -> None:
    """Print on stderr what to do next, except for a shell that wants only ids."""
    from hubscan.report.answer import next_steps

    for step in next_steps(ranking) if form != "quiet" else ():
        say(step, err=True)


@contextmanager
def waits_shown() -> Iterator[None]:
    """Print on stderr how long and why the commands in the block wait for the Hub."""
    from hubscan.hub import rate_limits

    def show(reason: str, seconds: float) -> None:
        if seconds:
            say(f"{reason}: waiting {seconds:.0f} s", err=True)

    with rate_limits.heard(show):
        yield


def _is_plain() -> bool:
    """Return whether colours are not wanted: `--no-color` sets NO_COLOR (https://no-color.org)."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"

"""Print text on stdout or stderr; commands print in no other way, so that no name acts on the terminal."""

from __future__ import annotations

import logging
import traceback

import click

from hubscan.plain_text import visible
from hubscan.secret_text import without_secrets


def say(text: str, *, err: bool = False) -> None:
    """Print *text*, which may have several lines, without secrets and control characters."""
    click.echo(visible(without_secrets(text)), err=err)


class Messages(logging.Handler):
    """Prints the warnings of hubscan and of its libraries on stderr, one line each."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print *record*."""
        try:
            say(self.format(record), err=True)
        except Exception:
            self.handleError(record)


def show_traceback(kind: type[BaseException], error: BaseException, trace: object = None) -> None:
    """Print the traceback of *error* and its causes, whose messages may quote secrets; a `sys.excepthook`."""
    say("".join(traceback.format_exception(error)).rstrip(), err=True)


def show_warnings() -> None:
    """Print warnings that no handler takes through `Messages`, instead of as they are."""
    logging.lastResort = Messages(logging.WARNING)

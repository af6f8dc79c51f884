"""End a command on Ctrl-C, SIGTERM or SIGHUP: once in an orderly way, the second time at once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Final

from hubscan.processes import end_all

ENDING: Final = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Interrupted(KeyboardInterrupt):
    """A signal asked the command to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number  # as shells report it


def install() -> None:
    """Let the signals end this command; one that is ignored, as under `nohup`, stays so."""
    if threading.current_thread() is not threading.main_thread():
        return
    interrupt = _Interrupt()
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


class _Interrupt:
    """Handles the signals of one command."""

    def __init__(self) -> None:
        self._asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Raise `Interrupted` the first time; later end all processes without cleaning up."""
        if self._asked:
            end_all()
            os._exit(128 + number)
        self._asked = True
        raise Interrupted(number)

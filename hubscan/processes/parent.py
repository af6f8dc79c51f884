"""Start a child process, listen to its messages, and say why it ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from hubscan.untrusted import Malformed, json_of

Message = dict[str, Any] | None
"""What a child sends; None once it has ended."""

LONGEST_LINE: Final = 2**26  # characters of one message; the predictions for a large sample have millions
DAMAGED: Final = "its process sent a damaged message"
RAN_OUT: Final = "its process ran out of memory"
OUT_OF_MEMORY: Final = re.compile(
    r"MemoryError|out of memory|memory allocation of \d+ bytes failed|can't allocate memory|std::bad_alloc"
    r"|PyObject pointer is null"  # Rust was denied a Python object
)

TEMPORARY: Final = ("TMPDIR", "TEMP", "TMP")

# By default glibc requests memory for every large tensor and returns it at once, so a convolution spends half
# its time in page faults. With these settings it keeps the memory and is twice as fast. Other allocators
# ignore them.
KEEP_MEMORY: Final = {
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    "MALLOC_TOP_PAD_": str(2**26),
}


# A backtrace needs memory too, and the threads of a Rust library wait for each other if there is none.
BRIEF_PANICS: Final = {"RUST_BACKTRACE": "0"}


@dataclass(eq=False)
class Child:
    """One process of hubscan."""

    process: subprocess.Popen[bytes]
    errors: IO[bytes]  # its stderr, whose last line explains a crash

    def send(self, line: str) -> bool:
        """Return whether *line* could be sent; the end of the process arrives as a separate message."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()

    def reason(self) -> str:
        """Wait until the process has ended, and return why it did."""
        return exit_reason(self.process.wait(), _last_line(self.errors))

    def close(self) -> None:
        """End the process, and close its files."""
        _running.discard(self)
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


_running: Final[set[Child]] = set()


def end_all() -> None:
    """End every process that was started here, without waiting or cleaning up."""
    for child in tuple(_running):
        child.kill()


def start(
    module: str,
    *arguments: str,
    folder: Path,
    hear: Callable[[Message], None],
    environment: Mapping[str, str] | None = None,
) -> Child:
    """Start `python -m MODULE ARGUMENTS` and call *hear* with each message, in a thread.

    Args:
        module: a module of hubscan.
        arguments: of the command line, which every user of the machine can see.
        folder: for the temporary files of the process.
        hear: called for each message and, with None, when the process has ended.
        environment: variables in addition to those of this process.
    """
    errors = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with the child
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env={
            **KEEP_MEMORY,
            **os.environ,
            **BRIEF_PANICS,
            **dict.fromkeys(TEMPORARY, str(folder)),
            **(environment or {}),
        },
        start_new_session=True,  # an interrupt at the keyboard is the parent's to handle
    )
    child = Child(process, errors)
    _running.add(child)
    threading.Thread(target=_listen, args=(child, hear), daemon=True).start()
    return child


def _listen(child: Child, hear: Callable[[Message], None]) -> None:
    stream = child.process.stdout
    assert stream is not None
    with suppress(ValueError, OSError):  # closed with the child
        while line := stream.readline(LONGEST_LINE):
            hear(_message(line))
    hear(None)


def _message(line: bytes) -> dict[str, Any]:
    """Return the message in *line*, or one of an unknown kind if the line is damaged."""
    try:
        message = json_of(line, most_bytes=LONGEST_LINE, most_values=LONGEST_LINE)
    except Malformed:
        message = None
    whole = isinstance(message, dict) and isinstance(message.get("kind"), str)
    return message if whole else {"kind": DAMAGED}


def exit_reason(code: int, last_line: str) -> str:
    """Return in words why a process with this exit code and last line on stderr ended."""
    if OUT_OF_MEMORY.search(last_line):
        return RAN_OUT
    if code < 0:
        name = signal.Signals(-code).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{hint}"
    return f"its process ended with exit code {code}" + (f": {last_line}" if last_line else "")


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4096))
    lines = errors.read().decode("utf-8", "replace").split("\n")
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "")

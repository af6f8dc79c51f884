"""Find the traces of a secret in text, in files, and in the processes that are running."""

from __future__ import annotations

import math
import re
import subprocess
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, quote_plus

import psutil
import pyarrow.parquet as pq

PAUSE_SECONDS = 0.1


def forms(secret: str) -> set[bytes]:
    """Return *secret* as it is, quoted for a URL, and in base64 at every offset in a longer text."""
    quoted = quote(secret, safe="")
    in_lower_case = re.sub("%..", lambda found: found[0].lower(), quoted)
    found = {form.encode() for form in (secret, quoted, in_lower_case, quote(secret), quote_plus(secret))}
    for offset in range(3):
        padded = b"\0" * offset + secret.encode()
        whole = slice(math.ceil(offset * 4 / 3), len(padded) * 4 // 3)  # the digits of the secret alone
        found |= {encode(padded)[whole] for encode in (b64encode, urlsafe_b64encode)}
    return found


def is_in(content: bytes | str, secret: str) -> bool:
    """Return whether *content* contains *secret* in any form."""
    searched = content.encode(errors="surrogateescape") if isinstance(content, str) else content
    return any(form in searched for form in forms(secret))


def files_with(folder: Path, secret: str, but: Collection[Path] = ()) -> list[str]:
    """Return the files below *folder*, except *but*, whose path or content contains *secret*."""
    paths = [path for path in folder.rglob("*") if path not in but]
    return sorted(str(path) for path in paths if is_in(str(path), secret) or is_in(_content(path), secret))


def _content(path: Path) -> bytes:
    """Return what is in *path*, with the rows of a table, which are compressed."""
    if path.is_symlink():
        return str(path.readlink()).encode()
    if not path.is_file():
        return b""
    content = path.read_bytes()
    if content[:4] == content[-4:] == b"PAR1":
        content += str(pq.read_table(path).to_pydict()).encode()
    return content


def watched(process: subprocess.Popen[bytes], secret: str, temporary: Path) -> set[str]:
    """Wait for *process*; return where *secret* was seen meanwhile: in which commands and files.

    The command of *process* itself does not count: whoever started it wrote it.
    """
    seen: set[str] = set()
    while process.poll() is None:
        seen |= {command for command in commands_below(process.pid) if is_in(command, secret)}
        with suppress(OSError):  # a file is gone again
            seen |= set(files_with(temporary, secret))
        time.sleep(PAUSE_SECONDS)
    return seen


def commands_below(number: int) -> Iterator[str]:
    """Yield the command lines of all processes that process *number* has started."""
    try:
        for child in psutil.Process(number).children(recursive=True):
            yield " ".join(child.cmdline())
    except psutil.Error:
        return

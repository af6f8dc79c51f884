"""Check the environment variables that hubscan and its libraries read, and explain a bad value in one line.

The libraries read most of them when they are imported, and answer a bad value with a traceback. What only
matters when the Hub is asked (the token, proxies) is checked then: see `hubscan.hub.settings`.
"""

from __future__ import annotations

import linecache
import logging
import os
import re
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hubscan.errors import HubscanError, SettingError
from hubscan.processes import temporary_folder
from hubscan.secret_text import unquoted

log = logging.getLogger(__name__)

LONGEST_SHOWN: Final = 60  # characters of a value
HUBSCAN_CACHE: Final = ("HUBSCAN_CACHE", "XDG_CACHE_HOME", "HOME")
"""The variables that decide where hubscan keeps its cache; the first that is set decides."""
EVERYWHERE: Final = ("PATH", "PWD", "USER", "LANG", "SHELL")  # never the reason why a library fails


def check() -> None:
    """Check the variables that libraries read when they are imported.

    Raises:
        SettingError: naming the variable, if one has a value that its library cannot use.
    """
    for name, is_bad in _CHECKS.items():
        value = os.environ.get(name)
        advice = is_bad(value) if value is not None else None
        if advice:
            raise SettingError(f"{name}={shown(value or '')}: {advice}")
    try:
        tempfile.gettempdir()
    except OSError as error:
        raise SettingError(f"TMPDIR: {error}; set it to a folder that can be written") from error


@contextmanager
def explained() -> Iterator[None]:
    """Turn an exception that a library raises over an environment variable into a `SettingError`.

    Only libraries are searched, for the statement that reads a variable which is set.
    """
    try:
        yield
    except HubscanError:
        raise
    except Exception as error:
        name = _read_by(error)
        if name is None:
            raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise SettingError(
            f"{name}={shown(os.environ[name])}: cannot be used: {reason}; correct it, or unset it"
        ) from error


def shown(value: str) -> str:
    """Return *value* quoted, cut, and without the password of an address, which may lack its scheme."""
    public = re.sub(r"^([\w+.-]*:?//)?.*@", r"\1…@", value, flags=re.DOTALL)
    return repr(public if len(public) <= LONGEST_SHOWN else public[:LONGEST_SHOWN] + "…")


def cache_folder() -> Path:
    """Return the folder of hubscan's cache: `HUBSCAN_CACHE`, or hubscan's part of the user's cache.

    If it cannot be written, a temporary folder takes its place until the process ends, with a warning:
    whatever the cache keeps can be computed again.
    """
    folder = asked_cache_folder()
    return _instead_of(folder) if not folder.is_dir() or not os.access(folder, os.W_OK) else folder


def asked_cache_folder() -> Path:
    """Return the same folder, whether or not it can be written."""
    from platformdirs import user_cache_path

    asked = os.environ.get("HUBSCAN_CACHE")
    try:
        return Path(asked).expanduser() if asked else user_cache_path("hubscan")
    except RuntimeError:  # the home of no user
        return Path(asked or ".cache/hubscan")


_instead: Final[dict[Path, tempfile.TemporaryDirectory[str]]] = {}  # until the process ends


@cache
def _instead_of(folder: Path) -> Path:
    problem = why_not_writable(folder)
    if problem is None:
        return folder
    name = deciding(HUBSCAN_CACHE)
    log.warning(
        "%s: hubscan's cache in %s cannot be written (%s), so features are kept in a temporary folder",
        name,
        folder,
        problem,
    )
    _instead[folder] = temporary_folder()
    return Path(_instead[folder].name)


def deciding(names: tuple[str, ...]) -> str:
    """Return which of *names* decides: the first that is set, else the last."""
    return next((name for name in names if os.environ.get(name)), names[-1])


def why_not_writable(folder: Path) -> str | None:
    """Return why no file can be created in *folder*, None if one can; leave nothing behind."""
    made = [path for path in (folder, *folder.absolute().parents) if not os.path.lexists(path)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)
    finally:
        for path in made:  # the innermost first
            try:
                path.rmdir()
            except OSError:
                break


def _read_by(error: Exception) -> str | None:
    """Return the variable that is set and that a library was reading when *error* was raised, else None."""
    named = [name for name in os.environ if name not in EVERYWHERE]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if "site-packages" not in frame.filename or frame.lineno is None:
            continue
        last = frame.end_lineno or frame.lineno
        lines = [linecache.getline(frame.filename, number) for number in range(frame.lineno, last + 1)]
        quoted = set(re.findall(r"""["']([A-Za-z_][A-Za-z0-9_]*)["']""", "".join(lines)))
        found = next((name for name in named if name in quoted), None)
        if found:
            return found
    return None


def _whole_number(least: int) -> Callable[[str], str | None]:
    def advice(value: str) -> str | None:
        fine = value.strip().isdecimal() and int(value) >= least
        return None if fine else f"not a whole number from {least}; correct it, or unset it"

    return advice


def _number(value: str) -> str | None:
    try:
        float(value)
    except ValueError:
        return "not a number; correct it, or unset it"
    return None


def _threads(value: str) -> str | None:
    parts = value.split(",")  # OpenMP: one number for each level of nested parallelism
    fine = all(part.strip().isdecimal() and int(part) > 0 for part in parts)
    return None if fine or not value else "not a number of threads; correct it, or unset it"


def _folder(value: str) -> str | None:
    return None if value.strip() else "is empty, which means the current folder; unset it, or name a folder"


def _address(value: str) -> str | None:
    if not value.strip():
        return "is empty; unset it, or set it to the address of a Hub such as https://huggingface.co"
    if value != value.strip() or any(character.isspace() for character in value):
        return "contains a space or a line break; remove it"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"not an address ({unquoted(error)}); write it as https://HOST"
    if parts.scheme not in ("http", "https") or not parts.netloc:
        bare = value.partition("://")[2] or value
        return f"not an http address; write it as https://{bare.lstrip('/:')}"
    if not host:
        return "names no host; write it as https://HOST"
    return "contains a query, which no address of a Hub has; remove it" if parts.query else None


_CHECKS: Final[Mapping[str, Callable[[str], str | None]]] = {
    "HF_ENDPOINT": _address,
    "HF_HOME": _folder,
    "HF_HUB_CACHE": _folder,
    "HUGGINGFACE_HUB_CACHE": _folder,
    "HF_DATASETS_CACHE": _folder,
    "HF_HUB_DOWNLOAD_TIMEOUT": _whole_number(1),
    "HF_HUB_ETAG_TIMEOUT": _whole_number(1),
    "HF_DATASETS_IN_MEMORY_MAX_SIZE": _number,
    # tqdm, whose progress bars the Hub's client imports, reads the defaults of its arguments from these.
    **{f"TQDM_{name}": _number for name in ("MININTERVAL", "MAXINTERVAL", "SMOOTHING", "MINITERS")},
    **{f"TQDM_{name}": _number for name in ("DELAY", "INITIAL", "TOTAL")},
    **{f"TQDM_{name}": _whole_number(0) for name in ("NCOLS", "NROWS", "POSITION", "UNIT_DIVISOR")},
    "OMP_NUM_THREADS": _threads,
    "MKL_NUM_THREADS": _threads,
    "OPENBLAS_NUM_THREADS": _threads,
}

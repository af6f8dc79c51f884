"""Parse the values in a JSON text within a budget of memory and depth."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from typing import Any, Final

from hubscan.sample.sources.json_files.document import Repeated
from hubscan.untrusted import MOST_DEPTH, Malformed, check_size

MOST_HELD: Final = 2**28  # bytes of memory
BYTES: Final = ((",", 40), ("[", 64), ("{", 200))  # that a value takes for each of these characters
STRINGS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
SPACES: Final = re.compile(r"[ \t\r\n]*")


def held_by(text: str) -> int:
    """Return about how many bytes of memory the values in *text* take, at most."""
    return sys.getsizeof(text) + sum(size * text.count(mark) for mark, size in BYTES)


def values_in(text: str) -> list[Any]:
    """Return the values in *text*, with nothing or white space between them.

    Raises:
        Malformed: if they take too much memory, or are nested too deeply.
        json.JSONDecodeError: if they are not JSON.
    """
    check_held(text)
    found, at = [], after_space(text, 0)
    while at < len(text):
        value, at = value_at(text, at)
        found.append(value)
        at = after_space(text, at)
    return found


def check_held(text: str) -> None:
    """Raise `Malformed` if the values in *text* take too much memory."""
    if held_by(text) > MOST_HELD and held_by(STRINGS.sub("", text)) + len(text) > MOST_HELD:
        raise Malformed(f"values that take over {MOST_HELD:,} bytes of memory")


def value_at(text: str, at: int) -> tuple[Any, int]:
    """Return the value that begins at *at*, and where it ends.

    Raises:
        Malformed: if it is nested too deeply.
        json.JSONDecodeError: if it is not JSON.
    """
    try:
        value, end = DECODER.raw_decode(text, at)
    except RecursionError as error:
        raise Malformed(f"nested more than {MOST_DEPTH} deep") from error
    if text.count("[", at, end) + text.count("{", at, end) > MOST_DEPTH:
        check_size(value)
    return value, end


def after_space(text: str, at: int) -> int:
    """Return where the white space that begins at *at* ends."""
    blank = SPACES.match(text, at)
    assert blank is not None  # it matches nothing, too
    return blank.end()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    repeated = Repeated(found)
    repeated.keys_repeated = frozenset(
        key for key, count in Counter(key for key, _ in pairs).items() if count > 1
    )
    return repeated


DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique)

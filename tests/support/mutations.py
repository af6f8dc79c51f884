"""Spoil JSON documents and bytes as a stranger or a bad disk would, for fuzz targets."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

from hypothesis import strategies as st

HOSTILE: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 10**30, 2**63, 1e400, -1e400, float("nan"), "", " ", "x" * 100_000, "\x1b[31m", "\0",
    "\ud800", "../../etc/passwd", "/dev/zero", "http://10.0.0.1/x", "zip://*.csv::/x.zip", "*" * 50, "(a+)+$",
    [], {}, [[]], [None], {"": {}}, [1] * 10_000, {"a": {"b": {"c": {}}}}, "float32", "0", "-1", "1e9",
)  # fmt: skip
"""Values of which one replaces another."""

Path = tuple[Any, ...]


def places(document: Any, at: Path = ()) -> Iterator[Path]:
    """Yield the path of every value in *document*, which consists of dicts and lists."""
    yield at
    keys = (
        document if isinstance(document, dict) else range(len(document) if isinstance(document, list) else 0)
    )
    for key in keys:
        yield from places(document[key], (*at, key))


def _deep(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


@st.composite
def mutated(draw: st.DrawFn, document: Any) -> Any:
    """Return *document* with up to three values replaced, removed, doubled or given another name."""
    spoilt = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(spoilt))))
        value = draw(
            st.sampled_from(HOSTILE).map(copy.deepcopy)  # else a list may be put into itself
            | st.text(max_size=20)
            | st.integers()
            | st.builds(_deep, st.integers(1, 80))
        )
        if not path:
            return value
        parent = spoilt
        for key in path[:-1]:
            parent = parent[key]
        how = draw(st.sampled_from(("replace", "remove", "add")))
        if how == "remove":
            del parent[path[-1]]
        elif how == "replace" or isinstance(parent, list):
            parent[path[-1]] = value
        else:
            parent[draw(st.text(max_size=10))] = value
    return spoilt


@st.composite
def spoilt(draw: st.DrawFn, content: bytes) -> bytes:
    """Return *content* cut, with flipped bytes, and with bytes put in."""
    place = st.integers(0, max(len(content) - 1, 0))
    found = bytearray(content)
    for at, bits in draw(st.lists(st.tuples(place, st.integers(1, 255)), max_size=8)):
        found[at] ^= bits
    at, junk = draw(place), draw(st.binary(max_size=12))
    found[at:at] = junk
    return bytes(found[: draw(st.just(len(found)) | st.integers(0, len(found)))])

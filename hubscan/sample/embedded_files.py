"""Find the bytes of an image or audio file in a cell: stored as they are, in a struct, a list or a text."""

from __future__ import annotations

import ast
import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hubscan.media import audio, images
from hubscan.records import Modality

SHORTEST: Final = 24  # characters of a text that can hold a file
SHORTEST_LIST: Final = 64
DATA_URI: Final = re.compile(r"data:(?:image|audio|application)/[^,]{1,200},", re.IGNORECASE)
BASE64: Final = re.compile(r"[A-Za-z0-9+/]+")
BEGINNING: Final = 4096  # characters, of which four or two make whole bytes
PYTHON: Final = ("b'", 'b"', "{'bytes'", "{'path'")  # how pandas writes bytes and structs to a csv
_TEXT: Final = r"""(?:'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*")"""
_ENTRY: Final = rf"'(?:bytes|path)':\s*(?:None|b?{_TEXT})"
LITERAL: Final = re.compile(rf"b{_TEXT}|\{{{_ENTRY}(?:,\s*{_ENTRY})?\}}", re.DOTALL)
"""A single literal, or two in a dict: Python's parser could exhaust the stack on anything deeper."""
URL_SAFE: Final = str.maketrans("-_", "+/")


def modality_of(content: bytes) -> Modality | None:
    """Return "image" or "audio" if *content* begins like such a file, else None."""
    if audio.is_audio(content):
        return "audio"
    return "image" if images.is_image(content) else None


def single(value: Any) -> Any:
    """Return the first item if *value* is a list of files, and *value* otherwise."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if not value or isinstance(value[0], int | float | bool):
            return _as_bytes(value)
        return value[0]
    return value


def inside(value: Any) -> bytes | None:
    """Return the bytes of the file in a cell; None if the cell is empty, or names a file instead."""
    value = single(value)
    if isinstance(value, Mapping):
        value = value.get("bytes")
    if isinstance(value, str):
        return _from_text(value)
    if not isinstance(value, bytes):
        return None
    written = None if modality_of(value) else _from_text(value.decode("ascii", "replace"))
    return value if written is None else written


def named(value: Any) -> str | None:
    """Return the name or address of the file that a cell holds instead of its bytes, if any."""
    value = single(value)
    if isinstance(value, str) and value.startswith(PYTHON):
        value = _literal(value)
    if isinstance(value, Mapping):
        value = value.get("path")
    return value.strip() or None if isinstance(value, str) else None


def _as_bytes(values: Sequence[Any]) -> bytes | None:
    """Return *values* as bytes if they can be those of a file, not a short list such as that of labels."""
    if len(values) < SHORTEST_LIST:
        return None
    try:
        return bytes(values)
    except (TypeError, ValueError):
        return None


def _from_text(text: str) -> bytes | None:
    """Return the file that *text* holds in base64, in hexadecimal or as Python writes bytes."""
    if len(text) < SHORTEST:
        return None
    if text.startswith(PYTHON):
        return inside(_literal(text))
    uri = DATA_URI.match(text)
    packed = text[uri.end() :] if uri else text
    for unpack in (_from_hexadecimal, _from_base64):
        beginning = unpack(packed[:BEGINNING])
        if beginning is not None and (uri or modality_of(beginning)):
            return unpack(packed)
    return None


def _literal(text: str) -> Any:
    if not LITERAL.fullmatch(text):
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _from_base64(text: str) -> bytes | None:
    packed = text.strip().replace("\r", "").replace("\n", "").translate(URL_SAFE).rstrip("=")
    if not BASE64.fullmatch(packed):
        return None
    packed = packed[: len(packed) - (len(packed) % 4 == 1)]
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4))
    except binascii.Error:
        return None


def _from_hexadecimal(text: str) -> bytes | None:
    packed = text.removeprefix("\\x").removeprefix("0x")
    try:
        return bytes.fromhex(packed)
    except ValueError:
        return None

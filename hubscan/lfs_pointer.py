"""Recognise a Git LFS pointer: the few lines of text that stand for a large file until `git lfs pull`."""

from __future__ import annotations

from typing import Final

START: Final = b"version https://git-lfs.github.com/spec/"


def is_lfs_pointer(first_bytes: bytes) -> bool:
    """Return whether a file that begins with *first_bytes*, at least 40 of them, is only a pointer.

    >>> is_lfs_pointer(b"version https://git-lfs.github.com/spec/v1")
    True
    >>> is_lfs_pointer(b"text,label")
    False
    """
    return first_bytes.startswith(START)

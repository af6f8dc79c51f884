"""Turn the cells of a row into inputs for an encoder, or report why one is unusable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from hubscan.lfs_pointer import is_lfs_pointer
from hubscan.media import audio, images
from hubscan.records import Input, LabelKind, Modality
from hubscan.sample.budgets import MOST_FILE_BYTES, MOST_ROW_CHARACTERS
from hubscan.sample.embedded_files import inside, named
from hubscan.sample.image_notes import ImageNotes
from hubscan.sample.missing_words import means_missing, notes_about_texts

MOST_CHARACTERS: Final = 500_000  # no encoder reads more, and a few longer texts would fill the memory
EMPTY: Final = "empty input"
NOT_TEXT: Final = "not a text"
LONG_TEXT: Final = "text larger than 33 MB"
LARGE_FILE: Final = "file larger than 100 MB"
POINTER: Final = "Git LFS pointer instead of the file"

Fetch = Callable[[str], bytes]
"""Return the content of a file named in a cell.

It raises `FileNotFoundError` if reading the file is not allowed, and `LargeFile` if it is too large.
"""


class LargeFile(FileNotFoundError):
    """A file named in a cell is larger than `MOST_FILE_BYTES`."""


class Unusable(Exception):
    """The cell is unusable. The message is the reason under which dropped rows are counted."""


class Reader:
    """Reads the inputs of rows; counts the texts it truncates and the files it fetches."""

    def __init__(
        self,
        inputs: Mapping[Modality, tuple[str, ...]],
        kind: LabelKind,
        fetch: Fetch,
        seconds: float,
        background: str = "white",
    ) -> None:
        """Prepare to read *inputs*.

        Args:
            inputs: the columns of each modality.
            kind: of the labels.
            fetch: reads a file named in a cell.
            seconds: of audio to read, from its beginning.
            background: the color under transparent images.

        Raises:
            HubscanError: if the inputs include audio and no audio decoder is installed.
        """
        if "audio" in inputs:
            audio.require()
        self._inputs = inputs
        self._seconds = seconds
        self._tokens = kind == "token"
        self._fetch = fetch
        self._background = background
        self._of_images = ImageNotes(background)
        self._words: Counter[str] = Counter()  # texts such as NA, which may mean that there is none
        self.cut = 0
        self.several = 0
        self.fetched = 0

    @property
    def notes(self) -> Sequence[str]:
        """Return what was decided while reading, each with how to change it, for `SampleInfo.notes`."""
        cut = f"texts truncated to {MOST_CHARACTERS:,} characters: {self.cut:,}"
        several = f"rows with several files, of which the first is read: {self.several:,}"
        return [
            *([cut] if self.cut else []),
            *([several] if self.several else []),
            *notes_about_texts(self._words),
            *self._of_images(),
        ]

    def read(self, table: pa.Table, place: int) -> dict[Modality, Input]:
        """Return the inputs of row *place*.

        Raises:
            Unusable: if one of them is empty or cannot be read.
        """
        return {
            modality: self._one(modality, [_value(table.column(name), place, modality) for name in columns])
            for modality, columns in self._inputs.items()
        }

    def _one(self, modality: Modality, values: Sequence[Any]) -> Input:
        if modality != "text":
            return self._file(modality, values[0])
        if self._tokens:
            return _words(values[0])
        texts = tuple(self._text(value) for value in values)
        return texts if len(texts) > 1 else texts[0]

    def _text(self, value: Any) -> str:
        if not isinstance(value, str) and value is not None:
            raise Unusable(NOT_TEXT)
        if value is None or not value.strip():
            raise Unusable(EMPTY)
        self.cut += len(value) > MOST_CHARACTERS
        if means_missing(value):
            self._words[value] += 1
        return value[:MOST_CHARACTERS]

    def _file(self, modality: Modality, value: Any) -> bytes:
        content = self._content(value, modality)
        if not content:
            raise Unusable(EMPTY)
        if is_lfs_pointer(content):
            raise Unusable(POINTER)
        try:
            if modality == "image":
                self._of_images.add(images.read(content, self._background))
            else:
                audio.read(content, self._seconds)
        except (images.ImageError, audio.AudioError) as reason:
            raise Unusable(str(reason)) from reason
        return content

    def _content(self, value: Any, modality: Modality) -> bytes:
        """Return the bytes in a cell, or those of the file it names."""
        self.several += isinstance(value, list) and len(value) > 1 and not isinstance(value[0], int)
        content = inside(value)
        if content is not None:
            return content
        path = named(value)
        if path is None:
            raise Unusable(EMPTY)
        try:
            content = self._fetch(path)
        except LargeFile as error:
            raise Unusable(LARGE_FILE) from error
        except OSError as error:
            raise Unusable(f"{modality} file missing") from error
        self.fetched += 1
        return content


def _words(value: Any) -> tuple[str, ...]:
    words = tuple(word if isinstance(word, str) else "" for word in value or ())
    if not any(word.strip() for word in words):
        raise Unusable(EMPTY)
    return words


def _value(column: pa.ChunkedArray, place: int, modality: Modality) -> Any:
    size = column.slice(place, 1).nbytes  # looked at before the cell is copied
    if modality == "text" and size > MOST_ROW_CHARACTERS:
        raise Unusable(LONG_TEXT)
    if size > MOST_FILE_BYTES:
        raise Unusable(LARGE_FILE)
    try:
        return column[place].as_py()
    except UnicodeDecodeError as error:
        raise Unusable("text is not UTF-8") from error

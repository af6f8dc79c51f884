"""Recognise columns whose cells hold image or audio files, or name them, whatever the type of the column.

The names of files are never read as texts: the class is often in the path.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, NoReturn

import pyarrow as pa

from hubscan.errors import DatasetError
from hubscan.records import TASKS, Modality, SampleRequest
from hubscan.sample.column_names import plain_name
from hubscan.sample.column_types import STORED_FILE
from hubscan.sample.columns import Columns
from hubscan.sample.embedded_files import inside, modality_of, named, single
from hubscan.sample.label_columns import Peek

MOSTLY: Final = 0.9  # of the first values must name files, as texts may end in a file name too
OFTEN: Final = 0.5  # of the first values must hold files, as some may be damaged
LOOKED_UP: Final = 5  # of the names without an ending are looked up
LONGEST_NAME: Final = 500  # characters
SHOWN: Final = 60  # characters of a value in a message
OTHER_WORDS: Final = 3  # words of a name of a file that is neither an image nor audio
PROSE_WORDS: Final = 3  # fewer make a name or an id
BINARY: Final = re.compile(r"(fixed_size_|large_)?binary.*")
LOOKED_AT: Final = re.compile(rf"text|texts|integers|dict|list of .*|{BINARY.pattern}")
ENDINGS: Final[Mapping[Modality, str]] = {
    "image": "jpe?g|jpe|jfif|a?png|gif|bmp|dib|webp|tiff?|p[pgbn]m|avif|hei[cf]|jp2|j2k|ico|tga",
    "audio": "wav|flac|mp3|og[ga]|opus|m4a|aac|aiff?|au|amr|wma",
}
OTHER_ENDINGS: Final = (
    r"svg|mp4|m4v|avi|mov|mkv|webm|mpe?g|np[yz]|dcm|dicom|nii(\.gz)?|mat|h5|hdf5|dng|cr2|nef|arw|raw|psd|mid|midi"
    r"|pdf|txt|html?|xml|json|docx?|pptx?|xlsx?|csv|tsv|zip|tar|gz|7z"
)


def _ending(endings: str) -> re.Pattern[str]:
    return re.compile(rf"[^\n\r\0]+\.({endings})([?#]\S*)?", re.IGNORECASE)


FILE_NAME: Final[Mapping[Modality, re.Pattern[str]]] = {
    modality: _ending(endings) for modality, endings in ENDINGS.items()
}
OTHER_NAME: Final = _ending(OTHER_ENDINGS)
URL: Final = re.compile(r"[a-z][a-z0-9+.-]{1,19}://", re.IGNORECASE)
ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]{1,19}://\S+", re.IGNORECASE)
OF_IMAGES: Final = re.compile(r"image|img|photo|picture|pic\b|thumb|avatar|poster", re.IGNORECASE)
OBJECT: Final = re.compile(r"<PIL\.\S+ (image )?mode=\S+ size=\S+.*>")

Place = Literal["inside", "file", "URL", "object", "other file"]
Locate = Callable[[str], str | None]
"""Return where the file of a name is, or None if it cannot be read."""


@dataclass(frozen=True)
class Held:
    """What the cells of a column hold: files, their names or URLs, or what Python prints for an image."""

    modality: Modality
    place: Place
    example: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileColumns:
    """The kinds of all columns, with those that hold files, and the columns whose files cannot be read."""

    kinds: Mapping[str, str]
    unread: Mapping[str, Held] = field(default_factory=dict)
    as_texts: tuple[str, ...] = ()  # columns of file names that were named as texts

    def of(
        self,
        find: Callable[[Mapping[str, str]], Columns],
        peek: Peek,
        where: str,
    ) -> Columns:
        """Return the columns that *find* chooses by the kinds.

        Raises:
            DatasetError: if it chooses files that cannot be read, and there is no column of texts instead.
        """
        try:
            columns = find(self.kinds)
        except DatasetError:
            self._refuse_names_as_texts(find, where)
            raise
        name = next((n for names in columns.inputs.values() for n in names if n in self.unread), None)
        notes = [*columns.notes, *(_read_as_text(n) for n in self.as_texts if n in columns.contents)]
        if name is None:
            return replace(columns, notes=tuple(notes))
        others = {n: kind for n, kind in self.kinds.items() if n not in self.unread}
        try:
            columns = find(others)
        except DatasetError:
            _refuse(name, self.unread[name], where)
        texts = columns.inputs.get("text", ())
        if not texts or not all(_is_prose(peek([text])[text]) for text in texts):
            _refuse(name, self.unread[name], where)
        return replace(columns, notes=(*columns.notes, _left_out(name, self.unread[name], texts)))

    def _refuse_names_as_texts(self, find: Callable[[Mapping[str, str]], Columns], where: str) -> None:
        """Refuse a column of names that *find* would choose if they were texts."""
        name = None
        with suppress(DatasetError):
            columns = find({**self.kinds, **dict.fromkeys(self.unread, "text")})
            name = next((name for name in columns.inputs.get("text", ()) if name in self.unread), None)
        if name is not None:
            _refuse(name, self.unread[name], where)


def recognised(
    kinds: Mapping[str, str],
    peek: Peek,
    locate: Locate,
    request: SampleRequest,
) -> FileColumns:
    """Return *kinds* with "image" and "audio" for columns whose first values hold or name such files.

    Args:
        kinds: the kind of each column by its type.
        peek: returns the first rows.
        locate: finds a file that a cell names.
        request: the columns that were named.
    """
    found, unread, as_texts = dict(kinds), {}, []
    asked = {plain_name(name) for name in request.input_columns}
    aside = {plain_name(name) for name in (*request.label_columns, request.group_column or "")}
    present = set(kinds.values())
    for name, held in _held(kinds, peek, locate, aside):
        if held.place != "inside" and plain_name(name) in asked and _wants_texts(request):
            as_texts.append(name)
        elif held.place == "inside" or (held.place == "file" and any(locate(one) for one in held.names)):
            found[name] = held.modality
        else:
            unread[name] = held
    for name, held in list(unread.items()):
        # Beside files that can be read, names and URLs only repeat where those came from.
        alone = held.modality not in {*present, *found.values()} or plain_name(name) in asked
        found[name] = held.modality if alone and held.place != "other file" else "names of files"
    return FileColumns(found, unread, tuple(as_texts))


def _held(
    kinds: Mapping[str, str], peek: Peek, locate: Locate, aside: set[str]
) -> Iterator[tuple[str, Held]]:
    for name, kind in kinds.items():
        if plain_name(name) not in aside and LOOKED_AT.fullmatch(kind):
            values = _first_values(peek, name)
            held = _what(values, OF_IMAGES.search(name) is not None) or _found(values, locate)
            if held is not None:
                yield name, held


def _first_values(peek: Peek, name: str) -> list[Any]:
    """Return the first values of a column; none if it cannot be read, which is an error when it matters."""
    try:
        return _values(peek([name])[name])
    except DatasetError:
        return []


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Return the values of *column* that can be read."""
    found = []
    for cell in column:
        try:
            found.append(cell.as_py())
        except ValueError:  # text that is not UTF-8, or two fields of one name
            found.append("")
    return [value for value in found if value is not None and value != ""]


def _what(values: Sequence[Any], of_images: bool) -> Held | None:
    """Return what most of *values* hold; None if they are something else.

    If the column is called after images, any URL is that of an image.
    """
    held = [one for one in map(_one, values) if one is not None]
    if not held and of_images:
        held = [Held("image", "URL", v) for v in values if isinstance(v, str) and ADDRESS.fullmatch(v)]
    if not held:
        stored = bool(values) and all(isinstance(v, Mapping) and set(v) == STORED_FILE for v in values)
        return Held("image", "inside") if stored else None
    (modality, place), _ = Counter((one.modality, one.place) for one in held).most_common(1)[0]
    if len(held) < (OFTEN if place == "inside" else MOSTLY) * len(values):
        return None
    alike = [one.example for one in held if (one.modality, one.place) == (modality, place)]
    return Held(modality, place, alike[0], tuple(alike))


def _found(values: Sequence[Any], locate: Locate) -> Held | None:
    """Return what most of *values* name without the endings of the files."""
    names = list(dict.fromkeys(v for v in values if isinstance(v, str)))[:LOOKED_UP]
    if not names or any(len(name) > LONGEST_NAME or len(name.split()) != 1 for name in names):
        return None
    found = [address for name in names if (address := locate(name)) is not None]
    if len(found) < MOSTLY * len(names):
        return None
    modality = next((m for m, pattern in FILE_NAME.items() if pattern.fullmatch(found[0])), None)
    return None if modality is None else Held(modality, "file", names[0], tuple(names))


def _one(value: Any) -> Held | None:
    content = inside(value)
    if content is not None:
        modality = modality_of(content)
        return None if modality is None else Held(modality, "inside")
    name = named(value)
    if name is None or len(name) > LONGEST_NAME:
        return None
    if OBJECT.fullmatch(name):
        return Held("image", "object", name)
    for modality, pattern in FILE_NAME.items():
        if pattern.fullmatch(name):
            return Held(modality, "URL" if URL.match(name) else "file", name)
    if OTHER_NAME.fullmatch(name) and not (URL.match(name) or len(name.split()) > OTHER_WORDS):
        return Held("image", "other file", name)
    return None


def _wants_texts(request: SampleRequest) -> bool:
    if request.modalities:
        return "text" in request.modalities
    return request.task is not None and TASKS[request.task] == "text"


def _is_prose(column: pa.ChunkedArray) -> bool:
    values = [single(value) for value in _values(column)]
    words = [len(value.split()) for value in values if isinstance(value, str)]
    return bool(words) and sorted(words)[len(words) // 2] >= PROSE_WORDS


def _refuse(name: str, held: Held, where: str) -> NoReturn:
    example = held.example if len(held.example) <= SHOWN else held.example[:SHOWN] + "…"
    if held.place == "URL":
        raise DatasetError(
            f"{where}: column {name!r} holds URLs of {held.modality} files, such as {example!r}, which are "
            "not downloaded; download the files, and replace the URLs by paths relative to the data file"
        )
    if held.place == "object":
        raise DatasetError(
            f"{where}: column {name!r} holds what Python prints for an image, {example!r}, and no pixels; "
            "save the images as files or as bytes"
        )
    if held.place == "other file":
        raise DatasetError(
            f"{where}: column {name!r} holds names of files, such as {example!r}, which are not read; "
            "convert them to images, audio or texts, or pass --task text-classification and "
            f"--input-column {name} to rank the names themselves"
        )
    raise DatasetError(
        f"{where}: column {name!r} holds names of {held.modality} files, such as {example!r}, and there are "
        "no such files beside the data; copy them there, with their paths relative to the data file"
    )


def _left_out(name: str, held: Held, texts: Sequence[str]) -> str:
    what = {"URL": f"URLs of {held.modality} files", "object": "what Python prints for images"}
    return (
        f"column {name!r} holds {what.get(held.place, 'names of missing files')}, which are not read, so the "
        f"texts of {', '.join(map(repr, texts))} are ranked"
    )


def _read_as_text(name: str) -> str:
    return f"column {name!r} holds names of files, read as texts; leave out the task to read the files"

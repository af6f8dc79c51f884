"""Images are found in columns of any type, as bytes, as text or by name."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pytest

from hubscan.errors import DatasetError
from tests.support.image_rows import (
    IMAGES,
    LABELS,
    NAMES,
    ROWS,
    assert_whole,
    drawn,
    image,
    labelled,
    parquet,
    photos,
    table,
)


def fixed(contents: Sequence[bytes]) -> pa.Array:
    most = max(map(len, contents))
    return pa.array([content.ljust(most, b"\0") for content in contents], pa.binary(most))


COLUMNS: dict[str, Callable[[], pa.Array]] = {
    "binary": lambda: pa.array(IMAGES, pa.binary()),
    "large binary": lambda: pa.array(IMAGES, pa.large_binary()),
    "fixed-size binary": lambda: fixed(IMAGES),
    "dictionary of binary": lambda: pa.array(IMAGES, pa.binary()).dictionary_encode(),
    "bytes": lambda: pa.array([{"bytes": one} for one in IMAGES]),
    "bytes and path": lambda: pa.array([{"bytes": one, "path": None} for one in IMAGES]),
    "path and bytes": lambda: pa.array([{"path": "x.png", "bytes": one} for one in IMAGES]),
    "bytes and more": lambda: pa.array([{"bytes": one, "path": "x", "width": 8} for one in IMAGES]),
    "large bytes": lambda: pa.array([{"bytes": one} for one in IMAGES], pa.struct([("bytes", pa.large_binary())])),
    "list of binary": lambda: pa.array([[one] for one in IMAGES]),
    "list of bytes": lambda: pa.array([[{"bytes": one, "path": None}] for one in IMAGES]),
    "large list of binary": lambda: pa.array([[one] for one in IMAGES], pa.large_list(pa.binary())),
    "fixed-size list": lambda: pa.array([[one] for one in IMAGES], pa.list_(pa.binary(), 1)),
    "uint8 list": lambda: pa.array([list(one) for one in IMAGES], pa.list_(pa.uint8())),
    "int64 list": lambda: pa.array([list(one) for one in IMAGES], pa.list_(pa.int64())),
    "base64": lambda: pa.array([base64.b64encode(one).decode() for one in IMAGES]),
    "large base64": lambda: pa.array([base64.b64encode(one).decode() for one in IMAGES], pa.large_string()),
    "struct of base64": lambda: pa.array([{"bytes": base64.b64encode(one).decode()} for one in IMAGES]),
}  # fmt: skip


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("name", ["image", "text"])
def test_encoded_images_are_recognised_in_columns_of_every_type(tmp_path: Path, kind: str, name: str) -> None:
    file = parquet(tmp_path, **{name: COLUMNS[kind](), "label": LABELS})
    assert_whole(drawn(file), name)
    assert_whole(drawn(file, task="image-classification"), name)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "ICO"])
def test_formats_are_recognised_by_their_first_bytes(tmp_path: Path, kind: str) -> None:
    contents = [image(row, kind) for row in range(ROWS)]
    sample = drawn(parquet(tmp_path, pixels=contents, label=LABELS))
    assert sample.draw.rows == ROWS and sample.draw.columns["image"] == "pixels"


def test_undecoded_and_listed_features_are_read(tmp_path: Path) -> None:
    rows = [{"bytes": one, "path": None} for one in IMAGES]
    label = datasets.ClassLabel(names=list(NAMES))
    codes = [row % 2 for row in range(ROWS)]
    for number, (feature, cells) in enumerate(
        [
            (datasets.Image(decode=False), rows),
            (datasets.List(datasets.Image()), [[one] for one in rows]),
            (datasets.Value("binary"), IMAGES),
        ]
    ):
        made = datasets.Dataset.from_dict(
            {"image": cells, "label": codes}, features=datasets.Features({"image": feature, "label": label})
        )
        made.to_parquet(tmp_path / f"{number}.parquet")
        made.save_to_disk(tmp_path / f"{number}")
        assert_whole(drawn(tmp_path / f"{number}.parquet"))
        assert_whole(drawn(tmp_path / f"{number}"))


def test_a_few_missing_or_damaged_images_are_counted(tmp_path: Path) -> None:
    contents = [None, b"", b"junk", IMAGES[3][:-30], *IMAGES[4:]]
    sample = drawn(parquet(tmp_path, image=pa.array(contents, pa.binary()), label=LABELS))
    assert sample.draw.dropped == {"empty input": 2, "not an image": 1, "corrupt image": 1}
    assert sample.draw.rows == ROWS - 4


def test_the_first_of_several_images_is_read_and_that_is_said(tmp_path: Path) -> None:
    cells = [[one, IMAGES[0]][: 1 + row % 2] for row, one in enumerate(IMAGES)]
    sample = drawn(parquet(tmp_path, images=cells, label=LABELS))
    assert_whole(sample, "images")
    assert sample.draw.notes == ("rows with several files, of which the first is read: 6",)


def test_other_bytes_are_not_taken_for_images(tmp_path: Path) -> None:
    hashes = [bytes([row] * 16) for row in range(ROWS)]
    file = parquet(tmp_path, text=[f"review {row}" for row in range(ROWS)], key=hashes, label=LABELS)
    assert drawn(file).draw.columns == {"text": "text", "label": "label"}
    with pytest.raises(DatasetError, match=r"key"):
        drawn(file, input_columns=("key",))


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("column", ["image", "text", "file_name", "path", "url"])
def test_images_named_in_a_table_are_read(tmp_path: Path, kind: str, column: str) -> None:
    file = table(tmp_path / f"data.{kind}", labelled(column, photos(tmp_path)))
    assert_whole(drawn(file), column)
    assert_whole(drawn(file, task="image-classification"), column)
    assert drawn(file).draw.notes == ()


SPELLINGS: dict[str, Callable[[str, Path], str]] = {
    "Windows separators": lambda name, _: name.replace("/", "\\"),
    "a leading dot": lambda name, _: f"./{name}",
    "a detour inside": lambda name, _: f"photos/../{name}",
    "an absolute path": lambda name, place: str(place / name),
    "no ending": lambda name, _: name.removesuffix(".png"),
    "spaces around": lambda name, _: f" {name} ",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_paths_are_read_as_people_write_them(tmp_path: Path, spelling: str) -> None:
    names = [SPELLINGS[spelling](name, tmp_path) for name in photos(tmp_path)]
    assert_whole(drawn(table(tmp_path / "data.csv", labelled("image", names))))


TEXTS: dict[str, Callable[[bytes], str]] = {
    "base64": lambda content: base64.b64encode(content).decode(),
    "base64 in lines": lambda content: base64.encodebytes(content).decode(),
    "base64 for URLs": lambda content: base64.urlsafe_b64encode(content).decode().rstrip("="),
    "a data URI": lambda content: "data:image/png;base64," + base64.b64encode(content).decode(),
    "hexadecimal": lambda content: content.hex(),
    "hexadecimal of Postgres": lambda content: "\\x" + content.hex(),
    "bytes as Python prints them": repr,
    "a struct as Python prints it": lambda content: repr({"bytes": content, "path": None}),
    "base64 bytes as Python prints them": lambda content: repr(base64.b64encode(content)),
}


@pytest.mark.parametrize("form", TEXTS)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_images_written_as_text_are_read(tmp_path: Path, kind: str, form: str) -> None:
    file = table(tmp_path / f"data.{kind}", labelled("image", [TEXTS[form](one) for one in IMAGES]))
    assert_whole(drawn(file), "image")


def test_names_in_structs_and_lists_are_read(tmp_path: Path) -> None:
    names = photos(tmp_path)
    for values in ([{"path": name} for name in names], [[name] for name in names], [{"path": name, "bytes": None} for name in names]):  # fmt: skip
        assert_whole(drawn(table(tmp_path / "data.jsonl", labelled("images", values))))


UNREAD = {
    "URLs": ([f"https://example.org/{name}_{row}.png" for row, name in enumerate(LABELS)], r"holds URLs of image files, such as 'https://example.org/dark_0.png'.*; download the files"),
    "URLs with a query": ([f"https://example.org/{name}_{row}.JPG?w=1&h=2" for row, name in enumerate(LABELS)], "holds URLs of image files.*; download the files"),
    "buckets": ([f"s3://bucket/{name}_{row}.jpeg" for row, name in enumerate(LABELS)], "holds URLs of image files"),
    "missing files": ([f"photos/{name}_{row}.png" for row, name in enumerate(LABELS)], r"holds names of image files, such as 'photos/dark_0.png', and there are no such files.*; copy them there"),
    "files elsewhere": ([f"/nowhere/{name}_{row}.png" for row, name in enumerate(LABELS)], "holds names of image files.*no such files beside the data"),
    "objects": ([f"<PIL.PngImagePlugin.PngImageFile image mode=RGB size=8x8 at 0x7F{row}>" for row in range(ROWS)], "holds what Python prints for an image"),
    "URLs without an ending": ([f"https://example.org/{row}/200" for row in range(ROWS)], "holds URLs of image files"),
    "drawings": ([f"a/{name}_{row}.svg" for row, name in enumerate(LABELS)], "holds names of files, such as 'a/dark_0.svg', which are not read; convert"),
    "videos": ([f"a/{name}_{row}.mp4" for row, name in enumerate(LABELS)], "holds names of files, such as 'a/dark_0.mp4', which are not read"),
    "texts in files": ([f"a/{name}_{row}.txt" for row, name in enumerate(LABELS)], "holds names of files, such as 'a/dark_0.txt', which are not read"),
    "missing clips": ([f"clips/{name}_{row}.wav" for row, name in enumerate(LABELS)], "holds names of audio files"),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNREAD)
@pytest.mark.parametrize("column", ["image", "text"])
def test_files_that_cannot_be_read_are_never_ranked_by_their_names(
    tmp_path: Path, kind: str, column: str
) -> None:
    values, said = UNREAD[kind]
    if kind == "URLs without an ending":
        column = "image_url"
    file = table(tmp_path / "data.csv", labelled(column, values))
    for keys in ({}, {"task": "text-classification"}, {"input_columns": (column,)}):
        with pytest.raises(DatasetError, match=rf"data\.csv: column '{column}' {said}"):
            drawn(file, **keys)


def test_files_outside_the_folder_of_the_data_are_not_read(tmp_path: Path) -> None:
    names = photos(tmp_path, "private")
    (tmp_path / "data").mkdir()
    for spelled in ([f"../{name}" for name in names], [str(tmp_path / name) for name in names], [f"x/../../{name}" for name in names]):  # fmt: skip
        file = table(tmp_path / "data/data.csv", labelled("image", spelled))
        with pytest.raises(DatasetError, match="no such files beside the data"):
            drawn(file)


def test_names_of_files_are_texts_only_if_asked_for_and_that_is_said(tmp_path: Path) -> None:
    file = table(tmp_path / "data.csv", labelled("path", photos(tmp_path)))
    sample = drawn(file, task="text-classification", input_columns=("path",))
    assert sample.draw.columns["text"] == "path"
    assert "column 'path' holds names of files, read as texts" in sample.draw.notes[0]
    assert_whole(drawn(file, input_columns=("path",)), "path")


def test_a_caption_beside_a_path_is_read_with_the_image(tmp_path: Path) -> None:
    rows = [
        {**row, "caption": f"what is shown in {n}"}
        for n, row in enumerate(labelled("path", photos(tmp_path)))
    ]
    sample = drawn(table(tmp_path / "data.csv", rows))
    assert sample.draw.columns == {"image": "path", "text": "caption", "label": "label"}


def test_texts_beside_files_that_cannot_be_read_are_ranked_and_that_is_said(tmp_path: Path) -> None:
    rows = [{"image_url": f"https://example.org/{n}.jpg", "review": f"a long review number {n}", "label": LABELS[n]} for n in range(ROWS)]  # fmt: skip
    sample = drawn(table(tmp_path / "data.csv", rows))
    assert sample.draw.columns == {"text": "review", "label": "label"}
    assert sample.draw.notes == (
        "column 'image_url' holds URLs of image files, which are not read, so the texts of 'review' are ranked",
    )
    rows = [
        {"image_url": f"https://example.org/{n}.jpg", "name": f"n{n}", "label": LABELS[n]}
        for n in range(ROWS)
    ]
    with pytest.raises(DatasetError, match="holds URLs of image files"):
        drawn(table(tmp_path / "data.csv", rows))


def test_names_beside_images_are_neither_texts_nor_a_second_image(tmp_path: Path) -> None:
    file = parquet(tmp_path, image=IMAGES, file_name=photos(tmp_path), url=[f"http://x/{n}.png" for n in range(ROWS)], label=LABELS)  # fmt: skip
    assert drawn(file).draw.columns["image"] == "image"
    declared = datasets.Dataset.from_dict(
        {"image": [{"bytes": one, "path": None} for one in IMAGES], "text": [f"{n}.png" for n in range(ROWS)], "label": LABELS},
        features=datasets.Features({"image": datasets.Image(), "text": datasets.Value("string"), "label": datasets.Value("string")}),
    )  # fmt: skip
    declared.to_parquet(tmp_path / "declared.parquet")
    assert drawn(tmp_path / "declared.parquet").draw.columns == {"image": "image", "label": "label"}


def test_texts_that_mention_files_stay_texts(tmp_path: Path) -> None:
    texts = [f"see figure_{n}.png" if n % 3 else f"a plain remark, number {n}" for n in range(ROWS)]
    file = table(tmp_path / "data.csv", labelled("text", texts))
    assert drawn(file).draw.columns["text"] == "text"


def test_a_changed_image_changes_the_fingerprint(tmp_path: Path) -> None:
    names = photos(tmp_path)
    file = table(tmp_path / "data.csv", labelled("image", names))
    before = drawn(file).draw.fingerprint
    (tmp_path / names[0]).write_bytes(image(90))
    assert drawn(file).draw.fingerprint != before


def test_audio_in_columns_of_every_type_is_audio(tmp_path: Path) -> None:
    clips = []
    for row in range(ROWS):
        stored = io.BytesIO()
        with wave.open(stored, "wb") as clip:
            clip.setnchannels(1)
            clip.setsampwidth(2)
            clip.setframerate(8000)
            clip.writeframes(np.full(800, row * 100, "<i2").tobytes())
        clips.append(stored.getvalue())
        (tmp_path / f"{row}.wav").write_bytes(clips[-1])
    for cells in (
        clips,
        [{"bytes": one, "path": None} for one in clips],
        [base64.b64encode(one).decode() for one in clips],
        [f"{row}.wav" for row in range(ROWS)],
    ):
        sample = drawn(parquet(tmp_path, text=cells, label=LABELS))
        assert sample.draw.columns == {"audio": "text", "label": "label"} and sample.draw.rows == ROWS


def test_half_of_the_files_may_be_missing(tmp_path: Path) -> None:
    names = photos(tmp_path)
    values = [name if row >= ROWS // 2 else f"no/{row}.png" for row, name in enumerate(names)]
    assert drawn(table(tmp_path / "data.csv", labelled("image", values))).draw.dropped == {
        "image file missing": ROWS // 2
    }


def test_texts_beside_names_of_other_files_need_no_note(tmp_path: Path) -> None:
    rows = [{"source": f"{n}.pdf", "text": f"words {n}", "label": LABELS[n]} for n in range(ROWS)]
    sample = drawn(table(tmp_path / "data.csv", rows))
    assert sample.draw.columns == {"text": "text", "label": "label"} and sample.draw.notes == ()


def test_long_and_strange_words_are_not_looked_up_in_vain(tmp_path: Path) -> None:
    for texts in (["w" * 400 + str(n) for n in range(ROWS)], [f"a\0b{n}" for n in range(ROWS)]):
        assert drawn(parquet(tmp_path, text=texts, label=LABELS)).draw.columns["text"] == "text"
    names = ["w" * 400 + f"{n}.png" for n in range(ROWS)]
    with pytest.raises(DatasetError, match="no such files beside the data"):
        drawn(parquet(tmp_path, text=names, label=LABELS))

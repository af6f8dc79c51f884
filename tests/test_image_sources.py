"""Images are found wherever a dataset keeps them: in columns of any type, by name, in zip files."""

from __future__ import annotations

import base64
import csv
import io
import json
import tarfile
import wave
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hubscan.errors import DatasetError
from hubscan.media.images import decode
from hubscan.records import Sample, SampleRequest
from hubscan.sample import draw
from tests.hub.drawing import drawn as drawn_from_hub
from tests.hub.lab import LabHub

ROWS = 12
NAMES = ("dark", "light")


def image(row: int, kind: str = "PNG") -> bytes:
    """Return an image of its own for each row, whose brightness is that of its class."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (200 * (row % 2) + row, 0, 0)).save(file, kind)
    return file.getvalue()


IMAGES = [image(row) for row in range(ROWS)]
LABELS = [NAMES[row % 2] for row in range(ROWS)]


def drawn(place: Path | str, **keys: Any) -> Sample:
    return draw(SampleRequest(str(place), **keys))


def assert_whole(sample: Sample, column: str | None = None) -> None:
    """Check that every row has its own image and label."""
    assert sample.draw.rows == ROWS and not sample.draw.dropped
    names = list(sample.draw.classes)
    assert sorted(names) == list(NAMES)
    found = set()
    for content, label in zip(sample.inputs["image"], sample.labels.tolist(), strict=True):
        assert isinstance(content, bytes)
        red = np.asarray(decode(content))[0, 0, 0]
        assert names[label] == NAMES[int(red >= 200)]
        found.add(int(red))
    assert len(found) == ROWS
    assert column is None or sample.draw.columns["image"] == column


def parquet(place: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), place / "data.parquet")
    return place / "data.parquet"


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


def photos(place: Path, folder: str = "photos", names: Sequence[str] = ()) -> list[str]:
    """Write the images, and return their paths relative to *place*."""
    names = names or [f"{folder}/{LABELS[row]}_{row:03}.png" for row in range(ROWS)]
    for name, content in zip(names, IMAGES, strict=True):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return list(names)


def table(file: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    if file.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), file)
    elif file.suffix == ".jsonl":
        file.write_text("\n".join(map(json.dumps, rows)))
    else:
        with file.open("w", newline="") as opened:
            writer = csv.DictWriter(opened, list(rows[0]), delimiter="\t" if file.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    return file


def labelled(column: str, values: Sequence[object]) -> list[dict[str, object]]:
    return [{column: value, "label": label} for value, label in zip(values, LABELS, strict=True)]


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


def packed(file: Path, contents: Mapping[str, bytes | str]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file


def by_class(under: str = "") -> dict[str, bytes | str]:
    return {f"{under}{LABELS[row]}/{row}.png": IMAGES[row] for row in range(ROWS)}


METADATA = "file_name,label\n" + "".join(f"{row}.png,{LABELS[row]}\n" for row in range(ROWS))
FLAT: dict[str, bytes | str] = {f"{row}.png": IMAGES[row] for row in range(ROWS)}
ZIPS: dict[str, dict[str, bytes | str]] = {
    "classes": by_class(),
    "classes below a folder": by_class("images/"),
    "classes below two folders": by_class("a/b/"),
    "with what a Mac leaves": {**by_class(), "__MACOSX/dark/._0.png": b"\0", "dark/.DS_Store": b"\0", "readme.txt": "x"},
    "metadata": {**FLAT, "metadata.csv": METADATA},
    "metadata below a folder": {**{f"x/{name}": one for name, one in FLAT.items()}, "x/metadata.csv": METADATA},
    "metadata as jsonl": {**FLAT, "metadata.jsonl": "\n".join(json.dumps({"file_name": f"{row}.png", "label": LABELS[row]}) for row in range(ROWS))},
    "a table of labels": {**FLAT, "labels.csv": METADATA.replace("file_name", "id").replace(".png", "")},
}  # fmt: skip


@pytest.mark.parametrize("kind", ZIPS)
@pytest.mark.parametrize("place", ["x.zip", "set/train.zip", "set/images.zip", "set/data/images.zip"])
def test_images_in_zips_are_read(tmp_path: Path, kind: str, place: str) -> None:
    file = packed(tmp_path / place, ZIPS[kind])
    sample = drawn(file if place == "x.zip" else tmp_path / "set")
    assert_whole(sample)
    assert sample.draw.notes == () or kind == "a table of labels"


def test_splits_and_classes_may_be_zips_or_folders_in_them(tmp_path: Path) -> None:
    packed(tmp_path / "splits/train.zip", by_class())
    packed(tmp_path / "splits/test.zip", {f"{name}/0.png": IMAGES[n] for n, name in enumerate(NAMES)})
    assert_whole(drawn(tmp_path / "splits"))
    assert drawn(tmp_path / "splits", split="test").draw.rows == 2
    both = {**by_class("x/train/"), **{f"x/test/{name}/0.png": IMAGES[n] for n, name in enumerate(NAMES)}}
    packed(tmp_path / "inner/x.zip", both)
    for place in (tmp_path / "inner", tmp_path / "inner/x.zip"):
        assert_whole(drawn(place))
        assert drawn(place, split="test").draw.rows == 2
        with pytest.raises(DatasetError, match="no split 'dev'"):
            drawn(place, split="dev")
    for number, name in enumerate(NAMES):
        packed(
            tmp_path / f"classes/{name}.zip", {f"{row}.png": IMAGES[row] for row in range(number, ROWS, 2)}
        )
    assert_whole(drawn(tmp_path / "classes"))


def test_metadata_beside_a_zip_names_the_files_in_it(tmp_path: Path) -> None:
    packed(tmp_path / "images.zip", FLAT)
    (tmp_path / "metadata.csv").write_text(METADATA)
    sample = drawn(tmp_path)
    assert_whole(sample)
    assert sample.draw.notes == ()


def test_a_zip_that_cannot_be_read_says_so_in_one_line(tmp_path: Path) -> None:
    file = packed(tmp_path / "text.zip", {"reviews.csv": "text,label\na,0\n"})
    with pytest.raises(
        DatasetError,
        match=r"text\.zip: a zip file without images or audio files \(it holds \.csv\); unpack it",
    ):
        drawn(file)
    nested = packed(tmp_path / "nested.zip", {"a.zip": file.read_bytes(), "b.tar.gz": b"x"})
    with pytest.raises(DatasetError, match=r"it holds \.zip, \.gz\); unpack it"):
        drawn(nested)
    whole = packed(tmp_path / "cut.zip", by_class()).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:-40])
    with pytest.raises(DatasetError, match=r"cut\.zip: not a zip file, or damaged .*; replace the file"):
        drawn(tmp_path / "cut.zip")
    with pytest.raises(DatasetError, match=r"the image files have no labels; move those of each class"):
        drawn(packed(tmp_path / "flat.zip", FLAT))


def test_a_file_in_a_zip_that_declares_too_many_bytes_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = packed(tmp_path / "x.zip", {**by_class(), "dark/bomb.png": b"\0" * 10_000})
    monkeypatch.setattr("hubscan.sample.sources.named_files.MOST_FILE_BYTES", 9_999)
    assert drawn(file).draw.dropped == {"image file missing": 1}


def test_a_damaged_file_in_a_zip_is_counted(tmp_path: Path) -> None:
    file = packed(tmp_path / "x.zip", by_class())
    content = bytearray(file.read_bytes())
    at = content.index(IMAGES[2])
    content[at : at + 8] = b"\xff" * 8
    file.write_bytes(bytes(content))
    assert drawn(file).draw.dropped == {"image file missing": 1}


TABLES: dict[str, tuple[str, str, list[str]]] = {
    "Kaggle": ("labels.csv", "id,label", [f"{row:03}" for row in range(ROWS)]),
    "with an extension": ("labels.csv", "image,label", [f"{row:03}.png" for row in range(ROWS)]),
    "with the folder": ("labels.csv", "path,label", [f"train/{row:03}.png" for row in range(ROWS)]),
    "with Windows separators": ("labels.csv", "path,label", [f"train\\{row:03}.png" for row in range(ROWS)]),
    "tabs": ("labels.tsv", "file\tlabel", [f"{row:03}.png" for row in range(ROWS)]),
    "metadata of another column": ("train/metadata.csv", "filename,label", [f"{row:03}.png" for row in range(ROWS)]),
    "metadata without extensions": ("train/metadata.csv", "id,label", [f"{row:03}" for row in range(ROWS)]),
    "named after the split": ("train.csv", "image_id,label", [f"{row:03}" for row in range(ROWS)]),
    "with another extension": ("labels.csv", "image,label", [f"{row:03}.jpg" for row in range(ROWS)]),
    "a column of numbers too": ("labels.csv", "id,age,label", [f"{row:03},{row % 3}" for row in range(ROWS)]),
}  # fmt: skip


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_of_labels_beside_images_is_read_and_that_is_said(tmp_path: Path, kind: str) -> None:
    name, header, cells = TABLES[kind]
    photos(tmp_path, names=[f"train/{row:03}.png" for row in range(ROWS)])
    tab = "\t" if name.endswith("tsv") else ","
    (tmp_path / name).write_text(
        "\n".join([header, *(cell + tab + label for cell, label in zip(cells, LABELS, strict=True))])
    )
    sample = drawn(tmp_path)
    assert_whole(sample)
    assert "labels are read from" in sample.draw.notes[0] and name in sample.draw.notes[0]


def test_jsonl_and_parquet_tables_of_labels_are_read(tmp_path: Path) -> None:
    names = photos(tmp_path, names=[f"train/{row}.png" for row in range(ROWS)])
    for kind in ("jsonl", "parquet"):
        file = table(tmp_path / f"labels.{kind}", labelled("file", names))
        assert_whole(drawn(tmp_path))
        file.unlink()


def test_rows_without_an_image_and_images_without_a_row_are_counted(tmp_path: Path) -> None:
    photos(tmp_path, names=[f"train/{row}.png" for row in range(ROWS)])
    lines = [f"{row}.png,{LABELS[row]}" for row in range(2, ROWS)] + ["missing.png,dark"]
    (tmp_path / "labels.csv").write_text("\n".join(["file_name,label", *lines]))
    sample = drawn(tmp_path)
    assert sample.draw.rows == ROWS - 2 and sample.draw.dropped == {"image file missing": 1}
    assert "2 image files have no row in 'labels.csv' and are left out" in sample.draw.notes


def test_a_test_set_and_a_sample_submission_beside_it_do_not_matter(tmp_path: Path) -> None:
    photos(tmp_path, names=[f"train/{row}.png" for row in range(ROWS)])
    photos(tmp_path, names=[f"test/{row + 100}.png" for row in range(ROWS)])
    (tmp_path / "labels.csv").write_text(METADATA.replace("file_name", "id"))
    (tmp_path / "sample_submission.csv").write_text(
        "id,label\n" + "".join(f"{row + 100},dark\n" for row in range(ROWS))
    )
    assert_whole(drawn(tmp_path))


def test_images_without_labels_get_advice(tmp_path: Path) -> None:
    photos(tmp_path, names=[f"train/{row}.png" for row in range(ROWS)])
    with pytest.raises(
        DatasetError,
        match=r"have no labels; move those of each class .* or add metadata\.csv with the columns",
    ):
        drawn(tmp_path)
    (tmp_path / "labels.xlsx").write_bytes(b"PK")
    with pytest.raises(DatasetError, match=r"no column of 'labels\.xlsx' names them; add metadata\.csv"):
        drawn(tmp_path)
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(METADATA)
    with pytest.raises(DatasetError, match=r"the labels may be in 'a\.csv' or 'b\.csv'; leave only one"):
        drawn(tmp_path)


def test_classes_in_folders_and_proper_metadata_need_no_note(tmp_path: Path) -> None:
    photos(tmp_path / "classes", names=[f"{LABELS[row]}/{row}.png" for row in range(ROWS)])
    assert_whole(drawn(tmp_path / "classes"))
    photos(tmp_path / "meta", names=[f"train/{row}.png" for row in range(ROWS)])
    (tmp_path / "meta/train/metadata.csv").write_text(METADATA)
    assert_whole(drawn(tmp_path / "meta"))
    assert drawn(tmp_path / "classes").draw.notes == drawn(tmp_path / "meta").draw.notes == ()


def test_labels_of_folders_win_over_a_table_and_that_is_said(tmp_path: Path) -> None:
    photos(tmp_path, names=[f"{LABELS[row]}/{row}.png" for row in range(ROWS)])
    (tmp_path / "labels.csv").write_text(
        "id,label\n" + "".join(f"{row},{'xy'[row % 3 > 0]}\n" for row in range(ROWS))
    )
    sample = drawn(tmp_path)
    assert_whole(sample)
    assert "labels are the names of the folders, and not in 'labels.csv'" in sample.draw.notes[0]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_of_class_folders_says_what_to_do(tmp_path: Path, mode: Any) -> None:
    file = tmp_path / ("x.tar" if mode == "w" else "x.tar.gz")
    with tarfile.open(file, mode) as archive:
        for name, content in by_class().items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(str.encode(content) if isinstance(content, str) else content))
    for place in (file, tmp_path):
        with pytest.raises(DatasetError, match=r"x\.tar.*have no labels .*; unpack it, and pass the folder"):
            drawn(place)


@pytest.mark.parametrize("name", ["x.tgz", "x.7z", "x.rar", "X.ZIP"])
def test_archives_of_other_kinds_say_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / name).write_bytes(b"archive")
    for place in (tmp_path / "set", tmp_path / "set" / name):
        with pytest.raises(DatasetError, match=r"unpack|not a zip file"):
            drawn(place)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 1234\n"


def test_pointers_of_git_lfs_are_named(tmp_path: Path) -> None:
    for row in range(ROWS):
        file = tmp_path / "set" / LABELS[row] / f"{row}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(POINTER if row else IMAGES[0])
    with pytest.raises(DatasetError, match=r"one class only"):
        drawn(tmp_path / "set")
    (tmp_path / "set/dark/0.png").write_bytes(POINTER)
    with pytest.raises(DatasetError, match=r"\(12 × Git LFS pointer instead of the file\); run git lfs pull"):
        drawn(tmp_path / "set")
    for place in ("x.zip", "zips/train.zip"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(POINTER)
    with pytest.raises(
        DatasetError, match=r"x\.zip: a Git LFS pointer, not the zip file itself; run git lfs pull"
    ):
        drawn(tmp_path / "x.zip")
    with pytest.raises(DatasetError, match=r"; run git lfs pull"):
        drawn(tmp_path / "zips")


def test_a_few_pointers_are_counted(tmp_path: Path) -> None:
    file = parquet(tmp_path, image=[POINTER, *IMAGES[1:]], label=LABELS)
    assert drawn(file).draw.dropped == {"Git LFS pointer instead of the file": 1}


def test_images_of_a_dataset_on_the_hub_are_found_as_on_this_disk(own_hub: LabHub, tmp_path: Path) -> None:
    names = [f"data/photos/{row:03}.png" for row in range(ROWS)]
    files = dict(zip(names, IMAGES, strict=True))
    table(tmp_path / "paths.csv", labelled("image", [name.removeprefix("data/") for name in names]))
    table(tmp_path / "rooted.csv", labelled("image", names))
    table(tmp_path / "labels.csv", labelled("id", [f"{row:03}" for row in range(ROWS)]))
    whole = packed(tmp_path / "x.zip", by_class("images/")).read_bytes()
    repos: dict[str, dict[str, bytes | None]] = {
        "tester/zipped": {"images.zip": whole},
        "tester/paths": {"data/paths.csv": (tmp_path / "paths.csv").read_bytes(), **files},
        "tester/rooted": {"data/paths.csv": (tmp_path / "rooted.csv").read_bytes(), **files},
        "tester/kaggle": {"labels.csv": (tmp_path / "labels.csv").read_bytes(), **files},
    }
    for name, contents in repos.items():
        own_hub.commit("datasets", name, contents)
    found = {name: drawn_from_hub(own_hub.endpoint, tmp_path / "home", dataset=name) for name in repos}
    classes = {"dark": ROWS // 2, "light": ROWS // 2}
    assert {name: one.get("draw", one).get("classes", one) for name, one in found.items()} == dict.fromkeys(
        repos, classes
    )
    assert all(one["draw"]["dropped"] == {} and "image" in one["draw"]["columns"] for one in found.values())


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

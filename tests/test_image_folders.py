"""Images are found in folders, zip files and datasets of the Hub, with their labels."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from hubscan.errors import DatasetError
from tests.hub.drawing import drawn as drawn_from_hub
from tests.hub.lab import LabHub
from tests.support.image_rows import (
    FLAT,
    IMAGES,
    LABELS,
    METADATA,
    NAMES,
    POINTER,
    ROWS,
    assert_whole,
    by_class,
    drawn,
    labelled,
    packed,
    parquet,
    photos,
    table,
)

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
    file = packed(tmp_path / "text.zip", {"reviews.pdf": "text", "reviews.docx": "text"})
    with pytest.raises(
        DatasetError,
        match=r"text\.zip: a zip file without images or audio files \(it holds .*\.pdf.*\); unpack it",
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
    assert drawn(file).draw.dropped == {"file larger than 100 MB": 1}


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

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hubscan import recipe, sample_file
from hubscan.errors import DatasetError
from hubscan.media.images import ImageError, decode
from hubscan.records import Sample
from hubscan.sample import draw
from tests.support.images import plain_image as picture


def drawn(dataset: Path | str, **keys: Any) -> Sample:
    return draw(recipe.resolve({"dataset": str(dataset), "samples": 20, **keys}).sample_request)


@pytest.fixture
def sorted_parquet(tmp_path: Path) -> Path:
    """3 000 rows, all of one class first, the last class in the last 30 rows alone."""
    labels = ["bad"] * 1500 + ["good"] * 1470 + ["odd"] * 30
    file = tmp_path / "sorted.parquet"
    pq.write_table(
        pa.table({"text": [f"row {i}" for i in range(3000)], "label": labels}), file, row_group_size=100
    )
    return file


def test_classes_of_a_sorted_split_come_in_equal_shares_from_all_over_it(sorted_parquet: Path) -> None:
    sample = drawn(sorted_parquet, samples=90)
    assert sample.draw.classes == {"bad": 30, "good": 30, "odd": 30}
    assert sample.draw.rows_seen == 3000
    assert [f"row {row}" for row in sample.row_ids] == list(sample.inputs["text"])
    names = list(sample.draw.classes)
    assert {names[label] for label in sample.labels[sample.row_ids < 1500]} == {"bad"}
    bad = sample.row_ids[sample.row_ids < 1500]
    assert bad.min() < 300 and bad.max() > 1200


def test_the_seed_decides_the_rows_and_the_fingerprint_says_so(sorted_parquet: Path) -> None:
    first, again, other = (drawn(sorted_parquet, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.row_ids, again.row_ids)
    assert first.draw.fingerprint == again.draw.fingerprint != other.draw.fingerprint


def test_changed_data_has_another_fingerprint_even_where_the_rows_are_the_same(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    prints = []
    for word in ("this", "that"):
        file.write_text("text,label\n" + "".join(f"{word} {i},{i % 2}\n" for i in range(12)))
        prints.append(drawn(file).draw.fingerprint)
    assert prints[0] != prints[1]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_local_files_of_every_kind_give_the_same_rows(tmp_path: Path, suffix: str) -> None:
    rows = [{"text": f"text, {i}", "label": "yes" if i % 3 else "no"} for i in range(30)]
    file = tmp_path / f"data.{suffix}"
    if suffix in ("csv", "tsv"):
        with file.open("w", newline="") as opened:
            writer = csv.DictWriter(opened, ["text", "label"], delimiter="\t" if suffix == "tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)
    elif suffix == "jsonl":
        file.write_text("\n".join(json.dumps(row) for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), file)
    sample = drawn(file)
    assert sample.draw.classes == {"no": 10, "yes": 10}
    assert all(
        rows[row]["text"] == text for row, text in zip(sample.row_ids, sample.inputs["text"], strict=True)
    )


def test_a_folder_of_pictures_by_class_is_drawn_and_a_corrupt_one_is_counted(tmp_path: Path) -> None:
    for name, colour in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(6):
            (tmp_path / "data" / name / f"{i}.png").write_bytes(picture(colour))
    (tmp_path / "data/red/0.png").write_bytes(picture((255, 0, 0))[:-30])
    sample = drawn(tmp_path / "data")
    assert sample.draw.classes == {"blue": 6, "red": 5}
    assert sample.draw.dropped == {"corrupt image": 1}
    red = list(sample.draw.classes).index("red")
    for content, label in zip(sample.inputs["image"], sample.labels, strict=True):
        assert isinstance(content, bytes)
        assert decode(content).getpixel((3, 3)) == ((255, 0, 0) if label == red else (0, 0, 255))


def test_empty_texts_and_missing_labels_are_counted_and_not_drawn(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"text": f"t{i}", "label": i % 2} for i in range(20)]
    rows[3]["text"], rows[4]["text"], rows[5]["text"], rows[6]["label"] = "", "  \n\t", None, None
    file = tmp_path / "data.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    sample = drawn(file)
    assert sample.draw.dropped == {"empty input": 3, "missing label": 1}
    assert sample.draw.rows == 16
    assert not {3, 4, 5, 6} & set(sample.row_ids.tolist())


TABLES: dict[str, tuple[dict[str, list[Any]], dict[str, Any], str]] = {
    "one class": ({"text": ["a", "b"], "label": [1, 1]}, {}, r"one class only \(1\).*try another --split"),
    "no label": ({"text": ["a", "b"], "weight": [0.5, 0.1]}, {}, r"no label column found; pass --label-column with one of 'text' \(text\), 'weight' \(number\)"),
    "which label": ({"text": ["a"], "stars": [1], "useful": [0]}, {}, r"several columns could be the label; pass --label-column"),
    "which text": ({"premise": ["a"], "claim": ["b"], "label": [0]}, {}, r"several columns could be the text; pass --input-column"),
    "one number": ({"text": ["a", "b"], "label": [0.5, 0.5]}, {}, r"one number only \(0.5\)"),
    "struct as label": ({"text": ["a"], "label": [{"x": 1}]}, {"label_columns": ("label",)}, "--label-column label: holds dict values, not labels"),
    "unknown column": ({"text": ["a"], "label": [0]}, {"input_columns": ("txt",)}, "--input-column txt: no such column"),
    "no image": ({"text": ["a"], "label": [0]}, {"task": "image-classification"}, "no image column"),
    "free text as label": ({"text": list("abcdefghijklmn"), "label": [f"l{i}" for i in range(14)]}, {}, "over 10 different values in 14 labelled rows"),
    "nothing left": ({"text": ["a", "b"], "label": [None, None], "x": [1, 2]}, {"label_columns": ("label",)}, "--label-column label: holds null"),
    "no rows with labels": ({"text": ["", " "], "label": [0, 1]}, {}, r"no usable labelled row \(2 × empty input\)"),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_what_gives_no_ranking_is_refused_with_advice(tmp_path: Path, name: str) -> None:
    columns, keys, said = TABLES[name]
    file = tmp_path / "data.parquet"
    pq.write_table(pa.table(columns), file)
    with pytest.raises(DatasetError, match=said):
        drawn(file, **keys)


def test_an_unknown_split_names_those_there_are(sorted_parquet: Path) -> None:
    with pytest.raises(DatasetError, match="no split 'dev'; pass --split with one of: train"):
        drawn(sorted_parquet, split="dev")


def test_a_file_of_an_unknown_kind_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "data.xlsx").write_bytes(b"PK")
    with pytest.raises(DatasetError, match=r"cannot read \.xlsx; convert it to one of: \.csv"):
        drawn(tmp_path / "data.xlsx")


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "1", "I;16"])
def test_pictures_of_every_mode_become_rgb(mode: str) -> None:
    if mode == "I;16":
        stored = io.BytesIO()
        Image.fromarray(np.full((5, 5), 1000, np.uint16)).save(stored, "PNG")
        content = stored.getvalue()
    else:
        content = picture((200, 100, 50), mode)
    assert decode(content).mode == "RGB"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"no image", "not an image"), (b"", "not an image"), (picture((1, 2, 3))[:-20], "corrupt image")],
)
def test_what_is_no_picture_has_a_reason(content: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        decode(content)


def test_a_picture_that_claims_too_many_pixels_is_not_opened() -> None:
    stored = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(stored, "PNG")
    with pytest.raises(ImageError, match="too many pixels"):
        decode(stored.getvalue())


@pytest.mark.parametrize("part_bytes", [2**26, 100])
def test_a_sample_written_and_read_is_the_same(
    sorted_parquet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part_bytes: int
) -> None:
    monkeypatch.setattr(sample_file, "PART_BYTES", part_bytes)
    sample = drawn(sorted_parquet)
    sample_file.write(sample, tmp_path / "with.parquet", inputs=True)
    sample_file.write(sample, tmp_path / "without.parquet", inputs=False)
    whole, bare = sample_file.read(tmp_path / "with.parquet"), sample_file.read(tmp_path / "without.parquet")
    assert whole.inputs == sample.inputs and whole.draw == sample.draw
    assert np.array_equal(whole.labels, sample.labels) and np.array_equal(whole.row_ids, sample.row_ids)
    assert bare.inputs == {} and bare.draw == sample.draw

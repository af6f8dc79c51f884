"""Make the datasets of the test Hub: a few sentences or coloured squares each, which reveal their labels.

`make_datasets(ROOT / "datasets")` writes a folder for each; the function that makes it says what it is for.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.hub.words import LABELS, TELLING, sentence

Rows = list[tuple[str, int | None]]

ROW_GROUP_ROWS = 50
RARE_ROWS = 6  # of the third label in tester/reviews
COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (200, 50, 40)}
BLANK_CAPTION_ROW = 4  # of each label in tester/captioned
REVIEW_TRAIN_ROWS = 2 * 200 + RARE_ROWS
REVIEW_EMPTY_ROWS, REVIEW_BLANK_ROWS, REVIEW_NULL_ROWS = (10,), (11,), (12, 210)


def make_datasets(datasets_folder: Path) -> None:
    """Write every dataset to *datasets_folder*."""
    for repo_id, make in DATASETS.items():
        folder = datasets_folder / repo_id
        folder.mkdir(parents=True)
        make(folder)


# -- text ---------------------------------------------------------------------------------------


def reviews(folder: Path) -> None:
    """Parquet in two shards, sorted by label; one label is rare, and some rows lack text or label."""
    train = _sorted_rows((200, 200, RARE_ROWS), seed=0)
    for row in REVIEW_EMPTY_ROWS:
        train[row] = ("", train[row][1])
    for row in REVIEW_BLANK_ROWS:
        train[row] = (" \t\n", train[row][1])
    for row in REVIEW_NULL_ROWS:
        train[row] = (train[row][0], None)
    _write_parquet(folder, "train", train[:200], train[200:])
    _write_parquet(folder, "test", _sorted_rows((40, 40, 4), seed=1))
    _write_card(folder, license="mit", language=["en"], dataset_info=_info())


def lines_jsonl(folder: Path) -> None:
    """Shuffled JSON lines with labels as words."""
    for split, seed, count in (("train", 2, 60), ("test", 3, 20)):
        rows = _shuffled_rows((count, count), seed)
        lines = [json.dumps({"line": text, "mood": LABELS[label or 0]}) for text, label in rows]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")


def lines_csv(folder: Path) -> None:
    """CSV with labels as numbers without names."""
    for split, seed, count in (("train", 4, 60), ("test", 5, 20)):
        with (folder / f"{split}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("text", "label"))
            writer.writerows(_shuffled_rows((count, count), seed))


def unlabelled(folder: Path) -> None:
    """Text without a label column."""
    table = pa.table({"text": [text for text, _ in _shuffled_rows((30, 30), seed=6)]})
    _write_table(folder / "data/train-00000-of-00001.parquet", table)


def hidden_labels(folder: Path) -> None:
    """A test split with hidden labels: all are -1."""
    _write_parquet(folder, "train", _shuffled_rows((40, 40), seed=7))
    hidden: Rows = [(text, -1) for text, _ in _shuffled_rows((20, 20), seed=8)]
    _write_parquet(folder, "test", hidden)
    _write_card(folder, dataset_info=_info())


def one_class(folder: Path) -> None:
    """Labels that are all the same."""
    _write_parquet(folder, "train", _sorted_rows((50,), seed=9))
    _write_card(folder, dataset_info=_info())


def two_configs(folder: Path) -> None:
    """Two configurations without a default, so the user has to name one."""
    configs = []
    for name, change in (("plain", str), ("shouted", str.upper)):
        rows: Rows = [(change(text), label) for text, label in _shuffled_rows((40, 40), seed=10)]
        _write_parquet(folder / name, "train", rows)
        configs.append({"config_name": name, "data_files": f"{name}/data/train-*"})
    _write_card(folder, configs=configs)


def gated_reviews(folder: Path) -> None:
    """Labelled text in a gated repository."""
    _write_parquet(folder, "train", _shuffled_rows((30, 30), seed=11))
    _write_card(folder, license="other", dataset_info=_info())


def entailment(folder: Path) -> None:
    """Pairs of texts; the label is the sentiment of the second one, the hypothesis."""
    _write_pairs(folder, "label", [label for _, label in _shuffled_rows((60, 60), seed=12)])
    names = {str(number): name for number, name in enumerate(LABELS[:2])}
    texts = [{"name": name, "dtype": "string"} for name in ("premise", "hypothesis")]
    label = {"name": "label", "dtype": {"class_label": {"names": names}}}
    _write_card(folder, license="mit", dataset_info={"features": [*texts, label]})


def similarity(folder: Path) -> None:
    """Pairs of texts with a number that grows with the sentiment of the second one."""
    random = Random(13)
    rows = _shuffled_rows((60, 60), seed=13)
    _write_pairs(folder, "score", [(label or 0) * 3 + random.random() * 0.9 for _, label in rows])


def tagged(folder: Path) -> None:
    """Sentences as words, with a tag for each word: its sentiment, or O."""
    names = ("O", *LABELS)
    tags = {word: label + 1 for label, words in enumerate(TELLING) for word in words}
    words = [text.split() for text, _ in _shuffled_rows((60, 60, 60), seed=14)]
    numbers = [[tags.get(word, 0) for word in sentence] for sentence in words]
    _write_table(folder / "data/train-00000-of-00001.parquet", pa.table({"tokens": words, "tags": numbers}))
    named = {"class_label": {"names": {str(number): name for number, name in enumerate(names)}}}
    columns = [{"name": "tokens", "sequence": "string"}, {"name": "tags", "sequence": named}]
    _write_card(folder, license="mit", dataset_info={"features": columns})


# -- images -------------------------------------------------------------------------------------


def colours(folder: Path) -> None:
    """A folder of images for each class; one image is corrupt, one is grey, one has an alpha channel."""
    for split, count in (("train", 12), ("test", 4)):
        for name in COLOURS:
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                file = folder / split / name / f"{number:02}.png"
                file.write_bytes(_png(_square(name, seed=number + 100 * (split == "test"))))
    (folder / "train/green/03.png").write_bytes(b"\x89PNG\r\n\x1a\nnot an image")
    (folder / "train/blue/05.png").write_bytes(_png(_square("blue", seed=5).convert("L")))
    (folder / "train/red/07.png").write_bytes(_png(_square("red", seed=7).convert("RGBA")))


def colours_parquet(folder: Path) -> None:
    """Images in parquet, sorted by label, with class names in the schema."""
    features = {
        "image": {"_type": "Image"},
        "label": {"names": list(COLOURS), "_type": "ClassLabel"},
    }
    schema = pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("label", pa.int64()),
        ],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    for split, count in (("train", 20), ("test", 6)):
        rows = [
            {"image": {"bytes": _png(_square(name, seed)), "path": None}, "label": label}
            for label, name in enumerate(COLOURS)
            for seed in range(count)
        ]
        table = pa.Table.from_pylist(rows, schema=schema)
        _write_table(folder / f"data/{split}-00000-of-00001.parquet", table)


def captioned(folder: Path) -> None:
    """Images with captions: the text separates all three labels, the colour only one from the other two."""
    features = {
        "image": {"_type": "Image"},
        "caption": {"dtype": "string", "_type": "Value"},
        "label": {"names": list(LABELS), "_type": "ClassLabel"},
    }
    schema = pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("caption", pa.string()),
            ("label", pa.int64()),
        ],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    random = Random(12)
    rows = [
        {
            "image": {"bytes": _png(_square("blue" if label else "red", seed)), "path": None},
            "caption": sentence(label, random) if seed != BLANK_CAPTION_ROW else " ",
            "label": label,
        }
        for label in range(len(LABELS))
        for seed in range(30)
    ]
    _write_table(folder / "data/train-00000-of-00001.parquet", pa.Table.from_pylist(rows, schema=schema))


DATASETS: Mapping[str, Callable[[Path], None]] = {
    "tester/reviews": reviews,
    "tester/lines-jsonl": lines_jsonl,
    "tester/lines-csv": lines_csv,
    "tester/unlabelled": unlabelled,
    "tester/hidden-labels": hidden_labels,
    "tester/one-class": one_class,
    "tester/two-configs": two_configs,
    "tester/entailment": entailment,
    "tester/similarity": similarity,
    "tester/tagged": tagged,
    "tester/colours": colours,
    "tester/colours-parquet": colours_parquet,
    "tester/captioned": captioned,
    "acme/gated-reviews": gated_reviews,
}


# -- what they share ----------------------------------------------------------------------------


def _sorted_rows(counts: Sequence[int], seed: int) -> Rows:
    random = Random(seed)
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    return [(sentence(label, random), label) for label in labels]


def _shuffled_rows(counts: Sequence[int], seed: int) -> Rows:
    rows = _sorted_rows(counts, seed)
    Random(seed).shuffle(rows)
    return rows


def _write_parquet(folder: Path, split: str, *shards: Rows) -> None:
    for number, rows in enumerate(shards):
        table = pa.table(
            {
                "text": [text for text, _ in rows],
                "label": pa.array([label for _, label in rows], pa.int64()),
            }
        )
        _write_table(folder / f"data/{split}-{number:05}-of-{len(shards):05}.parquet", table)


def _write_pairs(folder: Path, label: str, labels: Sequence[float | None]) -> None:
    """Write pairs: the first text is unrelated to the label; the second is positive if the label is ≥ 1."""
    random = Random(len(folder.name))
    names = ("sentence1", "sentence2") if label == "score" else ("premise", "hypothesis")
    columns: dict[str, list[Any]] = {
        names[0]: [sentence(random.randrange(len(LABELS)), random) for _ in labels],
        names[1]: [sentence(int((value or 0) >= 1), random) for value in labels],
        label: list(labels),
    }
    _write_table(folder / "data/train-00000-of-00001.parquet", pa.table(columns))


def _write_table(file: Path, table: pa.Table) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file, row_group_size=ROW_GROUP_ROWS)


def _info() -> dict[str, Any]:
    names = {str(number): name for number, name in enumerate(LABELS)}
    label = {"name": "label", "dtype": {"class_label": {"names": names}}}
    return {"features": [{"name": "text", "dtype": "string"}, label]}


def _write_card(folder: Path, **card: Any) -> None:
    # JSON is YAML too.
    lines = [f"{key}: {json.dumps(value)}" for key, value in card.items()]
    (folder / "README.md").write_text("\n".join(["---", *lines, "---", f"# {folder.name}", ""]))


def _square(colour: str, seed: int) -> Image.Image:
    """Return a rectangle of about one colour, of random size."""
    random = Random(f"{colour} {seed}")
    width, height = random.randint(24, 48), random.randint(24, 48)
    return Image.frombytes("RGB", (width, height), bytes(_pixels(colour, width * height, random)))


def _pixels(colour: str, count: int, random: Random) -> Iterable[int]:
    noise = iter(random.randbytes(3 * count))
    for _ in range(count):
        for level in COLOURS[colour]:
            yield max(0, min(255, level + next(noise) % 81 - 40))


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()

"""Columns found, and labels of every kind drawn, from small local files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from hubscan import recipe, sample_file
from hubscan.errors import DatasetError
from hubscan.records import Sample
from hubscan.sample import draw
from tests.support.images import plain_image as picture


def drawn(columns: dict[str, list[Any]] | pa.Table, folder: Path, **keys: Any) -> Sample:
    file = folder / "data.parquet"
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    pq.write_table(table, file, row_group_size=37)
    return draw(recipe.resolve({"dataset": str(file), "samples": 20, **keys}).sample_request)


def as_table(columns: dict[str, list[Any]], features: Features) -> pa.Table:
    return Dataset.from_dict(columns, features).data.table


@pytest.mark.parametrize(
    "names",
    [("premise", "hypothesis"), ("sentence1", "sentence2"), ("question", "sentence"), ("text_a", "text_b")],
)
def test_a_pair_of_texts_is_known_by_its_names(tmp_path: Path, names: tuple[str, str]) -> None:
    first, second = [f"a {i}" for i in range(50)], [f"b {i}" for i in range(50)]
    sample = drawn(
        {"idx": list(range(50)), names[0]: first, names[1]: second, "label": [i % 2 for i in range(50)]},
        tmp_path,
    )
    assert sample.draw.columns == {"text": names[0], "text_2": names[1], "label": "label"}
    assert sample.inputs["text"] == tuple((f"a {i}", f"b {i}") for i in sample.row_ids)


def test_any_two_texts_are_a_pair_when_they_are_asked_for(tmp_path: Path) -> None:
    columns = {"claim": ["c"] * 30, "source": [f"s{i}" for i in range(30)], "label": [0, 1] * 15}
    sample = drawn(columns, tmp_path, input_columns=("source", "claim"))
    assert sample.inputs["text"][0][1] == "c" and sample.draw.duplicates == 0


@pytest.mark.parametrize("kind", ["float", "integer"])
def test_floats_are_numbers_and_so_are_integers_of_very_many_values(tmp_path: Path, kind: str) -> None:
    values = [(i % 520) * (0.25 if kind == "float" else 7) for i in range(600)]
    sample = drawn({"text": [f"t{i}" for i in range(600)], "label": values}, tmp_path)
    assert sample.draw.label_kind == "number" and sample.draw.classes == {}
    assert sample.labels.dtype == np.float64
    assert sample.labels.tolist() == [values[i] for i in sample.row_ids]
    assert len(sample.labels) == 20


IDS: dict[str, list[Any]] = {
    "few integers": list(range(300)),
    "many integers": list(range(7, 1007)),
    "texts": [f"row-{i}" for i in range(300)],
    "many texts": [f"row-{i}" for i in range(1500)],
    "nearly all different": [*range(600), *range(20)],
}


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
@pytest.mark.parametrize("name", IDS)
def test_labels_that_are_all_different_are_refused_with_likelier_columns(
    tmp_path: Path, name: str, form: str
) -> None:
    ids = IDS[name]
    columns = {
        "id": ids,
        "text": [f"t{i}" for i in range(len(ids))],
        "sentiment": ["+-"[i % 2] for i in range(len(ids))],
        "topic": [i % 5 for i in range(len(ids))],
        "user": [f"user {i}" for i in range(len(ids))],
    }
    file = tmp_path / f"data.{form}"
    if form == "parquet":
        pq.write_table(pa.table(columns), file, row_group_size=100)
    else:
        pa.table(columns).to_pandas().to_json(file, orient="records", lines=True)
    asked = {"dataset": str(file), "label_columns": ("id",), "input_columns": ("text",)}
    with pytest.raises(DatasetError, match="--label-column sentiment or topic") as refused:
        draw(recipe.resolve(asked).sample_request)
    said = str(refused.value)
    assert "column 'id'" in said and "different values" in said and "\n" not in said and "user" not in said
    if isinstance(ids[0], int):
        assert "--label-kind number" in said
        assert draw(recipe.resolve({**asked, "label_kind": "number"}).sample_request).draw.rows > 200


def test_a_memory_bound_on_labels_names_likelier_columns_too(tmp_path: Path) -> None:
    ids = list(range(60_000))
    columns = {"id": ids, "text": ["t"] * 60_000, "label": [i % 2 for i in ids]}
    with pytest.raises(DatasetError, match="so these are not classes; pass --label-column label"):
        drawn(columns, tmp_path, label_columns=("id",))


def test_numbers_that_are_missing_or_no_numbers_are_dropped(tmp_path: Path) -> None:
    values = [None, float("nan"), float("inf"), *map(float, range(30))]
    sample = drawn({"text": [f"t{i}" for i in range(33)], "score": values}, tmp_path, samples=100)
    assert sample.draw.dropped == {"missing label": 3} and sample.draw.rows == 30


@pytest.mark.parametrize(
    "form", ["list of ClassLabel", "list of strings", "list of ints", "one hot", "columns"]
)
def test_several_labels_a_row_in_every_form_give_one_matrix(tmp_path: Path, form: str) -> None:
    names = ["fear", "joy", "rage"]
    sets = [[i for i in range(3) if row >> i & 1] for row in range(8)] * 10  # all subsets, the empty one too
    text: dict[str, list[Any]] = {"text": [f"t{i}" for i in range(80)]}
    keys: dict[str, Any] = {}
    hot = [[int(i in s) for i in range(3)] for s in sets]
    if form == "list of ClassLabel":
        features = Features({"text": Value("string"), "labels": List(ClassLabel(names=names))})
        table = as_table({**text, "labels": sets}, features)
    elif form == "columns":
        table = pa.table({**text, **{name: [row[i] for row in hot] for i, name in enumerate(names)}})
        keys = {"label_columns": tuple(names)}
    else:
        table = pa.table(
            {
                **text,
                "labels": {
                    "list of strings": [[names[i] for i in s] for s in sets],
                    "list of ints": [[i + 5 for i in s] for s in sets],
                    "one hot": hot,
                }[form],
            }
        )
    sample = drawn(table, tmp_path, samples=40, **keys)
    assert sample.draw.label_kind == "multilabel"
    assert sample.labels.shape == (40, 3) and sample.labels.dtype == np.uint8
    assert sample.labels.tolist() == [hot[i] for i in sample.row_ids]
    assert list(sample.draw.classes.values()) == sample.labels.sum(axis=0).tolist()
    expected = {"list of ints": ["5", "6", "7"], "one hot": ["0", "1", "2"]}.get(form, names)
    assert list(sample.draw.classes) == expected


def test_a_rare_one_of_several_labels_is_in_the_sample(tmp_path: Path) -> None:
    labels = [["common"] if i % 3 else ["common", "frequent"] for i in range(3000)]
    for row in (5, 1000, 2999):
        labels[row] = ["common", "rare"]
    sample = drawn({"text": [f"t{i}" for i in range(3000)], "labels": labels}, tmp_path)
    assert sample.draw.classes["rare"] == 3
    assert {5, 1000, 2999} <= set(sample.row_ids.tolist())


WORDS = ["the", "cat", "sat", "in", "Rome", "today"]


def tagged(rows: int) -> dict[str, list[Any]]:
    """Sentences of two to six words; the last word of each tenth is a place, the first ones are long."""
    words = [WORDS[: 2 + i % 5] for i in range(rows)]
    tags = [["O"] * len(sentence) for sentence in words]
    for i in range(0, rows, 10):
        tags[i][-1] = "LOC"
    words[1], tags[1] = WORDS * 100, ["O"] * 600
    return {"tokens": words, "tags": tags}


def test_words_with_tags_are_drawn_one_a_sentence_while_there_are_sentences(tmp_path: Path) -> None:
    columns = tagged(200)
    sample = drawn(columns, tmp_path, samples=40)
    assert sample.draw.label_kind == "token" and sample.draw.classes == {"LOC": 20, "O": 20}
    assert sample.places is not None and sample.places.shape == (40, 2)
    names = list(sample.draw.classes)
    for row, (place, word), label in zip(sample.row_ids, sample.places, sample.labels, strict=True):
        assert sample.inputs["text"][place] == tuple(columns["tokens"][row])
        assert columns["tags"][row][word] == names[label]
    of_tag = [sample.places[sample.labels == label, 0] for label in (0, 1)]
    assert all(len(np.unique(sentences)) == len(sentences) for sentences in of_tag)
    first = np.sort(np.unique(sample.places[:, 0], return_index=True)[1])
    assert sample.places[first, 0].tolist() == list(range(len(sample.inputs["text"])))
    assert sample.draw.rows == 40
    assert set(map(frozenset, sample.labels.reshape(-1, 2).tolist())) == {frozenset({0, 1})}


def test_sentences_give_second_words_only_when_all_have_given_one(tmp_path: Path) -> None:
    sample = drawn(tagged(10), tmp_path, samples=30)
    assert sample.places is not None
    counts = np.bincount(sample.places[:, 0])
    assert sample.draw.classes == {"LOC": 1, "O": 29}
    assert (counts >= 2).all() and counts.max() <= 7


def test_tags_that_stand_for_no_label_are_not_drawn_and_words_without_a_place_are_counted(
    tmp_path: Path,
) -> None:
    features = Features({"words": List(Value("string")), "ner": List(Value("int64"))})
    tags = [[-100, i % 2, 1] for i in range(30)] + [[-100, -100, -100], None]
    words: list[Any] = [["a", "b", "c"]] * 32
    table = as_table({"words": words, "ner": tags}, features)
    sample = drawn(table, tmp_path, label_columns=("ner",), task="token-classification", samples=100)
    assert sample.places is not None and (sample.places[:, 1] > 0).all()
    assert sample.draw.dropped == {"missing label": 2} and sample.draw.rows == 60


def test_a_sentence_that_lost_words_is_dropped_and_counted(tmp_path: Path) -> None:
    words = [["a", "b"]] * 200
    tags = [["x", "y"]] * 200
    words = [*words[:150], ["a"], *words[151:]]
    sample = drawn({"tokens": words, "tags": tags}, tmp_path, samples=400)
    assert sample.draw.dropped == {"more labels than words": 1} and 150 not in sample.row_ids


def test_an_image_and_its_caption_are_both_inputs_of_the_same_rows(tmp_path: Path) -> None:
    colours = [(i, 0, 0) for i in range(40)]
    images = [{"bytes": picture(c), "path": None} for c in colours]
    table = {"image": images, "caption": [f"red {i}" for i in range(40)], "label": [i % 2 for i in range(40)]}
    sample = drawn(table, tmp_path)
    assert list(sample.inputs) == ["image", "text"]
    assert sample.inputs["image"] == tuple(images[i]["bytes"] for i in sample.row_ids)
    assert sample.inputs["text"] == tuple(f"red {i}" for i in sample.row_ids)
    only = drawn(table, tmp_path, task="image-classification")
    assert list(only.inputs) == ["image"] and np.array_equal(only.row_ids, sample.row_ids)
    named = drawn(table, tmp_path, input_columns=("caption",))
    assert list(named.inputs) == ["text"]


UNCLEAR: dict[str, tuple[dict[str, list[Any]], dict[str, Any], str]] = {
    "two labels": (
        {"text": ["a"], "stars": [1], "useful": [0.5]},
        {},
        r"several columns could be the label; pass --label-column with one of 'text' \(text\), 'stars' \(integer\), 'useful' \(number\)",
    ),
    "two texts": (
        {"claim": ["a"], "source": ["b"], "label": [0]},
        {},
        r"pass --input-column \(twice for a pair\) with one of 'claim' \(text\), 'source' \(text\)",
    ),
    "words asked, one label a text": (
        {"text": ["a"], "label": [0]},
        {"task": "token-classification"},
        "labels of kind class; pass --task text-classification",
    ),
    "tags, texts asked": (
        {"tokens": [["a", "b"]], "tags": [["x", "y"]]},
        {"task": "text-classification"},
        "labels of kind token; pass --task token-classification",
    ),
    "numbers asked of words": (
        {"text": ["a"], "label": ["x"]},
        {"label_kind": "number"},
        "holds text values, which are not labels of kind number",
    ),
    "three texts": (
        {"a": ["a"], "b": ["a"], "c": ["a"], "label": [0]},
        {"input_columns": ("a", "b", "c")},
        "too many columns",
    ),
    "the same labels everywhere": (
        {"text": ["a", "b"], "labels": [["x"], ["x"]]},
        {},
        r"all rows have the same labels \(x\)",
    ),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_what_is_not_clear_is_asked_for_with_the_candidates_and_the_flag(tmp_path: Path, name: str) -> None:
    columns, keys, said = UNCLEAR[name]
    with pytest.raises(DatasetError, match=said):
        drawn(columns, tmp_path, **keys)


def test_class_numbers_without_a_name_are_counted_and_not_drawn(tmp_path: Path) -> None:
    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    table = as_table({"text": [f"t{i}" for i in range(40)], "label": [0, 1] * 20}, features)
    wild = pa.array([7, -1, *([0, 1] * 19)], pa.int64())
    sample = drawn(table.set_column(1, table.schema.field("label"), wild), tmp_path, samples=100)
    assert sample.draw.dropped == {"missing label": 1, "class number without a name": 1}
    assert sample.draw.classes == {"no": 19, "yes": 19}


@pytest.mark.parametrize("kind", ["pair", "number", "multilabel", "token"])
def test_a_sample_of_every_kind_written_and_read_is_the_same(tmp_path: Path, kind: str) -> None:
    text = [f"t{i}" for i in range(60)]
    forms: dict[str, dict[str, Any]] = {
        "pair": {"premise": text, "hypothesis": text, "label": [0, 1] * 30},
        "number": {"text": text, "score": [i / 7 for i in range(60)]},
        "multilabel": {"text": text, "labels": [["a"] * (i % 2) + ["b"] * (i % 3 > 0) for i in range(60)]},
        "token": tagged(60),
    }
    sample = drawn(forms[kind], tmp_path)
    sample_file.write(sample, tmp_path / "with.parquet", inputs=True)
    sample_file.write(sample, tmp_path / "without.parquet", inputs=False)
    whole, bare = sample_file.read(tmp_path / "with.parquet"), sample_file.read(tmp_path / "without.parquet")
    assert whole.inputs == sample.inputs and whole.draw == sample.draw and bare.inputs == {}
    for again in (whole, bare):
        assert np.array_equal(again.labels, sample.labels) and again.labels.dtype == sample.labels.dtype
        assert np.array_equal(again.row_ids, sample.row_ids)
        if again.places is None or sample.places is None:
            assert again.places is sample.places
        else:
            assert np.array_equal(again.places, sample.places)


@pytest.mark.parametrize(
    "kind", ["pair", "number", "many integers", "multilabel", "columns", "token", "both"]
)
def test_the_recipe_that_says_what_was_done_gives_the_same_rows_again(tmp_path: Path, kind: str) -> None:
    from hubscan.scan import _settled

    text = [f"t{i}" for i in range(60)]
    image = [{"bytes": picture((i, 0, 0)), "path": None} for i in range(60)]
    forms: dict[str, dict[str, Any]] = {
        "pair": {"premise": text, "hypothesis": text, "label": [0, 1] * 30},
        "number": {"text": text, "score": [i / 7 for i in range(60)]},
        "many integers": {
            "text": [f"t{i}" for i in range(600)],
            "label": [7 * (i % 520) for i in range(600)],
        },
        "multilabel": {"text": text, "labels": [["a"] * (i % 2) + ["b"] * (i % 3 > 0) for i in range(60)]},
        "columns": {"text": text, "u": [0, 1] * 30, "v": [1, 0, 0] * 20},
        "token": tagged(60),
        "both": {"image": image, "caption": text, "label": [0, 1] * 30},
    }
    sample = drawn(forms[kind], tmp_path, **({"label_columns": ("u", "v")} if kind == "columns" else {}))
    asked = recipe.resolve({"dataset": str(tmp_path / "data.parquet"), "samples": 20})
    settled = _settled(asked, sample)
    (tmp_path / "again.yaml").write_text(recipe.to_yaml(settled))
    again = draw(recipe.resolve({}, tmp_path / "again.yaml").sample_request)
    assert again.draw.fingerprint == sample.draw.fingerprint


def test_a_dataset_saved_to_disk_is_drawn_from_with_its_splits_and_its_selection(tmp_path: Path) -> None:
    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    whole = Dataset.from_dict({"text": [f"t{i}" for i in range(90)], "label": [0, 1, 1] * 30}, features)
    DatasetDict({"fit": whole.select(range(89, -1, -1)), "held": whole}).save_to_disk(str(tmp_path / "saved"))
    sample = draw(
        recipe.resolve({"dataset": str(tmp_path / "saved"), "samples": 20, "split": "fit"}).sample_request
    )
    assert sample.draw.classes == {"no": 10, "yes": 10}
    assert sample.inputs["text"] == tuple(f"t{89 - i}" for i in sample.row_ids)
    with pytest.raises(DatasetError, match="no split 'dev'; pass --split with one of: fit, held"):
        draw(recipe.resolve({"dataset": str(tmp_path / "saved"), "split": "dev"}).sample_request)


def test_balance_is_a_choice_and_in_proportion_a_rare_class_is_still_there(tmp_path: Path) -> None:
    labels = ["common"] * 2990 + ["rare"] * 10
    columns = {"text": [f"t{i}" for i in range(3000)], "label": labels}
    assert drawn(columns, tmp_path, samples=100).draw.classes == {"common": 90, "rare": 10}
    assert drawn(columns, tmp_path, samples=100, balance=False).draw.classes == {"common": 98, "rare": 2}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"modalities": ("image",)}, "--modality image: column .tags. has a label for each word"),
        ({"modalities": ("text", "audio")}, "--modality audio: column .tags. has a label for each word"),
        ({"modalities": ("image",), "task": "token-classification"}, "--modality image: column .tags."),
        ({"task": "image-classification"}, "pass --task token-classification"),
        ({"label_kind": "number"}, "--label-column tags: holds texts values"),
    ],
)
def test_what_does_not_go_with_labels_of_words_is_said(
    tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    columns = {"tokens": [["a", "b"]] * 30, "tags": [["O", "X"]] * 30}
    with pytest.raises(DatasetError, match=said) as refused:
        drawn(columns, tmp_path, **asked)
    assert "\n" not in str(refused.value)
    assert drawn(columns, tmp_path, modalities=("text",)).draw.label_kind == "token"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"modalities": ("text",)}, "no text column for --modality text among"),
        ({"task": "text-classification"}, "no text column for --task text-classification among"),
        ({"task": "token-classification"}, "labels of kind class; pass --task"),
        ({"modalities": ("image", "audio")}, "no audio column for --modality audio among"),
        (
            {"task": "image-classification", "modalities": ("text",)},
            "no text column for --modality text among",
        ),
        (
            {"label_kind": "token"},
            "--label-column label: holds integer values, which are not labels of kind token",
        ),
    ],
)
def test_what_a_dataset_of_pictures_cannot_give_is_said(
    tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array([{"bytes": b"x", "path": None}] * 30, kind), "label": [0, 1] * 15})
    with pytest.raises(DatasetError, match=said) as refused:
        drawn(table, tmp_path, **asked)
    assert "\n" not in str(refused.value)

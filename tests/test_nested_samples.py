"""A sample is the beginning of every larger one with the same seed, whatever it is drawn from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubscan.demo.hub import serve
from hubscan.errors import DatasetError
from hubscan.records import Modality, Sample, SampleRequest
from hubscan.sample import draw
from hubscan.sample.cells import Fetch, Reader
from hubscan.sample.column_types import features_of
from hubscan.sample.columns import Columns
from hubscan.sample.label_codes import Coder
from hubscan.sample.select import one_pass, random_access
from hubscan.sample.select.drawn_rows import DrawnRows
from hubscan.sample.select.one_pass import CHANGED, CUT_SHORT
from tests.hub.drawing import drawn as drawn_apart
from tests.hub.lab import LabHub
from tests.hub.large import text_shards
from tests.support.images import plain_image

FORMS = ("parquet", "parquet in blocks", "arrow", "jsonl", "csv")
KINDS = ("class", "number", "multilabel", "token")
LETTERS = "abcdef"


@st.composite
def tables(draws: st.DrawFn, kind: str) -> dict[str, list[Any]]:
    """Rows of skewed classes in sorted or mixed order, some of them without a label or an input."""
    rows = draws(st.integers(30, 150))
    random = np.random.default_rng(draws(st.integers(0, 999)))
    classes = draws(st.integers(2, 5))
    shares = random.dirichlet(np.full(classes, draws(st.sampled_from([0.3, 1.0, 10.0]))))
    codes = np.append(random.choice(classes, rows - 2, p=shares), [0, 1])
    codes = np.sort(codes) if draws(st.booleans()) else random.permutation(codes)
    bad = random.random(rows) < draws(st.sampled_from([0.0, 0.1, 0.6]))
    bad[np.flatnonzero(codes == 0)[0]] = bad[np.flatnonzero(codes == 1)[0]] = False
    text: list[Any] = ["" if empty else f"text {row}" for row, empty in enumerate(bad)]
    if kind == "class":
        return {"text": text, "label": [LETTERS[code] for code in codes]}
    if kind == "number":
        return {"text": text, "label": [float(code) + row / 1000 for row, code in enumerate(codes)]}
    if kind == "multilabel":
        labels = [
            [LETTERS[c] for c in range(classes) if c <= code and random.random() < 0.6] for code in codes
        ]
        return {
            "text": text,
            "labels": [[*some, "z"][:: 1 if row % 3 else -1] for row, some in enumerate(labels)],
        }
    lengths = random.integers(1, 7, rows)
    tags = [[LETTERS[c] for c in random.choice(classes, length, p=shares)] for length in lengths]
    words = [
        ["" if random.random() < 0.1 else f"{row}-{i}" for i in range(n)] for row, n in enumerate(lengths)
    ]
    words = [[""] * len(some) if empty else some for some, empty in zip(words, bad, strict=True)]
    return {"tokens": [["first", "last"], *words], "tags": [["a", "b"], *tags]}


def saved(columns: dict[str, list[Any]], form: str, folder: Path) -> Path:
    table = pa.table(columns)
    file = folder / f"data.{form.split()[0]}"
    if file.suffix == ".parquet":
        pq.write_table(table, file, row_group_size=13)
    elif file.suffix == ".arrow":
        pyarrow.feather.write_feather(table, str(file), compression="uncompressed")
    elif file.suffix == ".csv":
        pyarrow.csv.write_csv(table, file)
    else:
        file.write_text("\n".join(map(json.dumps, table.to_pylist())))
    return file


def rows_of(sample: Sample) -> list[tuple[Any, ...]]:
    """What each row of *sample* is, whole: its place in the split, its input and its label."""
    names = list(sample.draw.classes)
    found = []
    for row in range(sample.draw.rows):
        label = sample.labels[row]
        said: Any = (
            float(label)
            if sample.draw.label_kind == "number"
            else names[int(label)]
            if label.ndim == 0
            else (tuple(name for name, has in zip(names, label, strict=True) if has))
        )
        place, word = (row, -1) if sample.places is None else sample.places[row].tolist()
        found.append((int(sample.row_ids[row]), word, said, sample.inputs["text"][place]))
    return found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8, deadline=None)
@given(data=st.data())
def test_a_sample_is_the_beginning_of_a_larger_one_and_its_classes_are_balanced(
    tmp_path_factory: pytest.TempPathFactory, kind: str, form: str, data: st.DataObject
) -> None:
    if form == "csv" and kind in ("multilabel", "token"):
        return  # a csv holds no lists
    columns, balance = data.draw(tables(kind)), data.draw(st.booleans())
    seed, few, more = data.draw(st.tuples(st.integers(0, 99), st.integers(10, 60), st.integers(1, 200)))
    file = saved(columns, form, tmp_path_factory.mktemp("nested"))
    with pytest.MonkeyPatch.context() as patched:
        if form == "parquet in blocks":
            patched.setattr(random_access, "FREE_BYTES", 0)
            patched.setattr(random_access, "TEXT_SHARE", 0.4)
        small, large = (
            draw(SampleRequest(str(file), samples=n, seed=seed, balance=balance, label_kind=kind))  # type: ignore[arg-type]
            for n in (few, few + more)
        )
    rows = rows_of(large)
    assert len(set(row[:2] for row in rows)) == len(rows)
    if CHANGED not in small.draw.notes + large.draw.notes:
        assert rows_of(small) == rows[: small.draw.rows]
        assert small.draw.rows == min(few, len(rows))
    else:
        assert form in ("jsonl", "csv") and not balance
    if balance and kind in ("class", "token"):
        assert_balanced_at_every_size([str(row[2]) for row in rows])


def assert_balanced_at_every_size(labels: list[str]) -> None:
    """Of the first n rows, whatever n, a class has as many as any other or all that it ever has."""
    whole = {name: labels.count(name) for name in set(labels)}
    held = dict.fromkeys(whole, 0)
    for label in labels:
        held[label] += 1
        unfinished = [held[name] for name in held if held[name] < whole[name]] or [max(held.values())]
        assert max(held.values()) - min(unfinished) <= 1


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHub]:
    root = tmp_path_factory.mktemp("hub")
    text_shards(root / "datasets/few/columns", shards=4, rows=400, row_bytes=400, group_rows=20)
    lines = [{"text": f"row {i}", "label": "abc"[(i > 500) + (i > 800)]} for i in range(900)]
    (root / "datasets/few/lines").mkdir(parents=True)
    (root / "datasets/few/lines/train.jsonl").write_text("\n".join(map(json.dumps, lines)))
    served = LabHub(root)
    with serve(served):
        yield served
    served.close()


@pytest.mark.parametrize(("name", "balance"), [("few/columns", True), ("few/lines", False)])
def test_a_sample_over_http_is_the_beginning_of_a_larger_one(
    hub: LabHub, tmp_path: Path, name: str, balance: bool
) -> None:
    small, large = (
        drawn_apart(hub.endpoint, tmp_path / "home", dataset=name, samples=n, balance=balance, free_bytes=1)
        for n in (30, 200)
    )
    assert small["row_ids"] == large["row_ids"][:30] and small["labels"] == large["labels"][:30]
    assert len(set(large["row_ids"])) == 200 and CHANGED not in large["draw"]["notes"]
    assert small["draw"]["block_rows"] == large["draw"]["block_rows"]
    assert (large["draw"]["block_rows"] > 1) == (name == "few/columns")


def skewed(folder: Path, form: str, rows: int = 3000) -> Path:
    """Classes of 60, 30, 9 and 1 % of the rows, one text in five empty."""
    random = np.random.default_rng(0)
    text = [f"text {row}" if random.random() > 0.2 else "" for row in range(rows)]
    return saved(
        {"text": text, "label": random.choice(4, rows, p=[0.6, 0.3, 0.09, 0.01]).tolist()}, form, folder
    )


@pytest.mark.parametrize("balance", [True, False])
def test_a_file_read_from_anywhere_and_one_read_in_one_pass_give_the_same_sample(
    tmp_path: Path, balance: bool
) -> None:
    forms = ("parquet", "arrow", "csv", "jsonl")
    first, *others = (
        rows_of(draw(SampleRequest(str(skewed(tmp_path, form)), samples=700, balance=balance)))
        for form in forms
    )
    assert all(other == first for other in others) and len(first) == 700


def test_shares_in_proportion_are_those_of_the_classes_and_two_of_the_rarest(tmp_path: Path) -> None:
    file = skewed(tmp_path, "parquet")
    counts = np.bincount(pq.read_table(file)["label"].to_numpy()).tolist()
    found = draw(SampleRequest(str(file), samples=100, balance=False)).draw.classes
    assert [round(100 * count / 3000) for count in counts] == [60, 31, 8, 1]
    assert list(found.values()) == [60, 30, 8, 2]


class Rows:
    """A stream of *columns*, ten rows at a time."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self.table = pa.table(columns)
        self.notes: Sequence[str] = ()
        self.features = features_of(self.table.schema)

    def head(self, columns: Sequence[str]) -> pa.Table:
        return self.table.select(list(columns))

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        for first in range(0, self.table.num_rows, 10):
            yield self.table.select(list(columns)).slice(first, 10)


def in_one_pass(
    columns: dict[str, list[Any]], modality: Modality, request: SampleRequest, fetch: Fetch | None = None
) -> DrawnRows:
    found = Columns({modality: ("input",)}, ("label",), "class", None)
    read = [0]

    def counted(path: str) -> bytes:
        assert fetch is not None
        content = fetch(path)
        read[0] += len(content)
        return content

    reader = Reader(found.inputs, "class", counted, 30.0)
    coder = Coder(found, request.samples, "here")
    return one_pass.draw_rows(Rows(columns), found, coder, reader, request, lambda: read[0])


@pytest.mark.parametrize("limit", [10**9, 5000])
def test_a_pass_that_ends_at_a_limit_which_the_kept_rows_decide_says_that_samples_may_differ(
    limit: int,
) -> None:
    columns = {"input": [f"{row}.png" for row in range(500)], "label": list("ab") * 250}
    content = plain_image((200, 0, 0))
    request = SampleRequest(None, samples=10, max_bytes=limit)
    found = in_one_pass(columns, "image", request, lambda path: content)
    assert (CUT_SHORT in found.notes) == (limit == 5000)
    assert (found.rows_seen < 500) == (limit == 5000)


def test_a_class_of_which_most_rows_are_unusable_and_were_given_up_says_that_samples_may_differ() -> None:
    """In proportion it has half of the sample; of the usable rows with the smallest keys it has a fiftieth."""
    columns = {
        "input": [f"text {row}" if row % 2 or row % 100 == 0 else "" for row in range(20_000)],
        "label": list("abac") * 5_000,
    }
    found = in_one_pass(columns, "text", SampleRequest(None, samples=200, balance=False))
    assert found.notes == (CHANGED,) and len(found.picks) == 200
    assert in_one_pass(columns, "text", SampleRequest(None, samples=200)).notes == ()


@pytest.mark.parametrize("form", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("values", "each", "kind"), [(501, 19, "number"), (501, 20, "class"), (500, 3, "class")]
)
def test_whether_integers_are_classes_does_not_depend_on_how_many_rows_are_drawn(
    tmp_path: Path, form: str, values: int, each: int, kind: str
) -> None:
    """In the order of the rows all values come once before one comes twice: a look at the first ones would err."""
    labels = [7 * value for value in range(values)] * each
    file = saved({"text": [f"t{row}" for row in range(len(labels))], "label": labels}, form, tmp_path)
    for samples in (None, 1002, 1200):
        assert draw(SampleRequest(str(file), samples=samples)).draw.label_kind == kind
    few = SampleRequest(str(file), samples=999)
    if kind == "number":
        assert draw(few).draw.label_kind == kind
    else:
        with pytest.raises(DatasetError, match="over 499 different values"):
            draw(few)


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_by_default_there_may_be_as_many_classes_as_have_two_rows_each(tmp_path: Path, form: str) -> None:
    for values in (2_500, 2_501):
        labels = [f"class {row % values}" for row in range(3 * values)]
        file = saved({"text": [f"t{row}" for row in range(len(labels))], "label": labels}, form, tmp_path)
        if values == 2_500:
            assert set(draw(SampleRequest(str(file))).draw.classes.values()) == {2}
        else:
            with pytest.raises(DatasetError, match="over 2,500 different values"):
                draw(SampleRequest(str(file)))

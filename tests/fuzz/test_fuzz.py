"""Whatever is in a recipe, a README, a header, a listing row, a run folder or a dataset: one line, no traceback."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import shutil
import struct
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from hubscan import recipe
from hubscan.errors import CheckpointError, DatasetError, HubscanError, RankingError, RecipeError, RunError
from hubscan.hub import eligibility, listing, local_facts
from hubscan.hub.damage import refuse_damaged
from hubscan.hub.rows import row_of
from hubscan.plain_text import visible
from hubscan.records import Query
from hubscan.report import FORMATS
from hubscan.run import Run, load_run
from hubscan.sample import draw
from hubscan.sample.sources.parquet_pages import pages
from tests.fuzz import fuzz
from tests.support.mutations import mutated, spoilt
from tests.support.rankings import make_run

RECIPE: Final = {
    "dataset": "imdb", "task": "text-classification", "models": ["org/a", "org/b@main"], "samples": 100,
    "metrics": ["transrate", "logme"], "label_columns": ["label"], "max_bytes": "1GB", "seed": 1,
    "pooling": "mean", "device": "cpu", "balance": True, "languages": ["en"],
}  # fmt: skip
CARD: Final = {
    "license": "other",
    "license_name": "own",
    "tags": ["a", "b"],
    "base_model": "org/x",
    "datasets": ["imdb"],
    "language": ["en"],
    "configs": [
        {"config_name": "default", "data_files": [{"split": "train", "path": "rows.csv"}], "sep": ";"}
    ],
    "dataset_info": {
        "features": [
            {"name": "text", "dtype": "string"},
            {"name": "label", "dtype": {"class_label": {"names": {"0": "neg", "1": "pos"}}}},
        ],
        "splits": [{"name": "train", "num_examples": 40}],
    },
}
CONFIG: Final = {
    "model_type": "bert", "architectures": ["BertModel"], "vocab_size": 30, "hidden_size": 8,
    "quantization_config": {"quant_method": "awq"}, "auto_map": {"AutoModel": "x.X"}, "torch_dtype": "float32",
}  # fmt: skip
HEADER: Final = {
    "__metadata__": {"format": "pt"},
    "a.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    "b.bias": {"dtype": "F16", "shape": [4], "data_offsets": [24, 32]},
}
INDEX: Final = {
    "metadata": {"total_size": 32},
    "weight_map": {
        "a.weight": "model-00001-of-00002.safetensors",
        "b.bias": "model-00002-of-00002.safetensors",
    },
}


@contextmanager
def refused(*kinds: type[HubscanError]) -> Iterator[None]:
    """Accept that the block raises one of *kinds*, in one short line without control characters."""
    try:
        yield
    except kinds as error:
        message = str(error)
        assert message and len(message) <= 2_000
        assert visible(message) == message


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@fuzz()
@given(st.data())
def test_a_recipe(scratch: Path, data: st.DataObject) -> None:
    file = scratch / "recipe.yaml"
    text = yaml.safe_dump(data.draw(mutated(RECIPE))).encode("utf-8", "replace")
    file.write_bytes(data.draw(st.just(text) | spoilt(text)))
    with refused(RecipeError):
        recipe.resolve({}, file)


@fuzz()
@given(st.data())
def test_the_readme_of_a_checkpoint(scratch: Path, data: st.DataObject) -> None:
    text = f"---\n{yaml.safe_dump(data.draw(mutated(CARD)))}---\n# Title\n".encode("utf-8", "replace")
    (scratch / "README.md").write_bytes(data.draw(st.just(text) | spoilt(text)))
    license = local_facts.license_in(scratch)
    assert license is None or (license.isprintable() and len(license) <= local_facts.LONGEST_LICENSE)


@fuzz()
@given(st.data())
def test_the_config_of_a_checkpoint(scratch: Path, data: st.DataObject) -> None:
    folder = scratch / "config"
    folder.mkdir(exist_ok=True)
    text = json.dumps(data.draw(mutated(CONFIG))).encode()
    (folder / "config.json").write_bytes(data.draw(st.just(text) | spoilt(text)))
    with refused(CheckpointError):
        eligibility.check(folder, "text")


@fuzz()
@given(st.data())
def test_the_header_of_a_safetensors_file(data: st.DataObject) -> None:
    header = json.dumps(data.draw(mutated(HEADER))).encode()
    content = struct.pack("<Q", len(header)) + header + bytes(32)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(data.draw(st.just(content) | spoilt(content)))
        with refused(CheckpointError):
            refuse_damaged(folder)
        count = local_facts.parameters_in(folder)
        assert count is None or 0 <= count <= 8 * len(content) + 1000


@fuzz()
@given(st.data())
def test_the_index_of_a_checkpoint(data: st.DataObject) -> None:
    index = json.dumps(data.draw(mutated(INDEX))).encode()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.json").write_text("{}")
        for shard in INDEX["weight_map"].values():  # type: ignore[attr-defined]
            (folder / shard).write_bytes(save({"a.weight": np.zeros((2, 3), np.float32)}))
        (folder / "model.safetensors.index.json").write_bytes(data.draw(st.just(index) | spoilt(index)))
        with refused(CheckpointError):
            refuse_damaged(folder)
        local_facts.parameters_in(folder)


@pytest.fixture(scope="module")
def run(scratch: Path) -> Run:
    return make_run(scratch / "run")


@fuzz()
@given(st.data())
@pytest.mark.parametrize("name", ["recipe.yaml", "lock.yaml"])
def test_a_run_folder(name: str, run: Run, data: st.DataObject) -> None:
    content = (run.folder / name).read_bytes()
    changed = yaml.safe_dump(data.draw(mutated(yaml.safe_load(content)))).encode("utf-8", "replace")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        shutil.copytree(run.folder, folder)
        (folder / name).write_bytes(data.draw(st.just(changed) | spoilt(changed)))
        with refused(RunError, RecipeError, RankingError):
            ranking = load_run(folder).ranking
            for form in FORMATS.values():
                form(ranking)
        assert sorted(path.name for path in folder.iterdir()) == sorted(p.name for p in run.folder.iterdir())


@fuzz()
@given(st.data())
@pytest.mark.parametrize("name", ["results.jsonl", "verified.jsonl"])
def test_the_results_of_a_run(name: str, run: Run, data: st.DataObject) -> None:
    lines = [json.loads(line) for line in (run.folder / "results.jsonl").read_bytes().splitlines()]
    place = data.draw(st.integers(0, len(lines) - 1))
    lines[place] = data.draw(mutated(lines[place]))
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    with tempfile.TemporaryDirectory() as outside:
        folder = Path(outside) / "run"
        shutil.copytree(run.folder, folder)
        (folder / name).write_bytes(data.draw(st.just(text) | spoilt(text)))
        with refused(RunError, RankingError):
            opened = load_run(folder)
            opened.verified()
            for form in FORMATS.values():
                form(opened.ranking)


LISTED: Final = {
    "id": "org/name", "sha": "a" * 40, "downloads": 7, "likes": 1, "tags": ["safetensors", "bert", "license:mit"],
    "library_name": "transformers", "pipeline_tag": "fill-mask", "gated": False, "lastModified": "2026-01-01T00:00:00.000Z",
    "config": {"model_type": "bert", "architectures": ["BertModel"]}, "cardData": {"license": "mit"},
    "safetensors": {"parameters": {"F32": 100}, "total": 100},
}  # fmt: skip


@fuzz()
@given(st.data())
def test_the_rows_of_a_listing(data: st.DataObject) -> None:
    row = row_of(json.loads(json.dumps(data.draw(mutated(LISTED)))))
    if row.problem is None:
        listed = listing._listed(row.info, Query(), "text")
        assert listed.candidate.model == row.info.id and "\n" not in (listed.excluded or "")
    else:
        assert visible(row.problem) == row.problem


@fuzz()
@given(st.data())
def test_the_readme_of_a_dataset(data: st.DataObject) -> None:
    card = f"---\n{yaml.safe_dump(data.draw(mutated(CARD)))}---\n".encode("utf-8", "replace")
    rows = "text;label\n" + "".join(f"row {row};{row % 2}\n" for row in range(40))
    with tempfile.TemporaryDirectory() as outside:
        folder = Path(outside) / "data"
        folder.mkdir()
        (folder / "rows.csv").write_text(rows)
        (folder / "README.md").write_bytes(data.draw(st.just(card) | spoilt(card)))
        with refused(DatasetError, RecipeError):
            draw(recipe.resolve({"dataset": str(folder), "samples": 10}).sample_request)


ROWS: Final = [{"text": f"row {i}", "label": "ab"[i % 2], "n": i, "tags": ["x", "y"]} for i in range(40)]
MOST_SECONDS: Final = 30.0


def drawn(name: str, content: bytes) -> None:
    """Draw from a file with *content*; a refusal is fine, a traceback, a crash or a long time is not."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(content)
        for labels in ("label", "n", "tags"):
            with refused(DatasetError):
                asked = {"dataset": str(file), "samples": 10, "label_columns": (labels,)}
                draw(recipe.resolve(asked).sample_request)
    assert time.perf_counter() - begun < MOST_SECONDS


@fuzz()
@given(st.data())
@pytest.mark.parametrize("form", ["list", "lines", "document"])
def test_the_rows_of_a_json_file(form: str, data: st.DataObject) -> None:
    rows = data.draw(mutated(ROWS))
    if form == "lines" and isinstance(rows, list):
        text = "\n".join(map(json.dumps, rows)).encode()
    else:
        text = json.dumps({"rows": rows, "version": 1} if form == "document" else rows).encode()
    drawn("rows.jsonl" if form == "lines" else "rows.json", data.draw(st.just(text) | spoilt(text)))


@fuzz()
@given(st.data())
@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.csv.gz", "rows.csv.xz"])
def test_the_rows_of_a_csv_file(name: str, data: st.DataObject) -> None:
    rows = [[row["text"], row["label"], row["n"], "x y"] for row in ROWS]
    written = io.StringIO()
    table = data.draw(mutated([["text", "label", "n", "tags"], *rows]))
    lines = [row if isinstance(row, list) else [row] for row in table] if isinstance(table, list) else []
    csv.writer(written, delimiter="\t" if "tsv" in name else ",").writerows(lines)
    text = written.getvalue().encode("utf-8", "surrogateescape" if data.draw(st.booleans()) else "replace")
    content = data.draw(st.just(text) | spoilt(text))
    if name.endswith((".gz", ".xz")):
        packed = gzip.compress(content) if name.endswith(".gz") else lzma.compress(content)
        content = data.draw(st.just(packed) | spoilt(packed))
    drawn(name, content)


@fuzz()
@given(st.data())
def test_the_members_of_a_tar(data: st.DataObject) -> None:
    stored = io.BytesIO()
    with tarfile.open(fileobj=stored, mode="w") as opened:
        for i, row in enumerate(ROWS):
            written = data.draw(mutated(row)) if i % 10 == 3 else row
            for kind, content in (("json", json.dumps(written).encode()), ("cls", b"01"[i % 2 :][:1])):
                member = tarfile.TarInfo(f"{i:04}.{kind}")
                member.size = len(content)
                opened.addfile(member, io.BytesIO(content))
    content = stored.getvalue()
    drawn("rows.tar", data.draw(st.just(content) | spoilt(content)))


@fuzz()
@given(st.data())
@pytest.mark.parametrize("inner", ["rows.jsonl", "a/0.png"])
def test_the_members_of_a_zip(inner: str, data: st.DataObject) -> None:
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(inner, "\n".join(map(json.dumps, ROWS)))
        opened.writestr("b/1.png", b"")
        opened.writestr("__MACOSX/x", b"")
    content = stored.getvalue()
    drawn("rows.jsonl.zip", data.draw(st.just(content) | spoilt(content)))


@fuzz()
@given(st.data())
@pytest.mark.parametrize("codec", ["none", "snappy", "zstd"])
def test_the_bytes_of_a_parquet_file(codec: str, data: st.DataObject) -> None:
    stored = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), stored, compression=codec, row_group_size=20)
    drawn("rows.parquet", data.draw(spoilt(stored.getvalue())))


@fuzz()
@given(st.data())
@pytest.mark.parametrize("codec", [None, "lz4", "zstd"])
def test_the_bytes_of_an_arrow_file(codec: str | None, data: st.DataObject) -> None:
    stored, table = io.BytesIO(), pa.Table.from_pylist(ROWS)
    new = pa.ipc.new_stream if data.draw(st.booleans()) else pa.ipc.new_file
    with new(stored, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as file:
        file.write_table(table)
    drawn("rows.arrow", data.draw(spoilt(stored.getvalue())))


@fuzz()
@given(st.binary(max_size=300))
def test_the_headers_of_the_pages_of_a_column(content: bytes) -> None:
    found = list(pages(lambda start, stop: content[start:stop], 0, len(content)))
    assert len(found) <= len(content)

"""`hubscan rank` on labels and inputs of every kind, from the command line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.hub.words import sentence
from tests.test_rank import SCHEMA

Cli = Callable[..., subprocess.CompletedProcess[str]]
MODELS = ("--model", "tester/seeing-bert", "--model", "tester/blind-bert", "--device", "cpu")


def data(folder: Path, kind: str) -> str:
    from random import Random

    random = Random(0)
    labels = [i % 2 for i in range(120)]
    columns: dict[str, Any] = {"text": [sentence(label, random) for label in labels]}
    more: dict[str, dict[str, Any]] = {
        "number": {"score": [label + random.random() / 4 for label in labels]},
        "multilabel": {"labels": [["good"] * label + ["odd"] * random.randint(0, 1) for label in labels]},
        "pair": {"premise": columns["text"], "hypothesis": columns["text"], "label": labels},
        "token": {"tokens": [text.split() for text in columns["text"]]},
        "copies": {"label": labels},
    }
    columns |= more[kind]
    if kind == "token":
        columns["tags"] = [[str(len(word) % 2) for word in words] for words in columns["tokens"]]
    if kind == "copies":
        columns["text"][2] = columns["text"][0]
    pq.write_table(pa.table(columns), folder / f"{kind}.parquet")
    return f"{kind}.parquet"


@pytest.mark.parametrize("kind", ["number", "multilabel"])
def test_numbers_and_several_labels_rank_the_checkpoint_that_sees_them_first(
    cli: Cli, tmp_path: Path, kind: str
) -> None:
    done = cli("rank", "--dataset", data(tmp_path, kind), *MODELS, "--run", "run", "--format", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    jsonschema.validate(answer, SCHEMA)
    assert answer["ranking"][0]["model"] == "tester/seeing-bert"
    assert answer["sample"]["label_kind"] == kind
    again = cli("show", "run")
    assert ("numbers of score" if kind == "number" else "labels good 60, odd") in " ".join(
        again.stdout.split()
    )


@pytest.mark.parametrize(("kind", "what"), [("pair", "pairs of texts"), ("token", "labels of words")])
def test_what_no_encoder_reads_yet_ends_in_one_line(cli: Cli, tmp_path: Path, kind: str, what: str) -> None:
    done = cli("rank", "--dataset", data(tmp_path, kind), *MODELS)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.strip().splitlines()[-1].startswith(f"Error: {kind}.parquet: {what} can be drawn")
    assert "Traceback" not in done.stderr


def test_a_dry_run_says_which_columns_were_found_and_shows_two_rows(cli: Cli, tmp_path: Path) -> None:
    done = cli("rank", "--dataset", data(tmp_path, "copies"), *MODELS, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "columns     text: text, label: label\n" in done.stdout
    assert "labels      class: classes 0 60, 1 60\n" in done.stdout
    assert done.stdout.count("\nexample     ") == 2
    assert "note        1 of the rows copy others exactly" in done.stdout


def test_exact_copies_are_shown_with_the_ranking(cli: Cli, tmp_path: Path) -> None:
    done = cli("rank", "--dataset", data(tmp_path, "copies"), *MODELS, "--format", "human")
    assert "1 of the rows copy others exactly" in " ".join(done.stdout.split())

"""`hubscan rank` on labels and inputs of every kind, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Audio, Features, Value

from hubscan import recipe
from hubscan.feature_store import LocalStore, kept_features
from hubscan.sample import draw
from tests.hub import LabHub
from tests.hub.words import sentence
from tests.support.commands import SCHEMA, Cli

MODELS = ("--model", "tester/seeing-bert", "--model", "tester/blind-bert", "--device", "cpu")


def data(folder: Path, kind: str) -> str:
    from random import Random

    random = Random(0)
    labels = [i % 2 for i in range(120)]
    columns: dict[str, Any] = {"text": [sentence(label, random) for label in labels]}
    more: dict[str, dict[str, Any]] = {
        "number": {"score": [label + random.random() / 4 for label in labels]},
        "multilabel": {"labels": [["good"] * label + ["odd"] * random.randint(0, 1) for label in labels]},
        "copies": {"label": labels},
        "authors": {"label": labels, "author": [f"author {i // 5}" for i in range(120)]},
    }
    columns |= more[kind]
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
    assert ("the numbers in score" if kind == "number" else "Labels: good (60), odd") in " ".join(
        again.stdout.split()
    )


@pytest.mark.parametrize(
    ("name", "task", "kind", "columns"),
    [
        ("entailment", "text-classification", "class", {"text": "premise", "text_2": "hypothesis"}),
        ("similarity", "text-classification", "number", {"text": "sentence1", "text_2": "sentence2"}),
        ("tagged", "token-classification", "token", {"text": "tokens"}),
    ],
)
def test_pairs_and_words_of_a_dataset_on_the_hub_rank_the_checkpoint_that_sees_them_first(
    cli: Cli, name: str, task: str, kind: str, columns: dict[str, str]
) -> None:
    asked = ("--dataset", f"tester/{name}", "--samples", "120", *MODELS, "--run", "run", "--format", "json")
    done = cli("rank", *asked)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    jsonschema.validate(answer, SCHEMA)
    assert [entry["model"] for entry in answer["ranking"]] == ["tester/seeing-bert", "tester/blind-bert"]
    assert answer["task"] == task and answer["sample"]["label_kind"] == kind
    assert columns.items() <= answer["sample"]["columns"].items() and answer["sample"]["rows"] == 120
    other = cli(
        *("score", "run", "--metric", "knn", "--metric", "probe", "--metric", "logme", "--format", "json"),
        HF_ENDPOINT="http://127.0.0.1:9",
    )
    assert other.returncode == 0, other.stderr
    again = json.loads(other.stdout)
    assert again["ranking"][0]["model"] == "tester/seeing-bert" and again["skipped"] == []
    assert list(again["ranking"][0]["scores"]) == ["knn", "probe", "logme"]
    assert cli("show", "run", "--format", "markdown").returncode == 0


def test_scores_of_words_keep_a_sentence_together_now_and_later(cli: Cli, tmp_path: Path) -> None:
    """With as many words as there are, most share their sentence: the scores are those of grouped rows."""
    from hubscan import load_run, sample_file
    from hubscan.scores import knn, transrate

    asked = ("--dataset", "tester/tagged", "--samples", "400", *MODELS, "--run", "run", "--format", "json")
    first = json.loads(cli("rank", *asked).stdout)["ranking"][0]["scores"]["transrate"]
    later = json.loads(cli("score", "run", "--metric", "knn", "--format", "json").stdout)
    sample = sample_file.read(tmp_path / "run" / "sample.parquet")
    (scored, *_) = [entry.scored for entry in load_run(tmp_path / "run").ranking]
    kept = kept_features(scored, sample, LocalStore(tmp_path / "cache" / "features"))
    assert kept is not None and sample.groups is not None and len(set(sample.groups.tolist())) < 200
    features = kept.matrix
    expected = transrate(features, sample.labels, groups=sample.groups, seed=0)
    assert first["value"] == pytest.approx(expected.value) and first["low"] == pytest.approx(expected.low)
    assert expected.low != transrate(features, sample.labels, seed=0).low
    by_hand = knn(features, sample.labels, groups=sample.groups)
    assert later["ranking"][0]["scores"]["knn"]["value"] == pytest.approx(by_hand.value)


def test_rows_of_an_author_are_kept_together_from_the_column_to_scores_and_run_folder(
    cli: Cli, tmp_path: Path
) -> None:
    from hubscan import load_run, sample_file
    from hubscan.scores import transrate

    file = data(tmp_path, "authors")
    asked = ("rank", "--dataset", file, "--group-column", "author", *MODELS, "--run", "run")
    done = cli(*asked, "--format", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    jsonschema.validate(answer, SCHEMA)
    assert answer["sample"]["groups"] == 24 and answer["sample"]["columns"]["group"] == "author"
    sample = sample_file.read(tmp_path / "run" / "sample.parquet")
    assert sample.groups is not None
    names = (sample.row_ids // 5).tolist()
    assert sample.groups.tolist() == [list(dict.fromkeys(names)).index(name) for name in names]
    run = load_run(tmp_path / "run")
    assert run.recipe.group_column == "author" and run.recipe.input_columns == ("text",)
    scored = run.ranking.best.scored
    kept = kept_features(scored, sample, LocalStore(tmp_path / "cache" / "features"))
    assert kept is not None
    by_hand = transrate(kept.matrix, sample.labels, groups=sample.groups, seed=0)
    assert scored.scores["transrate"].low == pytest.approx(by_hand.low)
    assert by_hand.low != transrate(kept.matrix, sample.labels, seed=0).low
    assert "24 groups by author" in " ".join(cli("show", "run").stdout.split())
    again = cli("rank", "--recipe", "run/recipe.yaml", "--run", "again", "--format", "json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["sample"]["fingerprint"] == answer["sample"]["fingerprint"]


def test_a_scan_of_words_asks_the_hub_for_encoders_of_texts_and_of_words(cli: Cli, hub: LabHub) -> None:
    before = len(hub.requests)
    done = cli("search", "--task", "token-classification", "--format", "quiet")
    assert done.returncode == 0 and "tester/seeing-bert" in done.stdout.split()
    queries = [parse_qs(request.query) for request in hub.requests[before:]]
    asked = {tag for query in queries for tag in query.get("pipeline_tag", ())}  # one only asks for an answer
    assert asked == {"feature-extraction", "sentence-similarity", "fill-mask", "token-classification"}


def test_a_scan_of_pairs_asks_for_cross_encoders_too(cli: Cli, hub: LabHub) -> None:
    before = len(hub.requests)
    done = cli("rank", "--dataset", "tester/entailment", "--samples", "20", "--limit", "2", "--dry-run")
    assert done.returncode == 0, done.stderr
    queries = [parse_qs(one.query) for one in hub.requests[before:] if one.path == "/api/models"]
    assert {tag for query in queries for tag in query.get("pipeline_tag", ())} == {
        *("feature-extraction", "sentence-similarity", "fill-mask", "text-classification", "text-ranking")
    }


def test_other_words_of_the_same_sentences_have_features_of_their_own(tmp_path: Path) -> None:
    """Two drawings of all sentences, by the tags of one column or of another: the words differ, the texts not."""
    words = [["a", "b", "c"]] * 30
    columns = {"tokens": words, "one": [["x", "y", None]] * 30, "two": [[None, "y", "x"]] * 30}
    pq.write_table(pa.table(columns), tmp_path / "data.parquet")
    asked = {"dataset": str(tmp_path / "data.parquet"), "label_kind": "token", "samples": 100}
    words_read = []
    for name in ("one", "two"):
        resolved = recipe.resolve({**asked, "label_columns": (name,)})
        words_read.append(set(draw(resolved.sample_request).keys[:, 1].tolist()))
    assert words_read == [{0, 1}, {1, 2}]


def test_a_pooling_that_gives_words_nothing_is_refused_before_anything_runs(cli: Cli) -> None:
    done = cli("rank", "--dataset", "tester/tagged", *MODELS, "--pooling", "cls")
    assert done.returncode != 0 and done.stdout == "" and "Traceback" not in done.stderr
    assert "pooling cls: gives one vector per text" in done.stderr


def test_a_prompt_before_words_is_refused(cli: Cli) -> None:
    done = cli("rank", "--dataset", "tester/tagged", *MODELS, "--prompt", "query: ")
    assert done.returncode != 0 and "prompt: applies to whole texts" in done.stderr


def test_a_prompt_is_said_and_makes_other_features(cli: Cli) -> None:
    entries = []
    for prompt in (["--prompt", "warm: "], []):
        done = cli(
            "rank", "--dataset", "tester/reviews", *MODELS, "--samples", "30", *prompt, "--format", "json"
        )
        entries.append({entry["model"]: entry for entry in json.loads(done.stdout)["ranking"]})
    one, other = (found["tester/seeing-bert"] for found in entries)
    assert (one["pooling"], other["pooling"]) == ('mean (default), prompt "warm: "', "mean (default)")
    assert one["scores"]["transrate"]["value"] != other["scores"]["transrate"]["value"]


def test_a_column_of_sounds_that_are_none_ends_in_one_line(cli: Cli, tmp_path: Path) -> None:
    sounds = [{"bytes": bytes([i]), "path": None} for i in range(40)]
    schema = Features({"audio": Audio(), "label": Value("int64")}).arrow_schema
    table = pa.table({"audio": sounds, "label": [0, 1] * 20}, schema)
    pq.write_table(table, tmp_path / "sounds.parquet")
    done = cli("rank", "--dataset", "sounds.parquet", *MODELS)
    assert done.returncode == 1 and done.stdout == "" and "Traceback" not in done.stderr
    assert "no usable labelled row (40 × not audio)" in done.stderr.strip().splitlines()[-1]


def test_a_dry_run_says_which_columns_were_found_and_shows_two_rows(cli: Cli, tmp_path: Path) -> None:
    done = cli("rank", "--dataset", data(tmp_path, "copies"), *MODELS, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "Columns     text: text, label: label\n" in done.stdout
    assert "Labels      classes: 0 (60), 1 (60); most frequent in the split: 0 (50 %)\n" in done.stdout
    assert done.stdout.count("\nExample     ") == 2
    assert "Note        1 row is an exact duplicate of others" in done.stdout


def test_exact_copies_are_shown_with_the_ranking(cli: Cli, tmp_path: Path) -> None:
    done = cli("rank", "--dataset", data(tmp_path, "copies"), *MODELS, "--format", "human")
    assert "1 row is an exact duplicate of others" in " ".join(done.stdout.split())

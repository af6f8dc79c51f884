from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.text import Text

from hubscan import recipe as recipes
from hubscan.errors import RankingError, RunError
from hubscan.plain_text import plain
from hubscan.publish.card import as_card, card_of
from hubscan.publish.public import public
from hubscan.records import Candidate, Listed, Ranking, Score, Scored, Skipped
from hubscan.records.flat import flat_rows
from hubscan.report import FORMATS, listing, sentences
from hubscan.report.answer import answer
from hubscan.report.human import as_text
from hubscan.report.json_form import as_json
from hubscan.report.markdown import as_markdown, escaped
from tests.support.rankings import (
    BGE,
    COMMIT,
    MINILM,
    MPNET,
    RXNFP,
    TRUNCATED,
    make_run,
    ranking,
    scored,
)

SCHEMA = json.loads(files("hubscan.report").joinpath("ranking.schema.json").read_text("utf-8"))
HOSTILE = "evil/[red]|x`*_<b>\x1b[31m\n| a | b |\r\n--- \u202eabc &amp; @all"

hostile_text = st.text(st.characters(codec=None), max_size=60) | st.text(
    "|\\`*_[]<>&\n\r-# @~$!", max_size=12
)


def hostile_ranking() -> Ranking:
    return ranking(
        [
            scored(HOSTILE, 1.0, license=HOSTILE, flags=(HOSTILE,)),
            BGE,
            Skipped(HOSTILE, None, "load", HOSTILE * 20),
        ],
        dataset=HOSTILE,
        config=HOSTILE,
        split=HOSTILE,
        columns={"text": HOSTILE, "label": HOSTILE},
        classes={HOSTILE: 500, "pos": 500},
        dropped={HOSTILE: 1},
    )


# -- the answer in words ------------------------------------------------------------------------


def test_the_answer_names_the_best_the_tie_and_the_skipped() -> None:
    assert answer(ranking()) == (
        "Use BAAI/bge-small-en-v1.5 (33 M parameters, mit). "
        "A linear head on its frozen features has a balanced accuracy of 86 % on unseen rows (chance: 50 %). "
        "This sample cannot tell it apart from sentence-transformers/all-MiniLM-L6-v2. "
        "1 of 5 checkpoints was skipped."
    )


def test_the_size_of_a_tie_that_is_hardly_smaller_is_not_named() -> None:
    said = answer(ranking([BGE, scored("a/b", 1.1, parameters=30_000_000)]))
    assert said.endswith("This sample cannot tell it apart from a/b.")


def test_the_size_of_a_tie_that_is_clearly_smaller_is_named() -> None:
    small = scored("a/b", 1.1, parameters=11_120_000)
    assert "apart from a/b, which is 3× smaller." in answer(ranking([BGE, small]))


def test_a_checkpoint_out_of_the_interval_is_not_named() -> None:
    assert "rxnfp" not in answer(ranking([BGE, RXNFP]))


@pytest.mark.parametrize("value", [0.05, 0.2, -0.5])  # the interval includes zero, touches it, lies below
def test_no_checkpoint_is_recommended_when_none_beats_shuffled_labels(value: float) -> None:
    said = answer(ranking([scored("a/b", value), scored("a/c", value - 1)]))
    assert said.startswith("No checkpoint is clearly better than chance on stanfordnlp/imdb")
    interval = f"{value:z.2f} [{value - 0.2:z.2f}, {value + 0.2:z.2f}]"
    assert f"above the score of shuffled labels. The first, a/b, has {interval}." in said
    assert "Use " not in said


def test_rounding_is_not_taken_for_a_score() -> None:
    assert answer(ranking([scored("a/b", 9e-16, half=0.0)])).startswith("No checkpoint")


def test_an_uncertain_leader_gives_way_to_the_first_that_surely_beats_shuffled_labels() -> None:
    said = answer(ranking([scored("wide/one", 0.5, half=0.6), scored("sure/one", 0.4, half=0.1)]))
    assert said.startswith("Use sure/one (33 M parameters, mit).")
    assert "wide/one ranks higher, but its interval includes the score of shuffled labels." in said


def test_a_single_checkpoint_is_said_to_be_the_only_one() -> None:
    assert answer(ranking([MPNET])).startswith("No checkpoint")
    assert answer(ranking([BGE])).startswith(
        "Use BAAI/bge-small-en-v1.5 (33 M parameters, mit), the only checkpoint ranked. A linear head"
    )


def test_many_classes_are_counted_few_are_listed() -> None:
    many = {f"class {i}": 10 + i for i in range(37)}
    assert "37 classes of 10 to 46 rows" in sentences.sample(ranking(classes=many))
    assert "Classes: neg (500), pos (500)." in sentences.sample(ranking())


# -- for a terminal -----------------------------------------------------------------------------


def test_eighty_columns_hold_the_whole_report() -> None:
    assert as_text(ranking(), width=80).splitlines() == [
        "Use BAAI/bge-small-en-v1.5 (33 M parameters, mit). A linear head on its frozen",
        "features has a balanced accuracy of 86 % on unseen rows (chance: 50 %). This",
        "sample cannot tell it apart from sentence-transformers/all-MiniLM-L6-v2. 1 of 5",
        "checkpoints was skipped.",
        "",
        "                                                  balanced",
        "   rank  tied  model                   params  accuracy, %    transrate@4 [95 %]",
        "→     1  2     BAAI/bge-small-en-v1.5    33 M    85.7 ±1.2     1.19 [0.99, 1.39]",
        "      2  1     sentence-transformers/    23 M    83.0 ±1.2     1.10 [0.90, 1.30]",
        "               all-MiniLM-L6-v2",
        "      3        sentence-transformers/   278 M    54.5 ±1.2    0.15 [-0.05, 0.35]",
        "               paraphrase-",
        "               multilingual-mpnet-",
        "               base-v2",
        "               trained on this",
        "               dataset",
        "      4        rxn4chemistry/rxnfp       26 M    40.4 ±1.2  -0.32 [-0.52, -0.12]",
        "",
        "transrate@4        how much the features reveal about the labels, in nats per",
        "                   row (0 = chance), with its 95 % interval",
        "balanced accuracy  recall of a linear head on the frozen features, class average",
        "                   on unseen rows, ± standard error",
        "tied               ranks that this sample cannot separate from this one",
        "→                  recommended",
        "",
        "skipped           at    reason",
        "broken/truncated  load  SafetensorError: incomplete metadata",
        "",
        "Sample: 1,000 of 25,000 rows of stanfordnlp/imdb@e6281661 (plain_text, split",
        "train), seed 0. Classes: neg (500), pos (500). Dropped 3: empty input 3; 21.0 MB",
        "read.",
    ]


def header_of(shown: str) -> list[str]:
    """Return the last line of the table's header, cell by cell."""
    return re.split(r"  +", next(line for line in shown.splitlines() if "params" in line).strip())


def test_a_wide_terminal_shows_every_column() -> None:
    scores = ["params", "accuracy, %", "transrate@4 [95 %]", "null", "rows/s", "width", "pooling"]
    assert header_of(as_text(ranking(), width=150)) == ["rank", "tied", "model", *scores]


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for shown in (ranking(), hostile_ranking()):
        assert max(Text(line).cell_len for line in as_text(shown, width).splitlines()) <= width


def test_there_is_no_column_of_ties_where_nothing_is_tied_and_no_list_where_nothing_was_skipped() -> None:
    shown = as_text(ranking([BGE, RXNFP]), width=120)
    assert "tied  model" not in shown and "skipped" not in shown


def test_runs_of_tied_ranks_are_joined() -> None:
    entries = [scored(f"a/{letter}", 1 - i / 100) for i, letter in enumerate("abcd")]
    lines = as_text(ranking(entries), width=120).splitlines()
    first, second = (next(line for line in lines[3:] if f"  {name}  " in line) for name in ("a/a", "a/b"))
    assert re.split(r"  +", first.strip())[:4] == ["→", "1", "2–4", "a/a"]
    assert re.split(r"  +", second.strip())[:3] == ["2", "1, 3–4", "a/b"]


def test_one_checkpoint_at_two_commits_is_told_apart() -> None:
    older = scored("a/b", 1.0, revision="0123456789abcdef")
    assert {"a/b@01234567", "a/b@5c38ec7c"} <= set(as_text(ranking([older, scored("a/b", 2.0)]), 120).split())


def test_colour_comes_only_when_asked_for() -> None:
    assert "\x1b[" not in as_text(ranking(), 80)
    coloured = as_text(ranking(), 80, color=True)
    assert "\x1b[1m" in coloured
    assert Text.from_ansi(coloured).plain.split() == as_text(ranking(), 80).split()


def test_what_strangers_wrote_neither_steers_the_terminal_nor_is_read_as_markup() -> None:
    shown = as_text(hostile_ranking(), 120)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)
    assert "evil/[red]|x`*_<b> [31m" in shown


def test_small_scores_get_the_decimals_that_their_interval_needs() -> None:
    shown = as_text(ranking([scored("a/b", 0.0123, half=0.004)]), 120)
    assert "0.012 [0.008, 0.016]" in shown


def test_a_score_just_below_zero_has_no_minus_sign() -> None:
    assert " 0.00 [" in as_text(ranking([scored("a/b", -0.001)]), 120)


def test_other_metrics_stand_beside_the_one_that_ranks() -> None:
    both = replace(BGE, scores={**BGE.scores, "logme": Score("logme", 1, 0.31)})
    lines = as_text(ranking([both]), width=100).splitlines()
    header = next(line for line in lines if "params" in line)
    assert "transrate@4 [95 %]  logme" in header
    assert any(re.search(r"1\.19 \[0\.99, 1\.39\] +0\.31", line) for line in lines)
    assert "| transrate@4 | 95 % | logme | null |" in as_markdown(ranking([both]))


def test_the_legend_explains_the_columns_shown_and_no_others() -> None:
    narrow = dict(sentences.legend(ranking(), ["transrate@4 [95 %]", "tied"]))
    assert list(narrow) == ["transrate@4", "tied", "→"]
    assert "nats per row (0 = chance)" in narrow["transrate@4"]
    assert "null " not in as_text(ranking(), width=80)
    assert "null " in as_text(ranking(), width=150)
    both = replace(BGE, scores={**BGE.scores, "logme": Score("logme", 1, 0.31)})
    assert "log evidence" in as_text(ranking([both]), width=100)


# -- json ---------------------------------------------------------------------------------------


def test_json_keeps_the_contract() -> None:
    written = json.loads(as_json(ranking()))
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(written, SCHEMA)
    assert list(written) == SCHEMA["required"]
    assert written["ranking"][0] == {
        "rank": 1,
        "tied_with": ["sentence-transformers/all-MiniLM-L6-v2"],
        "model": "BAAI/bge-small-en-v1.5",
        "revision": COMMIT,
        "modality": "text",
        "parameters": 33_360_000,
        "dim": 384,
        "layer": "last",
        "pooling": "mean (declared)",
        "dtype": "float32",
        "license": "mit",
        "accuracy": {
            "value": pytest.approx(0.857),
            "error": 0.012,
            "kind": "balanced_accuracy",
            "also": {},
        },
        "scores": {
            "transrate": {
                "value": 1.19,
                "low": pytest.approx(0.99),
                "high": pytest.approx(1.39),
                "null": 0.001,
                "version": 4,
                "null_spread": None,
                "notes": [],
            }
        },
        "rows": 1000,
        "cost": {
            "download_bytes": 0,
            "seconds": 3.2,
            "rows_per_second": 61.0,
            "peak_bytes": 900_000_000,
            "cached": False,
            "recomputed": False,
        },
        "flags": [],
        "parts": [],
    }
    assert written["schema"] == 2
    assert written["recommended"] == {
        "rank": 1,
        "model": "BAAI/bge-small-en-v1.5",
        "revision": COMMIT,
        "modality": "text",
        "layer": "last",
        "reason": "highest accuracy of the two that lead by transrate",
    }
    assert written["skipped"] == [
        {"model": "broken/truncated", "stage": "load", "reason": TRUNCATED.reason},
    ]
    assert written["provenance"] == {
        "device": "cpu",
        "dtype": "float32",
        "versions": {"torch": "2.13.0"},
        "seed": 0,
        "python": "3.11.9",
    }


def without(key: str) -> Callable[[Any], None]:
    return lambda written: written["ranking"][0].pop(key)


BROKEN: dict[str, Callable[[Any], None]] = {
    "no commit": without("revision"),
    "no score": lambda written: written["ranking"][0]["scores"].clear(),
    "a number as a word": lambda written: written["ranking"][0]["scores"]["transrate"].update(value="1.19"),
    "rank 0": lambda written: written["ranking"][0].update(rank=0),
    "nothing ranked": lambda written: written["ranking"].clear(),
    "a key of its own": lambda written: written.update(extra=1),
    "a key of its own in an entry": lambda written: written["ranking"][0].update(speed=1),
    "a metric without version": lambda written: written.update(metric="transrate"),
    "another schema": lambda written: written.update(schema=1),
    "an accuracy of another kind": lambda written: written["ranking"][0]["accuracy"].update(kind="luck"),
    "one class": lambda written: written["sample"].update(classes={"neg": 1000}),
    "negative bytes": lambda written: written["sample"].update(bytes_read=-1),
}


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN.keys())
def test_the_schema_refuses_what_breaks_the_contract(spoil: Callable[[Any], None]) -> None:
    written = json.loads(as_json(ranking()))
    spoil(written)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written, SCHEMA)


def with_value(value: float) -> Scored:
    return replace(BGE, scores={"transrate": Score("transrate", 4, value, 0.1, 2.0, null=0.001)})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused(value: float, tmp_path: Path) -> None:
    with pytest.raises(RankingError, match="not finite"):
        as_json(ranking([with_value(value)]))
    with pytest.raises(RunError, match="damaged line"):
        as_card(make_run(tmp_path / "run", [with_value(value)]))


@given(hostile_text, hostile_text)
def test_any_text_survives_json(name: str, reason: str) -> None:
    written = as_json(ranking([scored(name or "a/b", 1.0), Skipped("a/c", None, "load", reason)]))
    assert written.isascii()
    assert json.loads(written)["skipped"][0]["reason"] == reason


# -- csv, pandas, quiet -------------------------------------------------------------------------


def test_csv_reads_back_as_the_flat_rows() -> None:
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](ranking()))))
    for read, row in zip(rows, flat_rows(ranking()), strict=True):
        assert read == {key: "" if value is None else str(value) for key, value in row.items()}


def test_csv_has_one_line_a_checkpoint_whatever_its_name() -> None:
    written = FORMATS["csv"](hostile_ranking())
    assert len(written.splitlines()) == 3
    assert [len(row) for row in csv.reader(io.StringIO(written))] == [len(flat_rows(ranking())[0])] * 3


def test_columns_have_stable_names() -> None:
    names = """
        rank model revision modality parameters license dim pooling layer recommended
        accuracy accuracy_error accuracy_kind transrate low high null tied_with rows_per_second seconds peak_bytes download_bytes cached device dtype processor flags
    """
    assert list(flat_rows(ranking())[0]) == names.split()


def test_pandas_has_a_row_a_checkpoint() -> None:
    frame = ranking().to_pandas()
    assert frame.shape == (4, 27)
    assert frame.loc[0, "tied_with"] == MINILM.candidate.model


def test_quiet_prints_ids_alone_best_first() -> None:
    assert FORMATS["quiet"](ranking()).splitlines() == [
        "BAAI/bge-small-en-v1.5",
        "sentence-transformers/all-MiniLM-L6-v2",
        "sentence-transformers/paraphrase-multilingual-mpnet-base-v2",
        "rxn4chemistry/rxnfp",
    ]


def test_every_form_is_there_by_name_and_none_ends_with_a_line_break() -> None:
    assert set(FORMATS) == {"human", "json", "csv", "markdown", "quiet"}
    assert [name for name, form in FORMATS.items() if form(ranking()).endswith("\n")] == []


def test_importing_the_forms_imports_no_library() -> None:
    heavy = "{'rich', 'jinja2', 'huggingface_hub', 'numpy', 'torch'}"
    code = f"import sys, hubscan.report; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


# -- markdown -----------------------------------------------------------------------------------


def tables_in(text: str) -> list[list[list[str]]]:
    """Return what a reader of the Markdown sees: tables of rows of cells."""
    tables: list[list[list[str]]] = []
    before = ""
    for token in MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type in ("th_open", "td_open"):
            tables[-1][-1].append("")
        elif token.type == "inline" and before in ("th_open", "td_open"):
            kinds = {child.type for child in token.children or []}
            assert kinds <= {"text", "text_special"}, f"{token.content!r} does something: {kinds}"
            tables[-1][-1][-1] = "".join(child.content for child in token.children or [])
        before = token.type
    return tables


def test_markdown_shows_parameters_beside_the_score() -> None:
    (header, first, *_), skipped = tables_in(as_markdown(ranking()))
    assert "; ".join(header) == (
        "rank; tied; model; modality; parameters; balanced accuracy, %; transrate@4; 95 %; null; rows/s; width; "
        "pooling; licence"
    )
    assert "; ".join(first) == (
        "→ 1; 2; BAAI/bge-small-en-v1.5; text; 33 M; 85.7 ±1.2; 1.19; 0.99 to 1.39; 0.00; 61; 384; "
        "mean (declared); mit"
    )
    assert skipped[1] == ["broken/truncated", "load", TRUNCATED.reason]


def test_ordinary_names_are_not_littered_with_escapes() -> None:
    assert escaped("facebook/dinov2_small-v1.0@abc (mean)") == "facebook/dinov2_small-v1.0@abc (mean)"


@given(hostile_text)
def test_any_text_in_a_cell_is_shown_letter_by_letter(text: str) -> None:
    shown = tables_in(f"| x | y |\n| --- | --- |\n| {escaped(text)} | end |")
    assert shown == [[["x", "y"], [plain(text), "end"]]]


@given(hostile_text, hostile_text, hostile_text)
def test_no_text_breaks_the_tables(name: str, reason: str, other: str) -> None:
    odd = ranking(
        [scored(name, 1.0, license=other, flags=(other,)), BGE, Skipped(name, None, "load", reason)]
    )
    ranked, skipped = tables_in(as_markdown(odd))
    assert {len(row) for row in ranked} == {13}
    assert [len(row) for row in skipped] == [3, 3]


# -- the card -----------------------------------------------------------------------------------


def test_the_card_is_read_back_by_the_hubs_client(tmp_path: Path) -> None:
    card = ModelCard(as_card(make_run(tmp_path / "run"), "me/ranking"))
    assert str(ModelCard(card.content)) == str(card)
    assert card.data.get("hubscan") == {
        "version": "0.1.0",
        "metric": "transrate@4",
        "seed": 0,
        "rows": 1000,
        "fingerprint": "ab" * 32,
        "ranked": [f"{one.candidate.model}@{COMMIT}" for one in (BGE, MINILM, MPNET, RXNFP)],
    }
    assert card.data.get("license") == "cc0-1.0"
    assert card.data.get("tags") == ["hubscan", "transferability", "transrate"]
    assert card.data.get("datasets") == ["stanfordnlp/imdb"]
    assert card.data.get("base_model") == "BAAI/bge-small-en-v1.5"


def test_the_card_has_one_evaluation_result_that_of_the_first(tmp_path: Path) -> None:
    (result,) = ModelCard(as_card(make_run(tmp_path / "run"))).data.get("eval_results")
    assert (result.metric_type, result.metric_name, result.metric_value) == ("transrate", "transrate@4", 1.19)
    assert type(result.metric_value) is float
    assert (result.task_type, result.dataset_type) == ("text-classification", "stanfordnlp/imdb")
    assert (result.dataset_config, result.dataset_split) == ("plain_text", "train")
    assert result.dataset_revision == "e6281661ce1c48d982bc483cf8a173c1bbeb5d31"
    assert result.metric_args["null"] == 0.001


def test_the_card_has_the_answer_the_commands_and_how_to_read_it(tmp_path: Path) -> None:
    text = as_card(make_run(tmp_path / "run"), "me/ranking")
    for said in (
        "Use BAAI/bge-small-en-v1.5 (33 M parameters, mit).",
        "hf download me/ranking recipe.yaml lock.yaml --local-dir ranking",
        "hubscan rank --recipe ranking/recipe.yaml",
        "## How to read it",
        "**Nothing was fine-tuned.**",
        "it added 2.3 points",
        "median of 67 pretrained checkpoints on nine datasets; −7.4 to +21.8",
        "only if the fingerprint is the same",
        f"| 1 | BAAI/bge-small-en-v1.5 | {COMMIT} |",
        "| broken/truncated | load |",
        "| neg | 500 |",
        "| torch | 2.13.0 |",
    ):
        assert said in text
    assert "not finished" not in text


def test_the_card_of_an_unfinished_scan_says_so(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    results = tmp_path / "run" / "results.jsonl"
    results.write_text("".join(results.read_text().splitlines(keepends=True)[:2]))
    assert "**This scan is not finished:** 3 of 5 checkpoints have no result yet." in as_card(run)


def test_a_card_recommends_nothing_if_no_score_is_above_chance(tmp_path: Path) -> None:
    card = ModelCard(as_card(make_run(tmp_path / "run", [MPNET, RXNFP])))
    assert card.data.get("base_model") is None
    assert "No checkpoint is clearly better than chance" in card.text
    assert card.data.get("eval_results")[0].metric_value == 0.15


SECRET = "/home/Jane Doe/secret plan"
LOCAL = f"{SECRET}/models/checkpoint-500"
OTHER = f"{SECRET}/others/checkpoint-500"


def local_run(folder: Path) -> Any:
    return make_run(
        folder,
        [
            scored(LOCAL, 1.2, revision="sha256:" + "0f" * 32, local=True),
            scored(OTHER, 1.1, revision="sha256:" + "1f" * 32, local=True),
            Skipped(BGE.candidate.model, COMMIT, "load", f"OSError: {LOCAL}/config.json is no file"),
            Skipped(
                "~/gone", None, "resolve", "no such file: /root/.cache/huggingface/hub/models--x/blobs/1"
            ),
            Skipped(
                "a/b",
                None,
                "fetch",
                r"cannot open 'C:\Users\Jane\models\x.safetensors', see https://x.org/a/b",
            ),
        ],
        dataset=f"{SECRET}/reviews.csv",
        revision="sha256:" + "ab" * 32,
        config=None,
    )


def test_a_card_never_reveals_a_path_on_the_authors_disk(tmp_path: Path) -> None:
    run = local_run(tmp_path / "my run")
    shown = public(run)
    texts = [as_card(run, "me/x"), shown.recipe_yaml(), shown.lock_yaml(), as_json(shown.ranking)]
    for text in texts:
        assert not re.search(r"Jane|Doe|secret|/home|/root|\.cache|Users|others/", text)
        assert str(tmp_path) not in text
    assert "Use checkpoint-500 (local) (33 M parameters, mit)." in texts[0]
    assert "| 2 | 1 | checkpoint-500-2 (local) |" in texts[0]
    assert "# Which checkpoint to fine-tune for reviews.csv (local)" in texts[0]
    assert "OSError: ./checkpoint-500/config.json is no file" in texts[0]
    assert "cannot open '…/x.safetensors', see https:<!-- -->//x.org/a/b" in texts[0]
    card = ModelCard(texts[0])
    assert card.data.get("datasets") is None
    assert card.data.get("base_model") is None
    assert card.data.get("eval_results")[0].dataset_type == "local"


def test_a_public_recipe_names_local_files_relative_to_itself(tmp_path: Path) -> None:
    shown = public(local_run(tmp_path / "run"))
    recipe = recipes.Recipe(**yaml.safe_load(shown.recipe_yaml()))
    assert recipe.dataset == "./reviews.csv"
    assert recipe.models == (
        "./checkpoint-500",
        "./checkpoint-500-2",
        "BAAI/bge-small-en-v1.5",
        "./gone",
        "a/b",
    )
    assert [c.model for c in shown.lock.candidates] == list(recipe.models[:3])
    assert [entry.model for entry in shown.ranking] == list(recipe.models[:2])
    assert shown.ranking[0].tied_with == ("./checkpoint-500-2",)


def test_a_run_with_only_hub_repositories_is_published_unchanged(tmp_path: Path) -> None:
    shown = public(make_run(tmp_path / "run"))
    assert shown.recipe_yaml() == (tmp_path / "run" / "recipe.yaml").read_text()
    assert shown.lock_yaml() == (tmp_path / "run" / "lock.yaml").read_text()


def test_a_private_endpoint_is_not_published(tmp_path: Path) -> None:
    mirror = "http://hub.corp.example"
    failed = Skipped("a/b", COMMIT, "fetch", f"{mirror} answered: 502")
    run = make_run(tmp_path / "run", [BGE, failed])
    run = replace(run, lock=replace(run.lock, provenance={**run.lock.provenance, "endpoint": mirror}))
    card = as_card(run)
    assert "corp" not in card and "the Hub answered: 502" in card


@pytest.fixture(scope="module")
def shown_run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return public(make_run(tmp_path_factory.mktemp("card") / "run"))


@given(hostile_text, hostile_text, hostile_text)
def test_no_text_breaks_the_card(shown_run: Any, name: str, reason: str, data: str) -> None:
    odd = ranking(
        [scored(name, 1.0), Skipped(name, None, "load", reason)],
        dataset=data,
        split=data,
        config=data,
        classes={name: 1, "other": 2},
        columns={"text": data, "label": reason},
        dropped={reason: 1},
    )
    card = ModelCard(card_of(replace(shown_run, ranking=odd)))
    assert card.data.get("hubscan")["ranked"] == [f"{plain(name)}@{COMMIT}"]
    assert card.data.get("eval_results")[0].dataset_split == plain(data)
    assert [len(table[0]) for table in tables_in(card.text)] == [13, 2, 2, 6, 3, 2]
    for table in tables_in(card.text):
        assert {len(row) for row in table} == {len(table[0])}


def test_a_listing_counts_its_candidates_and_says_why_another_is_none() -> None:
    kept = Listed(Candidate("a/b", "0", "text", parameters=33_000_000, license="mit", downloads=12_345), None)
    gone = Listed(Candidate(HOSTILE, "0", "image"), "gated")
    first, _, titles, *rows = listing.as_text([kept, gone]).splitlines()
    assert first == "1 candidate, 1 excluded"
    assert titles.split("  ")[-1].strip() == "excluded because" and "modality" in titles
    assert rows[0].split() == ["a/b", "text", "33", "M", "mit", "12,345"]
    assert "gated" in rows[1] and "\x1b" not in "".join(rows)
    assert listing.as_text([kept, kept]).startswith("2 candidates\n")

"""Check rankings by fine-tuning (`hubscan verify`), with tiny checkpoints that are really trained."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import r2_score
from torch import nn

from hubscan import sample_file
from hubscan.cli import main
from hubscan.errors import RankingError, RecipeError
from hubscan.finetune.candidate import tuned as candidate_tuned
from hubscan.finetune.ema import WeightAverage
from hubscan.finetune.head import fitted
from hubscan.finetune.held_out import value
from hubscan.finetune.split import split_rows
from hubscan.finetune.targets import Given, Target
from hubscan.finetune.training import _to_train
from hubscan.ranking import rank
from hubscan.records import (
    Accuracy,
    Agreement,
    Candidate,
    Job,
    Ranking,
    Recommended,
    Sample,
    Training,
    Tuned,
    Verdict,
)
from hubscan.report.json_form import verified
from hubscan.report.verified import legend, said, tuned_table
from hubscan.run import load_run
from hubscan.scores.accuracy import accuracy
from hubscan.verify.results import of_training, verdict_of
from hubscan.verify.run import select_candidates
from hubscan.verify.verdict import verdict
from tests.families.text import WORDS, model2vec
from tests.hub import LabHub, environment
from tests.hub.words import TELLING
from tests.support import programs
from tests.support.commands import SCHEMA
from tests.support.rankings import scored, tuned
from tests.support.samples import sample
from tests.support.texts import sentences


@given(st.lists(st.integers(0, 4), min_size=20, max_size=300), st.integers(0, 9))
def test_every_row_is_in_one_split_and_classes_have_the_same_share_in_each(
    labels: list[int], seed: int
) -> None:
    found = split_rows(sample(labels), seed)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(labels)))
    for share, rows in zip((0.6, 0.15, 0.25), found, strict=True):
        for name in set(labels):
            count = labels.count(name)
            assert abs(sum(labels[row] == name for row in rows) - share * count) <= 2


def test_the_words_of_a_sentence_stay_together() -> None:
    places = np.repeat(np.arange(40), 5)
    words = np.stack([places, np.tile(np.arange(5), 40)], axis=1)
    found = split_rows(sample(np.arange(200) % 3, "token", words), 0)
    sentences = [set(places[rows]) for rows in found]
    assert [len(s) for s in sentences] == [24, 6, 10]
    assert not sentences[0] & sentences[1] and not sentences[2] & (sentences[0] | sentences[1])


def test_numbers_of_every_size_are_in_every_split() -> None:
    values = np.random.default_rng(0).normal(size=400)
    means = [values[rows].mean() for rows in split_rows(sample(values, "number"), 0)]
    assert max(means) - min(means) < 0.2


def outputs(*numbers: Any) -> Given:
    """Return outputs of a head, and their rows: 0, 1, 2, …"""
    return torch.tensor(numbers, dtype=torch.float32), torch.arange(len(numbers))


def test_a_class_is_predicted_by_the_largest_output_in_the_order_of_the_rows() -> None:
    target = Target.of(sample([0, 1, 2, 0]))
    given, rows = outputs([0, 2, 1], [5, 1, 2], [0, 1, 3], [1, 0, 0])
    mixed = torch.tensor([2, 0, 3, 1])
    assert target.predictions((given[mixed], rows[mixed]), (given, rows)).tolist() == [1, 0, 2, 0]


def test_a_number_is_predicted_in_its_own_units() -> None:
    labels = np.array([100.0, 300.0, 500.0, 700.0])
    target = Target.of(sample(labels, "number"))
    exact = (target.values, torch.arange(4))
    assert target.predictions(exact, exact) == pytest.approx(labels, rel=1e-6)


def test_the_validation_rows_choose_one_threshold_for_all_labels() -> None:
    labels = np.array(
        [[0, 1, 1], [1, 1, 0], [0, 1, 1], [1, 1, 0], [1, 1, 1]], np.uint8
    )  # the second: constant
    target = Target.of(sample(labels, "multilabel"))
    validation = torch.tensor([[-3.0, 9, -1], [-1, 9, -3]]), torch.tensor([0, 1])  # right above -2
    test = torch.tensor([[-1.5, -9, -2.5], [-2.5, 9, -1.5]]), torch.tensor([4, 2])
    assert target.predictions(test, validation).tolist() == [[0, 1, 1], [1, 1, 0]], "rows 2 and 4"


def test_the_accuracy_on_test_rows_is_that_of_the_head() -> None:
    rng, held = np.random.default_rng(0), range(10, 60)
    classes = rng.integers(0, 3, 80)
    guesses = rng.integers(0, 3, 50)
    for kind in ("accuracy", "balanced_accuracy"):
        expected = accuracy(guesses, classes[10:60], kind).value
        assert value(guesses, held, sample(classes), kind) == pytest.approx(expected)
    numbers, near = rng.normal(3, 9, 80), rng.normal(3, 9, 50)
    expected = r2_score(numbers[10:60], near)
    assert value(near, held, sample(numbers, "number"), "r2") == pytest.approx(expected)


def test_a_label_that_no_test_row_has_counts_and_one_that_is_constant_everywhere_does_not() -> None:
    labels = np.zeros((8, 3), np.uint8)
    labels[:, 0], labels[0, 1] = np.arange(8) % 2, 1  # the second only in row 0, the third nowhere
    predicted = labels[4:].copy()
    predicted[0, 1:] = 1
    assert value(predicted, range(4, 8), sample(labels, "multilabel"), "micro_f1") == pytest.approx(4 / 5)


def test_the_loss_at_the_best_temperature_is_lower_at_any_scale() -> None:
    labels = np.arange(40) % 2
    target, rows = Target.of(sample(labels)), torch.arange(40)
    right = torch.nn.functional.one_hot(torch.tensor(labels), 2).float()
    right[0] = right[0].flip(0)  # one wrong prediction, so that the best temperature is finite
    for factor in (1.0, 30.0):
        assert target.loss_at_best_confidence(factor * right, rows) < float(target.loss(30 * right, rows))


def test_a_head_scales_small_features_and_ignores_constant_ones() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    features = rng.normal(size=(200, 6)).astype(np.float32)
    features[:, 2] = (
        1e-3 * (labels + 0.1 * rng.normal(size=200)) + 5
    )  # small, far from 0, and the only signal
    features[:, 3] = 7.0
    target, rows = Target.of(sample(labels)), split_rows(sample(labels), 0)
    head = fitted(torch.from_numpy(features), target, rows)
    given = head(torch.from_numpy(features[rows.test])).detach()
    given_here = (given, torch.from_numpy(rows.test))
    assert (target.predictions(given_here, given_here) == labels[rows.test]).mean() > 0.95
    assert torch.isfinite(given).all()


# -- the verdict ----------------------------------------------------------------------------------


ROWS = sample([0, 1] * 50)  # the labels that `tuned` assumes


def ranking_of(**values: float) -> Ranking:
    results = [
        replace(scored(name, value), parameters=parameters)
        for parameters, (name, value) in enumerate(values.items(), start=1)
    ]
    return rank(results, "text-classification", ROWS.draw)


def with_heads(ranking: Ranking, kind: Any = "accuracy", **values: float) -> Ranking:
    """Return *ranking* with the accuracy of a linear head only for the checkpoints in *values*."""
    heads = {name: Accuracy(value, 0.01, kind) for name, value in values.items()}
    entries = (
        replace(entry, scored=replace(entry.scored, accuracy=heads.get(entry.model))) for entry in ranking
    )
    return replace(ranking, entries=tuple(entries))


def following(found: Verdict, name: str) -> Agreement:
    return next(one for one in found.agreements if one.followed == name)


def test_the_regret_is_zero_if_the_recommended_checkpoint_is_the_best() -> None:
    ranking = ranking_of(a=3.0, b=2.0, c=1.0)
    found = verdict(ranking, [tuned(ranking, n, r) for n, r in (("c", 60), ("a", 80), ("b", 70))], ROWS)
    assert [one.candidate.model for one in found.tuned] == ["a", "b", "c"]
    own = found.agreements[0]
    assert (own.followed, own.pick, own.regret) == (ranking.metric, 0, (0.0, 0.0, 0.0))
    assert own.kendall is not None and own.kendall.value == pytest.approx(1)
    assert own.pearson is not None and own.pearson.value == pytest.approx(1)
    assert following(found, "recommended") == Agreement("recommended", 0, own.regret, None, None)
    assert said(found) == [
        "The checkpoint that the scan recommended, a, is the best of the 3 fine-tuned "
        "(accuracy 0.800 on 100 test rows)."
    ]


def test_the_regret_is_the_best_accuracy_minus_that_of_the_recommended_one() -> None:
    ranking = ranking_of(a=3.0, b=2.0, c=1.0)
    found = verdict(ranking, [tuned(ranking, n, r) for n, r in (("a", 70), ("b", 73), ("c", 60))], ROWS)
    own = found.agreements[0]
    assert own.regret.value == pytest.approx(0.03) and own.regret.low >= 0
    assert following(found, "size").regret.value == pytest.approx(0.13), "c is the largest"
    assert own.kendall is not None and own.kendall.value < 1
    assert said(found)[0].startswith(
        "The checkpoint that the scan recommended, a, is the second of the 3 fine-tuned "
        "(accuracy 0.700 on 100 test rows), 3.0 points ["
    )
    assert "behind b." in said(found)[0]


def test_if_the_recommended_checkpoint_was_not_fine_tuned_the_first_of_the_others_counts() -> None:
    ranking = ranking_of(a=3.0, b=2.0, c=1.0)
    found = verdict(ranking, [tuned(ranking, "b", 70), tuned(ranking, "c", 60)], ROWS)
    assert "recommended" not in [one.followed for one in found.agreements]
    assert said(found)[0].startswith("The first of the ranking, b, is the best of the 2 fine-tuned")


def test_a_list_counts_only_if_it_has_a_number_for_every_checkpoint() -> None:
    ranking = ranking_of(a=3.0, b=2.0)
    results = [tuned(ranking, "a", 70), tuned(ranking, "b", 80)]

    def lists(ranking: Ranking) -> list[str]:
        return [one.followed for one in verdict(ranking, results, ROWS).agreements]

    assert lists(with_heads(ranking)) == [ranking.metric, "size", "recommended"], "as in older runs"
    assert lists(with_heads(ranking, a=0.6)) == [ranking.metric, "size", "recommended"]
    known = with_heads(ranking, a=0.6, b=0.7)
    assert lists(known) == [ranking.metric, "accuracy", "size", "recommended"]
    assert following(verdict(known, results, ROWS), "accuracy").regret.value == 0


def test_intervals_resample_groups_if_there_are_any() -> None:
    ranking = ranking_of(a=3.0, b=2.0)
    results = [tuned(ranking, "a", 50), tuned(ranking, "b", 40)]
    places = np.stack([np.repeat(np.arange(10), 10), np.tile(np.arange(10), 10)], axis=1)
    rows = verdict(ranking, results, ROWS).values[0]
    groups = verdict(ranking, results, sample([0, 1] * 50, places=places)).values[0]
    assert groups.value == rows.value == 0.5
    assert rows.high - rows.low == pytest.approx(2 * 1.96 * 0.05, abs=0.02)
    assert groups.high - groups.low == pytest.approx(2 * 1.96 * 0.5 / 10**0.5, abs=0.1)


def test_the_accuracy_of_the_head_is_shown_next_to_that_of_fine_tuning() -> None:
    ranking = with_heads(ranking_of(a=3.0, b=2.0), a=0.75, b=0.82)
    found = verdict(ranking, [tuned(ranking, "a", 80), tuned(ranking, "b", 78)], ROWS)
    titles, rows, _ = tuned_table(found, ranking)
    assert titles[2:5] == ["fine-tuned [95 %]", "head", "added"]
    assert [row[3:5] for row in rows] == [["0.750", "+5.0"], ["0.820", "-4.0"]]
    assert [one["head"] for one in verified(found)["tuned"]] == [0.75, 0.82]
    assert legend(found) == (
        "fine-tuned: accuracy on 100 test rows; head: the same for the linear head of the scan, "
        "on rows that it was not fitted to; added: fine-tuned minus head, in points."
    )


def test_a_head_of_another_kind_of_accuracy_is_not_compared() -> None:
    ranking = with_heads(ranking_of(a=3.0, b=2.0), "balanced_accuracy", a=0.75, b=0.82)
    found = verdict(ranking, [tuned(ranking, "a", 80, before=70), tuned(ranking, "b", 78)], ROWS)
    titles, rows, _ = tuned_table(found, ranking)
    assert titles[3:5] == ["before", "rank"]
    assert [row[3] for row in rows] == ["0.700", "0.780"]
    assert [one["head"] for one in verified(found)["tuned"]] == [None, None]
    assert legend(found) == (
        "fine-tuned: accuracy on 100 test rows; "
        "before: the same for the linear head that training started from."
    )


def test_r2_is_written_as_a_number_and_not_in_points() -> None:
    labels = np.arange(100.0)
    ranking = with_heads(ranking_of(a=3.0, b=2.0), "r2", a=0.9, b=0.8)
    results = [
        replace(
            tuned(ranking, name, 0), measure="r2", accuracy=1.0,
            predictions=tuple((labels + off).tolist()), frozen_predictions=tuple(labels.tolist()),
        )
        for name, off in (("a", 5.0), ("b", 0.0))
    ]  # fmt: skip
    found = verdict(ranking, results, sample(labels, "number"))
    assert [one.candidate.model for one in found.tuned] == ["b", "a"]
    assert found.values[1].value == pytest.approx(r2_score(labels, labels + 5))
    titles, rows, _ = tuned_table(found, ranking)
    assert titles[2:5] == ["fine-tuned [95 %]", "head", "added"]
    assert legend(found).endswith("added: fine-tuned minus head, in R².")
    assert rows[0][2:5] == ["1.000 [1.000, 1.000]", "0.800", "+0.200"]
    assert ", 0.030 R² [" in said(found)[0]
    assert "Fine-tuning made a worse than its frozen features." in said(found)


def test_a_warning_is_shown_for_results_that_may_not_hold() -> None:
    ranking = ranking_of(a=3.0, b=2.0)
    found = verdict(
        ranking, [tuned(ranking, "a", 80, settled=False), tuned(ranking, "b", 70, before=90)], ROWS
    )
    assert found.agreements[0].kendall is None, "two checkpoints have no correlation"
    assert said(found)[1:] == [
        "a was still improving when the time or the epochs ran out; raise --time-per-checkpoint.",
        "Fine-tuning made b worse than its frozen features.",
    ]
    assert [row[-2] for row in tuned_table(found, ranking)[1]] == ["2+", "2"]
    assert legend(found).endswith("; +: was still improving.")


def test_a_warning_about_several_results_is_in_the_plural() -> None:
    ranking = ranking_of(a=3.0, b=2.0)
    facts: dict[str, Any] = {"before": 90, "settled": False}
    found = verdict(ranking, [tuned(ranking, "a", 80, **facts), tuned(ranking, "b", 70, **facts)], ROWS)
    assert said(found)[1:] == [
        "a, b were still improving when the time or the epochs ran out; raise --time-per-checkpoint.",
        "Fine-tuning made a, b worse than their frozen features.",
    ]


def test_one_result_or_different_test_rows_give_no_verdict() -> None:
    ranking = ranking_of(a=3.0, b=2.0)
    with pytest.raises(RankingError, match="at least two fine-tuned checkpoints"):
        verdict(ranking, [tuned(ranking, "a", 5)], ROWS)
    other = replace(tuned(ranking, "b", 5), held=tuple(range(1, 101)))
    with pytest.raises(RankingError, match="different test rows"):
        verdict(ranking, [tuned(ranking, "a", 5), other], ROWS)


def test_equal_numbers_on_the_test_rows_give_no_verdict() -> None:
    labels = np.r_[np.zeros(100), np.ones(100)]
    ranking = ranking_of(a=3.0, b=2.0)
    results = [replace(tuned(ranking, name, 5), measure="r2") for name in "ab"]
    with pytest.raises(RankingError, match="R² of the test rows is not defined; draw more rows"):
        verdict(ranking, results, sample(labels, "number"))


def test_the_first_and_random_ones_of_the_others_are_chosen() -> None:
    ranking = ranking_of(a=5.0, b=4.0, c=3.0, d=2.0, e=1.0)

    def names(*how: Any) -> str:
        return "".join(candidate.model for candidate in select_candidates(ranking, *how))

    assert names(3, 0) == "abc"
    assert names(9, 9) == "abcde"
    assert {names(1, 2, (), seed) for seed in range(40)} == {"abc", "abd", "abe", "acd", "ace", "ade"}
    assert names(1, 0, ("d",)) == "ad"
    with pytest.raises(RecipeError, match="at least two checkpoints"):
        names(1, 0)
    with pytest.raises(RecipeError, match="--model z: not in the ranking"):
        names(1, 0, ("z",))


def test_the_recommended_checkpoint_is_always_chosen_and_judged() -> None:
    ranking = replace(ranking_of(a=5.0, b=4.0, c=3.0, d=2.0), recommended=Recommended(3, "for this test"))
    chosen = select_candidates(ranking, 2, 0)
    assert [candidate.model for candidate in chosen] == ["a", "b", "c"]
    found = verdict(ranking, [tuned(ranking, n, r) for n, r in (("a", 70), ("b", 60), ("c", 65))], ROWS)
    assert following(found, "recommended").regret.value == pytest.approx(0.05)
    assert said(found)[0].startswith(
        "The checkpoint that the scan recommended, c, is the second of the 3 fine-tuned"
    )


def test_if_nothing_is_recommended_the_verdict_is_about_the_first() -> None:
    ranking = replace(with_heads(ranking_of(a=5.0, b=4.0)), recommended=None)
    found = verdict(ranking, [tuned(ranking, "a", 70), tuned(ranking, "b", 60)], ROWS)
    assert [one.followed for one in found.agreements] == [ranking.metric, "size"]
    assert said(found)[0].startswith("The first of the ranking, a, is the best of the 2 fine-tuned")


# -- runs that were verified before predictions were stored ----------------------------------------


@pytest.fixture
def old_run(tmp_path: Path) -> Path:
    """Return a run folder that hubscan wrote at commit db95b24."""
    return Path(shutil.copytree(Path(__file__).parent / "support" / "old_run", tmp_path / "run"))


def test_an_old_verdict_is_shown_unchanged(old_run: Path) -> None:
    ranking = load_run(old_run).ranking
    found = ranking.verdict
    assert found is not None and found.measure == "accuracy"
    assert said(found) == [
        "The first of the ranking, sentence-transformers/all-MiniLM-L6-v2, is the second of the 2 fine-tuned "
        "(accuracy 0.700 on 10 test rows), 20.0 points [0.0, 50.0] behind BAAI/bge-small-en-v1.5. "
        "Other test rows might reverse this."
    ]
    shown = CliRunner().invoke(main, ["show", str(old_run)])
    assert shown.exit_code == 0
    assert " ".join(said(found)) in " ".join(shown.stdout.split())
    titles, rows, _ = tuned_table(found, ranking)
    assert titles[2:5] == ["fine-tuned [95 %]", "before", "rank"]
    assert [row[2:5] for row in rows] == [
        ["0.900 [0.700, 1.000]", "0.700", "2"],
        ["0.700 [0.400, 0.902]", "0.700", "1"],
    ]
    told = verified(found)
    jsonschema.validate(told, {"$ref": "#/$defs/verdict", "$defs": SCHEMA["$defs"]})
    assert [one["list"] for one in told["followed"]] == ["transfer@1", "transrate", "probe", "size"]
    assert [(one["value"], one["frozen"], one["head"]) for one in told["tuned"]] == [
        (0.9, 0.7, None),
        (0.7, 0.7, None),
    ]


@pytest.mark.parametrize("measure", ["R²", "ranking precision"])
def test_an_old_verdict_with_another_kind_of_accuracy_is_shown_in_its_unit(
    old_run: Path, measure: str
) -> None:
    file = old_run / "verdict.json"
    file.write_text(file.read_text().replace('"measure": "accuracy"', json.dumps({"measure": measure})[1:-1]))
    found = load_run(old_run).verdict()
    assert found is not None
    assert f"({measure} 0.700 on 10 test rows), 0.200 {measure}" in said(found)[0]
    told = verified(found)
    jsonschema.validate(told, {"$ref": "#/$defs/verdict", "$defs": SCHEMA["$defs"]})


def test_old_results_are_read_and_never_compared_with_new_ones(old_run: Path) -> None:
    run = load_run(old_run)
    old = [one for one in run.verified() if isinstance(one, Tuned)]
    assert [(one.measure, one.value, one.start) for one in old] == [
        ("accuracy", 0.9, 0.7),
        ("accuracy", 0.7, 0.7),
    ]
    assert of_training(run, Training()) == []
    held = old[0].held
    new = replace(
        tuned(run.ranking, old[0].candidate.model, 10, of=10),
        held=held, predictions=(1,) * 10, accuracy=1.0,
    )  # fmt: skip
    run.append(new, verifies=True)
    assert of_training(run, Training()) == [new], "the old result of the same checkpoint is ignored"
    with pytest.raises(RankingError, match="at least two fine-tuned checkpoints, but this run has 1"):
        verdict_of(run, Training())


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(hub: LabHub, hf_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a small run that was verified once, and the output."""
    folder = tmp_path_factory.mktemp("verified")

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        variables = environment(hub.endpoint, hf_home) | {"HUBSCAN_CACHE": str(folder / "cache")}
        return programs.run(("-m", "hubscan", *arguments), variables, folder, timeout=280)

    models = [f"--model=tester/{name}-bert" for name in ("seeing", "blind", "half")]
    done = command(
        "rank", "--dataset", "tester/reviews", *models, "--samples", "100", "--device", "cpu", "--run", "run"
    )
    assert done.returncode == 0, done.stderr
    verified = command("verify", "run", "--device", "cpu", "--format", "json")
    assert verified.returncode == 0, verified.stderr
    return command, folder / "run", json.loads(verified.stdout), verified.stderr


def test_the_checkpoint_that_sees_the_label_is_also_best_after_fine_tuning(run: Any) -> None:
    _, folder, answer, progress = run
    jsonschema.validate(answer, {"$ref": "#/$defs/verdict", "$defs": SCHEMA["$defs"]})
    assert answer["tuned"][0]["model"] == "tester/seeing-bert"
    assert answer["tuned"][0]["value"] > 0.8
    lists = [one["list"] for one in answer["followed"]]
    assert lists == ["transrate@4", "accuracy", "size", "downloads", "recommended"]
    assert answer["followed"][0]["regret"]["value"] == answer["followed"][-1]["regret"]["value"] == 0
    assert answer["tuned"][0]["head"] > 0.8
    lines = [json.loads(line) for line in (folder / "verified.jsonl").open()]
    labels = sample_file.read(folder / "sample.parquet").labels
    for line, one in zip(sorted(lines, key=lambda line: -line["accuracy"]), answer["tuned"], strict=True):
        expected = accuracy(line["predictions"], labels[line["held"]], "balanced_accuracy").value
        assert one["value"] == line["accuracy"] == pytest.approx(expected)
    assert progress.count("accuracy") == 3
    assert len((folder / "verified.jsonl").read_text().splitlines()) == 3


def test_finished_results_are_reused_and_an_incomplete_line_is_fine_tuned_again(run: Any) -> None:
    command, folder, answer, _ = run
    file = folder / "verified.jsonl"
    lines = file.read_text()
    again = command("verify", "run", "--device", "cpu", "--format", "json")
    assert again.stderr == "" and json.loads(again.stdout) == answer
    file.write_text(lines[:-40])
    mended = command("verify", "run", "--device", "cpu", "--format", "json")
    assert mended.stderr.count("accuracy") == 1
    assert [{**one, "seconds": 0} for one in json.loads(mended.stdout)["tuned"]] == [
        {**one, "seconds": 0} for one in answer["tuned"]
    ], "the same rows, the same seed, the same training"


def test_the_verdict_is_shown_with_the_run_and_on_its_card(run: Any) -> None:
    command, _, answer, _ = run
    shown = json.loads(command("show", "run", "--format", "json").stdout)
    jsonschema.validate(shown, SCHEMA)
    assert {**shown["verified"], "tuned": []} == {**answer, "tuned": []}
    assert "is the best of the 3 fine-tuned" in " ".join(command("show", "run").stdout.split())
    card = command("publish", "run", "--repo", "me/ranking", "--dry-run").stdout
    assert "## After fine-tuning" in card and "Nothing was fine-tuned" not in card


@pytest.mark.slow
def test_other_ways_to_train_are_judged_separately(run: Any) -> None:
    command, folder, _, _ = run
    head = command("verify", "run", "--device", "cpu", "--how", "head")
    assert head.returncode == 0, head.stderr
    assert "that the scan recommended" in head.stdout
    lora = command("verify", "run", "--device", "cpu", "--how", "lora", "--top", "2", "--format", "json")
    assert lora.returncode == 0, lora.stderr
    assert len(json.loads(lora.stdout)["tuned"]) == 2
    trained = {
        line["training"]["how"]: line["trained"]
        for line in map(json.loads, (folder / "verified.jsonl").open())
    }
    assert 0 < trained["head"] < trained["lora"] < trained["full"]


def test_a_missing_run_and_too_few_checkpoints_are_one_line_each(run: Any) -> None:
    command, _, _, _ = run
    missing = command("verify", "nowhere")
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)
    few = command("verify", "run", "--top", "1")
    assert (few.returncode, few.stderr) == (
        2,
        "Error: a comparison needs at least two checkpoints, but the options select 1; see --top\n",
    )


# -- every kind of label and of input ---------------------------------------------------------------


def trained(hub_root: Path, model: str, given: Sample, modality: Any, how: Any = "full") -> Tuned:
    candidate = Candidate(str(hub_root / "models/tester" / model), "sha", modality, local=True)
    job = Job(training=Training(how=how, rates=(1e-3,), epochs=6))
    found = candidate_tuned(candidate, given, job, "cpu", lambda *_: None)
    assert isinstance(found, Tuned), found
    return found


def test_words_are_fine_tuned_through_the_windows_that_contain_them(hub_root: Path) -> None:
    texts = sentences(80)
    places = np.array([(row, word) for row, words in enumerate(texts) for word in range(len(words))])
    kinds = [0 if w in TELLING[0] else 1 if w in TELLING[1] else 2 for words in texts for w in words]
    made = sample(kinds, "token", places)
    made = replace(made, inputs={"text": tuple(tuple(words) for words in texts)})
    found = trained(hub_root, "seeing-bert", made, "text")
    assert found.measure == "balanced_accuracy" and found.value > 0.95
    assert len(found.held) == len(found.predictions) > 60
    right = np.array(found.predictions) == made.labels[list(found.held)]
    assert right.mean() > 0.95, "predictions must be in the order of the test rows"
    held = set(places[list(found.held), 0])
    assert len(held) == 20, "a quarter of the sentences, each complete"
    assert sum(len(texts[row]) for row in held) == len(found.held)


def test_a_table_of_static_vectors_learns_what_the_vectors_did_not_reveal(tmp_path: Path) -> None:
    vectors = torch.zeros(len(WORDS), 8)
    vectors[:, 0] = torch.randn(len(WORDS), generator=torch.Generator().manual_seed(0))
    folder, _ = model2vec(tmp_path / "table", vectors)
    texts = sentences(400)
    labels = [sum((w in TELLING[0]) - (w in TELLING[1]) for w in words) > 0 for words in texts]
    made = replace(sample(np.array(labels, int)), inputs={"text": tuple(" ".join(words) for words in texts)})
    candidate = Candidate(str(folder), "sha", "text", local=True)
    found = candidate_tuned(candidate, made, Job(training=Training()), "cpu", lambda *_: None)
    assert isinstance(found, Tuned), found
    assert found.start < 0.7 < 0.9 < found.value
    assert found.rate in (3e-3, 3e-2)


@pytest.mark.parametrize("kind", ["number", "multilabel"])
def test_numbers_and_several_labels_are_fine_tuned_for_their_kind_of_accuracy(
    hub_root: Path, kind: Any
) -> None:
    texts = sentences(160)
    share = np.array(
        [[sum(w in told for w in words) / len(words) for told in TELLING[:2]] for words in texts]
    )
    labels = share[:, 0] - share[:, 1] if kind == "number" else (share > 0.25).astype(np.uint8)
    made = replace(sample(labels, kind), inputs={"text": tuple(" ".join(words) for words in texts)})
    found = trained(hub_root, "seeing-bert", made, "text")
    assert found.measure == {"number": "r2", "multilabel": "micro_f1"}[kind]
    assert found.value > 0.8 and found.value >= found.start - 0.05
    wanted = made.labels[list(found.held)]
    given = accuracy(np.array(found.predictions), wanted, found.measure)  # type: ignore[arg-type]
    assert given.value == pytest.approx(found.value)


@pytest.mark.parametrize("model", ["tiny-vit", "tiny-resnet"])
def test_fine_tuning_on_images_does_not_lower_the_accuracy(hub_root: Path, model: str) -> None:
    rng = np.random.default_rng(0)
    labels, files = np.arange(120) % 3, []
    for label in labels:  # one channel is brighter, in images of different brightness
        pixels = rng.integers(100, 140, (32, 32, 3)) + rng.integers(-40, 40)
        pixels[..., label] += 30
        stored = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(stored, "PNG")
        files.append(stored.getvalue())
    found = trained(hub_root, model, replace(sample(labels), inputs={"image": tuple(files)}), "image")
    assert found.value > 0.9 and found.value >= found.start - 0.05


def test_training_restores_the_handling_of_denormal_numbers(hub_root: Path) -> None:
    made = replace(sample([0, 1] * 20), inputs={"text": ("warm and bright", "cold and bleak") * 20})
    trained(hub_root, "seeing-bert", made, "text", how="head")
    assert float(torch.tensor(2e-40) * 0.5) > 0


def test_batch_norms_keep_their_pretrained_statistics() -> None:
    norm = nn.BatchNorm2d(3, momentum=0.997)
    network = nn.Sequential(nn.Dropout(0.5), norm, nn.BatchNorm2d(3, track_running_stats=False))
    _to_train(network)
    assert [part.training for part in network] == [True, False, True]
    assert norm.running_mean is not None
    before = norm.running_mean.clone()
    network(torch.randn(4, 3, 2, 2) + 9.0).sum().backward()
    assert torch.equal(norm.running_mean, before)
    assert norm.weight.grad is not None, "its weights are trained nevertheless"


def test_an_average_follows_the_weights_and_replaces_them_temporarily() -> None:
    weight = torch.tensor([0.0, 8.0])
    average = WeightAverage([weight], steps=4)
    weight += torch.tensor([4.0, -8.0])
    average.follow()
    with average.in_place():
        assert weight.tolist() == [1.0, 6.0]
    assert weight.tolist() == [4.0, 0.0]
    with pytest.raises(ZeroDivisionError), average.in_place():
        _ = 1 / 0
    assert weight.tolist() == [4.0, 0.0], "the trained weights come back, even after an error"

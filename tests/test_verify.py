"""`hubscan verify`: whether the ranking was right, by fine-tuning; tiny checkpoints, really trained."""

from __future__ import annotations

import io
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from hubscan.errors import RankingError, RecipeError
from hubscan.finetune.candidate import tuned as candidate_tuned
from hubscan.finetune.ema import WeightAverage
from hubscan.finetune.head import fitted
from hubscan.finetune.split import split_rows
from hubscan.finetune.targets import Target
from hubscan.finetune.training import _to_train
from hubscan.ranking import rank
from hubscan.records import Candidate, Job, Ranking, Sample, Training, Tuned
from hubscan.report.verified import said
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
def test_every_row_is_in_one_part_and_classes_have_their_shares_in_each(labels: list[int], seed: int) -> None:
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


def test_numbers_are_dealt_out_over_their_range() -> None:
    values = np.random.default_rng(0).normal(size=400)
    means = [values[rows].mean() for rows in split_rows(sample(values, "number"), 0)]
    assert max(means) - min(means) < 0.2


def test_outcomes_are_the_accuracy_the_r2_and_the_ranking_precision_row_by_row() -> None:
    from sklearn.metrics import accuracy_score, label_ranking_average_precision_score, r2_score

    rng = np.random.default_rng(0)
    rows = torch.arange(50)
    classes, given = rng.integers(0, 3, 50), torch.tensor(rng.normal(size=(50, 3)), dtype=torch.float32)
    assert Target.of(sample(classes)).outcomes(given, rows).mean() == pytest.approx(
        accuracy_score(classes, given.argmax(1))
    )
    numbers, one = rng.normal(3, 9, 50), torch.tensor(rng.normal(size=(50, 1)), dtype=torch.float32)
    target = Target.of(sample(numbers, "number"))
    assert target.outcomes(one, rows).mean() == pytest.approx(r2_score(target.values, one), abs=1e-6)
    labels = rng.integers(0, 2, (50, 4)).astype(np.uint8)
    labels[0] = 0
    several = torch.tensor(rng.normal(size=(50, 4)), dtype=torch.float32)
    assert Target.of(sample(labels, "multilabel")).outcomes(several, rows).mean() == pytest.approx(
        label_ranking_average_precision_score(labels, several)
    )


def test_the_confidence_that_suits_does_not_change_which_loss_is_less() -> None:
    labels = np.arange(40) % 2
    target, rows = Target.of(sample(labels)), torch.arange(40)
    right = torch.nn.functional.one_hot(torch.tensor(labels), 2).float()
    right[0] = right[0].flip(0)  # one wrong, so that no confidence is too much
    for factor in (1.0, 30.0):
        assert target.loss_at_best_confidence(factor * right, rows) < float(target.loss(30 * right, rows))


def test_a_head_reads_what_is_there_and_levels_what_is_not() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    features = rng.normal(size=(200, 6)).astype(np.float32)
    features[:, 2] = 1e-3 * (labels + 0.1 * rng.normal(size=200)) + 5  # small, far off, and all of it
    features[:, 3] = 7.0
    target, rows = Target.of(sample(labels)), split_rows(sample(labels), 0)
    head = fitted(torch.from_numpy(features), target, rows)
    given = head(torch.from_numpy(features[rows.test])).detach()
    assert target.outcomes(given, torch.from_numpy(rows.test)).mean() > 0.95
    assert torch.isfinite(given).all()


# -- the verdict ----------------------------------------------------------------------------------


def ranking_of(**values: float) -> Ranking:
    results = [
        replace(scored(name, value), parameters=parameters)
        for parameters, (name, value) in enumerate(values.items(), start=1)
    ]
    return rank(results, "text-classification", sample([0, 1] * 50).draw)


def test_following_a_ranking_whose_first_is_the_best_costs_nothing() -> None:
    ranking = ranking_of(a=3.0, b=2.0, c=1.0)
    found = verdict(
        ranking, [tuned(ranking, n, r) for n, r in (("c", 60), ("a", 80), ("b", 70))], sample([0, 1] * 50)
    )
    assert [one.candidate.model for one in found.tuned] == ["a", "b", "c"]
    own = found.agreements[0]
    assert (own.followed, own.pick, own.regret) == (ranking.metric, 0, (0.0, 0.0, 0.0))
    assert own.kendall is not None and own.kendall.value == pytest.approx(1)
    assert own.pearson is not None and own.pearson.value == pytest.approx(1)
    assert said(found) == [
        "The first of the ranking, a, is the best of the 3 fine-tuned "
        "(accuracy 0.800 on 100 held-out rows): following it costs nothing."
    ]


def test_the_regret_is_what_the_first_gives_less_than_the_best() -> None:
    ranking = ranking_of(a=3.0, b=2.0, c=1.0)
    found = verdict(
        ranking, [tuned(ranking, n, r) for n, r in (("a", 70), ("b", 73), ("c", 60))], sample([0, 1] * 50)
    )
    own, by_size = found.agreements[0], next(one for one in found.agreements if one.followed == "size")
    assert own.regret.value == pytest.approx(0.03) and own.regret.low >= 0
    assert by_size.regret.value == pytest.approx(0.13), "c is the largest"
    assert own.kendall is not None and own.kendall.value < 1
    assert said(found)[0].startswith(
        "The first of the ranking, a, is the second of the 3 fine-tuned "
        "(accuracy 0.700 on 100 held-out rows): following it costs 3.0 points ["
    )
    assert "against b" in said(found)[0]


def test_what_is_to_be_mistrusted_is_said() -> None:
    ranking = ranking_of(a=3.0, b=2.0)
    before = tuple(float(row < 90) for row in range(100))
    found = verdict(
        ranking,
        [tuned(ranking, "a", 80, settled=False), tuned(ranking, "b", 70, frozen=before)],
        sample([0, 1] * 50),
    )
    assert found.agreements[0].kendall is None, "two have an order, and no correlation"
    assert said(found)[1:] == [
        "a was still getting better when its time or epochs ran out: see --time-budget.",
        "Fine-tuning made b worse than its frozen features.",
    ]


def test_what_is_to_be_mistrusted_of_several_is_said_in_the_plural() -> None:
    ranking = ranking_of(a=3.0, b=2.0)
    facts: dict[str, Any] = {"frozen": tuple(float(row < 90) for row in range(100)), "settled": False}
    found = verdict(
        ranking, [tuned(ranking, "a", 80, **facts), tuned(ranking, "b", 70, **facts)], sample([0, 1] * 50)
    )
    assert said(found)[1:] == [
        "a, b were still getting better when their time or epochs ran out: see --time-budget.",
        "Fine-tuning made a, b worse than their frozen features.",
    ]


def test_one_alone_or_other_held_out_rows_give_no_verdict() -> None:
    ranking = ranking_of(a=3.0, b=2.0)
    with pytest.raises(RankingError, match="two to compare"):
        verdict(ranking, [tuned(ranking, "a", 5)], sample([0, 1] * 50))
    other = replace(tuned(ranking, "b", 5), held=tuple(range(1, 101)))
    with pytest.raises(RankingError, match="other rows held out"):
        verdict(ranking, [tuned(ranking, "a", 5), other], sample([0, 1] * 50))


def test_the_first_ones_are_chosen_and_some_of_the_others_by_chance() -> None:
    ranking = ranking_of(a=5.0, b=4.0, c=3.0, d=2.0, e=1.0)

    def names(*how: Any) -> str:
        return "".join(candidate.model for candidate in select_candidates(ranking, *how))

    assert names(3, 0) == "abc"
    assert names(9, 9) == "abcde"
    assert {names(1, 2, (), seed) for seed in range(40)} == {"abc", "abd", "abe", "acd", "ace", "ade"}
    assert names(1, 0, ("d",)) == "ad"
    with pytest.raises(RecipeError, match="two to compare"):
        names(1, 0)
    with pytest.raises(RecipeError, match="--model z: not in the ranking"):
        names(1, 0, ("z",))


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(hub: LabHub, hf_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small run that was verified once, and what that printed."""
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


def test_the_checkpoint_that_sees_is_best_when_fine_tuned_too(run: Any) -> None:
    _, folder, answer, progress = run
    jsonschema.validate(answer, {"$ref": "#/$defs/verdict", "$defs": SCHEMA["$defs"]})
    assert answer["tuned"][0]["model"] == "tester/seeing-bert"
    assert answer["tuned"][0]["value"] > 0.8
    assert [one["list"] for one in answer["followed"]] == [
        "transfer@1",
        "transrate",
        "probe",
        "size",
        "downloads",
    ]
    assert answer["followed"][0]["regret"]["value"] == 0
    assert progress.count("accuracy") == 3
    assert len((folder / "verified.jsonl").read_text().splitlines()) == 3


def test_what_was_fine_tuned_is_not_fine_tuned_again_and_a_torn_line_is(run: Any) -> None:
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


def test_the_verdict_joins_the_run_and_its_card(run: Any) -> None:
    command, _, answer, _ = run
    shown = json.loads(command("show", "run", "--format", "json").stdout)
    jsonschema.validate(shown, SCHEMA)
    assert {**shown["verified"], "tuned": []} == {**answer, "tuned": []}
    assert "is the best of the 3 fine-tuned" in command("show", "run").stdout
    card = command("publish", "run", "--repo", "me/ranking", "--dry-run").stdout
    assert "## What fine-tuning says" in card and "Nothing was fine-tuned" not in card


@pytest.mark.slow
def test_other_ways_to_train_stand_for_themselves(run: Any) -> None:
    command, folder, _, _ = run
    head = command("verify", "run", "--device", "cpu", "--how", "head")
    assert head.returncode == 0, head.stderr
    assert "following it costs nothing" in head.stdout
    lora = command("verify", "run", "--device", "cpu", "--how", "lora", "--top", "2", "--format", "json")
    assert lora.returncode == 0, lora.stderr
    assert len(json.loads(lora.stdout)["tuned"]) == 2
    trained = {
        line["training"]["how"]: line["trained"]
        for line in map(json.loads, (folder / "verified.jsonl").open())
    }
    assert 0 < trained["head"] < trained["lora"] < trained["full"]


def test_a_run_that_is_not_there_or_too_few_are_one_line_each(run: Any) -> None:
    command, _, _, _ = run
    missing = command("verify", "nowhere")
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)
    few = command("verify", "run", "--top", "1")
    assert (few.returncode, few.stderr) == (
        2,
        "Error: 1 checkpoint to fine-tune: there must be two to compare; see --top\n",
    )


# -- every kind of label and of input ---------------------------------------------------------------


def trained(hub_root: Path, model: str, given: Sample, modality: Any, how: Any = "full") -> Tuned:
    candidate = Candidate(str(hub_root / "models/tester" / model), "sha", modality, local=True)
    job = Job(training=Training(how=how, rates=(1e-3,), epochs=6))
    found = candidate_tuned(candidate, given, job, "cpu", lambda *_: None)
    assert isinstance(found, Tuned), found
    return found


def test_words_are_fine_tuned_by_the_windows_that_hold_them(hub_root: Path) -> None:
    texts = sentences(80)
    places = np.array([(row, word) for row, words in enumerate(texts) for word in range(len(words))])
    kinds = [0 if w in TELLING[0] else 1 if w in TELLING[1] else 2 for words in texts for w in words]
    made = sample(kinds, "token", places)
    made = replace(made, inputs={"text": tuple(tuple(words) for words in texts)})
    found = trained(hub_root, "seeing-bert", made, "text")
    assert found.measure == "accuracy" and found.value > 0.95
    assert len(found.held) == len(found.outcomes) > 60
    held = set(places[list(found.held), 0])
    assert len(held) == 20, "a quarter of the sentences, each of them whole"
    assert sum(len(texts[row]) for row in held) == len(found.held)


def test_a_table_of_vectors_learns_what_its_vectors_did_not_tell(tmp_path: Path) -> None:
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
def test_numbers_and_several_labels_are_fine_tuned_to_their_own_measure(hub_root: Path, kind: Any) -> None:
    texts = sentences(160)
    share = np.array(
        [[sum(w in told for w in words) / len(words) for told in TELLING[:2]] for words in texts]
    )
    labels = share[:, 0] - share[:, 1] if kind == "number" else (share > 0.25).astype(np.uint8)
    made = replace(sample(labels, kind), inputs={"text": tuple(" ".join(words) for words in texts)})
    found = trained(hub_root, "seeing-bert", made, "text")
    assert found.measure == {"number": "R²", "multilabel": "ranking precision"}[kind]
    assert found.value > 0.8 and found.value >= found.start - 0.05


@pytest.mark.parametrize("model", ["tiny-vit", "tiny-resnet"])
def test_pictures_are_fine_tuned_and_no_worse_for_it(hub_root: Path, model: str) -> None:
    rng = np.random.default_rng(0)
    labels, files = np.arange(120) % 3, []
    for label in labels:  # one channel is brighter, in pictures that are not equally bright themselves
        pixels = rng.integers(100, 140, (32, 32, 3)) + rng.integers(-40, 40)
        pixels[..., label] += 30
        stored = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(stored, "PNG")
        files.append(stored.getvalue())
    found = trained(hub_root, model, replace(sample(labels), inputs={"image": tuple(files)}), "image")
    assert found.value > 0.9 and found.value >= found.start - 0.05


def test_training_leaves_the_smallest_numbers_as_it_found_them(hub_root: Path) -> None:
    made = replace(sample([0, 1] * 20), inputs={"text": ("warm and bright", "cold and bleak") * 20})
    trained(hub_root, "seeing-bert", made, "text", how="head")
    assert float(torch.tensor(2e-40) * 0.5) > 0


def test_batch_norms_keep_the_statistics_that_they_came_with() -> None:
    norm = nn.BatchNorm2d(3, momentum=0.997)
    network = nn.Sequential(nn.Dropout(0.5), norm, nn.BatchNorm2d(3, track_running_stats=False))
    _to_train(network)
    assert [part.training for part in network] == [True, False, True]
    assert norm.running_mean is not None
    before = norm.running_mean.clone()
    network(torch.randn(4, 3, 2, 2) + 9.0).sum().backward()
    assert torch.equal(norm.running_mean, before)
    assert norm.weight.grad is not None, "its weights are trained all the same"


def test_an_average_follows_the_weights_and_stands_in_for_them() -> None:
    weight = torch.tensor([0.0, 8.0])
    average = WeightAverage([weight], steps=4)
    weight += torch.tensor([4.0, -8.0])
    average.follow()
    with average.in_place():
        assert weight.tolist() == [1.0, 6.0]
    assert weight.tolist() == [4.0, 0.0]
    with pytest.raises(ZeroDivisionError), average.in_place():
        _ = 1 / 0
    assert weight.tolist() == [4.0, 0.0], "what was trained comes back, whatever happens"

"""Which of the leading checkpoints is recommended, and what the answer says about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hubscan.records import Accuracy, Ranking, Scored
from hubscan.report.answer import answer, next_steps
from hubscan.report.json_form import as_object
from hubscan.verify.verdict import verdict as judged
from tests.support.rankings import COMMIT, make_run, ranking, scored, tuned
from tests.support.samples import sample


def chosen(*results: Scored) -> str | None:
    found = ranking(results)
    return found.best.model if found.recommended else None


def test_of_the_tied_leaders_the_most_accurate_is_recommended() -> None:
    found = ranking(
        [
            scored("a/first", 1.2, accuracy=0.80),
            scored("b/second", 1.1, accuracy=0.86),
            scored("c/third", 1.05, accuracy=0.84),
            scored("d/behind", 0.5, accuracy=0.99),
        ]
    )
    assert (found.first.model, found.best.model) == ("a/first", "b/second")
    assert found.recommended is not None
    assert found.recommended.reason == "highest accuracy of the three that lead by transrate"
    assert as_object(found)["recommended"] == {
        "rank": 2,
        "model": "b/second",
        "revision": COMMIT,
        "modality": "text",
        "layer": "last",
        "reason": "highest accuracy of the three that lead by transrate",
    }


def test_of_equally_accurate_leaders_the_smallest_is_recommended() -> None:
    large = scored("a/large", 1.2, accuracy=0.8, parameters=100_000_000)
    small = scored("b/small", 1.1, accuracy=0.8, parameters=10_000_000)
    found = ranking([large, small])
    assert found.best.model == "b/small"
    assert found.recommended is not None
    assert found.recommended.reason.endswith("lead by transrate, and the smallest of those")


def test_a_checkpoint_that_is_not_tied_with_the_first_is_not_recommended_however_accurate() -> None:
    results = [scored("a/first", 1.2, accuracy=0.8), scored("b/second", 0.7, accuracy=0.9)]
    assert chosen(*results) == "a/first"
    assert ranking(results).recommended is not None
    assert "leads by transrate" in str(ranking(results).recommended)


def test_nothing_is_recommended_if_no_interval_is_above_the_score_of_shuffled_labels() -> None:
    found = ranking([scored("a/first", 0.1), scored("b/second", 0.05)])
    assert found.recommended is None and found.best is found.first
    assert as_object(found)["recommended"] is None
    assert next_steps(found) == []


def test_an_uncertain_entry_does_not_count_among_the_leaders() -> None:
    assert (
        chosen(scored("a/sure", 0.5, accuracy=0.7), scored("b/wide", 0.45, half=0.6, accuracy=0.9))
        == "a/sure"
    )


def test_randomly_initialised_weights_are_not_recommended_if_trained_ones_lead_too() -> None:
    drawn = replace(scored("a/drawn", 1.5, accuracy=0.95), untrained=True)
    assert chosen(drawn, scored("b/trained", 1.1, accuracy=0.8)) == "b/trained"
    assert chosen(drawn, scored("b/trained", 0.1, accuracy=0.5)) == "a/drawn"


def test_the_order_and_ties_are_those_of_the_metric_that_ranks() -> None:
    def by_knn(one: Scored, value: float) -> Scored:
        knn = replace(one.leading, name="knn", version=1, value=value, low=value - 0.01, high=value + 0.01)
        return replace(one, scores={"knn": knn, **one.scores})

    first = by_knn(scored("a/first", 1.2, accuracy=0.9), 0.7)
    second = by_knn(scored("b/second", 1.1, accuracy=0.8), 0.9)
    found = ranking([first, second])
    assert found.best.model == "b/second" and found.metric == "knn@1"


def test_a_run_without_accuracies_recommends_its_first() -> None:
    results = [replace(scored("a/first", 1.2, parameters=9), accuracy=None)]
    results += [replace(scored("b/second", 1.1, parameters=1), accuracy=None)]
    assert chosen(*results) == "a/first"
    assert "linear head" not in answer(ranking(results))


@pytest.mark.parametrize(
    ("results", "said"),
    [
        (
            [scored("a/first", 1.2, accuracy=0.80), scored("b/second", 1.1, accuracy=0.86)],
            "a/first is first by transrate, but less accurate (80 %).",
        ),
        (
            [scored("a/first", 1.2, accuracy=0.80), scored("b/second", 0.7, accuracy=0.86)],
            "Score and accuracy disagree: b/second, second by transrate, is more accurate (86 %).",
        ),
    ],
)
def test_the_answer_says_when_score_and_accuracy_disagree(results: list[Scored], said: str) -> None:
    assert said in answer(ranking(results))


def with_kind(accuracy: Accuracy, **draw: object) -> Ranking:
    return ranking([replace(scored("a/b", 1.0), accuracy=accuracy)], **draw)


@pytest.mark.parametrize(
    ("accuracy", "draw", "said"),
    [
        (Accuracy(0.842, 0.01, "accuracy"), {}, "is right on 84 % of unseen rows (chance: 50 %)."),
        (
            Accuracy(0.961, 0.01, "accuracy"),
            {"classes": {"neg": 950, "pos": 50}},
            "is right on 96.1 % of unseen rows (always the most frequent class: 95 %).",
        ),
        (
            Accuracy(0.842, 0.01, "balanced_accuracy"),
            {"classes": {"a": 250, "b": 250, "c": 250, "d": 250}},
            "has a balanced accuracy of 84 % on unseen rows (chance: 25 %).",
        ),
        (
            Accuracy(0.842, 0.01, "balanced_accuracy"),
            {"label_kind": "token"},
            "has a balanced accuracy of 84 % on unseen words (chance: 50 %).",
        ),
        (
            Accuracy(0.45, 0.01, "r2"),
            {"label_kind": "number", "classes": {}},
            "has an R² of 0.45 on unseen rows (predicting the mean: 0).",
        ),
        (
            Accuracy(0.71, 0.01, "micro_f1"),
            {"label_kind": "multilabel"},
            "has a micro-F1 of 0.71 on unseen rows of the balanced sample.",
        ),
    ],
)
def test_the_answer_names_the_kind_of_accuracy(
    accuracy: Accuracy, draw: dict[str, object], said: str
) -> None:
    assert f"A linear head on its frozen features {said}" in answer(with_kind(accuracy, **draw))


def test_the_next_steps_check_the_ranking_and_load_the_recommended_checkpoint() -> None:
    assert next_steps(ranking([scored("a/b", 1.2), scored("a/c", 1.1)])) == [
        "Check it by fine-tuning: hubscan verify runs/imdb --top 3",
        f"Load it: AutoModel.from_pretrained('a/b', revision='{COMMIT}')",
    ]
    local = scored("./mine", 1.2, local=True)
    assert next_steps(ranking([local])) == ["Load it: hubscan.embed('./mine', inputs)"]
    table = scored("a/table", 1.2, library="model2vec")
    assert next_steps(ranking([table])) == [f"Load it: hubscan.embed('a/table@{COMMIT}', inputs)"]


def test_after_verify_the_best_fine_tuned_checkpoint_is_recommended_and_the_scan_is_unchanged(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "run", [scored("a/first", 1.2), scored("b/second", 0.7)])
    scan = run.ranking
    verdict = judged(scan, [tuned(scan, "a/first", 70), tuned(scan, "b/second", 90)], sample([0, 1] * 50))
    run.keep_verdict(verdict)
    found = run.ranking
    assert (scan.best.model, run.scanned.best.model, found.best.model) == ("a/first", "a/first", "b/second")
    assert found.recommended is not None
    assert found.recommended.reason == "highest fine-tuned accuracy of the two that were fine-tuned"
    assert answer(found) == (
        "Use b/second (33 M parameters, mit). Fine-tuned, it has an accuracy of 90 % on 100 test rows, "
        "the best of the 2 that were fine-tuned."
    )
    assert next_steps(found)[0].startswith("Load it: AutoModel.from_pretrained('b/second'")
    again = judged(
        run.scanned, [tuned(scan, "a/first", 95), tuned(scan, "b/second", 90)], sample([0, 1] * 50)
    )
    assert again.picked.candidate.model == "a/first", "compared with the recommendation of the scan"


def test_the_repr_of_a_ranking_is_a_few_lines_and_its_notebook_table_has_five_columns() -> None:
    found = ranking()
    lines = repr(found).splitlines()
    assert len(lines) == 5 and all(len(line) < 120 for line in lines)
    assert lines[1].startswith("  → 1  BAAI/bge-small-en-v1.5") and lines[-1] == "    … 1 more, 1 skipped"
    shown = found._repr_markdown_()
    assert shown.startswith("Use BAAI/bge-small-en-v1.5")
    assert {line.count("|") for line in shown.splitlines() if line.startswith("|")} == {6}


def test_a_smaller_tied_checkpoint_is_named_by_its_parameters_and_never_by_its_speed() -> None:
    large = scored("a/large", 1.2, accuracy=0.9, parameters=90_000_000)
    fast = scored("b/fast", 1.1, accuracy=0.8, parameters=80_000_000, rows_per_second=999.0)
    small = scored("c/small", 1.1, accuracy=0.8, parameters=30_000_000)
    said = answer(ranking([large, fast, small]))
    assert "cannot tell it apart from b/fast and c/small. c/small is 3× smaller." in said
    assert "faster" not in said

from __future__ import annotations

import numpy as np

from hubscan.records import Score
from hubscan.scores.caveats import notes

EVEN = np.arange(1_000) % 2


def score(value: float, half: float, null: float = 0.0) -> Score:
    return Score("transrate", 4, value, value - half, value + half, null=null)


def test_a_score_from_enough_rows_has_no_note() -> None:
    assert notes(score(1.0, 0.2), EVEN) == ()


def test_a_wide_interval_names_the_rows_that_would_make_it_half_as_wide_as_the_score_above_chance() -> None:
    (note,) = notes(score(1.0, 1.0), EVEN)  # twice as wide as it may be: four times the rows
    assert note == "The interval is wide for 1,000 rows: pass `--samples 4000`."
    (note,) = notes(score(1.5, 0.6, null=0.5), EVEN)
    assert "--samples 1500" in note


def test_at_chance_no_number_of_rows_is_promised() -> None:
    (note,) = notes(score(0.001, 0.5), EVEN)
    assert "unlikely" in note and "--samples" not in note


def test_classes_of_a_few_rows_are_counted() -> None:
    labels = np.array([0] * 500 + [1] * 500 + [2] * 4 + [7])
    assert notes(score(1.0, 0.1), labels) == ("2 of 4 classes have fewer than 5 rows.",)
    assert notes(score(1.0, 0.1), np.linspace(0, 1, 1_000)) == ()


def test_fewer_rows_than_usual_for_the_number_of_classes_are_named_with_the_flag() -> None:
    (note,) = notes(score(1.0, 0.1), np.arange(1_200) % 40)
    assert note == (
        "Only 1,200 rows were used. Rankings usually settle at about 2,000: pass `--samples 2000`."
    )
    (of_labels,) = notes(score(1.0, 0.1), np.zeros((1_200, 30), np.int64))
    assert "about 1,500" in of_labels
    assert "about 1,000" in notes(score(1.0, 0.1), np.linspace(0, 1, 50))[0]


def test_few_rows_and_a_wide_interval_give_one_note_with_the_larger_number() -> None:
    (note,) = notes(score(1.0, 1.0), EVEN[:400])
    assert note == "The interval is wide for 400 rows: pass `--samples 1600`."


def test_no_more_rows_are_asked_for_than_the_split_has() -> None:
    assert notes(score(1.0, 0.1), EVEN[:400], available=700)[0].endswith("pass `--samples 700`.")
    (note,) = notes(score(1.0, 0.1), EVEN[:400], available=400)
    assert note.startswith("Only 400 rows were used, and no more are available.") and "--samples" not in note

from __future__ import annotations

import numpy as np

from hubscan.records import Score
from hubscan.scores.caveats import notes

EVEN = np.arange(1_000) % 2


def score(value: float, half: float, null: float = 0.0) -> Score:
    return Score("transrate", 4, value, value - half, value + half, null=null)


def test_a_score_that_the_sample_bears_has_no_note() -> None:
    assert notes(score(1.0, 0.2), EVEN) == ()


def test_a_wide_interval_says_how_many_rows_would_make_it_half_as_wide_as_what_is_above_chance() -> None:
    (note,) = notes(score(1.0, 1.0), EVEN)  # twice as wide as it may be: four times the rows
    assert note == "the interval is wide: draw at least 4,000 rows"
    (note,) = notes(score(1.5, 0.6, null=0.5), EVEN)
    assert note == "the interval is wide: draw at least 1,500 rows"


def test_where_nothing_is_told_no_number_of_rows_is_promised() -> None:
    (note,) = notes(score(0.001, 0.5), EVEN)
    assert note.endswith("nothing is left that 1,000 rows could show") and "draw" not in note


def test_classes_of_a_few_rows_are_counted() -> None:
    labels = np.array([0] * 500 + [1] * 500 + [2] * 4 + [7])
    assert notes(score(1.0, 0.1), labels) == ("2 of 4 classes have fewer than 5 rows: draw more",)
    assert notes(score(1.0, 0.1), np.linspace(0, 1, 1_000)) == ()


def test_fewer_rows_than_an_order_needs_are_said_by_the_number_of_classes() -> None:
    (note,) = notes(score(1.0, 0.1), np.arange(1_200) % 40)
    assert note == "other rows may give another order, which settles from 2,000 on; here are 1,200"
    (of_labels,) = notes(score(1.0, 0.1), np.zeros((1_200, 30), np.int64))
    assert "from 1,500 on" in of_labels
    assert "from 1,000 on" in notes(score(1.0, 0.1), np.linspace(0, 1, 50))[0]

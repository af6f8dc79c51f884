"""Every version of TransRate compared with fifty digits, on random and degenerate input."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hubscan.scores import (
    transrate_equation,
    transrate_listing,
    transrate_plain,
    transrate_projected,
)
from hubscan.scores.linalg.centered import rows_of
from hubscan.scores.net_rate import STRENGTHS, decomposed
from hubscan.scores.targets import as_targets
from tests.support import exact
from tests.support.features import degenerate

Array = npt.NDArray[Any]


def cases() -> dict[str, tuple[Array, Array]]:
    """Degenerate features, and features whose rounding at a large scale would count as variance."""
    found = degenerate()
    for name in ("fewer rows than columns", "repeated rows", "a constant column"):
        features, labels = found[name]
        found[f"{name}, of 1e20"] = features * 1e20, labels
    return found


CASES = pytest.mark.parametrize("case", cases())


@CASES
@pytest.mark.parametrize(
    "metric", [transrate_listing, transrate_equation, transrate_plain], ids=lambda m: m.name
)
def test_the_numbers_in_circulation_are_exact(case: str, metric: Any) -> None:
    features, labels = cases()[case]
    expected = getattr(exact, metric.name.removeprefix("transrate-"))(features, labels)
    assert metric(features, labels).value == pytest.approx(float(expected), rel=1e-8)


@pytest.mark.parametrize("case", [case for case in cases() if "fewer" not in case and "constant" not in case])
def test_the_projected_number_is_exact_where_the_covariance_has_an_inverse(case: str) -> None:
    features, labels = cases()[case]
    expected = float(exact.projected(features, labels))
    assert transrate_projected(features, labels).value == pytest.approx(expected, rel=1e-8)


@CASES
def test_the_number_that_ranks_is_exact_at_every_distortion(case: str) -> None:
    features, labels = cases()[case]
    found = decomposed(rows_of(features), as_targets(labels), [np.arange(len(labels))]).net_rates(0).nats
    expected = exact.net_rates(features, labels, STRENGTHS[::8])
    assert found[::8] == pytest.approx(expected, rel=1e-8, abs=1e-9)

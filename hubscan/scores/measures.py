"""The measures beside `transrate`, by the names of `--metric`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hubscan.scores.circulating import equation, listing, plain, projected
from hubscan.scores.hscore import h_score
from hubscan.scores.knn import nearest_neighbours
from hubscan.scores.logme import log_evidence
from hubscan.scores.measure import Measure
from hubscan.scores.nleep import n_leep
from hubscan.scores.probe import linear_probe

logme: Final = Measure("logme", 1, log_evidence)
hscore: Final = Measure("hscore", 1, h_score)
nleep: Final = Measure("nleep", 1, n_leep, repeats=5)
knn: Final = Measure("knn", 1, nearest_neighbours, predicts=True)
probe: Final = Measure("probe", 1, linear_probe, repeats=5, predicts=True)
transrate_listing: Final = Measure("transrate-listing", 1, listing)
transrate_equation: Final = Measure("transrate-equation", 1, equation)
transrate_plain: Final = Measure("transrate-plain", 1, plain)
transrate_projected: Final = Measure("transrate-projected", 1, projected)

MEASURES: Final[Mapping[str, Measure]] = {
    measure.name: measure
    for measure in (
        transrate_listing,
        transrate_equation,
        transrate_plain,
        transrate_projected,
        logme,
        hscore,
        nleep,
        knn,
        probe,
    )
}

"""All metrics except `transrate`, by their names on the command line (`--metric`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hubscan.scores.hscore import h_score
from hubscan.scores.knn import nearest_neighbours
from hubscan.scores.logme import log_evidence
from hubscan.scores.metric import Metric
from hubscan.scores.nleep import n_leep
from hubscan.scores.probe import linear_probe
from hubscan.scores.published import equation, listing, plain, projected

logme: Final = Metric("logme", 1, log_evidence)
hscore: Final = Metric("hscore", 1, h_score)
nleep: Final = Metric("nleep", 1, n_leep, repeats=5)
knn: Final = Metric("knn", 1, nearest_neighbours, predicts=True)
probe: Final = Metric("probe", 1, linear_probe, repeats=5, predicts=True)
transrate_listing: Final = Metric("transrate-listing", 1, listing)
transrate_equation: Final = Metric("transrate-equation", 1, equation)
transrate_plain: Final = Metric("transrate-plain", 1, plain)
transrate_projected: Final = Metric("transrate-projected", 1, projected)

METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (
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

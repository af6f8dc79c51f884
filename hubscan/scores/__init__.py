"""Metrics that estimate from features and labels how well a checkpoint will do; one file each.

They are pure functions of features (n, d) and labels, arrays or tensors. Each returns one `Score`, and higher
is better::

    from hubscan.scores import knn, logme, transrate

    score = transrate(features, labels)   # .value in nats per row, with .low .high .null
    score.accuracy                        # of a linear head on rows it was not fitted to: .value .error .kind
    logme(features, labels).value         # nulls=20 adds .null, halves=20 adds .low and .high
    knn(tokens, tags, groups=sentence)    # rows of one group do not predict each other

Labels are (n,) integers for classes, (n,) floats for numbers, or (n, L) columns of 0 and 1 for several labels
per row. With token labels, each token is a row.
"""

from __future__ import annotations

from hubscan.scores.accuracy import accuracy
from hubscan.scores.linear_head import linear_head
from hubscan.scores.published_spectra import transrate_from_spectra
from hubscan.scores.registry import (
    hscore,
    knn,
    logme,
    nleep,
    probe,
    transrate_equation,
    transrate_listing,
    transrate_plain,
    transrate_projected,
)
from hubscan.scores.transrate import transrate

__all__ = [
    "accuracy",
    "hscore",
    "knn",
    "linear_head",
    "logme",
    "nleep",
    "probe",
    "transrate",
    "transrate_equation",
    "transrate_from_spectra",
    "transrate_listing",
    "transrate_plain",
    "transrate_projected",
]

"""Metrics: features (n, d) and labels in, one `Score` out, higher is better. One metric a file.

Pure functions for anybody's arrays or tensors::

    from hubscan.scores import evidence, logme, transfer, transrate

    transfer(features, labels).value      # with .low .high .null: what ranks, the mean of the next two
    evidence(features, labels).value      # with .low .high .null
    transrate(features, labels).value     # with .low .high .raw .null
    logme(features, labels).value         # nulls=20 adds .null, halves=20 adds .low and .high
    knn(tokens, tags, groups=sentence)    # rows that belong together are not held against one another

Labels are (n,) integers for classes, (n,) floats for numbers, (n, L) of 0 and 1 for several labels a
row; of token labels, each token is a row.
"""

from __future__ import annotations

from hubscan.scores.evidence import evidence
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
from hubscan.scores.transfer import transfer
from hubscan.scores.transrate import transrate

__all__ = [
    "evidence",
    "hscore",
    "knn",
    "logme",
    "nleep",
    "probe",
    "transfer",
    "transrate",
    "transrate_equation",
    "transrate_from_spectra",
    "transrate_listing",
    "transrate_plain",
    "transrate_projected",
]

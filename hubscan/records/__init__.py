"""The frozen records that the stages of a scan exchange, with array shapes in comments.

A query finds a `Candidate` and the dataset gives a `Sample`. An encoder turns both into `Features`, and a
metric turns those into a `Score`. `Scored` and `Skipped` candidates form a `Ranking`. Some are fine-tuned
(`Tuned`), and a `Verdict` says whether the ranking was right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubscan.records.accuracy import Accuracy, AccuracyKind, LeftOut, Predicted
from hubscan.records.candidate import Candidate, Identity, Listed, Pair, Skipped
from hubscan.records.features import Features, Pooling
from hubscan.records.kinds import TASKS, WORD_POOLINGS, Input, LabelKind, Layers, Modality, Precision
from hubscan.records.ranking import Ranked, Ranking, Recommended
from hubscan.records.requests import EncodingRequest, Job, Query, SampleRequest, ScoringRequest
from hubscan.records.sample import Sample, SampleInfo
from hubscan.records.score import Cost, Layer, Score, Scored
from hubscan.records.tuned import Agreement, Bounded, Training, Tuned, Verdict

if TYPE_CHECKING:  # only for annotations: at run time they would import numpy
    from hubscan.records.kinds import Labels as Labels
    from hubscan.records.kinds import Matrix as Matrix
    from hubscan.records.kinds import Rows as Rows

__all__ = [
    "TASKS",
    "WORD_POOLINGS",
    "Accuracy",
    "AccuracyKind",
    "Agreement",
    "Bounded",
    "Candidate",
    "Cost",
    "EncodingRequest",
    "Features",
    "Identity",
    "Input",
    "Job",
    "LabelKind",
    "Layer",
    "Layers",
    "LeftOut",
    "Listed",
    "Modality",
    "Pair",
    "Pooling",
    "Precision",
    "Predicted",
    "Query",
    "Ranked",
    "Ranking",
    "Recommended",
    "Sample",
    "SampleInfo",
    "SampleRequest",
    "Score",
    "Scored",
    "ScoringRequest",
    "Skipped",
    "Training",
    "Tuned",
    "Verdict",
]

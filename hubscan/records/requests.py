"""The part of a recipe that each stage needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hubscan.records.kinds import LabelKind, Layers, Modality
from hubscan.records.tuned import Training


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """Which rows to draw, and from where; `hubscan.recipe_fields.Recipe` documents the fields."""

    dataset: str | None
    config: str | None = None
    split: str | None = None
    revision: str | None = None
    task: str | None = None
    input_columns: tuple[str, ...] = ()
    label_columns: tuple[str, ...] = ()
    label_kind: LabelKind | None = None
    group_column: str | None = None  # rows with the same value belong to one group
    modalities: tuple[Modality, ...] = ()
    samples: int | None = None  # None: `hubscan.sample_size.rows_by_default`
    balance: bool = True
    max_bytes: int = 2_000_000_000
    max_seconds: float = 30.0  # read this much of an audio file, from its beginning
    separator: str | None = None  # between the fields of a csv file; None: found from its first lines
    background: str = "white"  # a color, put under transparent images
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Query:
    """Which checkpoints to look for on the Hub; `hubscan.recipe_fields.Recipe` documents the fields."""

    search: str | None = None
    author: str | None = None
    library: str | None = None
    languages: tuple[str, ...] = ()
    license: str | None = None
    trained_on: str | None = None
    min_params: int | None = None
    max_params: int = 500_000_000
    min_downloads: int = 0
    sort: Literal["downloads", "likes", "trending_score", "last_modified", "created_at"] = "downloads"
    limit: int = 20
    include_gated: bool = False
    task: str | None = None  # some tasks have their own encoders among those of their modality
    dataset: str | None = None  # flag the checkpoints that were trained on it
    pairs: bool = False  # the inputs are pairs of texts, which cross-encoders are trained to read


@dataclass(frozen=True, slots=True)
class EncodingRequest:
    """How a checkpoint turns each input into one vector."""

    pooling: str = "auto"
    prompt: str = "auto"
    layers: Layers = "last"
    max_length: int | None = None  # tokens
    max_seconds: float = 30.0  # read this much of an audio file, from its beginning
    background: str = "white"  # a color, put under transparent images


@dataclass(frozen=True, slots=True)
class ScoringRequest:
    """How to score the features."""

    metrics: tuple[str, ...] = ("transrate",)  # the first ranks
    layers: Literal["last", "mean", "best", "each"] = "last"  # which one represents the checkpoint
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with every candidate of a scan, as plain data that can be sent to a worker."""

    encoding: EncodingRequest = EncodingRequest()
    scoring: ScoringRequest = ScoringRequest()
    dtype: str = "auto"  # precision of the encoder; see `hubscan.encoders.precision`
    training: Training | None = None  # if given, fine-tune instead of scoring
    features: str | None = None  # the feature store; see `hubscan.feature_store.open_store`

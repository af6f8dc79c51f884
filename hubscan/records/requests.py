"""What a stage is asked to do: the keys of a recipe that it needs, and no others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hubscan.records.kinds import LabelKind, Layers, Modality
from hubscan.records.tuned import Training


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """Which rows to draw, and from where; see the keys of the same names in `hubscan.recipe.Recipe`."""

    dataset: str | None
    config: str | None = None
    split: str | None = None
    revision: str | None = None
    task: str | None = None
    input_columns: tuple[str, ...] = ()
    label_columns: tuple[str, ...] = ()
    label_kind: LabelKind | None = None
    group_column: str | None = None  # rows with the same value of it belong together
    modalities: tuple[Modality, ...] = ()
    samples: int | None = None  # None: `hubscan.sample_size.rows_by_default`
    balance: bool = True
    max_bytes: int = 2_000_000_000
    max_seconds: float = 30.0  # of an audio file, from its beginning
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Query:
    """Which checkpoints to look for on the Hub; see the keys of the same names in `hubscan.recipe.Recipe`."""

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
    task: str | None = None  # some tasks have encoders of their own among those of their modality
    dataset: str | None = None  # checkpoints that were trained on it are flagged
    pairs: bool = False  # inputs are pairs of texts, which cross-encoders are trained to read


@dataclass(frozen=True, slots=True)
class EncodingRequest:
    """How a checkpoint reads its inputs and makes one vector of each."""

    pooling: str = "auto"
    prompt: str = "auto"
    layers: Layers = "last"
    max_length: int | None = None  # tokens
    max_seconds: float = 30.0  # of an audio file, from its beginning


@dataclass(frozen=True, slots=True)
class ScoringRequest:
    """Which scores the features get."""

    metrics: tuple[str, ...] = ("transrate",)  # the first ranks
    layers: Literal["last", "mean", "best", "each"] = "last"  # which stands for the checkpoint
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """What every candidate of a scan goes through: the same for all, and plain data that can travel."""

    encoding: EncodingRequest = EncodingRequest()
    scoring: ScoringRequest = ScoringRequest()
    dtype: str = "auto"  # what checkpoints compute in; see `hubscan.encoders.precision`
    training: Training | None = None  # fine-tune instead of scoring
    features: str | None = None  # where features are kept; see `hubscan.feature_store.open_store`

"""What crosses the border of a stage: frozen records with their shapes in comments.

Read top to bottom they are the story of a scan: a `Candidate` is found, a `Sample` is drawn, an
encoder turns both into `Features`, a measure turns those into a `Score`, and the `Scored` and the
`Skipped` make a `Ranking`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:  # numpy costs 0.1 s, and the command line reads these records before it needs an array
    import numpy as np
    import numpy.typing as npt

    Rows = npt.NDArray[np.int64]
    Labels = npt.NDArray[np.int64] | npt.NDArray[np.float64] | npt.NDArray[np.uint8]
    Matrix = npt.NDArray[np.float32]

Modality = Literal["text", "image", "audio"]
Layers = Literal["last", "mean", "each"]
Precision = Literal["float32", "bfloat16", "float16"]
Reads = Literal["text", "image", "audio", "image+text"]  # the last is a pair of checkpoints, joined
LabelKind = Literal["class", "multilabel", "number", "token"]
UNTRAINED = "untrained weights: half of its score counts"
SHOWN = 40  # characters of a prompt in a table
WORD_POOLINGS = ("mean", "max", "last")  # those that also make one vector of a word's sub-words
Input = str | tuple[str, ...] | bytes
"""A text; a pair of texts, or a sentence as its words; an image or a sound as it lay in its file."""


def _of_tower(model: str, only: Reads | None) -> str:
    return f"{model} ({only})" if only else model


@dataclass(frozen=True, slots=True)
class Candidate:
    """One checkpoint at one commit, known from the listing alone."""

    model: str  # the canonical "org/name", or a local folder as the user wrote it
    revision: str  # the commit; for a local folder "sha256:" and the hash of its config and weights
    modality: Reads
    local: bool = False
    parameters: int | None = None  # as the listing says; a scan replaces it by the loaded count
    license: str | None = None
    downloads: int | None = None
    pipeline_tag: str | None = None
    library: str | None = None
    flags: tuple[str, ...] = ()  # what a reader should know: "trained on this dataset"
    tower: bool = False  # whether another tower of this checkpoint, of another modality, is one too

    @property
    def name(self) -> str:
        """Return the checkpoint's id, with what is read where that alone tells two towers apart."""
        return _of_tower(self.model, self.only)

    @property
    def only(self) -> Reads | None:
        """Return what is read, where another tower of the checkpoint is a candidate too; else None."""
        return self.modality if self.tower else None


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of the Hub's listing: a candidate, and why it is left out if it is."""

    candidate: Candidate
    excluded: str | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """What was drawn, without the rows themselves; it stands in every result."""

    dataset: str  # the canonical id, or the local path
    revision: str  # the commit; for local data "sha256:" and a hash over its files
    config: str | None
    split: str
    columns: Mapping[str, str]  # role to column: {"text": "review", "label": "sentiment"}
    label_kind: LabelKind
    classes: Mapping[str, int]  # class, label or tag to rows that have it, in label order; {} of numbers
    rows: int  # of words where every word has a label
    seed: int
    rows_seen: int  # rows of the split whose label the draw looked at, or which came by in one pass
    dropped: Mapping[str, int]  # reason to number of rows: {"empty input": 3}
    bytes_read: int  # bytes that came over the network
    fingerprint: str  # hash of all that decides the rows; equal exactly when two scans saw the same rows
    duplicates: int = 0  # drawn rows whose input another drawn row has already, byte for byte
    requests: int = 0  # requests sent over the network
    groups: int = 0  # row groups of the split; 0 where rows came in one pass
    groups_read: int = 0  # those of which more than the label was read
    block_rows: int = 1  # rows of a class that were drawn together; 1: each by itself
    notes: tuple[str, ...] = ()  # what a reader should know of how the rows came, one sentence each

    @property
    def local(self) -> bool:
        """Return whether the data lies on this disk, so that `revision` is a hash over its files."""
        return self.revision.startswith("sha256:")


@dataclass(frozen=True, slots=True)
class Sample:
    """The drawn rows; every checkpoint sees exactly these, in this order."""

    draw: Draw
    inputs: Mapping[Modality, tuple[Input, ...]]  # one entry a modality, n inputs each unless `places` says
    labels: Labels  # "class" and "token" (n,) int64 into `draw.classes`, "number" (n,) float64,
    #                 "multilabel" (n, L) uint8 of 0 and 1, a column for each of `draw.classes`
    row_ids: Rows  # (n,) position of the row in the split
    places: Rows | None = None  # (n, 2) of "token": which of the inputs, and which of its words; sorted

    @property
    def groups(self) -> Rows | None:
        """Return (n,) what each row belongs to where rows are words: its sentence; else None."""
        return None if self.places is None else self.places[:, 0]


@dataclass(frozen=True, slots=True)
class Pooling:
    """How the states of one input became one vector, and who said so."""

    name: str  # "mean", "cls", "last", "max" or "pooler"; with what stands behind it: "mean, normalize"
    origin: str  # "declared", "convention", "default" or "asked"
    prompt: str = ""  # what stood before every text

    def __str__(self) -> str:
        """Return the words of a table cell: `mean (declared)`, `last (declared), prompt "query: "`."""
        shown = self.prompt if len(self.prompt) <= SHOWN else self.prompt[:SHOWN] + "…"
        prompt = f", prompt {json.dumps(shown, ensure_ascii=False)}" if self.prompt else ""
        return f"{self.name} ({self.origin}){prompt}"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one candidate took."""

    download_bytes: int  # bytes that arrived on this disk; 0 when all lay in the cache
    seconds: float  # from fetch to score, wall clock
    rows_per_second: float  # of the extraction alone
    peak_bytes: int  # peak of the worker's resident memory; on a GPU of the memory allocated there
    cached: bool = False  # the features came from an earlier scan, and so did `rows_per_second`


@dataclass(frozen=True, slots=True)
class Features:
    """Pooled features of one checkpoint on the sample."""

    layers: Mapping[str, Matrix]  # name to (n, width) float32, finite: "last" or "mean" alone, or "0" … "12"
    pooling: Pooling
    parameters: int  # of the encoder that ran
    device: str
    dtype: str
    processor: str  # class of the tokenizer, image processor or feature extractor: backends differ in pixels
    rows_per_second: float
    untrained: bool  # the weights are as an initialisation leaves them

    @property
    def matrix(self) -> Matrix:
        """Return the features of the last layer, (n, width)."""
        return self.layers[next(reversed(list(self.layers)))]


@dataclass(frozen=True, slots=True)
class Score:
    """One measure of one checkpoint, in nats unless the measure says otherwise; higher is better.

    `value` ranks. What a measure was not asked for, or has no notion of, is None; the measure that
    ranks has all of it but perhaps `raw`.
    """

    name: str
    version: int
    value: float
    low: float | None = None  # bounds of the value, had other rows been drawn (95 %)
    high: float | None = None
    raw: float | None = None  # the uncorrected number of the source
    null: float | None = None  # what shuffled labels give in place of raw
    null_spread: float | None = None  # standard deviation of that over the shuffles
    notes: tuple[str, ...] = ()  # what a reader should know before trusting it

    @property
    def label(self) -> str:
        """Name and version, as results carry them: `transrate@1`."""
        return f"{self.name}@{self.version}"

    @property
    def chance(self) -> float:
        """Return what the value would be if the labels told nothing.

        A measure that has a raw number is corrected already; of another one it is what shuffled
        labels gave; parameter counts, say, know no chance.
        """
        if self.raw is not None:
            return 0.0
        return -math.inf if self.null is None else self.null

    @property
    def halved(self) -> Score:
        """Return the score with its value and bounds halfway to chance, where the measure knows chance."""
        if self.chance == -math.inf:
            return self

        def half(bound: float | None) -> float | None:
            return None if bound is None else (bound + self.chance) / 2

        return replace(self, value=(self.value + self.chance) / 2, low=half(self.low), high=half(self.high))

    @property
    def interval(self) -> tuple[float, float]:
        """Return the bounds; without any the value itself, twice."""
        return (
            self.value if self.low is None else self.low,
            self.value if self.high is None else self.high,
        )


@dataclass(frozen=True, slots=True)
class Scored:
    """One candidate that made it through."""

    candidate: Candidate
    scores: Mapping[str, Score]  # measure name to score; the first one ranks
    width: int
    parameters: int
    pooling: Pooling
    layer: str  # "last", "mean", or the number of the best one
    cost: Cost
    device: str
    dtype: str
    processor: str
    layers: Mapping[str, Layer] = field(default_factory=dict)  # every layer, if they were asked for
    features: str | None = None  # where they lie in the cache, for measures asked for later
    parts: tuple[Candidate, ...] = ()  # the checkpoints whose features were joined; of one checkpoint none
    untrained: bool = False  # the weights are as an initialisation leaves them

    @property
    def name(self) -> str:
        """Return the checkpoint's id, with the layer where it is one of several."""
        return (
            self.candidate.name
            if self.layer in ("last", "mean")
            else f"layer {self.layer} of {self.candidate.name}"
        )

    @property
    def flags(self) -> tuple[str, ...]:
        """Return what a reader should know: what the listing tells, and what loading told."""
        return (*self.candidate.flags, *((UNTRAINED,) if self.untrained else ()))


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a checkpoint."""

    width: int
    scores: Mapping[str, Score]


@dataclass(frozen=True, slots=True)
class Training:
    """How checkpoints are fine-tuned to see whether a ranking was right; the same for all."""

    how: Literal["full", "lora", "head"] = "full"  # all weights, LoRA's, or a head's on frozen features
    rates: tuple[float, ...] = (3e-5, 3e-4)  # each is tried; rows that are not held out choose
    batch: int = 32  # rows a step
    epochs: int = 40  # at most, with each rate
    patience: int = 5  # epochs without getting better that end a rate, if they have 160 steps
    seconds: float = 1800.0  # for all of one checkpoint
    seed: int = 0
    precision: Literal["float32", "mixed"] = "float32"  # see `hubscan.finetune.precision`


@dataclass(frozen=True, slots=True)
class Tuned:
    """One candidate, fine-tuned."""

    candidate: Candidate
    training: Training
    measure: str  # "accuracy", "R²" or "ranking precision": the mean of `outcomes`
    outcomes: tuple[float, ...]  # how each held-out row came out, in the order of the sample
    frozen: tuple[float, ...]  # the same of the head on frozen features, where training began
    held: tuple[int, ...]  # which rows of the sample these are
    rate: (
        float | None
    )  # the learning rate that did best; None where nothing did better than the frozen features
    epochs: int  # trained with it until then
    settled: bool  # every rate was tried until it got no better; else time or epochs ran out
    trained: int  # weights that were trained
    seconds: float
    device: str

    @property
    def value(self) -> float:
        """Return what fine-tuning gives on the held-out rows."""
        return sum(self.outcomes) / len(self.outcomes)

    @property
    def start(self) -> float:
        """Return what the head on frozen features gives on them."""
        return sum(self.frozen) / len(self.frozen)


@dataclass(frozen=True, slots=True)
class Skipped:
    """One candidate that did not, with the stage where it stopped."""

    model: str
    revision: str | None
    stage: str  # "resolve", "fetch", "load", "embed", "score", "train", "fuse" or "worker"
    reason: str
    only: Reads | None = None  # the tower that did not, where another may have

    @property
    def name(self) -> str:
        """Return the checkpoint's id, with what is read where that alone tells two towers apart."""
        return _of_tower(self.model, self.only)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One line of a ranking."""

    rank: int  # from 1
    scored: Scored
    tied_with: tuple[str, ...]  # names of those whose order against this one the sample does not support

    @property
    def name(self) -> str:
        """Return what is ranked: a checkpoint, or a layer of one."""
        return self.scored.name

    @property
    def model(self) -> str:
        """Return the checkpoint's id."""
        return self.scored.candidate.model


class Bounded(NamedTuple):
    """A number, and where it would lie had other rows been held out (95 %)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a list that one could follow stands to what fine-tuning gives."""

    followed: str  # "transrate@3", "probe@1", "size" or "downloads"
    pick: int  # the first of the list: its place in `Verdict.tuned`
    regret: Bounded  # what the pick gives less than the best one, in the unit of the measure; 0 at best
    kendall: Bounded | None  # weighted Kendall, 1 at best; None for fewer than three checkpoints
    pearson: Bounded | None  # None where the list has no numbers that differ


@dataclass(frozen=True, slots=True)
class Verdict:
    """What fine-tuning said."""

    measure: str
    tuned: tuple[Tuned, ...]  # from the best to the worst
    values: tuple[Bounded, ...]  # theirs, in this order
    agreements: tuple[Agreement, ...]  # the ranking's own first
    held: int  # rows held out

    @property
    def best(self) -> Tuned:
        """Return what did best."""
        return self.tuned[0]

    @property
    def picked(self) -> Tuned:
        """Return what the ranking would have had us take."""
        return self.tuned[self.agreements[0].pick]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The answer: checkpoints from best to worst, what was skipped, and what it rests on.

    Iterable, with `best`, `to_pandas()` and a rich display in a notebook.
    """

    task: str
    metric: str  # "transrate@1"
    entries: tuple[Ranked, ...]
    skipped: tuple[Skipped, ...]
    draw: Draw
    run: str | None = None  # the run folder
    provenance: Mapping[str, Any] = field(default_factory=dict)  # device, dtype, versions, seed
    verdict: Verdict | None = None  # what fine-tuning said, if some were fine-tuned

    def __iter__(self) -> Iterator[Ranked]:
        """Iterate from best to worst."""
        return iter(self.entries)

    def __len__(self) -> int:
        """Return the number of ranked checkpoints."""
        return len(self.entries)

    def __getitem__(self, index: int) -> Ranked:
        """Return the checkpoint at *index*, 0 the best."""
        return self.entries[index]

    @property
    def best(self) -> Ranked:
        """Return the first of the ranking."""
        return self.entries[0]

    def to_pandas(self) -> Any:
        """Return one row a checkpoint as a `pandas.DataFrame`."""
        import pandas as pd

        from hubscan.report.rows import flat_rows

        return pd.DataFrame(flat_rows(self))

    def __str__(self) -> str:
        """Return the answer in words and the table, as the command line prints them."""
        from hubscan.report.human import as_text

        return as_text(self)

    def _repr_markdown_(self) -> str:
        from hubscan.report.markdown import as_markdown

        return as_markdown(self)

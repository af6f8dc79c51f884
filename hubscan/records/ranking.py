"""A `Ranking`: the scored checkpoints from best to worst, and the skipped ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hubscan.records.candidate import Skipped
from hubscan.records.sample import SampleInfo
from hubscan.records.score import Scored
from hubscan.records.tuned import Verdict


@dataclass(frozen=True, slots=True)
class Ranked:
    """One line of a ranking."""

    rank: int  # from 1
    scored: Scored
    tied_with: tuple[str, ...]  # names of those that the sample cannot separate from this one

    @property
    def name(self) -> str:
        """Return what is ranked: a checkpoint, or a layer of one."""
        return self.scored.name

    @property
    def model(self) -> str:
        """Return the checkpoint's id."""
        return self.scored.candidate.model


@dataclass(frozen=True, slots=True)
class Recommended:
    """Which entry to use, and why."""

    rank: int  # from 1
    reason: str  # such as "highest accuracy of the three that lead by transrate"


@dataclass(frozen=True, slots=True)
class Ranking:
    """The result of a scan: the checkpoints from best to worst, the skipped ones, and the sample.

    It can be iterated, has `best` and `to_pandas()`, and shows itself as a table in notebooks.
    """

    task: str
    metric: str  # "transrate@4"
    entries: tuple[Ranked, ...]
    skipped: tuple[Skipped, ...]
    draw: SampleInfo
    run: str | None = None  # the run folder
    provenance: Mapping[str, Any] = field(default_factory=dict)  # device, dtype, versions, seed
    verdict: Verdict | None = None  # the outcome of fine-tuning, if some were fine-tuned
    recommended: Recommended | None = None  # None: no entry is clearly better than chance

    def __iter__(self) -> Iterator[Ranked]:
        """Iterate from best to worst."""
        return iter(self.entries)

    def __len__(self) -> int:
        """Return the number of ranked checkpoints."""
        return len(self.entries)

    def __getitem__(self, index: int) -> Ranked:
        """Return the checkpoint at *index*, 0 the first of the ranking."""
        return self.entries[index]

    @property
    def first(self) -> Ranked:
        """Return the first of the ranking, whether or not it is recommended."""
        return self.entries[0]

    @property
    def best(self) -> Ranked:
        """Return the recommended checkpoint; if none is recommended, the first."""
        return self.entries[self.recommended.rank - 1] if self.recommended else self.first

    def recommends(self, entry: Ranked) -> bool:
        """Return whether *entry* is the recommended one."""
        return self.recommended is not None and self.recommended.rank == entry.rank

    def to_pandas(self) -> Any:
        """Return one row per checkpoint as a `pandas.DataFrame`."""
        import pandas as pd

        from hubscan.records.flat import flat_rows

        return pd.DataFrame(flat_rows(self))

    def __str__(self) -> str:
        """Return the answer in words and the table, as the command line prints them."""
        from hubscan.report import FORMATS  # the only import of a later stage: a ranking displays itself

        return FORMATS["human"](self)

    def __repr__(self) -> str:
        """Return the first few checkpoints, one line each."""
        return self._displayed("repr")

    def _repr_markdown_(self) -> str:
        return self._displayed("notebook")

    def _displayed(self, display: str) -> str:
        from hubscan.report import DISPLAYS

        return DISPLAYS[display](self)

"""A `Candidate` is found in the listing, and is `Skipped` where it goes no further."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from hubscan.records.kinds import Modality

BETWEEN: Final = " + "
Identity = tuple[str, str | None]
"""What tells a checkpoint from the others of its run: its name and its revision."""


def _of_tower(model: str, only: Modality | None) -> str:
    return f"{model} ({only})" if only else model


@dataclass(frozen=True, slots=True)
class Candidate:
    """One checkpoint at one commit, known from the listing alone."""

    model: str  # the canonical "org/name", or a local folder as the user wrote it
    revision: str  # the commit; for a local folder "sha256:" and the hash of its config and weights
    modality: Modality
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
    def only(self) -> Modality | None:
        """Return what is read, where another tower of the checkpoint is a candidate too; else None."""
        return self.modality if self.tower else None

    @property
    def identity(self) -> Identity:
        """Return what tells it from the other checkpoints of its run."""
        return self.name, self.revision


@dataclass(frozen=True, slots=True)
class Pair:
    """Two checkpoints whose features are joined; it answers as a `Candidate` does wherever one is shown."""

    parts: tuple[Candidate, ...]

    @property
    def model(self) -> str:
        """Return the ids of both."""
        return BETWEEN.join(part.model for part in self.parts)

    @property
    def name(self) -> str:
        """Return the ids of both; their modalities differ, so no tower needs to be named."""
        return self.model

    @property
    def revision(self) -> str:
        """Return the commits of both."""
        return BETWEEN.join(part.revision for part in self.parts)

    @property
    def modality(self) -> str:
        """Return what results call the modality of a pair: `image+text`."""
        return "+".join(part.modality for part in self.parts)

    @property
    def license(self) -> str | None:
        """Return the licences of both, once if they are the same; None if neither states one."""
        licenses = [part.license for part in self.parts]
        return together(known or "not stated" for known in licenses) if any(licenses) else None

    @property
    def flags(self) -> tuple[str, ...]:
        """Return what a reader should know of either."""
        return tuple(dict.fromkeys(flag for part in self.parts for flag in part.flags))

    @property
    def identity(self) -> Identity:
        """Return what tells it from the other checkpoints of its run."""
        return self.name, self.revision


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of the Hub's listing: a candidate, and why it is left out if it is."""

    candidate: Candidate
    excluded: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """One candidate that did not, with the stage where it stopped."""

    model: str
    revision: str | None
    stage: str  # "resolve", "fetch", "load", "embed", "score", "train", "fuse" or "worker"
    reason: str
    only: Modality | None = None  # the tower that did not, where another may have

    @classmethod
    def of(cls, candidate: Candidate, stage: str, reason: str) -> Skipped:
        """Return *candidate* as one that stopped at *stage* for *reason*."""
        return cls(candidate.model, candidate.revision, stage, reason, candidate.only)

    @property
    def name(self) -> str:
        """Return the checkpoint's id, with what is read where that alone tells two towers apart."""
        return _of_tower(self.model, self.only)

    @property
    def identity(self) -> Identity:
        """Return what tells it from the other checkpoints of its run."""
        return self.name, self.revision


def together(words: Iterable[str]) -> str:
    """Return *words* side by side, or once if they are the same."""
    given = list(words)
    return given[0] if len(set(given)) == 1 else BETWEEN.join(given)
